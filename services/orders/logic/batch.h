/*
 * Brings a batch of items of one sale to an end: one transaction after the other until every item
 * has its verdict. What placing, settling and managing share: when an attempt is repeated, when it
 * is not, and what nobody may be told while a COMMIT is in doubt.
 */
#ifndef ORDERS_LOGIC_BATCH_H
#define ORDERS_LOGIC_BATCH_H

#include "orders/logic/batch_means.h"
#include "orders/logic/verdict.h"
#include "orders/ports/store.h"
#include "orders/ports/system.h"

/* Items of one batch. */
#define BATCH_ITEMS_MAX 512

/* What is known of an item here; monotonic nanoseconds. */
struct batch_item {
    int64_t deadline_ns; /* nobody waits for the answer after this */
    /* No attempt on it begins after this, not even to look what became of a COMMIT. */
    int64_t attempts_end_ns;
    enum verdict *verdict; /* out */
};

/*
 * One transaction, within deadline_ns, on those of the items whose positions are given, which
 * ascend. On STORE_OK it has set their verdicts; else it has left no transaction open, and whatever
 * it wrote is written again by the next attempt. Doing it again must be harmless after
 * STORE_UNKNOWN.
 */
typedef enum store_result (*batch_attempt_fn)(void *data, const size_t *positions, size_t count,
                                              int64_t deadline_ns);

struct batch {
    const struct store *store;
    const struct system_port *system;
    int64_t transaction_ns_max; /* from BEGIN to the answer to COMMIT */
    int64_t deadline_ns;        /* no attempt begins after this */
    batch_attempt_fn attempt;
    void *data; /* attempt's */
};

/* A batch that begins now, and goes on for as long as means say. */
struct batch batch_begin(const struct batch_means *means, batch_attempt_fn attempt, void *data);

/*
 * Gives each of count (1 to BATCH_ITEMS_MAX) items its verdict. Blocks for one transaction longer
 * than until the earlier of the batch's deadline and the latest attempts_end_ns, at most. One
 * thread: the store's.
 */
void batch_run(const struct batch *batch, const struct batch_item *items, size_t count);

#endif
