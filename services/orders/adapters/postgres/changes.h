/*
 * Every change of a sale and its orders that is not a placement: the store port's load_change and
 * store_change, whose contract ports/store.h has. Private to this adapter.
 */
#ifndef ORDERS_ADAPTERS_POSTGRES_CHANGES_H
#define ORDERS_ADAPTERS_POSTGRES_CHANGES_H

#include "orders/ports/store.h"

enum store_result changes_load(void *data, const struct uuid *sale_id,
                               const struct store_change_query *query, int64_t deadline_ns,
                               struct arena *arena, struct store_change_facts *ret);

enum store_result changes_store(void *data, const struct store_change_facts *facts,
                                const struct store_change *change, int64_t deadline_ns,
                                struct arena *arena);

#endif
