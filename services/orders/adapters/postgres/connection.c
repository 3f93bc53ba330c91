#include "orders/adapters/postgres/connection.h"

#include "base/clock.h"
#include "orders/adapters/postgres/queries/commit_transaction.h"
#include "orders/adapters/postgres/queries/read_schema_version.h"
#include "orders/adapters/postgres/queries/rollback_transaction.h"

#include <stdio.h>
#include <string.h>

/* One attempt to connect, settings and statements included. */
#define CONNECT_NS (2 * CLOCK_NS_PER_SECOND)

/* What work that has a caller waiting spends on a connection that turns out to be gone. */
#define QUICK_CONNECT_NS (250 * CLOCK_NS_PER_MS)

/* A sentence about the schema, three numbers included. */
#define MESSAGE_BYTES_MAX 128

struct store_postgres *connection_of(void *data)
{
    struct store_postgres *store = data;
    MAGIC_CHECK(store, CONNECTION_MAGIC);
    return store;
}

static int64_t now_ns(const struct store_postgres *store)
{
    return store->config.system->monotonic_ns(store->config.system->data);
}

void connection_report(struct store_postgres *store, enum db_status status)
{
    const struct session_error *error = session_error(&store->session);
    const struct store_postgres_observer *observer = &store->config.observer;
    /* A judgement of ours is not in the session's words, which may be of long ago. */
    bool told = error->status == status;
    observer->on_error(observer->data, sqlstate_status_label(status), told ? error->sqlstate : "",
                       told ? error->message
                            : "what was read breaks a rule of this program or does not fit its "
                              "memory");
}

enum store_result connection_unsound(struct store_postgres *store)
{
    connection_report(store, DB_PROTOCOL);
    return STORE_BROKEN;
}

int64_t connection_begin_load(const struct store_postgres *store)
{
    return now_ns(store);
}

enum store_result connection_end_load(struct store_postgres *store, const struct uuid *sale_id,
                                      int64_t begun_ns, enum db_status status, bool found,
                                      int64_t deadline_ns)
{
    const struct store_postgres_observer *observer = &store->config.observer;
    if (observer->on_loaded != NULL) {
        observer->on_loaded(observer->data, sale_id, now_ns(store) - begun_ns, status == DB_OK);
    }
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    return found ? STORE_OK : STORE_NOT_FOUND;
}

/* --- Opening ------------------------------------------------------------------------------------
 */

/* Whether schema_version says that this program may run here; tells the observer when not. */
static bool schema_fits(struct store_postgres *store, int64_t deadline_ns)
{
    const struct store_postgres_observer *observer = &store->config.observer;
    struct read_schema_version_row row;
    bool found;
    char message[MESSAGE_BYTES_MAX];

    enum db_status status = read_schema_version_exec(&store->session, deadline_ns, &found, &row);
    if (status != DB_OK) {
        connection_report(store, status);
        return false;
    }
    if (row.compatible_from <= STORE_POSTGRES_SCHEMA_VERSION &&
        STORE_POSTGRES_SCHEMA_VERSION <= row.version) {
        return true;
    }
    snprintf(message, sizeof(message),
             "the schema has version %d and serves programs from %d on; this one needs %d: run "
             "the migrations",
             row.version, row.compatible_from, STORE_POSTGRES_SCHEMA_VERSION);
    observer->on_error(observer->data, "schema_version", "", message);
    return false;
}

static bool open_once(struct store_postgres *store, int64_t deadline_ns)
{
    session_close(&store->session);
    enum db_status status = session_open(&store->session, deadline_ns);
    if (status != DB_OK) {
        connection_report(store, status);
    } else if (schema_fits(store, deadline_ns)) {
        backoff_reset(&store->backoff);
        store->next_attempt_ns = 0;
        store->config.observer.on_connected(store->config.observer.data);
        return true;
    }
    session_close(&store->session);
    store->next_attempt_ns = now_ns(store) + backoff_next_ms(&store->backoff) * CLOCK_NS_PER_MS;
    return false;
}

bool connection_is_open(void *data)
{
    struct store_postgres *store = connection_of(data);
    if (session_state(&store->session) != SESSION_OPEN) {
        return false;
    }
    if (session_probe(&store->session) == SESSION_OPEN) {
        return true;
    }
    connection_report(store, session_error(&store->session)->status);
    return false;
}

bool connection_wait_open(void *data, int64_t deadline_ns)
{
    struct store_postgres *store = connection_of(data);
    for (;;) {
        if (session_state(&store->session) == SESSION_OPEN) {
            return true;
        }
        int64_t now = now_ns(store);
        if (now >= deadline_ns) {
            return false;
        }
        if (store->next_attempt_ns > now) {
            store->config.system->sleep_ns(store->config.system->data,
                                           clock_earlier(store->next_attempt_ns, deadline_ns) -
                                               now);
            continue;
        }
        if (open_once(store, clock_earlier(now + CONNECT_NS, deadline_ns))) {
            return true;
        }
    }
}

bool connection_prepare(struct store_postgres *store, int64_t deadline_ns)
{
    if (session_probe(&store->session) == SESSION_OPEN) {
        return true;
    }
    session_close(&store->session);
    return connection_wait_open(store,
                                clock_earlier(now_ns(store) + QUICK_CONNECT_NS, deadline_ns));
}

/* --- Failing ------------------------------------------------------------------------------------
 */

void connection_rollback(struct store_postgres *store, int64_t deadline_ns)
{
    if (session_state(&store->session) != SESSION_OPEN ||
        session_drain(&store->session, deadline_ns) != DB_OK) {
        session_close(&store->session);
        return;
    }
    if (session_transaction(&store->session) == SESSION_TRANSACTION_NONE) {
        return;
    }
    enum db_status status = rollback_transaction_exec(&store->session, deadline_ns, NULL);
    if (status != DB_OK) {
        connection_report(store, status);
        session_close(&store->session);
    }
}

static enum store_result result_of(enum db_status status)
{
    switch (status) {
    case DB_TIMEOUT:
    case DB_TIMEOUT_CLIENT:
        return STORE_BUSY;
    case DB_ROLLBACK:
        return STORE_CONFLICT;
    case DB_CONSTRAINT:
    case DB_DATA:
        return STORE_REJECTED;
    case DB_CONNECTION_LOST:
    case DB_SHUTDOWN:
    case DB_READ_ONLY:
    case DB_TOO_MANY:
    case DB_RESOURCES:
    case DB_ACCESS:
        return STORE_UNAVAILABLE;
    default:
        return STORE_BROKEN;
    }
}

/* A server that has become read-only or takes our rights away is not the one to talk to any more.
 */
static bool wants_new_connection(enum db_status status)
{
    return status == DB_READ_ONLY || status == DB_SHUTDOWN || status == DB_ACCESS;
}

/* Ends what has failed, which was reported. */
static enum store_result give_up(struct store_postgres *store, enum db_status status,
                                 int64_t deadline_ns)
{
    if (wants_new_connection(status)) {
        session_close(&store->session);
    } else {
        connection_rollback(store, deadline_ns);
    }
    return result_of(status);
}

enum store_result connection_fail(struct store_postgres *store, enum db_status status,
                                  int64_t deadline_ns)
{
    connection_report(store, status);
    return give_up(store, status, deadline_ns);
}

enum store_result connection_fail_before_commit(struct store_postgres *store, enum db_status status,
                                                int64_t deadline_ns)
{
    connection_report(store, status);
    if (session_state(&store->session) == SESSION_OPEN &&
        session_drain(&store->session, deadline_ns) == DB_OK &&
        session_transaction(&store->session) == SESSION_TRANSACTION_FAILED) {
        return give_up(store, status, deadline_ns);
    }
    session_close(&store->session);
    return STORE_UNKNOWN;
}

/* --- Committing ---------------------------------------------------------------------------------
 */

enum store_result connection_receive_commit(struct store_postgres *store, int64_t deadline_ns)
{
    const struct store_postgres_observer *observer = &store->config.observer;
    struct session_result result;

    enum db_status status = session_receive(&store->session, deadline_ns, &result);
    if (status == DB_OK) {
        bool committed = strcmp(session_result_command(&result), "COMMIT") == 0;
        bool warned = result.warned;
        session_result_fini(&result);
        if (committed && !warned) {
            return STORE_OK;
        }
        if (!committed) {
            return STORE_CONFLICT; /* the server says ROLLBACK: proved */
        }
        observer->on_error(observer->data, "commit_warned", "", session_warning(&store->session));
    } else if (sqlstate_proves_rollback(session_error(&store->session)->sqlstate)) {
        return connection_fail(store, status, deadline_ns);
    } else {
        connection_report(store, status);
    }
    session_close(&store->session);
    return STORE_UNKNOWN;
}

enum store_result connection_commit(struct store_postgres *store, int64_t deadline_ns)
{
    enum db_status status = commit_transaction_send(&store->session);
    if (status == DB_OK) {
        status = session_sync(&store->session);
    }
    if (status == DB_OK) {
        return connection_receive_commit(store, deadline_ns);
    }
    connection_report(store, status);
    session_close(&store->session);
    return STORE_UNKNOWN;
}
