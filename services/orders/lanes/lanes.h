/*
 * Where orders and reads wait for a database connection.
 *
 * Every known sale with traffic has a lane, a FIFO of its orders. A lane is owned by at most one
 * worker at a time, so one process never waits on its own row locks, and whatever arrives while it
 * is owned becomes the next batch. Lanes that have orders and no owner stand in line: each turn
 * takes one batch, then the next lane has its turn. What is for sales that are not known yet waits
 * in the lobby until one look-up in bulk has told which sales exist. Reads and administration are
 * jobs, in a line of their own.
 *
 * A lane has more than orders: confirmations and cancellations (changes) with a bound of their own,
 * acts of administration on the sale, and the wish for a sweep. Each turn of a lane is one
 * transaction of one of them: acts and changes go before orders and the sweep after them, but none
 * has two turns while another waits.
 *
 * Nothing waits without a bound: when as many of a kind wait as may, or half of them in one lane or
 * in the lobby (ids that nobody knows leave room for sales that exist), further ones are refused;
 * when no connection is left, all are. Every order, change, act and job is answered exactly once. A
 * wish for a sweep is nobody's question: a drain or a lost database drops it.
 *
 *   submit ──▶ lobby ──look-up──▶ lane ──taken──▶ worker ──▶ answered
 *      │         └── no such sale ──────────────────────────────▲
 *      └── full, draining, no database ─────────────────────────┘
 *
 * All functions may be called from any thread. The workers' side is in lanes_work.h.
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

/* What a lane has turns for. The first ones come in queues, each entry by itself. */
enum lane_kind {
    LANE_ACTS,
    LANE_CHANGES,
    LANE_ORDERS,
    LANE_SWEEP,
    LANE_KINDS,
};
#define LANE_QUEUES LANE_SWEEP

/* An act, change or order where it waits: in the lobby, in a lane, with a worker. */
struct lane_entry {
    struct list_link _link;
    enum lane_kind _kind;
    const struct uuid *_sale_id;
    int64_t _since_ns; /* of a job: when it began to wait */
    size_t _looked_up; /* in a taken lobby: its sale's index in the task */
};

/* One order in flight. Memory is the batch owner's until on_answered. */
struct lane_order {
    struct place_orders_item item;
    int64_t retry_after_ms; /* out: for OVERLOADED */
    struct lane_entry _entry;
    struct lane_batch *_batch;
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
    struct lane_entry _entry;
};

/* A read or an act of administration. Exactly one of run and refuse is called. */
struct lane_job {
    int64_t deadline_ns;
    /* On a worker's thread, with its connection and its scratch arena (reset before). */
    void (*run)(struct lane_job *job, const struct store *store, struct arena *arena);
    /* Any thread, also inside lanes_submit_job. */
    void (*refuse)(struct lane_job *job, enum verdict verdict);
    /* Out, before refuse and run: how long to wait where the answer is OVERLOADED, from how fast
     * what stood before it is worked off; 0 where that is not known. */
    int64_t retry_after_ms;
    struct lane_entry _entry;
    struct uuid _sale_id;  /* of an act */
    enum verdict _refusal; /* what it is refused with, once it is */
};

/* What a worker is for. */
enum lane_duty {
    LANE_DUTY_ORDERS, /* lanes only */
    LANE_DUTY_READS,  /* jobs and the lobby only */
    LANE_DUTY_BOTH,   /* turn about: a pool of one connection */
};

/* No batch of either kind is larger. */
#define LANES_BATCH_MAX PLACEMENT_BATCH_MAX

_Static_assert(LANES_BATCH_MAX <= SETTLEMENT_BATCH_MAX, "a batch of changes is one settlement");

struct lanes_config {
    size_t queue_max;   /* orders that wait, in lanes and lobby together; half in one of them */
    size_t changes_max; /* changes that wait, likewise */
    size_t acts_max;    /* acts that wait, likewise */
    size_t jobs_max;    /* jobs that wait, the urgent ones aside */
    size_t lanes_max;   /* lanes that exist; idle ones make room */
    size_t batch_max;   /* orders or changes taken at a time, at most LANES_BATCH_MAX */
    const struct system_port *system;
};

struct lanes_stats {
    size_t orders_waiting, changes_waiting, acts_waiting; /* in lanes and lobby */
    size_t jobs_waiting;
    size_t lanes, lanes_ready;
    size_t orders_deciding;           /* taken by workers and not yet answered */
    size_t workers, workers_busy;     /* connected ones, and those of them that have work */
    bool lobby_waits;                 /* for a look-up, which is one task */
    int64_t longest_wait_ns;          /* of the tasks that wait now: since one could be taken */
    uint64_t late;                    /* entries that had been late when they were taken; grows */
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

/* The same for what keeps the service itself going (discovery, the board): it is taken before what
 * else waits for that connection, though never twice before it. Its submitter has one of a kind
 * under way at a time, so there is no other bound. */
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

/* Wakes every worker; lanes_work_take then returns LANE_TASK_STOP once nothing waits for its duty.
 */
void lanes_stop(struct lanes *lanes);

/* Whether lanes_stop was called. */
bool lanes_is_stopping(struct lanes *lanes);

struct lanes_stats lanes_stats(struct lanes *lanes);

/* How long a refused caller should wait, from how fast all lanes answered lately. What a lane
 * itself refused says so of its own (retry_after_ms). */
int64_t lanes_retry_after_ms(struct lanes *lanes);

#endif
