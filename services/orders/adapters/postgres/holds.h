/*
 * Holds that run out: expired in the load of every transaction on their sale, and looked for over
 * all sales. Private to this adapter.
 */
#ifndef ORDERS_ADAPTERS_POSTGRES_HOLDS_H
#define ORDERS_ADAPTERS_POSTGRES_HOLDS_H

#include "orders/ports/store.h"
#include "postgres/session.h"

/* Queues the expiry of a locked sale's due holds, SETTLEMENT_EXPIRED_MAX at most. */
enum db_status holds_send_expiry(struct session *session, struct arena *arena,
                                 const struct uuid *sale_id) MUST_CHECK;

/* What expired, in the arena. */
enum db_status holds_receive_expiry(struct session *session, int64_t deadline_ns,
                                    struct arena *arena, const struct order_change **ret_expired,
                                    size_t *ret_count) MUST_CHECK;

/* due_sales of the port. */
enum store_result holds_due_sales(void *data, const struct uuid *after, size_t limit,
                                  int64_t deadline_ns, struct arena *arena,
                                  struct store_due_sale *ret_sales, size_t *ret_count);

#endif
