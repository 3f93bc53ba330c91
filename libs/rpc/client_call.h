/*
 * A call of a client, seen from inside. Private to libs/rpc; its users see channel.h.
 *
 * Everything but cancelling happens on the caller's thread before the first batch starts, and on
 * the channel's one thread afterwards, so little here needs a lock.
 */
#ifndef RPC_CLIENT_CALL_H
#define RPC_CLIENT_CALL_H

#include "base/arena.h"
#include "base/list.h"
#include "rpc/channel.h"
#include "rpc/queue.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>

#define RPC_CLIENT_CALL_MAGIC 0xc11e47ca

struct rpc_client_call {
    uint32_t magic;
    struct list_link link; /* among the channel's calls; the channel's lock */
    struct rpc_channel *channel;
    atomic_uint refs; /* the flight, the starting thread, and whoever asked for ret_call */

    const ProtobufCMessageDescriptor *reply_type;
    rpc_message_fn on_message;
    rpc_done_fn on_done;
    void *data;

    /* Unary and failed calls have whole_op only; streams have the other three. */
    struct rpc_op whole_op, open_op, message_op, status_op;
    unsigned ops_left;

    grpc_metadata *metadata; /* what is sent */
    size_t metadata_count;
    grpc_byte_buffer *request, *incoming;
    grpc_metadata_array initial, trailing;
    grpc_status_code code;
    grpc_slice text;
    struct arena message_arena;    /* of a stream's message */
    struct rpc_status own_failure; /* found on this side; code RPC_OK for none; static strings */

    struct {
        pthread_mutex_t lock;
        grpc_call *core; /* NULL once the call is over */
    } _shared;
};

/* --- What channel.c does for calls ------------------------------------------------------------ */

/* A call of the core's; the method's handle is looked up or made. */
grpc_call *rpc_channel_open(struct rpc_channel *channel, const char *full_method,
                            int64_t deadline_ns);

/* Puts a call among those in flight; true if the channel is being destroyed. */
bool rpc_channel_enter(struct rpc_channel *channel, struct rpc_client_call *call);

/* The call's outcome is known: it does not count as in flight any more. */
void rpc_channel_uncount(struct rpc_channel *channel);

/* on_done has returned. The channel may be gone afterwards. */
void rpc_channel_leave(struct rpc_channel *channel, struct rpc_client_call *call);

size_t rpc_channel_reply_arena_bytes_max(const struct rpc_channel *channel);

#endif
