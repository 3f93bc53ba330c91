#include "postgres/backoff.h"

void backoff_init(struct backoff *backoff, uint64_t seed)
{
    *backoff = (struct backoff){._random = seed, ._ceiling_ms = BACKOFF_MIN_MS};
}

/* The next number of a SplitMix64 sequence: well spread from any seed, zero included. */
static uint64_t next_random(struct backoff *backoff)
{
    backoff->_random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = backoff->_random;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

int64_t backoff_next_ms(struct backoff *backoff)
{
    CHECK(backoff->_ceiling_ms >= BACKOFF_MIN_MS && backoff->_ceiling_ms <= BACKOFF_MAX_MS);
    int64_t half_ms = backoff->_ceiling_ms / 2;
    uint64_t spread = (uint64_t)(backoff->_ceiling_ms - half_ms) + 1;
    int64_t wait_ms = half_ms + (int64_t)(next_random(backoff) % spread);

    backoff->_ceiling_ms *= 2;
    if (backoff->_ceiling_ms > BACKOFF_MAX_MS) {
        backoff->_ceiling_ms = BACKOFF_MAX_MS;
    }
    return wait_ms;
}

void backoff_reset(struct backoff *backoff)
{
    backoff->_ceiling_ms = BACKOFF_MIN_MS;
}
