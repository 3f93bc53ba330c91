/*
 * When a sale opens and closes is decided by the database's clock as it is once the sale's lock is
 * held, not as it was when the transaction or the statement began (CORRECTNESS B2).
 */
#include "store_fixture.h"

#include "base/clock.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

/* How far ahead the border lies when the placement begins to wait, at first, and how long after it
 * the lock is given back. */
#define AHEAD_MS  350
#define BEYOND_MS 60

static struct store_fixture_worker worker;
static struct store_fixture_batch batch;
static struct uuid sale_id;

static void new_sale(void)
{
    sale_id = store_fixture_sale(10, 0, 0);
    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, &sale_id, "c", 2);
}

static int set_up(void **state)
{
    (void)state;
    store_fixture_worker_start(&worker);
    new_sale();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_fixture_worker_fini(&worker);
    return 0;
}

static void *place(void *data)
{
    (void)data;
    store_fixture_place(&worker, &sale_id, &batch);
    return NULL;
}

/*
 * Places while another session holds the lock across the moment at which the column's time comes.
 * False when the machine was too slow for the placement to begin before that moment.
 */
static bool place_across(const char *column)
{
    static int64_t ahead_ms = AHEAD_MS;
    const struct timespec pause = {.tv_nsec = BEYOND_MS * CLOCK_NS_PER_MS};
    struct pg_conn *holder = store_fixture_connect();
    pthread_t thread;

    int64_t border_us = store_fixture_now_us() + ahead_ms * INT64_C(1000);
    store_fixture_admin("UPDATE sales SET %s = timestamptz 'epoch' + %lld * interval '1 us' "
                        "WHERE sale_id = '%s'",
                        column, (long long)border_us, store_fixture_text(&sale_id));
    store_fixture_run(holder, "BEGIN; SELECT FROM sales WHERE sale_id = '%s' FOR UPDATE",
                      store_fixture_text(&sale_id));
    assert_int_equal(pthread_create(&thread, NULL, place, NULL), 0);
    store_fixture_await_lock_waiter();
    bool waits_in_time = store_fixture_now_us() < border_us;
    while (store_fixture_now_us() <= border_us) {
        nanosleep(&pause, NULL);
    }
    PQfinish(holder);
    assert_int_equal(pthread_join(thread, NULL), 0);
    ahead_ms = waits_in_time ? AHEAD_MS : ahead_ms * 2;
    return waits_in_time;
}

/* The sale opens while the order waits for the lock: it is open. */
static void clock_of_a_sale_that_opens_during_the_lock_wait_says_open(void **state)
{
    (void)state;
    while (!place_across("start_time")) {
        new_sale();
    }
    store_fixture_expect(&batch, VERDICT_PLACED);
    store_fixture_compare(&sale_id, &batch);
    assert_int_equal(store_fixture_number("SELECT count(*) FROM orders JOIN sales USING (sale_id) "
                                          "WHERE sale_id = '%s' AND orders.create_time >= "
                                          "start_time",
                                          store_fixture_text(&sale_id)),
                     2);
}

/* The sale closes while the order waits for the lock: it is closed. */
static void clock_of_a_sale_that_closes_during_the_lock_wait_says_closed(void **state)
{
    (void)state;
    while (!place_across("end_time")) {
        new_sale();
    }
    store_fixture_expect(&batch, VERDICT_SALE_ENDED);
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
}

/* The event of a first order that was placed by hand. */
#define FIRST_TOLD                                                                                 \
    "INSERT INTO order_events (sale_id, sequence, event_time, placed_from, placed_count, "         \
    "placed_status) VALUES ('%s', 2, now(), 1, 1, 'RESERVED')"

/* What another transaction placed while this one waited is seen: fresh stock, fresh orders. */
static void clock_stock_and_orders_are_read_after_the_lock_wait(void **state)
{
    struct pg_conn *holder = store_fixture_connect();
    pthread_t thread;
    (void)state;

    store_fixture_admin("UPDATE sales SET stock_total = 2, stock_remaining = 2, "
                        "per_customer_limit = 1 WHERE sale_id = '%s'",
                        store_fixture_text(&sale_id));
    store_fixture_add(&batch, &sale_id, "c-0", "another key", 1);
    store_fixture_add(&batch, &sale_id, "c-9", "key", 1);
    store_fixture_run(holder,
                      "BEGIN; UPDATE sales SET stock_remaining = 1, version = 2, "
                      "orders_count = 1 WHERE sale_id = '%s'",
                      store_fixture_text(&sale_id));
    assert_int_equal(pthread_create(&thread, NULL, place, NULL), 0);
    store_fixture_await_lock_waiter();
    store_fixture_run(
        holder,
        "INSERT INTO orders (sale_id, order_id, number, customer_id, "
        "quantity, status) VALUES ('%s', '%s', 1, 'c-0', 1, 'CONFIRMED'); " FIRST_TOLD,
        store_fixture_text(&sale_id), store_fixture_text(&batch.items[0].in.order_id),
        store_fixture_text(&sale_id));
    store_fixture_run(holder, "COMMIT");
    assert_int_equal(pthread_join(thread, NULL), 0);
    PQfinish(holder);
    store_fixture_expect_item(&batch, 0, VERDICT_REPLAYED);
    store_fixture_expect_item(&batch, 1, VERDICT_PLACED);
    store_fixture_expect_item(&batch, 2, VERDICT_SOLD_OUT);
    store_fixture_expect_item(&batch, 3, VERDICT_SOLD_OUT);
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
}

/* A database may have another default, under which whoever waited for the lock is rolled back
 * (40001) and begins anew: BEGIN says itself how it reads. */
static void clock_of_a_database_of_another_isolation_reads_after_the_lock_wait(void **state)
{
    store_fixture_admin("ALTER DATABASE stampede SET default_transaction_isolation = "
                        "'repeatable read'");
    store_fixture_worker_fini(&worker);
    store_fixture_worker_start(&worker);
    clock_stock_and_orders_are_read_after_the_lock_wait(state);
    assert_int_equal(worker.rollback_count, 0);
    store_fixture_admin("ALTER DATABASE stampede RESET default_transaction_isolation");
}

/* A hold that runs out while the placement waits for the lock gives its unit to that placement. */
static void clock_of_a_hold_that_runs_out_during_the_lock_wait_says_over(void **state)
{
    struct pg_conn *holder = store_fixture_connect();
    pthread_t thread;
    (void)state;

    sale_id = store_fixture_sale(2, 0, 60);
    store_fixture_clear(&batch);
    store_fixture_add(&batch, &sale_id, "holder", "key", 1);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    store_fixture_clear(&batch);
    store_fixture_add(&batch, &sale_id, "buyer", "key", 2);
    store_fixture_run(holder, "BEGIN; SELECT FROM sales WHERE sale_id = '%s' FOR UPDATE",
                      store_fixture_text(&sale_id));
    assert_int_equal(pthread_create(&thread, NULL, place, NULL), 0);
    store_fixture_await_lock_waiter();
    store_fixture_run_out(&sale_id, 0);
    PQfinish(holder);
    assert_int_equal(pthread_join(thread, NULL), 0);
    store_fixture_expect(&batch, VERDICT_PLACED);
    store_fixture_audit(&sale_id);
}

/* The limit too counts what was bought while this one waited. */
static void clock_holdings_are_read_after_the_lock_wait(void **state)
{
    struct pg_conn *holder = store_fixture_connect();
    pthread_t thread;
    (void)state;

    store_fixture_admin("UPDATE sales SET per_customer_limit = 1 WHERE sale_id = '%s'",
                        store_fixture_text(&sale_id));
    store_fixture_run(holder,
                      "BEGIN; UPDATE sales SET stock_remaining = 9, version = 2, "
                      "orders_count = 1 WHERE sale_id = '%s'",
                      store_fixture_text(&sale_id));
    assert_int_equal(pthread_create(&thread, NULL, place, NULL), 0);
    store_fixture_await_lock_waiter();
    store_fixture_run(holder,
                      "INSERT INTO orders (sale_id, order_id, number, customer_id, "
                      "quantity, status) VALUES ('%s', '%s', 1, 'c-0', 1, 'RESERVED'); " FIRST_TOLD,
                      store_fixture_text(&sale_id), store_fixture_text(&sale_id),
                      store_fixture_text(&sale_id));
    store_fixture_run(holder, "COMMIT");
    assert_int_equal(pthread_join(thread, NULL), 0);
    PQfinish(holder);
    store_fixture_expect_item(&batch, 0, VERDICT_CUSTOMER_LIMIT_REACHED);
    store_fixture_expect_item(&batch, 1, VERDICT_PLACED);
    store_fixture_audit(&sale_id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(clock_of_a_sale_that_opens_during_the_lock_wait_says_open),
        TEST(clock_of_a_sale_that_closes_during_the_lock_wait_says_closed),
        TEST(clock_stock_and_orders_are_read_after_the_lock_wait),
        TEST(clock_of_a_database_of_another_isolation_reads_after_the_lock_wait),
        TEST(clock_of_a_hold_that_runs_out_during_the_lock_wait_says_over),
        TEST(clock_holdings_are_read_after_the_lock_wait),
    };
    return cmocka_run_group_tests(tests, store_fixture_start, store_fixture_stop);
}
