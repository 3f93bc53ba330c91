/*
 * The life of one call on the server.
 *
 *   armed ──arrives──▶ admitted ──▶ held by its handler ──finish/fail──▶ replying ──▶ free
 *     │                   │               ▲     │                           ▲
 *     │                   └──refused──────┼─────┼───────────────────────────┘
 *     └──server stops──▶ free             └send─┘ (streams: one message at a time)
 *
 * The happy path of a unary call is three completions: it arrives (its slot is armed anew before
 * anything else), its close is watched from the moment a handler holds it, and the reply leaves in
 * one batch. A refused call needs two: the close rides in the batch of the refusal.
 *
 * What can go wrong never shortens this path. A caller that goes away or runs out of time only sets
 * `cancelled` and tells the holder; the holder still finishes, the batch then fails in the core,
 * and the call is freed by the same completions. References count the holder and the ops.
 */
#include "rpc/call.h"

#include "base/clock.h"
#include "rpc/message.h"
#include "rpc/replies.h"

#include <errno.h>
#include <google/rpc/status.pb-c.h>
#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <string.h>

#define ARENA_BLOCK_BYTES        8192
#define STATUS_ARENA_BLOCK_BYTES 4096
#define STATUS_ARENA_BYTES_MAX   32768 /* details of at most 4 KiB, packed twice */
#define STATUS_DETAILS_KEY       "grpc-status-details-bin"
#define OPS_MAX                  4

static void on_arrived(struct rpc_op *op, bool ok);
static void on_closed(struct rpc_op *op, bool ok);
static void on_tell(struct rpc_op *op, bool ok);
static void on_received(struct rpc_op *op, bool ok);
static void on_message_sent(struct rpc_op *op, bool ok);
static void on_finished(struct rpc_op *op, bool ok);

#define CALL_OF(op, member) RPC_OP_OWNER(op, struct rpc_call, member)

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void rpc_call_init(struct rpc_call *call, const struct rpc_server_config *config)
{
    *call = (struct rpc_call){0};
    size_t block_bytes = smaller(ARENA_BLOCK_BYTES, config->call_arena_bytes_max);
    arena_init(&call->arena, block_bytes, config->call_arena_bytes_max);
    arena_init(&call->incoming_arena, block_bytes, config->call_arena_bytes_max);
    rpc_op_init(&call->arrive_op, on_arrived);
    rpc_op_init(&call->close_op, on_closed);
    rpc_op_init(&call->tell_op, on_tell);
    rpc_op_init(&call->receive_op, on_received);
    rpc_op_init(&call->send_op, on_message_sent);
    rpc_op_init(&call->finish_op, on_finished);
    CHECK(pthread_mutex_init(&call->_shared.lock, NULL) == 0);
}

void rpc_call_fini(struct rpc_call *call)
{
    arena_fini(&call->arena);
    arena_fini(&call->incoming_arena);
    pthread_mutex_destroy(&call->_shared.lock);
}

/* --- Arming and letting go -------------------------------------------------------------------- */

static void forget_previous(struct rpc_call *call)
{
    call->core = NULL;
    call->incoming = call->outgoing = call->reply = NULL;
    call->core_cancelled = 0;
    call->counted = call->close_started = false;
    call->stream = NULL;
    call->trailer_count = 0;
    call->message = grpc_empty_slice();
    call->code = RPC_OK;
    call->deadline_ns = CLOCK_DEADLINE_NEVER;
    atomic_store(&call->cancelled, false);
    atomic_store(&call->refs, 1);
    call->_shared.initial_sent = call->_shared.sending = false;
    call->_shared.finished = call->_shared.told = false;
    call->_shared.on_sent = call->_shared.on_cancel = NULL;
    grpc_metadata_array_init(&call->metadata);
    grpc_call_details_init(&call->details);
}

void rpc_call_arm(struct rpc_call *call, struct rpc_served *served, grpc_server *core,
                  grpc_completion_queue *queue)
{
    forget_previous(call);
    call->served = served;
    MAGIC_INIT(call, RPC_CALL_MAGIC);
    bool reads = served->method.kind != RPC_BIDI_STREAM;
    grpc_byte_buffer **payload = reads ? &call->incoming : NULL;
    void *tag = rpc_op_tag(&call->arrive_op);
    grpc_call_error error;
    if (served->core == NULL) {
        error = grpc_server_request_call(core, &call->core, &call->details, &call->metadata, queue,
                                         queue, tag);
    } else {
        error = grpc_server_request_registered_call(core, served->core, &call->core,
                                                    &call->core_deadline, &call->metadata, payload,
                                                    queue, queue, tag);
    }
    CHECK(error == GRPC_CALL_OK);
}

static void destroy_buffer(grpc_byte_buffer **buffer)
{
    if (*buffer != NULL) {
        grpc_byte_buffer_destroy(*buffer);
        *buffer = NULL;
    }
}

static void ref(struct rpc_call *call)
{
    atomic_fetch_add(&call->refs, 1);
}

/* Who lets go last gives the call back to the server. */
static void unref(struct rpc_call *call)
{
    if (atomic_fetch_sub(&call->refs, 1) != 1) {
        return;
    }
    MAGIC_CLEAR(call);
    destroy_buffer(&call->incoming);
    destroy_buffer(&call->outgoing);
    destroy_buffer(&call->reply);
    grpc_slice_unref(call->message);
    if (call->trailer_count > 0) {
        grpc_slice_unref(call->trailer.value);
    }
    grpc_metadata_array_destroy(&call->metadata);
    grpc_call_details_destroy(&call->details);
    if (call->core != NULL) {
        grpc_call_unref(call->core);
    }
    arena_reset(&call->arena);
    arena_reset(&call->incoming_arena);
    rpc_server_release(call->served->server, call);
}

/* Starts ops under op; the reference it takes is the completion's to drop. */
static void start_batch(struct rpc_call *call, const grpc_op *ops, size_t count, struct rpc_op *op)
{
    ref(call);
    grpc_call *core = call->core;
    void *tag = rpc_op_tag(op);
    CHECK(grpc_call_start_batch(core, ops, count, tag, NULL) == GRPC_CALL_OK);
}

/* --- Arrival ---------------------------------------------------------------------------------- */

/* The core's deadline on our clock; NEVER for none and for what lies beyond it. */
static int64_t deadline_of(gpr_timespec core_deadline)
{
    gpr_timespec at = gpr_convert_clock_type(core_deadline, GPR_CLOCK_MONOTONIC);
    if (at.tv_sec >= CLOCK_DEADLINE_NEVER / CLOCK_NS_PER_SECOND) {
        return CLOCK_DEADLINE_NEVER;
    }
    return at.tv_sec * CLOCK_NS_PER_SECOND + at.tv_nsec;
}

/* Counts the call in, or refuses it when as many as allowed are in flight. */
static bool enter_gauge(struct rpc_call *call)
{
    struct rpc_gauge *gauge = call->served->gauge;
    if (atomic_fetch_add(&gauge->in_flight, 1) >= gauge->max) {
        atomic_fetch_sub(&gauge->in_flight, 1);
        return false;
    }
    atomic_fetch_add(&call->served->in_flight, 1);
    call->counted = true;
    return true;
}

/* Of a call over its bound. The reserved ones are held up by nothing that the server's user knows.
 */
static int64_t overload_retry_ms(const struct rpc_call *call)
{
    const struct rpc_server_config *config = call->served->config;
    if (config->overload_retry_ms == NULL || call->served->method.reserved) {
        return RPC_OVERLOAD_RETRY_MS;
    }
    return config->overload_retry_ms(config->data);
}

static bool check_admission(struct rpc_call *call, struct rpc_status *ret_refusal)
{
    const struct rpc_server_config *config = call->served->config;
    if (call->served->core == NULL) {
        *ret_refusal = (struct rpc_status){.code = RPC_UNIMPLEMENTED,
                                           .message = "there is no such method",
                                           .reason = config->unimplemented_reason};
        return false;
    }
    if (!enter_gauge(call)) {
        *ret_refusal = (struct rpc_status){.code = RPC_RESOURCE_EXHAUSTED,
                                           .message = "too many calls are in flight",
                                           .reason = config->overloaded_reason,
                                           .retry_after_ms = overload_retry_ms(call)};
        return false;
    }
    if (call->arrived_ns >= call->deadline_ns) {
        *ret_refusal = (struct rpc_status){.code = RPC_DEADLINE_EXCEEDED,
                                           .message = "the deadline had passed on arrival"};
        return false;
    }
    return config->admit == NULL || config->admit(call, ret_refusal, config->data);
}

static struct rpc_status unreadable(const struct rpc_server_config *config, int error)
{
    struct rpc_status status = {.code = RPC_INVALID_ARGUMENT,
                                .message = rpc_message_error_text(error),
                                .reason = config->malformed_reason};
    if (error == -ENOMEM) {
        status.code = RPC_RESOURCE_EXHAUSTED;
        status.reason = config->overloaded_reason;
    } else if (error == -ENOTSUP) {
        status.code = RPC_UNIMPLEMENTED;
        status.reason = config->unimplemented_reason;
    }
    return status;
}

/* Unpacks what has come in into arena. 0 or a negative errno as rpc_message_from_buffer. */
static int unpack(struct rpc_call *call, struct arena *arena, ProtobufCMessage **ret)
{
    if (call->incoming == NULL) {
        return -EBADMSG; /* the caller finished sending without any message */
    }
    int error = rpc_message_from_buffer(call->served->input, call->incoming, arena, ret);
    destroy_buffer(&call->incoming);
    return error;
}

static void watch_close(struct rpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &call->core_cancelled;
    call->close_started = true;
    start_batch(call, &op, 1, &call->close_op);
}

/* Hands an admitted call to its handler, or to the first read of its stream. */
static void hand_out(struct rpc_call *call)
{
    const struct rpc_method *method = &call->served->method;
    if (method->kind == RPC_BIDI_STREAM) {
        watch_close(call);
        rpc_call_receive(call);
        return;
    }
    ProtobufCMessage *request;
    int error = unpack(call, &call->arena, &request);
    if (error != 0) {
        struct rpc_status refusal = unreadable(call->served->config, error);
        rpc_call_fail(call, &refusal);
        return;
    }
    watch_close(call);
    method->handle(call, request, method->data);
}

static void on_arrived(struct rpc_op *op, bool ok)
{
    struct rpc_call *call = CALL_OF(op, arrive_op);
    if (!ok) {
        unref(call); /* the server is stopping */
        return;
    }
    rpc_server_rearm(call->served);
    call->arrived_ns = clock_monotonic_ns();
    call->deadline_ns =
        deadline_of(call->served->core == NULL ? call->details.deadline : call->core_deadline);
    struct rpc_status refusal = {.code = RPC_INTERNAL};
    if (check_admission(call, &refusal)) {
        hand_out(call);
    } else {
        rpc_call_fail(call, &refusal);
    }
}

/* --- The caller goes away --------------------------------------------------------------------- */

/* Whether the holder is to be told now, by on_cancel; then it counts as told. */
static bool claim_tell_locked(struct rpc_call *call)
{
    if (call->_shared.on_cancel == NULL || call->_shared.told || call->_shared.sending ||
        call->_shared.finished || !atomic_load(&call->cancelled)) {
        return false;
    }
    call->_shared.told = true;
    return true;
}

static void on_closed(struct rpc_op *op, bool ok)
{
    struct rpc_call *call = CALL_OF(op, close_op);
    pthread_mutex_lock(&call->_shared.lock);
    if (!ok || call->core_cancelled != 0) {
        atomic_store(&call->cancelled, true);
    }
    bool tell = claim_tell_locked(call);
    rpc_stream_fn on_cancel = call->_shared.on_cancel;
    void *data = call->_shared.on_cancel_data;
    pthread_mutex_unlock(&call->_shared.lock);
    if (tell) {
        on_cancel(call, true, data);
    }
    unref(call);
}

void rpc_call_on_cancel(struct rpc_call *call, rpc_stream_fn on_cancel, void *data)
{
    MAGIC_CHECK(call, RPC_CALL_MAGIC);
    pthread_mutex_lock(&call->_shared.lock);
    CHECK(call->_shared.on_cancel == NULL && !call->_shared.finished);
    call->_shared.on_cancel = on_cancel;
    call->_shared.on_cancel_data = data;
    bool tell = claim_tell_locked(call);
    if (tell) {
        start_batch(call, NULL, 0, &call->tell_op); /* an empty batch completes at once */
    }
    pthread_mutex_unlock(&call->_shared.lock);
}

static void on_tell(struct rpc_op *op, bool ok)
{
    (void)ok;
    struct rpc_call *call = CALL_OF(op, tell_op);
    pthread_mutex_lock(&call->_shared.lock);
    bool finished = call->_shared.finished;
    pthread_mutex_unlock(&call->_shared.lock);
    if (!finished) {
        call->_shared.on_cancel(call, true, call->_shared.on_cancel_data);
    }
    unref(call);
}

/* --- Finishing -------------------------------------------------------------------------------- */

/* Counts the reply as on its way out; callers who do not read theirs make room. */
static void enter_replies(struct rpc_call *call)
{
    struct rpc_replies *replies = call->served->replies;
    struct rpc_call *oldest;

    rpc_replies_add(replies, call, call->reply == NULL ? 0 : grpc_byte_buffer_length(call->reply));
    while ((oldest = rpc_replies_take_excess(replies)) != NULL) {
        (void)grpc_call_cancel(oldest->core, NULL);
        unref(oldest);
    }
}

/* Sends the stored reply and status; nothing else is being sent. */
static void start_finish(struct rpc_call *call)
{
    grpc_op ops[OPS_MAX] = {0};
    size_t count = 0;
    if (!call->_shared.initial_sent) {
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    }
    if (call->reply != NULL) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = call->reply;
    }
    grpc_op *status = &ops[count++];
    status->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    status->data.send_status_from_server.status = (grpc_status_code)call->code;
    status->data.send_status_from_server.status_details = &call->message;
    status->data.send_status_from_server.trailing_metadata = &call->trailer;
    status->data.send_status_from_server.trailing_metadata_count = call->trailer_count;
    if (!call->close_started) {
        ops[count].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
        ops[count++].data.recv_close_on_server.cancelled = &call->core_cancelled;
    }
    enter_replies(call);
    start_batch(call, ops, count, &call->finish_op);
}

/* Lets go of a call whose outcome has been stored in it. */
static void finish(struct rpc_call *call)
{
    call->finished_ns = clock_monotonic_ns();
    if (call->counted) {
        atomic_fetch_sub(&call->served->in_flight, 1);
        atomic_fetch_sub(&call->served->gauge->in_flight, 1);
    }
    pthread_mutex_lock(&call->_shared.lock);
    CHECK(!call->_shared.finished);
    call->_shared.finished = true;
    bool wait = call->_shared.sending; /* on_message_sent goes on then */
    pthread_mutex_unlock(&call->_shared.lock);
    if (!wait) {
        start_finish(call);
    }
    unref(call);
}

void rpc_call_finish(struct rpc_call *call, const ProtobufCMessage *reply)
{
    MAGIC_CHECK(call, RPC_CALL_MAGIC);
    CHECK((reply != NULL) == (call->served->method.kind == RPC_UNARY));
    if (reply != NULL) {
        call->reply = rpc_message_to_buffer(reply);
    }
    finish(call);
}

/* Stores the details of status in the trailing metadata; without memory for them it goes bare. */
static void set_trailer(struct rpc_call *call, const struct rpc_status *status)
{
    struct arena arena;
    arena_init(&arena, STATUS_ARENA_BLOCK_BYTES, STATUS_ARENA_BYTES_MAX);
    struct Google__Rpc__Status *details = rpc_status_to_message(status, &arena);
    if (details != NULL) {
        call->message = grpc_slice_from_copied_string(details->message);
        if (details->n_details > 0) {
            grpc_slice bytes =
                grpc_slice_malloc(protobuf_c_message_get_packed_size(&details->base));
            protobuf_c_message_pack(&details->base, GRPC_SLICE_START_PTR(bytes));
            call->trailer.key = grpc_slice_from_static_string(STATUS_DETAILS_KEY);
            call->trailer.value = bytes;
            call->trailer_count = 1;
        }
    }
    arena_fini(&arena);
}

void rpc_call_fail(struct rpc_call *call, const struct rpc_status *status)
{
    MAGIC_CHECK(call, RPC_CALL_MAGIC);
    CHECK(status->code != RPC_OK);
    struct rpc_status own = *status;
    if (own.domain == NULL) {
        own.domain = call->served->config->error_domain;
    }
    call->code = own.code;
    set_trailer(call, &own);
    finish(call);
}

static void on_finished(struct rpc_op *op, bool ok)
{
    struct rpc_call *call = CALL_OF(op, finish_op);
    const struct rpc_server_config *config = call->served->config;
    enum rpc_code code = call->code;
    rpc_replies_remove(call->served->replies, call);
    if (!ok) {
        code = call->finished_ns >= call->deadline_ns ? RPC_DEADLINE_EXCEEDED : RPC_CANCELLED;
    }
    if (config->observe != NULL) {
        config->observe(call->served->full_name, code, call->finished_ns - call->arrived_ns,
                        config->data);
    }
    unref(call);
}

/* --- Streams ---------------------------------------------------------------------------------- */

void rpc_call_send(struct rpc_call *call, const ProtobufCMessage *message, rpc_stream_fn on_sent,
                   void *data)
{
    MAGIC_CHECK(call, RPC_CALL_MAGIC);
    CHECK(call->served->method.kind != RPC_UNARY && on_sent != NULL);
    grpc_byte_buffer *buffer = rpc_message_to_buffer(message);
    grpc_op ops[2] = {0};
    size_t count = 0;
    pthread_mutex_lock(&call->_shared.lock);
    CHECK(!call->_shared.sending && !call->_shared.finished);
    if (!call->_shared.initial_sent) {
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    }
    ops[count].op = GRPC_OP_SEND_MESSAGE;
    ops[count++].data.send_message.send_message = buffer;
    call->outgoing = buffer;
    call->_shared.sending = call->_shared.initial_sent = true;
    call->_shared.on_sent = on_sent;
    call->_shared.on_sent_data = data;
    pthread_mutex_unlock(&call->_shared.lock);
    start_batch(call, ops, count, &call->send_op);
}

static void on_message_sent(struct rpc_op *op, bool ok)
{
    struct rpc_call *call = CALL_OF(op, send_op);
    destroy_buffer(&call->outgoing);
    pthread_mutex_lock(&call->_shared.lock);
    call->_shared.sending = false;
    bool finished = call->_shared.finished;
    bool cancelled = !ok || atomic_load(&call->cancelled);
    call->_shared.told |= cancelled;
    rpc_stream_fn on_sent = call->_shared.on_sent;
    void *data = call->_shared.on_sent_data;
    pthread_mutex_unlock(&call->_shared.lock);
    if (finished) {
        start_finish(call);
    } else {
        on_sent(call, cancelled, data);
    }
    unref(call);
}

void rpc_call_receive(struct rpc_call *call)
{
    MAGIC_CHECK(call, RPC_CALL_MAGIC);
    CHECK(call->served->method.kind == RPC_BIDI_STREAM);
    arena_reset(&call->incoming_arena);
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &call->incoming;
    start_batch(call, &op, 1, &call->receive_op);
}

void rpc_call_set_stream(struct rpc_call *call, void *stream)
{
    MAGIC_CHECK(call, RPC_CALL_MAGIC);
    call->stream = stream;
}

void *rpc_call_stream(const struct rpc_call *call)
{
    MAGIC_CHECK(call, RPC_CALL_MAGIC);
    return call->stream;
}

/* The message that was read; NULL at the end, and after cancelling a caller that cannot be read. */
static ProtobufCMessage *take_received(struct rpc_call *call, bool ok)
{
    ProtobufCMessage *request = NULL;
    if (!ok || call->incoming == NULL) {
        return NULL;
    }
    int error = unpack(call, &call->incoming_arena, &request);
    if (error != 0) {
        struct rpc_status status = unreadable(call->served->config, error);
        grpc_call_cancel_with_status(call->core, (grpc_status_code)status.code, status.message,
                                     NULL);
        return NULL;
    }
    return request;
}

static void on_received(struct rpc_op *op, bool ok)
{
    struct rpc_call *call = CALL_OF(op, receive_op);
    const struct rpc_method *method = &call->served->method;
    ProtobufCMessage *request = take_received(call, ok);
    pthread_mutex_lock(&call->_shared.lock);
    bool finished = call->_shared.finished;
    pthread_mutex_unlock(&call->_shared.lock);
    if (!finished) {
        method->handle(call, request, method->data);
    }
    unref(call);
}

/* --- What a holder may ask -------------------------------------------------------------------- */

struct arena *rpc_call_arena(struct rpc_call *call)
{
    MAGIC_CHECK(call, RPC_CALL_MAGIC);
    return &call->arena;
}

const char *rpc_call_method(const struct rpc_call *call)
{
    MAGIC_CHECK(call, RPC_CALL_MAGIC);
    return call->served->full_name;
}

int64_t rpc_call_deadline_ns(const struct rpc_call *call)
{
    MAGIC_CHECK(call, RPC_CALL_MAGIC);
    return call->deadline_ns;
}

int64_t rpc_call_arrived_ns(const struct rpc_call *call)
{
    MAGIC_CHECK(call, RPC_CALL_MAGIC);
    return call->arrived_ns;
}

const char *rpc_call_metadata(const struct rpc_call *call, const char *key, size_t *ret_length)
{
    MAGIC_CHECK(call, RPC_CALL_MAGIC);
    size_t key_length = strlen(key);
    for (size_t i = 0; i < call->metadata.count; i++) {
        const grpc_metadata *entry = &call->metadata.metadata[i];
        if (GRPC_SLICE_LENGTH(entry->key) == key_length &&
            memcmp(GRPC_SLICE_START_PTR(entry->key), key, key_length) == 0) {
            *ret_length = GRPC_SLICE_LENGTH(entry->value);
            return (const char *)GRPC_SLICE_START_PTR(entry->value);
        }
    }
    return NULL;
}

bool rpc_call_is_cancelled(const struct rpc_call *call)
{
    MAGIC_CHECK(call, RPC_CALL_MAGIC);
    return atomic_load(&call->cancelled) || clock_monotonic_ns() >= call->deadline_ns;
}
