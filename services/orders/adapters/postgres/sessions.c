#include "orders/adapters/postgres/sessions.h"

#include "orders/adapters/postgres/connection.h"
#include "orders/adapters/postgres/queries/read_sessions.h"

enum store_result sessions_read(void *data, int64_t deadline_ns, struct store_sessions *ret)
{
    struct store_postgres *store = connection_of(data);
    struct read_sessions_row row;

    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    enum db_status status = read_sessions_exec(&store->session, deadline_ns, &row);
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    *ret = (struct store_sessions){
        .active = row.active,
        .idle = row.idle,
        .idle_in_transaction = row.idle_in_transaction,
        .lock_waiting = row.lock_waiting,
        .oldest_transaction_us = row.oldest_transaction_us,
    };
    return STORE_OK;
}
