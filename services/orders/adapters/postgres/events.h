/*
 * The outbox: the store port's read_events and prune_events, whose contract ports/store.h has.
 * Private to this adapter.
 */
#ifndef ORDERS_ADAPTERS_POSTGRES_EVENTS_H
#define ORDERS_ADAPTERS_POSTGRES_EVENTS_H

#include "orders/ports/store.h"

enum store_result events_read(void *data, const struct uuid *sale_id, int64_t from,
                              size_t events_max, size_t orders_max, int64_t deadline_ns,
                              struct arena *arena, struct store_event_page *ret);

enum store_result events_prune(void *data, int64_t age_us, int64_t deadline_ns, struct arena *arena,
                               size_t *ret_count, bool *ret_more);

#endif
