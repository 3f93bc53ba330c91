#include "orders/logic/settle_orders.h"

#include "../fake_store.h"
#include "../fake_system.h"
#include "base/arena.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

#define ITEMS_MAX 40
#define EXPIRE_US (FAKE_STORE_CLOCK_US + 1000)

static struct fake_database database;
static struct fake_connection connection;
static struct store store;
static struct system_port fake_system;
static struct uuid sale_id;
static struct arena arena;
static struct settle_orders_item items[ITEMS_MAX];
static struct settle_orders_item *pointers[ITEMS_MAX];

/* ITEMS_MAX holds of one unit each, by customers "c0" on, and two units that remain. */
static void add_holds(struct fake_sale *fake)
{
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        struct fake_order *row = &fake->orders[fake->order_count++];
        row->order = (struct order){.number = (int64_t)i + 1,
                                    .quantity = 1,
                                    .status = ORDER_RESERVED,
                                    .expire_us = EXPIRE_US};
        row->order.order_id.bytes[0] = (uint8_t)(ITEMS_MAX - i);
        snprintf(row->customer_id, sizeof(row->customer_id), "c%zu", i);
    }
    fake->sale.orders_count = ITEMS_MAX;
    fake->sale.stock_remaining -= ITEMS_MAX;
}

static int set_up(void **state)
{
    (void)state;
    fake_database_init(&database);
    store = fake_store_of(&connection, &database);
    fake_system = fake_system_of(&database);
    sale_id = fake_database_add_sale(&database, ITEMS_MAX + 2, 0);
    add_holds(&database.sales[0]);
    arena_init(&arena, 1 << 16, 4 * 1024 * 1024);
    memset(items, 0, sizeof(items));
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        const struct fake_order *row = &database.sales[0].orders[i];
        items[i].in = (struct settlement_request){.order_id = row->order.order_id,
                                                  .customer_id = row->customer_id,
                                                  .customer_length = strlen(row->customer_id),
                                                  .act = ORDER_ACT_CONFIRM};
        items[i].deadline_ns = CLOCK_DEADLINE_NEVER;
        items[i].attempts_end_ns = CLOCK_DEADLINE_NEVER;
        pointers[i] = &items[i];
    }
    return 0;
}

/* Whatever went wrong: no transaction is open, and what must always hold holds. */
static int tear_down(void **state)
{
    (void)state;
    assert_null(connection.locked);
    assert_true(fake_database_is_sound(&database.sales[0]));
    arena_fini(&arena);
    fake_database_fini(&database);
    return 0;
}

static void run(size_t count)
{
    struct batch_means means = {.store = &store,
                                .system = &fake_system,
                                .transaction_ns_max = 2 * CLOCK_NS_PER_SECOND,
                                .decision_ns_max = 5 * CLOCK_NS_PER_SECOND};
    settle_orders_run(&means, &sale_id, pointers, count, &arena);
}

static void fail_next(enum fake_place where, enum store_result result, bool committed)
{
    fake_database_add_step(
        &database, (struct fake_step){.where = where, .result = result, .committed = committed});
}

static enum order_status status_of(size_t i)
{
    return database.sales[0].orders[i].order.status;
}

/* The happy path: one transaction, one version, one event that tells every order. */
static void settle_orders_batch_is_one_transaction(void **state)
{
    (void)state;
    items[1].in.act = ORDER_ACT_CANCEL;
    run(3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(items[i].verdict, VERDICT_DONE);
        assert_int_equal(items[i].order.order.number, (int64_t)i + 1);
        assert_int_equal(items[i].unit_price.amount_minor, 100);
    }
    assert_int_equal(status_of(0), ORDER_CONFIRMED);
    assert_int_equal(status_of(1), ORDER_CANCELLED);
    assert_int_equal(database.sales[0].sale.stock_remaining, 3);
    assert_int_equal(database.sales[0].sale.version, 2);
    assert_int_equal(database.sales[0].events[1].order_count, 3);
    assert_int_equal(atomic_load(&database.load_count), 1);
    assert_int_equal(atomic_load(&database.store_count), 1);
}

/* Whose order it is is told after the arena is gone, also where the caller did not say it. */
static void settle_orders_customer_outlives_the_arena(void **state)
{
    (void)state;
    items[0].in.customer_id = "";
    items[0].in.customer_length = 0;
    items[1].in.customer_id = "somebody";
    items[1].in.customer_length = 8;
    run(3);
    arena_reset(&arena);
    assert_int_equal(items[0].verdict, VERDICT_DONE);
    assert_string_equal(items[0].order.customer_id, "c0");
    assert_ptr_equal(items[0].order.customer_id, items[0].customer_text);
    assert_int_equal(items[1].verdict, VERDICT_ORDER_NOT_FOUND);
    assert_string_equal(items[2].order.customer_id, "c2");
}

/* Doing it again is done, and costs no version; it still commits (CORRECTNESS A5). */
static void settle_orders_again_is_done_without_a_version(void **state)
{
    (void)state;
    run(2);
    run(2);
    assert_int_equal(items[1].verdict, VERDICT_DONE);
    assert_int_equal(database.sales[0].sale.version, 2);
    assert_int_equal(atomic_load(&database.store_count), 2);
}

/* A hold that ran out has expired for whoever comes too late, and for all others of the sale. */
static void settle_orders_confirmation_too_late_is_illegal(void **state)
{
    (void)state;
    atomic_store(&database.clock_us, EXPIRE_US);
    run(1);
    assert_int_equal(items[0].verdict, VERDICT_ILLEGAL_TRANSITION);
    assert_int_equal(items[0].order.order.status, ORDER_EXPIRED);
    assert_int_equal(status_of(ITEMS_MAX - 1), ORDER_EXPIRED);
    assert_int_equal(database.sales[0].sale.stock_remaining, ITEMS_MAX + 2);
    assert_int_equal(database.sales[0].events[1].order_count, ITEMS_MAX);
}

/* A COMMIT without an answer is looked at again, which finds it done. */
static void settle_orders_unknown_commit_that_was_done_is_done(void **state)
{
    (void)state;
    items[1].in.act = ORDER_ACT_CANCEL;
    fail_next(FAKE_STORE_CHANGE, STORE_UNKNOWN, true);
    run(2);
    assert_int_equal(items[0].verdict, VERDICT_DONE);
    assert_int_equal(items[1].verdict, VERDICT_DONE);
    assert_int_equal(database.sales[0].sale.version, 2);
}

/* Or not done, and does it. */
static void settle_orders_unknown_commit_that_was_not_done_is_done_then(void **state)
{
    (void)state;
    fail_next(FAKE_STORE_CHANGE, STORE_UNKNOWN, false);
    run(2);
    assert_int_equal(items[0].verdict, VERDICT_DONE);
    assert_int_equal(status_of(0), ORDER_CONFIRMED);
}

/* And when nobody can look it is unknown, never refused on a guess. */
static void settle_orders_doubt_until_the_deadline_is_unknown(void **state)
{
    (void)state;
    fake_database_add_step(&database, (struct fake_step){.where = FAKE_STORE_CHANGE,
                                                         .result = STORE_UNKNOWN,
                                                         .committed = true,
                                                         .goes_down = true});
    run(2);
    assert_int_equal(items[0].verdict, VERDICT_OUTCOME_UNKNOWN);
    assert_int_equal(items[1].verdict, VERDICT_OUTCOME_UNKNOWN);
}

/* Every failure at every step ends in the verdict that is true of it. */
static void settle_orders_failures_have_their_verdicts(void **state)
{
    (void)state;
    static const struct {
        enum fake_place where;
        enum store_result result;
        enum verdict verdict;
    } cases[] = {
        {FAKE_LOAD_CHANGE, STORE_UNAVAILABLE, VERDICT_DONE}, /* one new connection */
        {FAKE_LOAD_CHANGE, STORE_BUSY, VERDICT_OVERLOADED},
        {FAKE_LOAD_CHANGE, STORE_CONFLICT, VERDICT_DONE},
        {FAKE_LOAD_CHANGE, STORE_BROKEN, VERDICT_INTERNAL},
        {FAKE_LOAD_CHANGE, STORE_REJECTED, VERDICT_INTERNAL},
        {FAKE_STORE_CHANGE, STORE_UNAVAILABLE, VERDICT_DONE},
        {FAKE_STORE_CHANGE, STORE_BUSY, VERDICT_OVERLOADED},
        {FAKE_STORE_CHANGE, STORE_CONFLICT, VERDICT_DONE},
        {FAKE_STORE_CHANGE, STORE_BROKEN, VERDICT_INTERNAL},
        {FAKE_STORE_CHANGE, STORE_REJECTED, VERDICT_INTERNAL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        pointers[0] = &items[i];
        fail_next(cases[i].where, cases[i].result, false);
        run(1);
        assert_int_equal(items[i].verdict, cases[i].verdict);
        assert_int_equal(status_of(i),
                         cases[i].verdict == VERDICT_DONE ? ORDER_CONFIRMED : ORDER_RESERVED);
        assert_null(connection.locked);
    }
}

/* A database that is gone before COMMIT was sent has done nothing, and that is said quickly. */
static void settle_orders_database_gone_refuses(void **state)
{
    (void)state;
    atomic_store(&database.is_down, true);
    run(2);
    assert_int_equal(items[1].verdict, VERDICT_DATABASE_UNAVAILABLE);
}

/* CORRECTNESS B4: one order that the database refuses must not take its neighbours with it. */
static void settle_orders_poisoned_order_fails_alone(void **state)
{
    (void)state;
    database.poisoned_quantity = 2;
    database.sales[0].orders[13].order.quantity = 2;
    database.sales[0].sale.stock_remaining--;
    run(ITEMS_MAX);
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        assert_int_equal(items[i].verdict, i == 13 ? VERDICT_INTERNAL : VERDICT_DONE);
    }
}

/* What nobody waits for any more costs no work, and what is in doubt is not dropped for age. */
static void settle_orders_late_item_is_dropped_unless_in_doubt(void **state)
{
    (void)state;
    items[1].deadline_ns = 0;
    items[2].deadline_ns = atomic_load(&database.now_ns) + CLOCK_NS_PER_MS;
    fake_database_add_step(&database, (struct fake_step){.where = FAKE_STORE_CHANGE,
                                                         .result = STORE_UNKNOWN,
                                                         .committed = true,
                                                         .elapsed_ns = CLOCK_NS_PER_SECOND});
    run(3);
    assert_int_equal(items[0].verdict, VERDICT_DONE);
    assert_int_equal(items[1].verdict, VERDICT_OVERLOADED);
    assert_int_equal(items[2].verdict, VERDICT_DONE);
    assert_int_equal(status_of(1), ORDER_RESERVED);
}

/* A sale that is not there is an answer, and leaves no transaction open. */
static void settle_orders_unknown_sale_is_not_found(void **state)
{
    (void)state;
    sale_id.bytes[5] = 9;
    run(2);
    assert_int_equal(items[1].verdict, VERDICT_SALE_NOT_FOUND);
}

/* Rows that contradict each other change nothing and are said to be our error. */
static void settle_orders_contradicting_rows_are_internal(void **state)
{
    (void)state;
    items[0].in.act = ORDER_ACT_CANCEL;
    database.sales[0].orders[0].order.quantity = 1000;
    run(1);
    assert_int_equal(items[0].verdict, VERDICT_INTERNAL);
    database.sales[0].orders[0].order.quantity = 1;
    assert_int_equal(status_of(0), ORDER_RESERVED);
}

/* Too little memory, wherever it runs out before the load, changes nothing. */
static void settle_orders_full_arena_is_internal(void **state)
{
    (void)state;
    for (size_t bytes = 16; bytes < sizeof(struct settlement_decision); bytes *= 4) {
        arena_fini(&arena);
        arena_init(&arena, 16, bytes);
        run(3);
        assert_int_equal(items[0].verdict, VERDICT_INTERNAL);
        assert_int_equal(status_of(0), ORDER_RESERVED);
        assert_int_equal(atomic_load(&database.load_count), 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(settle_orders_batch_is_one_transaction),
        TEST(settle_orders_customer_outlives_the_arena),
        TEST(settle_orders_again_is_done_without_a_version),
        TEST(settle_orders_confirmation_too_late_is_illegal),
        TEST(settle_orders_unknown_commit_that_was_done_is_done),
        TEST(settle_orders_unknown_commit_that_was_not_done_is_done_then),
        TEST(settle_orders_doubt_until_the_deadline_is_unknown),
        TEST(settle_orders_failures_have_their_verdicts),
        TEST(settle_orders_database_gone_refuses),
        TEST(settle_orders_poisoned_order_fails_alone),
        TEST(settle_orders_late_item_is_dropped_unless_in_doubt),
        TEST(settle_orders_unknown_sale_is_not_found),
        TEST(settle_orders_contradicting_rows_are_internal),
        TEST(settle_orders_full_arena_is_internal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
