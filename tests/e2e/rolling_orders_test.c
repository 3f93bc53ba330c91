/*
 * A rolling restart of the orders service: two replicas behind two edges, one after the other
 * drained and started again while orders come in. No shopper may notice.
 */
#include "support/orders_ops.h"
#include "support/steady.h"

#include "base/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* cmocka wants these first */
#include <cmocka.h>

#define REPLICAS    2
#define EDGES       2
#define PATIENCE_MS STACK_PATIENCE_MS
#define STOCK       1000000
#define PER_SECOND  100 /* of each edge */
#define CONNECTIONS 16  /* to each edge */
/* How often the restarts are done, until the machine is quick enough; each time with half the load.
 */
#define ROUNDS_MAX 5
#define TESTS      2
/* Between a replica's readiness and the next one's drain, as orchestrators wait too: far more than
 * an edge needs to find it again, when the machine has time for everything. */
#define MIN_READY_MS 2000

/* Each has one replica and one edge; the edges know both replicas. */
static struct stack stacks[REPLICAS];
static char target[128];

struct crowds {
    unsigned per_second;
    int slow_before; /* stack_count_slow() of all when it began */
    struct steady_orders orders[EDGES];
    struct steady *loads[EDGES];
};

static int tear_down_group(void **state)
{
    (void)state;
    stack_leave(&stacks[1]);
    stack_stop(&stacks[0]);
    return 0;
}

static int set_up_group(void **state)
{
    (void)state;
    stack_prepare(&stacks[0]);
    stack_join(&stacks[1], &stacks[0]);
    snprintf(target, sizeof(target), "EDGE_ORDERS_TARGET=ipv4:127.0.0.1:%d,127.0.0.1:%d",
             stacks[0].orders_port, stacks[1].orders_port);
    for (size_t i = 0; i < REPLICAS; i++) {
        stacks[i].edge_environment[0] = target;
        stack_start_orders(&stacks[i]);
        stack_start_edge(&stacks[i]);
    }
    for (size_t i = 0; i < REPLICAS; i++) {
        stack_wait_ready(&stacks[i], PATIENCE_MS);
    }
    return 0;
}

/* --- Load ------------------------------------------------------------------------------------- */

/* Waits until so many more requests of each load are answered. */
static void wait_for_answers(const struct crowds *crowds, unsigned more)
{
    for (size_t i = 0; i < EDGES; i++) {
        struct stack_wait wait = stack_wait_for(&stacks[i], "answers");
        unsigned enough = steady_answered(crowds->loads[i]) + more;
        while (steady_answered(crowds->loads[i]) < enough) {
            stack_wait_on(&wait, 10);
        }
    }
}

static int count_slow(void)
{
    int count = 0;
    for (size_t i = 0; i < REPLICAS; i++) {
        count += stack_count_slow(&stacks[i]);
    }
    return count;
}

static void begin_load(struct crowds *crowds, const char *what, unsigned round)
{
    char sale_id[37], key[128];
    snprintf(key, sizeof(key), "%s, round %u", what, round);
    stack_make_sale(&stacks[0], key, STOCK, 0, sale_id);
    crowds->per_second = PER_SECOND >> round;
    crowds->slow_before = count_slow();
    for (size_t i = 0; i < EDGES; i++) {
        struct steady_orders *orders = &crowds->orders[i];
        *orders = (struct steady_orders){.reads_every = 10};
        snprintf(orders->sale_id, sizeof(orders->sale_id), "%s", sale_id);
        snprintf(orders->name, sizeof(orders->name), "edge%zu", i);
        crowds->loads[i] = steady_start(&(struct steady_plan){
            .port = stacks[i].edge_port,
            .connections = CONNECTIONS,
            .per_second = crowds->per_second,
            .write_request = steady_write_order,
            .data = orders,
        });
    }
    wait_for_answers(crowds, crowds->per_second);
}

/* Every request was answered with success, and every order is there, once. False when the database
 * was too slow for some, which were told so and the truth. */
static bool end_load(struct crowds *crowds, const char *what)
{
    bool is_unnoticed = true;
    wait_for_answers(crowds, crowds->per_second);
    for (size_t i = 0; i < EDGES; i++) {
        struct steady_report report;
        steady_stop(crowds->loads[i], &report);
        steady_report_print(&report, what);
        bool was_slow = count_slow() > crowds->slow_before;
        if (report.lost + report.refused > 0 || (report.failed > 0 && !was_slow)) {
            stack_fail(&stacks[i], "somebody has noticed: %s", report.first_failure);
        }
        is_unnoticed = is_unnoticed && report.failed == 0;
        assert_true(report.succeeded > 0);
        unsigned unknown = steady_assert_told_the_truth(&report, &crowds->orders[i], &stacks[0]);
        assert_true(unknown == 0 || report.failed > 0);
        steady_report_fini(&report);
    }
    stack_audit(&stacks[0]);
    return is_unnoticed;
}

/* --- Restarts --------------------------------------------------------------------------------- */

static void wait_orders_ready(const struct stack *stack)
{
    struct stack_wait wait = stack_wait_for(stack, "orders to be ready");
    while (stack_ops_status(stack->orders_ops_port, "/readyz") != 200) {
        stack_wait_on(&wait, 10);
    }
}

static bool is_found(const struct stack *stack)
{
    return stack_metric(stack, stack->orders_ops_port, "stampede_grpc_connections") >= EDGES;
}

/* Gives the edges the time that they have to find a replica which is ready again. Whether that was
 * enough for both; if not, waits on, for a machine with other work is no edge's fault. */
static bool wait_found(const struct stack *stack)
{
    nanosleep(&(struct timespec){.tv_sec = MIN_READY_MS / 1000}, NULL);
    bool in_time = is_found(stack);
    struct stack_wait wait = stack_wait_for(stack, "both edges to find orders again");
    while (!is_found(stack)) {
        stack_wait_on(&wait, 10);
    }
    if (!in_time) {
        print_message("found later than after %d ms\n", MIN_READY_MS);
        nanosleep(&(struct timespec){.tv_sec = MIN_READY_MS / 1000}, NULL);
    }
    return in_time;
}

static void drain_by_signal(struct stack *stack)
{
    process_signal(&stack->orders, SIGTERM);
}

static void drain_by_call(struct stack *stack)
{
    orders_ops_drain(stack->orders_port);
}

/* How often the edges were in time, of all restarts. */
static unsigned restarts, restarts_in_time;

/* What an operator does, or an orchestrator, who looks at /readyz. */
static void roll(void (*drain)(struct stack *stack))
{
    for (size_t i = 0; i < REPLICAS; i++) {
        int64_t begun_ns = clock_monotonic_ns();
        drain(&stacks[i]);
        int status = process_wait(&stacks[i].orders, PATIENCE_MS);
        if (status != 0) {
            stack_fail(&stacks[i], "orders ended with %d", status);
        }
        int64_t ended_ns = clock_monotonic_ns();
        stack_start_orders(&stacks[i]);
        wait_orders_ready(&stacks[i]);
        print_message("replica %zu: drained in %.0f ms, ready again after %.0f ms\n", i,
                      (double)(ended_ns - begun_ns) / 1e6,
                      (double)(clock_monotonic_ns() - ended_ns) / 1e6);
        restarts_in_time += wait_found(&stacks[i]);
        restarts++;
    }
}

/* An edge that knows two replicas gives work to both, or a restart of one would prove little. */
static void wait_until_both_sell(void)
{
    for (size_t i = 0; i < REPLICAS; i++) {
        struct stack_wait wait = stack_wait_for(&stacks[i], "each replica to place orders");
        while (stack_metric(&stacks[i], stacks[i].orders_ops_port,
                            "stampede_orders_total{outcome=\"PLACED\"}") <= 0) {
            stack_wait_on(&wait, 10);
        }
    }
}

/* With a setting of the replicas' own; NULL for the defaults. */
static void roll_under_load(const char *what, void (*drain)(struct stack *stack),
                            const char *setting)
{
    static struct crowds crowds[TESTS * ROUNDS_MAX]; /* no load outlives another's */
    static size_t begun;
    for (size_t i = 0; i < REPLICAS; i++) {
        stacks[i].orders_environment[0] = setting;
        stack_terminate_orders(&stacks[i]);
        stack_start_orders(&stacks[i]);
    }
    for (size_t i = 0; i < REPLICAS; i++) {
        stack_wait_ready(&stacks[i], PATIENCE_MS);
        (void)wait_found(&stacks[i]);
    }
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        struct crowds *crowd = &crowds[begun++];
        begin_load(crowd, what, round);
        wait_until_both_sell();
        roll(drain);
        if (end_load(crowd, what)) {
            return;
        }
        print_message("the database was too slow: once more with less to do\n");
    }
    stack_fail(&stacks[0], "the database was too slow in every round");
}

/* The promise of two replicas: whoever restarts them one by one loses nobody's order. */
static void rolling_by_signal_under_load_is_not_noticed(void **state)
{
    (void)state;
    roll_under_load("rolling restart by SIGTERM", drain_by_signal, NULL);
}

/* An operator without a shell on the machine has the same. */
static void rolling_by_drain_call_under_load_is_not_noticed(void **state)
{
    (void)state;
    roll_under_load("rolling restart by OpsService.Drain", drain_by_call,
                    "ORDERS_DRAIN_PAUSE_MS=1000");
    print_message("the edges had found %u of %u replicas after %d ms\n", restarts_in_time, restarts,
                  MIN_READY_MS);
    assert_true(restarts_in_time > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rolling_by_signal_under_load_is_not_noticed),
        cmocka_unit_test(rolling_by_drain_call_under_load_is_not_noticed),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
