#include "orders/domain/settlement.h"

#include "base/arena.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

#define NOW  INT64_C(1000000000)
#define HOUR INT64_C(3600000000)

static struct settlement_decision decision;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 16, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* A sale of 10 units of which so many remain; the rest is held by orders. */
static struct settlement_facts sale_with(int32_t remaining)
{
    return (struct settlement_facts){
        .sale = {.sku = "s",
                 .title = "t",
                 .end_us = NOW + HOUR,
                 .stock_total = 10,
                 .stock_remaining = remaining,
                 .version = 7,
                 .orders_count = 9,
                 .sold_out_since = remaining == 0 ? 5 : 0},
        .now_us = NOW,
    };
}

/* An order of two units of customer "a", named by its number. */
static struct settlement_order order_of(uint8_t number, enum order_status status, int64_t expire_us)
{
    struct settlement_order order = {
        .order = {.number = number, .quantity = 2, .status = status, .expire_us = expire_us},
        .customer_id = "a",
        .customer_length = 1,
    };
    order.order.order_id.bytes[3] = number;
    return order;
}

static struct settlement_request request(uint8_t number, enum order_act act)
{
    struct settlement_request made = {.customer_id = "a", .customer_length = 1, .act = act};
    made.order_id.bytes[3] = number;
    return made;
}

static void decide(const struct settlement_facts *facts, const struct settlement_request *requests,
                   size_t count)
{
    assert_int_equal(settlement_decide(facts, requests, count, &arena, &decision), 0);
}

/* A payment that came makes the hold a sale: no unit moves, the version does. */
static void settlement_confirm_in_time_sells_the_hold(void **state)
{
    (void)state;
    struct settlement_facts facts = sale_with(4);
    struct settlement_order held = order_of(3, ORDER_RESERVED, NOW + 1);
    struct settlement_request confirm = request(3, ORDER_ACT_CONFIRM);
    facts.orders = &held;
    facts.order_count = 1;
    decide(&facts, &confirm, 1);
    assert_int_equal(decision.outcomes[0], OUTCOME_DONE);
    assert_int_equal(decision.orders[0].order.status, ORDER_CONFIRMED);
    assert_int_equal(decision.change_count, 1);
    assert_int_equal(decision.changes[0].from, ORDER_RESERVED);
    assert_int_equal(decision.changes[0].to, ORDER_CONFIRMED);
    assert_int_equal(decision.changes[0].number, 3);
    assert_int_equal(decision.sale.stock_remaining, 4);
    assert_int_equal(decision.sale.version, 8);
}

/* A retry finds it done, and makes no event of it. */
static void settlement_confirm_again_changes_nothing(void **state)
{
    (void)state;
    struct settlement_facts facts = sale_with(4);
    struct settlement_order sold = order_of(3, ORDER_CONFIRMED, NOW - 1);
    struct settlement_request confirm = request(3, ORDER_ACT_CONFIRM);
    facts.orders = &sold;
    facts.order_count = 1;
    decide(&facts, &confirm, 1);
    assert_int_equal(decision.outcomes[0], OUTCOME_DONE);
    assert_int_equal(decision.change_count, 0);
    assert_int_equal(decision.sale.version, 7);
}

/* Expiry against confirm: the database's clock decides, though nobody swept the hold yet. */
static void settlement_hold_that_ran_out_expires_before_it_is_confirmed(void **state)
{
    (void)state;
    struct settlement_facts facts = sale_with(4);
    struct settlement_order due = order_of(3, ORDER_RESERVED, NOW);
    struct settlement_request confirm = request(3, ORDER_ACT_CONFIRM);
    facts.orders = &due;
    facts.order_count = 1;
    decide(&facts, &confirm, 1);
    assert_int_equal(decision.outcomes[0], OUTCOME_ILLEGAL_TRANSITION);
    assert_int_equal(decision.orders[0].order.status, ORDER_EXPIRED);
    assert_int_equal(decision.change_count, 1);
    assert_int_equal(decision.changes[0].to, ORDER_EXPIRED);
    assert_int_equal(decision.sale.stock_remaining, 6);
    assert_int_equal(decision.sale.version, 8);
}

/* The same order twice in a batch: whoever came first is answered by what it did. */
static void settlement_arrival_order_decides_between_confirm_and_cancel(void **state)
{
    (void)state;
    struct settlement_facts facts = sale_with(4);
    struct settlement_order held = order_of(3, ORDER_RESERVED, NOW + HOUR);
    struct settlement_request confirm_first[] = {request(3, ORDER_ACT_CONFIRM),
                                                 request(3, ORDER_ACT_CANCEL)};
    struct settlement_request cancel_first[] = {request(3, ORDER_ACT_CANCEL),
                                                request(3, ORDER_ACT_CONFIRM)};
    facts.orders = &held;
    facts.order_count = 1;
    decide(&facts, confirm_first, 2);
    assert_int_equal(decision.outcomes[0], OUTCOME_DONE);
    assert_int_equal(decision.outcomes[1], OUTCOME_ILLEGAL_TRANSITION);
    assert_int_equal(decision.changes[0].to, ORDER_CONFIRMED);
    assert_int_equal(decision.sale.stock_remaining, 4);
    decide(&facts, cancel_first, 2);
    assert_int_equal(decision.outcomes[0], OUTCOME_DONE);
    assert_int_equal(decision.outcomes[1], OUTCOME_ILLEGAL_TRANSITION);
    assert_int_equal(decision.orders[1].order.status, ORDER_CANCELLED);
    assert_int_equal(decision.sale.stock_remaining, 6);
}

/* What is confirmed and taken back at once is one change, and its units come back once. */
static void settlement_order_moved_twice_is_one_change(void **state)
{
    (void)state;
    struct settlement_facts facts = sale_with(4);
    struct settlement_order held = order_of(3, ORDER_RESERVED, NOW + HOUR);
    struct settlement_request requests[] = {request(3, ORDER_ACT_CONFIRM),
                                            request(3, ORDER_ACT_CANCEL_SOLD),
                                            request(3, ORDER_ACT_CANCEL_SOLD)};
    facts.orders = &held;
    facts.order_count = 1;
    decide(&facts, requests, 3);
    assert_int_equal(decision.orders[0].order.status, ORDER_CONFIRMED);
    assert_int_equal(decision.orders[1].order.status, ORDER_CANCELLED);
    assert_int_equal(decision.outcomes[2], OUTCOME_DONE);
    assert_int_equal(decision.change_count, 1);
    assert_int_equal(decision.changes[0].from, ORDER_RESERVED);
    assert_int_equal(decision.changes[0].to, ORDER_CANCELLED);
    assert_int_equal(decision.sale.stock_remaining, 6);
    assert_int_equal(decision.sale.version, 8);
}

/* Somebody else's order is no order, and is not touched; an administrator names no customer. */
static void settlement_order_of_somebody_else_is_not_found(void **state)
{
    (void)state;
    struct settlement_facts facts = sale_with(4);
    struct settlement_order orders[] = {order_of(9, ORDER_RESERVED, NOW),
                                        order_of(3, ORDER_RESERVED, NOW + HOUR)};
    struct settlement_request requests[] = {
        request(9, ORDER_ACT_CANCEL), request(5, ORDER_ACT_CANCEL), request(3, ORDER_ACT_CONFIRM)};
    orders[0].customer_id = "ab";
    orders[0].customer_length = 2;
    requests[2].customer_id = "";
    requests[2].customer_length = 0;
    facts.orders = orders;
    facts.order_count = 2;
    decide(&facts, requests, 3);
    assert_int_equal(decision.outcomes[0], OUTCOME_ORDER_NOT_FOUND);
    assert_int_equal(decision.outcomes[1], OUTCOME_ORDER_NOT_FOUND);
    assert_int_equal(decision.outcomes[2], OUTCOME_DONE);
    assert_int_equal(decision.change_count, 1);
    assert_int_equal(decision.changes[0].number, 3);
}

/* CORRECTNESS C3: what comes back while nothing remains is not sold before it has matured. */
static void settlement_cancel_while_sold_out_returns_the_units(void **state)
{
    (void)state;
    struct settlement_facts facts = sale_with(0);
    struct settlement_order orders[] = {order_of(1, ORDER_RESERVED, NOW + HOUR),
                                        order_of(2, ORDER_CONFIRMED, 0)};
    struct settlement_request requests[] = {request(1, ORDER_ACT_CANCEL),
                                            request(2, ORDER_ACT_CANCEL_SOLD)};
    facts.orders = orders;
    facts.order_count = 2;
    decide(&facts, requests, 2);
    assert_int_equal(decision.sale.stock_remaining, 0);
    assert_int_equal(decision.sale.stock_returning, 4);
    assert_int_equal(decision.sale.stock_returned, 4);
    assert_int_equal(decision.sale.sold_out_since, 5);
}

/* What the load let expire is given back too, and is a version though no request changed anything.
 */
static void settlement_expired_units_come_back(void **state)
{
    (void)state;
    struct settlement_facts facts = sale_with(4);
    struct settlement_request missing = request(3, ORDER_ACT_CONFIRM);
    struct order_change expired[] = {{.number = 1, .quantity = 2, .to = ORDER_EXPIRED},
                                     {.number = 2, .quantity = 3, .to = ORDER_EXPIRED}};
    facts.expired = expired;
    facts.expired_count = 2;
    decide(&facts, &missing, 1);
    assert_int_equal(decision.outcomes[0], OUTCOME_ORDER_NOT_FOUND);
    assert_int_equal(decision.change_count, 0);
    assert_int_equal(decision.sale.stock_remaining, 9);
    assert_int_equal(decision.sale.version, 8);
}

/* Rows that contradict each other are an error of the store, not the end of the process. */
static void settlement_more_coming_back_than_is_out_is_an_error(void **state)
{
    (void)state;
    struct settlement_facts facts = sale_with(9);
    struct settlement_order held = order_of(1, ORDER_RESERVED, NOW + HOUR);
    struct settlement_request cancel = request(1, ORDER_ACT_CANCEL);
    struct order_change expired = {.number = 1, .quantity = 2, .to = ORDER_EXPIRED};
    facts.orders = &held;
    facts.order_count = 1;
    assert_int_equal(settlement_decide(&facts, &cancel, 1, &arena, &decision), -EBADMSG);
    facts.order_count = 0;
    facts.expired = &expired;
    facts.expired_count = 1;
    assert_int_equal(settlement_decide(&facts, &cancel, 1, &arena, &decision), -EBADMSG);
    facts.expired_count = 0;
    facts.order_count = 2; /* more than were asked for */
    assert_int_equal(settlement_decide(&facts, &cancel, 1, &arena, &decision), -EBADMSG);
}

/* An arena that is too small is an error, never half a decision. */
static void settlement_full_arena_is_an_error(void **state)
{
    (void)state;
    struct settlement_facts facts = sale_with(4);
    struct settlement_order held = order_of(3, ORDER_RESERVED, NOW + 1);
    struct settlement_request confirm = request(3, ORDER_ACT_CONFIRM);
    struct arena small;
    facts.orders = &held;
    facts.order_count = 1;
    arena_init(&small, 16, 32);
    assert_int_equal(settlement_decide(&facts, &confirm, 1, &small, &decision), -ENOMEM);
    arena_fini(&small);
}

/* A full batch over many orders finds each its own. */
static void settlement_full_batch_settles_every_order(void **state)
{
    (void)state;
    static struct settlement_order orders[SETTLEMENT_BATCH_MAX];
    static struct settlement_request requests[SETTLEMENT_BATCH_MAX];
    struct settlement_facts facts = sale_with(0);
    facts.sale.stock_total = 2 * SETTLEMENT_BATCH_MAX;
    for (size_t i = 0; i < SETTLEMENT_BATCH_MAX; i++) {
        orders[i] = order_of(0, ORDER_RESERVED, NOW + HOUR);
        orders[i].order.number = (int64_t)i + 1;
        orders[i].order.order_id.bytes[1] = (uint8_t)(i * 7 >> 8);
        orders[i].order.order_id.bytes[2] = (uint8_t)(i * 7);
        size_t at = SETTLEMENT_BATCH_MAX - 1 - i;
        requests[at] = request(0, i % 2 == 0 ? ORDER_ACT_CANCEL : ORDER_ACT_CONFIRM);
        requests[at].order_id = orders[i].order.order_id;
    }
    facts.orders = orders;
    facts.order_count = SETTLEMENT_BATCH_MAX;
    decide(&facts, requests, SETTLEMENT_BATCH_MAX);
    for (size_t i = 0; i < SETTLEMENT_BATCH_MAX; i++) {
        assert_int_equal(decision.outcomes[i], OUTCOME_DONE);
        assert_int_equal(decision.orders[i].order.number, (int64_t)(SETTLEMENT_BATCH_MAX - i));
    }
    assert_int_equal(decision.change_count, SETTLEMENT_BATCH_MAX);
    assert_int_equal(decision.sale.stock_returning, SETTLEMENT_BATCH_MAX);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(settlement_confirm_in_time_sells_the_hold),
        TEST(settlement_confirm_again_changes_nothing),
        TEST(settlement_hold_that_ran_out_expires_before_it_is_confirmed),
        TEST(settlement_arrival_order_decides_between_confirm_and_cancel),
        TEST(settlement_order_moved_twice_is_one_change),
        TEST(settlement_order_of_somebody_else_is_not_found),
        TEST(settlement_cancel_while_sold_out_returns_the_units),
        TEST(settlement_expired_units_come_back),
        TEST(settlement_more_coming_back_than_is_out_is_an_error),
        TEST(settlement_full_arena_is_an_error),
        TEST(settlement_full_batch_settles_every_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
