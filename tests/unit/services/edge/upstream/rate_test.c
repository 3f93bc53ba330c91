#include "edge/upstream/rate.h"

#include "base/clock.h"
#include "edge/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A refused caller is told a time even before anything was measured. */
static void rate_unmeasured_gives_the_minimum(void **state)
{
    (void)state;
    struct rate rate;
    rate_init(&rate, 0);
    assert_int_equal(rate_wait_ms(&rate, 1000000), EDGE_RETRY_AFTER_MIN_MS);
}

/* The wait is what the queue takes at the measured speed, so callers come back when there is room.
 */
static void rate_measured_gives_the_queues_time_within_bounds(void **state)
{
    (void)state;
    struct rate rate;
    rate_init(&rate, 0);
    rate_add(&rate, 1000, CLOCK_NS_PER_SECOND);
    assert_int_equal(rate_wait_ms(&rate, 5000), 5000);
    assert_int_equal(rate_wait_ms(&rate, 1), EDGE_RETRY_AFTER_MIN_MS);
    assert_int_equal(rate_wait_ms(&rate, 1000000000), EDGE_RETRY_AFTER_MAX_MS);
}

/* One slow second must not send everybody away for long. */
static void rate_slow_window_moves_the_estimate_by_half(void **state)
{
    (void)state;
    struct rate rate;
    rate_init(&rate, 0);
    rate_add(&rate, 1000, CLOCK_NS_PER_SECOND);
    rate_add(&rate, 0, 2 * CLOCK_NS_PER_SECOND);
    assert_int_equal(rate_wait_ms(&rate, 1000), 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_unmeasured_gives_the_minimum),
        cmocka_unit_test(rate_measured_gives_the_queues_time_within_bounds),
        cmocka_unit_test(rate_slow_window_moves_the_estimate_by_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
