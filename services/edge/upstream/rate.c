#include "edge/upstream/rate.h"

#include "base/clock.h"
#include "edge/limits.h"

/* The share of the newest window in the estimate: a burst moves it, a hiccup does not rule it. */
#define NEWEST_SHARE 0.5

void rate_init(struct rate *rate, int64_t now_ns)
{
    *rate = (struct rate){._window_began_ns = now_ns};
}

void rate_add(struct rate *rate, uint64_t completions, int64_t now_ns)
{
    rate->_count += completions;
    int64_t elapsed_ns = now_ns - rate->_window_began_ns;
    if (elapsed_ns < CLOCK_NS_PER_SECOND) {
        return;
    }
    double newest = (double)rate->_count * (double)CLOCK_NS_PER_SECOND / (double)elapsed_ns;
    rate->_per_second = rate->_per_second <= 0
                            ? newest
                            : NEWEST_SHARE * newest + (1 - NEWEST_SHARE) * rate->_per_second;
    rate->_window_began_ns = now_ns;
    rate->_count = 0;
}

int64_t rate_wait_ms(const struct rate *rate, uint64_t waiting)
{
    if (rate->_per_second <= 0) {
        return EDGE_RETRY_AFTER_MIN_MS;
    }
    double wait_ms = (double)waiting * 1000 / rate->_per_second;
    if (wait_ms <= EDGE_RETRY_AFTER_MIN_MS) {
        return EDGE_RETRY_AFTER_MIN_MS;
    }
    return wait_ms >= EDGE_RETRY_AFTER_MAX_MS ? EDGE_RETRY_AFTER_MAX_MS : (int64_t)wait_ms;
}
