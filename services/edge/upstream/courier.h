/*
 * Carries one loop's calls to the orders service and brings the replies back to the loop.
 *
 * A trip is sent on the loop's thread and ends on the channel's, which puts it into the mailbox;
 * the loop collects it from there. In between it is the channel's alone.
 *
 *     at home ──courier_send──▶ away ──the call is over──▶ in the mailbox ──courier_collect──┐
 *        ▲                                                                                   │
 *        └───────────────────────────────────────────────────────────────────────────────────┘
 *
 * Everything here is for the loop's thread.
 */
#ifndef EDGE_UPSTREAM_COURIER_H
#define EDGE_UPSTREAM_COURIER_H

#include "base/check.h"
#include "edge/upstream/mailbox.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

struct courier_trip;
struct rpc_channel;
struct rpc_reply;

struct courier {
    struct rpc_channel *_channel;
    struct mailbox _mailbox;
};

/* A trip is back, at home again and may be sent from here. The reply lives until this returns. */
typedef void (*courier_back_fn)(struct courier_trip *trip, const struct rpc_reply *reply);

/* A place for one call at a time; embedded in what it is for. Does not move once it was sent. */
struct courier_trip {
    uint32_t magic;
    struct courier *_courier;
    courier_back_fn _on_back;
    struct rpc_reply *_reply; /* written by the channel's thread, before it posts the letter */
    struct mailbox_letter _letter;
};

/* What is sent; borrowed until courier_send returns, but for full_method, which is static. */
struct courier_call {
    const char *full_method;
    const ProtobufCMessageDescriptor *reply_type;
    const ProtobufCMessage *message;
    int64_t deadline_ns; /* monotonic; no call lives longer than EDGE_CALL_LIFE_MS all the same */
    /* Sent as metadata; NULL for none. Printable ASCII. */
    const char *request_id, *traceparent, *authorization;
};

/* The channel is borrowed and destroyed before courier_fini. wake makes the loop collect soon, and
 * is called on the channel's thread. Errors: -ENOMEM, -EAGAIN. */
int courier_init(struct courier *courier, struct rpc_channel *channel, void (*wake)(void *data),
                 void *data) MUST_CHECK;

/* After the last courier_collect, which came after the channel was destroyed. */
void courier_fini(struct courier *courier);

/* The trip is at home then; both must stay where they are. */
void courier_init_trip(struct courier *courier, struct courier_trip *trip, courier_back_fn on_back);

/* Starts a call for a trip that is at home. It comes back once, however the call ends. */
void courier_send(struct courier_trip *trip, const struct courier_call *call);

/* Takes home every trip whose call is over, in the order in which they ended. */
void courier_collect(struct courier *courier);

/* Whether a call that is sent now will leave, and whether it is not worth waiting for that: there
 * has been no connection for EDGE_RECONNECT_GRACE_MS. */
bool courier_is_ready(const struct courier *courier);
bool courier_is_gone(const struct courier *courier);

#endif
