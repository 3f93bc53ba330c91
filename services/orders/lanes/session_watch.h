/*
 * Watches what this program's sessions are doing at the database (waits for locks, transactions
 * left open) by asking it now and then on the connection for reads.
 */
#ifndef ORDERS_LANES_SESSION_WATCH_H
#define ORDERS_LANES_SESSION_WATCH_H

#include "orders/lanes/lanes.h"

#include <pthread.h>
#include <stdatomic.h>

struct session_watch_config {
    struct lanes *lanes;
    const struct system_port *system;
    int64_t interval_ns;
    int64_t transaction_ns_max; /* of one question */
};

struct session_watch {
    struct session_watch_config config;
    struct lane_job _job; /* its own thread's while it is under way */
    int64_t _next_ns;     /* the ticking thread's */
    atomic_bool _is_asking;
    struct {
        pthread_mutex_t lock; /* guards all of _shared */
        struct store_sessions sessions;
        int64_t read_ns; /* monotonic; INT64_MIN before the first answer */
    } _shared;
};

/* What config points at must outlive the watch; the watch must outlive the lanes' last answer. */
void session_watch_init(struct session_watch *watch, const struct session_watch_config *config);

void session_watch_fini(struct session_watch *watch);

/* Asks when it is due, without blocking, and returns when the next time is; monotonic nanoseconds.
 * One thread at a time. */
int64_t session_watch_tick(void *watch, int64_t now_ns);

/* The newest answer and its age; false when there is none yet. Any thread. */
bool session_watch_read(struct session_watch *watch, struct store_sessions *ret,
                        int64_t *ret_age_ns);

#endif
