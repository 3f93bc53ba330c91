/*
 * What tests of the lanes stand on: lanes on a clock that stands still, callers with their batches,
 * changes and jobs, and a worker by hand, who takes and answers in the test's own thread.
 */
#ifndef TESTS_UNIT_SERVICES_ORDERS_LANES_LANES_STAGE_H
#define TESTS_UNIT_SERVICES_ORDERS_LANES_LANES_STAGE_H

#include "../fake_database.h"
#include "orders/lanes/lanes.h"
#include "orders/lanes/lanes_work.h"

#include <stdatomic.h>

struct lanes_stage {
    struct fake_database database;
    struct system_port system;
    struct lanes *lanes;
    struct lane_task task; /* what the worker by hand has taken */
};

extern struct lanes_stage lanes_stage;

/* Of every test. */
int lanes_stage_set_up(void **state);
int lanes_stage_tear_down(void **state);

/* Room for so many orders and sales, 8 changes, 4 acts and 4 jobs; batches of 4. */
void lanes_stage_make(size_t queue_max, size_t lanes_max);

struct lanes_stage_caller {
    struct lane_batch batch;
    struct lane_order orders[8];
    char names[8][24];
    atomic_int answered;
};

/* Submits count orders of one unit each, of customers prefix0, prefix1, ... */
void lanes_stage_submit(struct lanes_stage_caller *caller, const struct uuid *sale_id, size_t count,
                        const char *prefix);

/* For callers whose workers are threads. */
void lanes_stage_wait_answered(struct lanes_stage_caller *caller);

struct lanes_stage_job {
    struct lane_job job;
    atomic_int run, refused;
    enum verdict verdict;
};

/* What a job does when it is run or refused: it counts. */
void lanes_stage_run_job(struct lane_job *job, const struct store *store, struct arena *arena);
void lanes_stage_refuse_job(struct lane_job *job, enum verdict verdict);

void lanes_stage_submit_job(struct lanes_stage_job *job);
void lanes_stage_submit_act(struct lanes_stage_job *job, const struct uuid *sale_id);

struct lanes_stage_change {
    struct lane_change change;
    atomic_int answered;
};

void lanes_stage_submit_change(struct lanes_stage_change *mine, const struct uuid *sale_id);

/* --- The worker by hand ---------------------------------------------------------------------- */

/* Has connections of both duties. */
void lanes_stage_join_both(void);

/* Looks up the sales of the lobby, which are there or are not. */
void lanes_stage_take_lobby_as(bool known);

/* Answers every order that was taken. */
void lanes_stage_finish_with(enum verdict verdict);

/* Takes a turn of any kind and ends it as if it had been done; returns which it was. */
enum lane_task_kind lanes_stage_do_turn(void);

/* Makes a lane for the sale and leaves it idle. */
void lanes_stage_make_idle(const struct uuid *sale_id);

#endif
