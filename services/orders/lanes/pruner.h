/*
 * Deletes the events of orders that are older than anybody may ask for (CORRECTNESS D7): now and
 * then, in slices that are ordinary jobs, so that reads go in between.
 */
#ifndef ORDERS_LANES_PRUNER_H
#define ORDERS_LANES_PRUNER_H

#include "orders/lanes/lanes.h"

#include <stdatomic.h>

struct pruner_config {
    struct lanes *lanes;
    const struct system_port *system;
    int64_t interval_ns;
    int64_t age_us;             /* events that are older go */
    int64_t transaction_ns_max; /* of one slice */
    void *data;
    /* A slice was deleted. On a worker's thread; must not block. */
    void (*on_pruned)(void *data, size_t count);
};

struct pruner {
    struct pruner_config config;
    struct lane_job _job; /* its own thread's while it is under way */
    int64_t _next_ns;     /* the ticking thread's */
    atomic_bool _is_pruning;
};

/* What config points at must outlive the pruner; the pruner must outlive the lanes' last answer. */
void pruner_init(struct pruner *pruner, const struct pruner_config *config);

/* Does what is due, without blocking, and returns when the next is; monotonic nanoseconds. One
 * thread at a time. */
int64_t pruner_tick(void *pruner, int64_t now_ns);

#endif
