/*
 * Places a batch of orders of one sale: load, decide, store, in one transaction.
 */
#ifndef ORDERS_LOGIC_PLACE_ORDERS_H
#define ORDERS_LOGIC_PLACE_ORDERS_H

#include "orders/logic/batch_means.h"
#include "orders/logic/verdict.h"
#include "orders/ports/store.h"

/* One order of the batch. */
struct place_orders_item {
    struct placement_request in;
    int64_t deadline_ns; /* nobody waits for the answer after this; monotonic */
    /* No transaction that could place it begins after this, not even to look what became of a
     * COMMIT: whoever asks again a transaction later gets a final answer. Not before deadline_ns.
     */
    int64_t attempts_end_ns;

    enum verdict verdict;    /* out */
    struct order order;      /* out, for PLACED and REPLAYED */
    struct money unit_price; /* out, likewise */
};

/*
 * Gives each of count (1 to PLACEMENT_BATCH_MAX) items its verdict; blocks for at most
 * decision_ns_max plus one transaction, and no longer than one transaction after the latest
 * attempts_end_ns. arena is scratch and is reset before each transaction.
 *
 * An order whose COMMIT was sent is answered by what a later transaction finds under the sale's
 * lock, or OUTCOME_UNKNOWN when none could look in time, never as refused on a guess (CORRECTNESS
 * A3, A4). An order that its transaction's neighbours could be harmed by (STORE_REJECTED) is found
 * by halving and answered INTERNAL alone (B4). When an attempt is repeated is batch_run's to say.
 */
void place_orders_run(const struct batch_means *means, const struct uuid *sale_id,
                      struct place_orders_item *const *items, size_t count, struct arena *arena);

#endif
