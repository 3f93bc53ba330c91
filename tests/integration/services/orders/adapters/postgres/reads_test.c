/*
 * Lists of orders, the board's reads and the search for sales that want a sweep, on a real
 * PostgreSQL.
 */
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct store_fixture_worker worker;
static struct store_fixture_batch batch;

static int set_up(void **state)
{
    (void)state;
    store_fixture_worker_start(&worker);
    store_fixture_clear(&batch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_fixture_worker_fini(&worker);
    return 0;
}

static void place(const struct uuid *sale_id, const char *prefix, size_t count)
{
    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, sale_id, prefix, count);
    store_fixture_place(&worker, sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
}

static enum store_result list(const struct uuid *sale_id, const char *customer, int64_t after,
                              size_t limit, struct store_order_page *ret)
{
    arena_reset(&worker.arena);
    return worker.store.list_orders(worker.store.data, sale_id, customer, after, limit,
                                    store_fixture_deadline(&worker), &worker.arena, ret);
}

/* --- Orders ------------------------------------------------------------------------------------*/

/* Pages follow each other without a skipped or doubled row, also while orders arrive. */
static void reads_of_order_pages_follow_each_other(void **state)
{
    struct uuid sale_id = store_fixture_sale(100, 0, 0), unknown = sale_id;
    struct store_order_page page = {.more = true};
    int64_t after = 0;
    char prefix[24];
    (void)state;

    place(&sale_id, "first", 25);
    for (int i = 0; page.more; i++) {
        assert_int_equal(list(&sale_id, NULL, after, 10, &page), STORE_OK);
        assert_true(page.count == 10 || !page.more);
        for (size_t j = 0; j < page.count; j++) {
            assert_int_equal(page.orders[j].order.number, ++after);
            assert_int_equal(page.orders[j].unit_price.amount_minor, 1234);
        }
        if (i == 0) {
            assert_string_equal(page.orders[9].customer_id, "first-9");
        }
        snprintf(prefix, sizeof(prefix), "late-%d", i);
        if (i < 2) {
            place(&sale_id, prefix, 3);
        }
    }
    assert_int_equal(after, 31);
    assert_int_equal(list(&sale_id, NULL, 31, 10, &page), STORE_OK);
    assert_int_equal(page.count, 0);
    unknown.bytes[15] ^= 1;
    assert_int_equal(list(&unknown, NULL, 0, 10, &page), STORE_NOT_FOUND);
    assert_int_equal(list(&unknown, "c", 0, 10, &page), STORE_NOT_FOUND);
}

/* A customer's orders are all of them, whatever became of each, and nobody else's. */
static void reads_of_a_customers_orders_find_every_status(void **state)
{
    struct uuid sale_id = store_fixture_sale(100, 0, 60);
    static const enum order_act acts[] = {ORDER_ACT_CONFIRM, ORDER_ACT_CANCEL};
    struct store_order_page page;
    char key[24];
    (void)state;

    for (int i = 0; i < 12; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        store_fixture_add(&batch, &sale_id, i % 2 == 0 ? "anna" : "ann", key, 1);
    }
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    for (size_t i = 0; i < 4; i++) {
        store_fixture_settle_one(&worker, &sale_id, &batch.items[2 * i].in.order_id, acts[i % 2]);
    }
    store_fixture_admin("UPDATE orders SET expire_time = now() WHERE sale_id = '%s' AND number = 9",
                        store_fixture_text(&sale_id));
    size_t expired;
    assert_int_equal(store_fixture_sweep(&worker, &sale_id, 0, &expired), 0);
    assert_int_equal(list(&sale_id, "anna", 0, 100, &page), STORE_OK);
    static const enum order_status expected[] = {ORDER_CONFIRMED, ORDER_CANCELLED, ORDER_CONFIRMED,
                                                 ORDER_CANCELLED, ORDER_EXPIRED,   ORDER_RESERVED};
    assert_int_equal(page.count, COUNT_OF(expected));
    assert_false(page.more);
    for (size_t i = 0; i < page.count; i++) {
        assert_int_equal(page.orders[i].order.number, (int64_t)(2 * i) + 1);
        assert_int_equal(page.orders[i].order.status, expected[i]);
        assert_string_equal(page.orders[i].customer_id, "anna");
    }
    assert_int_equal(list(&sale_id, "anna", 3, 2, &page), STORE_OK);
    assert_int_equal(page.count, 2);
    assert_true(page.more);
    assert_int_equal(page.orders[0].order.number, 5);
    assert_int_equal(list(&sale_id, "nobody", 0, 10, &page), STORE_OK);
    assert_int_equal(page.count, 0);
}

/* --- The board ---------------------------------------------------------------------------------*/

/* Watched sales are read as they are; what does not exist is left out. */
static void reads_of_watched_sales_leave_out_what_is_not_there(void **state)
{
    struct uuid ids[3] = {store_fixture_sale(3, 0, 0), store_fixture_sale(5, 0, 0)};
    struct store_sale_page page;
    (void)state;

    ids[2] = ids[0];
    ids[2].bytes[15] ^= 1;
    place(&ids[0], "c", 3);
    arena_reset(&worker.arena);
    int64_t before_us = store_fixture_now_us();
    assert_int_equal(worker.store.read_sales(worker.store.data, ids, 3,
                                             store_fixture_deadline(&worker), &worker.arena, &page),
                     STORE_OK);
    assert_int_equal(page.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct store_sale *sale = &page.sales[i];
        bool sold_out = uuid_equal(&sale->sale.sale_id, &ids[0]);
        assert_int_equal(sale->sale.stock_remaining, sold_out ? 0 : 5);
        assert_int_equal(sale->sale.sold_out_since, sold_out ? 2 : 0);
        assert_true(sale->now_us >= before_us);
    }
    assert_int_equal(worker.store.read_sales(worker.store.data, ids, 0,
                                             store_fixture_deadline(&worker), &worker.arena, &page),
                     STORE_OK);
    assert_int_equal(page.count, 0);
}

/* Slices of ids make up all of them, in the order of the numbers. */
static void reads_of_order_ids_come_in_slices(void **state)
{
    struct uuid sale_id = store_fixture_sale(500, 0, 0);
    static struct uuid ids[200];
    size_t count = 200, seen = 0;
    (void)state;

    place(&sale_id, "c", 450);
    while (count == 200) {
        arena_reset(&worker.arena);
        assert_int_equal(worker.store.read_order_ids(worker.store.data, &sale_id, (int64_t)seen,
                                                     200, store_fixture_deadline(&worker),
                                                     &worker.arena, ids, &count),
                         STORE_OK);
        for (size_t i = 0; i < count; i++) {
            assert_true(uuid_equal(&ids[i], &batch.items[seen++].in.order_id));
        }
    }
    assert_int_equal(seen, 450);
}

/* --- What wants a sweep ------------------------------------------------------------------------*/

#define DUE_MAX 100

static struct store_due_sale due[DUE_MAX];

static size_t find_due(const struct uuid *after, size_t limit)
{
    size_t count;
    arena_reset(&worker.arena);
    assert_int_equal(worker.store.due_sales(worker.store.data, after, limit,
                                            store_fixture_deadline(&worker), &worker.arena, due,
                                            &count),
                     STORE_OK);
    return count;
}

static const struct store_due_sale *due_of(size_t count, const struct uuid *sale_id)
{
    for (size_t i = 0; i < count; i++) {
        if (uuid_equal(&due[i].sale_id, sale_id)) {
            return &due[i];
        }
    }
    return NULL;
}

static void forget_everything(void)
{
    store_fixture_admin("TRUNCATE sales, orders, order_events");
}

/* Sales with due holds, with returning stock, with both; and none of the others. */
static void reads_of_due_sales_find_holds_and_returning_stock(void **state)
{
    forget_everything();
    struct uuid quiet = store_fixture_sale(9, 0, 0), held = store_fixture_sale(9, 0, 60),
                run_out = store_fixture_sale(9, 0, 60), returning = store_fixture_sale(3, 0, 60),
                both = store_fixture_sale(4, 0, 60);
    (void)state;

    assert_int_equal(find_due(NULL, DUE_MAX), 0);
    place(&quiet, "q", 3);
    place(&held, "h", 3);
    place(&run_out, "r", 3);
    store_fixture_run_out(&run_out, 1);
    place(&returning, "a", 3);
    store_fixture_settle_one(&worker, &returning, &batch.items[0].in.order_id, ORDER_ACT_CANCEL);
    place(&both, "b", 4);
    store_fixture_settle_one(&worker, &both, &batch.items[0].in.order_id, ORDER_ACT_CANCEL);
    store_fixture_settle_one(&worker, &both, &batch.items[1].in.order_id, ORDER_ACT_CANCEL);
    store_fixture_run_out(&both, 1);
    size_t count = find_due(NULL, DUE_MAX);
    assert_int_equal(count, 3);
    assert_true(due_of(count, &run_out)->holds_due);
    assert_int_equal(due_of(count, &run_out)->stock_returned, 0);
    assert_false(due_of(count, &returning)->holds_due);
    assert_int_equal(due_of(count, &returning)->stock_returned, 1);
    assert_true(due_of(count, &both)->holds_due);
    assert_int_equal(due_of(count, &both)->stock_returned, 2);
    size_t expired;
    assert_int_equal(store_fixture_sweep(&worker, &run_out, 0, &expired), 0);
    assert_int_equal(store_fixture_sweep(&worker, &both, 2, &expired), 2);
    count = find_due(NULL, DUE_MAX); /* what expired in both returns in its turn */
    assert_int_equal(count, 2);
    assert_int_equal(due_of(count, &returning)->stock_returned, 1);
    assert_false(due_of(count, &both)->holds_due);
    assert_int_equal(due_of(count, &both)->stock_returned, 4);
}

/* Pages by id, each sale once; a hold in the future hides nothing behind it. */
static void reads_of_due_sales_come_in_pages(void **state)
{
    forget_everything();
    struct uuid ids[9], last;
    size_t seen = 0, count = 2;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        ids[i] = store_fixture_sale(1, 0, 60);
        place(&ids[i], "c", 1);
        if (i % 3 == 0) {
            store_fixture_run_out(&ids[i], 1);
        } else if (i % 3 == 1) {
            store_fixture_settle_one(&worker, &ids[i], &batch.items[0].in.order_id,
                                     ORDER_ACT_CANCEL);
        }
    }
    for (const struct uuid *after = NULL; count == 2; after = &last) {
        count = find_due(after, 2);
        for (size_t i = 0; i < count; i++) {
            assert_true(seen == 0 || memcmp(last.bytes, due[i].sale_id.bytes, UUID_BYTES) < 0);
            last = due[i].sale_id;
            seen++;
        }
    }
    assert_int_equal(seen, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_of_order_pages_follow_each_other),
        TEST(reads_of_a_customers_orders_find_every_status),
        TEST(reads_of_watched_sales_leave_out_what_is_not_there),
        TEST(reads_of_order_ids_come_in_slices),
        TEST(reads_of_due_sales_find_holds_and_returning_stock),
        TEST(reads_of_due_sales_come_in_pages),
    };
    return cmocka_run_group_tests(tests, store_fixture_start, store_fixture_stop);
}
