/*
 * Reading orders: the store port's get_order, list_orders and read_order_ids, whose contract
 * ports/store.h has. Private to this adapter.
 */
#ifndef ORDERS_ADAPTERS_POSTGRES_ORDERS_H
#define ORDERS_ADAPTERS_POSTGRES_ORDERS_H

#include "orders/ports/store.h"

enum store_result orders_get(void *data, const struct uuid *sale_id, const struct uuid *order_id,
                             const char *customer_id, int64_t deadline_ns, struct arena *arena,
                             struct store_order *ret);

enum store_result orders_list(void *data, const struct uuid *sale_id, const char *customer_id,
                              int64_t after, size_t limit, int64_t deadline_ns, struct arena *arena,
                              struct store_order_page *ret);

enum store_result orders_read_ids(void *data, const struct uuid *sale_id, int64_t after,
                                  size_t limit, int64_t deadline_ns, struct arena *arena,
                                  struct uuid *ret_ids, size_t *ret_count);

#endif
