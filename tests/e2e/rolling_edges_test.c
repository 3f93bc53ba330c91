/*
 * A rolling restart of two edges behind a packaged HAProxy that reads /readyz, while orders come in
 * over connections that are kept. No shopper may notice.
 */
#include "support/haproxy.h"
#include "support/steady.h"

#include "base/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

#define EDGES       2
#define PATIENCE_MS STACK_PATIENCE_MS
#define STOCK       1000000
#define PER_SECOND  200
#define CONNECTIONS 32
/* How often the restarts are done, until the machine is quick enough; each time with half the load.
 */
#define ROUNDS_MAX 5
/* Many times what HAProxy needs to notice (HAPROXY_NOTICE_MS), for a machine with other work. */
#define PAUSE_MS      10000
#define PAUSE_SETTING "EDGE_DRAIN_PAUSE_MS=10000"

_Static_assert(PAUSE_MS > 3 * HAPROXY_NOTICE_MS, "nobody is sent to an edge that has stopped");

/* stacks[0] is whole; stacks[1] is a second edge in front of the same orders service. */
static struct stack stacks[EDGES];
static struct haproxy haproxy;
static char target[64];

static int set_up_group(void **state)
{
    const struct stack *const all[EDGES] = {&stacks[0], &stacks[1]};
    (void)state;
    stacks[0].edge_environment[0] = PAUSE_SETTING;
    stack_start(&stacks[0]);
    stack_join(&stacks[1], &stacks[0]);
    snprintf(target, sizeof(target), "EDGE_ORDERS_TARGET=127.0.0.1:%d", stacks[0].orders_port);
    stacks[1].edge_environment[0] = PAUSE_SETTING;
    stacks[1].edge_environment[1] = target;
    stack_start_edge(&stacks[1]);
    haproxy_start(&haproxy, all, EDGES);
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    haproxy_stop(&haproxy);
    stack_leave(&stacks[1]);
    stack_stop(&stacks[0]);
    return 0;
}

static void wait_for_answers(const struct steady *load, unsigned more)
{
    struct stack_wait wait = stack_wait_for(&stacks[0], "answers");
    unsigned enough = steady_answered(load) + more;
    while (steady_answered(load) < enough) {
        stack_wait_on(&wait, 10);
    }
}

/* Restarts edge index, which HAProxy must have left out before it stopped. */
static void restart(size_t index)
{
    struct stack *stack = &stacks[index];
    int drained = stack_count_log(stack, "stampede-edge", "\"event\":\"drained\"");
    int none_cut = stack_count_log(stack, "stampede-edge", "\"connections_cut\":0");
    int64_t begun_ns = clock_monotonic_ns();
    process_signal(&stack->edge, SIGTERM);
    haproxy_wait(&haproxy, index, false);
    int64_t noticed_ns = clock_monotonic_ns();
    int status = process_wait(&stack->edge, PATIENCE_MS);
    if (status != 0 ||
        stack_count_log(stack, "stampede-edge", "\"event\":\"drained\"") != drained + 1 ||
        stack_count_log(stack, "stampede-edge", "\"connections_cut\":0") != none_cut + 1) {
        stack_fail(stack, "edge %zu ended with %d, and not as it should", index, status);
    }
    int64_t ended_ns = clock_monotonic_ns();
    stack_start_edge(stack);
    haproxy_wait(&haproxy, index, true);
    print_message("edge %zu: left out after %.0f ms, ended after %.0f ms, back after %.0f ms\n",
                  index, (double)(noticed_ns - begun_ns) / 1e6, (double)(ended_ns - begun_ns) / 1e6,
                  (double)(clock_monotonic_ns() - ended_ns) / 1e6);
}

/* Restarts every edge under load. False when the database was too slow for some, which were told so
 * and the truth. */
static bool roll_unnoticed(struct steady_orders *orders, unsigned round)
{
    struct steady_report report;
    char key[32];

    *orders = (struct steady_orders){.name = "shop", .reads_every = 10};
    snprintf(key, sizeof(key), "rolling-edges-%u", round);
    stack_make_sale(&stacks[0], key, STOCK, 0, orders->sale_id);
    int slow_before = stack_count_slow(&stacks[0]);
    struct steady *load = steady_start(&(struct steady_plan){
        .port = haproxy.port,
        .connections = CONNECTIONS,
        .per_second = PER_SECOND >> round,
        .write_request = steady_write_order,
        .data = orders,
    });
    wait_for_answers(load, PER_SECOND >> round);
    for (size_t i = 0; i < EDGES; i++) {
        restart(i);
        wait_for_answers(load, PER_SECOND >> round);
    }
    steady_stop(load, &report);
    steady_report_print(&report, "rolling restart of edges behind HAProxy");
    bool was_slow = stack_count_slow(&stacks[0]) > slow_before;
    if (report.lost + report.refused > 0 || (report.failed > 0 && !was_slow)) {
        stack_fail(&stacks[0], "somebody has noticed: %s", report.first_failure);
    }
    bool is_unnoticed = report.failed == 0;
    unsigned unknown = steady_assert_told_the_truth(&report, orders, &stacks[0]);
    assert_true(unknown == 0 || !is_unnoticed);
    steady_report_fini(&report);
    stack_audit(&stacks[0]);
    return is_unnoticed;
}

/* The promise of edges behind a balancer: whoever restarts them one by one loses nobody's order. */
static void rolling_edges_behind_haproxy_is_not_noticed(void **state)
{
    static struct steady_orders orders[ROUNDS_MAX];
    (void)state;

    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        if (roll_unnoticed(&orders[round], round)) {
            return;
        }
        print_message("the database was too slow: once more with less to do\n");
    }
    stack_fail(&stacks[0], "the database was too slow in every round");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rolling_edges_behind_haproxy_is_not_noticed),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
