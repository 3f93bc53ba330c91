/*
 * How fast something completes, measured over the last seconds, to tell a refused caller when to
 * come back. One thread at a time.
 */
#ifndef EDGE_UPSTREAM_RATE_H
#define EDGE_UPSTREAM_RATE_H

#include <stdint.h>

struct rate {
    int64_t _window_began_ns;
    uint64_t _count;
    double _per_second; /* 0 until a window has ended */
};

void rate_init(struct rate *rate, int64_t now_ns);

/* Counts completions; windows of a second end here. */
void rate_add(struct rate *rate, uint64_t completions, int64_t now_ns);

/*
 * How long so many more will take at this rate, in ms, within EDGE_RETRY_AFTER_MIN_MS and
 * EDGE_RETRY_AFTER_MAX_MS; the minimum while nothing was measured.
 */
int64_t rate_wait_ms(const struct rate *rate, uint64_t waiting);

#endif
