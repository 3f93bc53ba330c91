/*
 * A call of a server, seen from inside. Private to libs/rpc; its users see server.h.
 *
 * The server owns a fixed number of these. One is taken when a slot is armed and given back when
 * its last op has completed and its holder has finished it.
 */
#ifndef RPC_CALL_H
#define RPC_CALL_H

#include "base/arena.h"
#include "base/list.h"
#include "rpc/queue.h"
#include "rpc/server.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>

#define RPC_CALL_MAGIC 0xca11ca11u

/* Calls that are in flight beside the bound on them. */
struct rpc_gauge {
    atomic_uint in_flight;
    unsigned max;
};

/* A method as it is served; constant while the server runs, but for in_flight and slots_owed. */
struct rpc_served {
    struct rpc_server *server;
    const struct rpc_server_config *config;
    struct rpc_method method;
    char *full_name;
    const ProtobufCMessageDescriptor *input;
    struct rpc_gauge *gauge;
    struct rpc_replies *replies;
    atomic_uint in_flight; /* of the gauge's, this method's */
    void *core;            /* the core's handle; NULL for the methods that nobody added */
    unsigned slots_owed;   /* to be armed as soon as calls come back; the server's lock */
};

struct rpc_call {
    uint32_t magic;
    struct rpc_call *next_free; /* the server's lock */
    struct rpc_served *served;

    struct rpc_op arrive_op, close_op, tell_op, receive_op, send_op, finish_op;
    atomic_uint refs; /* one for the holder, one for each op under way */

    /* Filled by the core when the call arrives. */
    grpc_call *core;
    gpr_timespec core_deadline;
    grpc_call_details details; /* of methods that nobody added */
    grpc_metadata_array metadata;
    grpc_byte_buffer *incoming;
    int core_cancelled;

    int64_t arrived_ns, deadline_ns;
    struct arena arena;
    struct arena incoming_arena; /* RPC_BIDI_STREAM: the request message that is being handled */
    void *stream;                /* RPC_BIDI_STREAM: the handler's own */
    bool counted;                /* in the gauge */
    bool close_started;
    atomic_bool cancelled;

    /* What is on its way out; written before the op that carries it starts. */
    grpc_byte_buffer *outgoing, *reply;
    enum rpc_code code;
    grpc_slice message;
    grpc_metadata trailer; /* grpc-status-details-bin */
    size_t trailer_count;
    int64_t finished_ns;
    struct list_link by_reply; /* with the following, its replies' own (replies.h) */
    size_t reply_bytes;

    struct {
        pthread_mutex_t lock;
        bool initial_sent; /* initial metadata has left with a message */
        bool sending;
        bool finished; /* the holder has let go */
        bool told;     /* the holder knows that the caller has gone */
        rpc_stream_fn on_sent, on_cancel;
        void *on_sent_data, *on_cancel_data;
    } _shared;
};

/* Prepares a call of a server for its first use, and takes it down after its last. */
void rpc_call_init(struct rpc_call *call, const struct rpc_server_config *config);
void rpc_call_fini(struct rpc_call *call);

/* Arms a slot of served with a free call. */
void rpc_call_arm(struct rpc_call *call, struct rpc_served *served, grpc_server *core,
                  grpc_completion_queue *queue);

/* --- What server.c does for calls ------------------------------------------------------------- */

/* Arms another slot of the method whose slot was just used, now or when a call comes back. */
void rpc_server_rearm(struct rpc_served *served);

/* Takes back a call that is over; it may be armed again at once. */
void rpc_server_release(struct rpc_server *server, struct rpc_call *call);

#endif
