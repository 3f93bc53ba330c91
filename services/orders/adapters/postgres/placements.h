/*
 * The placement functions of the store port: load_placement, store_placed and abandon, whose
 * contract ports/store.h has. Private to this adapter.
 */
#ifndef ORDERS_ADAPTERS_POSTGRES_PLACEMENTS_H
#define ORDERS_ADAPTERS_POSTGRES_PLACEMENTS_H

#include "orders/ports/store.h"

enum store_result placements_load(void *data, const struct uuid *sale_id,
                                  const struct placement_request *requests, size_t count,
                                  int64_t deadline_ns, struct arena *arena,
                                  struct placement_facts *ret);

enum store_result placements_store(void *data, const struct placement_facts *facts,
                                   const struct placement_request *requests, size_t count,
                                   const struct placement_decision *decision, int64_t deadline_ns,
                                   struct arena *arena);

void placements_abandon(void *data, int64_t deadline_ns);

#endif
