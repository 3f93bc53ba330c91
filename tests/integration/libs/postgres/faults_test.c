/* What a session tells when the server is slow, ends it, dies, or is gone. */
#include "session_fixture.h"

#include "base/clock.h"
#include "postgres/backoff.h"
#include "postgres/row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* How late a wait may end on a machine that does other things besides; far below what it would take
 * if nothing but the server ended it. */
#define LATENESS_MS 30000
#define ENDLESS_MS  600000
#define TRIES       10

static struct scratch_postgres server;
static struct session_config config;
static struct session session;

SESSION_FIXTURE_STATEMENT(one, "SELECT 1::int8");
SESSION_FIXTURE_STATEMENT(many, "SELECT generate_series(1::int8, 2000)");
SESSION_FIXTURE_STATEMENT(sleep_long, "SELECT pg_sleep(600)");
SESSION_FIXTURE_STATEMENT(lock_row, "SELECT n FROM kept WHERE n = 1 FOR UPDATE");
SESSION_FIXTURE_STATEMENT(commit, "COMMIT");

static int start(void **state)
{
    (void)state;
    session_fixture_start_server(&server, false);
    session_fixture_admin(
        &server,
        "CREATE TABLE kept (n int8 PRIMARY KEY); INSERT INTO kept VALUES (1);"
        "CREATE TABLE slow (n int8);"
        "CREATE FUNCTION sleep_at_commit() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(600); RETURN NULL; END';"
        "CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION sleep_at_commit();"
        "GRANT ALL ON kept, slow TO stampede");
    config = session_fixture_config(server.service_url);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    scratch_postgres_stop(&server);
    return 0;
}

static int open_session(void **state)
{
    (void)state;
    config = session_fixture_config(server.service_url);
    session_init(&session, &config);
    session_fixture_open(&session);
    return 0;
}

static int close_session(void **state)
{
    (void)state;
    session_fini(&session);
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

static void assert_broken(enum db_status status)
{
    struct session_result result;
    assert_int_equal(session_state(&session), SESSION_BROKEN);
    assert_int_equal(session_transaction(&session), SESSION_TRANSACTION_UNKNOWN);
    /* Every later call gives the same answer, at once. */
    assert_int_equal(session_send(&session, &one, NULL), status);
    assert_int_equal(session_sync(&session), status);
    assert_int_equal(session_receive(&session, session_fixture_deadline(), &result), status);
    assert_int_equal(session_drain(&session, session_fixture_deadline()), status);
    assert_int_equal(session_error(&session)->status, status);
}

static void reopen(void)
{
    session_close(&session);
    session_fixture_open(&session);
    assert_int_equal(session_fixture_number(&session, "SELECT 11::int8"), 11);
}

static void terminate_backend(const char *pid)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%s)", pid);
    session_fixture_admin(&server, sql);
    snprintf(sql, sizeof(sql), "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s", pid);
    session_fixture_await(&server, sql);
}

/* A worker's own deadline holds although the server sleeps, and the session is then unusable. */
static void faults_deadline_while_the_server_sleeps_breaks_the_session(void **state)
{
    (void)state;
    send_group(&sleep_long);
    int64_t start_ns = clock_monotonic_ns();
    assert_int_equal(receive(start_ns + 200 * CLOCK_NS_PER_MS), DB_TIMEOUT_CLIENT);
    int64_t waited_ms = (clock_monotonic_ns() - start_ns) / CLOCK_NS_PER_MS;
    assert_true(waited_ms >= 200 && waited_ms < 200 + LATENESS_MS);
    assert_broken(DB_TIMEOUT_CLIENT);
    reopen();
}

/* Asks, and looks only when the answer should be there. */
static enum db_status receive_late(void)
{
    const struct timespec pause = {.tv_nsec = 200 * CLOCK_NS_PER_MS};
    session_fixture_run(&session, "SELECT 12", DB_OK);
    send_group(&one);
    nanosleep(&pause, NULL);
    return receive(clock_monotonic_ns() - 1);
}

/* A deadline in the past still takes what has arrived already, and waits for nothing. */
static void faults_past_deadline_takes_what_is_there(void **state)
{
    enum db_status status;
    int tries = 0;
    (void)state;

    while ((status = receive_late()) != DB_OK) { /* a busy server answers later still */
        assert_int_equal(status, DB_TIMEOUT_CLIENT);
        assert_true(++tries < TRIES);
        reopen();
    }
    send_group(&sleep_long);
    assert_int_equal(receive(0), DB_TIMEOUT_CLIENT);
}

/* client_connection_check_interval: a dropped session's backend does not linger on its lock. */
static void faults_backend_of_a_dropped_session_ends_soon(void **state)
{
    char pid[16], query[128];
    (void)state;

    session_close(&session);
    config.statement_timeout_ms = ENDLESS_MS;
    session_fixture_open(&session);
    session_fixture_backend(&session, pid);
    send_group(&sleep_long);
    assert_int_equal(receive(clock_deadline_in_ms(50)), DB_TIMEOUT_CLIENT);
    session_close(&session);
    int64_t start_ns = clock_monotonic_ns();
    snprintf(query, sizeof(query), "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s", pid);
    session_fixture_await(&server, query);
    assert_true(clock_monotonic_ns() - start_ns <
                (SESSION_CLIENT_CHECK_MS + LATENESS_MS) * CLOCK_NS_PER_MS);
}

/* Another worker holds the sale: the wait is bounded by the server, and the session stays. */
static void faults_lock_timeout_leaves_the_session_open(void **state)
{
    struct session holder;
    (void)state;

    session_init(&holder, &config);
    session_fixture_open(&holder);
    session_fixture_run(&holder, "BEGIN", DB_OK);
    session_fixture_run(&holder, "SELECT n FROM kept WHERE n = 1 FOR UPDATE", DB_OK);
    session_close(&session);
    config.lock_timeout_ms = 150;
    session_fixture_open(&session);
    send_group(&lock_row);
    assert_int_equal(receive(session_fixture_deadline()), DB_TIMEOUT);
    assert_string_equal(session_error(&session)->sqlstate, "55P03");
    assert_int_equal(session_state(&session), SESSION_OPEN);
    session_fixture_run(&holder, "ROLLBACK", DB_OK);
    session_fixture_run(&session, "SELECT 13", DB_OK);
    session_fini(&holder);
}

static void faults_statement_timeout_leaves_the_session_open(void **state)
{
    (void)state;
    session_close(&session);
    config.statement_timeout_ms = 150;
    session_fixture_open(&session);
    send_group(&sleep_long);
    assert_int_equal(receive(session_fixture_deadline()), DB_TIMEOUT);
    assert_string_equal(session_error(&session)->sqlstate, "57014");
    assert_false(sqlstate_proves_rollback(session_error(&session)->sqlstate));
    session_fixture_run(&session, "SELECT 14", DB_OK);
}

/* Rule A3: the server ends an idle transaction; whatever libpq makes of it must be a loss. */
static void faults_idle_transaction_timeout_is_a_loss(void **state)
{
    char pid[16], query[128];
    (void)state;

    session_close(&session);
    config.idle_in_transaction_timeout_ms = 150;
    session_fixture_open(&session);
    session_fixture_backend(&session, pid);
    session_fixture_run(&session, "BEGIN", DB_OK);
    snprintf(query, sizeof(query), "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s", pid);
    session_fixture_await(&server, query);
    send_group(&commit);
    assert_int_equal(receive(session_fixture_deadline()), DB_CONNECTION_LOST);
    assert_false(sqlstate_proves_rollback(session_error(&session)->sqlstate));
    assert_broken(DB_CONNECTION_LOST);
    reopen();
}

/* An operator ends a session that is idle: the next use, or a probe before it, tells. */
static void faults_terminated_before_send_is_told_at_receive(void **state)
{
    char pid[16];
    (void)state;

    session_fixture_backend(&session, pid);
    terminate_backend(pid);
    if (session_send(&session, &one, NULL) == DB_OK && session_sync(&session) == DB_OK) {
        enum db_status status = receive(session_fixture_deadline());
        assert_true(status == DB_SHUTDOWN || status == DB_CONNECTION_LOST);
        assert_broken(status);
    }
    assert_int_equal(session_state(&session), SESSION_BROKEN);
    reopen();
}

static void faults_terminated_while_idle_is_seen_by_probe(void **state)
{
    char pid[16];
    (void)state;

    assert_int_equal(session_probe(&session), SESSION_OPEN);
    session_fixture_backend(&session, pid);
    terminate_backend(pid);
    assert_int_equal(session_probe(&session), SESSION_BROKEN);
    assert_broken(DB_CONNECTION_LOST);
    reopen();
}

/* Ended in the middle of a statement: the server's last words are the reason. */
static void faults_terminated_while_running_is_a_shutdown(void **state)
{
    char pid[16], query[128];
    (void)state;

    session_fixture_backend(&session, pid);
    assert_int_equal(session_send(&session, &one, NULL), DB_OK);
    assert_int_equal(session_send(&session, &sleep_long, NULL), DB_OK);
    assert_int_equal(session_send(&session, &one, NULL), DB_OK);
    assert_int_equal(session_sync(&session), DB_OK);
    snprintf(query, sizeof(query),
             "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = %s", pid);
    session_fixture_await(&server, query);
    terminate_backend(pid);
    /* What came before the end is still handed out. */
    assert_int_equal(receive(session_fixture_deadline()), DB_OK);
    assert_int_equal(receive(session_fixture_deadline()), DB_SHUTDOWN);
    assert_string_equal(session_error(&session)->sqlstate, "57P01");
    assert_broken(DB_SHUTDOWN);
    reopen();
}

/* Answers that were sent before the server ended the session are answers all the same. */
static void faults_terminated_after_answering_still_hands_out_the_answers(void **state)
{
    char pid[16], query[128];
    (void)state;

    session_fixture_backend(&session, pid);
    assert_int_equal(session_send(&session, &one, NULL), DB_OK);
    assert_int_equal(session_send(&session, &many, NULL), DB_OK);
    assert_int_equal(session_send(&session, &one, NULL), DB_OK);
    assert_int_equal(session_sync(&session), DB_OK);
    send_group(&one);
    snprintf(
        query, sizeof(query),
        "SELECT state = 'idle' AND query LIKE 'SELECT 1%%' FROM pg_stat_activity WHERE pid = %s",
        pid);
    session_fixture_await(&server, query);
    terminate_backend(pid);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(receive(session_fixture_deadline()), DB_OK);
    }
    assert_int_equal(session_probe(&session), SESSION_BROKEN);
    reopen();
}

/* Ended during COMMIT: not one of the answers that prove a rollback. */
static void faults_terminated_during_commit_is_unknown(void **state)
{
    char pid[16], query[128];
    (void)state;

    session_fixture_backend(&session, pid);
    session_fixture_run(&session, "BEGIN", DB_OK);
    session_fixture_run(&session, "INSERT INTO slow VALUES (1)", DB_OK);
    send_group(&commit);
    snprintf(query, sizeof(query),
             "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = %s", pid);
    session_fixture_await(&server, query);
    terminate_backend(pid);
    assert_int_equal(receive(session_fixture_deadline()), DB_SHUTDOWN);
    assert_false(sqlstate_proves_rollback(session_error(&session)->sqlstate));
    assert_broken(DB_SHUTDOWN);
    reopen();
}

/* A crash of the whole server in the middle of a statement, and the way back with the back-off. */
static void faults_killed_server_is_a_loss_until_it_is_back(void **state)
{
    struct backoff backoff;
    enum db_status status;
    (void)state;

    send_group(&sleep_long);
    assert_int_equal(scratch_postgres_kill(&server), 0);
    status = receive(session_fixture_deadline());
    assert_true(status == DB_CONNECTION_LOST || status == DB_SHUTDOWN);
    assert_broken(status);
    session_close(&session);
    int64_t start_ns = clock_monotonic_ns();
    assert_int_equal(session_open(&session, session_fixture_deadline()), DB_CONNECTION_LOST);
    assert_true(clock_monotonic_ns() - start_ns < LATENESS_MS * CLOCK_NS_PER_MS);
    assert_true(strlen(session_error(&session)->message) > 0);
    assert_int_equal(scratch_postgres_restart(&server), 0);
    backoff_init(&backoff, 1);
    while ((status = session_open(&session, session_fixture_deadline())) != DB_OK) {
        assert_true(status == DB_CONNECTION_LOST || status == DB_SHUTDOWN);
        struct timespec pause = {.tv_nsec = (long)(backoff_next_ms(&backoff) % 1000 * 1000000)};
        nanosleep(&pause, NULL);
    }
    assert_int_equal(session_fixture_number(&session, "SELECT count(*) FROM kept"), 1);
}

/* After an orderly restart every statement is prepared again, listed ones and others. */
static void faults_restarted_server_gets_all_statements_again(void **state)
{
    const struct statement *statements[] = {&one, &lock_row};
    (void)state;

    session_close(&session);
    config.statements = statements;
    config.statement_count = COUNT_OF(statements);
    session_fixture_open(&session);
    session_fixture_run(&session, "SELECT 15", DB_OK);
    assert_int_equal(scratch_postgres_halt(&server), 0);
    assert_int_equal(session_probe(&session), SESSION_BROKEN);
    session_close(&session);
    assert_int_equal(scratch_postgres_restart(&server), 0);
    session_fixture_open(&session);
    send_group(&one);
    assert_int_equal(receive(session_fixture_deadline()), DB_OK);
    send_group(&lock_row);
    assert_int_equal(receive(session_fixture_deadline()), DB_OK);
    session_fixture_run(&session, "SELECT 15", DB_OK);
}

/* A server that shuts down says so to those who come. */
static void faults_halted_server_refuses_at_once(void **state)
{
    (void)state;
    session_close(&session);
    assert_int_equal(scratch_postgres_halt(&server), 0);
    int64_t start_ns = clock_monotonic_ns();
    assert_int_equal(session_open(&session, session_fixture_deadline()), DB_CONNECTION_LOST);
    assert_true(clock_monotonic_ns() - start_ns < LATENESS_MS * CLOCK_NS_PER_MS);
    assert_int_equal(scratch_postgres_restart(&server), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_session, close_session)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(faults_deadline_while_the_server_sleeps_breaks_the_session),
        TEST(faults_past_deadline_takes_what_is_there),
        TEST(faults_backend_of_a_dropped_session_ends_soon),
        TEST(faults_lock_timeout_leaves_the_session_open),
        TEST(faults_statement_timeout_leaves_the_session_open),
        TEST(faults_idle_transaction_timeout_is_a_loss),
        TEST(faults_terminated_before_send_is_told_at_receive),
        TEST(faults_terminated_while_idle_is_seen_by_probe),
        TEST(faults_terminated_while_running_is_a_shutdown),
        TEST(faults_terminated_after_answering_still_hands_out_the_answers),
        TEST(faults_terminated_during_commit_is_unknown),
        TEST(faults_killed_server_is_a_loss_until_it_is_back),
        TEST(faults_restarted_server_gets_all_statements_again),
        TEST(faults_halted_server_refuses_at_once),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
