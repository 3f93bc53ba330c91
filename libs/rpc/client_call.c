/*
 * One call from rpc_channel_call to on_done.
 *
 *   unary:   one batch of six ops, one completion.
 *   stream:  three batches: opening, then message after message until none comes, and the status,
 *            which the core delivers last. The third completion ends the call.
 *   failed before it left: an empty batch, which completes at once on the channel's thread.
 *
 * The core's call is let go when the call is over, not when the last reference is: a holder of
 * ret_call may outlive the channel, and its late cancel does nothing.
 */
#include "rpc/client_call.h"

#include "base/clock.h"
#include "rpc/message.h"

#include <errno.h>
#include <google/rpc/status.pb-c.h>
#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <string.h>

#define ARENA_BLOCK_BYTES      4096
#define STATUS_ARENA_BYTES_MAX 65536 /* text and unpacked details of a failure */
#define STATUS_DETAILS_KEY     "grpc-status-details-bin"

/* A reply and the memory that it lives in. */
struct box {
    struct rpc_reply reply; /* first: the receiver has a pointer to it */
    struct arena arena;
};

static void on_whole(struct rpc_op *op, bool ok);
static void on_stream_part(struct rpc_op *op, bool ok);
static void on_stream_status(struct rpc_op *op, bool ok);
static void on_stream_message(struct rpc_op *op, bool ok);

static void init_arena(struct arena *arena, size_t bytes_max)
{
    arena_init(arena, ARENA_BLOCK_BYTES < bytes_max ? ARENA_BLOCK_BYTES : bytes_max, bytes_max);
}

static void destroy_buffer(grpc_byte_buffer **buffer)
{
    if (*buffer != NULL) {
        grpc_byte_buffer_destroy(*buffer);
        *buffer = NULL;
    }
}

/* --- Starting --------------------------------------------------------------------------------- */

static void start_batch(struct rpc_client_call *call, const grpc_op *ops, size_t count,
                        struct rpc_op *op)
{
    grpc_call *core = call->_shared.core;
    void *tag = rpc_op_tag(op);
    CHECK(grpc_call_start_batch(core, ops, count, tag, NULL) == GRPC_CALL_OK);
}

static grpc_op receive_message(struct rpc_client_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &call->incoming;
    return op;
}

static grpc_op receive_status(struct rpc_client_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &call->trailing;
    op.data.recv_status_on_client.status = &call->code;
    op.data.recv_status_on_client.status_details = &call->text;
    return op;
}

/* The four ops that both kinds of call begin with. */
static size_t opening_ops(struct rpc_client_call *call, bool wait_for_ready, grpc_op *ops)
{
    grpc_op send_initial = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    send_initial.flags = wait_for_ready ? GRPC_INITIAL_METADATA_WAIT_FOR_READY |
                                              GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET
                                        : 0;
    send_initial.data.send_initial_metadata.metadata = call->metadata;
    send_initial.data.send_initial_metadata.count = call->metadata_count;
    grpc_op send_message = {.op = GRPC_OP_SEND_MESSAGE};
    send_message.data.send_message.send_message = call->request;
    grpc_op receive_initial = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    receive_initial.data.recv_initial_metadata.recv_initial_metadata = &call->initial;
    ops[0] = send_initial;
    ops[1] = send_message;
    ops[2] = (grpc_op){.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    ops[3] = receive_initial;
    return 4;
}

static void start_unary(struct rpc_client_call *call, bool wait_for_ready)
{
    grpc_op ops[6];
    size_t count = opening_ops(call, wait_for_ready, ops);
    ops[count++] = receive_message(call);
    ops[count++] = receive_status(call);
    start_batch(call, ops, count, &call->whole_op);
}

static void start_stream(struct rpc_client_call *call, bool wait_for_ready)
{
    grpc_op ops[4];
    grpc_op message = receive_message(call);
    grpc_op status = receive_status(call);
    size_t count = opening_ops(call, wait_for_ready, ops);
    call->ops_left = 3;
    start_batch(call, ops, count, &call->open_op);
    start_batch(call, &message, 1, &call->message_op);
    start_batch(call, &status, 1, &call->status_op);
}

/* Copies the metadata; false when gRPC would not take it. */
static bool copy_metadata(struct rpc_client_call *call, const struct rpc_request *request)
{
    CHECK(request->metadata_count <= RPC_METADATA_MAX);
    call->metadata = gpr_zalloc((request->metadata_count + 1) * sizeof(*call->metadata));
    bool legal = true;
    for (size_t i = 0; i < request->metadata_count; i++) {
        const struct rpc_metadata *from = &request->metadata[i];
        grpc_metadata *to = &call->metadata[call->metadata_count++];
        to->key = grpc_slice_from_copied_string(from->key);
        to->value = grpc_slice_from_copied_buffer(from->value, from->value_length);
        legal = legal && grpc_header_key_is_legal(to->key) != 0 &&
                (grpc_is_binary_header(to->key) != 0 ||
                 grpc_header_nonbin_value_is_legal(to->value) != 0);
    }
    return legal;
}

static struct rpc_client_call *create(struct rpc_channel *channel,
                                      const struct rpc_request *request)
{
    struct rpc_client_call *call = gpr_zalloc(sizeof(*call));
    MAGIC_INIT(call, RPC_CLIENT_CALL_MAGIC);
    atomic_init(&call->refs, 2); /* the flight and the starting thread */
    call->channel = channel;
    call->reply_type = request->reply_type;
    call->on_message = request->on_message;
    call->on_done = request->on_done;
    call->data = request->data;
    call->text = grpc_empty_slice();
    rpc_op_init(&call->whole_op, on_whole);
    rpc_op_init(&call->open_op, on_stream_part);
    rpc_op_init(&call->message_op, on_stream_message);
    rpc_op_init(&call->status_op, on_stream_status);
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    init_arena(&call->message_arena, rpc_channel_reply_arena_bytes_max(channel));
    CHECK(pthread_mutex_init(&call->_shared.lock, NULL) == 0);
    call->request = rpc_message_to_buffer(request->message);
    call->_shared.core = rpc_channel_open(channel, request->full_method, request->deadline_ns);
    return call;
}

void rpc_channel_call(struct rpc_channel *channel, const struct rpc_request *request,
                      struct rpc_client_call **ret_call)
{
    CHECK(request->deadline_ns > 0 && request->on_done != NULL && request->reply_type != NULL);
    struct rpc_client_call *call = create(channel, request);
    if (ret_call != NULL) {
        atomic_fetch_add(&call->refs, 1);
        *ret_call = call;
    }
    if (rpc_channel_enter(channel, call)) {
        rpc_client_call_cancel(call); /* before it starts, so that it never leaves */
    }
    if (!copy_metadata(call, request)) {
        call->own_failure = (struct rpc_status){.code = RPC_INVALID_ARGUMENT,
                                                .message = "metadata that gRPC does not allow"};
        start_batch(call, NULL, 0, &call->whole_op);
    } else if (request->on_message != NULL) {
        start_stream(call, request->wait_for_ready);
    } else {
        start_unary(call, request->wait_for_ready);
    }
    rpc_client_call_unref(call);
}

void rpc_client_call_cancel(struct rpc_client_call *call)
{
    MAGIC_CHECK(call, RPC_CLIENT_CALL_MAGIC);
    pthread_mutex_lock(&call->_shared.lock);
    if (call->_shared.core != NULL) {
        grpc_call_cancel(call->_shared.core, NULL);
    }
    pthread_mutex_unlock(&call->_shared.lock);
}

void rpc_client_call_unref(struct rpc_client_call *call)
{
    MAGIC_CHECK(call, RPC_CLIENT_CALL_MAGIC);
    if (atomic_fetch_sub(&call->refs, 1) == 1) {
        pthread_mutex_destroy(&call->_shared.lock);
        MAGIC_CLEAR(call);
        gpr_free(call);
    }
}

/* --- The reply -------------------------------------------------------------------------------- */

static char *copy_slice(struct arena *arena, grpc_slice slice)
{
    return arena_strndup(arena, (const char *)GRPC_SLICE_START_PTR(slice),
                         GRPC_SLICE_LENGTH(slice));
}

/* The google.rpc.Status that came in the trailing metadata, or NULL. */
static const Google__Rpc__Status *read_details(const struct rpc_client_call *call,
                                               struct arena *arena)
{
    for (size_t i = 0; i < call->trailing.count; i++) {
        const grpc_metadata *entry = &call->trailing.metadata[i];
        ProtobufCMessage *message;
        if (grpc_slice_str_cmp(entry->key, STATUS_DETAILS_KEY) == 0 &&
            rpc_message_unpack(&google__rpc__status__descriptor, GRPC_SLICE_START_PTR(entry->value),
                               GRPC_SLICE_LENGTH(entry->value), arena, &message) == 0) {
            const void *status = message;
            return status;
        }
    }
    return NULL;
}

/* What the server or the core said. gRPC's own code and text win over those of the details. */
static struct rpc_status read_status(const struct rpc_client_call *call, struct arena *arena)
{
    struct rpc_status status = {0};
    const Google__Rpc__Status *details = read_details(call, arena);
    if (details != NULL) {
        status = rpc_status_from_message(details, arena);
    }
    status.code = (enum rpc_code)call->code;
    if (call->code > GRPC_STATUS_UNAUTHENTICATED) {
        status.code = RPC_UNKNOWN;
    }
    if (GRPC_SLICE_LENGTH(call->text) > 0 || status.message == NULL) {
        status.message = copy_slice(arena, call->text);
    }
    return status;
}

static struct rpc_status unreadable(int error)
{
    return (struct rpc_status){.code = error == -ENOMEM ? RPC_RESOURCE_EXHAUSTED : RPC_INTERNAL,
                               .message = rpc_message_error_text(error)};
}

/* The unary reply's message into box, or why there is none. */
static void read_message(struct rpc_client_call *call, struct box *box)
{
    ProtobufCMessage *message = NULL;
    int error = call->incoming == NULL ? -EBADMSG
                                       : rpc_message_from_buffer(call->reply_type, call->incoming,
                                                                 &box->arena, &message);
    if (error == 0) {
        box->reply.message = message;
    } else {
        box->reply.status = unreadable(error);
    }
}

static struct rpc_reply *make_reply(struct rpc_client_call *call)
{
    bool good = call->own_failure.code == RPC_OK && call->code == GRPC_STATUS_OK;
    struct box *box = gpr_zalloc(sizeof(*box));
    init_arena(&box->arena,
               good ? rpc_channel_reply_arena_bytes_max(call->channel) : STATUS_ARENA_BYTES_MAX);
    if (call->own_failure.code != RPC_OK) {
        box->reply.status = call->own_failure;
    } else if (!good) {
        box->reply.status = read_status(call, &box->arena);
    } else if (call->on_message == NULL) {
        read_message(call, box);
    }
    return &box->reply;
}

void rpc_reply_free(struct rpc_reply *reply)
{
    if (reply != NULL) {
        struct box *box = (struct box *)(void *)reply;
        arena_fini(&box->arena);
        gpr_free(box);
    }
}

/* --- Completing ------------------------------------------------------------------------------- */

/* Gives back what is the core's. */
static void let_go(struct rpc_client_call *call)
{
    destroy_buffer(&call->request);
    destroy_buffer(&call->incoming);
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_slice_unref(call->text);
    for (size_t i = 0; i < call->metadata_count; i++) {
        grpc_slice_unref(call->metadata[i].key);
        grpc_slice_unref(call->metadata[i].value);
    }
    gpr_free(call->metadata);
    pthread_mutex_lock(&call->_shared.lock);
    grpc_call *core = call->_shared.core;
    call->_shared.core = NULL;
    pthread_mutex_unlock(&call->_shared.lock);
    grpc_call_unref(core);
    arena_fini(&call->message_arena);
}

static void complete(struct rpc_client_call *call)
{
    struct rpc_channel *channel = call->channel;
    struct rpc_reply *reply = make_reply(call);
    let_go(call);
    rpc_channel_uncount(channel);
    call->on_done(reply, call->data);
    rpc_channel_leave(channel, call);
    rpc_client_call_unref(call);
}

static void on_whole(struct rpc_op *op, bool ok)
{
    (void)ok; /* a batch that receives the status succeeds; the status tells the rest */
    complete(RPC_OP_OWNER(op, struct rpc_client_call, whole_op));
}

static void part_done(struct rpc_client_call *call)
{
    CHECK(call->ops_left > 0);
    call->ops_left--;
    if (call->ops_left == 0) {
        complete(call);
    }
}

static void on_stream_part(struct rpc_op *op, bool ok)
{
    (void)ok;
    part_done(RPC_OP_OWNER(op, struct rpc_client_call, open_op));
}

static void on_stream_status(struct rpc_op *op, bool ok)
{
    (void)ok;
    part_done(RPC_OP_OWNER(op, struct rpc_client_call, status_op));
}

/* Delivers a message; false when it cannot be read, which ends the stream. */
static bool deliver(struct rpc_client_call *call)
{
    ProtobufCMessage *message;
    arena_reset(&call->message_arena);
    int error =
        rpc_message_from_buffer(call->reply_type, call->incoming, &call->message_arena, &message);
    destroy_buffer(&call->incoming);
    if (error != 0) {
        call->own_failure = unreadable(error);
        rpc_client_call_cancel(call);
        return false;
    }
    call->on_message(message, call->data);
    return true;
}

static void on_stream_message(struct rpc_op *op, bool ok)
{
    struct rpc_client_call *call = RPC_OP_OWNER(op, struct rpc_client_call, message_op);
    if (ok && call->incoming != NULL && deliver(call)) {
        grpc_op next = receive_message(call);
        start_batch(call, &next, 1, &call->message_op);
    } else {
        part_done(call);
    }
}
