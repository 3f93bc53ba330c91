/*
 * The sentences that decide: a crowd on a real system sells exactly the stock, whoever retries and
 * whatever dies.
 */
#include "support/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

#define STOCK       1000
#define LARGE_STOCK 10000 /* of the sales in whose middle something dies */
#define KEYS        20000
#define CONNECTIONS 200
/* A crowd is repeated so often where only the machine's haste or want of it is to blame. */
#define TRIES 4

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

/* Makes a sale and a crowd that buys; returns in the middle of it. */
static void start_mid_run(const char *name)
{
    char key[64];
    for (int i = 0; i < TRIES; i++) {
        snprintf(key, sizeof(key), "%s-%d", name, i);
        stack_make_sale(&stack, key, LARGE_STOCK, 0, sale_id);
        crowd_start(&crowd, &stack, sale_id, KEYS, 1, CROWD_RETRIES, CONNECTIONS);
        struct stack_wait wait = stack_wait_for(&stack, "the first order");
        while (orders_in_database() == 0) {
            stack_wait_on(&wait, 2);
        }
        if (orders_in_database() < LARGE_STOCK) {
            return;
        }
        crowd_end(&crowd); /* this test was not looking while all was sold */
        crowd_fini(&crowd);
    }
    stack_fail(&stack, "all is sold before anything can happen");
}

static int keys_placed(void)
{
    int placed = 0;
    for (int i = 0; i < crowd.keys; i++) {
        placed += crowd.by_key[i].placed > 0;
    }
    return placed;
}

static void assert_nothing_else(void)
{
    if (crowd.other_5xx != 0) {
        stack_fail(&stack, "%ld answers are 5xx of another kind", crowd.other_5xx);
    }
}

static void assert_exactly_is_sold(long stock)
{
    if (orders_in_database() != stock || keys_placed() != stock) {
        stack_fail(&stack, "%ld orders for %d keys that were told so, instead of %ld",
                   orders_in_database(), keys_placed(), stock);
    }
    crowd_assert_told_the_truth(&crowd, &stack);
    stack_audit(&stack);
}

/*
 * Lets a crowd buy the stock of a new sale, and again with another where answers were 503 or 504:
 * those are true, and a machine that stands still for seconds makes them, but not every time.
 */
static void sell_to_a_crowd(const char *name, int keys, int copies)
{
    char key[64];
    for (int i = 0; i < TRIES; i++) {
        snprintf(key, sizeof(key), "%s-%d", name, i);
        stack_make_sale(&stack, key, STOCK, 0, sale_id);
        crowd_start(&crowd, &stack, sale_id, keys, copies, CROWD_RETRIES, CONNECTIONS);
        crowd_collect(&crowd);
        assert_nothing_else();
        assert_int_equal(crowd.other_refusals, 0);
        assert_int_equal(crowd.placed + crowd.sold_out, keys * copies);
        assert_exactly_is_sold(STOCK);
        if (crowd.overloaded + crowd.unknown == 0) {
            assert_int_equal(crowd.answers, keys * copies);
            return;
        }
        crowd_fini(&crowd);
    }
    stack_fail(&stack, "some of every crowd are answered 503 or 504");
}

/* 20,000 attempts on 1,000 units: 1,000 placed, every other one SOLD_OUT, no 5xx, audit clean. */
static void crowd_distinct_keys_sells_exactly_the_stock(void **state)
{
    (void)state;
    sell_to_a_crowd("distinct", KEYS, 1);
    assert_int_equal(crowd.placed, STOCK);
}

/* Every key three times by different connections: still 1,000; a key's answers name one order. */
static void crowd_every_key_three_times_sells_exactly_the_stock(void **state)
{
    (void)state;
    sell_to_a_crowd("thrice", KEYS / 3, 3);
}

/* With a limit of two, customers who try three times with three keys get two each and no third. */
static void crowd_customer_limit_holds(void **state)
{
    (void)state;
    enum { CUSTOMERS = 400, LIMIT = 2, WANTED = 3 };
    char sql[256];
    stack_make_sale(&stack, "limit", STOCK, LIMIT, sale_id);
    crowd_start(&crowd, &stack, sale_id, CUSTOMERS, WANTED, CROWD_OWN_KEYS, CONNECTIONS);
    crowd_collect(&crowd);
    assert_int_equal(crowd.placed, CUSTOMERS * LIMIT);
    assert_int_equal(crowd.other_refusals, CUSTOMERS * (WANTED - LIMIT));
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
    start_mid_run("orders-killed");
    stack_kill_orders(&stack);
    stack_start_orders(&stack);
    stack_wait_ready(&stack, STACK_PATIENCE_MS);
    crowd_collect(&crowd);
    assert_nothing_else();
    assert_exactly_is_sold(LARGE_STOCK);
}

/* kill -9 of the edge: what it had taken is in the database or not, and the audit is clean. */
static void crowd_edge_killed_in_mid_run_tells_the_truth(void **state)
{
    (void)state;
    start_mid_run("edge-killed");
    stack_kill_edge(&stack);
    long sold = orders_in_database();
    stack_start_edge(&stack);
    stack_wait_ready(&stack, STACK_PATIENCE_MS);
    /* What was lost with the edge is not asked again, so this crowd has no end of its own. */
    struct stack_wait wait = stack_wait_for(&stack, "orders through the new edge");
    while (orders_in_database() < LARGE_STOCK && orders_in_database() < sold + KEYS / 20) {
        stack_wait_on(&wait, 10);
    }
    crowd_end(&crowd);
    crowd_collect(&crowd);
    assert_nothing_else();
    crowd_assert_told_the_truth(&crowd, &stack);
    stack_audit(&stack);
}

/* kill -9 of PostgreSQL in mid-run, then restart: every 201 is there, no refusal was a lie, and
 * retries with the same keys sell the rest. */
static void crowd_postgres_killed_in_mid_run_tells_the_truth(void **state)
{
    (void)state;
    start_mid_run("postgres-killed");
    assert_int_equal(scratch_postgres_kill(&stack.postgres), 0);
    assert_int_equal(scratch_postgres_restart(&stack.postgres), 0);
    stack_wait_ready(&stack, STACK_PATIENCE_MS);
    crowd_collect(&crowd);
    assert_nothing_else();
    assert_exactly_is_sold(LARGE_STOCK);
}

/* While the database is away the edge stays ready and says why it refuses. */
static void crowd_database_away_is_named(void **state)
{
    (void)state;
    static struct http_answer answer;
    char reason[64] = "", retry_after[16];
    stack_make_sale(&stack, "away", STOCK, 0, sale_id);
    assert_int_equal(scratch_postgres_halt(&stack.postgres), 0);
    struct stack_wait wait = stack_wait_for(&stack, "the reason of the refusals");
    while (strcmp(reason, "DATABASE_UNAVAILABLE") != 0) {
        stack_wait_on(&wait, 0);
        stack_place(&stack, sale_id, "c", "k", &answer);
        stack_expect_status(&stack, &answer, 503);
        http_client_json(&answer, "reason", reason, sizeof(reason));
    }
    http_client_header(&answer, "retry-after", retry_after, sizeof(retry_after));
    assert_string_not_equal(retry_after, "");
    wait = stack_wait_for(&stack, "orders to be not ready"); /* idle workers look now and then */
    while (stack_ops_status(stack.orders_ops_port, "/readyz") != 503) {
        stack_wait_on(&wait, 10);
    }
    stack_ops_get(stack.edge_ops_port, "/readyz?verbose", &answer);
    stack_expect_status(&stack, &answer, 200);
    assert_int_equal(scratch_postgres_restart(&stack.postgres), 0);
    stack_wait_ready(&stack, STACK_PATIENCE_MS);
    stack_place(&stack, sale_id, "c", "k", &answer);
    stack_expect_status(&stack, &answer, 201);
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
