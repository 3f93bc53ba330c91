#include "orders/lanes/lanes.h"

#include "../fake_store.h"
#include "base/clock.h"
#include "base/order_id.h"
#include "orders/lanes/workers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* cmocka wants these first */
#include <cmocka.h>

static struct fake_database database;
static struct system_port fake_system;
static struct lanes *lanes;

static void make_lanes(size_t queue_max, size_t lanes_max)
{
    struct lanes_config config = {.queue_max = queue_max,
                                  .changes_max = 8,
                                  .acts_max = 4,
                                  .jobs_max = 4,
                                  .lanes_max = lanes_max,
                                  .batch_max = 4,
                                  .system = &fake_system};
    assert_int_equal(lanes_create(&config, &lanes), 0);
}

static int set_up(void **state)
{
    (void)state;
    fake_database_init(&database);
    fake_system = fake_system_of(&database);
    lanes = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lanes_destroy(lanes);
    fake_database_fini(&database);
    return 0;
}

/* --- A caller with its batch ------------------------------------------------------------------ */

struct caller {
    struct lane_batch batch;
    struct lane_order orders[8];
    char names[8][24];
    atomic_int answered;
};

static void on_answered(struct lane_batch *batch, void *data)
{
    struct caller *caller = data;
    assert_ptr_equal(batch, &caller->batch);
    atomic_fetch_add(&caller->answered, 1);
}

static void submit(struct caller *caller, const struct uuid *sale_id, size_t count,
                   const char *prefix)
{
    caller->batch = (struct lane_batch){.sale_id = *sale_id,
                                        .orders = caller->orders,
                                        .count = count,
                                        .on_answered = on_answered,
                                        .data = caller};
    atomic_store(&caller->answered, 0);
    for (size_t i = 0; i < count; i++) {
        caller->orders[i] = (struct lane_order){0};
        struct placement_request *in = &caller->orders[i].item.in;
        int length = snprintf(caller->names[i], sizeof(caller->names[i]), "%s%zu", prefix, i);
        in->customer_id = caller->names[i];
        in->customer_length = (size_t)length;
        in->quantity = 1;
        in->order_id = order_id_of(sale_id, caller->names[i], (size_t)length, "k", 1);
        caller->orders[i].item.deadline_ns = CLOCK_DEADLINE_NEVER;
        caller->orders[i].item.attempts_end_ns = CLOCK_DEADLINE_NEVER;
    }
    lanes_submit(lanes, &caller->batch);
}

static void wait_answered(struct caller *caller)
{
    const struct timespec pause = {.tv_nsec = 200000};
    for (int i = 0; i < 50000 && atomic_load(&caller->answered) == 0; i++) {
        nanosleep(&pause, NULL);
    }
    assert_int_equal(atomic_load(&caller->answered), 1);
}

/* A worker by hand: takes and answers in the test's own thread. */
static struct lane_task task;

static void take_lobby_as(bool known)
{
    lanes_work_take(lanes, LANE_DUTY_READS, &task);
    assert_int_equal(task.kind, LANE_TASK_LOBBY);
    for (size_t i = 0; i < task.sale_count; i++) {
        task.sale_known[i] = known;
    }
    lanes_work_finish_lobby(lanes, &task);
}

static void finish_with(enum verdict verdict)
{
    for (size_t i = 0; i < task.count; i++) {
        task.orders[i]->item.verdict = verdict;
    }
    lanes_work_finish_turn(lanes, &task);
}

static void join_both(void)
{
    lanes_work_joined(lanes, LANE_DUTY_ORDERS);
    lanes_work_joined(lanes, LANE_DUTY_READS);
}

/* Orders of sales that do not exist never make a lane (a flood of random ids costs no memory). */
static void lanes_unknown_sale_is_answered_from_the_lobby(void **state)
{
    (void)state;
    struct caller caller;
    struct uuid sale_id = {{1}};
    make_lanes(100, 10);
    join_both();
    submit(&caller, &sale_id, 3, "c");
    assert_int_equal(atomic_load(&caller.answered), 0);
    take_lobby_as(false);
    assert_int_equal(atomic_load(&caller.answered), 1);
    assert_int_equal(caller.orders[2].item.verdict, VERDICT_SALE_NOT_FOUND);
    assert_int_equal(lanes_stats(lanes).lanes, 0);
}

/* A lane has one owner; what arrives meanwhile becomes the next batch, in arrival order. */
static void lanes_owned_lane_collects_the_next_batch(void **state)
{
    (void)state;
    struct caller first, second;
    struct uuid sale_id = {{1}};
    make_lanes(100, 10);
    join_both();
    submit(&first, &sale_id, 1, "a");
    take_lobby_as(true);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    assert_int_equal(task.count, 1);
    submit(&second, &sale_id, 3, "b");
    assert_int_equal(lanes_stats(lanes).lanes_ready, 0);
    finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&first.answered), 1);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    assert_int_equal(task.count, 3);
    assert_ptr_equal(task.orders[0], &second.orders[0]);
    finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&second.answered), 1);
}

/* A hot sale gets one batch a turn; a quiet one is not kept waiting behind all of it. */
static void lanes_take_turns_one_batch_each(void **state)
{
    (void)state;
    struct caller hot, quiet;
    struct uuid hot_id = {{1}}, quiet_id = {{2}};
    make_lanes(100, 10);
    join_both();
    submit(&hot, &hot_id, 8, "h");
    submit(&quiet, &quiet_id, 1, "q");
    take_lobby_as(true);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    assert_true(uuid_equal(&task.sale_id, &hot_id));
    assert_int_equal(task.count, 4); /* batch_max */
    finish_with(VERDICT_PLACED);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    assert_true(uuid_equal(&task.sale_id, &quiet_id));
    finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&quiet.answered), 1);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    assert_true(uuid_equal(&task.sale_id, &hot_id));
    finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&hot.answered), 1);
}

/* Every queue has a bound; what does not fit is refused at once, what fits is served. */
static void lanes_full_lane_refuses_the_rest(void **state)
{
    (void)state;
    struct caller first, second;
    struct uuid sale_id = {{1}};
    make_lanes(8, 10); /* half of it in one lane: 4 */
    join_both();
    submit(&first, &sale_id, 2, "a");
    take_lobby_as(true);
    submit(&second, &sale_id, 4, "b");
    assert_int_equal(second.orders[1].item.verdict, 0);
    assert_int_equal(second.orders[2].item.verdict, VERDICT_OVERLOADED);
    assert_int_equal(second.orders[3].item.verdict, VERDICT_OVERLOADED);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&second.answered), 1);
}

/* Ids that nobody knows, however many, leave room for the sales that exist. */
static void lanes_full_lobby_leaves_room_in_lanes(void **state)
{
    (void)state;
    struct caller first, strangers, again, second;
    struct uuid sale_id = {{1}}, nobodys = {{2}};
    make_lanes(8, 10); /* half of it in the lobby: 4 */
    join_both();
    submit(&first, &sale_id, 1, "a");
    take_lobby_as(true);
    submit(&strangers, &nobodys, 8, "s");
    assert_int_equal(strangers.orders[3].item.verdict, 0);
    assert_int_equal(strangers.orders[4].item.verdict, VERDICT_OVERLOADED);
    submit(&second, &sale_id, 2, "b");
    assert_int_equal(atomic_load(&second.answered), 0);
    take_lobby_as(false);
    submit(&again, &nobodys, 4, "t"); /* who has left the lobby takes no room there any more */
    assert_int_equal(atomic_load(&again.answered), 0);
    take_lobby_as(false);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    assert_int_equal(task.count, 3);
    finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&first.answered) + atomic_load(&second.answered), 2);
}

/* Without any connection nobody is kept waiting for one. */
static void lanes_last_worker_gone_refuses_what_waits_and_comes(void **state)
{
    (void)state;
    struct caller waiting, late;
    struct uuid sale_id = {{1}};
    make_lanes(100, 10);
    join_both();
    submit(&waiting, &sale_id, 2, "a");
    take_lobby_as(true);
    lanes_work_left(lanes, LANE_DUTY_ORDERS);
    assert_int_equal(atomic_load(&waiting.answered), 1);
    assert_int_equal(waiting.orders[0].item.verdict, VERDICT_DATABASE_UNAVAILABLE);
    submit(&late, &sale_id, 1, "b");
    assert_int_equal(late.orders[0].item.verdict, VERDICT_DATABASE_UNAVAILABLE);
    lanes_work_joined(lanes, LANE_DUTY_ORDERS);
    submit(&late, &sale_id, 1, "b");
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    finish_with(VERDICT_PLACED);
    assert_int_equal(late.orders[0].item.verdict, VERDICT_PLACED);
}

/* A drain refuses what is new and finishes what it has. */
static void lanes_drain_refuses_new_and_keeps_old(void **state)
{
    (void)state;
    struct caller old, new;
    struct uuid sale_id = {{1}};
    make_lanes(100, 10);
    join_both();
    submit(&old, &sale_id, 1, "a");
    take_lobby_as(true);
    lanes_drain(lanes);
    submit(&new, &sale_id, 1, "b");
    assert_int_equal(new.orders[0].item.verdict, VERDICT_DRAINING);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    finish_with(VERDICT_PLACED);
    assert_int_equal(old.orders[0].item.verdict, VERDICT_PLACED);
    lanes_stop(lanes);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    assert_int_equal(task.kind, LANE_TASK_STOP);
}

/* Lanes are bounded: the longest idle one makes room, and comes back through the lobby. */
static void lanes_idle_lane_makes_room(void **state)
{
    (void)state;
    struct caller caller;
    make_lanes(100, 2);
    join_both();
    for (uint8_t i = 1; i <= 5; i++) {
        struct uuid sale_id = {{i}};
        submit(&caller, &sale_id, 1, "c");
        take_lobby_as(true);
        lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
        finish_with(VERDICT_PLACED);
        assert_true(lanes_stats(lanes).lanes <= 2);
        assert_int_equal(atomic_load(&caller.answered), 1);
    }
}

/* --- Jobs ------------------------------------------------------------------------------------- */

struct test_job {
    struct lane_job job;
    atomic_int run, refused;
    enum verdict verdict;
};

static void job_run(struct lane_job *job, const struct store *store, struct arena *arena)
{
    (void)store;
    (void)arena;
    atomic_fetch_add(&((struct test_job *)(void *)job)->run, 1);
}

static void job_refuse(struct lane_job *job, enum verdict verdict)
{
    struct test_job *mine = (struct test_job *)(void *)job;
    mine->verdict = verdict;
    atomic_fetch_add(&mine->refused, 1);
}

static void submit_job(struct test_job *job)
{
    *job = (struct test_job){
        .job = {.deadline_ns = CLOCK_DEADLINE_NEVER, .run = job_run, .refuse = job_refuse}};
    lanes_submit_job(lanes, &job->job);
}

/* Jobs are bounded too, and refused when the reads' connection goes. */
static void lanes_jobs_are_bounded_and_refused(void **state)
{
    (void)state;
    struct test_job jobs[5];
    make_lanes(100, 2);
    join_both();
    for (size_t i = 0; i < 5; i++) {
        submit_job(&jobs[i]);
    }
    assert_int_equal(jobs[4].verdict, VERDICT_OVERLOADED);
    lanes_work_left(lanes, LANE_DUTY_READS);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(atomic_load(&jobs[i].refused), 1);
    }
    assert_int_equal(jobs[0].verdict, VERDICT_DATABASE_UNAVAILABLE);
}

/* Orders for ids that nobody knows, however many, do not starve reads and administration. */
static void lanes_lobby_and_jobs_take_turns(void **state)
{
    (void)state;
    struct caller callers[3];
    struct test_job jobs[2];
    make_lanes(100, 10);
    join_both();
    submit_job(&jobs[0]);
    submit_job(&jobs[1]);
    for (uint8_t i = 0; i < 3; i++) {
        struct uuid sale_id = {{(uint8_t)(i + 1)}};
        submit(&callers[i], &sale_id, 1, "c");
        lanes_work_take(lanes, LANE_DUTY_READS, &task);
        if (task.kind == LANE_TASK_JOB) {
            assert_int_equal(i, 1);
            task.job->run(task.job, NULL, NULL);
            lanes_work_finish_job(lanes, &task);
            continue;
        }
        task.sale_known[0] = task.sale_known[1] = false;
        lanes_work_finish_lobby(lanes, &task);
    }
    assert_int_equal(atomic_load(&jobs[0].run), 1);
    lanes_work_take(lanes, LANE_DUTY_READS, &task);
    assert_int_equal(task.kind, LANE_TASK_JOB);
    task.job->run(task.job, NULL, NULL);
    lanes_work_finish_job(lanes, &task);
    assert_int_equal(atomic_load(&callers[1].answered), 1);
}

/* The look-up's table must find each id again, whatever strangers send, and tell known from not. */
static void lanes_many_unknown_sales_are_each_answered(void **state)
{
    (void)state;
    static struct caller callers[700];
    size_t known = 0;
    make_lanes(2000, 10000);
    join_both();
    for (size_t i = 0; i < COUNT_OF(callers); i++) {
        struct uuid sale_id = {{[6] = (uint8_t)(i / 2), [15] = (uint8_t)(i / 512)}};
        submit(&callers[i], &sale_id, 1, "c");
    }
    while (lanes_stats(lanes).orders_waiting > 0) {
        lanes_work_take(lanes, LANE_DUTY_READS, &task);
        if (task.kind != LANE_TASK_LOBBY) {
            break;
        }
        for (size_t i = 0; i < task.sale_count; i++) {
            task.sale_known[i] = task.sale_ids[i].bytes[6] % 2 == 0;
        }
        lanes_work_finish_lobby(lanes, &task);
    }
    while (lanes_stats(lanes).orders_waiting > 0) {
        lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
        assert_int_equal(task.sale_id.bytes[6] % 2, 0);
        known += task.count;
        finish_with(VERDICT_PLACED);
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
    struct caller taken, waiting, unknown;
    struct uuid sale_id = {{1}}, other_id = {{2}};
    struct test_job job;
    make_lanes(100, 10);
    join_both();
    submit(&taken, &sale_id, 1, "a");
    take_lobby_as(true);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    submit(&waiting, &sale_id, 2, "b");
    submit(&unknown, &other_id, 1, "c");
    lanes_work_take(lanes, LANE_DUTY_READS, &lobby);
    assert_int_equal(lobby.kind, LANE_TASK_LOBBY);
    submit_job(&job);
    lanes_cut(lanes);
    assert_int_equal(job.verdict, VERDICT_DRAINING);
    assert_int_equal(waiting.orders[1].item.verdict, VERDICT_DRAINING);
    assert_int_equal(atomic_load(&waiting.answered), 1);
    assert_int_equal(atomic_load(&unknown.answered), 0);
    lobby.sale_known[0] = true;
    lanes_work_finish_lobby(lanes, &lobby);
    assert_int_equal(unknown.orders[0].item.verdict, VERDICT_DRAINING);
    assert_int_equal(atomic_load(&taken.answered), 0);
    finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&taken.answered), 1);
    assert_int_equal(lanes_stats(lanes).orders_waiting, 0);
}

/* --- Changes, acts and sweeps ----------------------------------------------------------------- */

struct test_change {
    struct lane_change change;
    atomic_int answered;
};

static void on_change_answered(struct lane_change *change, void *data)
{
    assert_ptr_equal(change, data);
    atomic_fetch_add(&((struct test_change *)data)->answered, 1);
}

static void submit_change(struct test_change *mine, const struct uuid *sale_id)
{
    *mine = (struct test_change){
        .change = {.sale_id = *sale_id,
                   .item = {.deadline_ns = CLOCK_DEADLINE_NEVER,
                            .attempts_end_ns = CLOCK_DEADLINE_NEVER},
                   .on_answered = on_change_answered,
                   .data = mine},
    };
    lanes_submit_change(lanes, &mine->change);
}

static void submit_act(struct test_job *job, const struct uuid *sale_id)
{
    *job = (struct test_job){
        .job = {.deadline_ns = CLOCK_DEADLINE_NEVER, .run = job_run, .refuse = job_refuse}};
    lanes_submit_act(lanes, sale_id, &job->job);
}

/* Ends a turn of any kind as if it had been done; returns which it was. */
static enum lane_task_kind take_and_do_turn(void)
{
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    switch (task.kind) {
    case LANE_TASK_ORDERS:
        finish_with(VERDICT_PLACED);
        break;
    case LANE_TASK_CHANGES:
        for (size_t i = 0; i < task.count; i++) {
            task.changes[i]->item.verdict = VERDICT_DONE;
        }
        lanes_work_finish_turn(lanes, &task);
        break;
    case LANE_TASK_ACT:
        task.job->run(task.job, NULL, NULL);
        lanes_work_finish_turn(lanes, &task);
        break;
    case LANE_TASK_SWEEP:
        lanes_work_finish_turn(lanes, &task);
        break;
    default:
        fail();
    }
    return task.kind;
}

/* Makes a lane for the sale and leaves it idle. */
static void make_idle_lane(const struct uuid *sale_id)
{
    struct caller caller;
    submit(&caller, sale_id, 1, "first");
    take_lobby_as(true);
    assert_int_equal(take_and_do_turn(), LANE_TASK_ORDERS);
}

/* A confirmation or an act for a sale that this replica has not seen yet finds out whether it
 * exists like an order does, in the same look-up. */
static void lanes_lobby_takes_changes_and_acts(void **state)
{
    (void)state;
    struct uuid known = {{1}}, unknown = {{2}};
    struct test_change changes[2];
    struct test_job acts[2];
    struct caller caller;
    make_lanes(100, 10);
    join_both();
    submit(&caller, &known, 1, "a");
    submit_change(&changes[0], &known);
    submit_change(&changes[1], &unknown);
    submit_act(&acts[0], &known);
    submit_act(&acts[1], &unknown);
    assert_int_equal(lanes_stats(lanes).changes_waiting, 2);
    assert_int_equal(lanes_stats(lanes).acts_waiting, 2);
    lanes_work_take(lanes, LANE_DUTY_READS, &task);
    assert_int_equal(task.sale_count, 2);
    for (size_t i = 0; i < 2; i++) {
        task.sale_known[i] = uuid_equal(&task.sale_ids[i], &known);
    }
    lanes_work_finish_lobby(lanes, &task);
    assert_int_equal(changes[1].change.item.verdict, VERDICT_SALE_NOT_FOUND);
    assert_int_equal(atomic_load(&changes[1].answered), 1);
    assert_int_equal(acts[1].verdict, VERDICT_SALE_NOT_FOUND);
    assert_int_equal(take_and_do_turn(), LANE_TASK_ACT);
    assert_int_equal(take_and_do_turn(), LANE_TASK_CHANGES);
    assert_int_equal(take_and_do_turn(), LANE_TASK_ORDERS);
    assert_int_equal(atomic_load(&acts[0].run), 1);
    assert_int_equal(atomic_load(&changes[0].answered), 1);
    assert_int_equal(changes[0].change.item.verdict, VERDICT_DONE);
    assert_int_equal(atomic_load(&caller.answered), 1);
}

/* However busy a sale is with one kind, the others have their turns: here all four wait always. */
static void lanes_kinds_of_one_lane_take_turns(void **state)
{
    (void)state;
    static struct caller callers[40];
    static struct test_change changes[40];
    static struct test_job acts[40];
    struct uuid sale_id = {{1}};
    int turns[LANE_TASK_STOP] = {0};
    make_lanes(100, 10);
    join_both();
    make_idle_lane(&sale_id);
    for (size_t i = 0; i < 40; i++) {
        struct lanes_stats stats = lanes_stats(lanes);
        if (stats.acts_waiting == 0) {
            submit_act(&acts[i], &sale_id);
        }
        if (stats.changes_waiting == 0) {
            submit_change(&changes[i], &sale_id);
        }
        if (stats.orders_waiting == 0) {
            submit(&callers[i], &sale_id, 1, "o");
        }
        lanes_want_sweep(lanes, &sale_id, 0);
        turns[take_and_do_turn()]++;
    }
    assert_int_equal(turns[LANE_TASK_ORDERS], 10);
    assert_int_equal(turns[LANE_TASK_CHANGES], 10);
    assert_int_equal(turns[LANE_TASK_ACT], 10);
    assert_int_equal(turns[LANE_TASK_SWEEP], 10);
    while (lanes_stats(lanes).lanes_ready > 0) {
        take_and_do_turn();
    }
}

/* Wishes for a sweep become one, which matures what any of them would. */
static void lanes_wishes_for_a_sweep_become_one(void **state)
{
    (void)state;
    struct uuid sale_id = {{1}};
    make_lanes(100, 10);
    join_both();
    lanes_want_sweep(lanes, &sale_id, 7);
    lanes_want_sweep(lanes, &sale_id, 0);
    lanes_want_sweep(lanes, &sale_id, 5);
    assert_int_equal(take_and_do_turn(), LANE_TASK_SWEEP);
    assert_true(uuid_equal(&task.sale_id, &sale_id));
    assert_int_equal(task.mature_up_to, 7);
    assert_int_equal(lanes_stats(lanes).lanes_ready, 0);
    lanes_want_sweep(lanes, &sale_id, 0);
    assert_int_equal(take_and_do_turn(), LANE_TASK_SWEEP);
    assert_int_equal(task.mature_up_to, 0);
}

/* Changes and acts have bounds of their own, so that a crowd of orders cannot keep confirmations of
 * what is paid for out, nor the other way round. */
static void lanes_changes_and_acts_are_bounded_by_themselves(void **state)
{
    (void)state;
    struct uuid sale_id = {{1}}, other_id = {{2}};
    struct test_change changes[10];
    struct test_job acts[3];
    struct caller caller;
    make_lanes(8, 10); /* 8 orders, 8 changes, 4 acts: half of each in a lane */
    join_both();
    make_idle_lane(&sale_id);
    make_idle_lane(&other_id);
    submit(&caller, &sale_id, 5, "a");
    assert_int_equal(caller.orders[4].item.verdict, VERDICT_OVERLOADED);
    for (size_t i = 0; i < 5; i++) {
        submit_change(&changes[i], &sale_id);
    }
    assert_int_equal(atomic_load(&changes[3].answered), 0);
    assert_int_equal(changes[4].change.item.verdict, VERDICT_OVERLOADED);
    assert_true(changes[4].change.retry_after_ms >= 1000);
    for (size_t i = 0; i < 3; i++) {
        submit_act(&acts[i], &sale_id);
    }
    assert_int_equal(acts[2].verdict, VERDICT_OVERLOADED);
    for (size_t i = 5; i < 10; i++) {
        submit_change(&changes[i], &other_id);
    }
    assert_int_equal(changes[9].change.item.verdict, VERDICT_OVERLOADED);
    while (lanes_stats(lanes).lanes_ready > 0) {
        take_and_do_turn();
    }
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(atomic_load(&changes[i].answered), 1);
    }
}

/* A drain works changes and acts off and drops the wish; without a connection and after a cut they
 * are refused like orders. */
static void lanes_changes_and_acts_end_like_orders(void **state)
{
    (void)state;
    struct uuid sale_id = {{1}}, other_id = {{2}};
    struct test_change changes[4];
    struct test_job acts[4];
    make_lanes(100, 10);
    join_both();
    make_idle_lane(&sale_id);
    submit_change(&changes[0], &sale_id);
    submit_act(&acts[0], &sale_id);
    lanes_want_sweep(lanes, &other_id, 0);
    lanes_work_left(lanes, LANE_DUTY_ORDERS);
    assert_int_equal(changes[0].change.item.verdict, VERDICT_DATABASE_UNAVAILABLE);
    assert_int_equal(acts[0].verdict, VERDICT_DATABASE_UNAVAILABLE);
    assert_int_equal(lanes_stats(lanes).lanes_ready, 0);
    submit_change(&changes[1], &sale_id);
    assert_int_equal(changes[1].change.item.verdict, VERDICT_DATABASE_UNAVAILABLE);
    lanes_want_sweep(lanes, &sale_id, 0);
    assert_int_equal(lanes_stats(lanes).lanes_ready, 0);
    lanes_work_joined(lanes, LANE_DUTY_ORDERS);
    submit_change(&changes[1], &sale_id);
    submit_act(&acts[1], &sale_id);
    lanes_want_sweep(lanes, &other_id, 0);
    lanes_drain(lanes);
    assert_int_equal(lanes_stats(lanes).lanes_ready, 1);
    submit_change(&changes[2], &sale_id);
    submit_act(&acts[2], &sale_id);
    lanes_want_sweep(lanes, &sale_id, 0);
    assert_int_equal(changes[2].change.item.verdict, VERDICT_DRAINING);
    assert_int_equal(acts[2].verdict, VERDICT_DRAINING);
    assert_int_equal(take_and_do_turn(), LANE_TASK_ACT);
    lanes_cut(lanes);
    assert_int_equal(changes[1].change.item.verdict, VERDICT_DRAINING);
    assert_int_equal(lanes_stats(lanes).lanes_ready, 0);
}

/* --- Late ones and waits ---------------------------------------------------------------------- */

static void pass_ms(int64_t ms)
{
    atomic_fetch_add(&database.now_ns, ms * CLOCK_NS_PER_MS);
}

/* What operators size the pool by: how long a task waited once a connection could have taken it, so
 * not the time that its own lane's last batch took. */
static void lanes_wait_is_told_from_when_work_could_be_taken(void **state)
{
    (void)state;
    static struct caller first, second;
    struct test_job job;
    struct uuid sale_id = {{1}};
    make_lanes(100, 10);
    join_both();
    submit(&first, &sale_id, 1, "first");
    submit_job(&job);
    pass_ms(7);
    assert_true(lanes_stats(lanes).lobby_waits);
    assert_int_equal(lanes_stats(lanes).longest_wait_ns, 7 * CLOCK_NS_PER_MS);
    take_lobby_as(true);
    assert_int_equal(task.waited_ns, 7 * CLOCK_NS_PER_MS);
    pass_ms(3);
    lanes_work_take(lanes, LANE_DUTY_READS, &task);
    assert_int_equal(task.waited_ns, 10 * CLOCK_NS_PER_MS);
    lanes_work_finish_job(lanes, &task);
    assert_int_equal(lanes_stats(lanes).longest_wait_ns, 3 * CLOCK_NS_PER_MS);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    assert_int_equal(task.waited_ns, 3 * CLOCK_NS_PER_MS);
    assert_int_equal(lanes_stats(lanes).longest_wait_ns, 0);
    submit(&second, &sale_id, 1, "second");
    pass_ms(100);
    assert_int_equal(lanes_stats(lanes).longest_wait_ns, 0);
    finish_with(VERDICT_PLACED);
    pass_ms(2);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    assert_int_equal(task.waited_ns, 2 * CLOCK_NS_PER_MS);
    finish_with(VERDICT_PLACED);
    assert_int_equal(lanes_stats(lanes).late, 0);
}

/* What waited for longer than its caller is the sign of a pool that is too small: each counts. */
static void lanes_late_ones_are_counted(void **state)
{
    (void)state;
    static struct caller late;
    struct test_job job;
    struct uuid sale_id = {{1}};
    make_lanes(100, 10);
    join_both();
    make_idle_lane(&sale_id);
    submit_job(&job);
    job.job.deadline_ns = atomic_load(&database.now_ns) + 1;
    submit(&late, &sale_id, 3, "late");
    for (size_t i = 0; i < 2; i++) {
        late.orders[i].item.deadline_ns = atomic_load(&database.now_ns) + 1;
    }
    pass_ms(1);
    lanes_work_take(lanes, LANE_DUTY_READS, &task);
    assert_true(task.is_late);
    lanes_work_finish_job(lanes, &task);
    assert_int_equal(lanes_stats(lanes).late, 1);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    assert_int_equal(task.count, 1);
    finish_with(VERDICT_PLACED);
    assert_int_equal(lanes_stats(lanes).late, 3);
}

/* Work is spent on those only who still wait: late ones take no place in the batch, however many
 * stand before the others. */
static void lanes_late_orders_take_no_place(void **state)
{
    (void)state;
    static struct caller late[3], live;
    struct uuid sale_id = {{1}};
    make_lanes(100, 10); /* batches of 4 */
    join_both();
    make_idle_lane(&sale_id);
    for (size_t i = 0; i < 3; i++) {
        submit(&late[i], &sale_id, 3, "late");
        for (size_t k = 0; k < 3; k++) {
            late[i].orders[k].item.deadline_ns = atomic_load(&database.now_ns);
        }
    }
    submit(&live, &sale_id, 4, "live");
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    assert_int_equal(task.kind, LANE_TASK_ORDERS);
    assert_int_equal(task.count, 4);
    assert_ptr_equal(task.orders[0], &live.orders[0]);
    assert_int_equal(lanes_stats(lanes).orders_deciding, 4);
    assert_int_equal(atomic_load(&late[2].answered), 1);
    assert_int_equal(late[2].orders[2].item.verdict, VERDICT_OVERLOADED);
    assert_true(late[2].orders[2].retry_after_ms >= 1000);
    finish_with(VERDICT_PLACED);
    assert_int_equal(atomic_load(&live.answered), 1);
}

/* A lane of late ones costs no transaction: the worker goes on with the next lane. */
static void lanes_only_late_ones_cost_no_turn(void **state)
{
    (void)state;
    struct caller late, live;
    struct test_change change;
    struct uuid sale_id = {{1}}, other_id = {{2}};
    make_lanes(100, 10);
    join_both();
    make_idle_lane(&sale_id);
    make_idle_lane(&other_id);
    submit(&late, &sale_id, 1, "late");
    late.orders[0].item.attempts_end_ns = atomic_load(&database.now_ns);
    submit_change(&change, &sale_id);
    change.change.item.deadline_ns = atomic_load(&database.now_ns) - 1;
    submit(&live, &other_id, 1, "live");
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    assert_true(uuid_equal(&task.sale_id, &other_id));
    assert_int_equal(change.change.item.verdict, VERDICT_OVERLOADED);
    finish_with(VERDICT_PLACED);
    lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
    assert_int_equal(task.kind, LANE_TASK_IDLE);
    assert_int_equal(late.orders[0].item.verdict, VERDICT_OVERLOADED);
    assert_int_equal(lanes_stats(lanes).workers_busy, 0);
    assert_int_equal(lanes_stats(lanes).orders_deciding, 0);
}

/* Who is refused hears how long their own sale's lane needs, not how busy another one is. */
static void lanes_refusal_says_how_long_its_own_lane_needs(void **state)
{
    (void)state;
    static struct caller callers[4];
    struct uuid slow_id = {{1}}, quick_id = {{2}};
    const struct uuid *ids[] = {&slow_id, &quick_id};
    make_lanes(16, 10); /* 8 in a lane */
    join_both();
    make_idle_lane(&slow_id);
    make_idle_lane(&quick_id);
    for (size_t i = 0; i < 2; i++) { /* one order in 4 s, and four in 1 ms */
        submit(&callers[i], ids[i], i == 0 ? 1 : 4, "a");
        lanes_work_take(lanes, LANE_DUTY_ORDERS, &task);
        atomic_fetch_add(&database.now_ns, i == 0 ? 4 * CLOCK_NS_PER_SECOND : CLOCK_NS_PER_MS);
        finish_with(VERDICT_PLACED);
    }
    for (size_t i = 0; i < 2; i++) {
        submit(&callers[0], ids[i], 8, "b");
        submit(&callers[2 + i], ids[i], 1, "c");
        assert_int_equal(callers[2 + i].orders[0].item.verdict, VERDICT_OVERLOADED);
        while (lanes_stats(lanes).lanes_ready > 0) {
            take_and_do_turn();
        }
    }
    assert_true(callers[2].orders[0].retry_after_ms > 10000);
    assert_int_equal(callers[3].orders[0].retry_after_ms, 1000);
}

/* --- Shares ----------------------------------------------------------------------------------- */

/* A sale with more orders than anybody can serve has a turn when each other one has had its: the
 * quiet ones wait for one of its batches at most. */
static void lanes_hot_sale_takes_no_more_than_its_share(void **state)
{
    (void)state;
    static struct caller hot[200], quiet[200];
    struct uuid hot_id = {{1}}, quiet_ids[3] = {{{2}}, {{3}}, {{4}}};
    size_t hot_turns = 0, quiet_turns = 0, next_hot = 0, next_quiet = 0;
    make_lanes(1000, 10);
    join_both();
    make_idle_lane(&hot_id);
    for (size_t i = 0; i < 3; i++) {
        make_idle_lane(&quiet_ids[i]);
    }
    for (size_t i = 0; i < 10; i++) {
        submit(&hot[next_hot++], &hot_id, 8, "h");
    }
    for (size_t round = 0; round < 20; round++) {
        submit(&hot[next_hot++], &hot_id, 8, "h");
        for (size_t i = 0; i < 3; i++) {
            submit(&quiet[next_quiet++], &quiet_ids[i], 1, "q");
        }
        for (size_t i = 0; i < 4; i++) {
            take_and_do_turn();
            *(uuid_equal(&task.sale_id, &hot_id) ? &hot_turns : &quiet_turns) += 1;
        }
        assert_int_equal(atomic_load(&quiet[next_quiet - 1].answered), 1);
    }
    assert_int_equal(hot_turns, 20);
    assert_int_equal(quiet_turns, 60);
    while (lanes_stats(lanes).lanes_ready > 0) {
        take_and_do_turn();
    }
}

/* What keeps the service going is not kept waiting by reads, nor keeps them waiting. */
static void lanes_urgent_jobs_go_first_and_not_twice(void **state)
{
    (void)state;
    struct test_job urgent[2], plain[2];
    struct lane_job *order_of_turns[4];
    make_lanes(100, 10);
    join_both();
    submit_job(&plain[0]);
    submit_job(&plain[1]);
    for (size_t i = 0; i < 2; i++) {
        urgent[i] = (struct test_job){
            .job = {.deadline_ns = CLOCK_DEADLINE_NEVER, .run = job_run, .refuse = job_refuse}};
        lanes_submit_urgent_job(lanes, &urgent[i].job);
    }
    for (size_t i = 0; i < 4; i++) {
        lanes_work_take(lanes, LANE_DUTY_READS, &task);
        assert_int_equal(task.kind, LANE_TASK_JOB);
        order_of_turns[i] = task.job;
        task.job->run(task.job, NULL, NULL);
        lanes_work_finish_job(lanes, &task);
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
    static struct caller callers[6];
    static struct test_job jobs[6];
    struct uuid sale_id = {{1}};
    make_lanes(100, 10);
    lanes_work_joined(lanes, LANE_DUTY_BOTH);
    submit(&callers[0], &sale_id, 1, "a");
    lanes_work_take(lanes, LANE_DUTY_BOTH, &task);
    task.sale_known[0] = true;
    lanes_work_finish_lobby(lanes, &task);
    submit(&callers[1], &sale_id, 8, "b");
    submit(&callers[2], &sale_id, 8, "c");
    for (size_t i = 0; i < 4; i++) {
        submit_job(&jobs[i]);
    }
    for (size_t i = 0; i < 8; i++) {
        lanes_work_take(lanes, LANE_DUTY_BOTH, &task);
        assert_int_equal(task.kind, i % 2 == 0 ? LANE_TASK_ORDERS : LANE_TASK_JOB);
        if (task.kind == LANE_TASK_JOB) {
            task.job->run(task.job, NULL, NULL);
            lanes_work_finish_job(lanes, &task);
        } else {
            finish_with(VERDICT_PLACED);
        }
    }
    lanes_work_take(lanes, LANE_DUTY_BOTH, &task);
    finish_with(VERDICT_PLACED);
    assert_int_equal(lanes_stats(lanes).orders_waiting, 0);
}

/* --- With real workers on threads ------------------------------------------------------------- */

struct crowd {
    struct fake_connection connections[4];
    struct store stores[4];
    struct workers *workers;
    atomic_int losses; /* told of */
};

static void ignore_batch(void *data, const struct lane_task *done, int64_t duration_ns)
{
    (void)data;
    (void)done;
    (void)duration_ns;
}

static void ignore_taken(void *data, const struct lane_task *taken)
{
    (void)data;
    (void)taken;
}

static void ignore_sweep(void *data, size_t expired, int32_t matured)
{
    (void)data;
    (void)expired;
    (void)matured;
}

static void count_losses(void *data, size_t worker, bool connected)
{
    struct crowd *crowd = data;
    (void)worker;
    atomic_fetch_add(&crowd->losses, !connected);
}

static void start_workers(struct crowd *crowd, size_t count)
{
    atomic_init(&crowd->losses, 0);
    for (size_t i = 0; i < count; i++) {
        crowd->stores[i] = fake_store_of(&crowd->connections[i], &database);
    }
    struct workers_config config = {
        .lanes = lanes,
        .system = &fake_system,
        .stores = crowd->stores,
        .count = count,
        .transaction_ns_max = 2 * CLOCK_NS_PER_SECOND,
        .decision_ns_max = 5 * CLOCK_NS_PER_SECOND,
        .observer = {.data = crowd,
                     .on_taken = ignore_taken,
                     .on_batch = ignore_batch,
                     .on_settled = ignore_batch,
                     .on_swept = ignore_sweep,
                     .on_connection = count_losses},
    };
    assert_int_equal(workers_start(&config, &crowd->workers), 0);
    while (lanes_stats(lanes).workers < count) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

static void stop_workers(struct crowd *crowd)
{
    lanes_stop(lanes);
    workers_join(crowd->workers);
}

struct shopper {
    pthread_t thread;
    struct uuid sale_id;
    int number;
    int placed;
};

static void *shop(void *data)
{
    struct shopper *shopper = data;
    static __thread struct caller caller;
    for (int i = 0; i < 100; i++) {
        char prefix[16];
        snprintf(prefix, sizeof(prefix), "s%d-%d-", shopper->number, i);
        submit(&caller, &shopper->sale_id, 4, prefix);
        wait_answered(&caller);
        for (size_t k = 0; k < 4; k++) {
            shopper->placed += caller.orders[k].item.verdict == VERDICT_PLACED;
        }
    }
    return NULL;
}

static void crowd_buys(size_t worker_count)
{
    struct shopper shoppers[6];
    struct crowd crowd;
    int placed[2] = {0, 0};
    struct uuid ids[2];

    make_lanes(1000, 4);
    ids[0] = fake_database_add_sale(&database, 700, 0);
    ids[1] = fake_database_add_sale(&database, 300, 0);
    start_workers(&crowd, worker_count);
    for (int i = 0; i < 6; i++) {
        shoppers[i] = (struct shopper){.sale_id = ids[i % 2], .number = i};
        assert_int_equal(pthread_create(&shoppers[i].thread, NULL, shop, &shoppers[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(shoppers[i].thread, NULL);
        placed[i % 2] += shoppers[i].placed;
    }
    stop_workers(&crowd);
    assert_int_equal(placed[0], 700);
    assert_int_equal(placed[1], 300);
    assert_int_equal(database.sales[0].order_count, 700);
    assert_int_equal(database.sales[0].sale.stock_remaining, 0);
}

/* Several workers on several sales sell exactly the stock. */
static void workers_crowd_on_two_sales_sells_exactly_the_stock(void **state)
{
    (void)state;
    crowd_buys(4);
}

/* One connection serves orders, reads and the lobby in turns (CORRECTNESS D3). */
static void workers_single_connection_takes_turns(void **state)
{
    (void)state;
    crowd_buys(1);
}

/* A connection that is lost comes back, and what is asked then is served. */
static void workers_lost_connection_comes_back(void **state)
{
    (void)state;
    struct caller caller;
    struct crowd crowd;
    make_lanes(1000, 4);
    struct uuid sale_id = fake_database_add_sale(&database, 10, 0);
    start_workers(&crowd, 2);
    atomic_store(&database.is_down, true);
    submit(&caller, &sale_id, 2, "a");
    wait_answered(&caller);
    assert_int_equal(caller.orders[0].item.verdict, VERDICT_DATABASE_UNAVAILABLE);
    atomic_store(&database.is_down, false);
    while (lanes_stats(lanes).workers < 2) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    submit(&caller, &sale_id, 2, "a");
    wait_answered(&caller);
    assert_int_equal(caller.orders[0].item.verdict, VERDICT_PLACED);
    stop_workers(&crowd);
}

static void lose_connection(struct lane_job *job, const struct store *store, struct arena *arena)
{
    ((struct fake_connection *)store->data)->is_lost = true;
    job_run(job, store, arena);
}

/*
 * A connection that is back at once was never gone: nothing that waits is refused for it, and
 * nobody hears that the program has stopped serving.
 */
static void workers_quick_reconnection_refuses_nothing(void **state)
{
    (void)state;
    struct caller caller;
    struct crowd crowd;
    make_lanes(1000, 4);
    struct uuid sale_id = fake_database_add_sale(&database, 1000, 0);
    start_workers(&crowd, 1);
    for (int i = 0; i < 50; i++) {
        struct test_job job = {.job = {.deadline_ns = CLOCK_DEADLINE_NEVER,
                                       .run = lose_connection,
                                       .refuse = job_refuse}};
        char prefix[16];
        snprintf(prefix, sizeof(prefix), "q%d-", i);
        lanes_submit_job(lanes, &job.job);
        submit(&caller, &sale_id, 4, prefix);
        wait_answered(&caller);
        assert_int_equal(caller.orders[3].item.verdict, VERDICT_PLACED);
        while (atomic_load(&job.run) == 0) {
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        }
    }
    assert_int_equal(atomic_load(&crowd.losses), 0);
    assert_true(lanes_stats(lanes).orders_served);
    stop_workers(&crowd);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(lanes_unknown_sale_is_answered_from_the_lobby),
        TEST(lanes_owned_lane_collects_the_next_batch),
        TEST(lanes_take_turns_one_batch_each),
        TEST(lanes_full_lane_refuses_the_rest),
        TEST(lanes_full_lobby_leaves_room_in_lanes),
        TEST(lanes_last_worker_gone_refuses_what_waits_and_comes),
        TEST(lanes_drain_refuses_new_and_keeps_old),
        TEST(lanes_idle_lane_makes_room),
        TEST(lanes_jobs_are_bounded_and_refused),
        TEST(workers_crowd_on_two_sales_sells_exactly_the_stock),
        TEST(workers_single_connection_takes_turns),
        TEST(workers_lost_connection_comes_back),
        TEST(workers_quick_reconnection_refuses_nothing),
        TEST(lanes_lobby_and_jobs_take_turns),
        TEST(lanes_many_unknown_sales_are_each_answered),
        TEST(lanes_cut_refuses_what_waits_and_keeps_what_is_taken),
        TEST(lanes_lobby_takes_changes_and_acts),
        TEST(lanes_kinds_of_one_lane_take_turns),
        TEST(lanes_wishes_for_a_sweep_become_one),
        TEST(lanes_changes_and_acts_are_bounded_by_themselves),
        TEST(lanes_changes_and_acts_end_like_orders),
        TEST(lanes_wait_is_told_from_when_work_could_be_taken),
        TEST(lanes_late_ones_are_counted),
        TEST(lanes_late_orders_take_no_place),
        TEST(lanes_only_late_ones_cost_no_turn),
        TEST(lanes_refusal_says_how_long_its_own_lane_needs),
        TEST(lanes_hot_sale_takes_no_more_than_its_share),
        TEST(lanes_urgent_jobs_go_first_and_not_twice),
        TEST(lanes_single_connection_serves_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
