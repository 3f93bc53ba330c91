#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

/* A wait must never be cut to 0 ms while time is left: that would spin instead of sleep. */
static void clock_remaining_less_than_a_millisecond_rounds_up(void **state)
{
    (void)state;
    int64_t now_ns = clock_monotonic_ns();
    int64_t remaining_ms = clock_remaining_ms(now_ns + 100 * CLOCK_NS_PER_SECOND + 1);
    assert_true(remaining_ms > 99000 && remaining_ms <= 100001);
    assert_int_equal(clock_remaining_ms(clock_monotonic_ns() + CLOCK_NS_PER_SECOND * 50) > 0, 1);
}

/* A deadline that passed means no wait at all, not a negative one (poll takes that as forever). */
static void clock_remaining_of_a_past_deadline_is_zero(void **state)
{
    (void)state;
    assert_int_equal(clock_remaining_ms(clock_monotonic_ns() - 1), 0);
    assert_int_equal(clock_remaining_ms(0), 0);
}

static void clock_remaining_of_never_is_endless(void **state)
{
    (void)state;
    assert_int_equal(clock_remaining_ms(CLOCK_DEADLINE_NEVER), INT64_MAX);
}

/* The wrong one of two bounds would let work outlive its caller; no deadline bounds nothing. */
static void clock_earlier_is_the_one_that_comes_first(void **state)
{
    (void)state;
    assert_int_equal(clock_earlier(1, 2), 1);
    assert_int_equal(clock_earlier(2, 1), 1);
    assert_int_equal(clock_earlier(INT64_MIN, 0), INT64_MIN);
    assert_int_equal(clock_earlier(CLOCK_DEADLINE_NEVER, 5), 5);
}

/* Deadlines are compared across threads: the clock must not run backwards. */
static void clock_monotonic_does_not_run_backwards(void **state)
{
    (void)state;
    int64_t previous_ns = clock_monotonic_ns();
    for (int i = 0; i < 10000; i++) {
        int64_t now_ns = clock_monotonic_ns();
        assert_true(now_ns >= previous_ns);
        previous_ns = now_ns;
    }
}

static void clock_deadline_lies_the_timeout_ahead(void **state)
{
    (void)state;
    int64_t before_ns = clock_monotonic_ns();
    int64_t deadline_ns = clock_deadline_in_ms(250);
    int64_t after_ns = clock_monotonic_ns();
    assert_true(deadline_ns >= before_ns + 250 * CLOCK_NS_PER_MS);
    assert_true(deadline_ns <= after_ns + 250 * CLOCK_NS_PER_MS);
}

/* The unit is microseconds: a thousandfold error would make every identifier's time wrong. */
static void clock_wall_agrees_with_time(void **state)
{
    (void)state;
    int64_t before_s = time(NULL);
    int64_t wall_s = clock_wall_us() / 1000000;
    assert_true(wall_s >= before_s - 1 && wall_s <= before_s + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_remaining_less_than_a_millisecond_rounds_up),
        cmocka_unit_test(clock_remaining_of_a_past_deadline_is_zero),
        cmocka_unit_test(clock_remaining_of_never_is_endless),
        cmocka_unit_test(clock_earlier_is_the_one_that_comes_first),
        cmocka_unit_test(clock_monotonic_does_not_run_backwards),
        cmocka_unit_test(clock_deadline_lies_the_timeout_ahead),
        cmocka_unit_test(clock_wall_agrees_with_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
