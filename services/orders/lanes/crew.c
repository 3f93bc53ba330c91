#include "orders/lanes/crew.h"

#include "base/clock.h"

#include <errno.h>

/* Waits with a deadline must not depend on the wall clock. */
static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

void crew_init(struct crew *crew)
{
    *crew = (struct crew){0};
    for (size_t duty = 0; duty < CREW_DUTIES; duty++) {
        init_condition(&crew->_wanted[duty]);
    }
}

void crew_fini(struct crew *crew)
{
    for (size_t duty = 0; duty < CREW_DUTIES; duty++) {
        pthread_cond_destroy(&crew->_wanted[duty]);
    }
}

bool crew_serves_lanes(const struct crew *crew)
{
    return crew->joined[LANE_DUTY_ORDERS] + crew->joined[LANE_DUTY_BOTH] > 0;
}

bool crew_serves_reads(const struct crew *crew)
{
    return crew->joined[LANE_DUTY_READS] + crew->joined[LANE_DUTY_BOTH] > 0;
}

void crew_want(const struct crew *crew, enum lane_duty duty, struct crew_wakes *wakes)
{
    CHECK(duty != LANE_DUTY_BOTH);
    if (crew->_sleeping[duty] > 0) {
        wakes->_counts[duty]++;
    } else if (crew->_sleeping[LANE_DUTY_BOTH] > 0) {
        wakes->_counts[LANE_DUTY_BOTH]++;
    }
}

void crew_wake(struct crew *crew, const struct crew_wakes *wakes)
{
    for (size_t duty = 0; duty < CREW_DUTIES; duty++) {
        if (wakes->_counts[duty] == 1) {
            pthread_cond_signal(&crew->_wanted[duty]);
        } else if (wakes->_counts[duty] > 1) {
            pthread_cond_broadcast(&crew->_wanted[duty]);
        }
    }
}

void crew_wake_all(struct crew *crew)
{
    for (size_t duty = 0; duty < CREW_DUTIES; duty++) {
        pthread_cond_broadcast(&crew->_wanted[duty]);
    }
}

bool crew_sleep(struct crew *crew, enum lane_duty duty, pthread_mutex_t *lock, int64_t until_ns)
{
    struct timespec until = {
        .tv_sec = (time_t)(until_ns / CLOCK_NS_PER_SECOND),
        .tv_nsec = (long)(until_ns % CLOCK_NS_PER_SECOND),
    };
    crew->_sleeping[duty]++;
    int error = pthread_cond_timedwait(&crew->_wanted[duty], lock, &until);
    crew->_sleeping[duty]--;
    return error != ETIMEDOUT;
}
