/*
 * How long work waited before it could be done: for a connection to the database, and for a sale's
 * lock. Counted, and told of one by one where it was long.
 *
 * The workers and the stores report; anybody may ask. Any thread.
 */
#ifndef ORDERS_WAITS_H
#define ORDERS_WAITS_H

#include "orders/lanes/lanes_work.h"

struct metrics;
struct metrics_histogram;
struct metrics_histogram_reading;

#define WAITS_KINDS (LANE_TASK_LOBBY + 1)

struct waits {
    int64_t _slow_ns;
    struct metrics_histogram *_seconds[WAITS_KINDS]; /* by enum lane_task_kind */
    struct metrics_histogram *_load_seconds;
};

/* Registers the histograms in metrics, which must outlive it. Waits that are longer than slow_ms
 * are logged, at most one of a kind a second. */
void waits_init(struct waits *waits, struct metrics *metrics, int64_t slow_ms);

/* A worker has taken a task (slow_wait): data is the waits. */
void waits_on_taken(struct waits *waits, const struct lane_task *task);

/* A store has loaded a sale or failed to (slow_lock). What is timed is the whole first round trip:
 * the wait for the lock on the sale's row, what is read under it, and the network. */
void waits_on_loaded(struct waits *waits, const struct uuid *sale_id, int64_t duration_ns,
                     bool loaded);

/* How long all that got a connection had waited for it: the histogram of /metrics, every kind of
 * work together. */
void waits_read(const struct waits *waits, struct metrics_histogram_reading *ret);

#endif
