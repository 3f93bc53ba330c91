/*
 * One connection to PostgreSQL, always in pipeline mode and never blocking without a deadline.
 *
 * Statements go out in groups: session_send() queues one, session_sync() ends the group, and
 * session_receive() gives their results one by one in the order they were sent. A group is one
 * round trip and the border of an error: the first failing statement has its error, the rest of its
 * group is DB_SKIPPED, the next group runs. Groups may be sent before earlier ones were received.
 * Outside BEGIN a group is one implicit transaction, which commits with its last statement.
 *
 *     session_send(s, &lock_sale, &p);  session_send(s, &read_time, &q);  session_sync(s);
 *     session_receive(s, deadline, &sale); ...  session_receive(s, deadline, &time); ...
 *
 * COMMIT belongs in a later group than the statements that decide (rule A3 of the design), and what
 * its result proves is the caller's to judge: see session_result.warned, session_result_command()
 * and sqlstate_proves_rollback().
 *
 * Failures. Every function that talks to the server returns an enum db_status; the words are in
 * session_error(). An SQL error leaves the session open. A lost connection, a FATAL error, a passed
 * deadline or an unintelligible answer leave it SESSION_BROKEN: all that was pending is of unknown
 * outcome, every call answers the same error, and session_close() is the only way on. Nothing is
 * ever cancelled at the server, because PQcancel blocks without a bound; what the server still does
 * for a dropped connection is bounded by the settings below.
 *
 * One thread at a time; no global state; nothing is logged, but libpq itself complains on
 * stderr about a password file that others may read.
 */
#ifndef POSTGRES_SESSION_H
#define POSTGRES_SESSION_H

#include "base/check.h"
#include "postgres/prepared.h"
#include "postgres/session_error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_STATEMENTS_MAX       (PREPARED_STATEMENTS_MAX - 2) /* two are session_open's own */
#define SESSION_PENDING_MAX          512 /* statements, their Parses and Syncs not yet received */
#define SESSION_SERVER_VERSION_MIN   150000
#define SESSION_CLIENT_CHECK_MS      500 /* client_connection_check_interval */
#define SESSION_KEEPALIVE_IDLE_S     5
#define SESSION_KEEPALIVE_INTERVAL_S 2
#define SESSION_KEEPALIVE_COUNT      3

struct params;
struct pg_conn;
struct pg_result;
struct statement;

/* Must outlive the session. Times are milliseconds and above 0 (asserted). */
struct session_config {
    const char *conninfo;         /* a URL or key=value pairs; several hosts are tried in order */
    const char *application_name; /* used when conninfo names none */
    const char *extra_options;    /* more "-c name=value" for the server, or NULL; ours win */
    int lock_timeout_ms;
    int statement_timeout_ms;
    int idle_in_transaction_timeout_ms;
    int tcp_user_timeout_ms; /* both ends give up on unacknowledged data */
    bool must_be_writable;   /* refuse a standby or read-only server */
    const struct statement *const
        *statements;        /* prepared by session_open(); the rest at first use */
    size_t statement_count; /* at most SESSION_STATEMENTS_MAX */
};

enum session_state {
    SESSION_CLOSED, /* no socket */
    SESSION_OPEN,   /* settings verified, statements prepared */
    SESSION_BROKEN, /* failed; only session_close() helps */
};

enum session_transaction {
    SESSION_TRANSACTION_NONE,
    SESSION_TRANSACTION_OPEN,
    SESSION_TRANSACTION_FAILED,  /* the server accepts ROLLBACK only */
    SESSION_TRANSACTION_UNKNOWN, /* results are pending, or no connection */
};

/* One statement's result, or one row of it when streamed. Owns the rows until session_result_fini.
 */
struct session_result {
    struct pg_result *_result;
    size_t row_count;
    bool more; /* streamed: this was one row, receive again; the last has no row and more = false */
    bool warned; /* a WARNING came with it: session_warning() */
};

enum session_item_kind { SESSION_ITEM_PARSE, SESSION_ITEM_EXECUTE, SESSION_ITEM_SYNC };

struct session_item {
    enum session_item_kind kind;
    bool streamed;
    const struct statement *statement; /* NULL for a Sync */
};

#define SESSION_MAGIC UINT32_C(0x53e55104)

struct session {
    uint32_t magic;
    const struct session_config *_config;
    struct pg_conn *_connection;
    enum session_state _state;
    bool _read_only;
    bool _warned;          /* since the last result was handed out */
    bool _row_mode_set;    /* for the streamed statement at the head */
    bool _parse_failed;    /* the error in _error is that of the head's Parse */
    size_t _pending;       /* statements whose results were not yet received */
    size_t _unsynced;      /* statements sent since the last Sync */
    size_t _syncs_pending; /* Syncs in the ring: above 0 when the head's group has ended */
    size_t _host_offset;   /* which host of several is tried first */
    unsigned _first_item, _item_count; /* the ring of what was sent and not yet received */
    struct session_item _items[SESSION_PENDING_MAX];
    struct prepared _prepared;
    struct session_error _error;
    char _warning[SESSION_ERROR_MESSAGE_BYTES];
};

/* Makes a closed session on the caller's memory; it must not move afterwards. */
void session_init(struct session *session, const struct session_config *config);

/* Closes if need be. */
void session_fini(struct session *session);

/*
 * Connects a closed session, verifies that the settings are in force, and prepares the configured
 * statements, all before deadline_ns (absolute, CLOCK_MONOTONIC). On failure the session is closed
 * again and session_error() tells why: DB_CONFIG names a setting that something between here and
 * the server overrides, DB_STATEMENT a statement that the schema does not fit, DB_ACCESS,
 * DB_TOO_MANY, DB_SHUTDOWN, DB_READ_ONLY, DB_CONNECTION_LOST, DB_TIMEOUT_CLIENT the rest. After a
 * passed deadline the next call begins with the next host, so that one silent host of several
 * blocks nobody. A host name is resolved by getaddrinfo(), whose own time limit applies: use an
 * address or a quick resolver where the deadline must hold in full.
 */
enum db_status session_open(struct session *session, int64_t deadline_ns) MUST_CHECK;

/* Drops the connection at once, whatever was pending; the server rolls back what was not committed.
 */
void session_close(struct session *session);

enum session_state session_state(const struct session *session);
enum session_transaction session_transaction(const struct session *session);

/* Whether the server was read-only or in recovery when the session was opened. */
bool session_is_read_only(const struct session *session);

/* How many statements were sent whose results were not yet received. */
size_t session_pending(const struct session *session);

/*
 * Looks, without waiting, whether the server has ended an idle session; returns the state. Call it
 * before handing work to a session that was idle for long.
 */
enum session_state session_probe(struct session *session);

/*
 * Queues one execution; params may be NULL for none. Nothing need reach the server before the Sync.
 * The parameters' number and types must be the statement's (asserted). A statement not in the
 * config is prepared by the way at its first use. That Parse shares its group's fate: it fails in a
 * failed transaction, and when it is skipped, a group that was sent since fails with DB_STATEMENT
 * (26000); the use after that prepares it again. So list what a transaction needs.
 * DB_OUT_OF_MEMORY: the parameters had failed; nothing was queued and the session stays open.
 */
enum db_status session_send(struct session *session, const struct statement *statement,
                            const struct params *params) MUST_CHECK;

/*
 * As session_send, but the rows come one by one: memory holds one row, not the result. The server's
 * statement_timeout runs while the caller reads, so a long scan goes in slices.
 */
enum db_status session_send_streamed(struct session *session, const struct statement *statement,
                                     const struct params *params) MUST_CHECK;

/* Ends the group (at least one statement, asserted) and writes as much as the socket takes now. */
enum db_status session_sync(struct session *session) MUST_CHECK;

/*
 * The next statement's result, waiting until deadline_ns; its group must have been ended
 * (asserted). Writes what is still unwritten meanwhile, so neither side can stall on full socket
 * buffers. The last result of a group comes when the whole group is done: an implicit transaction
 * has committed, or that is the error. *ret is set on DB_OK only and must be given to
 * session_result_fini().
 */
enum db_status session_receive(struct session *session, int64_t deadline_ns,
                               struct session_result *ret) MUST_CHECK;

/* Receives and forgets all that is pending; DB_OK also when statements failed, but not when broken.
 */
enum db_status session_drain(struct session *session, int64_t deadline_ns) MUST_CHECK;

/* Send, sync and receive of one statement, with nothing else pending (asserted). ret may be NULL.
 */
enum db_status session_exec(struct session *session, const struct statement *statement,
                            const struct params *params, int64_t deadline_ns,
                            struct session_result *ret) MUST_CHECK;

/* Valid until the next call with this session. */
const struct session_error *session_error(const struct session *session);

/* The last WARNING's words since the session was opened, or "". */
const char *session_warning(const struct session *session);

/* Frees the rows. A zeroed or finished result is fine. */
void session_result_fini(struct session_result *result);

/* The rows that an INSERT, UPDATE or DELETE touched or a SELECT returned; 0 for others. */
int64_t session_result_affected(const struct session_result *result);

/* The command's tag: a COMMIT of a failed transaction succeeds with "ROLLBACK". Dies with result.
 */
const char *session_result_command(const struct session_result *result);

#endif
