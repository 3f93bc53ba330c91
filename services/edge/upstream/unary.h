/*
 * Everything but placements and reads that are shared: each request is a call of its own.
 *
 * The rules of attempt.h hold here too: a write whose call ended without a proof is sent again
 * until its deadline (all writes carry an idempotency key or may be repeated by nature), a read
 * once. A call is never cancelled; a request that is late or forgotten is cut off from it.
 *
 *                 submit                     complete
 *     (outside) ─────────▶ IN_FLIGHT ─────────────────▶ (outside)
 *                             ▲  │ no proof
 *                             │  ▼
 *                            PAUSING ── late ─────────▶ (outside)
 *
 * A pure state machine, like the combiner; nothing allocates after init. One thread.
 */
#ifndef EDGE_UPSTREAM_UNARY_H
#define EDGE_UPSTREAM_UNARY_H

#include "base/check.h"
#include "base/list.h"
#include "edge/upstream/attempt.h"
#include "edge/upstream/rate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unary_call;

enum unary_state {
    UNARY_OUTSIDE,
    UNARY_PAUSING,
    UNARY_IN_FLIGHT,
};

/* One request; embedded in its owner, who sets the first two members and zeroes the rest. */
struct unary_request {
    bool is_read;        /* has no effect: may be reported as not done */
    int64_t deadline_ns; /* monotonic; the caller is answered by then */

    enum unary_state _state;
    struct attempt_history _history;
    struct list_link _link; /* while pausing */
    struct list_link _by_deadline;
    struct unary_call *_call;
    int64_t _resume_at_ns;
};

/* A call slot. */
struct unary_call {
    size_t slot;                   /* 0 to calls_max - 1 */
    struct unary_request *request; /* NULL once its owner is no longer interested */
    struct list_link _link;        /* on the free list */
};

/* All members on the owner's thread; none may block. Only answer may call back, and only to submit
 * something else. */
struct unary_port {
    int64_t (*now_ns)(void *data);
    /* Whether a call that is sent now will leave. */
    bool (*is_ready)(void *data);
    /* Whether it is not worth waiting for that. Never while it is ready. */
    bool (*is_gone)(void *data);
    /* Starts the call of call->request; the sender owes one unary_complete, later. */
    void (*send)(struct unary_call *call, void *data);
    void (*answer)(struct unary_request *request, const struct attempt_answer *answer, void *data);
    void *data;
};

struct unary {
    struct unary_port _port;
    struct unary_call *_calls;
    struct list _free_calls;
    struct list _pausing; /* by the time at which they resume */
    struct list _by_deadline;
    size_t _calls_max;
    int64_t _retry_pause_ms;
    int64_t _ticked_at_ns;
    struct rate _rate; /* of calls that returned */
};

/* The port is copied. Errors: -ENOMEM. */
int unary_init(struct unary *unary, size_t calls_max, int64_t retry_pause_ms,
               const struct unary_port *port) MUST_CHECK;

/* Requests and calls may still be inside; they are forgotten. A zeroed one is fine. */
void unary_fini(struct unary *unary);

/*
 * Sends a request at once. False when it is refused (no connection, or calls_max requests and calls
 * inside, pausing ones included): then *ret_answer says why, and where there is no room how long
 * the calls before it will take. Calls the port's send, never its answer.
 */
bool unary_submit(struct unary *unary, struct unary_request *request,
                  struct attempt_answer *ret_answer) MUST_CHECK;

/* The owner goes away: the request leaves without an answer. One that is outside is fine. */
void unary_forget(struct unary *unary, struct unary_request *request);

/* The program stops: the request leaves, and *ret_answer says what may be told. */
void unary_stop(struct unary *unary, struct unary_request *request,
                struct attempt_answer *ret_answer);

/* A call has returned; frees the slot, then answers. detail is handed through to answer. */
void unary_complete(struct unary *unary, struct unary_call *call, enum attempt_result result,
                    const void *detail);

/* Answers what is late, sends again what has paused. Once a loop round. */
void unary_tick(struct unary *unary);

/* When the next tick is due by itself, monotonic; CLOCK_DEADLINE_NEVER when there is nothing. */
int64_t unary_next_due_ns(const struct unary *unary);

size_t unary_calls_in_flight(const struct unary *unary);

#endif
