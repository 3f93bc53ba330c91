#include "orders/domain/transition.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
/* cmocka wants these first */
#include <cmocka.h>

#define NO ORDER_STATUS_COUNT

/* Every cell, said a second time: what a shop, a customer and time may do to an order. */
static void transition_every_cell_is_as_promised(void **state)
{
    (void)state;
    static const struct {
        enum order_status from, confirm, cancel, cancel_sold, expire;
    } rows[] = {
        {ORDER_RESERVED, ORDER_CONFIRMED, ORDER_CANCELLED, ORDER_CANCELLED, ORDER_EXPIRED},
        {ORDER_CONFIRMED, ORDER_CONFIRMED, NO, ORDER_CANCELLED, NO},
        {ORDER_CANCELLED, NO, ORDER_CANCELLED, ORDER_CANCELLED, NO},
        {ORDER_EXPIRED, NO, NO, NO, ORDER_EXPIRED},
    };
    assert_int_equal(COUNT_OF(rows), ORDER_STATUS_COUNT);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(transition_of(rows[i].from, ORDER_ACT_CONFIRM), rows[i].confirm);
        assert_int_equal(transition_of(rows[i].from, ORDER_ACT_CANCEL), rows[i].cancel);
        assert_int_equal(transition_of(rows[i].from, ORDER_ACT_CANCEL_SOLD), rows[i].cancel_sold);
        assert_int_equal(transition_of(rows[i].from, ORDER_ACT_EXPIRE), rows[i].expire);
    }
}

/* Units that were given back once are somebody else's: no act brings them back to an order. */
static void transition_given_back_units_never_return(void **state)
{
    (void)state;
    for (enum order_status from = 0; from < ORDER_STATUS_COUNT; from++) {
        for (enum order_act act = 0; act < ORDER_ACT_COUNT; act++) {
            enum order_status to = transition_of(from, act);
            if (to != NO && !transition_holds_units(from)) {
                assert_false(transition_holds_units(to));
            }
            if (to != NO) { /* doing it again changes nothing */
                assert_int_equal(transition_of(to, act), to);
            }
        }
    }
}

/* RESERVED and CONFIRMED orders hold units, as the audit counts them. */
static void transition_held_units_are_those_of_the_audit(void **state)
{
    (void)state;
    assert_true(transition_holds_units(ORDER_RESERVED));
    assert_true(transition_holds_units(ORDER_CONFIRMED));
    assert_false(transition_holds_units(ORDER_CANCELLED));
    assert_false(transition_holds_units(ORDER_EXPIRED));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(transition_every_cell_is_as_promised),
        cmocka_unit_test(transition_given_back_units_never_return),
        cmocka_unit_test(transition_held_units_are_those_of_the_audit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
