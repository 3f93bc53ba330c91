#include "stores.h"

#include "limits.h"
#include "orders/adapters/postgres/store_postgres.h"
#include "orders/adapters/system/system_posix.h"
#include "pool_view.h"
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Says in pg_stat_activity what a connection is for. */
static void name_session(size_t index, size_t count, char ret_name[STORES_SESSION_NAME_BYTES])
{
    if (count == 1) {
        snprintf(ret_name, STORES_SESSION_NAME_BYTES, SETTINGS_PROGRAM);
    } else if (index == 0) {
        snprintf(ret_name, STORES_SESSION_NAME_BYTES, SETTINGS_PROGRAM " reads");
    } else {
        snprintf(ret_name, STORES_SESSION_NAME_BYTES, SETTINGS_PROGRAM " orders %zu", index);
    }
}

int stores_init(struct stores *stores, const struct settings *settings, struct pool_view *view)
{
    size_t count = (size_t)settings->pool_size;
    struct store_postgres_config config = {
        .conninfo = settings->database_url,
        .lock_timeout_ms = LIMITS_LOCK_MS,
        .statement_timeout_ms = LIMITS_STATEMENT_MS,
        .idle_in_transaction_timeout_ms = LIMITS_IDLE_IN_TRANSACTION_MS,
        .tcp_user_timeout_ms = LIMITS_TCP_USER_MS,
        .system = &system_posix,
        .observer = {.on_error = pool_view_on_error,
                     .on_connected = pool_view_on_connected,
                     .on_loaded = pool_view_on_loaded},
    };
    *stores = (struct stores){
        .all = calloc(count, sizeof(*stores->all)),
        .count = count,
        ._session_names = calloc(count, sizeof(*stores->_session_names)),
    };
    if (stores->all == NULL || stores->_session_names == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        name_session(i, count, stores->_session_names[i]);
        config.application_name = stores->_session_names[i];
        config.observer.data = pool_view_store_data(view, i);
        int error = store_postgres_create(&config, &stores->all[i]);
        if (error < 0) {
            return error;
        }
    }
    return 0;
}

void stores_fini(struct stores *stores)
{
    for (size_t i = 0; stores->all != NULL && i < stores->count; i++) {
        store_postgres_destroy(&stores->all[i]);
    }
    free(stores->all);
    free(stores->_session_names);
    *stores = (struct stores){0};
}
