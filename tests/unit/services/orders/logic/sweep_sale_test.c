#include "orders/logic/sweep_sale.h"

#include "../fake_store.h"
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

#define EXPIRE_US (FAKE_STORE_CLOCK_US + 1000)

static struct fake_database database;
static struct fake_connection connection;
static struct store store;
static struct uuid sale_id;
static struct arena arena;
static size_t expired;
static int32_t matured;

/* A sold-out sale of three orders of two units, two of which are held. */
static int set_up(void **state)
{
    (void)state;
    fake_database_init(&database);
    store = fake_store_of(&connection, &database);
    sale_id = fake_database_add_sale(&database, 6, 0);
    arena_init(&arena, 1 << 16, 1 << 20);
    struct fake_sale *fake = &database.sales[0];
    for (size_t i = 0; i < 3; i++) {
        fake->orders[i].order = (struct order){.number = (int64_t)i + 1,
                                               .quantity = 2,
                                               .status = i < 2 ? ORDER_RESERVED : ORDER_CONFIRMED,
                                               .expire_us = EXPIRE_US + (int64_t)i};
        fake->orders[i].order.order_id.bytes[0] = (uint8_t)i;
    }
    fake->order_count = 3;
    fake->sale.orders_count = 3;
    fake->sale.stock_remaining = 0;
    fake->sale.sold_out_since = 1;
    expired = 99;
    matured = 99;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_null(connection.locked);
    assert_true(fake_database_is_sound(&database.sales[0]));
    arena_fini(&arena);
    fake_database_fini(&database);
    return 0;
}

static enum store_result sweep(int64_t mature_up_to)
{
    struct sweep_sale use_case = {.store = &store, .deadline_ns = INT64_MAX};
    return sweep_sale_run(&use_case, &sale_id, mature_up_to, &arena, &expired, &matured);
}

/* A sweep that came too early does no harm, and makes no event. */
static void sweep_sale_with_nothing_due_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(sweep(0), STORE_OK);
    assert_int_equal(expired, 0);
    assert_int_equal(matured, 0);
    assert_int_equal(database.sales[0].sale.version, 1);
}

/* Units of a hold that ran out return first, and are sold only after they have matured. */
static void sweep_sale_expired_units_return_and_mature_later(void **state)
{
    (void)state;
    const struct sale *sale = &database.sales[0].sale;
    atomic_store(&database.clock_us, EXPIRE_US);
    assert_int_equal(sweep(0), STORE_OK);
    assert_int_equal(expired, 1);
    assert_int_equal(sale->stock_returning, 2);
    assert_int_equal(sale->stock_remaining, 0);

    atomic_store(&database.clock_us, EXPIRE_US + 1);
    assert_int_equal(sweep(2), STORE_OK); /* the next hold ran out meanwhile: it must wait */
    assert_int_equal(expired, 1);
    assert_int_equal(matured, 2);
    assert_int_equal(sale->stock_remaining, 2);
    assert_int_equal(sale->stock_returning, 2);
    assert_int_equal(sale->sold_out_since, 0);
    assert_int_equal(sale->version, 3);
}

/* Two replicas that both saw the units return make them sellable once. */
static void sweep_sale_by_two_replicas_matures_once(void **state)
{
    (void)state;
    atomic_store(&database.clock_us, EXPIRE_US);
    assert_int_equal(sweep(0), STORE_OK);
    assert_int_equal(sweep(2), STORE_OK);
    assert_int_equal(sweep(2), STORE_OK);
    assert_int_equal(matured, 0);
    assert_int_equal(database.sales[0].sale.stock_remaining, 2);
    assert_int_equal(database.sales[0].sale.version, 3);
}

/* What fails is told, changes nothing it should not, and leaves no transaction open; the sweep that
 * follows finds what is left. */
static void sweep_sale_failures_lose_nothing(void **state)
{
    (void)state;
    static const enum store_result results[] = {STORE_UNAVAILABLE, STORE_BUSY, STORE_CONFLICT,
                                                STORE_REJECTED, STORE_BROKEN};
    atomic_store(&database.clock_us, EXPIRE_US);
    for (size_t i = 0; i < COUNT_OF(results); i++) {
        fake_database_add_step(&database,
                               (struct fake_step){.where = FAKE_LOAD_CHANGE, .result = results[i]});
        assert_int_equal(sweep(0), results[i]);
        fake_database_add_step(
            &database, (struct fake_step){.where = FAKE_STORE_CHANGE, .result = results[i]});
        assert_int_equal(sweep(0), results[i]);
        assert_null(connection.locked);
        assert_int_equal(expired, 99);
        assert_int_equal(database.sales[0].sale.version, 1);
    }
    assert_int_equal(sweep(0), STORE_OK);
    assert_int_equal(expired, 1);
}

/* Whether an unanswered COMMIT was done or not: the same again ends in the same. */
static void sweep_sale_unknown_commit_is_found_by_the_next(void **state)
{
    (void)state;
    atomic_store(&database.clock_us, EXPIRE_US);
    for (int committed = 0; committed < 2; committed++) {
        fake_database_add_step(&database, (struct fake_step){.where = FAKE_STORE_CHANGE,
                                                             .result = STORE_UNKNOWN,
                                                             .committed = committed == 1});
        assert_int_equal(sweep(0), STORE_UNKNOWN);
    }
    assert_int_equal(sweep(0), STORE_OK);
    assert_int_equal(expired, 0);
    assert_int_equal(database.sales[0].sale.stock_returning, 2);
}

/* A sale that is gone, and rows that contradict each other, leave no transaction open. */
static void sweep_sale_without_a_sound_sale_abandons(void **state)
{
    (void)state;
    atomic_store(&database.clock_us, EXPIRE_US);
    database.sales[0].orders[0].order.quantity = 7;
    assert_int_equal(sweep(0), STORE_BROKEN);
    database.sales[0].orders[0].order.quantity = 2;
    sale_id.bytes[5] = 9;
    assert_int_equal(sweep(0), STORE_NOT_FOUND);
    assert_int_equal(database.sales[0].sale.version, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(sweep_sale_with_nothing_due_changes_nothing),
        TEST(sweep_sale_expired_units_return_and_mature_later),
        TEST(sweep_sale_by_two_replicas_matures_once),
        TEST(sweep_sale_failures_lose_nothing),
        TEST(sweep_sale_unknown_commit_is_found_by_the_next),
        TEST(sweep_sale_without_a_sound_sale_abandons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
