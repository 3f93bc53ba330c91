#include "postgres/session_connect.h"

#include "postgres/conninfo.h"
#include "postgres/row.h"
#include "postgres/session.h"
#include "postgres/session_pipeline.h"
#include "postgres/settings.h"
#include "postgres/statement.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <string.h>

static const struct statement read_only_statement = {
    .name = "session_read_only",
    .sql = "SELECT pg_catalog.pg_is_in_recovery()"
           " OR pg_catalog.current_setting('transaction_read_only')::boolean",
};

/* libpq hands over every notice as it reads it, which is while its statement is at the head. */
static void on_notice(void *data, const PGresult *notice)
{
    struct session *session = data;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);

    MAGIC_CHECK(session, SESSION_MAGIC);
    if (severity != NULL && message != NULL && strcmp(severity, "WARNING") == 0) {
        session->_warned = true;
        session_error_copy_line(session->_warning, sizeof(session->_warning), message);
    }
}

/* Starts libpq's connecting; the session has a connection afterwards or _error says why not. */
static enum db_status start_connecting(struct session *session)
{
    struct conninfo conninfo;
    int error = conninfo_init(&conninfo, session->_config, session->_host_offset);

    if (error == -ENOMEM) {
        return session_error_set(&session->_error, DB_OUT_OF_MEMORY, "no memory to connect");
    }
    if (error < 0) {
        return session_error_set(&session->_error, DB_CONFIG, "the connection string %s",
                                 error == -E2BIG ? "has a list or options that are too long"
                                                 : "is neither a URL nor key=value pairs");
    }
    session->_connection = PQconnectStartParams(conninfo.keywords, conninfo.values, 0);
    conninfo_fini(&conninfo);
    if (session->_connection == NULL) {
        return session_error_set(&session->_error, DB_OUT_OF_MEMORY, "no memory to connect");
    }
    PQsetNoticeReceiver(session->_connection, on_notice, session);
    PQsetErrorVerbosity(session->_connection, PQERRORS_VERBOSE); /* see session_error_set_connect */
    if (PQstatus(session->_connection) == CONNECTION_BAD) {
        return session_error_set_connect(&session->_error, session->_connection);
    }
    return DB_OK;
}

/* Goes through libpq's handshake, several hosts included, by our own deadline. */
static enum db_status finish_connecting(struct session *session, int64_t deadline_ns)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;

    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED) {
            return session_error_set_connect(&session->_error, session->_connection);
        }
        int ready = session_pipeline_wait(session, next == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                                          deadline_ns);
        if (ready == 0) {
            return session_error_set(&session->_error, DB_TIMEOUT_CLIENT,
                                     "no connection before the deadline");
        }
        if (ready < 0) {
            return session_error_set(&session->_error, DB_CONNECTION_LOST,
                                     "cannot wait for the connection: %s", strerrordesc_np(-ready));
        }
        next = PQconnectPoll(session->_connection);
    }
    return DB_OK;
}

static enum db_status enter_pipeline(struct session *session)
{
    int version = PQserverVersion(session->_connection);

    if (version < SESSION_SERVER_VERSION_MIN) {
        return session_error_set(&session->_error, DB_CONFIG,
                                 "the server is PostgreSQL %d; %d or later is needed",
                                 version / 10000, SESSION_SERVER_VERSION_MIN / 10000);
    }
    PQsetErrorVerbosity(session->_connection, PQERRORS_DEFAULT);
    if (PQsetnonblocking(session->_connection, 1) != 0 ||
        !PQenterPipelineMode(session->_connection)) {
        return session_pipeline_break_by_libpq(session);
    }
    session->_state = SESSION_OPEN;
    return DB_OK;
}

/* Sends the questions about the session in one group and all Parses in another. */
static enum db_status send_set_up(struct session *session)
{
    const struct session_config *config = session->_config;
    enum db_status status;

    if ((status = session_send(session, &settings_statement, NULL)) != DB_OK ||
        (status = session_send(session, &read_only_statement, NULL)) != DB_OK ||
        (status = session_pipeline_send_sync(session)) != DB_OK) {
        return status;
    }
    for (size_t i = 0; i < config->statement_count; i++) {
        if ((status = session_pipeline_send_parse(session, config->statements[i])) != DB_OK) {
            return status;
        }
    }
    return session_pipeline_send_sync(session);
}

static enum db_status check_settings(struct session *session, int64_t deadline_ns)
{
    struct session_result result;
    struct settings_override override;
    enum db_status status = session_receive(session, deadline_ns, &result);

    if (status != DB_OK) {
        return status;
    }
    bool overridden = settings_find_override(session->_config, &result, &override);
    session_result_fini(&result);
    if (overridden) {
        return session_error_set(&session->_error, DB_CONFIG,
                                 "setting %s must be %s for this session but is %s: something"
                                 " between here and the server drops or overrides it",
                                 override.name, override.demanded,
                                 override.found[0] == '\0' ? "unknown" : override.found);
    }
    return DB_OK;
}

static enum db_status check_read_only(struct session *session, int64_t deadline_ns)
{
    struct session_result result;
    enum db_status status = session_receive(session, deadline_ns, &result);

    if (status != DB_OK) {
        return status;
    }
    struct row row = {0};
    if (result.row_count == 1) {
        row_init(&row, &result, 0);
        session->_read_only = row_bool(&row, 0);
    }
    bool understood = result.row_count == 1 && !row_failed(&row);
    session_result_fini(&result);
    if (!understood) {
        return session_pipeline_break_by_answer(session, "whether the server is read-only");
    }
    if (session->_read_only && session->_config->must_be_writable) {
        return session_error_set(&session->_error, DB_READ_ONLY,
                                 "the server is a standby or read-only");
    }
    return DB_OK;
}

static enum db_status check_prepared(struct session *session, int64_t deadline_ns)
{
    while (session_pipeline_head(session)->kind == SESSION_ITEM_PARSE) {
        const char *name = session_pipeline_head(session)->statement->name;
        enum db_status status = session_pipeline_receive_parse(session, deadline_ns);
        if (status != DB_OK) {
            session_error_name_statement(&session->_error, name);
            return status;
        }
    }
    return session_pipeline_receive_sync(session, deadline_ns);
}

static enum db_status set_up(struct session *session, int64_t deadline_ns)
{
    enum db_status status;

    if ((status = enter_pipeline(session)) != DB_OK || (status = send_set_up(session)) != DB_OK ||
        (status = check_settings(session, deadline_ns)) != DB_OK ||
        (status = check_read_only(session, deadline_ns)) != DB_OK) {
        return status;
    }
    return check_prepared(session, deadline_ns);
}

enum db_status session_connect(struct session *session, int64_t deadline_ns)
{
    enum db_status status;

    if ((status = start_connecting(session)) != DB_OK ||
        (status = finish_connecting(session, deadline_ns)) != DB_OK) {
        return status;
    }
    return set_up(session, deadline_ns);
}
