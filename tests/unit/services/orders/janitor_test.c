#include "../../../../services/orders/janitor.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
/* cmocka wants these first */
#include <cmocka.h>

struct duty {
    atomic_int ticks;
    int64_t interval_ns;
    int64_t last_ns;
    bool ends;         /* with its first tick */
    atomic_bool early; /* a tick's time went backwards */
};

static int64_t tick(void *data, int64_t now_ns)
{
    struct duty *duty = data;
    if (now_ns < duty->last_ns) {
        atomic_store(&duty->early, true);
    }
    duty->last_ns = now_ns;
    atomic_fetch_add(&duty->ticks, 1);
    return duty->ends ? CLOCK_DEADLINE_NEVER : now_ns + duty->interval_ns;
}

/* Generous: the machine may be busy. */
static bool reaches(struct duty *duty, int ticks)
{
    for (int i = 0; i < 60000 && atomic_load(&duty->ticks) < ticks; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return atomic_load(&duty->ticks) >= ticks;
}

/* Each duty is called again and again, at the latest when the first of them wants it. */
static void janitor_duties_are_called_when_due(void **state)
{
    (void)state;
    struct duty often = {.interval_ns = 5 * CLOCK_NS_PER_MS};
    struct duty never = {.interval_ns = 3600 * CLOCK_NS_PER_SECOND};
    const struct janitor_duty duties[] = {{tick, &often}, {tick, &never}};
    struct janitor *janitor;

    assert_int_equal(janitor_start(duties, COUNT_OF(duties), &janitor), 0);
    assert_true(reaches(&often, 20) && reaches(&never, 1));
    janitor_stop(janitor);
    int ticks = atomic_load(&often.ticks);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    assert_int_equal(atomic_load(&often.ticks), ticks); /* nothing is called after the stop */
    assert_false(atomic_load(&often.early));
}

/* Who has news need not wait for the next round. */
static void janitor_woken_looks_at_once(void **state)
{
    (void)state;
    struct duty duty = {.interval_ns = 3600 * CLOCK_NS_PER_SECOND};
    struct janitor *janitor;

    assert_int_equal(janitor_start(&(struct janitor_duty){tick, &duty}, 1, &janitor), 0);
    for (int i = 1; i <= 50; i++) {
        int ticks = atomic_load(&duty.ticks);
        janitor_wake(janitor);
        assert_true(reaches(&duty, ticks + 1));
    }
    janitor_stop(janitor);
}

/* A duty that is only needed at the start is done once, or it would do its work every round for as
 * long as the program runs. */
static void janitor_duty_that_has_ended_is_not_called_again(void **state)
{
    (void)state;
    struct duty often = {.interval_ns = 5 * CLOCK_NS_PER_MS};
    struct duty once = {.ends = true};
    const struct janitor_duty duties[] = {{tick, &once}, {tick, &often}};
    struct janitor *janitor;

    assert_int_equal(janitor_start(duties, COUNT_OF(duties), &janitor), 0);
    assert_true(reaches(&often, 5));
    int ticks = atomic_load(&often.ticks);
    janitor_wake(janitor);
    assert_true(reaches(&often, ticks + 2));
    janitor_stop(janitor);
    assert_int_equal(atomic_load(&once.ticks), 1);
}

/* A program without duties starts and stops all the same, and so does one that never started. */
static void janitor_without_duties_stops(void **state)
{
    (void)state;
    struct janitor *janitor;
    assert_int_equal(janitor_start(NULL, 0, &janitor), 0);
    janitor_stop(janitor);
    janitor_stop(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(janitor_duties_are_called_when_due),
        cmocka_unit_test(janitor_woken_looks_at_once),
        cmocka_unit_test(janitor_duty_that_has_ended_is_not_called_again),
        cmocka_unit_test(janitor_without_duties_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
