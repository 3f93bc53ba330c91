/* What the tests of sessions share: one server a program, short timeouts, impatient helpers. */
#ifndef SESSION_FIXTURE_H
#define SESSION_FIXTURE_H

#include "postgres/session.h"
#include "postgres/statement.h"
#include "support/scratch_postgres.h"

/* Long enough for a busy machine; no test waits for it to pass. */
#define SESSION_FIXTURE_PATIENCE_MS 120000

/* Starts the server; by_tcp for proxies. Fails the test program if it cannot. */
void session_fixture_start_server(struct scratch_postgres *ret_server, bool by_tcp);

/* The configuration that most tests use: no statements, timeouts of seconds. */
struct session_config session_fixture_config(const char *conninfo);

/* session_open with patience; fails the test with the error's words. */
void session_fixture_open(struct session *session);

/* Runs constant SQL without parameters and forgets what it returns; the expected status is
 * asserted. */
void session_fixture_run(struct session *session, const char *sql, enum db_status expected);

/* The first value of what constant SQL without parameters returns, as int8. */
int64_t session_fixture_number(struct session *session, const char *sql);

/* Makes ret a statement without parameters of this text, for tests that send groups. */
#define SESSION_FIXTURE_STATEMENT(identifier, text)                                                \
    static const struct statement identifier = {.name = #identifier, .sql = text}

/* Runs SQL as the superuser, outside of the session. */
void session_fixture_admin(const struct scratch_postgres *server, const char *sql);

/* Waits until the query, run as the superuser, returns 't'. */
void session_fixture_await(const struct scratch_postgres *server, const char *query);

/* The backend's process id, as text into ret_pid. */
void session_fixture_backend(struct session *session, char ret_pid[16]);

/* The deadline that lies patience ahead. */
int64_t session_fixture_deadline(void);

#endif
