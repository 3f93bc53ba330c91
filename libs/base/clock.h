/*
 * Time, in nanoseconds. Deadlines are absolute on the monotonic clock and travel with the request;
 * CLOCK_DEADLINE_NEVER means none. The wall clock is for people and identifiers only: what a sale's
 * window depends on is the database's clock. Any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_MS      INT64_C(1000000)
#define CLOCK_NS_PER_SECOND  INT64_C(1000000000)
#define CLOCK_DEADLINE_NEVER INT64_MAX

/* CLOCK_MONOTONIC now. */
int64_t clock_monotonic_ns(void);

/* Microseconds since 1970-01-01 UTC. */
int64_t clock_wall_us(void);

/* The absolute deadline that lies timeout_ms from now. */
int64_t clock_deadline_in_ms(int64_t timeout_ms);

/* Whole milliseconds until deadline_ns, rounded up; 0 when past; INT64_MAX for NEVER. */
int64_t clock_remaining_ms(int64_t deadline_ns);

/* The one of two moments that comes first. */
static inline int64_t clock_earlier(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

#endif
