/*
 * The stores of the pool: one for each connection to PostgreSQL, named there after what it is for.
 */
#ifndef ORDERS_STORES_H
#define ORDERS_STORES_H

#include "base/check.h"
#include "orders/ports/store.h"

/* With its NUL; PostgreSQL keeps 63 characters. */
#define STORES_SESSION_NAME_BYTES 64

struct pool_view;
struct settings;

struct stores {
    struct store *all;
    size_t count;
    char (*_session_names)[STORES_SESSION_NAME_BYTES];
};

/* Makes settings->pool_size stores, not connected yet, which report to view; both must outlive
 * them. Errors: -ENOMEM, fini is still owed. */
int stores_init(struct stores *stores, const struct settings *settings,
                struct pool_view *view) MUST_CHECK;

/* Closes the connections; after the workers have ended. A zeroed struct is fine. */
void stores_fini(struct stores *stores);

#endif
