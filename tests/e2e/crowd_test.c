/*
 * The sentences that decide: a crowd on a real system sells exactly the stock, whoever retries and
 * whatever dies.
 */
#include "support/crowd.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* cmocka wants these first */
#include <cmocka.h>

#define STOCK       1000
#define LARGE_STOCK 10000 /* of the sales in whose middle something dies */
#define KEYS        20000
#define CONNECTIONS 200

static struct stack stack;
static struct crowd crowd;
static char sale_id[37];

static int set_up_group(void **state)
{
    (void)state;
    stack_start(&stack);
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    stack_stop(&stack);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    crowd_fini(&crowd);
    return 0;
}

static long orders_in_database(void)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM orders WHERE sale_id = '%s'", sale_id);
    return stack_query_number(&stack, sql);
}

/* Waits until the sale is running: what follows happens in its middle. */
static void wait_for_mid_run(void)
{
    int64_t deadline_ns = clock_deadline_in_ms(20000);
    while (orders_in_database() == 0) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        nanosleep(&(struct timespec){.tv_nsec = 2 * CLOCK_NS_PER_MS}, NULL);
    }
    assert_true(orders_in_database() < LARGE_STOCK);
}

static int keys_placed(void)
{
    int placed = 0;
    for (int i = 0; i < crowd.keys; i++) {
        placed += crowd.by_key[i].placed > 0;
    }
    return placed;
}

static void assert_exactly_is_sold(long stock)
{
    assert_int_equal(orders_in_database(), stock);
    assert_int_equal(keys_placed(), stock);
    crowd_assert_told_the_truth(&crowd, &stack);
    stack_audit(&stack);
}

/* 20,000 attempts on 1,000 units: 1,000 placed, every other one SOLD_OUT, no 5xx, audit clean. */
static void crowd_distinct_keys_sells_exactly_the_stock(void **state)
{
    (void)state;
    stack_make_sale(&stack, "distinct", STOCK, 0, sale_id);
    crowd_start(&crowd, &stack, sale_id, KEYS, 1, CROWD_RETRIES, CONNECTIONS, 60);
    crowd_collect(&crowd);
    assert_int_equal(crowd.answers, KEYS);
    assert_int_equal(crowd.placed, STOCK);
    assert_int_equal(crowd.sold_out, KEYS - STOCK);
    assert_exactly_is_sold(STOCK);
}

/* Every key three times by different connections: still 1,000; a key's answers name one order. */
static void crowd_every_key_three_times_sells_exactly_the_stock(void **state)
{
    (void)state;
    stack_make_sale(&stack, "thrice", STOCK, 0, sale_id);
    crowd_start(&crowd, &stack, sale_id, KEYS / 3, 3, CROWD_RETRIES, CONNECTIONS, 60);
    crowd_collect(&crowd);
    assert_int_equal(crowd.answers, KEYS / 3 * 3);
    assert_int_equal(crowd.placed + crowd.sold_out, crowd.answers);
    assert_exactly_is_sold(STOCK);
}

/* With a limit of two, customers who try three times with three keys get two each and no third. */
static void crowd_customer_limit_holds(void **state)
{
    (void)state;
    enum { CUSTOMERS = 400, LIMIT = 2, TRIES = 3 };
    char sql[256];
    stack_make_sale(&stack, "limit", STOCK, LIMIT, sale_id);
    crowd_start(&crowd, &stack, sale_id, CUSTOMERS, TRIES, CROWD_OWN_KEYS, CONNECTIONS, 60);
    crowd_collect(&crowd);
    assert_int_equal(crowd.placed, CUSTOMERS * LIMIT);
    assert_int_equal(crowd.other_refusals, CUSTOMERS * (TRIES - LIMIT));
    snprintf(sql, sizeof(sql),
             "SELECT coalesce(max(n), 0) FROM (SELECT sum(quantity) AS n FROM orders "
             "WHERE sale_id = '%s' GROUP BY customer_id) held",
             sale_id);
    assert_int_equal(stack_query_number(&stack, sql), LIMIT);
    stack_audit(&stack);
}

/* kill -9 of orders in mid-run: nobody is told what is not so, and with retries all is sold. */
static void crowd_orders_killed_in_mid_run_tells_the_truth(void **state)
{
    (void)state;
    stack_make_sale(&stack, "orders-killed", LARGE_STOCK, 0, sale_id);
    crowd_start(&crowd, &stack, sale_id, KEYS, 1, CROWD_RETRIES, CONNECTIONS, 30);
    wait_for_mid_run();
    stack_kill_orders(&stack);
    stack_start_orders(&stack);
    stack_wait_ready(&stack, 20000);
    crowd_collect(&crowd);
    assert_int_equal(crowd.other_5xx, 0);
    assert_exactly_is_sold(LARGE_STOCK);
}

/* kill -9 of the edge: what it had taken is in the database or not, and the audit is clean. */
static void crowd_edge_killed_in_mid_run_tells_the_truth(void **state)
{
    (void)state;
    stack_make_sale(&stack, "edge-killed", LARGE_STOCK, 0, sale_id);
    crowd_start(&crowd, &stack, sale_id, KEYS, 1, CROWD_RETRIES, CONNECTIONS, 8);
    wait_for_mid_run();
    stack_kill_edge(&stack);
    stack_start_edge(&stack);
    stack_wait_ready(&stack, 20000);
    crowd_collect(&crowd);
    assert_int_equal(crowd.other_5xx, 0);
    crowd_assert_told_the_truth(&crowd, &stack);
    stack_audit(&stack);
}

/* kill -9 of PostgreSQL in mid-run, then restart: every 201 is there, no refusal was a lie, and
 * retries with the same keys sell the rest. */
static void crowd_postgres_killed_in_mid_run_tells_the_truth(void **state)
{
    (void)state;
    stack_make_sale(&stack, "postgres-killed", LARGE_STOCK, 0, sale_id);
    crowd_start(&crowd, &stack, sale_id, KEYS, 1, CROWD_RETRIES, CONNECTIONS, 30);
    wait_for_mid_run();
    assert_int_equal(scratch_postgres_kill(&stack.postgres), 0);
    assert_int_equal(scratch_postgres_restart(&stack.postgres), 0);
    stack_wait_ready(&stack, 20000);
    crowd_collect(&crowd);
    assert_int_equal(crowd.other_5xx, 0);
    assert_exactly_is_sold(LARGE_STOCK);
}

/* While the database is away the edge stays ready and says why it refuses. */
static void crowd_database_away_is_named(void **state)
{
    (void)state;
    static struct http_answer answer;
    char reason[64], retry_after[16];
    stack_make_sale(&stack, "away", STOCK, 0, sale_id);
    assert_int_equal(scratch_postgres_halt(&stack.postgres), 0);
    int64_t deadline_ns = clock_deadline_in_ms(10000);
    do {
        assert_true(clock_monotonic_ns() < deadline_ns);
        stack_place(&stack, sale_id, "c", "k", &answer);
        assert_int_equal(answer.status, 503);
        http_client_json(&answer, "reason", reason, sizeof(reason));
    } while (strcmp(reason, "DATABASE_UNAVAILABLE") != 0);
    http_client_header(&answer, "retry-after", retry_after, sizeof(retry_after));
    assert_string_not_equal(retry_after, "");
    while (stack_ops_status(stack.orders_ops_port, "/readyz") != 503) {
        assert_true(clock_monotonic_ns() < deadline_ns); /* idle workers look four times a second */
    }
    assert_int_equal(stack_ops_status(stack.edge_ops_port, "/readyz"), 200);
    assert_int_equal(scratch_postgres_restart(&stack.postgres), 0);
    stack_wait_ready(&stack, 20000);
    stack_place(&stack, sale_id, "c", "k", &answer);
    assert_int_equal(answer.status, 201);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
        TEST(crowd_distinct_keys_sells_exactly_the_stock),
        TEST(crowd_every_key_three_times_sells_exactly_the_stock),
        TEST(crowd_customer_limit_holds),
        TEST(crowd_orders_killed_in_mid_run_tells_the_truth),
        TEST(crowd_edge_killed_in_mid_run_tells_the_truth),
        TEST(crowd_postgres_killed_in_mid_run_tells_the_truth),
        cmocka_unit_test(crowd_database_away_is_named),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
