#include "orders/lanes/session_watch.h"

#include "base/clock.h"
#include "orders/lanes/lanes_work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

static struct lanes *lanes;
static struct session_watch watch;
static enum store_result answer;
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

static enum store_result read_sessions(void *data, int64_t deadline_ns, struct store_sessions *ret)
{
    (void)data;
    assert_int_equal(deadline_ns, clock_ns + 3 * CLOCK_NS_PER_SECOND);
    if (answer == STORE_OK) {
        *ret = (struct store_sessions){.active = 2, .idle = 3, .lock_waiting = 1};
    }
    return answer;
}

static int set_up(void **state)
{
    const struct lanes_config config = {.queue_max = 2,
                                        .changes_max = 2,
                                        .acts_max = 2,
                                        .jobs_max = 2,
                                        .lanes_max = 2,
                                        .batch_max = 2,
                                        .system = &fake_system};
    (void)state;
    clock_ns = CLOCK_NS_PER_SECOND;
    answer = STORE_OK;
    if (lanes_create(&config, &lanes) != 0) {
        return -1;
    }
    session_watch_init(
        &watch, &(struct session_watch_config){.lanes = lanes,
                                               .system = &fake_system,
                                               .interval_ns = CLOCK_NS_PER_SECOND,
                                               .transaction_ns_max = 3 * CLOCK_NS_PER_SECOND});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lanes_destroy(lanes);
    session_watch_fini(&watch);
    return 0;
}

/* Answers the one question that waits. */
static void work(void)
{
    static struct lane_task task;
    const struct store store = {.read_sessions = read_sessions};
    lanes_work_take(lanes, LANE_DUTY_READS, &task);
    assert_int_equal(task.kind, LANE_TASK_JOB);
    task.job->run(task.job, &store, NULL);
    lanes_work_finish_job(lanes, &task);
}

/* The newest answer is kept with its age, and asked for anew an interval later. */
static void session_watch_tells_what_the_database_said(void **state)
{
    struct store_sessions sessions;
    int64_t age_ns;
    (void)state;

    lanes_work_joined(lanes, LANE_DUTY_READS);
    assert_false(session_watch_read(&watch, &sessions, &age_ns));
    assert_int_equal(session_watch_tick(&watch, clock_ns), 2 * CLOCK_NS_PER_SECOND);
    work();
    clock_ns += CLOCK_NS_PER_MS;
    assert_true(session_watch_read(&watch, &sessions, &age_ns));
    assert_int_equal(age_ns, CLOCK_NS_PER_MS);
    assert_int_equal(sessions.active, 2);
    assert_int_equal(sessions.idle, 3);
    assert_int_equal(sessions.lock_waiting, 1);
    session_watch_tick(&watch, clock_ns);
    assert_int_equal(lanes_stats(lanes).jobs_waiting, 0);
    clock_ns = 2 * CLOCK_NS_PER_SECOND;
    session_watch_tick(&watch, clock_ns);
    work();
    assert_true(session_watch_read(&watch, &sessions, &age_ns));
    assert_int_equal(age_ns, 0);
}

/* While the database is away the answer grows old, and questions do not pile up. */
static void session_watch_failures_leave_the_last_answer(void **state)
{
    struct store_sessions sessions;
    int64_t age_ns;
    (void)state;

    session_watch_tick(&watch, clock_ns); /* refused: nobody is connected */
    lanes_work_joined(lanes, LANE_DUTY_READS);
    for (int i = 0; i < 3; i++) {
        clock_ns += CLOCK_NS_PER_SECOND;
        session_watch_tick(&watch, clock_ns);
        assert_int_equal(lanes_stats(lanes).jobs_waiting, 1);
    }
    clock_ns -= 2 * CLOCK_NS_PER_SECOND; /* when the one that waits was asked */
    work();
    answer = STORE_UNAVAILABLE;
    clock_ns += 3 * CLOCK_NS_PER_SECOND;
    session_watch_tick(&watch, clock_ns);
    work();
    assert_true(session_watch_read(&watch, &sessions, &age_ns));
    assert_int_equal(age_ns, 3 * CLOCK_NS_PER_SECOND);
    assert_int_equal(sessions.active, 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(session_watch_tells_what_the_database_said, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(session_watch_failures_leave_the_last_answer, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
