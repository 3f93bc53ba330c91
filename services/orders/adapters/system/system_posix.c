#include "orders/adapters/system/system_posix.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static int64_t monotonic_ns(void *data)
{
    (void)data;
    return clock_monotonic_ns();
}

static void sleep_ns(void *data, int64_t duration_ns)
{
    struct timespec duration = {
        .tv_sec = (time_t)(duration_ns / CLOCK_NS_PER_SECOND),
        .tv_nsec = (long)(duration_ns % CLOCK_NS_PER_SECOND),
    };
    (void)data;
    while (nanosleep(&duration, &duration) != 0) {
        CHECK(errno == EINTR); /* sleeps on for what is left */
    }
}

static uint64_t wall_ms(void *data)
{
    (void)data;
    return (uint64_t)(clock_wall_us() / 1000);
}

/* The kernel's generator; it can only fail before it is seeded, and then it waits instead. */
static void random_bytes(void *data, uint8_t *bytes, size_t count)
{
    (void)data;
    while (count > 0) {
        ssize_t got = getrandom(bytes, count, 0);
        if (got < 0) {
            CHECK(errno == EINTR);
            continue;
        }
        bytes += got;
        count -= (size_t)got;
    }
}

const struct system_port system_posix = {
    .data = NULL,
    .monotonic_ns = monotonic_ns,
    .sleep_ns = sleep_ns,
    .wall_ms = wall_ms,
    .random_bytes = random_bytes,
};
