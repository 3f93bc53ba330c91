#include "orders/lanes/lane_rate.h"

#include "base/clock.h"

/* After so long a measurement weighs half. */
#define FADE_SECONDS 2.0

static double seconds_since(int64_t then_ns, int64_t now_ns)
{
    return now_ns > then_ns ? (double)(now_ns - then_ns) / (double)CLOCK_NS_PER_SECOND : 0.0;
}

static void fade(struct lane_rate *rate, double seconds)
{
    double weight = FADE_SECONDS / (FADE_SECONDS + seconds);
    rate->_answers *= weight;
    rate->_busy_seconds *= weight;
}

void lane_rate_resume(struct lane_rate *rate, int64_t now_ns)
{
    fade(rate, seconds_since(rate->_counted_to_ns, now_ns));
    rate->_counted_to_ns = now_ns;
}

void lane_rate_add(struct lane_rate *rate, int64_t now_ns, size_t answers)
{
    double seconds = seconds_since(rate->_counted_to_ns, now_ns);
    fade(rate, seconds);
    rate->_answers += (double)answers;
    rate->_busy_seconds += seconds;
    rate->_counted_to_ns = now_ns;
}

double lane_rate_per_second(const struct lane_rate *rate, int64_t now_ns, bool is_busy)
{
    double seconds = rate->_busy_seconds;
    if (is_busy) {
        seconds += seconds_since(rate->_counted_to_ns, now_ns);
    }
    return seconds > 0.0 ? rate->_answers / seconds : 0.0;
}

int64_t lane_rate_retry_after_ms(const struct lane_rate *rate, int64_t now_ns, size_t waiting)
{
    double per_second = lane_rate_per_second(rate, now_ns, waiting > 0);
    double ms = per_second > 0.0 ? (double)waiting * 1000.0 / per_second : 0.0;
    if (ms < (double)LANE_RATE_RETRY_MS_MIN) {
        return LANE_RATE_RETRY_MS_MIN;
    }
    return ms > (double)LANE_RATE_RETRY_MS_MAX ? LANE_RATE_RETRY_MS_MAX : (int64_t)ms;
}
