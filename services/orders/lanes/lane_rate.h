/*
 * How fast something is worked off, measured while there is work: time without any does not count
 * as slowness, it only makes older measurements weigh less. Not thread-safe; the owner's lock
 * guards it.
 */
#ifndef ORDERS_LANES_LANE_RATE_H
#define ORDERS_LANES_LANE_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bounds of what a refused caller is told to wait. */
#define LANE_RATE_RETRY_MS_MIN INT64_C(1000)
#define LANE_RATE_RETRY_MS_MAX INT64_C(30000)

/* A zeroed one has measured nothing. */
struct lane_rate {
    double _answers, _busy_seconds; /* of lately: older ones count for less */
    int64_t _counted_to_ns;         /* monotonic */
};

/* There is work again, after a time without any. */
void lane_rate_resume(struct lane_rate *rate, int64_t now_ns);

/* So many were answered between the last call of either and now; all this time there was work. */
void lane_rate_add(struct lane_rate *rate, int64_t now_ns, size_t answers);

/* Answers a second; 0 where nothing was answered yet. A stall shows at once. is_busy: there is
 * work. */
double lane_rate_per_second(const struct lane_rate *rate, int64_t now_ns, bool is_busy);

/* How long whoever finds waiting ahead of them should wait before they ask again, within the
 * bounds. */
int64_t lane_rate_retry_after_ms(const struct lane_rate *rate, int64_t now_ns, size_t waiting);

#endif
