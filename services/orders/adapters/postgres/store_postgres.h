/*
 * The store port on PostgreSQL: one object, one connection, one thread's at a time.
 */
#ifndef ORDERS_ADAPTERS_POSTGRES_STORE_POSTGRES_H
#define ORDERS_ADAPTERS_POSTGRES_STORE_POSTGRES_H

#include "orders/ports/store.h"
#include "orders/ports/system.h"

/* The schema that this program is built for: schema_version.version (migrations/). */
#define STORE_POSTGRES_SCHEMA_VERSION 4

struct store_postgres;

/* What a store tells of itself, on its own thread; must not block. Texts live for the call only. */
struct store_postgres_observer {
    void *data;
    /* Something failed: the kind is a constant label, sqlstate may be empty. */
    void (*on_error)(void *data, const char *kind, const char *sqlstate, const char *message);
    /* A connection is open and its schema fits. */
    void (*on_connected)(void *data);
    /* How long the first round trip of a transaction on a sale took: the wait for the sale's lock,
     * the reads under it, and the network. Also where it failed: a lock that was not had in time.
     * May be NULL. */
    void (*on_loaded)(void *data, const struct uuid *sale_id, int64_t duration_ns, bool loaded);
};

/* Everything referred to must outlive the store. Times are milliseconds. */
struct store_postgres_config {
    const char *conninfo; /* a URL or key=value pairs */
    const char *application_name;
    int lock_timeout_ms;
    int statement_timeout_ms;
    int idle_in_transaction_timeout_ms;
    int tcp_user_timeout_ms;
    const struct system_port *system;
    struct store_postgres_observer observer;
};

/* Makes a store that is not connected yet. *ret points into it. Errors: -ENOMEM. */
int store_postgres_create(const struct store_postgres_config *config, struct store *ret) MUST_CHECK;

/* Closes the connection and frees; a zeroed store is fine. */
void store_postgres_destroy(struct store *store);

#endif
