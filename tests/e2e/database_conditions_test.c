/*
 * What PostgreSQL can be like, and what operators and shoppers see of it: each condition with its
 * log line, its readiness, and the time from its end until orders are placed again.
 */
#include "support/steady.h"

#include "base/clock.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* cmocka wants these first */
#include <cmocka.h>

#define PATIENCE_MS     STACK_PATIENCE_MS
#define STOCK           1000000
#define MAX_CONNECTIONS 20
#define PER_SECOND      100
#define CONNECTIONS     16

static struct stack stack;
static char sale_id[37];
static struct http_answer answer;

static int set_up_group(void **state)
{
    (void)state;
    stack.postgres_by_tcp = true;
    stack_start(&stack);
    stack_make_sale(&stack, "conditions", STOCK, 0, sale_id);
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    stack_stop(&stack);
    return 0;
}

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * CLOCK_NS_PER_MS},
              NULL);
}

static void execute(const char *url, const char *sql)
{
    assert_int_equal(scratch_postgres_execute(url, sql), 0);
}

/* --- What is seen ----------------------------------------------------------------------------- */

/* Waits until the orders service says that it is not ready, and why. */
static void wait_not_ready(const char *why)
{
    struct patience patience = patience_of_ms(PATIENCE_MS);
    for (;;) {
        stack_ops_get(stack.orders_ops_port, "/readyz?verbose", &answer);
        if (answer.status == 503 && strstr(answer.body, why) != NULL) {
            return;
        }
        if (patience_is_over(&patience)) {
            stack_fail(&stack, "not told \"%s\": %ld %s", why, answer.status, answer.body);
        }
        sleep_ms(5);
    }
}

static void expect_ops(int port, const char *path, long status)
{
    stack_ops_get(port, path, &answer);
    stack_expect_status(&stack, &answer, status);
}

/* Meanwhile the program lives, and the edge has somebody to ask, who says what is the matter. */
static void assert_told_while_waiting(void)
{
    char reason[64] = "";
    expect_ops(stack.orders_ops_port, "/livez?verbose", 200);
    struct stack_wait wait = stack_wait_for(&stack, "the reason of the refusals");
    while (strcmp(reason, "DATABASE_UNAVAILABLE") != 0) {
        stack_wait_on(&wait, 0);
        stack_place(&stack, sale_id, "waiting", "waiting", &answer);
        stack_expect_status(&stack, &answer, 503);
        http_client_json(&answer, "reason", reason, sizeof(reason));
    }
    http_client_header(&answer, "Retry-After", reason, sizeof(reason));
    assert_string_not_equal(reason, "");
    expect_ops(stack.edge_ops_port, "/readyz?verbose", 200);
}

/* Waits until both say that they are ready and an order is placed; prints how long after the cause
 * went away that was. */
static void wait_recovered(const char *what, int64_t gone_ns)
{
    static unsigned keys;
    char key[32];
    struct stack_wait wait = stack_wait_for(&stack, what);
    while (stack_ops_status(stack.orders_ops_port, "/readyz") != 200 ||
           stack_ops_status(stack.edge_ops_port, "/readyz") != 200) {
        stack_wait_on(&wait, 2);
    }
    int64_t ready_ns = clock_monotonic_ns();
    snprintf(key, sizeof(key), "recovered-%u", keys++);
    wait = stack_wait_for(&stack, "an order that is placed");
    do {
        stack_wait_on(&wait, 0);
        stack_place(&stack, sale_id, key, key, &answer);
    } while (answer.status != 201);
    print_message("%s: ready %.0f ms and an order placed %.0f ms after its end\n", what,
                  (double)(ready_ns - gone_ns) / 1e6,
                  (double)(clock_monotonic_ns() - gone_ns) / 1e6);
}

static int count_orders_log(const char *text)
{
    return stack_count_log(&stack, "stampede-orders", text);
}

static void await_orders_log(const char *text, int more_than)
{
    stack_await_log(&stack, "stampede-orders", text, more_than);
}

static void wait_for_answers(const struct steady *load, unsigned more)
{
    struct stack_wait wait = stack_wait_for(&stack, "answers");
    unsigned enough = steady_answered(load) + more;
    while (steady_answered(load) < enough) {
        stack_wait_on(&wait, 10);
    }
}

/* --- A server that comes ---------------------------------------------------------------------- */

static void *run_restart(void *data)
{
    struct scratch_postgres *server = data;
    static const int failed = 1;
    return scratch_postgres_restart(server) == 0 ? NULL : (void *)(uintptr_t)&failed;
}

/* Starts the halted server and waits until everything goes on; counts from when it first took
 * connections. */
static void restart_postgres_and_wait(const char *what)
{
    pthread_t thread;
    void *failed;
    struct stack_wait wait = stack_wait_for(&stack, "PostgreSQL");
    assert_int_equal(pthread_create(&thread, NULL, run_restart, &stack.postgres), 0);
    while (PQping(stack.postgres.admin_url) != PQPING_OK) {
        stack_wait_on(&wait, 2);
    }
    int64_t gone_ns = clock_monotonic_ns();
    wait_recovered(what, gone_ns);
    pthread_join(thread, &failed);
    assert_null(failed);
}

/* Start is free of order: who comes first waits, says for what, and serves as soon as it is there.
 */
static void conditions_postgres_that_starts_later_is_waited_for(void **state)
{
    (void)state;
    stack_terminate_orders(&stack);
    assert_int_equal(scratch_postgres_halt(&stack.postgres), 0);
    stack_start_orders(&stack);
    wait_not_ready("0 of 5 connections");
    assert_told_while_waiting();
    await_orders_log("\"database_waited_for\"", 0);
    restart_postgres_and_wait("PostgreSQL that starts later");
}

/* A restart of the server in order: everybody is told, and it goes on where it was. */
static void conditions_postgres_halted_and_started_goes_on(void **state)
{
    (void)state;
    int lost = count_orders_log("\"database_lost\"");
    assert_int_equal(scratch_postgres_halt(&stack.postgres), 0);
    wait_not_ready("0 of 5 connections");
    assert_told_while_waiting();
    await_orders_log("\"database_lost\"", lost);
    restart_postgres_and_wait("PostgreSQL halted");
    stack_audit(&stack);
}

/* A crash of the server: the same, after its recovery. */
static void conditions_postgres_killed_and_started_goes_on(void **state)
{
    (void)state;
    int lost = count_orders_log("\"database_lost\"");
    assert_int_equal(scratch_postgres_kill(&stack.postgres), 0);
    wait_not_ready("0 of 5 connections");
    assert_told_while_waiting();
    await_orders_log("\"database_lost\"", lost);
    restart_postgres_and_wait("PostgreSQL killed");
    stack_audit(&stack);
}

/* Has the server wait for a standby that there is not, so that no COMMIT is answered; and waits
 * until one hangs there. */
static void hold_commits(void)
{
    char count[16];
    struct stack_wait wait = stack_wait_for(&stack, "a COMMIT that hangs");
    execute(stack.postgres.admin_url, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    execute(stack.postgres.admin_url, "SELECT pg_reload_conf()");
    do {
        stack_wait_on(&wait, 2);
        assert_int_equal(scratch_postgres_query(stack.postgres.admin_url,
                                                "SELECT count(*) FROM pg_stat_activity WHERE "
                                                "usename = 'stampede' AND wait_event = 'SyncRep'",
                                                count, sizeof(count)),
                         0);
    } while (strcmp(count, "0") == 0);
}

/* A crash with COMMITs in flight: for seconds the service asks what became of them, and all the
 * while it says that it has no database. Each order is told the truth in the end. */
static void conditions_postgres_killed_in_a_commit_is_told_at_once(void **state)
{
    static struct steady_orders orders = {.name = "commits"};
    struct steady_report report;
    (void)state;
    snprintf(orders.sale_id, sizeof(orders.sale_id), "%s", sale_id);
    struct steady *load = steady_start(&(struct steady_plan){
        .port = stack.edge_port,
        .connections = CONNECTIONS,
        .per_second = PER_SECOND,
        .write_request = steady_write_order,
        .data = &orders,
    });
    wait_for_answers(load, PER_SECOND);
    hold_commits();
    execute(stack.postgres.admin_url, "ALTER SYSTEM RESET synchronous_standby_names");
    int64_t killed_ns = clock_monotonic_ns();
    assert_int_equal(scratch_postgres_kill(&stack.postgres), 0);
    wait_not_ready("0 of 5 connections");
    print_message("PostgreSQL killed in a COMMIT: told %.0f ms after it was killed\n",
                  (double)(clock_monotonic_ns() - killed_ns) / 1e6);
    assert_told_while_waiting();
    restart_postgres_and_wait("PostgreSQL killed in a COMMIT");
    wait_for_answers(load, PER_SECOND);
    steady_stop(load, &report);
    steady_report_print(&report, "PostgreSQL killed in a COMMIT");
    assert_int_equal(report.lost, 0);
    assert_int_equal(report.refused, 0);
    (void)steady_assert_told_the_truth(&report, &orders, &stack);
    steady_report_fini(&report);
    stack_audit(&stack);
}

/* --- A server that refuses -------------------------------------------------------------------- */

/* Takes every connection that the server has for ordinary roles. */
static size_t take_all_connections(PGconn *connections[MAX_CONNECTIONS])
{
    size_t count = 0;
    for (;;) {
        assert_true(count < MAX_CONNECTIONS);
        connections[count] = PQconnectdb(stack.postgres.service_url);
        if (PQstatus(connections[count]) != CONNECTION_OK) {
            assert_non_null(strstr(PQerrorMessage(connections[count]), "remaining connection"));
            PQfinish(connections[count]);
            return count;
        }
        count++;
    }
}

/* Somebody else has all connections: told as what it is, and over when they let go. */
static void conditions_too_many_clients_are_waited_for(void **state)
{
    (void)state;
    PGconn *connections[MAX_CONNECTIONS];
    char sql[64];
    stack_terminate_orders(&stack);
    snprintf(sql, sizeof(sql), "ALTER SYSTEM SET max_connections = %d", MAX_CONNECTIONS);
    execute(stack.postgres.admin_url, sql);
    assert_int_equal(scratch_postgres_halt(&stack.postgres), 0);
    assert_int_equal(scratch_postgres_restart(&stack.postgres), 0);
    size_t count = take_all_connections(connections);
    assert_true(count > 0);
    int told = count_orders_log("\"kind\":\"too_many\"");
    int refused = count_orders_log("\"sqlstate\":\"53300\"");
    stack_start_orders(&stack);
    wait_not_ready("too_many");
    assert_told_while_waiting();
    await_orders_log("\"kind\":\"too_many\"", told);
    await_orders_log("\"sqlstate\":\"53300\"", refused);
    sleep_ms(2000); /* so that attempts have become as rare as they get */
    for (size_t i = 0; i < count; i++) {
        PQfinish(connections[i]);
    }
    wait_recovered("too many clients", clock_monotonic_ns());
    execute(stack.postgres.admin_url, "ALTER SYSTEM RESET max_connections");
}

/* A deployment in the wrong order: the program waits for the migration, and says so. */
static void conditions_migration_that_comes_later_is_waited_for(void **state)
{
    (void)state;
    stack_terminate_orders(&stack);
    execute(stack.postgres.owner_url, "CREATE TABLE kept AS SELECT * FROM schema_version; "
                                      "UPDATE schema_version SET version = 1, compatible_from = 1");
    stack_start_orders(&stack);
    wait_not_ready("schema_version");
    assert_told_while_waiting();
    await_orders_log("run the migrations", 0);
    sleep_ms(2000);
    execute(stack.postgres.owner_url,
            "UPDATE schema_version SET (version, compatible_from) = (SELECT version, "
            "compatible_from FROM kept); DROP TABLE kept");
    wait_recovered("wrong schema version", clock_monotonic_ns());
}

/* --- The orders service itself ---------------------------------------------------------------- */

/* The edge finds a crashed orders service again as soon as it is back. */
static void conditions_orders_service_that_comes_back_is_found(void **state)
{
    (void)state;
    int lost = stack_count_log(&stack, "stampede-edge", "\"orders_unreachable\"");
    stack_kill_orders(&stack);
    struct stack_wait wait = stack_wait_for(&stack, "the edge to be not ready");
    do {
        stack_wait_on(&wait, 5);
        stack_ops_get(stack.edge_ops_port, "/readyz?verbose", &answer);
    } while (answer.status != 503);
    assert_non_null(strstr(answer.body, "cannot be reached"));
    expect_ops(stack.edge_ops_port, "/livez?verbose", 200);
    stack_await_log(&stack, "stampede-edge", "\"orders_unreachable\"", lost);
    sleep_ms(2000);
    stack_start_orders(&stack);
    wait = stack_wait_for(&stack, "orders to be ready");
    while (stack_ops_status(stack.orders_ops_port, "/readyz") != 200) {
        stack_wait_on(&wait, 2);
    }
    wait_recovered("orders service killed", clock_monotonic_ns());
}

/* --- Fail-over -------------------------------------------------------------------------------- */

static void wait_query(const char *url, const char *sql, const char *wanted)
{
    char value[64];
    struct stack_wait wait = stack_wait_for(&stack, sql);
    do {
        stack_wait_on(&wait, 10);
        assert_int_equal(scratch_postgres_query(url, sql, value, sizeof(value)), 0);
    } while (strcmp(value, wanted) != 0);
}

/* Makes a standby without which the primary acknowledges nothing, and has the orders service know
 * both by one URL. */
static void begin_replication(struct scratch_postgres *standby)
{
    static char url[STACK_URL_BYTES];
    const struct scratch_postgres *primary = &stack.postgres;
    const char *host = strstr(primary->service_url, "127.0.0.1");
    assert_non_null(host);
    assert_int_equal(scratch_postgres_start_standby(standby, primary), 0);
    execute(primary->admin_url, "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    execute(primary->admin_url, "SELECT pg_reload_conf()");
    wait_query(primary->admin_url,
               "SELECT count(*) FROM pg_stat_replication WHERE sync_state = "
               "'sync'",
               "1");
    snprintf(url, sizeof(url),
             "DATABASE_URL=%.*s127.0.0.1:%d,127.0.0.1:%d/stampede?target_session_attrs=read-write",
             (int)(host - primary->service_url), primary->service_url,
             scratch_postgres_port(primary), scratch_postgres_port(standby));
    stack.orders_environment[0] = url;
    stack_terminate_orders(&stack);
    stack_start_orders(&stack);
    stack_wait_ready(&stack, PATIENCE_MS);
}

/* Whoever was not told "placed" asks again with the same key, as told, and is. */
static void ask_again(const struct steady_report *report, const struct steady_orders *orders)
{
    char name[32];
    for (unsigned i = 0; i < report->numbers; i++) {
        if (report->statuses[i] == STEADY_NOT_SENT || report->statuses[i] == 201) {
            continue;
        }
        if (report->statuses[i] != 503) {
            assert_int_equal(report->statuses[i], 504);
        }
        snprintf(name, sizeof(name), "%s-%u", orders->name, i);
        struct stack_wait wait = stack_wait_for(&stack, "an order that was asked for again");
        do {
            stack_wait_on(&wait, 0);
            stack_place(&stack, orders->sale_id, name, name, &answer);
        } while (answer.status == 503 || answer.status == 504);
        stack_expect_status(&stack, &answer, 201);
        report->statuses[i] = 201;
    }
}

/* The primary dies under load and its synchronous standby takes over: nothing that was acknowledged
 * is lost, nobody was told what is not so, and the service finds the new primary by itself. */
static void conditions_fail_over_loses_nothing(void **state)
{
    static struct steady_orders orders = {.name = "failover"};
    struct scratch_postgres standby, primary = stack.postgres;
    struct steady_report report;
    (void)state;

    begin_replication(&standby);
    stack_make_sale(&stack, "fail-over", STOCK, 0, orders.sale_id);
    struct steady *load = steady_start(&(struct steady_plan){
        .port = stack.edge_port,
        .connections = CONNECTIONS,
        .per_second = PER_SECOND,
        .write_request = steady_write_order,
        .data = &orders,
    });
    wait_for_answers(load, PER_SECOND);
    assert_int_equal(scratch_postgres_kill(&stack.postgres), 0);
    wait_not_ready("0 of 5 connections");
    wait_not_ready("read_only"); /* the standby answers, but is none to write to */
    stack.postgres = standby;    /* from here on what the helpers ask and audit */
    execute(standby.admin_url, "SELECT pg_promote()");
    wait_recovered("fail-over", clock_monotonic_ns());
    wait_for_answers(load, PER_SECOND);
    steady_stop(load, &report);
    steady_report_print(&report, "fail-over");
    if (report.lost + report.refused > 0 || report.succeeded == 0) {
        stack_fail(&stack, "%u lost, %u refused, %u placed: %s", report.lost, report.refused,
                   report.succeeded, report.first_failure);
    }
    unsigned unknown = steady_assert_told_the_truth(&report, &orders, &stack);
    print_message("fail-over: %u orders were placed whose answer was \"unknown\"\n", unknown);
    ask_again(&report, &orders);
    assert_int_equal(steady_assert_told_the_truth(&report, &orders, &stack), 0);
    steady_report_fini(&report);
    stack_audit(&stack);
    scratch_postgres_stop(&primary);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_postgres_that_starts_later_is_waited_for),
        cmocka_unit_test(conditions_postgres_halted_and_started_goes_on),
        cmocka_unit_test(conditions_postgres_killed_and_started_goes_on),
        cmocka_unit_test(conditions_postgres_killed_in_a_commit_is_told_at_once),
        cmocka_unit_test(conditions_too_many_clients_are_waited_for),
        cmocka_unit_test(conditions_migration_that_comes_later_is_waited_for),
        cmocka_unit_test(conditions_orders_service_that_comes_back_is_found),
        cmocka_unit_test(conditions_fail_over_loses_nothing), /* the last: it changes the server */
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
