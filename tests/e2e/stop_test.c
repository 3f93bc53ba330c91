/*
 * Stopping and starting: what was read is answered, what was acknowledged is there, and the order
 * in which things start does not matter.
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

#define STOCK       100000
#define KEYS        20000
#define CONNECTIONS 100

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

static void start_a_crowd_and_wait_for_orders(const char *key, int seconds)
{
    int64_t deadline_ns = clock_deadline_in_ms(20000);
    stack_make_sale(&stack, key, STOCK, 0, sale_id);
    crowd_start(&crowd, &stack, sale_id, KEYS, 1, CROWD_RETRIES, CONNECTIONS, seconds);
    while (orders_in_database() < 200) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        nanosleep(&(struct timespec){.tv_nsec = 5 * CLOCK_NS_PER_MS}, NULL);
    }
}

/*
 * With stock for everybody, an order without a 201 is an answer that was lost. SIGTERM to the edge
 * under load must lose none: each order in the database was acknowledged.
 */
static void stop_edge_under_load_loses_no_answer(void **state)
{
    (void)state;
    start_a_crowd_and_wait_for_orders("stop-edge", 5);
    stack_terminate_edge(&stack);
    long orders = orders_in_database();
    crowd_collect(&crowd);
    assert_true(orders > 0 && orders < KEYS);
    assert_int_equal(crowd.placed, orders);
    assert_int_equal(crowd.unknown + crowd.other_5xx, 0);
    crowd_assert_told_the_truth(&crowd, &stack);
    stack_start_edge(&stack);
    stack_wait_ready(&stack, 20000);
}

/* The same for orders behind a living edge: placed or certainly not, nothing in doubt. */
static void stop_orders_under_load_leaves_nothing_in_doubt(void **state)
{
    (void)state;
    start_a_crowd_and_wait_for_orders("stop-orders", 20);
    stack_terminate_orders(&stack);
    stack_start_orders(&stack);
    stack_wait_ready(&stack, 20000);
    crowd_collect(&crowd);
    assert_int_equal(crowd.placed, orders_in_database());
    assert_int_equal(crowd.unknown + crowd.other_5xx, 0);
    crowd_assert_told_the_truth(&crowd, &stack);
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
    int64_t deadline_ns = clock_deadline_in_ms(20000);
    while (stack_ops_status(stack.orders_ops_port, "/livez") != 200) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        nanosleep(&(struct timespec){.tv_nsec = 10 * CLOCK_NS_PER_MS}, NULL);
    }
    assert_int_equal(stack_ops_status(stack.orders_ops_port, "/readyz"), 503);
    assert_int_equal(scratch_postgres_restart(&stack.postgres), 0);
    stack_wait_ready(&stack, 10000);
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
