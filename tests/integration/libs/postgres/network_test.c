/* What a session tells when the network is slow, silent, cut, or its buffers are full. */
#include "session_fixture.h"

#include "base/arena.h"
#include "base/clock.h"
#include "postgres/params.h"
#include "postgres/row.h"
#include "support/patience.h"
#include "support/port.h"
#include "support/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* How late a wait may end on a machine that does other things besides; a network that is silent
 * would end none of them. */
#define LATENESS_MS 30000
/* Each way; so long that one round trip and several cannot be mistaken for each other. */
#define DELAY_MS 500
#define GROUP    20
/* For what takes as long as it takes. */
#define ENDLESS_MS 600000

/* Far more than the socket buffers of both sides together. */
#define BIG_BYTES      ((size_t)8 << 20)
#define BIG_STATEMENTS 4
#define HUGE_BYTES     ((size_t)48 << 20)

static struct scratch_postgres server;
static struct proxy *proxy;
static char proxy_url[SCRATCH_POSTGRES_URL_BYTES];
static struct session_config config;
static struct session session;

SESSION_FIXTURE_STATEMENT(one, "SELECT 1::int8");
SESSION_FIXTURE_STATEMENT(begin, "BEGIN");
SESSION_FIXTURE_STATEMENT(commit, "COMMIT");

static const struct statement insert = {.name = "insert",
                                        .sql = "INSERT INTO kept VALUES ($1)",
                                        .parameter_count = 1,
                                        .parameter_types = {SQL_TYPE_INT8}};

static int start(void **state)
{
    (void)state;
    session_fixture_start_server(&server, true);
    session_fixture_admin(&server, "CREATE TABLE kept (n int8 PRIMARY KEY);"
                                   "GRANT ALL ON kept TO stampede");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    scratch_postgres_stop(&server);
    return 0;
}

/* Each test has a healthy proxy of its own in between. */
static int init(void **state)
{
    (void)state;
    assert_int_equal(proxy_create(scratch_postgres_port(&server), &proxy), 0);
    scratch_postgres_url_with_port(server.service_url, proxy_port(proxy), proxy_url);
    config = session_fixture_config(proxy_url);
    config.statement_timeout_ms = ENDLESS_MS;
    config.tcp_user_timeout_ms = ENDLESS_MS;
    session_init(&session, &config);
    return 0;
}

static int fini(void **state)
{
    (void)state;
    session_fini(&session);
    proxy_destroy(proxy);
    proxy = NULL;
    return 0;
}

static void send_group(const struct statement *statement)
{
    assert_int_equal(session_send(&session, statement, NULL), DB_OK);
    assert_int_equal(session_sync(&session), DB_OK);
}

static enum db_status receive(int64_t deadline_ns)
{
    struct session_result result;
    enum db_status status = session_receive(&session, deadline_ns, &result);
    if (status == DB_OK) {
        session_result_fini(&result);
    }
    return status;
}

static int64_t elapsed_ms(int64_t start_ns)
{
    return (clock_monotonic_ns() - start_ns) / CLOCK_NS_PER_MS;
}

/* A network that swallows everything sends no error: only the deadline ends the wait. */
static void network_black_hole_while_waiting_ends_at_the_deadline(void **state)
{
    (void)state;
    session_fixture_open(&session);
    session_fixture_run(&session, "SELECT 21", DB_OK);
    proxy_set_black_hole(proxy, true);
    int64_t start_ns = clock_monotonic_ns();
    send_group(&one);
    assert_int_equal(receive(start_ns + 300 * CLOCK_NS_PER_MS), DB_TIMEOUT_CLIENT);
    assert_true(elapsed_ms(start_ns) >= 300 && elapsed_ms(start_ns) < 300 + LATENESS_MS);
    start_ns = clock_monotonic_ns();
    session_close(&session);
    assert_true(elapsed_ms(start_ns) < LATENESS_MS);
    proxy_set_black_hole(proxy, false);
    session_fixture_open(&session);
}

/* The handshake has many steps, each of which may be the one that is never answered. */
static void network_black_hole_while_connecting_ends_at_the_deadline(void **state)
{
    (void)state;
    proxy_set_black_hole(proxy, true);
    int64_t start_ns = clock_monotonic_ns();
    assert_int_equal(session_open(&session, start_ns + 300 * CLOCK_NS_PER_MS), DB_TIMEOUT_CLIENT);
    assert_true(elapsed_ms(start_ns) >= 300 && elapsed_ms(start_ns) < 300 + LATENESS_MS);
    assert_int_equal(session_state(&session), SESSION_CLOSED);
    proxy_set_black_hole(proxy, false);
    session_fixture_open(&session);
}

/* A big parameter into a network that takes nothing must not block either. */
static void network_black_hole_while_writing_ends_at_the_deadline(void **state)
{
    static const struct statement length = {.name = "length",
                                            .sql = "SELECT length($1)::int8",
                                            .parameter_count = 1,
                                            .parameter_types = {SQL_TYPE_BYTEA}};
    struct arena arena;
    struct params params;
    char *bytes = calloc(1, BIG_BYTES);
    (void)state;

    assert_non_null(bytes);
    session_fixture_open(&session);
    proxy_set_black_hole(proxy, true);
    arena_init(&arena, BIG_BYTES + 64, BIG_BYTES + 64);
    params_init(&params, &arena);
    params_add_bytea(&params, bytes, BIG_BYTES);
    free(bytes);
    int64_t start_ns = clock_monotonic_ns();
    assert_int_equal(session_send(&session, &length, &params), DB_OK);
    assert_int_equal(session_sync(&session), DB_OK);
    assert_true(elapsed_ms(start_ns) < LATENESS_MS);
    arena_fini(&arena);
    assert_int_equal(receive(start_ns + 300 * CLOCK_NS_PER_MS), DB_TIMEOUT_CLIENT);
    assert_true(elapsed_ms(start_ns) < 300 + LATENESS_MS);
}

/* One silent host of several: the attempt after the deadline begins with the next. */
static void network_silent_first_host_is_tried_last_next_time(void **state)
{
    char url[2 * SCRATCH_POSTGRES_URL_BYTES], hosts[64];
    (void)state;

    const char *at = strchr(server.service_url, '@');
    const char *database = strrchr(server.service_url, '/');
    snprintf(hosts, sizeof(hosts), "@127.0.0.1:%d,127.0.0.1:%d", proxy_port(proxy),
             scratch_postgres_port(&server));
    snprintf(url, sizeof(url), "%.*s%s%s?target_session_attrs=read-write",
             (int)(at - server.service_url), server.service_url, hosts, database);
    config.conninfo = url;
    proxy_set_black_hole(proxy, true);
    assert_int_equal(session_open(&session, clock_deadline_in_ms(300)), DB_TIMEOUT_CLIENT);
    session_fixture_open(&session);
}

/* A host that refuses is passed over within the same attempt. */
static void network_refusing_first_host_is_passed_over(void **state)
{
    char url[2 * SCRATCH_POSTGRES_URL_BYTES];
    int unused_port = port_take();
    (void)state;

    const char *at = strchr(server.service_url, '@');
    snprintf(url, sizeof(url), "%.*s@127.0.0.1:%d,127.0.0.1:%d%s", (int)(at - server.service_url),
             server.service_url, unused_port, scratch_postgres_port(&server),
             strrchr(server.service_url, '/'));
    config.conninfo = url;
    session_fixture_open(&session);
}

/* A reset between send and receive. */
static void network_dropped_connection_is_a_loss(void **state)
{
    (void)state;
    session_fixture_open(&session);
    session_fixture_run(&session, "SELECT 22", DB_OK);
    proxy_set_black_hole(proxy, true);
    send_group(&one);
    proxy_drop(proxy);
    assert_int_equal(receive(session_fixture_deadline()), DB_CONNECTION_LOST);
    assert_string_equal(session_error(&session)->sqlstate, "");
    assert_int_equal(session_state(&session), SESSION_BROKEN);
    proxy_set_black_hole(proxy, false);
    session_close(&session);
    session_fixture_open(&session);
}

/* A long answer and two short ones behind it. */
static void send_wide_group(const struct statement *wide)
{
    assert_int_equal(session_send(&session, wide, NULL), DB_OK);
    assert_int_equal(session_send(&session, &one, NULL), DB_OK);
    assert_int_equal(session_send(&session, &one, NULL), DB_OK);
    assert_int_equal(session_sync(&session), DB_OK);
}

/*
 * With over 32 KB of one row in its buffer libpq reads on, and so meets a reset in the very call
 * that brings the answers. It then gives the first of them and forgets the others: those are lost,
 * which proves nothing, and not a riddle of the protocol.
 */
static void network_reset_right_behind_answers_is_a_loss(void **state)
{
    SESSION_FIXTURE_STATEMENT(wide, "SELECT repeat('x', 40000)");
    const struct timespec pause = {.tv_nsec = 10 * CLOCK_NS_PER_MS};
    struct patience patience = patience_of_ms(SESSION_FIXTURE_PATIENCE_MS);
    (void)state;

    session_fixture_open(&session);
    assert_int_equal(session_exec(&session, &one, NULL, session_fixture_deadline(), NULL), DB_OK);
    assert_int_equal(session_exec(&session, &wide, NULL, session_fixture_deadline(), NULL), DB_OK);
    uint64_t before = proxy_bytes(proxy, PROXY_TO_CLIENT);
    send_wide_group(&wide); /* to know how much it is */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(receive(session_fixture_deadline()), DB_OK);
    }
    assert_int_equal(session_drain(&session, session_fixture_deadline()), DB_OK);
    uint64_t wanted = proxy_bytes(proxy, PROXY_TO_CLIENT) - before;
    assert_true(wanted > 32768 && wanted < 57344);
    before = proxy_bytes(proxy, PROXY_TO_CLIENT);
    send_wide_group(&wide);
    while (proxy_bytes(proxy, PROXY_TO_CLIENT) - before < wanted) {
        assert_false(patience_is_over(&patience));
        nanosleep(&pause, NULL);
    }
    proxy_drop(proxy);
    assert_int_equal(receive(session_fixture_deadline()), DB_OK);
    assert_int_equal(receive(session_fixture_deadline()), DB_CONNECTION_LOST);
    assert_false(sqlstate_proves_rollback(session_error(&session)->sqlstate));
    assert_int_equal(session_state(&session), SESSION_BROKEN);
}

/* A distant server: several round trips' delay, and one for a whole group. */
static void network_delay_costs_one_round_trip_a_group(void **state)
{
    (void)state;
    session_fixture_open(&session);
    session_fixture_run(&session, "SELECT 23", DB_OK);
    assert_int_equal(session_exec(&session, &one, NULL, session_fixture_deadline(), NULL), DB_OK);
    proxy_set_delay_ms(proxy, DELAY_MS);
    int64_t start_ns = clock_monotonic_ns();
    for (int i = 0; i < GROUP; i++) {
        assert_int_equal(session_send(&session, &one, NULL), DB_OK);
    }
    assert_int_equal(session_sync(&session), DB_OK);
    for (int i = 0; i < GROUP; i++) {
        assert_int_equal(receive(session_fixture_deadline()), DB_OK);
    }
    /* One for each statement would be twice that. */
    assert_in_range(elapsed_ms(start_ns), 2 * DELAY_MS, GROUP * DELAY_MS);
}

/* ---- The connection is cut after every possible byte of a transaction ------------------------ */

#define CUTS_MAX 1000

enum told { TOLD_COMMITTED, TOLD_ROLLED_BACK, TOLD_UNKNOWN, TOLD_NOT_DONE };

/* One transaction in two groups, as a batch is, and what its caller may believe. */
static enum told insert_number(int64_t number)
{
    struct arena arena;
    struct params params;
    enum db_status status = DB_OK;

    arena_init(&arena, 256, 256);
    params_init(&params, &arena);
    params_add_int8(&params, number);
    if (session_send(&session, &begin, NULL) != DB_OK ||
        session_send(&session, &insert, &params) != DB_OK || session_sync(&session) != DB_OK ||
        receive(session_fixture_deadline()) != DB_OK ||
        receive(session_fixture_deadline()) != DB_OK) {
        arena_fini(&arena);
        return TOLD_NOT_DONE;
    }
    arena_fini(&arena);
    if ((status = session_send(&session, &commit, NULL)) == DB_OK &&
        (status = session_sync(&session)) == DB_OK) {
        status = receive(session_fixture_deadline());
    }
    return status == DB_OK                                               ? TOLD_COMMITTED
           : sqlstate_proves_rollback(session_error(&session)->sqlstate) ? TOLD_ROLLED_BACK
                                                                         : TOLD_UNKNOWN;
}

static bool is_kept(int64_t number)
{
    static const struct statement kept = {.name = "kept",
                                          .sql = "SELECT EXISTS (SELECT FROM kept WHERE n = $1)",
                                          .parameter_count = 1,
                                          .parameter_types = {SQL_TYPE_INT8}};
    struct session_result result;
    struct arena arena;
    struct params params;
    struct row row;

    arena_init(&arena, 256, 256);
    params_init(&params, &arena);
    params_add_int8(&params, number);
    assert_int_equal(session_exec(&session, &kept, &params, session_fixture_deadline(), &result),
                     DB_OK);
    arena_fini(&arena);
    row_init(&row, &result, 0);
    bool found = row_bool(&row, 0);
    assert_int_equal(row_fault(&row), ROW_SOUND);
    session_result_fini(&result);
    return found;
}

/*
 * Cuts one direction after each number of bytes in turn, until the transaction passes unharmed.
 * Returns how many it took; told[i] is what was told of number first + i.
 */
static size_t cut_everywhere(enum proxy_direction direction, int64_t first,
                             enum told told[CUTS_MAX])
{
    static const struct statement *const statements[] = {&begin, &insert, &commit};
    bool whole = false;
    size_t count = 0;

    config.statements = statements;
    config.statement_count = COUNT_OF(statements);
    while (!whole) {
        assert_true(count < CUTS_MAX);
        session_fixture_open(&session);
        uint64_t before = proxy_bytes(proxy, direction), allowed = count + 1;
        proxy_cut_after(proxy, direction, allowed);
        told[count] = insert_number(first + (int64_t)count);
        count++;
        whole = proxy_bytes(proxy, direction) - before < allowed;
        session_close(&session);
    }
    proxy_cut_after(proxy, direction, PROXY_UNLIMITED);
    assert_int_equal(told[count - 1], TOLD_COMMITTED);
    return count;
}

static void assert_nobody_was_lied_to(enum proxy_direction direction, int64_t first)
{
    static enum told told[CUTS_MAX];
    unsigned outcomes[4] = {0};
    size_t count = cut_everywhere(direction, first, told);

    /* Once no backend is left, everything is decided. */
    proxy_drop(proxy);
    session_fixture_await(&server, "SELECT count(*) = 0 FROM pg_stat_activity"
                                   " WHERE application_name = 'session_test'");
    session_fixture_open(&session);
    for (size_t i = 0; i < count; i++) {
        bool kept = is_kept(first + (int64_t)i);
        assert_true(told[i] != TOLD_COMMITTED || kept);
        assert_true(told[i] != TOLD_NOT_DONE || !kept);
        assert_true(told[i] != TOLD_ROLLED_BACK || !kept);
        outcomes[told[i]]++;
    }
    assert_true(outcomes[TOLD_UNKNOWN] > 0 && outcomes[TOLD_NOT_DONE] > 0);
}

/* The request is cut: whatever the server did with what it got, nobody is told a falsehood. */
static void network_cut_of_any_request_byte_never_lies(void **state)
{
    (void)state;
    assert_nobody_was_lied_to(PROXY_TO_SERVER, 1000);
}

/* The answer is cut: a COMMIT may have happened without its answer, and is never called failed. */
static void network_cut_of_any_answer_byte_never_lies(void **state)
{
    (void)state;
    assert_nobody_was_lied_to(PROXY_TO_CLIENT, 3000);
}

/* ---- Full buffers ---------------------------------------------------------------------------- */

static const struct statement echo_bytes = {.name = "echo_bytes",
                                            .sql = "SELECT $1::bytea || '!'::bytea",
                                            .parameter_count = 1,
                                            .parameter_types = {SQL_TYPE_BYTEA}};

/* Sends several big values in one group and receives them all back. */
static void exchange_big_values(void)
{
    char *bytes = malloc(BIG_BYTES);

    assert_non_null(bytes);
    for (size_t i = 0; i < BIG_BYTES; i++) {
        bytes[i] = (char)(i * 2654435761u >> 24);
    }
    for (int i = 0; i < BIG_STATEMENTS; i++) {
        struct arena arena;
        struct params params;
        arena_init(&arena, BIG_BYTES + 64, BIG_BYTES + 64);
        params_init(&params, &arena);
        params_add_bytea(&params, bytes, BIG_BYTES);
        assert_int_equal(session_send(&session, &echo_bytes, &params), DB_OK);
        arena_fini(&arena);
    }
    assert_int_equal(session_sync(&session), DB_OK);
    for (int i = 0; i < BIG_STATEMENTS; i++) {
        struct session_result result;
        struct row row;
        assert_int_equal(session_receive(&session, session_fixture_deadline(), &result), DB_OK);
        row_init(&row, &result, 0);
        struct sql_text value = row_bytea(&row, 0);
        assert_int_equal(value.length, BIG_BYTES + 1);
        assert_int_equal(memcmp(value.bytes, bytes, BIG_BYTES), 0);
        session_result_fini(&result);
    }
    free(bytes);
    session_fixture_run(&session, "SELECT 24", DB_OK);
}

/* Server and client both have megabytes to write: whoever only writes stalls for ever. */
static void network_big_values_both_ways_do_not_stall(void **state)
{
    (void)state;
    session_fixture_open(&session);
    exchange_big_values();
}

/* Nothing comes back before the whole value has arrived, so nothing but room to write wakes us. */
static void network_one_huge_value_is_written_without_an_answer(void **state)
{
    static const struct statement huge_length = {.name = "huge_length",
                                                 .sql = "SELECT length($1)::int8",
                                                 .parameter_count = 1,
                                                 .parameter_types = {SQL_TYPE_BYTEA}};
    struct session_result result;
    struct arena arena;
    struct params params;
    struct row row;
    char *bytes = calloc(1, HUGE_BYTES);
    (void)state;

    assert_non_null(bytes);
    session_fixture_open(&session);
    proxy_set_delay_ms(proxy, 20);
    arena_init(&arena, HUGE_BYTES + 64, HUGE_BYTES + 64);
    params_init(&params, &arena);
    params_add_bytea(&params, bytes, HUGE_BYTES);
    free(bytes);
    assert_int_equal(session_send(&session, &huge_length, &params), DB_OK);
    assert_int_equal(session_sync(&session), DB_OK);
    arena_fini(&arena);
    assert_int_equal(session_receive(&session, session_fixture_deadline(), &result), DB_OK);
    row_init(&row, &result, 0);
    assert_int_equal(row_int8(&row, 0), HUGE_BYTES);
    session_result_fini(&result);
}

/* TLS has buffers of its own, which poll() does not see. */
static void network_big_values_by_tls_do_not_stall(void **state)
{
    char url[SCRATCH_POSTGRES_URL_BYTES + 32];
    (void)state;

    session_fixture_admin(&server,
                          "COPY (SELECT 1) TO PROGRAM 'openssl req -new -x509 -days 2 -nodes"
                          " -subj /CN=localhost -newkey rsa:2048 -keyout server.key"
                          " -out server.crt 2>/dev/null && chmod 600 server.key'");
    session_fixture_admin(&server, "ALTER SYSTEM SET ssl = on");
    session_fixture_admin(&server, "SELECT pg_reload_conf()");
    session_fixture_await(&server, "SELECT current_setting('ssl') = 'on'");
    snprintf(url, sizeof(url), "%s?sslmode=require", proxy_url);
    config.conninfo = url;
    session_fixture_open(&session);
    assert_int_equal(session_fixture_number(&session, "SELECT ssl::int::int8 FROM pg_stat_ssl"
                                                      " WHERE pid = pg_backend_pid()"),
                     1);
    for (int round = 0; round < 3; round++) {
        exchange_big_values();
    }
    proxy_set_black_hole(proxy, true);
    send_group(&one);
    assert_int_equal(receive(clock_deadline_in_ms(100)), DB_TIMEOUT_CLIENT);
    session_close(&session);
    session_fixture_admin(&server, "ALTER SYSTEM SET ssl = off");
    session_fixture_admin(&server, "SELECT pg_reload_conf()");
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* the sanitizer's allocator keeps freed memory */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static size_t resident_bytes(void)
{
    unsigned long size, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &size, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Rule C4: the ids of a big sale are streamed, so that they never stand in memory together. */
static void network_streamed_rows_do_not_pile_up(void **state)
{
    SESSION_FIXTURE_STATEMENT(ids, "SELECT gen_random_uuid() FROM generate_series(1, 200000)");
    size_t rows = 0, at_start = 0, most = 0;
    (void)state;

    session_fixture_open(&session);
    assert_int_equal(session_send_streamed(&session, &ids, NULL), DB_OK);
    assert_int_equal(session_sync(&session), DB_OK);
    for (bool more = true; more;) {
        struct session_result result;
        assert_int_equal(session_receive(&session, session_fixture_deadline(), &result), DB_OK);
        assert_int_equal(result.row_count, result.more);
        more = result.more;
        session_result_fini(&result);
        rows += more;
        if (rows % 20000 == 1) {
            size_t now = resident_bytes();
            at_start = at_start == 0 ? now : at_start;
            most = now > most ? now : most;
        }
    }
    assert_int_equal(rows, 200000);
    if (!SANITIZED) {
        assert_true(most - at_start < (size_t)4 << 20);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, init, fini)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(network_black_hole_while_waiting_ends_at_the_deadline),
        TEST(network_black_hole_while_connecting_ends_at_the_deadline),
        TEST(network_black_hole_while_writing_ends_at_the_deadline),
        TEST(network_silent_first_host_is_tried_last_next_time),
        TEST(network_refusing_first_host_is_passed_over),
        TEST(network_dropped_connection_is_a_loss),
        TEST(network_reset_right_behind_answers_is_a_loss),
        TEST(network_delay_costs_one_round_trip_a_group),
        TEST(network_cut_of_any_request_byte_never_lies),
        TEST(network_cut_of_any_answer_byte_never_lies),
        TEST(network_big_values_both_ways_do_not_stall),
        TEST(network_one_huge_value_is_written_without_an_answer),
        TEST(network_big_values_by_tls_do_not_stall),
        TEST(network_streamed_rows_do_not_pile_up),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
