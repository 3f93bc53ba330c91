/*
 * The order combiner: turns single orders into batch calls, one sale a call.
 *
 * Orders wait in a queue per sale. While fewer than calls_per_sale_max calls of a sale are in
 * flight its waiting orders leave at the next tick, as many as fit; else they wait for a call to
 * return. So a lone order leaves at once, and under load a batch grows to what arrived during one
 * call. Calls in flight, waiting orders and sales are bounded; sales that wait for a free call take
 * turns.
 *
 * A call is bounded by its orders and by their bytes. Should one be too long all the same, for a
 * replica or on the way back, its orders are sent again in calls of half as many, down to one;
 * nothing is sent unchanged that cannot arrive.
 *
 * An order whose attempt ended without a proof comes back here, pauses, and goes to the front of
 * its queue (attempt.h has the rules). Calls are never cancelled: an order whose deadline passes or
 * whose owner goes away is cut off from its call, and the call's result for it is dropped.
 *
 *                 submit            tick (send)
 *     (outside) ─────────▶ WAITING ────────────▶ IN_FLIGHT ──▶ answered or cut off: (outside)
 *                             ▲                      │
 *                             └──── PAUSING ◀────────┘ no proof
 *
 * Being in WAITING or PAUSING is being on that list. A pure state machine: time, connection and
 * sending come through the port, and nothing here allocates after init. One thread.
 */
#ifndef EDGE_UPSTREAM_COMBINER_H
#define EDGE_UPSTREAM_COMBINER_H

#include "base/check.h"
#include "base/list.h"
#include "base/sale_table.h"
#include "base/uuid.h"
#include "edge/limits.h"
#include "edge/upstream/attempt.h"
#include "edge/upstream/rate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct combiner_call;
struct combiner_queue;

enum combiner_state {
    COMBINER_OUTSIDE,
    COMBINER_WAITING,
    COMBINER_PAUSING,
    COMBINER_IN_FLIGHT,
};

/* One order; embedded in its owner, who sets the first three members and zeroes the rest. */
struct combiner_order {
    struct uuid sale_id;
    int64_t deadline_ns; /* monotonic; the caller is answered by then */
    size_t bytes;        /* on the wire, at most; no more than bytes_per_call_max */

    enum combiner_state _state;
    struct attempt_history _history;
    struct list_link _link;        /* on the sale's waiting list or on the pausing list */
    struct list_link _by_deadline; /* while not outside */
    struct combiner_queue *_queue;
    struct combiner_call *_call; /* while in flight */
    size_t _index;               /* in the call */
    size_t _company_max;         /* orders in a call that takes this one */
    int64_t _resume_at_ns;       /* while pausing */
};

/* A call slot. orders[i] is the i-th item, or NULL once its owner is no longer interested. */
struct combiner_call {
    size_t slot; /* 0 to calls_max - 1; for arrays that the sender keeps beside */
    struct uuid sale_id;
    size_t count;
    size_t bytes; /* of its orders, at most */
    struct combiner_order *orders[EDGE_ORDERS_PER_CALL_MAX];

    struct combiner_queue *_queue;
    struct combiner_call *_next_free;
};

/* What a call said about one item. detail is handed through to answer. */
struct combiner_result {
    enum attempt_result result;
    const void *detail;
};

/* What the combiner needs; all members on the combiner's thread, none may block. */
struct combiner_port {
    /* CLOCK_MONOTONIC. */
    int64_t (*now_ns)(void *data);
    /* Whether a call that is sent now will leave. */
    bool (*is_ready)(void *data);
    /* Whether it is not worth waiting for that. Never while it is ready. */
    bool (*is_gone)(void *data);
    /* Starts the call; the sender owes one combiner_complete, later. The call's orders are all
     * there (not NULL) now. */
    void (*send)(struct combiner_call *call, void *data);
    /* Tells an order's fate. The order is outside then and may be freed. Must not call back. */
    void (*answer)(struct combiner_order *order, const struct attempt_answer *answer, void *data);
    void *data;
};

/* Bounds; limits.h has the program's. */
struct combiner_config {
    size_t orders_per_call_max; /* 1 to EDGE_ORDERS_PER_CALL_MAX */
    size_t bytes_per_call_max;
    size_t calls_per_sale_max;
    size_t calls_max;
    size_t waiting_max; /* orders waiting or pausing */
    size_t sales_max;
    int64_t retry_pause_ms;
    int64_t margin_ms;  /* an order with less time left is not sent */
    uint64_t secret[2]; /* random */
};

struct combiner {
    struct combiner_config _config;
    struct combiner_port _port;
    struct combiner_call *_calls;
    struct combiner_queue *_queues;
    struct combiner_call *_free_calls; /* linked by _next_free */
    struct list _free_queues;
    struct list _sendable; /* queues with waiting orders and a call to spare */
    struct list _pausing;  /* orders, by the time at which they resume */
    struct list _by_deadline;
    struct sale_table _sales;
    struct rate _rate;
    size_t _waiting; /* orders on the queues' waiting lists */
    size_t _calls_in_flight;
    bool _was_there;     /* something may have come in since the connection was last seen gone */
    int64_t _look_at_ns; /* when to see whether it is gone, if the last tick could not send */
};

/* The port is copied. Errors: -ENOMEM. */
int combiner_init(struct combiner *combiner, const struct combiner_config *config,
                  const struct combiner_port *port) MUST_CHECK;

/* Orders and calls may still be inside; they are forgotten. A zeroed combiner is fine. */
void combiner_fini(struct combiner *combiner);

/*
 * Takes an order in. False when it is refused (no connection, no room): then *ret_answer says why
 * and the order is outside. Never calls the port's send or answer.
 */
bool combiner_submit(struct combiner *combiner, struct combiner_order *order,
                     struct attempt_answer *ret_answer) MUST_CHECK;

/* The owner goes away: the order leaves without an answer. An order that is outside is fine. */
void combiner_forget(struct combiner *combiner, struct combiner_order *order);

/* The program stops: the order leaves, and *ret_answer says what may be told. It must be inside. */
void combiner_stop(struct combiner *combiner, struct combiner_order *order,
                   struct attempt_answer *ret_answer);

/*
 * A call has returned with one result per item. NULL results: nothing is proven for any item. Sends
 * what may leave now, then answers what is answered, then frees the slot; orders that come in from
 * answering leave at the next tick.
 */
void combiner_complete(struct combiner *combiner, struct combiner_call *call,
                       const struct combiner_result *results);

/* Answers what is late, resumes what has paused, sends what may leave. Once a loop round. */
void combiner_tick(struct combiner *combiner);

/* When the next tick is due by itself, monotonic; CLOCK_DEADLINE_NEVER when there is nothing. */
int64_t combiner_next_due_ns(const struct combiner *combiner);

/* Orders waiting or pausing; sales with orders inside or calls in flight; calls in flight. */
size_t combiner_waiting(const struct combiner *combiner);
size_t combiner_sales(const struct combiner *combiner);
size_t combiner_calls_in_flight(const struct combiner *combiner);

#endif
