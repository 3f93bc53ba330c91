/*
 * The threads that do the work: one per database connection, in blocking, straight-line code with a
 * deadline on every wait. With more than one, one is for reads and administration and the others
 * for lanes; a single one takes turns (CORRECTNESS D3).
 */
#ifndef ORDERS_LANES_WORKERS_H
#define ORDERS_LANES_WORKERS_H

#include "orders/lanes/lanes_work.h"

struct workers;

/* What a worker tells of itself; all may be called from any worker's thread and must not block. */
struct workers_observer {
    void *data;
    /* A task was taken and is about to be worked on; how long it waited is in it. */
    void (*on_taken)(void *data, const struct lane_task *task);
    /* One batch was decided: its verdicts are in the task's items. */
    void (*on_batch)(void *data, const struct lane_task *task, int64_t duration_ns);
    /* The same for changes. */
    void (*on_settled)(void *data, const struct lane_task *task, int64_t duration_ns);
    /* A sweep let holds expire and units mature; also when there was nothing to do. */
    void (*on_swept)(void *data, size_t expired, int32_t matured);
    /* A worker's connection came or went. */
    void (*on_connection)(void *data, size_t worker, bool connected);
};

struct workers_config {
    struct lanes *lanes;
    const struct system_port *system;
    const struct store *stores; /* one per worker, not yet connected */
    size_t count;               /* at least 1 */
    int64_t transaction_ns_max;
    int64_t decision_ns_max;
    struct workers_observer observer;
};

struct workers_stats {
    size_t size, active, idle, connecting;
    /* The longest that a worker with a connection has been at one task, or asleep for want of one:
     * every wait of theirs has a bound, so beyond all of them it is stuck. */
    int64_t longest_turn_ns;
};

/* Starts the threads; each connects by itself. Errors: -ENOMEM, -EAGAIN. Pointers are borrowed. */
int workers_start(const struct workers_config *config, struct workers **ret) MUST_CHECK;

/*
 * Waits for the threads to end, which they do after lanes_stop and once nothing waits. Frees the
 * workers; stores are the caller's. NULL is fine.
 */
void workers_join(struct workers *workers);

/* Any thread. Each connection counts once: size = active + idle + connecting. */
struct workers_stats workers_stats(const struct workers *workers);

#endif
