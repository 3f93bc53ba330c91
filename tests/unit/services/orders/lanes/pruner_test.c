#include "orders/lanes/pruner.h"

#include "base/clock.h"
#include "orders/lanes/lanes_work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

static struct lanes *lanes;
static struct pruner pruner;
static int slices_left; /* of old events */
static size_t pruned;
static int64_t clock_ns;

static int64_t read_clock(void *data)
{
    (void)data;
    return clock_ns;
}

static void fill(void *data, uint8_t *bytes, size_t count)
{
    (void)data;
    memset(bytes, 7, count);
}

static const struct system_port fake_system = {.monotonic_ns = read_clock, .random_bytes = fill};

static enum store_result prune_events(void *data, int64_t age_us, int64_t deadline_ns,
                                      struct arena *arena, size_t *ret_count, bool *ret_more)
{
    (void)data;
    (void)arena;
    assert_int_equal(age_us, 60 * 1000000);
    assert_true(deadline_ns > clock_ns);
    slices_left--;
    *ret_count = 10;
    *ret_more = slices_left > 0;
    return slices_left < 0 ? STORE_UNAVAILABLE : STORE_OK;
}

static void on_pruned(void *data, size_t count)
{
    (void)data;
    pruned += count;
}

static int set_up(void **state)
{
    (void)state;
    const struct lanes_config config = {.queue_max = 2,
                                        .changes_max = 2,
                                        .acts_max = 2,
                                        .jobs_max = 2,
                                        .lanes_max = 2,
                                        .batch_max = 2,
                                        .system = &fake_system};
    clock_ns = CLOCK_NS_PER_SECOND;
    pruned = 0;
    if (lanes_create(&config, &lanes) != 0) {
        return -1;
    }
    pruner_init(&pruner, &(struct pruner_config){.lanes = lanes,
                                                 .system = &fake_system,
                                                 .interval_ns = CLOCK_NS_PER_SECOND,
                                                 .age_us = 60 * 1000000,
                                                 .transaction_ns_max = 3 * CLOCK_NS_PER_SECOND,
                                                 .on_pruned = on_pruned});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lanes_destroy(lanes);
    return 0;
}

/* Works off the one job that waits. */
static void work(void)
{
    static struct lane_task task;
    const struct store store = {.prune_events = prune_events};
    lanes_work_take(lanes, LANE_DUTY_READS, &task);
    assert_int_equal(task.kind, LANE_TASK_JOB);
    task.job->run(task.job, &store, NULL);
    lanes_work_finish_job(lanes, &task);
}

/* Old events go in slices, each a job of its own, until none is left; then not before the next
 * interval. */
static void pruner_old_events_go_slice_by_slice(void **state)
{
    (void)state;
    slices_left = 3;
    lanes_work_joined(lanes, LANE_DUTY_READS);
    assert_int_equal(pruner_tick(&pruner, clock_ns), clock_ns + CLOCK_NS_PER_SECOND);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lanes_stats(lanes).jobs_waiting, 1);
        work();
    }
    assert_int_equal(pruned, 30);
    assert_int_equal(lanes_stats(lanes).jobs_waiting, 0);
    pruner_tick(&pruner, clock_ns + CLOCK_NS_PER_SECOND - 1);
    assert_int_equal(lanes_stats(lanes).jobs_waiting, 0);
    slices_left = 1;
    pruner_tick(&pruner, clock_ns + CLOCK_NS_PER_SECOND);
    work();
    assert_int_equal(pruned, 40);
}

/* Without a database, or with an error, it is tried again an interval later; never twice at once.
 */
static void pruner_failures_are_repeated_later(void **state)
{
    (void)state;
    slices_left = 0;
    pruner_tick(&pruner, clock_ns); /* refused: nobody is connected */
    lanes_work_joined(lanes, LANE_DUTY_READS);
    clock_ns += CLOCK_NS_PER_SECOND;
    pruner_tick(&pruner, clock_ns);
    clock_ns += CLOCK_NS_PER_SECOND;
    pruner_tick(&pruner, clock_ns);
    assert_int_equal(lanes_stats(lanes).jobs_waiting, 1);
    work();
    assert_int_equal(pruned, 0);
    clock_ns += CLOCK_NS_PER_SECOND;
    pruner_tick(&pruner, clock_ns);
    assert_int_equal(lanes_stats(lanes).jobs_waiting, 1);
    slices_left = 1;
    work();
    assert_int_equal(pruned, 10);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pruner_old_events_go_slice_by_slice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pruner_failures_are_repeated_later, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
