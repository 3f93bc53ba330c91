/* Lanes and time: what waits, who comes too late, and how the turns are shared out. */
#include "base/clock.h"
#include "lanes_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void pass_ms(int64_t ms)
{
    atomic_fetch_add(&lanes_stage.database.now_ns, ms * CLOCK_NS_PER_MS);
}

/* --- Late ones and waits ---------------------------------------------------------------------- */

/* What operators size the pool by: how long a task waited once a connection could have taken it, so
 * not the time that its own lane's last batch took. */
static void lanes_wait_is_told_from_when_work_could_be_taken(void **state)
{
    (void)state;
    static struct lanes_stage_caller first, second;
    struct lanes_stage_job job;
    struct uuid sale_id = {{1}};
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_submit(&first, &sale_id, 1, "first");
    lanes_stage_submit_job(&job);
    pass_ms(7);
    assert_true(lanes_stats(lanes_stage.lanes).lobby_waits);
    assert_int_equal(lanes_stats(lanes_stage.lanes).longest_wait_ns, 7 * CLOCK_NS_PER_MS);
    lanes_stage_take_lobby_as(true);
    assert_int_equal(lanes_stage.task.waited_ns, 7 * CLOCK_NS_PER_MS);
    pass_ms(3);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_READS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.waited_ns, 10 * CLOCK_NS_PER_MS);
    lanes_work_finish_job(lanes_stage.lanes, &lanes_stage.task);
    assert_int_equal(lanes_stats(lanes_stage.lanes).longest_wait_ns, 3 * CLOCK_NS_PER_MS);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.waited_ns, 3 * CLOCK_NS_PER_MS);
    assert_int_equal(lanes_stats(lanes_stage.lanes).longest_wait_ns, 0);
    lanes_stage_submit(&second, &sale_id, 1, "second");
    pass_ms(100);
    assert_int_equal(lanes_stats(lanes_stage.lanes).longest_wait_ns, 0);
    lanes_stage_finish_with(VERDICT_PLACED);
    pass_ms(2);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.waited_ns, 2 * CLOCK_NS_PER_MS);
    lanes_stage_finish_with(VERDICT_PLACED);
    assert_int_equal(lanes_stats(lanes_stage.lanes).late, 0);
}

/* What waited for longer than its caller is the sign of a pool that is too small: each counts. */
static void lanes_late_ones_are_counted(void **state)
{
    (void)state;
    static struct lanes_stage_caller late;
    struct lanes_stage_job job;
    struct uuid sale_id = {{1}};
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_make_idle(&sale_id);
    lanes_stage_submit_job(&job);
    job.job.deadline_ns = atomic_load(&lanes_stage.database.now_ns) + 1;
    lanes_stage_submit(&late, &sale_id, 3, "late");
    for (size_t i = 0; i < 2; i++) {
        late.orders[i].item.deadline_ns = atomic_load(&lanes_stage.database.now_ns) + 1;
    }
    pass_ms(1);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_READS, &lanes_stage.task);
    assert_true(lanes_stage.task.is_late);
    lanes_work_finish_job(lanes_stage.lanes, &lanes_stage.task);
    assert_int_equal(lanes_stats(lanes_stage.lanes).late, 1);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.count, 1);
    lanes_stage_finish_with(VERDICT_PLACED);
    assert_int_equal(lanes_stats(lanes_stage.lanes).late, 3);
}

/* Work is spent on those only who still wait: late ones take no place in the batch, however many
 * stand before the others. */
static void lanes_late_orders_take_no_place(void **state)
{
    (void)state;
    static struct lanes_stage_caller late[3], live;
    struct uuid sale_id = {{1}};
    lanes_stage_make(100, 10); /* batches of 4 */
    lanes_stage_join_both();
    lanes_stage_make_idle(&sale_id);
    for (size_t i = 0; i < 3; i++) {
        lanes_stage_submit(&late[i], &sale_id, 3, "late");
        for (size_t k = 0; k < 3; k++) {
            late[i].orders[k].item.deadline_ns = atomic_load(&lanes_stage.database.now_ns);
        }
    }
    lanes_stage_submit(&live, &sale_id, 4, "live");
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.kind, LANE_TASK_ORDERS);
    assert_int_equal(lanes_stage.task.count, 4);
    assert_ptr_equal(lanes_stage.task.orders[0], &live.orders[0]);
    assert_int_equal(lanes_stats(lanes_stage.lanes).orders_deciding, 4);
    assert_int_equal(atomic_load(&late[2].answered), 1);
    assert_int_equal(late[2].orders[2].item.verdict, VERDICT_OVERLOADED);
    assert_true(late[2].orders[2].retry_after_ms >= 1000);
    lanes_stage_finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&live.answered), 1);
}

/* A lane of late ones costs no transaction: the worker goes on with the next lane. */
static void lanes_only_late_ones_cost_no_turn(void **state)
{
    (void)state;
    struct lanes_stage_caller late, live;
    struct lanes_stage_change change;
    struct uuid sale_id = {{1}}, other_id = {{2}};
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_make_idle(&sale_id);
    lanes_stage_make_idle(&other_id);
    lanes_stage_submit(&late, &sale_id, 1, "late");
    late.orders[0].item.attempts_end_ns = atomic_load(&lanes_stage.database.now_ns);
    lanes_stage_submit_change(&change, &sale_id);
    change.change.item.deadline_ns = atomic_load(&lanes_stage.database.now_ns) - 1;
    lanes_stage_submit(&live, &other_id, 1, "live");
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_true(uuid_equal(&lanes_stage.task.sale_id, &other_id));
    assert_int_equal(change.change.item.verdict, VERDICT_OVERLOADED);
    lanes_stage_finish_with(VERDICT_PLACED);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.kind, LANE_TASK_IDLE);
    assert_int_equal(late.orders[0].item.verdict, VERDICT_OVERLOADED);
    assert_int_equal(lanes_stats(lanes_stage.lanes).workers_busy, 0);
    assert_int_equal(lanes_stats(lanes_stage.lanes).orders_deciding, 0);
}

/* Who is refused hears how long their own sale's lane needs, not how busy another one is. */
static void lanes_refusal_says_how_long_its_own_lane_needs(void **state)
{
    (void)state;
    static struct lanes_stage_caller callers[4];
    struct uuid slow_id = {{1}}, quick_id = {{2}};
    const struct uuid *ids[] = {&slow_id, &quick_id};
    lanes_stage_make(16, 10); /* 8 in a lane */
    lanes_stage_join_both();
    lanes_stage_make_idle(&slow_id);
    lanes_stage_make_idle(&quick_id);
    for (size_t i = 0; i < 2; i++) { /* one order in 4 s, and four in 1 ms */
        lanes_stage_submit(&callers[i], ids[i], i == 0 ? 1 : 4, "a");
        lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
        atomic_fetch_add(&lanes_stage.database.now_ns,
                         i == 0 ? 4 * CLOCK_NS_PER_SECOND : CLOCK_NS_PER_MS);
        lanes_stage_finish_with(VERDICT_PLACED);
    }
    for (size_t i = 0; i < 2; i++) {
        lanes_stage_submit(&callers[0], ids[i], 8, "b");
        lanes_stage_submit(&callers[2 + i], ids[i], 1, "c");
        assert_int_equal(callers[2 + i].orders[0].item.verdict, VERDICT_OVERLOADED);
        while (lanes_stats(lanes_stage.lanes).lanes_ready > 0) {
            lanes_stage_do_turn();
        }
    }
    assert_true(callers[2].orders[0].retry_after_ms > 10000);
    assert_int_equal(callers[3].orders[0].retry_after_ms, 1000);
}

/* Two acts wait in one lane, as many as may, and each takes 4 s: whoever brings one more hears of
 * both, and so does whoever gave up waiting. */
static void lanes_refused_act_is_told_how_long_acts_take(void **state)
{
    (void)state;
    struct lanes_stage_job acts[4];
    struct uuid sale_id = {{1}};
    lanes_stage_make(16, 10);
    lanes_stage_join_both();
    lanes_stage_make_idle(&sale_id);
    lanes_stage_submit_act(&acts[0], &sale_id);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.kind, LANE_TASK_ACT);
    pass_ms(4000);
    lanes_work_finish_turn(lanes_stage.lanes, &lanes_stage.task);
    for (size_t i = 1; i < 4; i++) {
        lanes_stage_submit_act(&acts[i], &sale_id);
    }
    assert_int_equal(atomic_load(&acts[3].refused), 1);
    assert_int_equal(acts[3].verdict, VERDICT_OVERLOADED);
    assert_in_range(acts[3].job.retry_after_ms, 7900, 8100);
    acts[1].job.deadline_ns = atomic_load(&lanes_stage.database.now_ns);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_true(lanes_stage.task.is_late);
    assert_in_range(acts[1].job.retry_after_ms, 3900, 4100);
    lanes_work_finish_turn(lanes_stage.lanes, &lanes_stage.task);
    lanes_stage_do_turn();
}

/* Acts are one thing to wait for and orders another, although they share the lane. */
static void lanes_slow_acts_do_not_slow_the_rate_of_orders(void **state)
{
    (void)state;
    static struct lanes_stage_caller callers[2];
    struct lanes_stage_job act;
    struct uuid sale_id = {{1}};
    lanes_stage_make(16, 10); /* 8 in a lane */
    lanes_stage_join_both();
    lanes_stage_make_idle(&sale_id);
    lanes_stage_submit_act(&act, &sale_id);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    pass_ms(4000);
    lanes_work_finish_turn(lanes_stage.lanes, &lanes_stage.task);
    lanes_stage_submit(&callers[0], &sale_id, 4, "a");
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    pass_ms(1);
    lanes_stage_finish_with(VERDICT_PLACED);
    lanes_stage_submit(&callers[0], &sale_id, 8, "b");
    lanes_stage_submit(&callers[1], &sale_id, 1, "c");
    assert_int_equal(callers[1].orders[0].item.verdict, VERDICT_OVERLOADED);
    assert_int_equal(callers[1].orders[0].retry_after_ms, 1000);
    while (lanes_stats(lanes_stage.lanes).lanes_ready > 0) {
        lanes_stage_do_turn();
    }
}

/* Reads wait for their own connection: what it takes for each is what a refused one is told. */
static void lanes_refused_read_is_told_how_long_reads_take(void **state)
{
    (void)state;
    struct lanes_stage_job jobs[6];
    lanes_stage_make(16, 10); /* 4 jobs */
    lanes_stage_join_both();
    lanes_stage_submit_job(&jobs[0]);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_READS, &lanes_stage.task);
    pass_ms(2000);
    lanes_work_finish_job(lanes_stage.lanes, &lanes_stage.task);
    for (size_t i = 1; i < 6; i++) {
        lanes_stage_submit_job(&jobs[i]);
    }
    assert_int_equal(atomic_load(&jobs[5].refused), 1);
    assert_in_range(jobs[5].job.retry_after_ms, 7900, 8100);
    jobs[1].job.deadline_ns = atomic_load(&lanes_stage.database.now_ns);
    for (size_t i = 1; i < 5; i++) {
        lanes_work_take(lanes_stage.lanes, LANE_DUTY_READS, &lanes_stage.task);
        assert_int_equal(lanes_stage.task.is_late, i == 1);
        lanes_work_finish_job(lanes_stage.lanes, &lanes_stage.task);
    }
    assert_in_range(jobs[1].job.retry_after_ms, 7900, 8100);
}

/* --- Shares ----------------------------------------------------------------------------------- */

/* A sale with more orders than anybody can serve has a turn when each other one has had its: the
 * quiet ones wait for one of its batches at most. */
static void lanes_hot_sale_takes_no_more_than_its_share(void **state)
{
    (void)state;
    static struct lanes_stage_caller hot[200], quiet[200];
    struct uuid hot_id = {{1}}, quiet_ids[3] = {{{2}}, {{3}}, {{4}}};
    size_t hot_turns = 0, quiet_turns = 0, next_hot = 0, next_quiet = 0;
    lanes_stage_make(1000, 10);
    lanes_stage_join_both();
    lanes_stage_make_idle(&hot_id);
    for (size_t i = 0; i < 3; i++) {
        lanes_stage_make_idle(&quiet_ids[i]);
    }
    for (size_t i = 0; i < 10; i++) {
        lanes_stage_submit(&hot[next_hot++], &hot_id, 8, "h");
    }
    for (size_t round = 0; round < 20; round++) {
        lanes_stage_submit(&hot[next_hot++], &hot_id, 8, "h");
        for (size_t i = 0; i < 3; i++) {
            lanes_stage_submit(&quiet[next_quiet++], &quiet_ids[i], 1, "q");
        }
        for (size_t i = 0; i < 4; i++) {
            lanes_stage_do_turn();
            *(uuid_equal(&lanes_stage.task.sale_id, &hot_id) ? &hot_turns : &quiet_turns) += 1;
        }
        assert_int_equal(atomic_load(&quiet[next_quiet - 1].answered), 1);
    }
    assert_int_equal(hot_turns, 20);
    assert_int_equal(quiet_turns, 60);
    while (lanes_stats(lanes_stage.lanes).lanes_ready > 0) {
        lanes_stage_do_turn();
    }
}

/* What keeps the service going is not kept waiting by reads, nor keeps them waiting. */
static void lanes_urgent_jobs_go_first_and_not_twice(void **state)
{
    (void)state;
    struct lanes_stage_job urgent[2], plain[2];
    struct lane_job *order_of_turns[4];
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_submit_job(&plain[0]);
    lanes_stage_submit_job(&plain[1]);
    for (size_t i = 0; i < 2; i++) {
        urgent[i] = (struct lanes_stage_job){.job = {.deadline_ns = CLOCK_DEADLINE_NEVER,
                                                     .run = lanes_stage_run_job,
                                                     .refuse = lanes_stage_refuse_job}};
        lanes_submit_urgent_job(lanes_stage.lanes, &urgent[i].job);
    }
    for (size_t i = 0; i < 4; i++) {
        lanes_work_take(lanes_stage.lanes, LANE_DUTY_READS, &lanes_stage.task);
        assert_int_equal(lanes_stage.task.kind, LANE_TASK_JOB);
        order_of_turns[i] = lanes_stage.task.job;
        lanes_stage.task.job->run(lanes_stage.task.job, NULL, NULL);
        lanes_work_finish_job(lanes_stage.lanes, &lanes_stage.task);
    }
    assert_ptr_equal(order_of_turns[0], &urgent[0].job);
    assert_ptr_equal(order_of_turns[1], &plain[0].job);
    assert_ptr_equal(order_of_turns[2], &urgent[1].job);
    assert_ptr_equal(order_of_turns[3], &plain[1].job);
}

/* With one connection, reads and lanes go turn about, however much waits on either side. */
static void lanes_single_connection_serves_both_sides(void **state)
{
    (void)state;
    static struct lanes_stage_caller callers[6];
    static struct lanes_stage_job jobs[6];
    struct uuid sale_id = {{1}};
    lanes_stage_make(100, 10);
    lanes_work_joined(lanes_stage.lanes, LANE_DUTY_BOTH);
    lanes_stage_submit(&callers[0], &sale_id, 1, "a");
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_BOTH, &lanes_stage.task);
    lanes_stage.task.sale_known[0] = true;
    lanes_work_finish_lobby(lanes_stage.lanes, &lanes_stage.task);
    lanes_stage_submit(&callers[1], &sale_id, 8, "b");
    lanes_stage_submit(&callers[2], &sale_id, 8, "c");
    for (size_t i = 0; i < 4; i++) {
        lanes_stage_submit_job(&jobs[i]);
    }
    for (size_t i = 0; i < 8; i++) {
        lanes_work_take(lanes_stage.lanes, LANE_DUTY_BOTH, &lanes_stage.task);
        assert_int_equal(lanes_stage.task.kind, i % 2 == 0 ? LANE_TASK_ORDERS : LANE_TASK_JOB);
        if (lanes_stage.task.kind == LANE_TASK_JOB) {
            lanes_stage.task.job->run(lanes_stage.task.job, NULL, NULL);
            lanes_work_finish_job(lanes_stage.lanes, &lanes_stage.task);
        } else {
            lanes_stage_finish_with(VERDICT_PLACED);
        }
    }
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_BOTH, &lanes_stage.task);
    lanes_stage_finish_with(VERDICT_PLACED);
    assert_int_equal(lanes_stats(lanes_stage.lanes).orders_waiting, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lanes_stage_set_up, lanes_stage_tear_down)
        TEST(lanes_wait_is_told_from_when_work_could_be_taken),
        TEST(lanes_late_ones_are_counted),
        TEST(lanes_late_orders_take_no_place),
        TEST(lanes_only_late_ones_cost_no_turn),
        TEST(lanes_refusal_says_how_long_its_own_lane_needs),
        TEST(lanes_refused_act_is_told_how_long_acts_take),
        TEST(lanes_slow_acts_do_not_slow_the_rate_of_orders),
        TEST(lanes_refused_read_is_told_how_long_reads_take),
        TEST(lanes_hot_sale_takes_no_more_than_its_share),
        TEST(lanes_urgent_jobs_go_first_and_not_twice),
        TEST(lanes_single_connection_serves_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
