/*
 * What may become of an order: the table of its statuses and of what is done to it.
 */
#ifndef ORDERS_DOMAIN_TRANSITION_H
#define ORDERS_DOMAIN_TRANSITION_H

#include "orders/domain/order.h"

#include <stdbool.h>

enum order_act {
    ORDER_ACT_CONFIRM,     /* the shop has its money */
    ORDER_ACT_CANCEL,      /* a customer gives a hold back */
    ORDER_ACT_CANCEL_SOLD, /* an administrator takes back whatever is still in force */
    ORDER_ACT_EXPIRE,      /* the hold has run out */
    ORDER_ACT_COUNT
};

/* The status after act; from itself where act has been done already; ORDER_STATUS_COUNT where it is
 * illegal. */
enum order_status transition_of(enum order_status from, enum order_act act);

/* Whether an order in this status holds units. */
bool transition_holds_units(enum order_status status);

#endif
