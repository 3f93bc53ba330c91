/*
 * How long to wait before the next attempt to connect: 50 ms at first, doubling to at most
 * 800 ms, so that a server that is back is found within a second, with jitter, so that a pool does
 * not return to it in step. Randomness comes in as a seed. One thread at a time.
 */
#ifndef POSTGRES_BACKOFF_H
#define POSTGRES_BACKOFF_H

#include "base/check.h"

#include <stdint.h>

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 800

struct backoff {
    uint64_t _random;
    int64_t _ceiling_ms;
};

/* Different seeds give different waits; any seed will do. */
void backoff_init(struct backoff *backoff, uint64_t seed);

/* The wait before the next attempt, in ms: between half and all of 50, 100, 200, 400, 800. */
int64_t backoff_next_ms(struct backoff *backoff) MUST_CHECK;

/* An attempt succeeded: the next wait is short again. */
void backoff_reset(struct backoff *backoff);

#endif
