/*
 * Calls protobuf-c services on the gRPC C core.
 *
 * A channel owns one completion queue and one thread that waits on it, and keeps itself connected:
 * it watches its own connectivity and asks to connect again at once, with a back-off between 100
 * and 500 ms. Every call completes exactly once, on the channel's thread. Nothing that a server
 * may have seen is ever repeated here.
 */
#ifndef RPC_CHANNEL_H
#define RPC_CHANNEL_H

#include "base/check.h"
#include "rpc/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rpc_channel;
struct rpc_client_call;

struct rpc_channel_config {
    const char *target;       /* a gRPC target, e.g. "dns:///orders:50051" or "127.0.0.1:50051" */
    size_t message_bytes_max; /* of a reply */
    size_t reply_arena_bytes_max;    /* the unpacked reply */
    const char *service_config_json; /* load balancing and health checking; NULL for round_robin */
    /* Lets the core repeat, on another connection, a call that certainly reached no handler: it was
     * never sent, or the server's GOAWAY says that it was not taken (gRFC A6). Without it such a
     * call ends with RPC_UNAVAILABLE, which does not say so. Nothing else is ever repeated. */
    bool repeat_unseen;
};

/*
 * Makes a channel and begins to connect, without waiting for it; the config is copied. Errors:
 * -ENOMEM, -EAGAIN no thread could be made, -EINVAL the target is not one that gRPC understands.
 */
int rpc_channel_create(const struct rpc_channel_config *config,
                       struct rpc_channel **ret) MUST_CHECK;

/*
 * Cancels what is in flight, delivers those completions, joins the thread. Calls that a completion
 * starts meanwhile end with RPC_CANCELLED. Not from the channel's thread. NULL is fine.
 */
void rpc_channel_destroy(struct rpc_channel *channel);

/* Whether a connection is established now. Any thread, one atomic read. */
bool rpc_channel_is_ready(const struct rpc_channel *channel);

/*
 * Whether there has been no connection for longer than grace_ms, or never one: short of that, it is
 * worth waiting for the next. Any thread.
 */
bool rpc_channel_is_gone(const struct rpc_channel *channel, int64_t grace_ms);

/*
 * Waits until the channel is ready or the deadline (monotonic ns) has passed; tells which. For
 * start-up and tests, not for a loop thread.
 */
bool rpc_channel_wait_ready(struct rpc_channel *channel, int64_t deadline_ns);

/*
 * Asks to be told of every change of readiness, on the channel's thread, at least once at the
 * start. One watcher a channel, set once, before the first call.
 */
typedef void (*rpc_ready_fn)(bool ready, void *data);
void rpc_channel_on_ready(struct rpc_channel *channel, rpc_ready_fn on_ready, void *data);

struct rpc_metadata {
    const char *key; /* lower case */
    const char *value;
    size_t value_length;
};

/* What came back. Owns its memory; free with rpc_reply_free from any thread. */
struct rpc_reply {
    struct rpc_status status;        /* reason is NULL unless the server sent an ErrorInfo */
    const ProtobufCMessage *message; /* NULL unless status.code is RPC_OK, and for streams */
};

void rpc_reply_free(struct rpc_reply *reply);

/* The call is over; the reply is the receiver's to free. Channel thread; must not block. */
typedef void (*rpc_done_fn)(struct rpc_reply *reply, void *data);

/* A message of a stream; lives until the function returns. Channel thread; must not block. */
typedef void (*rpc_message_fn)(const ProtobufCMessage *message, void *data);

#define RPC_METADATA_MAX 16

struct rpc_request {
    const char *full_method; /* "/package.Service/Method"; static or outliving the channel */
    const ProtobufCMessageDescriptor *reply_type;
    const ProtobufCMessage *message; /* packed before rpc_channel_call returns */
    int64_t deadline_ns; /* absolute, monotonic; required; CLOCK_DEADLINE_NEVER is one */
    const struct rpc_metadata *metadata; /* copied */
    size_t metadata_count;               /* at most RPC_METADATA_MAX */
    bool wait_for_ready;                 /* wait for a connection instead of failing fast */
    rpc_message_fn on_message;           /* NULL for unary */
    rpc_done_fn on_done;
    void *data; /* for both callbacks */
};

/*
 * Starts a call. Any thread, loop threads included; does not block. on_done comes exactly once, on
 * the channel's thread and never from inside this function; also when the call cannot be started
 * (RPC_INVALID_ARGUMENT: metadata that gRPC does not allow; RPC_CANCELLED: the channel is being
 * destroyed) and when the reply cannot be used (RPC_INTERNAL: malformed; RPC_RESOURCE_EXHAUSTED: it
 * does not fit). A status made here has no reason. ret_call, if not NULL, is written before the
 * call starts, may be used to cancel, also after on_done, and is owed a rpc_client_call_unref.
 * When the heap is exhausted the process ends, as everywhere in the C core.
 */
void rpc_channel_call(struct rpc_channel *channel, const struct rpc_request *request,
                      struct rpc_client_call **ret_call);

/* Asks for an early end; on_done still comes. Any thread. */
void rpc_client_call_cancel(struct rpc_client_call *call);
void rpc_client_call_unref(struct rpc_client_call *call);

/*
 * How long ago the channel's thread last turned: it does when it takes something up, and every
 * second while there is nothing. So what is much longer is a thread that a callback or the core
 * itself keeps. Any thread.
 */
int64_t rpc_channel_turn_ns(const struct rpc_channel *channel);

/* Calls started and not yet completed. Any thread. */
unsigned rpc_channel_calls_in_flight(const struct rpc_channel *channel);

#endif
