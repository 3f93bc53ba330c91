#include "session_fixture.h"

#include "base/clock.h"
#include "postgres/row.h"
#include "support/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

void session_fixture_start_server(struct scratch_postgres *ret_server, bool by_tcp)
{
    assert_int_equal(scratch_postgres_start(ret_server, false, by_tcp), 0);
}

struct session_config session_fixture_config(const char *conninfo)
{
    return (struct session_config){.conninfo = conninfo,
                                   .application_name = "session_test",
                                   .lock_timeout_ms = 2000,
                                   .statement_timeout_ms = 10000,
                                   .idle_in_transaction_timeout_ms = 10000,
                                   .tcp_user_timeout_ms = 10000};
}

int64_t session_fixture_deadline(void)
{
    return clock_deadline_in_ms(SESSION_FIXTURE_PATIENCE_MS);
}

void session_fixture_open(struct session *session)
{
    enum db_status status = session_open(session, session_fixture_deadline());
    if (status != DB_OK) {
        fail_msg("cannot open: %s: %s", sqlstate_status_label(status),
                 session_error(session)->message);
    }
}

/*
 * The statement of a constant SQL text, the same one at each call: sessions know statements by
 * their address. The thread's own.
 */
static const struct statement *statement_of(const char *sql)
{
    static _Thread_local struct statement statements[SESSION_STATEMENTS_MAX];
    static _Thread_local char names[SESSION_STATEMENTS_MAX][24];
    static _Thread_local size_t count;

    for (size_t i = 0; i < count; i++) {
        if (statements[i].sql == sql) {
            return &statements[i];
        }
    }
    assert_true(count < SESSION_STATEMENTS_MAX);
    snprintf(names[count], sizeof(names[count]), "fixture_%zu", count);
    statements[count] = (struct statement){.name = names[count], .sql = sql};
    return &statements[count++];
}

void session_fixture_run(struct session *session, const char *sql, enum db_status expected)
{
    enum db_status status =
        session_exec(session, statement_of(sql), NULL, session_fixture_deadline(), NULL);
    if (status != expected) {
        fail_msg("%s: %s instead of %s: %s", sql, sqlstate_status_label(status),
                 sqlstate_status_label(expected),
                 status == DB_OK ? "" : session_error(session)->message);
    }
}

int64_t session_fixture_number(struct session *session, const char *sql)
{
    struct session_result result;
    struct row row;
    enum db_status status =
        session_exec(session, statement_of(sql), NULL, session_fixture_deadline(), &result);
    if (status != DB_OK) {
        fail_msg("%s: %s", sql, session_error(session)->message);
    }
    assert_true(result.row_count > 0);
    row_init(&row, &result, 0);
    int64_t number = row_int8(&row, 0);
    assert_int_equal(row_fault(&row), ROW_SOUND);
    session_result_fini(&result);
    return number;
}

void session_fixture_admin(const struct scratch_postgres *server, const char *sql)
{
    assert_int_equal(scratch_postgres_execute(server->admin_url, sql), 0);
}

void session_fixture_await(const struct scratch_postgres *server, const char *query)
{
    const struct timespec pause = {.tv_nsec = 10 * CLOCK_NS_PER_MS};
    struct patience patience = patience_of_ms(SESSION_FIXTURE_PATIENCE_MS);
    char value[8];

    for (;;) {
        assert_int_equal(scratch_postgres_query(server->admin_url, query, value, sizeof(value)), 0);
        if (value[0] == 't') {
            return;
        }
        if (patience_is_over(&patience)) {
            fail_msg("never true: %s", query);
        }
        nanosleep(&pause, NULL);
    }
}

void session_fixture_backend(struct session *session, char ret_pid[16])
{
    snprintf(ret_pid, 16, "%lld",
             (long long)session_fixture_number(session, "SELECT pg_backend_pid()::int8"));
}
