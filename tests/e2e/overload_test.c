/*
 * A database that does not answer: the pool runs out, or the whole server stands still. What can be
 * said without it is said quickly, everything else is refused in time and with a reason, operators
 * see it at once, and it is over when its cause is.
 */
#include "support/orders_ops.h"
#include "support/proxy.h"
#include "support/steady.h"

#include "base/clock.h"

#include <dirent.h>
#include <libpq-fe.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* cmocka wants these first */
#include <cmocka.h>

#define PATIENCE_MS    STACK_PATIENCE_MS
#define STOCK          1000000
#define POOL_SIZE      2
#define SLOW_MS        100 /* each way, of each statement */
#define REFUSALS_A_SEC 200
/* Less than any wait for the database; the figure is printed. */
#define REFUSAL_P99_US 1000000
/* On a machine with other work that may take several times as long as when all is well; it is
 * measured for so long, and so often until it is quick. */
#define REFUSAL_FACTOR 5
#define REFUSALS_MS    2000
#define REFUSAL_TRIES  5
/* Whoever probes gives up after so long. */
#define PROBE_MS 2000
/* Longer than any transaction and any life of a call in the orders service. */
#define FROZEN_MS 6000
#define DEAD_MS   3000
/* Far longer than the edge's time for a request. */
#define ANSWER_IN_MS_MAX 40000

static struct stack stack;
static struct proxy *proxy; /* between the orders service and its database */
static char sale_id[37];
static struct http_answer answer;

static int set_up_group(void **state)
{
    static char database_url[STACK_URL_BYTES];
    char url[SCRATCH_POSTGRES_URL_BYTES];
    (void)state;
    stack.postgres_by_tcp = true;
    stack_prepare(&stack);
    assert_int_equal(proxy_create(scratch_postgres_port(&stack.postgres), &proxy), 0);
    scratch_postgres_url_with_port(stack.postgres.service_url, proxy_port(proxy), url);
    snprintf(database_url, sizeof(database_url), "DATABASE_URL=%s", url);
    stack.orders_environment[0] = "ORDERS_POOL_SIZE=2";
    stack.orders_environment[1] = database_url;
    stack_start_orders(&stack);
    stack_start_edge(&stack);
    stack_wait_ready(&stack, PATIENCE_MS);
    stack_make_sale(&stack, "overload", STOCK, 0, sale_id);
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    stack_stop(&stack);
    proxy_destroy(proxy);
    return 0;
}

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * CLOCK_NS_PER_MS},
              NULL);
}

static double ms_since(int64_t begun_ns)
{
    return (double)(clock_monotonic_ns() - begun_ns) / 1e6;
}

/* --- Loads ------------------------------------------------------------------------------------ */

/* Orders and reads of the sale, as a shop sends them. */
static struct steady *begin_orders(struct steady_orders *orders, const char *name)
{
    *orders = (struct steady_orders){.reads_every = 2};
    snprintf(orders->sale_id, sizeof(orders->sale_id), "%s", sale_id);
    snprintf(orders->name, sizeof(orders->name), "%s", name);
    return steady_start(&(struct steady_plan){
        .port = stack.edge_port,
        .connections = STEADY_CONNECTIONS_MAX,
        .per_second = 100,
        .write_request = steady_write_order,
        .data = orders,
    });
}

/* By turns an order whose body is wrong and a route that there is not: 400 and 404. */
static void write_refusable(unsigned number, char text[STEADY_REQUEST_BYTES], const void *data)
{
    (void)data;
    if (number % 2 == 0) {
        snprintf(text, STEADY_REQUEST_BYTES, "GET /v1/nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
        return;
    }
    snprintf(text, STEADY_REQUEST_BYTES,
             "POST /v1/sales/%s/orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
             "Idempotency-Key: bad\r\nContent-Length: 17\r\n\r\n{\"quantity\":\"no\"}",
             sale_id);
}

static struct steady *begin_refusals(void)
{
    return steady_start(&(struct steady_plan){
        .port = stack.edge_port,
        .connections = 4,
        .per_second = REFUSALS_A_SEC,
        .write_request = write_refusable,
    });
}

/* All were refused; returns how quickly 99 of 100 were. */
static uint32_t end_refusals(struct steady *refusals, const char *what)
{
    struct steady_report report;
    steady_stop(refusals, &report);
    steady_report_print(&report, what);
    if (report.lost + report.failed + report.succeeded > 0 || report.refused == 0) {
        stack_fail(&stack, "not all were refused: %s", report.first_failure);
    }
    uint32_t p99_us = report.p99_us;
    steady_report_fini(&report);
    return p99_us;
}

/* What 99 of 100 refusals may take, on this machine as busy as it is now, while all is well. */
static uint32_t measure_refusals(void)
{
    struct steady *refusals = begin_refusals();
    sleep_ms(REFUSALS_MS);
    uint32_t usual_us = end_refusals(refusals, "the edge's own refusals when all is well");
    uint32_t may_us = REFUSAL_FACTOR * usual_us;
    return may_us > REFUSAL_P99_US ? may_us : REFUSAL_P99_US;
}

/* Probes, and takes down what that took if it was longer than any before. */
static void probe(int port, const char *path, double *slowest_ms)
{
    int64_t begun_ns = clock_monotonic_ns();
    stack_ops_get(port, path, &answer);
    double ms = ms_since(begun_ns);
    stack_expect_status(&stack, &answer, 200);
    *slowest_ms = ms > *slowest_ms ? ms : *slowest_ms;
}

/* For so long at least: the edge refuses by itself quickly what it can refuse, and both programs
 * tell who probes them that they live and that the edge takes calls. */
static void expect_quick_refusals(int64_t ms, uint32_t p99_us_max, const char *what)
{
    int64_t end_ns = clock_deadline_in_ms(ms);
    bool is_quick = false;
    for (int i = 0; (i < REFUSAL_TRIES && !is_quick) || clock_monotonic_ns() < end_ns; i++) {
        struct steady *refusals = begin_refusals();
        int64_t round_end_ns = clock_deadline_in_ms(REFUSALS_MS);
        double slowest_ms = 0;
        do {
            probe(stack.edge_ops_port, "/livez?verbose", &slowest_ms);
            probe(stack.edge_ops_port, "/readyz?verbose", &slowest_ms);
            probe(stack.orders_ops_port, "/livez?verbose", &slowest_ms);
            sleep_ms(50);
        } while (clock_monotonic_ns() < round_end_ns);
        bool are_refused_quickly = end_refusals(refusals, what) < p99_us_max;
        is_quick |= are_refused_quickly && slowest_ms < PROBE_MS;
    }
    if (!is_quick) {
        stack_fail(&stack, "%s: never quick", what);
    }
}

/* Every answer came in time and was true. */
static void end_orders(struct steady *load, const struct steady_orders *orders, const char *what,
                       struct steady_report *ret)
{
    steady_stop(load, ret);
    steady_report_print(ret, what);
    if (ret->lost + ret->refused > 0 || ret->max_us >= ANSWER_IN_MS_MAX * 1000) {
        stack_fail(&stack, "%s: %s", what, ret->first_failure);
    }
    unsigned unknown = steady_assert_told_the_truth(ret, orders, &stack);
    print_message("%s: %u orders exist whose answer was \"unknown\"\n", what, unknown);
}

static void wait_placed(const char *what)
{
    static unsigned keys;
    char key[32];
    int64_t begun_ns = clock_monotonic_ns();
    snprintf(key, sizeof(key), "again-%u", keys++);
    struct stack_wait wait = stack_wait_for(&stack, "an order that is placed");
    do {
        stack_wait_on(&wait, 0);
        stack_place(&stack, sale_id, key, key, &answer);
    } while (answer.status != 201);
    print_message("%s: an order is placed %.0f ms after its end\n", what, ms_since(begun_ns));
}

/* --- The pool --------------------------------------------------------------------------------- */

static long metric(const char *series)
{
    return stack_metric(&stack, stack.orders_ops_port, series);
}

/* The use of a limit in /limits, or -1. */
static long limit_in_use(const char *name)
{
    char text[96];
    stack_ops_get(stack.orders_ops_port, "/limits", &answer);
    snprintf(text, sizeof(text), "\"name\":\"%s\"", name);
    const char *at = strstr(answer.body, text);
    at = at == NULL ? NULL : strstr(at, "\"inUse\":");
    return at == NULL ? -1 : strtol(at + strlen("\"inUse\":"), NULL, 10);
}

static bool metrics_show_it(void)
{
    return metric("stampede_pool_connections{state=\"active\"}") == POOL_SIZE &&
           metric("stampede_pool_waiting") > 0;
}

static bool limits_show_it(void)
{
    return limit_in_use("pool_connections") == POOL_SIZE && limit_in_use("pool_waiting") > 0;
}

static bool status_shows_it(void)
{
    struct orders_ops_status status;
    orders_ops_read(stack.orders_port, &status);
    assert_int_equal(status.pool_size, POOL_SIZE);
    return status.pool_active == POOL_SIZE && status.pool_waiting > 0;
}

/* Waits until what is asked says that every connection is at work and something waits for one. */
static void wait_shown(const char *where, bool (*shows)(void), int64_t begun_ns)
{
    while (!shows()) {
        if (ms_since(begun_ns) > PATIENCE_MS) {
            stack_fail(&stack, "not seen in %s", where);
        }
        sleep_ms(2);
    }
    print_message("exhausted pool: seen in %s after %.0f ms\n", where, ms_since(begun_ns));
}

/* A session that holds the sale's row until it is closed: whoever places an order waits for it. */
static PGconn *hold_sale(void)
{
    char sql[160];
    PGconn *session = PQconnectdb(stack.postgres.admin_url);
    assert_int_equal(PQstatus(session), CONNECTION_OK);
    snprintf(sql, sizeof(sql), "BEGIN; SELECT 1 FROM sales WHERE sale_id = '%s' FOR UPDATE",
             sale_id);
    PGresult *held = PQexec(session, sql);
    assert_int_equal(PQresultStatus(held), PGRES_TUPLES_OK);
    PQclear(held);
    return session;
}

/* Waits until an order is refused for want of a connection, as it should be. */
static void wait_overloaded(void)
{
    char text[64] = "", customer[32];
    struct stack_wait wait = stack_wait_for(&stack, "a refusal for want of a connection");
    for (unsigned i = 0; strcmp(text, "OVERLOADED") != 0; i++) {
        stack_wait_on(&wait, 0);
        snprintf(customer, sizeof(customer), "over-%u", i);
        stack_place(&stack, sale_id, customer, customer, &answer);
        http_client_json(&answer, "reason", text, sizeof(text));
        if (answer.status != 504) {
            stack_expect_status(&stack, &answer, 503);
        }
    }
    stack_expect_status(&stack, &answer, 503);
    http_client_header(&answer, "Retry-After", text, sizeof(text));
    assert_true(strtol(text, NULL, 10) >= 1);
}

/*
 * Somebody holds the sale's row, and every statement is slow: both connections of the pool are at
 * work without end. That is easy to see from outside, everybody is told to come back later, and it
 * ends by itself.
 */
static void overload_pool_exhausted_is_seen_and_ends_by_itself(void **state)
{
    static struct steady_orders orders;
    struct steady_report report;
    (void)state;

    uint32_t refusal_us_max = measure_refusals();
    PGconn *holder = hold_sale();
    proxy_set_delay_ms(proxy, SLOW_MS);
    int64_t begun_ns = clock_monotonic_ns();
    struct steady *load = begin_orders(&orders, "pool");
    wait_shown("/metrics", metrics_show_it, begun_ns);
    wait_shown("/limits", limits_show_it, begun_ns);
    wait_shown("OpsService.GetStatus", status_shows_it, begun_ns);
    wait_overloaded();
    expect_quick_refusals(REFUSALS_MS, refusal_us_max,
                          "the edge's own refusals with the pool exhausted");
    PQfinish(holder);
    proxy_set_delay_ms(proxy, 0);
    wait_placed("exhausted pool");
    end_orders(load, &orders, "orders and reads with the pool exhausted", &report);
    assert_true(report.failed > 0);
    steady_report_fini(&report);
    stack_audit(&stack);
}

/* --- A server that stands still --------------------------------------------------------------- */

/* Whether pid is a child of parent; both of our own server. */
static bool is_child(long pid, pid_t parent)
{
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool is_read = fgets(line, sizeof(line), file) != NULL;
    fclose(file);
    const char *after = is_read ? strrchr(line, ')') : NULL;
    /* ") S 123 ": the state, then the parent. */
    return after != NULL && strtol(after + 4, NULL, 10) == parent;
}

static void signal_children(int signal_number)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    assert_non_null(processes);
    while ((entry = readdir(processes)) != NULL) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 0 && is_child(pid, stack.postgres.server_pid)) {
            (void)kill((pid_t)pid, signal_number);
        }
    }
    closedir(processes);
}

/* Signals the postmaster first and then its children: a stopped postmaster makes no new ones, but
 * for one that it was making, which the second look finds. */
static void signal_postgres(int signal_number)
{
    assert_int_equal(kill(stack.postgres.server_pid, signal_number), 0);
    signal_children(signal_number);
    sleep_ms(20);
    signal_children(signal_number);
}

/*
 * The whole server stands still, which looks like a network that swallows everything: no reset, no
 * refusal. The edge lives on, refuses quickly what it can refuse, and nobody waits for ever.
 */
static void overload_frozen_database_does_not_take_the_edge_down(void **state)
{
    static struct steady_orders orders;
    struct steady_report report;
    (void)state;

    uint32_t refusal_us_max = measure_refusals();
    struct steady *load = begin_orders(&orders, "frozen");
    sleep_ms(500);
    signal_postgres(SIGSTOP);
    expect_quick_refusals(FROZEN_MS, refusal_us_max,
                          "the edge's own refusals with the database frozen");
    int64_t begun_ns = clock_monotonic_ns();
    char path[64];
    snprintf(path, sizeof(path), "/v1/sales/%s", sale_id);
    stack_call(&stack, "GET", path, NULL, NULL, &answer);
    print_message("a read with the database frozen: %ld after %.0f ms\n", answer.status,
                  ms_since(begun_ns));
    if (answer.status != 504) {
        stack_expect_status(&stack, &answer, 503);
    }
    signal_postgres(SIGCONT);
    wait_placed("frozen database");
    end_orders(load, &orders, "orders and reads with the database frozen", &report);
    assert_true(report.failed > 0);
    steady_report_fini(&report);
    stack_audit(&stack);
}

/* The same of a server that is not there at all: refusals do not get slower for it. */
static void overload_dead_database_does_not_take_the_edge_down(void **state)
{
    static struct steady_orders orders;
    struct steady_report report;
    (void)state;

    uint32_t refusal_us_max = measure_refusals();
    assert_int_equal(scratch_postgres_kill(&stack.postgres), 0);
    struct steady *load = begin_orders(&orders, "dead");
    expect_quick_refusals(DEAD_MS, refusal_us_max,
                          "the edge's own refusals with the database dead");
    assert_int_equal(scratch_postgres_restart(&stack.postgres), 0);
    wait_placed("dead database");
    end_orders(load, &orders, "orders and reads with the database dead", &report);
    assert_true(report.failed > 0);
    steady_report_fini(&report);
    stack_audit(&stack);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(overload_pool_exhausted_is_seen_and_ends_by_itself),
        cmocka_unit_test(overload_frozen_database_does_not_take_the_edge_down),
        cmocka_unit_test(overload_dead_database_does_not_take_the_edge_down),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
