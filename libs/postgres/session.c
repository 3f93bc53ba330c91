#include "postgres/session.h"

#include "postgres/params.h"
#include "postgres/session_connect.h"
#include "postgres/session_pipeline.h"
#include "postgres/statement.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

static bool config_is_valid(const struct session_config *config)
{
    return config->conninfo != NULL && config->application_name != NULL &&
           config->lock_timeout_ms > 0 && config->statement_timeout_ms > 0 &&
           config->idle_in_transaction_timeout_ms > 0 && config->tcp_user_timeout_ms > 0 &&
           config->statement_count <= SESSION_STATEMENTS_MAX;
}

void session_init(struct session *session, const struct session_config *config)
{
    CHECK(config_is_valid(config));
    *session = (struct session){._config = config, ._state = SESSION_CLOSED};
    MAGIC_INIT(session, SESSION_MAGIC);
}

void session_fini(struct session *session)
{
    session_close(session);
    MAGIC_CLEAR(session);
}

enum db_status session_open(struct session *session, int64_t deadline_ns)
{
    MAGIC_CHECK(session, SESSION_MAGIC);
    CHECK(session->_state == SESSION_CLOSED);
    session->_warning[0] = '\0';
    session->_warned = false;
    enum db_status status = session_connect(session, deadline_ns);
    if (status != DB_OK) {
        if (status == DB_TIMEOUT_CLIENT || status == DB_READ_ONLY) {
            session->_host_offset++; /* the next attempt begins with the next host */
        }
        session_close(session);
    }
    return status;
}

void session_close(struct session *session)
{
    MAGIC_CHECK(session, SESSION_MAGIC);
    if (session->_connection != NULL) {
        if (session->_item_count > 0 && PQsocket(session->_connection) >= 0) {
            /* PQfinish would still try to send what was queued. */
            shutdown(PQsocket(session->_connection), SHUT_RDWR);
        }
        PQfinish(session->_connection);
        session->_connection = NULL;
    }
    prepared_clear(&session->_prepared);
    session->_state = SESSION_CLOSED;
    session->_read_only = session->_row_mode_set = session->_parse_failed = false;
    session->_first_item = session->_item_count = 0;
    session->_pending = session->_unsynced = session->_syncs_pending = 0;
}

enum session_state session_state(const struct session *session)
{
    return session->_state;
}

enum session_transaction session_transaction(const struct session *session)
{
    if (session->_state != SESSION_OPEN || session->_item_count > 0) {
        return SESSION_TRANSACTION_UNKNOWN;
    }
    switch (PQtransactionStatus(session->_connection)) {
    case PQTRANS_IDLE:
        return SESSION_TRANSACTION_NONE;
    case PQTRANS_INTRANS:
        return SESSION_TRANSACTION_OPEN;
    case PQTRANS_INERROR:
        return SESSION_TRANSACTION_FAILED;
    default:
        return SESSION_TRANSACTION_UNKNOWN;
    }
}

bool session_is_read_only(const struct session *session)
{
    return session->_read_only;
}

size_t session_pending(const struct session *session)
{
    return session->_pending;
}

enum session_state session_probe(struct session *session)
{
    MAGIC_CHECK(session, SESSION_MAGIC);
    /* Two rounds: a server that ends a session says so first and closes then. */
    for (int round = 0; round < 2 && session->_state == SESSION_OPEN && session->_pending == 0 &&
                        session_pipeline_wait(session, POLLIN, 0) != 0;
         round++) {
        if (!PQconsumeInput(session->_connection)) {
            session_pipeline_break_by_libpq(session);
        } else {
            (void)PQisBusy(session->_connection); /* makes libpq read the message */
        }
    }
    return session->_state;
}

/* What a session that is not open answers: the error that broke it, or that it was never opened. */
static enum db_status not_open(struct session *session)
{
    CHECK(session->_state != SESSION_OPEN);
    if (session->_state == SESSION_CLOSED) {
        session_error_set(&session->_error, DB_CONNECTION_LOST, "the session is closed");
    }
    return session->_error.status;
}

/* Queues an execution, and the statement's Parse before it if this connection knows none. */
static enum db_status send_statement(struct session *session, const struct statement *statement,
                                     const struct params *params, bool streamed)
{
    MAGIC_CHECK(session, SESSION_MAGIC);
    CHECK(params_match(params, statement));
    if (session->_state != SESSION_OPEN) {
        return not_open(session);
    }
    if (params != NULL && params_failed(params)) {
        return session_error_set(&session->_error, DB_OUT_OF_MEMORY,
                                 "the parameters of statement %s do not fit", statement->name);
    }
    if (prepared_get(&session->_prepared, statement) == PREPARED_NO) {
        enum db_status status = session_pipeline_send_parse(session, statement);
        if (status != DB_OK) {
            return status;
        }
    }
    return session_pipeline_send_execute(session, statement, params, streamed);
}

enum db_status session_send(struct session *session, const struct statement *statement,
                            const struct params *params)
{
    return send_statement(session, statement, params, false);
}

enum db_status session_send_streamed(struct session *session, const struct statement *statement,
                                     const struct params *params)
{
    return send_statement(session, statement, params, true);
}

enum db_status session_sync(struct session *session)
{
    MAGIC_CHECK(session, SESSION_MAGIC);
    if (session->_state != SESSION_OPEN) {
        return not_open(session);
    }
    CHECK(session->_unsynced > 0);
    return session_pipeline_send_sync(session);
}

enum db_status session_receive(struct session *session, int64_t deadline_ns,
                               struct session_result *ret)
{
    MAGIC_CHECK(session, SESSION_MAGIC);
    if (session->_state != SESSION_OPEN) {
        return not_open(session);
    }
    CHECK(session->_pending > 0 && session->_syncs_pending > 0);
    if (session_pipeline_head(session)->kind == SESSION_ITEM_PARSE) {
        enum db_status status = session_pipeline_receive_parse(session, deadline_ns);
        if (session->_state != SESSION_OPEN) {
            return status;
        }
    }
    return session_pipeline_receive_execute(session, deadline_ns, ret);
}

enum db_status session_drain(struct session *session, int64_t deadline_ns)
{
    if (session->_unsynced > 0 && session->_state == SESSION_OPEN) {
        enum db_status status = session_sync(session);
        if (status != DB_OK) {
            return status;
        }
    }
    while (session->_state == SESSION_OPEN && session->_pending > 0) {
        struct session_result result = {0};
        if (session_receive(session, deadline_ns, &result) == DB_OK) {
            session_result_fini(&result);
        }
    }
    return session->_state == SESSION_OPEN ? DB_OK : not_open(session);
}

enum db_status session_exec(struct session *session, const struct statement *statement,
                            const struct params *params, int64_t deadline_ns,
                            struct session_result *ret)
{
    struct session_result result = {0};
    enum db_status status;

    CHECK_IMPLIES(session->_state == SESSION_OPEN, session->_item_count == 0);
    if ((status = session_send(session, statement, params)) != DB_OK ||
        (status = session_sync(session)) != DB_OK ||
        (status = session_receive(session, deadline_ns, &result)) != DB_OK) {
        return status;
    }
    if (ret != NULL) {
        *ret = result;
    } else {
        session_result_fini(&result);
    }
    return DB_OK;
}

const struct session_error *session_error(const struct session *session)
{
    return &session->_error;
}

const char *session_warning(const struct session *session)
{
    return session->_warning;
}

void session_result_fini(struct session_result *result)
{
    PQclear(result->_result);
    *result = (struct session_result){0};
}

int64_t session_result_affected(const struct session_result *result)
{
    const char *digits = PQcmdTuples(result->_result);
    return digits[0] == '\0' ? 0 : strtoll(digits, NULL, 10);
}

const char *session_result_command(const struct session_result *result)
{
    return PQcmdStatus(result->_result);
}
