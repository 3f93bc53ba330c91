/*
 * What is known about the connections to PostgreSQL as they come and go, and what is told of it:
 * one line when the database is waited for and why, one when that changes, one when every
 * connection is up, one when the last is lost.
 *
 * The stores and the workers report; anybody may ask. Any thread.
 */
#ifndef ORDERS_POOL_VIEW_H
#define ORDERS_POOL_VIEW_H

#include "base/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lanes;
struct observe;
struct uuid;
struct waits;

struct pool_view {
    struct lanes *_lanes;
    const struct observe *_observe;
    struct waits *_waits;
    size_t _size;
    /* Some duty has gained its first or lost its last connection; see pool_view_is_serving. */
    void (*_on_change)(void *data);
    void *_data;
    struct pool_view_store {
        struct pool_view *view;
        bool connected_before; /* the store's own thread */
    } * _stores;
    struct {
        pthread_mutex_t lock;
        size_t connected;
        int64_t down_since_ns;    /* when something was last missing: the start, or a loss */
        bool was_serving;         /* when the last report came */
        const char *waiting_kind; /* why the database is waited for; NULL when it is not */
    } _shared;
};

/* Errors: -ENOMEM. Pointers are borrowed. on_change must not block; it may ask the view. */
int pool_view_init(struct pool_view *view, struct lanes *lanes, const struct observe *observe,
                   struct waits *waits, size_t size, void (*on_change)(void *data),
                   void *data) MUST_CHECK;

/* A zeroed struct is fine. */
void pool_view_fini(struct pool_view *view);

/* --- Reports --------------------------------------------------------------------------------- */

/* What the observer of store number index is given as its data. */
void *pool_view_store_data(struct pool_view *view, size_t index);

/* As struct store_postgres_observer wants them; data is what pool_view_store_data gave. */
void pool_view_on_error(void *data, const char *kind, const char *sqlstate, const char *message);
void pool_view_on_connected(void *data);
void pool_view_on_loaded(void *data, const struct uuid *sale_id, int64_t duration_ns, bool loaded);

/* As struct workers_observer wants it; data is the view. */
void pool_view_on_connection(void *data, size_t worker, bool connected);

/* --- Questions ------------------------------------------------------------------------------- */

/* Whether orders and reads have a connection each. */
bool pool_view_is_serving(struct pool_view *view);

/* The same, with the reason as text when not: "no connection for 12 s (access)". */
bool pool_view_explain(struct pool_view *view, char *ret_reason, size_t reason_bytes);

#endif
