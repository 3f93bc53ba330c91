/*
 * Why a call to the database failed, in words and codes that a log line, a metric and a decision
 * can use. A plain value; any thread may use its own.
 */
#ifndef POSTGRES_SESSION_ERROR_H
#define POSTGRES_SESSION_ERROR_H

#include "base/check.h"
#include "postgres/sqlstate.h"

#include <stddef.h>

#define SESSION_ERROR_MESSAGE_BYTES    256
#define SESSION_ERROR_CONSTRAINT_BYTES 64 /* an identifier has at most 63 */

struct pg_conn;
struct pg_result;

struct session_error {
    enum db_status status;
    char sqlstate[SQLSTATE_CHARS + 1];               /* "" when the error was made on this side */
    char constraint[SESSION_ERROR_CONSTRAINT_BYTES]; /* "" when none is named */
    char message[SESSION_ERROR_MESSAGE_BYTES];       /* UTF-8, one line, cut to fit, no password */
};

/* Sets an error of our own making; returns its status. */
enum db_status session_error_set(struct session_error *error, enum db_status status,
                                 const char *format, ...) PRINTF_LIKE(3, 4);

/* Takes over a failed result's SQLSTATE, constraint and primary message; returns the status. */
enum db_status session_error_set_result(struct session_error *error,
                                        const struct pg_result *result);

/*
 * Takes over a failed attempt to connect; returns the status. libpq 15 tells the SQLSTATE of such a
 * failure in its text only, and only when told PQERRORS_VERBOSE.
 */
enum db_status session_error_set_connect(struct session_error *error,
                                         const struct pg_conn *connection);

/* Puts "statement <name>: " before the message. */
void session_error_name_statement(struct session_error *error, const char *name);

/* Copies text as one line of UTF-8 that fits, whole characters only. */
void session_error_copy_line(char *ret_line, size_t line_bytes, const char *text);

#endif
