/*
 * The one place that knows SQLSTATEs: what a failure means to a caller who must decide between
 * trying again, connecting again, blaming one row, and giving up. Any thread.
 */
#ifndef POSTGRES_SQLSTATE_H
#define POSTGRES_SQLSTATE_H

#include <stdbool.h>

#define SQLSTATE_CHARS 5

/*
 * X(name, label): label is the metrics label.
 *   DB_OK               it worked.
 *   DB_CONNECTION_LOST  the connection is gone or could not be made: class 08, 25P03, no SQLSTATE.
 *   DB_TIMEOUT_CLIENT   our own deadline passed; the session is broken and must be closed.
 *   DB_SKIPPED          never run: an earlier statement of its group failed.
 *   DB_TIMEOUT          the server's lock_timeout (55P03) or statement_timeout (57014).
 *   DB_CONSTRAINT       class 23.
 *   DB_DATA             class 22.
 *   DB_ROLLBACK         class 40: deadlock or serialization; the transaction was rolled back.
 *   DB_READ_ONLY        25006, or a standby where a writable server is demanded.
 *   DB_SHUTDOWN         57P01..57P05, the server ends or is not up yet: connect again.
 *   DB_TOO_MANY         53300: no connection slot left.
 *   DB_RESOURCES        the rest of class 53 and class 54: disk, memory, a limit.
 *   DB_ACCESS           class 28, 3D000, 42501: credentials, database or privilege.
 *   DB_STATEMENT        class 42, 26000, 0A000: statement and schema do not fit together.
 *   DB_CONFIG           the connection string, or a session setting that is not in force.
 *   DB_OUT_OF_MEMORY    the parameters did not fit their arena, or libpq had no memory.
 *   DB_PROTOCOL         an answer that this library cannot accept.
 *   DB_OTHER            any other SQLSTATE.
 */
#define SQLSTATE_STATUS_TABLE(X)                                                                   \
    X(DB_OK, "ok")                                                                                 \
    X(DB_CONNECTION_LOST, "connection_lost")                                                       \
    X(DB_TIMEOUT_CLIENT, "timeout_client")                                                         \
    X(DB_SKIPPED, "skipped")                                                                       \
    X(DB_TIMEOUT, "timeout")                                                                       \
    X(DB_CONSTRAINT, "constraint")                                                                 \
    X(DB_DATA, "data")                                                                             \
    X(DB_ROLLBACK, "rollback")                                                                     \
    X(DB_READ_ONLY, "read_only")                                                                   \
    X(DB_SHUTDOWN, "shutdown")                                                                     \
    X(DB_TOO_MANY, "too_many")                                                                     \
    X(DB_RESOURCES, "resources")                                                                   \
    X(DB_ACCESS, "access")                                                                         \
    X(DB_STATEMENT, "statement")                                                                   \
    X(DB_CONFIG, "config")                                                                         \
    X(DB_OUT_OF_MEMORY, "out_of_memory")                                                           \
    X(DB_PROTOCOL, "protocol")                                                                     \
    X(DB_OTHER, "other")

enum db_status {
#define SQLSTATE_STATUS_VALUE(name, label) name,
    SQLSTATE_STATUS_TABLE(SQLSTATE_STATUS_VALUE)
#undef SQLSTATE_STATUS_VALUE
        DB_STATUS_COUNT
};

/*
 * What an error with this SQLSTATE means. NULL and "" are what libpq gives when it made the error
 * itself, which it does when the connection broke: DB_CONNECTION_LOST. Never DB_OK but for "00000".
 */
enum db_status sqlstate_classify(const char *sqlstate);

/* The metrics label of a status: a constant string. */
const char *sqlstate_status_label(enum db_status status);

/*
 * Whether an error with this SQLSTATE, received for a COMMIT, proves that nothing was committed:
 * classes 23 and 40 except 40003 (statement completion unknown). All else after a COMMIT was sent,
 * no SQLSTATE included, is an unknown outcome.
 */
bool sqlstate_proves_rollback(const char *sqlstate);

#endif
