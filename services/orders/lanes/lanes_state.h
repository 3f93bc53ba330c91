/*
 * What is behind struct lanes, and what both of its sides (lanes.c, for whoever submits; and
 * lanes_work.c, for the workers) do to it. For these two files alone. Every function but the first
 * ones is called with the lock held.
 */
#ifndef ORDERS_LANES_LANES_STATE_H
#define ORDERS_LANES_LANES_STATE_H

#include "orders/lanes/answers.h"
#include "orders/lanes/crew.h"
#include "orders/lanes/lane_table.h"
#include "orders/lanes/lobby.h"

struct lanes {
    struct lanes_config config;
    struct {
        pthread_mutex_t lock; /* guards all of _shared */
        struct crew crew;
        struct lane_table table;
        struct lobby lobby;
        struct list urgent_jobs, jobs; /* of struct lane_entry */
        struct rotation read_rotation; /* of urgent jobs, the lobby and jobs */
        struct rotation both_rotation; /* of lanes and reads */
        size_t waiting[LANE_QUEUES];   /* in lanes and lobby */
        size_t deciding[LANE_QUEUES];  /* taken and not yet answered */
        size_t jobs_deciding;          /* taken and not yet done, the urgent ones aside */
        struct lane_rate rate;         /* of all orders and changes */
        struct lane_rate act_rate;     /* of all acts */
        struct lane_rate job_rate;     /* of jobs that are not urgent */
        uint64_t late;                 /* entries whose deadline had passed when taken */
        bool draining, cut, stopping;
    } _shared;
};

void lanes_state_lock(struct lanes *lanes);
void lanes_state_unlock(struct lanes *lanes);
void lanes_state_unlock_and_wake(struct lanes *lanes, const struct crew_wakes *wakes);

/* Needs no lock. */
int64_t lanes_state_now_ns(const struct lanes *lanes);

/* How many of a kind may wait, of all sales; half of it of one. */
size_t lanes_state_bound(const struct lanes *lanes, enum lane_kind kind);

/* Work of a kind is about to come in: where there was none, its rate goes on from here. */
void lanes_state_resume_rate(struct lanes *lanes, enum lane_kind kind, int64_t now_ns);

/* What a refused caller is told where no lane knows better; and one whose job is refused. */
int64_t lanes_state_retry_after_ms(const struct lanes *lanes, enum lane_kind kind, int64_t now_ns);
int64_t lanes_state_job_retry_after_ms(const struct lanes *lanes, int64_t now_ns);

/* Something came into a lane that was_empty before. */
void lanes_state_note_arrival(struct lanes *lanes, struct lane *lane, bool was_empty,
                              int64_t now_ns, struct crew_wakes *wakes);

/* Answers all that waits in lanes; and drops the wishes for sweeps. */
void lanes_state_refuse_lanes(struct lanes *lanes, enum verdict verdict, struct answers *answers);

/* Answers the lobby, unless a look-up is under way, which ends it; and the jobs. */
void lanes_state_refuse_reads(struct lanes *lanes, enum verdict verdict, struct answers *answers);

/* Drops the wishes for sweeps alone. */
void lanes_state_drop_wishes(struct lanes *lanes);

#endif
