/*
 * The suites of this folder on a stack of this build: what ./dev compose-test runs in containers is
 * kept right also where there is no Docker.
 */
#include "support/stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants these first */
#include <cmocka.h>

#define PATIENCE_MS 600000

static struct stack stack;

/* How the addresses of a system are named: those of a test, or those of .stampede/env. */
struct naming {
    const char *base_url, *grpc_target, *edge_ops, *orders_ops; /* up to the host */
};

static const struct naming of_a_test = {"STAMPEDE_BASE_URL=http://",
                                        "STAMPEDE_GRPC_TARGET=", "STAMPEDE_EDGE_OPS_URL=http://",
                                        "STAMPEDE_ORDERS_OPS_URL=http://"};
static const struct naming of_dev_up = {
    "EDGE_HTTP_ADDR=", "EDGE_ORDERS_TARGET=", "EDGE_OPS_ADDR=", "ORDERS_OPS_ADDR="};

static int run_compose_test(const struct naming *naming, const char *const *arguments)
{
    char base_url[64], grpc_target[64], edge_ops[64], orders_ops[64], log[512];
    const char *environment[] = {
        base_url, grpc_target, edge_ops, orders_ops, "STAMPEDE_ADMIN_TOKEN=" STACK_ADMIN_TOKEN,
        NULL};
    struct process process;

    snprintf(base_url, sizeof(base_url), "%s127.0.0.1:%d", naming->base_url, stack.edge_port);
    snprintf(grpc_target, sizeof(grpc_target), "%s127.0.0.1:%d", naming->grpc_target,
             stack.orders_port);
    snprintf(edge_ops, sizeof(edge_ops), "%s127.0.0.1:%d", naming->edge_ops, stack.edge_ops_port);
    snprintf(orders_ops, sizeof(orders_ops), "%s127.0.0.1:%d", naming->orders_ops,
             stack.orders_ops_port);
    snprintf(log, sizeof(log), "%s/compose-test.log", stack.folder);
    assert_int_equal(process_start(&process, arguments, environment, log), 0);
    int status = process_wait(&process, PATIENCE_MS);
    if (status != 0) {
        char command[600];
        snprintf(command, sizeof(command), "cat '%s'", log);
        (void)!system(command);
    }
    return status;
}

/* The suite passes on programs that were built this minute. */
static void stack_suite_passes(void **state)
{
    (void)state;
    const char *arguments[] = {getenv("COMPOSE_TEST"), "suite", NULL};
    assert_non_null(arguments[0]);
    assert_int_equal(run_compose_test(&of_a_test, arguments), 0);
    stack_audit(&stack);
}

/* The same suite checks ./dev up, with nothing but what that wrote down. */
static void stack_suite_passes_by_the_names_of_dev_up(void **state)
{
    (void)state;
    const char *arguments[] = {getenv("COMPOSE_TEST"), "suite", NULL};
    assert_int_equal(run_compose_test(&of_dev_up, arguments), 0);
    stack_audit(&stack);
}

/* The load that watches a rolling restart counts every order, and the sale agrees. */
static void stack_load_accounts_for_every_order(void **state)
{
    (void)state;
    const char *arguments[] = {getenv("COMPOSE_TEST"), "load", "--seconds", "2",
                               "--connections",        "8",    NULL};
    assert_int_equal(run_compose_test(&of_a_test, arguments), 0);
    stack_audit(&stack);
}

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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(stack_suite_passes),
        cmocka_unit_test(stack_suite_passes_by_the_names_of_dev_up),
        cmocka_unit_test(stack_load_accounts_for_every_order),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
