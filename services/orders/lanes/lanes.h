/*
 * Where orders and reads wait for a database connection.
 *
 * Every known sale with traffic has a lane, a FIFO of its orders. A lane is owned by at most one
 * worker at a time, so one process never waits on its own row locks, and whatever arrives while it
 * is owned becomes the next batch. Lanes that have orders and no owner stand in line: each turn
 * takes one batch, then the next lane has its turn. Orders of sales that are not known yet wait in
 * the lobby until one look-up in bulk has told which sales exist. Reads and administration are
 * jobs, in a line of their own.
 *
 * A lane has more than orders: confirmations and cancellations (changes) with a bound of their own,
 * acts of administration on the sale, and the wish for a sweep. Each turn of a lane is one
 * transaction of one of them: acts and changes go before orders and the sweep after them, but none
 * has two turns while another waits.
 *
 * Nothing waits without a bound: when queue_max orders wait, or half of them in one lane, further
 * ones are refused; when no connection is left, all are. Every order and every job is answered
 * exactly once.
 *
 *   submit ──▶ lobby ──look-up──▶ lane ──taken──▶ worker ──▶ answered
 *      │         └── no such sale ──────────────────────────────▲
 *      └── full, draining, no database ─────────────────────────┘
 *
 * All functions may be called from any thread.
 */
#ifndef ORDERS_LANES_LANES_H
#define ORDERS_LANES_LANES_H

#include "base/list.h"
#include "orders/logic/place_orders.h"
#include "orders/logic/settle_orders.h"

#include <stdatomic.h>

struct lanes;
struct lane;
struct lane_batch;

/* One order in flight. Memory is the batch owner's until on_answered. */
struct lane_order {
    struct place_orders_item item;
    struct list_link _link;
    struct lane_batch *_batch;
    size_t _looked_up; /* in a taken lobby: its sale's index in the task */
};

/* The orders of one call, all of one sale. Told once, when each order has its verdict. */
struct lane_batch {
    struct uuid sale_id;
    struct lane_order *orders;
    size_t count; /* at least 1 */
    /* The batch is its owner's again. Any thread, also inside lanes_submit; must not block. */
    void (*on_answered)(struct lane_batch *batch, void *data);
    void *data;
    atomic_size_t _unanswered;
};

/* A confirmation or cancellation in flight. Memory is its owner's until on_answered. */
struct lane_change {
    struct uuid sale_id;
    struct settle_orders_item item;
    /* The item has its verdict. Any thread, also inside lanes_submit_change; must not block. */
    void (*on_answered)(struct lane_change *change, void *data);
    void *data;
    int64_t retry_after_ms; /* out: for OVERLOADED */
    struct list_link _link;
};

/* A read or an act of administration. Exactly one of run and refuse is called. */
struct lane_job {
    int64_t deadline_ns;
    /* On a worker's thread, with its connection and its scratch arena (reset before). */
    void (*run)(struct lane_job *job, const struct store *store, struct arena *arena);
    /* Any thread, also inside lanes_submit_job. */
    void (*refuse)(struct lane_job *job, enum verdict verdict);
    struct list_link _link;
};

/* What a worker is for. */
enum lane_duty {
    LANE_DUTY_ORDERS, /* lanes only */
    LANE_DUTY_READS,  /* jobs and the lobby only */
    LANE_DUTY_BOTH,   /* turn about: a pool of one connection */
};

struct lanes_config {
    size_t queue_max; /* orders that wait, in lanes and lobby together */
    size_t jobs_max;  /* jobs that wait */
    size_t lanes_max; /* lanes that exist; idle ones make room */
    size_t batch_max; /* orders taken at a time, at most PLACEMENT_BATCH_MAX */
    const struct system_port *system;
};

struct lanes_stats {
    size_t orders_waiting; /* in lanes and lobby */
    size_t jobs_waiting;
    size_t lanes, lanes_ready;
    size_t orders_deciding;           /* taken by workers and not yet answered */
    size_t workers, workers_busy;     /* connected ones, and those of them that have work */
    bool orders_served, reads_served; /* some connected worker has this duty */
    bool draining;
};

/* Errors: -ENOMEM. config is copied; system must outlive the lanes. */
int lanes_create(const struct lanes_config *config, struct lanes **ret) MUST_CHECK;

/* After every worker has left and everything is answered. NULL is fine. */
void lanes_destroy(struct lanes *lanes);

/* Takes in a batch; orders that cannot wait have their verdict at once. */
void lanes_submit(struct lanes *lanes, struct lane_batch *batch);

void lanes_submit_job(struct lanes *lanes, struct lane_job *job);

/* The same for what keeps the service itself going (discovery, the board): it is taken before other
 * jobs. Its submitter has one of a kind under way at a time. */
void lanes_submit_urgent_job(struct lanes *lanes, struct lane_job *job);

/* Takes in a confirmation or cancellation. */
void lanes_submit_change(struct lanes *lanes, struct lane_change *change);

/* Takes in an act on one sale: run is called by the worker that owns the sale's lane then. Refused
 * with SALE_NOT_FOUND where there is no such sale. */
void lanes_submit_act(struct lanes *lanes, const struct uuid *sale_id, struct lane_job *job);

/* A sale that exists wants a sweep (logic/sweep_sale.h); mature_up_to is 0 or as there. Wishes for
 * the same sale become one. Where no lane can be had the wish is dropped: discovery comes again. */
void lanes_want_sweep(struct lanes *lanes, const struct uuid *sale_id, int64_t mature_up_to);

/* From now on everything new is refused as DRAINING; what waits is still worked off. Idempotent. */
void lanes_drain(struct lanes *lanes);

/*
 * Drains, and no longer works off what waits: all of it is refused as DRAINING. What workers have
 * taken, which includes every order whose COMMIT was sent, is still theirs to end. Idempotent.
 */
void lanes_cut(struct lanes *lanes);

/* Wakes every worker; lanes_take then returns LANE_TASK_STOP once nothing waits for its duty. */
void lanes_stop(struct lanes *lanes);

struct lanes_stats lanes_stats(struct lanes *lanes);

/* How long a refused caller should wait, from how fast orders were answered lately. */
int64_t lanes_retry_after_ms(struct lanes *lanes);

/* --- For workers ----------------------------------------------------------------------------- */

enum lane_task_kind {
    LANE_TASK_ORDERS,
    LANE_TASK_JOB,
    LANE_TASK_LOBBY,
    LANE_TASK_IDLE, /* nothing came for a while: a moment to look after the connection */
    LANE_TASK_STOP,
};

struct lane_task {
    enum lane_task_kind kind;
    struct uuid sale_id;                            /* ORDERS */
    struct lane *_lane;                             /* ORDERS */
    struct lane_order *orders[PLACEMENT_BATCH_MAX]; /* ORDERS */
    size_t order_count;
    struct lane_job *job;                      /* JOB */
    size_t _lobby_count;                       /* LOBBY: its first orders, whom this is about */
    struct uuid sale_ids[PLACEMENT_BATCH_MAX]; /* LOBBY: distinct */
    bool sale_known[PLACEMENT_BATCH_MAX];      /* LOBBY: set by the worker */
    size_t sale_count;
};

/* A worker has a connection: what waits for its duty may be worked off. */
void lanes_worker_joined(struct lanes *lanes, enum lane_duty duty);

/*
 * A worker has lost its connection. When it was the last one for its duty, all that waits for it is
 * refused as DATABASE_UNAVAILABLE, and so is all that comes, until one joins.
 */
void lanes_worker_left(struct lanes *lanes, enum lane_duty duty);

/* Whether lanes_stop was called. */
bool lanes_is_stopping(struct lanes *lanes);

/* How long lanes_take waits before it returns LANE_TASK_IDLE. */
#define LANES_IDLE_MS 250

/* Blocks until there is something to do for this duty, at most LANES_IDLE_MS. */
void lanes_take(struct lanes *lanes, enum lane_duty duty, struct lane_task *ret_task);

/*
 * Ends an ORDERS task whose items all have verdicts: gives the lane back first, so that the next
 * batch can begin, then answers.
 */
void lanes_finish_orders(struct lanes *lanes, struct lane_task *task);

/* Ends a LOBBY task: orders of known sales go to their lanes, the others are answered. */
void lanes_finish_lobby(struct lanes *lanes, struct lane_task *task);

/* Ends a LOBBY task whose look-up failed: its orders are refused with verdict. */
void lanes_fail_lobby(struct lanes *lanes, struct lane_task *task, enum verdict verdict);

/* Ends a JOB task, after run has been called. */
void lanes_finish_job(struct lanes *lanes, struct lane_task *task);

#endif
