#include "orders/domain/transition.h"

#include "base/check.h"

#define ILLEGAL ORDER_STATUS_COUNT

/* Once given back, units are somebody else's: no way leads out of CANCELLED and EXPIRED. */
static const enum order_status table[ORDER_STATUS_COUNT][ORDER_ACT_COUNT] = {
    [ORDER_RESERVED] = {[ORDER_ACT_CONFIRM] = ORDER_CONFIRMED,
                        [ORDER_ACT_CANCEL] = ORDER_CANCELLED,
                        [ORDER_ACT_CANCEL_SOLD] = ORDER_CANCELLED,
                        [ORDER_ACT_EXPIRE] = ORDER_EXPIRED},
    [ORDER_CONFIRMED] = {[ORDER_ACT_CONFIRM] = ORDER_CONFIRMED,
                         [ORDER_ACT_CANCEL] = ILLEGAL,
                         [ORDER_ACT_CANCEL_SOLD] = ORDER_CANCELLED,
                         [ORDER_ACT_EXPIRE] = ILLEGAL},
    [ORDER_CANCELLED] = {[ORDER_ACT_CONFIRM] = ILLEGAL,
                         [ORDER_ACT_CANCEL] = ORDER_CANCELLED,
                         [ORDER_ACT_CANCEL_SOLD] = ORDER_CANCELLED,
                         [ORDER_ACT_EXPIRE] = ILLEGAL},
    [ORDER_EXPIRED] = {[ORDER_ACT_CONFIRM] = ILLEGAL,
                       [ORDER_ACT_CANCEL] = ILLEGAL,
                       [ORDER_ACT_CANCEL_SOLD] = ILLEGAL,
                       [ORDER_ACT_EXPIRE] = ORDER_EXPIRED},
};

enum order_status transition_of(enum order_status from, enum order_act act)
{
    CHECK(from < ORDER_STATUS_COUNT);
    CHECK(act < ORDER_ACT_COUNT);
    return table[from][act];
}

bool transition_holds_units(enum order_status status)
{
    CHECK(status < ORDER_STATUS_COUNT);
    return status == ORDER_RESERVED || status == ORDER_CONFIRMED;
}
