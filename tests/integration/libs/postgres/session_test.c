/* Groups, errors inside them, transactions, notices and streams on a real server. */
#include "session_fixture.h"

#include "base/arena.h"
#include "base/clock.h"
#include "postgres/params.h"
#include "postgres/row.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct scratch_postgres server;
static struct session_config config;
static struct session session;

SESSION_FIXTURE_STATEMENT(one, "SELECT 1::int8");
SESSION_FIXTURE_STATEMENT(two, "SELECT 2::int8");
SESSION_FIXTURE_STATEMENT(divide_by_zero, "SELECT 1 / 0");
SESSION_FIXTURE_STATEMENT(begin, "BEGIN ISOLATION LEVEL READ COMMITTED");
SESSION_FIXTURE_STATEMENT(commit, "COMMIT");
SESSION_FIXTURE_STATEMENT(rollback, "ROLLBACK");

static int start(void **state)
{
    (void)state;
    session_fixture_start_server(&server, false);
    session_fixture_admin(&server, "CREATE TABLE kept (n int8 CONSTRAINT kept_n_key UNIQUE"
                                   " DEFERRABLE INITIALLY DEFERRED,"
                                   " CONSTRAINT kept_n_check CHECK (n <> 13));"
                                   "GRANT ALL ON kept TO stampede");
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
    session_init(&session, &config);
    session_fixture_open(&session);
    session_fixture_run(&session, "DELETE FROM kept", DB_OK);
    return 0;
}

static int close_session(void **state)
{
    (void)state;
    session_fini(&session);
    return 0;
}

static void send(const struct statement *statement)
{
    assert_int_equal(session_send(&session, statement, NULL), DB_OK);
}

/* Receives the next result and forgets it. */
static enum db_status receive(void)
{
    struct session_result result;
    enum db_status status = session_receive(&session, session_fixture_deadline(), &result);
    if (status == DB_OK) {
        session_result_fini(&result);
    }
    return status;
}

static int64_t receive_number(void)
{
    struct session_result result;
    struct row row;
    assert_int_equal(session_receive(&session, session_fixture_deadline(), &result), DB_OK);
    assert_int_equal(result.row_count, 1);
    row_init(&row, &result, 0);
    int64_t number = row_int8(&row, 0);
    session_result_fini(&result);
    return number;
}

/* The order of results is the order of statements, over several groups in flight. */
static void session_groups_in_flight_answer_in_order(void **state)
{
    (void)state;
    send(&one);
    send(&two);
    assert_int_equal(session_sync(&session), DB_OK);
    send(&two);
    assert_int_equal(session_sync(&session), DB_OK);
    send(&one);
    assert_int_equal(session_pending(&session), 4);
    assert_int_equal(session_transaction(&session), SESSION_TRANSACTION_UNKNOWN);
    assert_int_equal(receive_number(), 1);
    assert_int_equal(receive_number(), 2);
    assert_int_equal(session_sync(&session), DB_OK);
    assert_int_equal(receive_number(), 2);
    assert_int_equal(receive_number(), 1);
    assert_int_equal(session_pending(&session), 0);
    assert_int_equal(session_transaction(&session), SESSION_TRANSACTION_NONE);
}

/* An error stops its own group only, and what it stopped is told apart from what failed. */
static void session_error_inside_a_group_skips_its_rest(void **state)
{
    (void)state;
    assert_int_equal(session_exec(&session, &two, NULL, session_fixture_deadline(), NULL), DB_OK);
    send(&one);
    send(&divide_by_zero);
    send(&two);
    send(&one);
    assert_int_equal(session_sync(&session), DB_OK);
    send(&two);
    assert_int_equal(session_sync(&session), DB_OK);
    assert_int_equal(receive_number(), 1);
    assert_int_equal(receive(), DB_DATA);
    assert_string_equal(session_error(&session)->sqlstate, "22012");
    assert_string_equal(session_error(&session)->message, "division by zero");
    assert_int_equal(receive(), DB_SKIPPED);
    assert_int_equal(receive(), DB_SKIPPED);
    assert_int_equal(receive_number(), 2);
    assert_int_equal(session_state(&session), SESSION_OPEN);
    session_fixture_run(&session, "SELECT 3", DB_OK);
}

/* What the load step does when a statement fails: roll back and go on with the same session. */
static void session_error_inside_a_transaction_ends_with_rollback(void **state)
{
    (void)state;
    send(&begin);
    send(&one);
    assert_int_equal(session_sync(&session), DB_OK);
    assert_int_equal(receive(), DB_OK);
    assert_int_equal(receive(), DB_OK);
    assert_int_equal(session_transaction(&session), SESSION_TRANSACTION_OPEN);
    session_fixture_run(&session, "INSERT INTO kept VALUES (13)", DB_CONSTRAINT);
    assert_string_equal(session_error(&session)->sqlstate, "23514");
    assert_string_equal(session_error(&session)->constraint, "kept_n_check");
    assert_int_equal(session_transaction(&session), SESSION_TRANSACTION_FAILED);
    session_fixture_run(&session, "SELECT 4", DB_OTHER);
    assert_string_equal(session_error(&session)->sqlstate, "25P02");
    session_fixture_run(&session, "ROLLBACK", DB_OK);
    assert_int_equal(session_transaction(&session), SESSION_TRANSACTION_NONE);
    /* Its Parse failed inside the failed transaction, so it has to be sent again. */
    session_fixture_run(&session, "SELECT 4", DB_OK);
}

/* Success of COMMIT is no proof: a failed transaction's COMMIT succeeds and rolls back. */
static void session_commit_of_a_failed_transaction_says_rollback(void **state)
{
    struct session_result result;
    (void)state;

    session_fixture_run(&session, "BEGIN", DB_OK);
    session_fixture_run(&session, "SELECT 1 / 0", DB_DATA);
    assert_int_equal(session_exec(&session, &commit, NULL, session_fixture_deadline(), &result),
                     DB_OK);
    assert_string_equal(session_result_command(&result), "ROLLBACK");
    session_result_fini(&result);
}

/* Outside BEGIN a group commits at its end: that failure must reach the caller, too. */
static void session_implicit_commit_that_fails_is_the_last_statements_error(void **state)
{
    SESSION_FIXTURE_STATEMENT(insert, "INSERT INTO kept VALUES (7)");
    (void)state;

    send(&insert);
    send(&insert);
    send(&one);
    assert_int_equal(session_sync(&session), DB_OK);
    send(&two);
    assert_int_equal(session_sync(&session), DB_OK);
    assert_int_equal(receive(), DB_OK);
    assert_int_equal(receive(), DB_OK);
    assert_int_equal(receive(), DB_CONSTRAINT);
    assert_string_equal(session_error(&session)->constraint, "kept_n_key");
    assert_true(sqlstate_proves_rollback(session_error(&session)->sqlstate));
    assert_int_equal(receive_number(), 2);
    assert_int_equal(session_fixture_number(&session, "SELECT count(*) FROM kept"), 0);
}

/* A deferred constraint fails COMMIT itself, which proves a rollback (class 23). */
static void session_commit_that_fails_proves_rollback(void **state)
{
    SESSION_FIXTURE_STATEMENT(insert_deferred, "INSERT INTO kept VALUES (8)");
    (void)state;

    send(&begin);
    send(&insert_deferred);
    send(&insert_deferred);
    assert_int_equal(session_sync(&session), DB_OK);
    send(&commit);
    assert_int_equal(session_sync(&session), DB_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(receive(), DB_OK);
    }
    assert_int_equal(receive(), DB_CONSTRAINT);
    assert_true(sqlstate_proves_rollback(session_error(&session)->sqlstate));
    assert_int_equal(session_transaction(&session), SESSION_TRANSACTION_NONE);
    assert_int_equal(session_fixture_number(&session, "SELECT count(*) FROM kept"), 0);
}

/* A statement that does not fit the schema fails alone, and is tried again once the schema does. */
static void session_statement_of_a_missing_table_is_parsed_again_later(void **state)
{
    SESSION_FIXTURE_STATEMENT(from_missing, "SELECT count(*) FROM missing");
    (void)state;

    send(&one);
    send(&from_missing);
    send(&from_missing);
    assert_int_equal(session_sync(&session), DB_OK);
    assert_int_equal(receive(), DB_OK);
    assert_int_equal(receive(), DB_STATEMENT);
    assert_string_equal(session_error(&session)->sqlstate, "42P01");
    assert_int_equal(receive(), DB_SKIPPED);
    session_fixture_admin(&server, "CREATE TABLE missing (); GRANT SELECT ON missing TO stampede");
    send(&from_missing);
    assert_int_equal(session_sync(&session), DB_OK);
    assert_int_equal(receive_number(), 0);
    session_fixture_admin(&server, "DROP TABLE missing");
}

/* A Parse skipped with its group was never seen by the server. */
static void session_statement_skipped_at_first_use_is_parsed_again(void **state)
{
    SESSION_FIXTURE_STATEMENT(late, "SELECT 5::int8");
    (void)state;

    send(&divide_by_zero);
    send(&late);
    assert_int_equal(session_sync(&session), DB_OK);
    send(&late); /* sent in the belief that the first Parse will succeed */
    assert_int_equal(session_sync(&session), DB_OK);
    assert_int_equal(receive(), DB_DATA);
    assert_int_equal(receive(), DB_SKIPPED);
    assert_int_equal(receive(), DB_STATEMENT);
    assert_string_equal(session_error(&session)->sqlstate, "26000");
    send(&late);
    assert_int_equal(session_sync(&session), DB_OK);
    assert_int_equal(receive_number(), 5);
}

/* Configured statements are ready before the first order, a failed transaction included. */
static void session_configured_statements_are_prepared_at_once(void **state)
{
    const struct statement *statements[] = {&one, &begin, &rollback, &divide_by_zero};
    struct session_config with_statements = config;
    struct session other;
    struct session_result result;
    (void)state;

    with_statements.statements = statements;
    with_statements.statement_count = COUNT_OF(statements);
    session_init(&other, &with_statements);
    session_fixture_open(&other);
    assert_int_equal(session_fixture_number(&other, "SELECT count(*) FROM pg_prepared_statements"
                                                    " WHERE name IN ('one', 'begin', 'rollback',"
                                                    " 'divide_by_zero')"),
                     4);
    assert_int_equal(session_exec(&other, &begin, NULL, session_fixture_deadline(), NULL), DB_OK);
    assert_int_equal(session_exec(&other, &divide_by_zero, NULL, session_fixture_deadline(), NULL),
                     DB_DATA);
    assert_int_equal(session_exec(&other, &rollback, NULL, session_fixture_deadline(), NULL),
                     DB_OK);
    assert_int_equal(session_exec(&other, &one, NULL, session_fixture_deadline(), &result), DB_OK);
    session_result_fini(&result);
    session_fini(&other);
}

/* The bound is the bound: session_open's own statements do not eat into it. */
static void session_configured_statements_may_be_the_most(void **state)
{
    static struct statement many[SESSION_STATEMENTS_MAX];
    static char names[SESSION_STATEMENTS_MAX][16];
    const struct statement *statements[SESSION_STATEMENTS_MAX];
    struct session_config with_most = config;
    struct session other;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(many); i++) {
        snprintf(names[i], sizeof(names[i]), "most_%zu", i);
        many[i] = (struct statement){.name = names[i], .sql = "SELECT 1::int8"};
        statements[i] = &many[i];
    }
    with_most.statements = statements;
    with_most.statement_count = COUNT_OF(statements);
    session_init(&other, &with_most);
    session_fixture_open(&other);
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        assert_int_equal(session_send(&other, &many[i], NULL), DB_OK);
    }
    assert_int_equal(session_sync(&other), DB_OK);
    assert_int_equal(session_drain(&other, session_fixture_deadline()), DB_OK);
    session_fini(&other);
}

/* A program on a schema that it does not fit must say so when it starts, not at the first order. */
static void session_open_with_a_statement_that_does_not_fit_names_it(void **state)
{
    SESSION_FIXTURE_STATEMENT(misfit, "SELECT no_such_column FROM kept");
    const struct statement *statements[] = {&one, &misfit, &two};
    struct session_config with_misfit = config;
    struct session other;
    (void)state;

    with_misfit.statements = statements;
    with_misfit.statement_count = COUNT_OF(statements);
    session_init(&other, &with_misfit);
    assert_int_equal(session_open(&other, session_fixture_deadline()), DB_STATEMENT);
    assert_string_equal(session_error(&other)->sqlstate, "42703");
    assert_non_null(strstr(session_error(&other)->message, "statement misfit: "));
    assert_int_equal(session_state(&other), SESSION_CLOSED);
    session_fini(&other);
}

/* Success with a WARNING on COMMIT is an unknown outcome; a NOTICE is nothing. */
static void session_warning_is_told_with_its_own_result(void **state)
{
    SESSION_FIXTURE_STATEMENT(warn, "DO $$ BEGIN RAISE WARNING 'careful'; END $$");
    SESSION_FIXTURE_STATEMENT(notice, "DO $$ BEGIN RAISE NOTICE 'by the way'; END $$");
    const struct {
        const struct statement *statement;
        bool warned;
    } sent[] = {{&one, false}, {&warn, true}, {&notice, false}, {&two, false}};
    (void)state;

    assert_string_equal(session_warning(&session), "");
    for (size_t i = 0; i < COUNT_OF(sent); i++) {
        send(sent[i].statement);
    }
    assert_int_equal(session_sync(&session), DB_OK);
    for (size_t i = 0; i < COUNT_OF(sent); i++) {
        struct session_result result;
        assert_int_equal(session_receive(&session, session_fixture_deadline(), &result), DB_OK);
        assert_int_equal(result.warned, sent[i].warned);
        session_result_fini(&result);
    }
    assert_string_equal(session_warning(&session), "careful");
}

/* The simplest COMMIT with a WARNING: there is nothing to commit. */
static void session_commit_outside_a_transaction_is_warned(void **state)
{
    struct session_result result;
    (void)state;

    assert_int_equal(session_exec(&session, &commit, NULL, session_fixture_deadline(), &result),
                     DB_OK);
    assert_true(result.warned);
    assert_string_equal(session_result_command(&result), "COMMIT");
    session_result_fini(&result);
    assert_int_equal(session_exec(&session, &one, NULL, session_fixture_deadline(), &result),
                     DB_OK);
    assert_false(result.warned);
    session_result_fini(&result);
}

/* Rule A3's case itself: a COMMIT that gives up waiting for its standby succeeds with a WARNING. */
static void session_commit_cancelled_while_waiting_for_a_standby_is_warned(void **state)
{
    struct session_result result;
    char pid[16], query[256];
    (void)state;

    session_fixture_backend(&session, pid);
    session_fixture_admin(&server, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    session_fixture_admin(&server, "SELECT pg_reload_conf()");
    session_fixture_await(&server,
                          "SELECT current_setting('synchronous_standby_names') = 'nobody'");
    session_fixture_run(&session, "BEGIN", DB_OK);
    session_fixture_run(&session, "INSERT INTO kept VALUES (9)", DB_OK);
    send(&commit);
    assert_int_equal(session_sync(&session), DB_OK);
    snprintf(query, sizeof(query),
             "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = %s", pid);
    session_fixture_await(&server, query);
    snprintf(query, sizeof(query), "SELECT pg_cancel_backend(%s)", pid);
    session_fixture_admin(&server, query);
    assert_int_equal(session_receive(&session, session_fixture_deadline(), &result), DB_OK);
    assert_true(result.warned);
    assert_string_equal(session_result_command(&result), "COMMIT");
    session_result_fini(&result);
    assert_non_null(strstr(session_warning(&session), "synchronous replication"));
    session_fixture_admin(&server, "ALTER SYSTEM RESET synchronous_standby_names");
    session_fixture_admin(&server, "SELECT pg_reload_conf()");
    session_fixture_await(&server, "SELECT current_setting('synchronous_standby_names') = ''");
}

/* The row count that rule B3 compares with what was decided. */
static void session_result_affected_counts_rows(void **state)
{
    SESSION_FIXTURE_STATEMENT(fill, "INSERT INTO kept SELECT generate_series(20, 29)");
    SESSION_FIXTURE_STATEMENT(update, "UPDATE kept SET n = n + 100 WHERE n < 24");
    const struct {
        const struct statement *statement;
        int64_t count;
    } cases[] = {{&fill, 10}, {&update, 4}, {&update, 0}, {&one, 1}, {&begin, 0}, {&rollback, 0}};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct session_result result;
        assert_int_equal(
            session_exec(&session, cases[i].statement, NULL, session_fixture_deadline(), &result),
            DB_OK);
        assert_int_equal(session_result_affected(&result), cases[i].count);
        session_result_fini(&result);
    }
}

/* A filter's ids are read row by row; around the stream the pipeline goes on as ever. */
static void session_stream_gives_one_row_at_a_time(void **state)
{
    SESSION_FIXTURE_STATEMENT(series, "SELECT n FROM generate_series(1::int8, 1000) AS s(n)");
    struct session_result result;
    int64_t expected = 1;
    (void)state;

    send(&one);
    assert_int_equal(session_send_streamed(&session, &series, NULL), DB_OK);
    send(&two);
    assert_int_equal(session_sync(&session), DB_OK);
    assert_int_equal(receive_number(), 1);
    for (;;) {
        struct row row;
        assert_int_equal(session_receive(&session, session_fixture_deadline(), &result), DB_OK);
        if (!result.more) {
            break;
        }
        assert_int_equal(result.row_count, 1);
        row_init(&row, &result, 0);
        assert_int_equal(row_int8(&row, 0), expected++);
        session_result_fini(&result);
    }
    assert_int_equal(expected, 1001);
    assert_int_equal(result.row_count, 0);
    assert_int_equal(session_result_affected(&result), 1000);
    session_result_fini(&result);
    assert_int_equal(receive_number(), 2);
    assert_int_equal(session_transaction(&session), SESSION_TRANSACTION_NONE);
}

/* A stream may be the first statement of a connection, be empty, or fail after some rows. */
static void session_stream_may_be_empty_or_fail(void **state)
{
    SESSION_FIXTURE_STATEMENT(empty, "SELECT 1 WHERE false");
    SESSION_FIXTURE_STATEMENT(failing,
                              "SELECT 10 / (5 - n) FROM generate_series(1::int8, 9) AS s(n)");
    struct session_result result;
    enum db_status status;
    size_t rows = 0;
    (void)state;

    assert_int_equal(session_send_streamed(&session, &empty, NULL), DB_OK);
    assert_int_equal(session_sync(&session), DB_OK);
    assert_int_equal(session_receive(&session, session_fixture_deadline(), &result), DB_OK);
    assert_false(result.more);
    session_result_fini(&result);
    assert_int_equal(session_send_streamed(&session, &failing, NULL), DB_OK);
    send(&one);
    assert_int_equal(session_sync(&session), DB_OK);
    while ((status = session_receive(&session, session_fixture_deadline(), &result)) == DB_OK) {
        assert_true(result.more);
        rows++;
        session_result_fini(&result);
    }
    assert_int_equal(rows, 4);
    assert_int_equal(status, DB_DATA);
    assert_int_equal(receive(), DB_SKIPPED);
    session_fixture_run(&session, "SELECT 6", DB_OK);
}

/* After trouble a worker throws away what is still to come, streams included. */
static void session_drain_leaves_a_usable_session(void **state)
{
    SESSION_FIXTURE_STATEMENT(more_series, "SELECT generate_series(1::int8, 5000)");
    (void)state;

    send(&one);
    assert_int_equal(session_send_streamed(&session, &more_series, NULL), DB_OK);
    send(&divide_by_zero);
    send(&two);
    assert_int_equal(session_sync(&session), DB_OK);
    send(&two); /* not synced: drain does it */
    assert_int_equal(receive_number(), 1);
    assert_int_equal(session_drain(&session, session_fixture_deadline()), DB_OK);
    assert_int_equal(session_pending(&session), 0);
    assert_int_equal(session_fixture_number(&session, "SELECT 7::int8"), 7);
}

/* Parameters that outgrew their arena are refused before anything is sent. */
static void session_send_of_failed_params_queues_nothing(void **state)
{
    static const struct statement echo = {.name = "echo",
                                          .sql = "SELECT $1::text",
                                          .parameter_count = 1,
                                          .parameter_types = {SQL_TYPE_TEXT}};
    struct arena arena;
    struct params params;
    (void)state;

    arena_init(&arena, 64, 64);
    params_init(&params, &arena);
    params_add_text(&params,
                    "0123456789012345678901234567890123456789"
                    "0123456789012345678901234567890123456789",
                    80);
    assert_int_equal(session_send(&session, &echo, &params), DB_OUT_OF_MEMORY);
    assert_int_equal(session_pending(&session), 0);
    assert_int_equal(session_state(&session), SESSION_OPEN);
    session_fixture_run(&session, "SELECT 8", DB_OK);
    arena_fini(&arena);
}

/* A closed session answers with an error; a worker may find it so at any call. */
static void session_closed_answers_every_call_with_a_loss(void **state)
{
    struct session_result result;
    struct session closed;
    (void)state;

    session_init(&closed, &config);
    assert_int_equal(session_state(&closed), SESSION_CLOSED);
    assert_int_equal(session_send(&closed, &one, NULL), DB_CONNECTION_LOST);
    assert_int_equal(session_sync(&closed), DB_CONNECTION_LOST);
    assert_int_equal(session_receive(&closed, session_fixture_deadline(), &result),
                     DB_CONNECTION_LOST);
    assert_int_equal(session_drain(&closed, session_fixture_deadline()), DB_CONNECTION_LOST);
    assert_int_equal(session_exec(&closed, &one, NULL, session_fixture_deadline(), NULL),
                     DB_CONNECTION_LOST);
    assert_string_equal(session_error(&closed)->message, "the session is closed");
    assert_int_equal(session_probe(&closed), SESSION_CLOSED);
    assert_int_equal(session_transaction(&closed), SESSION_TRANSACTION_UNKNOWN);
    session_close(&closed);
    session_fini(&closed);
}

/* Closing in the middle of everything leaks nothing, and the same session opens again. */
static void session_close_with_results_pending_can_be_opened_again(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        send(&begin);
        send(&one);
        assert_int_equal(session_sync(&session), DB_OK);
        assert_int_equal(receive(), DB_OK);
        send(&two);
        session_close(&session);
        session_fixture_open(&session);
        assert_int_equal(session_transaction(&session), SESSION_TRANSACTION_NONE);
        assert_int_equal(session_fixture_number(&session, "SELECT 9::int8"), 9);
    }
}

static void *use_own_session(void *data)
{
    struct session own;
    int64_t sum = 0;

    session_init(&own, &config);
    session_fixture_open(&own);
    for (int i = 0; i < 50; i++) {
        sum += session_fixture_number(&own, "SELECT 2::int8");
    }
    session_fini(&own);
    *(int64_t *)data = sum;
    return NULL;
}

/* The pool has one session a thread: they share nothing that a race could break. */
static void session_of_each_thread_is_independent(void **state)
{
    pthread_t threads[4];
    int64_t sums[4];
    (void)state;

    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use_own_session, &sums[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(sums[i], 100);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_session, close_session)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(session_groups_in_flight_answer_in_order),
        TEST(session_error_inside_a_group_skips_its_rest),
        TEST(session_error_inside_a_transaction_ends_with_rollback),
        TEST(session_commit_of_a_failed_transaction_says_rollback),
        TEST(session_implicit_commit_that_fails_is_the_last_statements_error),
        TEST(session_commit_that_fails_proves_rollback),
        TEST(session_statement_of_a_missing_table_is_parsed_again_later),
        TEST(session_statement_skipped_at_first_use_is_parsed_again),
        TEST(session_configured_statements_are_prepared_at_once),
        TEST(session_configured_statements_may_be_the_most),
        TEST(session_open_with_a_statement_that_does_not_fit_names_it),
        TEST(session_warning_is_told_with_its_own_result),
        TEST(session_commit_outside_a_transaction_is_warned),
        TEST(session_commit_cancelled_while_waiting_for_a_standby_is_warned),
        TEST(session_result_affected_counts_rows),
        TEST(session_stream_gives_one_row_at_a_time),
        TEST(session_stream_may_be_empty_or_fail),
        TEST(session_drain_leaves_a_usable_session),
        TEST(session_send_of_failed_params_queues_nothing),
        TEST(session_closed_answers_every_call_with_a_loss),
        TEST(session_close_with_results_pending_can_be_opened_again),
        TEST(session_of_each_thread_is_independent),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
