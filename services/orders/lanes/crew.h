/*
 * The workers that are connected, by what they are for: who sleeps, and whom to wake. Guarded by
 * the lock of the lanes, except where it says so.
 */
#ifndef ORDERS_LANES_CREW_H
#define ORDERS_LANES_CREW_H

#include "orders/lanes/lanes.h"

#include <pthread.h>

#define CREW_DUTIES (LANE_DUTY_BOTH + 1)

struct crew {
    size_t joined[CREW_DUTIES];
    size_t busy;
    size_t _sleeping[CREW_DUTIES];
    pthread_cond_t _wanted[CREW_DUTIES];
};

/* Whom to wake once the lock is given back: who is woken under it only waits again. */
struct crew_wakes {
    size_t _counts[CREW_DUTIES];
};

void crew_init(struct crew *crew);
void crew_fini(struct crew *crew);

/* Whether anybody could take a turn of a lane; a read or the lobby. */
bool crew_serves_lanes(const struct crew *crew);
bool crew_serves_reads(const struct crew *crew);

/* There is one thing more to do for this duty: somebody who sleeps and has it is enough. */
void crew_want(const struct crew *crew, enum lane_duty duty, struct crew_wakes *wakes);

/* Not under the lock. */
void crew_wake(struct crew *crew, const struct crew_wakes *wakes);

void crew_wake_all(struct crew *crew);

/* Sleeps until woken, or until_ns (monotonic): then returns false. Gives lock back meanwhile. */
bool crew_sleep(struct crew *crew, enum lane_duty duty, pthread_mutex_t *lock, int64_t until_ns);

#endif
