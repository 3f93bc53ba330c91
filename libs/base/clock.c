#include "base/clock.h"

#include <time.h>

int64_t clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * CLOCK_NS_PER_SECOND + now.tv_nsec;
}

int64_t clock_wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

int64_t clock_deadline_in_ms(int64_t timeout_ms)
{
    return clock_monotonic_ns() + timeout_ms * CLOCK_NS_PER_MS;
}

int64_t clock_remaining_ms(int64_t deadline_ns)
{
    if (deadline_ns == CLOCK_DEADLINE_NEVER) {
        return INT64_MAX;
    }
    int64_t remaining_ns = deadline_ns - clock_monotonic_ns();
    return remaining_ns <= 0 ? 0 : (remaining_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
}
