/*
 * Making and reading sales: the store port's functions for them, whose contract ports/store.h has.
 * Private to this adapter.
 */
#ifndef ORDERS_ADAPTERS_POSTGRES_SALES_H
#define ORDERS_ADAPTERS_POSTGRES_SALES_H

#include "orders/ports/store.h"

enum store_result sales_create(void *data, const struct store_creation *creation,
                               int64_t deadline_ns, struct arena *arena,
                               enum store_creation_outcome *ret_outcome,
                               struct store_sale *ret_sale);

enum store_result sales_get(void *data, const struct uuid *sale_id, int64_t deadline_ns,
                            struct arena *arena, struct store_sale *ret);

enum store_result sales_list(void *data, const struct uuid *before, size_t limit,
                             int64_t deadline_ns, struct arena *arena, struct store_sale_page *ret);

enum store_result sales_known(void *data, const struct uuid *sale_ids, size_t count,
                              int64_t deadline_ns, struct arena *arena, bool *ret_known);

enum store_result sales_read(void *data, const struct uuid *sale_ids, size_t count,
                             int64_t deadline_ns, struct arena *arena, struct store_sale_page *ret);

#endif
