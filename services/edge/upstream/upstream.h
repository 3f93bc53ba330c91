/*
 * One loop's way to the orders service: the adapter between what is pure (combiner.h, joiner.h,
 * unary.h) and gRPC (courier.h). Placements travel in BatchPlaceOrders (batch_message.h), reads
 * that are the same share a call, everything else is sent as the call that it is.
 *
 * Everything here is for the loop's thread, unless it says otherwise.
 */
#ifndef EDGE_UPSTREAM_UPSTREAM_H
#define EDGE_UPSTREAM_UPSTREAM_H

#include "base/check.h"
#include "edge/upstream/attempt.h"
#include "edge/upstream/joiner.h"
#include "edge/upstream/unary.h"
#include "edge/upstream/upstream_placement.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

struct contract_method;
struct contract_reason;
struct metrics_histogram;
struct rpc_channel;
struct rpc_status;
struct upstream;

/* One call of an HTTP request, which is no placement. Embedded in the owner; everything pointed to
 * lives until the answer or upstream_forget_call. A read may share its call with others. */
struct upstream_call {
    struct unary_request request; /* is_read and deadline_ns are set by the owner */
    struct joiner_read read;      /* zeroed by the owner */
    bool is_joined;               /* read counts, not request */
    const struct contract_method *method;
    const ProtobufCMessage *message;
    const char *authorization; /* printable ASCII; NULL for none */
    const char *request_id;
    const char *traceparent;
    void *owner;
};

/* What the owner is told, exactly once unless it was forgotten. All of it lives until the callback
 * returns. */
struct upstream_answer {
    enum attempt_verdict verdict;
    const ProtobufCMessage *message; /* DONE: of the method's output type */
    uint64_t reply_number;           /* the same for all that get this message; 0: nobody else */
    const struct rpc_status *status; /* REFUSED */
    const struct contract_reason *reason; /* of that status; NULL: none, or an unknown one */
    const char *why;                      /* the others */
    int64_t retry_after_ms;
};

struct upstream_config {
    struct rpc_channel *channel; /* destroyed before upstream_destroy */
    uint64_t secret[2];          /* random */
    /* Makes the loop tick soon; called on the channel's thread. */
    void (*wake)(void *data);
    /* Tells an owner its answer; must not call back. */
    void (*answer)(void *owner, const struct upstream_answer *answer, void *data);
    void *data;
    struct metrics_histogram *batch_sizes; /* NULL for none */
};

/* Errors: -ENOMEM, -EAGAIN. */
int upstream_create(const struct upstream_config *config, struct upstream **ret) MUST_CHECK;

/* Only after the channel was destroyed, so that no reply can come any more. NULL is fine. */
void upstream_destroy(struct upstream *upstream);

/* False when it is refused; then *ret_answer says why. The answer never comes from inside. */
bool upstream_place(struct upstream *upstream, struct upstream_placement *placement,
                    struct upstream_answer *ret_answer) MUST_CHECK;
bool upstream_start(struct upstream *upstream, struct upstream_call *call,
                    struct upstream_answer *ret_answer) MUST_CHECK;

/* The owner goes away; nothing happens to one that was answered or never accepted. */
void upstream_forget_placement(struct upstream *upstream, struct upstream_placement *placement);
void upstream_forget_call(struct upstream *upstream, struct upstream_call *call);

/* The program stops; *ret_answer says what may be told. Only for one that was not answered. */
void upstream_stop_placement(struct upstream *upstream, struct upstream_placement *placement,
                             struct upstream_answer *ret_answer);
void upstream_stop_call(struct upstream *upstream, struct upstream_call *call,
                        struct upstream_answer *ret_answer);

/* Takes in replies, answers, sends. After every loop round. */
void upstream_tick(struct upstream *upstream);

/* When the next tick is due by itself, monotonic. */
int64_t upstream_next_due_ns(const struct upstream *upstream);

/* For gauges. */
struct upstream_counts {
    size_t waiting; /* orders, for a call or for their next attempt */
    size_t sales;   /* with orders waiting or in flight */
    size_t batch_calls, unary_calls;
    size_t read_calls; /* in flight or gathering */
    size_t reads;      /* that wait for one of them */
};

struct upstream_counts upstream_count(const struct upstream *upstream);

#endif
