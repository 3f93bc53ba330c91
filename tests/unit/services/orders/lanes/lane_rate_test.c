#include "orders/lanes/lane_rate.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* cmocka wants these first */
#include <cmocka.h>

#define MS CLOCK_NS_PER_MS

/* Works at so many answers a batch, a batch every 10 ms, from *now for so many batches. */
static void work(struct lane_rate *rate, int64_t *now, size_t answers, int batches)
{
    for (int i = 0; i < batches; i++) {
        *now += 10 * MS;
        lane_rate_add(rate, *now, answers);
    }
}

static void assert_near(double value, double expected)
{
    assert_true(value > expected * 0.98 && value < expected * 1.02);
}

/* The rate is what is answered while there is work. */
static void lane_rate_steady_work_is_measured(void **state)
{
    (void)state;
    struct lane_rate rate = {0};
    int64_t now = 77 * CLOCK_NS_PER_SECOND;
    lane_rate_resume(&rate, now);
    work(&rate, &now, 100, 100);
    assert_near(lane_rate_per_second(&rate, now, true), 10000.0);
    assert_int_equal(lane_rate_retry_after_ms(&rate, now, 50000), 5000);
}

/* A sale that was quiet for a while is not slow for that. */
static void lane_rate_idle_time_is_not_slowness(void **state)
{
    (void)state;
    struct lane_rate rate = {0};
    int64_t now = 0;
    lane_rate_resume(&rate, now);
    work(&rate, &now, 100, 100);
    assert_near(lane_rate_per_second(&rate, now + 60 * CLOCK_NS_PER_SECOND, false), 10000.0);
    now += 60 * CLOCK_NS_PER_SECOND;
    lane_rate_resume(&rate, now);
    assert_near(lane_rate_per_second(&rate, now, true), 10000.0);
}

/* After a pause new measurements soon count for more than old ones. */
static void lane_rate_after_a_pause_follows_the_new_pace(void **state)
{
    (void)state;
    struct lane_rate rate = {0};
    int64_t now = 0;
    lane_rate_resume(&rate, now);
    work(&rate, &now, 100, 300);
    now += 120 * CLOCK_NS_PER_SECOND;
    lane_rate_resume(&rate, now);
    work(&rate, &now, 10, 100);
    double per_second = lane_rate_per_second(&rate, now, true);
    assert_true(per_second > 999.0 && per_second < 1500.0);
}

/* While nothing is answered though there is work, callers are told to wait longer and longer, up to
 * a bound. */
static void lane_rate_stall_makes_waits_longer(void **state)
{
    (void)state;
    struct lane_rate rate = {0};
    int64_t now = 0;
    lane_rate_resume(&rate, now);
    work(&rate, &now, 100, 100);
    int64_t before = lane_rate_retry_after_ms(&rate, now, 20000);
    int64_t after = lane_rate_retry_after_ms(&rate, now + 5 * CLOCK_NS_PER_SECOND, 20000);
    assert_true(after > 2 * before);
    assert_int_equal(lane_rate_retry_after_ms(&rate, now + 3600 * CLOCK_NS_PER_SECOND, 20000),
                     LANE_RATE_RETRY_MS_MAX);
}

/* Where nothing was measured nothing is promised but the shortest wait. */
static void lane_rate_nothing_measured_is_the_shortest_wait(void **state)
{
    (void)state;
    struct lane_rate rate = {0};
    assert_int_equal(lane_rate_retry_after_ms(&rate, 5 * CLOCK_NS_PER_SECOND, 1000),
                     LANE_RATE_RETRY_MS_MIN);
    assert_int_equal(lane_rate_retry_after_ms(&rate, 0, 0), LANE_RATE_RETRY_MS_MIN);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lane_rate_steady_work_is_measured),
        cmocka_unit_test(lane_rate_idle_time_is_not_slowness),
        cmocka_unit_test(lane_rate_after_a_pause_follows_the_new_pace),
        cmocka_unit_test(lane_rate_stall_makes_waits_longer),
        cmocka_unit_test(lane_rate_nothing_measured_is_the_shortest_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
