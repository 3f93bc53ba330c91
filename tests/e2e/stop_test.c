/*
 * Stopping and starting: what was read is answered, what was acknowledged is there, and the order
 * in which things start does not matter.
 */
#include "support/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

#define STOCK       100000
#define KEYS        20000
#define CONNECTIONS 100
/* To catch a crowd in the middle, on a machine that looks away for a while. */
#define TRIES 5

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

/* Makes a sale with stock for everybody and a crowd that buys; returns in the middle of it. */
static void start_mid_run(const char *name)
{
    char key[64];
    for (int i = 0; i < TRIES; i++) {
        snprintf(key, sizeof(key), "%s-%d", name, i);
        stack_make_sale(&stack, key, STOCK, 0, sale_id);
        crowd_start(&crowd, &stack, sale_id, KEYS, 1, CROWD_RETRIES, CONNECTIONS);
        struct stack_wait wait = stack_wait_for(&stack, "the first orders");
        while (orders_in_database() < 200) {
            stack_wait_on(&wait, 5);
        }
        if (orders_in_database() < KEYS / 2) {
            return;
        }
        crowd_end(&crowd); /* this test was not looking while it was in the middle */
        crowd_fini(&crowd);
    }
    stack_fail(&stack, "all is sold before anything can be stopped");
}

/* Everybody who has an order was told so, and nobody is in doubt. */
static void assert_all_were_told(void)
{
    if (crowd.placed != orders_in_database() || crowd.unknown + crowd.other_5xx != 0) {
        stack_fail(&stack, "%ld told of %ld orders; %ld in doubt, %ld other 5xx", crowd.placed,
                   orders_in_database(), crowd.unknown, crowd.other_5xx);
    }
    crowd_assert_told_the_truth(&crowd, &stack);
}

/*
 * With stock for everybody, an order without a 201 is an answer that was lost. SIGTERM to the edge
 * under load must lose none: each order in the database was acknowledged.
 */
static void stop_edge_under_load_loses_no_answer(void **state)
{
    (void)state;
    start_mid_run("stop-edge");
    stack_terminate_edge(&stack);
    long orders = orders_in_database();
    struct stack_wait wait = stack_wait_for(&stack, "the crowd to read the last answers");
    while (crowd_count_placed(&crowd) < orders) {
        stack_wait_on(&wait, 10);
    }
    crowd_end(&crowd);
    crowd_collect(&crowd);
    assert_true(orders > 0);
    assert_all_were_told();
    stack_start_edge(&stack);
    stack_wait_ready(&stack, STACK_PATIENCE_MS);
}

/* The same for orders behind a living edge: placed or certainly not, nothing in doubt. */
static void stop_orders_under_load_leaves_nothing_in_doubt(void **state)
{
    (void)state;
    start_mid_run("stop-orders");
    stack_terminate_orders(&stack);
    stack_start_orders(&stack);
    stack_wait_ready(&stack, STACK_PATIENCE_MS);
    crowd_collect(&crowd);
    assert_all_were_told();
    stack_audit(&stack);
}

/* Both programs start before PostgreSQL is there: live, not ready, and ready once it comes. */
static void start_before_postgres_becomes_ready_when_it_comes(void **state)
{
    (void)state;
    stack_terminate_edge(&stack);
    stack_terminate_orders(&stack);
    assert_int_equal(scratch_postgres_halt(&stack.postgres), 0);
    stack_start_edge(&stack);
    stack_start_orders(&stack);
    struct stack_wait wait = stack_wait_for(&stack, "orders to live");
    while (stack_ops_status(stack.orders_ops_port, "/livez") != 200) {
        stack_wait_on(&wait, 10);
    }
    assert_int_equal(stack_ops_status(stack.orders_ops_port, "/readyz"), 503);
    assert_int_equal(scratch_postgres_restart(&stack.postgres), 0);
    stack_wait_ready(&stack, STACK_PATIENCE_MS);
    stack_audit(&stack);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(stop_edge_under_load_loses_no_answer, tear_down),
        cmocka_unit_test_teardown(stop_orders_under_load_leaves_nothing_in_doubt, tear_down),
        cmocka_unit_test(start_before_postgres_becomes_ready_when_it_comes),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
