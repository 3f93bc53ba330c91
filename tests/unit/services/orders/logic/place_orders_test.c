#include "orders/logic/place_orders.h"

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

#define ITEMS_MAX 64

static struct fake_database database;
static struct fake_connection connection;
static struct store store;
static struct system_port fake_system;
static struct uuid sale_id;
static struct arena arena;
static struct place_orders_item items[ITEMS_MAX];
static struct place_orders_item *pointers[ITEMS_MAX];
static char names[ITEMS_MAX][8];

static int set_up(void **state)
{
    (void)state;
    fake_database_init(&database);
    store = fake_store_of(&connection, &database);
    fake_system = fake_system_of(&database);
    sale_id = fake_database_add_sale(&database, 10, 0);
    arena_init(&arena, 1 << 16, 4 * 1024 * 1024);
    memset(items, 0, sizeof(items));
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        int length = snprintf(names[i], sizeof(names[i]), "c%zu", i);
        items[i].in.customer_id = names[i];
        items[i].in.customer_length = (size_t)length;
        items[i].in.quantity = 1;
        items[i].in.order_id.bytes[0] = (uint8_t)i;
        items[i].in.order_id.bytes[1] = 1;
        items[i].deadline_ns = CLOCK_DEADLINE_NEVER;
        items[i].attempts_end_ns = CLOCK_DEADLINE_NEVER;
        pointers[i] = &items[i];
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
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
    place_orders_run(&means, &sale_id, pointers, count, &arena);
}

static void fail_next(enum fake_place where, enum store_result result, bool committed)
{
    fake_database_add_step(
        &database, (struct fake_step){.where = where, .result = result, .committed = committed});
}

/* The happy path: one transaction, the stock goes to the first. */
static void place_orders_batch_is_one_transaction(void **state)
{
    (void)state;
    run(12);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(items[i].verdict, i < 10 ? VERDICT_PLACED : VERDICT_SOLD_OUT);
    }
    assert_int_equal(atomic_load(&database.load_count), 1);
    assert_int_equal(database.sales[0].order_count, 10);
}

/* CORRECTNESS A4: a COMMIT that was done but not answered is found by looking again, as a replay.
 */
static void place_orders_unknown_commit_that_was_done_is_replayed(void **state)
{
    (void)state;
    fail_next(FAKE_STORE, STORE_UNKNOWN, true);
    run(3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(items[i].verdict, VERDICT_REPLAYED);
    }
    assert_int_equal(database.sales[0].order_count, 3);
    assert_int_equal(database.sales[0].sale.stock_remaining, 7);
}

/* And one that was not done is done, once. */
static void place_orders_unknown_commit_that_was_not_done_is_placed(void **state)
{
    (void)state;
    fail_next(FAKE_STORE, STORE_UNKNOWN, false);
    run(3);
    assert_int_equal(items[0].verdict, VERDICT_PLACED);
    assert_int_equal(database.sales[0].order_count, 3);
}

/* CORRECTNESS A3: with a COMMIT in doubt and no way to look, the answer is unknown, not refused. */
static void place_orders_doubt_until_the_deadline_is_unknown(void **state)
{
    (void)state;
    fake_database_add_step(&database, (struct fake_step){.where = FAKE_STORE,
                                                         .result = STORE_UNKNOWN,
                                                         .committed = true,
                                                         .goes_down = true});
    run(2);
    assert_int_equal(items[0].verdict, VERDICT_OUTCOME_UNKNOWN);
    assert_int_equal(items[1].verdict, VERDICT_OUTCOME_UNKNOWN);
}

/* A refusal found by looking after the doubt is final: whoever has the lock sees how it ended. */
static void place_orders_refusal_after_doubt_is_decided_under_the_lock(void **state)
{
    (void)state;
    database.sales[0].sale.stock_remaining = 1;
    database.sales[0].sale.stock_total = 1;
    fail_next(FAKE_STORE, STORE_UNKNOWN, true);
    run(2);
    assert_int_equal(items[0].verdict, VERDICT_REPLAYED);
    assert_int_equal(items[1].verdict, VERDICT_SOLD_OUT);
}

/* Nothing was sent: refusing is honest, and quick. */
static void place_orders_database_gone_before_commit_refuses(void **state)
{
    (void)state;
    atomic_store(&database.is_down, true);
    run(2);
    assert_int_equal(items[0].verdict, VERDICT_DATABASE_UNAVAILABLE);
    assert_true(atomic_load(&database.now_ns) <= CLOCK_NS_PER_SECOND + 200 * CLOCK_NS_PER_MS);
}

/* One lost idle connection costs one quick reconnection, not an error to the customer. */
static void place_orders_lost_connection_is_opened_again_once(void **state)
{
    (void)state;
    fail_next(FAKE_LOAD, STORE_UNAVAILABLE, false);
    run(2);
    assert_int_equal(items[0].verdict, VERDICT_PLACED);
}

/* A lock that could not be had in time changed nothing. */
static void place_orders_lock_timeout_is_overloaded(void **state)
{
    (void)state;
    fail_next(FAKE_LOAD, STORE_BUSY, false);
    run(1);
    assert_int_equal(items[0].verdict, VERDICT_OVERLOADED);
}

/* Rolled back by the database: the same again, once more. */
static void place_orders_conflict_is_repeated(void **state)
{
    (void)state;
    fail_next(FAKE_STORE, STORE_CONFLICT, false);
    run(1);
    assert_int_equal(items[0].verdict, VERDICT_PLACED);
    assert_int_equal(database.sales[0].order_count, 1);
}

/* CORRECTNESS B4: one order that the database refuses must not take its neighbours with it. */
static void place_orders_poisoned_order_fails_alone(void **state)
{
    (void)state;
    database.poisoned_quantity = 7;
    database.sales[0].sale.stock_remaining = database.sales[0].sale.stock_total = 100;
    items[13].in.quantity = 7;
    run(40);
    for (size_t i = 0; i < 40; i++) {
        assert_int_equal(items[i].verdict, i == 13 ? VERDICT_INTERNAL : VERDICT_PLACED);
    }
    for (size_t i = 1; i < 40; i++) {
        if (i != 13 && i != 14) { /* arrival order survives the halving */
            assert_true(items[i].order.number > items[i - 1].order.number);
        }
    }
}

/* An order that nobody waits for any more costs no work. */
static void place_orders_expired_order_is_dropped(void **state)
{
    (void)state;
    items[1].deadline_ns = 0;
    run(3);
    assert_int_equal(items[0].verdict, VERDICT_PLACED);
    assert_int_equal(items[1].verdict, VERDICT_OVERLOADED);
    assert_int_equal(items[2].verdict, VERDICT_PLACED);
    assert_int_equal(database.sales[0].order_count, 2);
}

/* CORRECTNESS A4: once its COMMIT was sent an order is never dropped for age. */
static void place_orders_order_in_doubt_is_not_dropped_for_age(void **state)
{
    (void)state;
    items[0].deadline_ns = atomic_load(&database.now_ns) + CLOCK_NS_PER_MS;
    fake_database_add_step(&database, (struct fake_step){.where = FAKE_STORE,
                                                         .result = STORE_UNKNOWN,
                                                         .committed = true,
                                                         .elapsed_ns = CLOCK_NS_PER_SECOND});
    run(1);
    assert_int_equal(items[0].verdict, VERDICT_REPLAYED);
}

/*
 * CORRECTNESS A4: nor when the next look at it is refused for a neighbour's sake and the batch is
 * halved. It would be answered as not placed although it is.
 */
static void place_orders_order_in_doubt_is_not_dropped_in_a_half(void **state)
{
    (void)state;
    items[0].deadline_ns = atomic_load(&database.now_ns) + CLOCK_NS_PER_MS;
    fake_database_add_step(&database, (struct fake_step){.where = FAKE_STORE,
                                                         .result = STORE_UNKNOWN,
                                                         .committed = true,
                                                         .elapsed_ns = CLOCK_NS_PER_SECOND});
    fail_next(FAKE_STORE, STORE_REJECTED, false);
    run(4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(items[i].verdict, VERDICT_REPLAYED);
    }
    assert_int_equal(database.sales[0].order_count, 4);
}

/*
 * CORRECTNESS A2: a caller is told when an attempt can no longer place anything. A doubt that began
 * late, because the order waited in its lane, ends when its attempts must end, and not five seconds
 * after a worker took it.
 */
static void place_orders_doubt_ends_with_the_attempts_of_its_order(void **state)
{
    (void)state;
    int64_t end_ns = atomic_load(&database.now_ns) + CLOCK_NS_PER_SECOND;
    items[0].attempts_end_ns = items[0].deadline_ns = end_ns;
    fake_database_add_step(&database, (struct fake_step){.where = FAKE_STORE,
                                                         .result = STORE_UNKNOWN,
                                                         .committed = true,
                                                         .goes_down = true});
    run(1);
    assert_int_equal(items[0].verdict, VERDICT_OUTCOME_UNKNOWN);
    assert_int_equal(atomic_load(&database.now_ns), end_ns);
}

/* Nor is an order begun that its caller was told to be done with, however patient it is. */
static void place_orders_order_past_its_attempts_is_not_begun(void **state)
{
    (void)state;
    items[0].attempts_end_ns = atomic_load(&database.now_ns);
    run(2);
    assert_int_equal(items[0].verdict, VERDICT_OVERLOADED);
    assert_int_equal(items[1].verdict, VERDICT_PLACED);
    assert_int_equal(database.sales[0].order_count, 1);
}

/* And a younger neighbour in the batch, whose time is not over, does not prolong it. */
static void place_orders_neighbour_does_not_prolong_the_attempts(void **state)
{
    (void)state;
    items[0].attempts_end_ns = atomic_load(&database.now_ns) + CLOCK_NS_PER_SECOND;
    fake_database_add_step(&database, (struct fake_step){.where = FAKE_STORE,
                                                         .result = STORE_UNKNOWN,
                                                         .elapsed_ns = 2 * CLOCK_NS_PER_SECOND});
    run(2);
    assert_int_equal(items[0].verdict, VERDICT_OUTCOME_UNKNOWN);
    assert_int_equal(items[1].verdict, VERDICT_PLACED);
    assert_int_equal(database.sales[0].order_count, 1);
}

/* CORRECTNESS A4: an answer that makes no sense does not settle a doubt either: look again. */
static void place_orders_broken_look_while_in_doubt_is_repeated(void **state)
{
    (void)state;
    fail_next(FAKE_STORE, STORE_UNKNOWN, true);
    fail_next(FAKE_LOAD, STORE_BROKEN, false);
    run(2);
    assert_int_equal(items[0].verdict, VERDICT_REPLAYED);
    assert_int_equal(database.sales[0].order_count, 2);
}

/* A server that struggles is asked less and less often, not as often as a worker can. */
static void place_orders_repetitions_pause_longer_each_time(void **state)
{
    (void)state;
    int64_t begun_ns = atomic_load(&database.now_ns);
    fail_next(FAKE_STORE, STORE_UNKNOWN, false);
    fail_next(FAKE_LOAD, STORE_BUSY, false);
    fail_next(FAKE_LOAD, STORE_CONFLICT, false);
    run(1);
    assert_int_equal(items[0].verdict, VERDICT_PLACED);
    assert_int_equal(atomic_load(&database.sleep_count), 3);
    assert_int_equal(atomic_load(&database.now_ns) - begun_ns, 70 * CLOCK_NS_PER_MS);
}

/* What was dropped before the COMMIT is not in doubt, and is not placed after all. */
static void place_orders_dropped_order_is_not_taken_up_by_a_doubt(void **state)
{
    (void)state;
    items[1].deadline_ns = 0;
    fail_next(FAKE_STORE, STORE_UNKNOWN, false);
    run(3);
    assert_int_equal(items[0].verdict, VERDICT_PLACED);
    assert_int_equal(items[1].verdict, VERDICT_OVERLOADED);
    assert_int_equal(items[2].verdict, VERDICT_PLACED);
    assert_int_equal(database.sales[0].order_count, 2);
}

/* A sale that is not there is an answer, and leaves no transaction open. */
static void place_orders_unknown_sale_is_not_found(void **state)
{
    (void)state;
    sale_id.bytes[5] = 9;
    run(2);
    assert_int_equal(items[1].verdict, VERDICT_SALE_NOT_FOUND);
    assert_null(connection.locked);
}

/* Too little memory refuses the orders; it neither crashes nor sells. */
static void place_orders_full_arena_is_internal(void **state)
{
    (void)state;
    arena_fini(&arena);
    arena_init(&arena, 16, 512);
    run(3);
    assert_int_equal(items[0].verdict, VERDICT_INTERNAL);
    assert_int_equal(database.sales[0].order_count, 0);
    assert_null(connection.locked);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(place_orders_batch_is_one_transaction),
        TEST(place_orders_unknown_commit_that_was_done_is_replayed),
        TEST(place_orders_unknown_commit_that_was_not_done_is_placed),
        TEST(place_orders_doubt_until_the_deadline_is_unknown),
        TEST(place_orders_refusal_after_doubt_is_decided_under_the_lock),
        TEST(place_orders_database_gone_before_commit_refuses),
        TEST(place_orders_lost_connection_is_opened_again_once),
        TEST(place_orders_lock_timeout_is_overloaded),
        TEST(place_orders_conflict_is_repeated),
        TEST(place_orders_poisoned_order_fails_alone),
        TEST(place_orders_expired_order_is_dropped),
        TEST(place_orders_order_in_doubt_is_not_dropped_for_age),
        TEST(place_orders_order_in_doubt_is_not_dropped_in_a_half),
        TEST(place_orders_doubt_ends_with_the_attempts_of_its_order),
        TEST(place_orders_order_past_its_attempts_is_not_begun),
        TEST(place_orders_neighbour_does_not_prolong_the_attempts),
        TEST(place_orders_broken_look_while_in_doubt_is_repeated),
        TEST(place_orders_repetitions_pause_longer_each_time),
        TEST(place_orders_dropped_order_is_not_taken_up_by_a_doubt),
        TEST(place_orders_unknown_sale_is_not_found),
        TEST(place_orders_full_arena_is_internal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
