/*
 * The lanes from the workers' side: one worker per database connection joins when it is connected,
 * takes tasks, and ends each one. All functions may be called from any thread.
 */
#ifndef ORDERS_LANES_LANES_WORK_H
#define ORDERS_LANES_LANES_WORK_H

#include "orders/lanes/lanes.h"

enum lane_task_kind {
    LANE_TASK_ORDERS, /* these four are turns of a lane */
    LANE_TASK_CHANGES,
    LANE_TASK_ACT,
    LANE_TASK_SWEEP,
    LANE_TASK_JOB,
    LANE_TASK_LOBBY,
    LANE_TASK_IDLE, /* nothing came for a while: a moment to look after the connection */
    LANE_TASK_STOP,
};

struct lane_task {
    enum lane_task_kind kind;
    struct uuid sale_id; /* of a turn */
    struct lane *_lane;  /* of a turn */
    struct list _taken;  /* ORDERS, CHANGES: what is not in the array yet */
    union {
        struct lane_order *orders[LANES_BATCH_MAX];   /* ORDERS */
        struct lane_change *changes[LANES_BATCH_MAX]; /* CHANGES */
    };
    size_t count;         /* ORDERS, CHANGES: at least 1 */
    int64_t mature_up_to; /* SWEEP */
    struct lane_job *job; /* ACT, JOB */
    bool is_late;         /* ACT, JOB: to be refused, its deadline has passed */
    bool _is_urgent;      /* JOB */
    int64_t
        waited_ns; /* since a free worker could have taken it; of a turn, since the lane could */
    int64_t _since_ns;
    size_t _lobby_count;                   /* LOBBY: its first entries, whom this is about */
    struct uuid sale_ids[LANES_BATCH_MAX]; /* LOBBY: distinct */
    bool sale_known[LANES_BATCH_MAX];      /* LOBBY: set by the worker */
    size_t sale_count;
};

/* A worker has a connection: what waits for its duty may be worked off. */
void lanes_work_joined(struct lanes *lanes, enum lane_duty duty);

/*
 * A worker has lost its connection. When it was the last one for its duty, all that waits for it is
 * refused as DATABASE_UNAVAILABLE, and so is all that comes, until one joins.
 */
void lanes_work_left(struct lanes *lanes, enum lane_duty duty);

/* How long lanes_work_take waits before it returns LANE_TASK_IDLE. */
#define LANES_IDLE_MS 250

/* Blocks until there is something to do for this duty, at most LANES_IDLE_MS. Orders and changes
 * whose deadline has passed are answered here, OVERLOADED, and take no place in a batch. */
void lanes_work_take(struct lanes *lanes, enum lane_duty duty, struct lane_task *ret_task);

/*
 * Ends a turn of a lane, whose items all have verdicts, whose act has run: gives the lane back
 * first, so that its next turn can begin, then answers.
 */
void lanes_work_finish_turn(struct lanes *lanes, struct lane_task *task);

/* Ends a LOBBY task: what is of known sales goes to their lanes, the rest is answered. */
void lanes_work_finish_lobby(struct lanes *lanes, struct lane_task *task);

/* Ends a LOBBY task whose look-up failed: what it was about is refused with verdict. */
void lanes_work_fail_lobby(struct lanes *lanes, struct lane_task *task, enum verdict verdict);

/* Ends a JOB task, after run has been called. */
void lanes_work_finish_job(struct lanes *lanes, struct lane_task *task);

#endif
