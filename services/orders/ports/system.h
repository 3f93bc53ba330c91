/* The ports to time and chance, so that logic can be run on a fake clock with chosen randomness. */
#ifndef ORDERS_PORTS_SYSTEM_H
#define ORDERS_PORTS_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

struct system_port {
    void *data; /* passed to every function */

    /* Monotonic nanoseconds; any thread, does not block. */
    int64_t (*monotonic_ns)(void *data);

    /* Blocks its caller for so long, not shorter; any thread. */
    void (*sleep_ns)(void *data, int64_t duration_ns);

    /* Milliseconds since 1970; used for identifiers only. Any thread, does not block. */
    uint64_t (*wall_ms)(void *data);

    /* Fills bytes with unpredictable ones; any thread. */
    void (*random_bytes)(void *data, uint8_t *bytes, size_t count);
};

#endif
