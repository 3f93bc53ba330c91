/*
 * How every transaction on a sale begins: BEGIN, the lock of the sale's row, then the time, as
 * statements of their own (CORRECTNESS B1, B2). Private to this adapter.
 */
#ifndef ORDERS_ADAPTERS_POSTGRES_SALE_LOCK_H
#define ORDERS_ADAPTERS_POSTGRES_SALE_LOCK_H

#include "orders/domain/sale.h"
#include "postgres/session.h"

struct arena;

/* Queues the three for the next session_sync(). */
enum db_status sale_lock_send(struct session *session, struct arena *arena,
                              const struct uuid *sale_id) MUST_CHECK;

/* Their results. *ret_found is false, and *ret as it was, when there is no such sale. */
enum db_status sale_lock_receive(struct session *session, int64_t deadline_ns, struct arena *arena,
                                 struct sale *ret, int64_t *ret_now_us, bool *ret_found) MUST_CHECK;

#endif
