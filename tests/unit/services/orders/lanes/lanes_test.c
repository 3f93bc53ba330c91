/* Lanes by hand: who waits where, in which order they have their turns, and when they are refused.
 */
#include "orders/lanes/lanes.h"

#include "base/clock.h"
#include "lanes_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Orders of sales that do not exist never make a lane (a flood of random ids costs no memory). */
static void lanes_unknown_sale_is_answered_from_the_lobby(void **state)
{
    (void)state;
    struct lanes_stage_caller caller;
    struct uuid sale_id = {{1}};
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_submit(&caller, &sale_id, 3, "c");
    assert_int_equal(atomic_load(&caller.answered), 0);
    lanes_stage_take_lobby_as(false);
    assert_int_equal(atomic_load(&caller.answered), 1);
    assert_int_equal(caller.orders[2].item.verdict, VERDICT_SALE_NOT_FOUND);
    assert_int_equal(lanes_stats(lanes_stage.lanes).lanes, 0);
}

/* A lane has one owner; what arrives meanwhile becomes the next batch, in arrival order. */
static void lanes_owned_lane_collects_the_next_batch(void **state)
{
    (void)state;
    struct lanes_stage_caller first, second;
    struct uuid sale_id = {{1}};
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_submit(&first, &sale_id, 1, "a");
    lanes_stage_take_lobby_as(true);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.count, 1);
    lanes_stage_submit(&second, &sale_id, 3, "b");
    assert_int_equal(lanes_stats(lanes_stage.lanes).lanes_ready, 0);
    lanes_stage_finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&first.answered), 1);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.count, 3);
    assert_ptr_equal(lanes_stage.task.orders[0], &second.orders[0]);
    lanes_stage_finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&second.answered), 1);
}

/* A hot sale gets one batch a turn; a quiet one is not kept waiting behind all of it. */
static void lanes_take_turns_one_batch_each(void **state)
{
    (void)state;
    struct lanes_stage_caller hot, quiet;
    struct uuid hot_id = {{1}}, quiet_id = {{2}};
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_submit(&hot, &hot_id, 8, "h");
    lanes_stage_submit(&quiet, &quiet_id, 1, "q");
    lanes_stage_take_lobby_as(true);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_true(uuid_equal(&lanes_stage.task.sale_id, &hot_id));
    assert_int_equal(lanes_stage.task.count, 4); /* batch_max */
    lanes_stage_finish_with(VERDICT_PLACED);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_true(uuid_equal(&lanes_stage.task.sale_id, &quiet_id));
    lanes_stage_finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&quiet.answered), 1);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_true(uuid_equal(&lanes_stage.task.sale_id, &hot_id));
    lanes_stage_finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&hot.answered), 1);
}

/* Every queue has a bound; what does not fit is refused at once, what fits is served. */
static void lanes_full_lane_refuses_the_rest(void **state)
{
    (void)state;
    struct lanes_stage_caller first, second;
    struct uuid sale_id = {{1}};
    lanes_stage_make(8, 10); /* half of it in one lane: 4 */
    lanes_stage_join_both();
    lanes_stage_submit(&first, &sale_id, 2, "a");
    lanes_stage_take_lobby_as(true);
    lanes_stage_submit(&second, &sale_id, 4, "b");
    assert_int_equal(second.orders[1].item.verdict, 0);
    assert_int_equal(second.orders[2].item.verdict, VERDICT_OVERLOADED);
    assert_int_equal(second.orders[3].item.verdict, VERDICT_OVERLOADED);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    lanes_stage_finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&second.answered), 1);
}

/* Ids that nobody knows, however many, leave room for the sales that exist. */
static void lanes_full_lobby_leaves_room_in_lanes(void **state)
{
    (void)state;
    struct lanes_stage_caller first, strangers, again, second;
    struct uuid sale_id = {{1}}, nobodys = {{2}};
    lanes_stage_make(8, 10); /* half of it in the lobby: 4 */
    lanes_stage_join_both();
    lanes_stage_submit(&first, &sale_id, 1, "a");
    lanes_stage_take_lobby_as(true);
    lanes_stage_submit(&strangers, &nobodys, 8, "s");
    assert_int_equal(strangers.orders[3].item.verdict, 0);
    assert_int_equal(strangers.orders[4].item.verdict, VERDICT_OVERLOADED);
    lanes_stage_submit(&second, &sale_id, 2, "b");
    assert_int_equal(atomic_load(&second.answered), 0);
    lanes_stage_take_lobby_as(false);
    lanes_stage_submit(&again, &nobodys, 4,
                       "t"); /* who has left the lobby takes no room there any more */
    assert_int_equal(atomic_load(&again.answered), 0);
    lanes_stage_take_lobby_as(false);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.count, 3);
    lanes_stage_finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&first.answered) + atomic_load(&second.answered), 2);
}

/* Without any connection nobody is kept waiting for one. */
static void lanes_last_worker_gone_refuses_what_waits_and_comes(void **state)
{
    (void)state;
    struct lanes_stage_caller waiting, late;
    struct uuid sale_id = {{1}};
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_submit(&waiting, &sale_id, 2, "a");
    lanes_stage_take_lobby_as(true);
    lanes_work_left(lanes_stage.lanes, LANE_DUTY_ORDERS);
    assert_int_equal(atomic_load(&waiting.answered), 1);
    assert_int_equal(waiting.orders[0].item.verdict, VERDICT_DATABASE_UNAVAILABLE);
    lanes_stage_submit(&late, &sale_id, 1, "b");
    assert_int_equal(late.orders[0].item.verdict, VERDICT_DATABASE_UNAVAILABLE);
    lanes_work_joined(lanes_stage.lanes, LANE_DUTY_ORDERS);
    lanes_stage_submit(&late, &sale_id, 1, "b");
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    lanes_stage_finish_with(VERDICT_PLACED);
    assert_int_equal(late.orders[0].item.verdict, VERDICT_PLACED);
}

/* A drain refuses what is new and finishes what it has. */
static void lanes_drain_refuses_new_and_keeps_old(void **state)
{
    (void)state;
    struct lanes_stage_caller old, new;
    struct uuid sale_id = {{1}};
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_submit(&old, &sale_id, 1, "a");
    lanes_stage_take_lobby_as(true);
    lanes_drain(lanes_stage.lanes);
    lanes_stage_submit(&new, &sale_id, 1, "b");
    assert_int_equal(new.orders[0].item.verdict, VERDICT_DRAINING);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    lanes_stage_finish_with(VERDICT_PLACED);
    assert_int_equal(old.orders[0].item.verdict, VERDICT_PLACED);
    lanes_stop(lanes_stage.lanes);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.kind, LANE_TASK_STOP);
}

/* Lanes are bounded: the longest idle one makes room, and comes back through the lobby. */
static void lanes_idle_lane_makes_room(void **state)
{
    (void)state;
    struct lanes_stage_caller caller;
    lanes_stage_make(100, 2);
    lanes_stage_join_both();
    for (uint8_t i = 1; i <= 5; i++) {
        struct uuid sale_id = {{i}};
        lanes_stage_submit(&caller, &sale_id, 1, "c");
        lanes_stage_take_lobby_as(true);
        lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
        lanes_stage_finish_with(VERDICT_PLACED);
        assert_true(lanes_stats(lanes_stage.lanes).lanes <= 2);
        assert_int_equal(atomic_load(&caller.answered), 1);
    }
}

/* --- Jobs ------------------------------------------------------------------------------------- */

/* Jobs are bounded too, and refused when the reads' connection goes. */
static void lanes_jobs_are_bounded_and_refused(void **state)
{
    (void)state;
    struct lanes_stage_job jobs[5];
    lanes_stage_make(100, 2);
    lanes_stage_join_both();
    for (size_t i = 0; i < 5; i++) {
        lanes_stage_submit_job(&jobs[i]);
    }
    assert_int_equal(jobs[4].verdict, VERDICT_OVERLOADED);
    lanes_work_left(lanes_stage.lanes, LANE_DUTY_READS);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(atomic_load(&jobs[i].refused), 1);
    }
    assert_int_equal(jobs[0].verdict, VERDICT_DATABASE_UNAVAILABLE);
}

/* Orders for ids that nobody knows, however many, do not starve reads and administration. */
static void lanes_lobby_and_jobs_take_turns(void **state)
{
    (void)state;
    struct lanes_stage_caller callers[3];
    struct lanes_stage_job jobs[2];
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_submit_job(&jobs[0]);
    lanes_stage_submit_job(&jobs[1]);
    for (uint8_t i = 0; i < 3; i++) {
        struct uuid sale_id = {{(uint8_t)(i + 1)}};
        lanes_stage_submit(&callers[i], &sale_id, 1, "c");
        lanes_work_take(lanes_stage.lanes, LANE_DUTY_READS, &lanes_stage.task);
        if (lanes_stage.task.kind == LANE_TASK_JOB) {
            assert_int_equal(i, 1);
            lanes_stage.task.job->run(lanes_stage.task.job, NULL, NULL);
            lanes_work_finish_job(lanes_stage.lanes, &lanes_stage.task);
            continue;
        }
        lanes_stage.task.sale_known[0] = lanes_stage.task.sale_known[1] = false;
        lanes_work_finish_lobby(lanes_stage.lanes, &lanes_stage.task);
    }
    assert_int_equal(atomic_load(&jobs[0].run), 1);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_READS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.kind, LANE_TASK_JOB);
    lanes_stage.task.job->run(lanes_stage.task.job, NULL, NULL);
    lanes_work_finish_job(lanes_stage.lanes, &lanes_stage.task);
    assert_int_equal(atomic_load(&callers[1].answered), 1);
}

/* The look-up's table must find each id again, whatever strangers send, and tell known from not. */
static void lanes_many_unknown_sales_are_each_answered(void **state)
{
    (void)state;
    static struct lanes_stage_caller callers[700];
    size_t known = 0;
    lanes_stage_make(2000, 10000);
    lanes_stage_join_both();
    for (size_t i = 0; i < COUNT_OF(callers); i++) {
        struct uuid sale_id = {{[6] = (uint8_t)(i / 2), [15] = (uint8_t)(i / 512)}};
        lanes_stage_submit(&callers[i], &sale_id, 1, "c");
    }
    while (lanes_stats(lanes_stage.lanes).orders_waiting > 0) {
        lanes_work_take(lanes_stage.lanes, LANE_DUTY_READS, &lanes_stage.task);
        if (lanes_stage.task.kind != LANE_TASK_LOBBY) {
            break;
        }
        for (size_t i = 0; i < lanes_stage.task.sale_count; i++) {
            lanes_stage.task.sale_known[i] = lanes_stage.task.sale_ids[i].bytes[6] % 2 == 0;
        }
        lanes_work_finish_lobby(lanes_stage.lanes, &lanes_stage.task);
    }
    while (lanes_stats(lanes_stage.lanes).orders_waiting > 0) {
        lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
        assert_int_equal(lanes_stage.task.sale_id.bytes[6] % 2, 0);
        known += lanes_stage.task.count;
        lanes_stage_finish_with(VERDICT_PLACED);
    }
    assert_int_equal(known, 350);
    for (size_t i = 0; i < COUNT_OF(callers); i++) {
        assert_int_equal(atomic_load(&callers[i].answered), 1);
        assert_int_equal(callers[i].orders[0].item.verdict,
                         i / 2 % 2 == 0 ? VERDICT_PLACED : VERDICT_SALE_NOT_FOUND);
    }
}

/* After a drain's timeout what waits is refused; what a worker has, and may have committed, is not.
 */
static void lanes_cut_refuses_what_waits_and_keeps_what_is_taken(void **state)
{
    (void)state;
    static struct lane_task lobby;
    struct lanes_stage_caller taken, waiting, unknown;
    struct uuid sale_id = {{1}}, other_id = {{2}};
    struct lanes_stage_job job;
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_submit(&taken, &sale_id, 1, "a");
    lanes_stage_take_lobby_as(true);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    lanes_stage_submit(&waiting, &sale_id, 2, "b");
    lanes_stage_submit(&unknown, &other_id, 1, "c");
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_READS, &lobby);
    assert_int_equal(lobby.kind, LANE_TASK_LOBBY);
    lanes_stage_submit_job(&job);
    lanes_cut(lanes_stage.lanes);
    assert_int_equal(job.verdict, VERDICT_DRAINING);
    assert_int_equal(waiting.orders[1].item.verdict, VERDICT_DRAINING);
    assert_int_equal(atomic_load(&waiting.answered), 1);
    assert_int_equal(atomic_load(&unknown.answered), 0);
    lobby.sale_known[0] = true;
    lanes_work_finish_lobby(lanes_stage.lanes, &lobby);
    assert_int_equal(unknown.orders[0].item.verdict, VERDICT_DRAINING);
    assert_int_equal(atomic_load(&taken.answered), 0);
    lanes_stage_finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&taken.answered), 1);
    assert_int_equal(lanes_stats(lanes_stage.lanes).orders_waiting, 0);
}

/* --- Changes, acts and sweeps ----------------------------------------------------------------- */

/* A confirmation or an act for a sale that this replica has not seen yet finds out whether it
 * exists like an order does, in the same look-up. */
static void lanes_lobby_takes_changes_and_acts(void **state)
{
    (void)state;
    struct uuid known = {{1}}, unknown = {{2}};
    struct lanes_stage_change changes[2];
    struct lanes_stage_job acts[2];
    struct lanes_stage_caller caller;
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_submit(&caller, &known, 1, "a");
    lanes_stage_submit_change(&changes[0], &known);
    lanes_stage_submit_change(&changes[1], &unknown);
    lanes_stage_submit_act(&acts[0], &known);
    lanes_stage_submit_act(&acts[1], &unknown);
    assert_int_equal(lanes_stats(lanes_stage.lanes).changes_waiting, 2);
    assert_int_equal(lanes_stats(lanes_stage.lanes).acts_waiting, 2);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_READS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.sale_count, 2);
    for (size_t i = 0; i < 2; i++) {
        lanes_stage.task.sale_known[i] = uuid_equal(&lanes_stage.task.sale_ids[i], &known);
    }
    lanes_work_finish_lobby(lanes_stage.lanes, &lanes_stage.task);
    assert_int_equal(changes[1].change.item.verdict, VERDICT_SALE_NOT_FOUND);
    assert_int_equal(atomic_load(&changes[1].answered), 1);
    assert_int_equal(acts[1].verdict, VERDICT_SALE_NOT_FOUND);
    assert_int_equal(lanes_stage_do_turn(), LANE_TASK_ACT);
    assert_int_equal(lanes_stage_do_turn(), LANE_TASK_CHANGES);
    assert_int_equal(lanes_stage_do_turn(), LANE_TASK_ORDERS);
    assert_int_equal(atomic_load(&acts[0].run), 1);
    assert_int_equal(atomic_load(&changes[0].answered), 1);
    assert_int_equal(changes[0].change.item.verdict, VERDICT_DONE);
    assert_int_equal(atomic_load(&caller.answered), 1);
}

/* However busy a sale is with one kind, the others have their turns: here all four wait always. */
static void lanes_kinds_of_one_lane_take_turns(void **state)
{
    (void)state;
    static struct lanes_stage_caller callers[40];
    static struct lanes_stage_change changes[40];
    static struct lanes_stage_job acts[40];
    struct uuid sale_id = {{1}};
    int turns[LANE_TASK_STOP] = {0};
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_make_idle(&sale_id);
    for (size_t i = 0; i < 40; i++) {
        struct lanes_stats stats = lanes_stats(lanes_stage.lanes);
        if (stats.acts_waiting == 0) {
            lanes_stage_submit_act(&acts[i], &sale_id);
        }
        if (stats.changes_waiting == 0) {
            lanes_stage_submit_change(&changes[i], &sale_id);
        }
        if (stats.orders_waiting == 0) {
            lanes_stage_submit(&callers[i], &sale_id, 1, "o");
        }
        lanes_want_sweep(lanes_stage.lanes, &sale_id, 0);
        turns[lanes_stage_do_turn()]++;
    }
    assert_int_equal(turns[LANE_TASK_ORDERS], 10);
    assert_int_equal(turns[LANE_TASK_CHANGES], 10);
    assert_int_equal(turns[LANE_TASK_ACT], 10);
    assert_int_equal(turns[LANE_TASK_SWEEP], 10);
    while (lanes_stats(lanes_stage.lanes).lanes_ready > 0) {
        lanes_stage_do_turn();
    }
}

/* Wishes for a sweep become one, which matures what any of them would. */
static void lanes_wishes_for_a_sweep_become_one(void **state)
{
    (void)state;
    struct uuid sale_id = {{1}};
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_want_sweep(lanes_stage.lanes, &sale_id, 7);
    lanes_want_sweep(lanes_stage.lanes, &sale_id, 0);
    lanes_want_sweep(lanes_stage.lanes, &sale_id, 5);
    assert_int_equal(lanes_stage_do_turn(), LANE_TASK_SWEEP);
    assert_true(uuid_equal(&lanes_stage.task.sale_id, &sale_id));
    assert_int_equal(lanes_stage.task.mature_up_to, 7);
    assert_int_equal(lanes_stats(lanes_stage.lanes).lanes_ready, 0);
    lanes_want_sweep(lanes_stage.lanes, &sale_id, 0);
    assert_int_equal(lanes_stage_do_turn(), LANE_TASK_SWEEP);
    assert_int_equal(lanes_stage.task.mature_up_to, 0);
}

/* Changes and acts have bounds of their own, so that a crowd of orders cannot keep confirmations of
 * what is paid for out, nor the other way round. */
static void lanes_changes_and_acts_are_bounded_by_themselves(void **state)
{
    (void)state;
    struct uuid sale_id = {{1}}, other_id = {{2}};
    struct lanes_stage_change changes[10];
    struct lanes_stage_job acts[3];
    struct lanes_stage_caller caller;
    lanes_stage_make(8, 10); /* 8 orders, 8 changes, 4 acts: half of each in a lane */
    lanes_stage_join_both();
    lanes_stage_make_idle(&sale_id);
    lanes_stage_make_idle(&other_id);
    lanes_stage_submit(&caller, &sale_id, 5, "a");
    assert_int_equal(caller.orders[4].item.verdict, VERDICT_OVERLOADED);
    for (size_t i = 0; i < 5; i++) {
        lanes_stage_submit_change(&changes[i], &sale_id);
    }
    assert_int_equal(atomic_load(&changes[3].answered), 0);
    assert_int_equal(changes[4].change.item.verdict, VERDICT_OVERLOADED);
    assert_true(changes[4].change.retry_after_ms >= 1000);
    for (size_t i = 0; i < 3; i++) {
        lanes_stage_submit_act(&acts[i], &sale_id);
    }
    assert_int_equal(acts[2].verdict, VERDICT_OVERLOADED);
    for (size_t i = 5; i < 10; i++) {
        lanes_stage_submit_change(&changes[i], &other_id);
    }
    assert_int_equal(changes[9].change.item.verdict, VERDICT_OVERLOADED);
    while (lanes_stats(lanes_stage.lanes).lanes_ready > 0) {
        lanes_stage_do_turn();
    }
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(atomic_load(&changes[i].answered), 1);
    }
}

/* However much room orders have, changes of one sale keep to their own; and orders that fill all of
 * theirs take none from changes. */
static void lanes_orders_and_changes_share_no_room(void **state)
{
    (void)state;
    struct uuid sale_id = {{1}}, other_id = {{2}};
    struct lanes_stage_change changes[6];
    struct lanes_stage_caller callers[2];
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_make_idle(&sale_id);
    for (size_t i = 0; i < 5; i++) {
        lanes_stage_submit_change(&changes[i], &sale_id);
    }
    assert_int_equal(atomic_load(&changes[3].answered), 0);
    assert_int_equal(changes[4].change.item.verdict, VERDICT_OVERLOADED);
    while (lanes_stats(lanes_stage.lanes).lanes_ready > 0) {
        lanes_stage_do_turn();
    }
    lanes_stage_tear_down(state);
    lanes_stage_set_up(state);
    lanes_stage_make(8, 10); /* 8 orders in all */
    lanes_stage_join_both();
    lanes_stage_make_idle(&sale_id);
    lanes_stage_make_idle(&other_id);
    lanes_stage_submit(&callers[0], &sale_id, 4, "a");
    lanes_stage_submit(&callers[1], &other_id, 4, "b");
    lanes_stage_submit_change(&changes[5], &sale_id);
    assert_int_equal(atomic_load(&changes[5].answered), 0);
    while (lanes_stats(lanes_stage.lanes).lanes_ready > 0) {
        lanes_stage_do_turn();
    }
    assert_int_equal(changes[5].change.item.verdict, VERDICT_DONE);
}

/* A sale that is stuck keeps every worker of lanes waiting: reads have one that takes nothing else,
 * and it alone takes them. */
static void lanes_duties_take_nothing_of_each_other(void **state)
{
    (void)state;
    struct uuid sale_id = {{1}};
    struct lanes_stage_caller caller;
    struct lanes_stage_job job;
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_make_idle(&sale_id);
    lanes_stage_submit_job(&job);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.kind, LANE_TASK_IDLE);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_READS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.kind, LANE_TASK_JOB);
    lanes_work_finish_job(lanes_stage.lanes, &lanes_stage.task);
    lanes_stage_submit(&caller, &sale_id, 1, "c");
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_READS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.kind, LANE_TASK_IDLE);
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.kind, LANE_TASK_ORDERS);
    lanes_stage_finish_with(VERDICT_PLACED);
}

/* A drain works changes and acts off and drops the wish; without a connection and after a cut they
 * are refused like orders. */
static void lanes_changes_and_acts_end_like_orders(void **state)
{
    (void)state;
    struct uuid sale_id = {{1}}, other_id = {{2}};
    struct lanes_stage_change changes[4];
    struct lanes_stage_job acts[4];
    lanes_stage_make(100, 10);
    lanes_stage_join_both();
    lanes_stage_make_idle(&sale_id);
    lanes_stage_submit_change(&changes[0], &sale_id);
    lanes_stage_submit_act(&acts[0], &sale_id);
    lanes_want_sweep(lanes_stage.lanes, &other_id, 0);
    lanes_work_left(lanes_stage.lanes, LANE_DUTY_ORDERS);
    assert_int_equal(changes[0].change.item.verdict, VERDICT_DATABASE_UNAVAILABLE);
    assert_int_equal(acts[0].verdict, VERDICT_DATABASE_UNAVAILABLE);
    assert_int_equal(lanes_stats(lanes_stage.lanes).lanes_ready, 0);
    lanes_stage_submit_change(&changes[1], &sale_id);
    assert_int_equal(changes[1].change.item.verdict, VERDICT_DATABASE_UNAVAILABLE);
    lanes_want_sweep(lanes_stage.lanes, &sale_id, 0);
    assert_int_equal(lanes_stats(lanes_stage.lanes).lanes_ready, 0);
    lanes_work_joined(lanes_stage.lanes, LANE_DUTY_ORDERS);
    lanes_stage_submit_change(&changes[1], &sale_id);
    lanes_stage_submit_act(&acts[1], &sale_id);
    lanes_want_sweep(lanes_stage.lanes, &other_id, 0);
    lanes_drain(lanes_stage.lanes);
    assert_int_equal(lanes_stats(lanes_stage.lanes).lanes_ready, 1);
    lanes_stage_submit_change(&changes[2], &sale_id);
    lanes_stage_submit_act(&acts[2], &sale_id);
    lanes_want_sweep(lanes_stage.lanes, &sale_id, 0);
    assert_int_equal(changes[2].change.item.verdict, VERDICT_DRAINING);
    assert_int_equal(acts[2].verdict, VERDICT_DRAINING);
    assert_int_equal(lanes_stage_do_turn(), LANE_TASK_ACT);
    lanes_cut(lanes_stage.lanes);
    assert_int_equal(changes[1].change.item.verdict, VERDICT_DRAINING);
    assert_int_equal(lanes_stats(lanes_stage.lanes).lanes_ready, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lanes_stage_set_up, lanes_stage_tear_down)
        TEST(lanes_unknown_sale_is_answered_from_the_lobby),
        TEST(lanes_owned_lane_collects_the_next_batch),
        TEST(lanes_take_turns_one_batch_each),
        TEST(lanes_full_lane_refuses_the_rest),
        TEST(lanes_full_lobby_leaves_room_in_lanes),
        TEST(lanes_last_worker_gone_refuses_what_waits_and_comes),
        TEST(lanes_drain_refuses_new_and_keeps_old),
        TEST(lanes_idle_lane_makes_room),
        TEST(lanes_jobs_are_bounded_and_refused),
        TEST(lanes_lobby_and_jobs_take_turns),
        TEST(lanes_many_unknown_sales_are_each_answered),
        TEST(lanes_cut_refuses_what_waits_and_keeps_what_is_taken),
        TEST(lanes_lobby_takes_changes_and_acts),
        TEST(lanes_kinds_of_one_lane_take_turns),
        TEST(lanes_wishes_for_a_sweep_become_one),
        TEST(lanes_changes_and_acts_are_bounded_by_themselves),
        TEST(lanes_orders_and_changes_share_no_room),
        TEST(lanes_duties_take_nothing_of_each_other),
        TEST(lanes_changes_and_acts_end_like_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
