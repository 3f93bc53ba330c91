#include "orders/adapters/postgres/store_postgres.h"

#include "orders/adapters/postgres/changes.h"
#include "orders/adapters/postgres/connection.h"
#include "orders/adapters/postgres/events.h"
#include "orders/adapters/postgres/holds.h"
#include "orders/adapters/postgres/orders.h"
#include "orders/adapters/postgres/placements.h"
#include "orders/adapters/postgres/queries/orders_postgres_queries.h"
#include "orders/adapters/postgres/sales.h"
#include "orders/adapters/postgres/sessions.h"

#include <errno.h>
#include <stdlib.h>

static struct session_config session_config_of(const struct store_postgres_config *config)
{
    return (struct session_config){
        .conninfo = config->conninfo,
        .application_name = config->application_name,
        .lock_timeout_ms = config->lock_timeout_ms,
        .statement_timeout_ms = config->statement_timeout_ms,
        .idle_in_transaction_timeout_ms = config->idle_in_transaction_timeout_ms,
        .tcp_user_timeout_ms = config->tcp_user_timeout_ms,
        .must_be_writable = true,
        .statements = orders_postgres_queries_all,
        .statement_count = ORDERS_POSTGRES_QUERIES_COUNT,
    };
}

static uint64_t random_seed(const struct system_port *system)
{
    uint64_t seed;
    system->random_bytes(system->data, (uint8_t *)&seed, sizeof(seed));
    return seed;
}

int store_postgres_create(const struct store_postgres_config *config, struct store *ret)
{
    struct store_postgres *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return -ENOMEM;
    }
    MAGIC_INIT(store, CONNECTION_MAGIC);
    store->config = *config;
    store->session_config = session_config_of(config);
    session_init(&store->session, &store->session_config);
    backoff_init(&store->backoff, random_seed(config->system));
    *ret = (struct store){
        .data = store,
        .load_placement = placements_load,
        .store_placed = placements_store,
        .load_change = changes_load,
        .store_change = changes_store,
        .abandon = placements_abandon,
        .is_connected = connection_is_open,
        .wait_connected = connection_wait_open,
        .create_sale = sales_create,
        .get_sale = sales_get,
        .list_sales = sales_list,
        .get_order = orders_get,
        .list_orders = orders_list,
        .read_events = events_read,
        .read_sales = sales_read,
        .read_order_ids = orders_read_ids,
        .due_sales = holds_due_sales,
        .prune_events = events_prune,
        .read_sessions = sessions_read,
        .known_sales = sales_known,
    };
    return 0;
}

void store_postgres_destroy(struct store *store)
{
    if (store->data == NULL) {
        return;
    }
    struct store_postgres *postgres = connection_of(store->data);
    session_fini(&postgres->session);
    MAGIC_CLEAR(postgres);
    free(postgres);
    *store = (struct store){0};
}
