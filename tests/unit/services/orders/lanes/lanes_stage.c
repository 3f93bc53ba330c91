#include "lanes_stage.h"

#include "../fake_system.h"
#include "base/clock.h"
#include "base/order_id.h"
#include "support/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

struct lanes_stage lanes_stage;

void lanes_stage_make(size_t queue_max, size_t lanes_max)
{
    struct lanes_config config = {.queue_max = queue_max,
                                  .changes_max = 8,
                                  .acts_max = 4,
                                  .jobs_max = 4,
                                  .lanes_max = lanes_max,
                                  .batch_max = 4,
                                  .system = &lanes_stage.system};
    assert_int_equal(lanes_create(&config, &lanes_stage.lanes), 0);
}

int lanes_stage_set_up(void **state)
{
    (void)state;
    fake_database_init(&lanes_stage.database);
    lanes_stage.system = fake_system_of(&lanes_stage.database);
    lanes_stage.lanes = NULL;
    return 0;
}

int lanes_stage_tear_down(void **state)
{
    (void)state;
    lanes_destroy(lanes_stage.lanes);
    fake_database_fini(&lanes_stage.database);
    return 0;
}

/* --- A caller with its batch ------------------------------------------------------------------ */

static void on_answered(struct lane_batch *batch, void *data)
{
    struct lanes_stage_caller *caller = data;
    assert_ptr_equal(batch, &caller->batch);
    atomic_fetch_add(&caller->answered, 1);
}

void lanes_stage_submit(struct lanes_stage_caller *caller, const struct uuid *sale_id, size_t count,
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
    lanes_submit(lanes_stage.lanes, &caller->batch);
}

void lanes_stage_wait_answered(struct lanes_stage_caller *caller)
{
    const struct timespec pause = {.tv_nsec = 200000};
    struct patience patience = patience_of_ms(60000);
    while (atomic_load(&caller->answered) == 0 && !patience_is_over(&patience)) {
        nanosleep(&pause, NULL);
    }
    assert_int_equal(atomic_load(&caller->answered), 1);
}

/* --- A worker by hand ------------------------------------------------------------------------- */

void lanes_stage_take_lobby_as(bool known)
{
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_READS, &lanes_stage.task);
    assert_int_equal(lanes_stage.task.kind, LANE_TASK_LOBBY);
    for (size_t i = 0; i < lanes_stage.task.sale_count; i++) {
        lanes_stage.task.sale_known[i] = known;
    }
    lanes_work_finish_lobby(lanes_stage.lanes, &lanes_stage.task);
}

void lanes_stage_finish_with(enum verdict verdict)
{
    for (size_t i = 0; i < lanes_stage.task.count; i++) {
        lanes_stage.task.orders[i]->item.verdict = verdict;
    }
    lanes_work_finish_turn(lanes_stage.lanes, &lanes_stage.task);
}

void lanes_stage_join_both(void)
{
    lanes_work_joined(lanes_stage.lanes, LANE_DUTY_ORDERS);
    lanes_work_joined(lanes_stage.lanes, LANE_DUTY_READS);
}

enum lane_task_kind lanes_stage_do_turn(void)
{
    lanes_work_take(lanes_stage.lanes, LANE_DUTY_ORDERS, &lanes_stage.task);
    switch (lanes_stage.task.kind) {
    case LANE_TASK_ORDERS:
        lanes_stage_finish_with(VERDICT_PLACED);
        break;
    case LANE_TASK_CHANGES:
        for (size_t i = 0; i < lanes_stage.task.count; i++) {
            lanes_stage.task.changes[i]->item.verdict = VERDICT_DONE;
        }
        lanes_work_finish_turn(lanes_stage.lanes, &lanes_stage.task);
        break;
    case LANE_TASK_ACT:
        lanes_stage.task.job->run(lanes_stage.task.job, NULL, NULL);
        lanes_work_finish_turn(lanes_stage.lanes, &lanes_stage.task);
        break;
    case LANE_TASK_SWEEP:
        lanes_work_finish_turn(lanes_stage.lanes, &lanes_stage.task);
        break;
    default:
        fail();
    }
    return lanes_stage.task.kind;
}

void lanes_stage_make_idle(const struct uuid *sale_id)
{
    struct lanes_stage_caller caller;
    lanes_stage_submit(&caller, sale_id, 1, "first");
    lanes_stage_take_lobby_as(true);
    assert_int_equal(lanes_stage_do_turn(), LANE_TASK_ORDERS);
}

/* --- Jobs and changes ------------------------------------------------------------------------- */

void lanes_stage_run_job(struct lane_job *job, const struct store *store, struct arena *arena)
{
    (void)store;
    (void)arena;
    atomic_fetch_add(&((struct lanes_stage_job *)(void *)job)->run, 1);
}

void lanes_stage_refuse_job(struct lane_job *job, enum verdict verdict)
{
    struct lanes_stage_job *mine = (struct lanes_stage_job *)(void *)job;
    mine->verdict = verdict;
    atomic_fetch_add(&mine->refused, 1);
}

void lanes_stage_submit_job(struct lanes_stage_job *job)
{
    *job = (struct lanes_stage_job){.job = {.deadline_ns = CLOCK_DEADLINE_NEVER,
                                            .run = lanes_stage_run_job,
                                            .refuse = lanes_stage_refuse_job}};
    lanes_submit_job(lanes_stage.lanes, &job->job);
}

void lanes_stage_submit_act(struct lanes_stage_job *job, const struct uuid *sale_id)
{
    *job = (struct lanes_stage_job){.job = {.deadline_ns = CLOCK_DEADLINE_NEVER,
                                            .run = lanes_stage_run_job,
                                            .refuse = lanes_stage_refuse_job}};
    lanes_submit_act(lanes_stage.lanes, sale_id, &job->job);
}

static void on_change_answered(struct lane_change *change, void *data)
{
    assert_ptr_equal(change, data);
    atomic_fetch_add(&((struct lanes_stage_change *)data)->answered, 1);
}

void lanes_stage_submit_change(struct lanes_stage_change *mine, const struct uuid *sale_id)
{
    *mine = (struct lanes_stage_change){
        .change = {.sale_id = *sale_id,
                   .item = {.deadline_ns = CLOCK_DEADLINE_NEVER,
                            .attempts_end_ns = CLOCK_DEADLINE_NEVER},
                   .on_answered = on_change_answered,
                   .data = mine},
    };
    lanes_submit_change(lanes_stage.lanes, &mine->change);
}
