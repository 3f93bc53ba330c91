/*
 * Confirms and cancels a batch of orders of one sale: load, decide, store, in one transaction.
 */
#ifndef ORDERS_LOGIC_SETTLE_ORDERS_H
#define ORDERS_LOGIC_SETTLE_ORDERS_H

#include "orders/logic/batch_means.h"
#include "orders/logic/verdict.h"
#include "orders/ports/store.h"

/* One confirmation or cancellation. Times are those of place_orders_item. */
struct settle_orders_item {
    struct settlement_request in;
    int64_t deadline_ns;
    int64_t attempts_end_ns;

    enum verdict verdict;          /* out */
    struct settlement_order order; /* out, for DONE and ILLEGAL_TRANSITION; customer_id is in `in`'s
                                    * words where it was given, else in customer_text */
    struct money unit_price;       /* out, likewise */
    char customer_text[ORDER_CUSTOMER_CHARS_MAX + 1]; /* out, likewise */
};

/*
 * Gives each of count (1 to SETTLEMENT_BATCH_MAX) items its verdict: DONE, ORDER_NOT_FOUND,
 * ILLEGAL_TRANSITION, SALE_NOT_FOUND, or why none could be had. Blocks, repeats and ends as
 * place_orders_run does; what was sent and not answered is asked about again, which confirming and
 * cancelling allow, being idempotent. arena is scratch.
 */
void settle_orders_run(const struct batch_means *means, const struct uuid *sale_id,
                       struct settle_orders_item *const *items, size_t count, struct arena *arena);

#endif
