#include "postgres/session_pipeline.h"

#include "base/clock.h"
#include "postgres/params.h"
#include "postgres/session.h"
#include "postgres/statement.h"

#include <errno.h>
#include <libpq-fe.h>
#include <limits.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>

/* Every statement may need a Parse, and a Sync of its own. */
_Static_assert(SESSION_PENDING_MAX > 2 * SESSION_STATEMENTS_MAX,
               "all statements can be prepared in one group");

/* Every parameter and result is binary. */
static const int binary_formats[STATEMENT_PARAMETERS_MAX] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* ---- Failures ------------------------------------------------------------------------------ */

/* The error is already in _error; nothing can be received any more. */
static enum db_status broken(struct session *session)
{
    session->_state = SESSION_BROKEN;
    return session->_error.status;
}

/* libpq refused a call: with a dead connection that is a loss, else it had no memory. */
enum db_status session_pipeline_break_by_libpq(struct session *session)
{
    bool lost = PQstatus(session->_connection) == CONNECTION_BAD;
    session_error_set(&session->_error, lost ? DB_CONNECTION_LOST : DB_OUT_OF_MEMORY, "%s",
                      PQerrorMessage(session->_connection));
    return broken(session);
}

static enum db_status broken_by_deadline(struct session *session)
{
    session_error_set(&session->_error, DB_TIMEOUT_CLIENT, "no answer before the deadline");
    return broken(session);
}

enum db_status session_pipeline_break_by_answer(struct session *session, const char *what)
{
    session_error_set(&session->_error, DB_PROTOCOL, "unexpected answer: %s", what);
    return broken(session);
}

/*
 * What had to come did not. libpq forgets what was sent when it finds the connection lost, even
 * where answers lie in its buffer behind the one that it hands out, so this is mostly a loss.
 */
static enum db_status broken_by_absence(struct session *session, const char *what)
{
    return PQstatus(session->_connection) == CONNECTION_BAD
               ? session_pipeline_break_by_libpq(session)
               : session_pipeline_break_by_answer(session, what);
}

/* Whether the server ended the session with this error, or the connection is gone. */
static bool is_fatal(const struct session *session, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return PQstatus(session->_connection) == CONNECTION_BAD ||
           (severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0));
}

/* Takes over the error of a result. */
static enum db_status take_error(struct session *session, const PGresult *result)
{
    enum db_status status = session_error_set_result(&session->_error, result);
    return is_fatal(session, result) ? broken(session) : status;
}

/* ---- What was sent and not yet received ----------------------------------------------------- */

static void push_item(struct session *session, enum session_item_kind kind,
                      const struct statement *statement, bool streamed)
{
    CHECK(session->_item_count < SESSION_PENDING_MAX);
    unsigned slot = (session->_first_item + session->_item_count) % SESSION_PENDING_MAX;
    session->_items[slot] =
        (struct session_item){.kind = kind, .streamed = streamed, .statement = statement};
    session->_item_count++;
    session->_syncs_pending += kind == SESSION_ITEM_SYNC;
    session->_pending += kind == SESSION_ITEM_EXECUTE;
}

const struct session_item *session_pipeline_head(const struct session *session)
{
    CHECK(session->_item_count > 0);
    return &session->_items[session->_first_item];
}

static void pop_item(struct session *session)
{
    enum session_item_kind kind = session_pipeline_head(session)->kind;
    session->_first_item = (session->_first_item + 1) % SESSION_PENDING_MAX;
    session->_item_count--;
    session->_syncs_pending -= kind == SESSION_ITEM_SYNC;
    session->_pending -= kind == SESSION_ITEM_EXECUTE;
}

/* ---- Waiting ------------------------------------------------------------------------------- */

/* Waits for events on the socket: above 0 when some came, 0 when the deadline passed, or -errno. */
int session_pipeline_wait(const struct session *session, short events, int64_t deadline_ns)
{
    struct pollfd socket = {.fd = PQsocket(session->_connection), .events = events};
    int ready;

    if (socket.fd < 0) {
        return -ENOTCONN;
    }
    do {
        int64_t remaining_ms = clock_remaining_ms(deadline_ns);
        ready = poll(&socket, 1, remaining_ms > INT_MAX ? INT_MAX : (int)remaining_ms);
    } while ((ready < 0 && errno == EINTR) || (ready == 0 && clock_remaining_ms(deadline_ns) > 0));
    return ready < 0 ? -errno : ready;
}

/*
 * Whether the TLS library holds bytes that it has read already: poll() would wait for others. libpq
 * reads at least 8 KB at a time, which is all that a record of PostgreSQL's own holds, but a record
 * of a TLS proxy in between may hold 16.
 */
static bool tls_has_bytes(PGconn *connection)
{
    SSL *tls = PQsslInUse(connection) ? PQsslStruct(connection, "OpenSSL") : NULL;
    return tls != NULL && SSL_pending(tls) > 0;
}

/* One round of writing what is unwritten and reading what has come; waits, at most, for either. */
static enum db_status exchange(struct session *session, int64_t deadline_ns)
{
    int unwritten = PQflush(session->_connection);
    if (unwritten < 0) {
        return session_pipeline_break_by_libpq(session);
    }
    if (!tls_has_bytes(session->_connection)) {
        short events = (short)(POLLIN | (unwritten > 0 ? POLLOUT : 0));
        int ready = session_pipeline_wait(session, events, deadline_ns);
        if (ready < 0) {
            session_error_set(&session->_error, DB_CONNECTION_LOST,
                              "cannot wait for the server: %s", strerrordesc_np(-ready));
            return broken(session);
        }
    }
    /* A loss shows in PQstatus, once what arrived before it was used up. */
    (void)PQconsumeInput(session->_connection);
    return DB_OK;
}

/*
 * The next piece of the head item: *ret is a result, or NULL where the item's results end. On a
 * lost connection it is what libpq has parsed already, then the loss, then NULL; PQgetResult does
 * not wait on a closed socket.
 */
static enum db_status next_piece(struct session *session, int64_t deadline_ns, PGresult **ret)
{
    while (PQisBusy(session->_connection) && PQstatus(session->_connection) != CONNECTION_BAD) {
        enum db_status status = exchange(session, deadline_ns);
        if (status != DB_OK) {
            return status;
        }
        /* Asked after each round: who sends without end keeps the socket readable for ever. */
        if (clock_remaining_ms(deadline_ns) == 0 && PQisBusy(session->_connection)) {
            return broken_by_deadline(session);
        }
    }
    *ret = PQgetResult(session->_connection);
    return DB_OK;
}

/*
 * The head item's result. It is the item's last, with libpq's NULL behind it taken too, unless it
 * is a streamed row or the session's end.
 */
static enum db_status item_result(struct session *session, int64_t deadline_ns, PGresult **ret)
{
    PGresult *result = NULL, *end = NULL;
    enum db_status status = next_piece(session, deadline_ns, &result);

    if (status != DB_OK) {
        return status;
    }
    if (result == NULL) {
        return broken_by_absence(session, "no result");
    }
    if (PQresultStatus(result) != PGRES_SINGLE_TUPLE && !is_fatal(session, result)) {
        status = next_piece(session, deadline_ns, &end);
        if (status == DB_OK && end != NULL) {
            status = session_pipeline_break_by_answer(session, "a second result");
        }
    }
    if (status != DB_OK) {
        PQclear(end);
        PQclear(result);
        return status;
    }
    *ret = result;
    return DB_OK;
}

/* ---- The three kinds of item ---------------------------------------------------------------- */

/* Receives the Parse at the head. Its error is kept for the Execute that it was sent for. */
enum db_status session_pipeline_receive_parse(struct session *session, int64_t deadline_ns)
{
    const struct statement *statement = session_pipeline_head(session)->statement;
    PGresult *result = NULL;
    enum db_status status = item_result(session, deadline_ns, &result);

    if (status != DB_OK) {
        return status;
    }
    ExecStatusType answer = PQresultStatus(result);
    pop_item(session);
    prepared_set(&session->_prepared, statement,
                 answer == PGRES_COMMAND_OK ? PREPARED_YES : PREPARED_NO);
    if (answer == PGRES_FATAL_ERROR) {
        session->_parse_failed = true;
        status = take_error(session, result);
    }
    PQclear(result);
    return status;
}

/* Receives the Sync at the head. An error before it: the implicit transaction did not commit. */
enum db_status session_pipeline_receive_sync(struct session *session, int64_t deadline_ns)
{
    enum db_status failure = DB_OK;

    for (bool ended = false;;) {
        PGresult *result = NULL;
        enum db_status status = next_piece(session, deadline_ns, &result);
        if (status != DB_OK) {
            return status;
        }
        if (result == NULL && !ended) {
            ended = true; /* of the error's results */
            continue;
        }
        if (result != NULL && PQresultStatus(result) == PGRES_FATAL_ERROR) {
            failure = take_error(session, result);
            PQclear(result);
            if (session->_state == SESSION_BROKEN) {
                return failure;
            }
            continue;
        }
        bool synced = result != NULL && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        PQclear(result);
        if (!synced) {
            return broken_by_absence(session, "no Sync");
        }
        pop_item(session);
        return failure;
    }
}

/* What an Execute's last result means. */
static enum db_status judge(struct session *session, const struct statement *statement,
                            const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        return DB_OK;
    case PGRES_FATAL_ERROR:
        take_error(session, result);
        if (strcmp(session->_error.sqlstate, "26000") == 0) {
            /* The server does not know the statement: its Parse failed after this was sent. */
            prepared_set(&session->_prepared, statement, PREPARED_NO);
        }
        return session->_error.status;
    case PGRES_PIPELINE_ABORTED:
        return session->_parse_failed
                   ? session->_error.status
                   : session_error_set(&session->_error, DB_SKIPPED,
                                       "not run: an earlier statement of its group failed");
    default:
        return session_pipeline_break_by_answer(session, PQresStatus(PQresultStatus(result)));
    }
}

/* The item at the head is done: takes it off, and its group's Sync too when that is next. */
static enum db_status finish_item(struct session *session, int64_t deadline_ns)
{
    pop_item(session);
    session->_row_mode_set = false;
    session->_parse_failed = false;
    if (session->_state == SESSION_OPEN &&
        session_pipeline_head(session)->kind == SESSION_ITEM_SYNC) {
        return session_pipeline_receive_sync(session, deadline_ns);
    }
    return DB_OK;
}

/* Receives the Execute at the head, or one row of it. */
enum db_status session_pipeline_receive_execute(struct session *session, int64_t deadline_ns,
                                                struct session_result *ret)
{
    const struct session_item item = *session_pipeline_head(session);
    PGresult *result = NULL;

    if (item.streamed && !session->_row_mode_set) {
        if (!PQsetSingleRowMode(session->_connection)) {
            return session_pipeline_break_by_answer(session, "rows cannot be streamed");
        }
        session->_row_mode_set = true;
    }
    enum db_status status = item_result(session, deadline_ns, &result);
    if (status != DB_OK) {
        return status;
    }
    bool more = PQresultStatus(result) == PGRES_SINGLE_TUPLE;
    if (!more) {
        status = judge(session, item.statement, result);
        enum db_status group_status = finish_item(session, deadline_ns);
        status = group_status != DB_OK ? group_status : status;
    }
    if (status == DB_OK) {
        *ret = (struct session_result){._result = result,
                                       .row_count = (size_t)PQntuples(result),
                                       .more = more,
                                       .warned = session->_warned};
    } else {
        PQclear(result);
    }
    session->_warned = false;
    return status;
}

/* ---- Sending -------------------------------------------------------------------------------- */

enum db_status session_pipeline_send_parse(struct session *session,
                                           const struct statement *statement)
{
    if (!PQsendPrepare(session->_connection, statement->name, statement->sql,
                       (int)statement->parameter_count, statement->parameter_types)) {
        return session_pipeline_break_by_libpq(session);
    }
    push_item(session, SESSION_ITEM_PARSE, statement, false);
    prepared_set(&session->_prepared, statement, PREPARED_SENT);
    return DB_OK;
}

enum db_status session_pipeline_send_execute(struct session *session,
                                             const struct statement *statement,
                                             const struct params *params, bool streamed)
{
    if (!PQsendQueryPrepared(session->_connection, statement->name, (int)statement->parameter_count,
                             params == NULL ? NULL : params->_values,
                             params == NULL ? NULL : params->_lengths, binary_formats, 1)) {
        return session_pipeline_break_by_libpq(session);
    }
    push_item(session, SESSION_ITEM_EXECUTE, statement, streamed);
    session->_unsynced++;
    return DB_OK;
}

enum db_status session_pipeline_send_sync(struct session *session)
{
    if (!PQpipelineSync(session->_connection)) {
        return session_pipeline_break_by_libpq(session);
    }
    push_item(session, SESSION_ITEM_SYNC, NULL, false);
    session->_unsynced = 0;
    return DB_OK;
}
