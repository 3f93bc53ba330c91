#include "edge/upstream/upstream.h"

#include "base/arena.h"
#include "base/clock.h"
#include "contract/contract.h"
#include "edge/limits.h"
#include "edge/upstream/batch_message.h"
#include "edge/upstream/combiner.h"
#include "edge/upstream/courier.h"
#include "edge/upstream/upstream_refusal.h"
#include "metrics/metrics.h"
#include "rpc/channel.h"
#include "rpc/message.h"
#include "stampede/orders/v1/orders.pb-c.h"

#include <errno.h>
#include <stdlib.h>

#define QUESTION_ARENA_BLOCK 16384
#define QUESTION_ARENA_MAX   (64 * 1024)

/* One call under way: of the combiner, of unary or of the joiner. */
struct slot {
    struct courier_trip trip;
    struct upstream *upstream;
    struct combiner_call *batch; /* of the combiner's */
    struct unary_call *call;     /* of the two others */
    const char *method;          /* likewise, for the log */
};

struct upstream {
    struct upstream_config config;
    struct combiner combiner;
    struct joiner joiner;
    struct unary unary;
    struct courier courier;
    struct slot batch_slots[EDGE_BATCH_CALLS_PER_LOOP_MAX];
    struct slot unary_slots[EDGE_UNARY_CALLS_PER_LOOP_MAX];
    struct slot read_slots[EDGE_READ_CALLS_PER_LOOP_MAX];
    struct batch_message *batch;
    uint64_t replies;            /* of shared reads so far; the number of the last */
    struct arena question_arena; /* of a read's message: it is sent while replies are read */
};

/* --- Sending -------------------------------------------------------------------------------- */

static struct upstream_call *call_of(struct unary_request *request)
{
    return LIST_OBJECT(request, struct upstream_call, request);
}

static int64_t port_now_ns(void *data)
{
    (void)data;
    return clock_monotonic_ns();
}

static bool port_is_ready(void *data)
{
    const struct upstream *upstream = data;
    return courier_is_ready(&upstream->courier);
}

static bool port_is_gone(void *data)
{
    const struct upstream *upstream = data;
    return courier_is_gone(&upstream->courier);
}

static void port_send_batch(struct combiner_call *call, void *data)
{
    struct upstream *upstream = data;
    struct slot *slot = &upstream->batch_slots[call->slot];
    slot->batch = call;
    const struct courier_call sent = {
        .full_method = batch_message_method,
        .reply_type = batch_message_reply_type,
        .message = batch_message_ask(upstream->batch, call, clock_monotonic_ns()),
        .deadline_ns = CLOCK_DEADLINE_NEVER,
    };
    if (upstream->config.batch_sizes != NULL) {
        metrics_histogram_observe(upstream->config.batch_sizes, (double)call->count);
    }
    courier_send(&slot->trip, &sent);
}

static void port_send_unary(struct unary_call *unary_call, void *data)
{
    struct upstream *upstream = data;
    struct slot *slot = &upstream->unary_slots[unary_call->slot];
    const struct upstream_call *call = call_of(unary_call->request);
    slot->call = unary_call;
    slot->method = call->method->full_name;
    const struct courier_call sent = {
        .full_method = call->method->full_name,
        .reply_type = call->method->output,
        .message = call->message,
        /* No read outlives those who wait for it. */
        .deadline_ns = call->request.is_read ? call->request.deadline_ns : CLOCK_DEADLINE_NEVER,
        .request_id = call->request_id,
        .traceparent = call->traceparent,
        .authorization = call->authorization,
    };
    courier_send(&slot->trip, &sent);
}

/* The message of those who asked may be gone with them, so it is made again of its bytes. */
static void port_send_read(const struct joiner_call *call, struct unary_call *sent, void *data)
{
    struct upstream *upstream = data;
    const struct contract_method *method = call->method;
    struct slot *slot = &upstream->read_slots[sent->slot];
    arena_reset(&upstream->question_arena);
    ProtobufCAllocator allocator = rpc_message_allocator(&upstream->question_arena);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(method->input, &allocator, call->message_length, call->message);
    /* The bytes were packed here, and the arena has room for any message that short. */
    CHECK(message != NULL);
    slot->call = sent;
    slot->method = method->full_name;
    const struct courier_call courier_call = {
        .full_method = method->full_name,
        .reply_type = method->output,
        .message = message,
        .deadline_ns = call->deadline_ns,
        .request_id = call->request_id,
        .traceparent = call->traceparent,
        .authorization = call->authorization,
    };
    courier_send(&slot->trip, &courier_call);
}

/* --- Answering ------------------------------------------------------------------------------ */

static void translate(const struct attempt_answer *from, struct upstream_answer *ret)
{
    *ret = (struct upstream_answer){
        .verdict = from->verdict, .why = from->why, .retry_after_ms = from->retry_after_ms};
    if (from->verdict == ATTEMPT_SAY_REFUSED) {
        const struct upstream_refusal *refusal = from->detail;
        ret->status = &refusal->status;
        ret->reason = refusal->reason;
    } else if (from->verdict == ATTEMPT_SAY_DONE) {
        ret->message = from->detail;
    }
}

/* A batch's result becomes the reply that PlaceOrder alone would have had. */
static void port_answer_placement(struct combiner_order *order, const struct attempt_answer *answer,
                                  void *data)
{
    const struct upstream *upstream = data;
    const struct upstream_placement *placement =
        LIST_OBJECT(order, struct upstream_placement, order);
    struct upstream_answer told;
    translate(answer, &told);
    Stampede__Orders__V1__PlaceOrderResponse reply =
        STAMPEDE__ORDERS__V1__PLACE_ORDER_RESPONSE__INIT;
    if (answer->verdict == ATTEMPT_SAY_DONE) {
        const Stampede__Orders__V1__BatchPlaceOrdersResult *result = answer->detail;
        reply.order = result->order;
        reply.replayed = result->replayed;
        told.message = &reply.base;
    }
    upstream->config.answer(placement->owner, &told, upstream->config.data);
}

static void port_answer_call(struct unary_request *request, const struct attempt_answer *answer,
                             void *data)
{
    const struct upstream *upstream = data;
    struct upstream_answer told;
    translate(answer, &told);
    upstream->config.answer(call_of(request)->owner, &told, upstream->config.data);
}

static void port_answer_read(struct joiner_read *read, const struct attempt_answer *answer,
                             void *data)
{
    const struct upstream *upstream = data;
    const struct upstream_call *call = LIST_OBJECT(read, struct upstream_call, read);
    struct upstream_answer told;
    translate(answer, &told);
    if (answer->verdict == ATTEMPT_SAY_DONE) {
        told.reply_number = read->has_company ? upstream->replies : 0;
    }
    upstream->config.answer(call->owner, &told, upstream->config.data);
}

/* --- Reading replies ------------------------------------------------------------------------ */

static void on_batch_back(struct courier_trip *trip, const struct rpc_reply *reply)
{
    const struct slot *slot = LIST_OBJECT(trip, struct slot, trip);
    struct upstream *upstream = slot->upstream;
    combiner_complete(&upstream->combiner, slot->batch,
                      batch_message_read(upstream->batch, slot->batch, reply));
}

/* What the reply to a call proves; logged if anybody waits for it. *ret_detail is the success, or
 * *refusal. */
static enum attempt_result read_reply(const struct slot *slot, const struct rpc_reply *reply,
                                      struct upstream_refusal *refusal, const void **ret_detail)
{
    enum attempt_result result = upstream_refusal_read(&reply->status, refusal);
    /* A server without the method has surely done nothing. */
    if (result == ATTEMPT_LOST && reply->status.code == RPC_UNIMPLEMENTED) {
        result = ATTEMPT_REFUSED;
    }
    if (slot->call->request != NULL) {
        upstream_refusal_log_lost(result, slot->method, &reply->status);
    }
    *ret_detail = result == ATTEMPT_DONE ? (const void *)reply->message : (const void *)refusal;
    return result;
}

static void on_unary_back(struct courier_trip *trip, const struct rpc_reply *reply)
{
    const struct slot *slot = LIST_OBJECT(trip, struct slot, trip);
    struct upstream_refusal refusal;
    const void *detail;
    enum attempt_result result = read_reply(slot, reply, &refusal, &detail);
    unary_complete(&slot->upstream->unary, slot->call, result, detail);
}

static void on_read_back(struct courier_trip *trip, const struct rpc_reply *reply)
{
    const struct slot *slot = LIST_OBJECT(trip, struct slot, trip);
    struct upstream_refusal refusal;
    const void *detail;
    enum attempt_result result = read_reply(slot, reply, &refusal, &detail);
    slot->upstream->replies++;
    joiner_complete(&slot->upstream->joiner, slot->call, result, detail);
}

/* --- Life ----------------------------------------------------------------------------------- */

static int init_combiner(struct upstream *upstream, const struct upstream_config *config)
{
    const struct combiner_config combiner_config = {
        .orders_per_call_max = EDGE_ORDERS_PER_CALL_MAX,
        .bytes_per_call_max = EDGE_CALL_BYTES_MAX,
        .calls_per_sale_max = EDGE_CALLS_PER_SALE_MAX,
        .calls_max = EDGE_BATCH_CALLS_PER_LOOP_MAX,
        .waiting_max = EDGE_WAITING_ORDERS_PER_LOOP_MAX,
        .sales_max = EDGE_SALES_PER_LOOP_MAX,
        .retry_pause_ms = EDGE_RETRY_PAUSE_MS,
        .margin_ms = EDGE_ORDER_MARGIN_MS,
        .secret = {config->secret[0], config->secret[1]},
    };
    const struct combiner_port combiner_port = {
        port_now_ns, port_is_ready, port_is_gone, port_send_batch, port_answer_placement, upstream};
    return combiner_init(&upstream->combiner, &combiner_config, &combiner_port);
}

static int init_joiner(struct upstream *upstream, const struct upstream_config *config)
{
    const struct joiner_config joiner_config = {
        .calls_max = EDGE_READ_CALLS_PER_LOOP_MAX,
        .reads_max = EDGE_READS_PER_LOOP_MAX,
        .reads_per_call_max = EDGE_READS_PER_CALL_MAX,
        .chains = EDGE_READ_CHAINS_PER_LOOP,
        .patience_ms = EDGE_READ_PATIENCE_MS,
        .retry_pause_ms = EDGE_RETRY_PAUSE_MS,
        .secret = {config->secret[0], config->secret[1]},
    };
    const struct joiner_port joiner_port = {port_now_ns,    port_is_ready,    port_is_gone,
                                            port_send_read, port_answer_read, upstream};
    return joiner_init(&upstream->joiner, &joiner_config, &joiner_port);
}

static int init_unary(struct upstream *upstream)
{
    const struct unary_port unary_port = {port_now_ns,     port_is_ready,    port_is_gone,
                                          port_send_unary, port_answer_call, upstream};
    return unary_init(&upstream->unary, EDGE_UNARY_CALLS_PER_LOOP_MAX, EDGE_RETRY_PAUSE_MS,
                      &unary_port);
}

static void fini_parts(struct upstream *upstream)
{
    batch_message_destroy(upstream->batch);
    unary_fini(&upstream->unary);
    joiner_fini(&upstream->joiner);
    combiner_fini(&upstream->combiner);
}

static int init_parts(struct upstream *upstream, const struct upstream_config *config)
{
    int error = 0;
    (void)((error = init_combiner(upstream, config)) != 0 ||
           (error = init_joiner(upstream, config)) != 0 || (error = init_unary(upstream)) != 0 ||
           (error = batch_message_create(&upstream->batch)) != 0 ||
           (error = courier_init(&upstream->courier, config->channel, config->wake,
                                 config->data)) != 0);
    if (error != 0) {
        fini_parts(upstream);
    }
    return error;
}

static void init_slots(struct upstream *upstream, struct slot *slots, size_t count,
                       courier_back_fn on_back)
{
    for (size_t i = 0; i < count; i++) {
        slots[i].upstream = upstream;
        courier_init_trip(&upstream->courier, &slots[i].trip, on_back);
    }
}

int upstream_create(const struct upstream_config *config, struct upstream **ret)
{
    struct upstream *upstream = calloc(1, sizeof(*upstream));
    if (upstream == NULL) {
        return -ENOMEM;
    }
    upstream->config = *config;
    int error = init_parts(upstream, config);
    if (error != 0) {
        free(upstream);
        return error;
    }
    init_slots(upstream, upstream->batch_slots, COUNT_OF(upstream->batch_slots), on_batch_back);
    init_slots(upstream, upstream->unary_slots, COUNT_OF(upstream->unary_slots), on_unary_back);
    init_slots(upstream, upstream->read_slots, COUNT_OF(upstream->read_slots), on_read_back);
    arena_init(&upstream->question_arena, QUESTION_ARENA_BLOCK, QUESTION_ARENA_MAX);
    *ret = upstream;
    return 0;
}

void upstream_destroy(struct upstream *upstream)
{
    if (upstream == NULL) {
        return;
    }
    courier_collect(&upstream->courier);
    courier_fini(&upstream->courier);
    fini_parts(upstream);
    arena_fini(&upstream->question_arena);
    free(upstream);
}

/* --- For the loop --------------------------------------------------------------------------- */

bool upstream_place(struct upstream *upstream, struct upstream_placement *placement,
                    struct upstream_answer *ret_answer)
{
    struct attempt_answer refusal;
    placement->order.bytes = batch_message_bytes_max(placement);
    if (combiner_submit(&upstream->combiner, &placement->order, &refusal)) {
        return true;
    }
    translate(&refusal, ret_answer);
    return false;
}

/* Whether the call may be shared; if so, *ret_question is what it asks, with the message in bytes.
 */
static bool ask(const struct upstream_call *call, uint8_t bytes[EDGE_JOINED_QUESTION_BYTES_MAX],
                struct joiner_question *ret_question)
{
    if (!call->request.is_read) {
        return false;
    }
    const struct joiner_question question = {
        .method = call->method,
        .message = bytes,
        .message_length = protobuf_c_message_get_packed_size(call->message),
        .authorization = call->authorization,
        .request_id = call->request_id,
        .traceparent = call->traceparent,
    };
    if (!joiner_takes(&question)) {
        return false;
    }
    (void)protobuf_c_message_pack(call->message, bytes);
    *ret_question = question;
    return true;
}

bool upstream_start(struct upstream *upstream, struct upstream_call *call,
                    struct upstream_answer *ret_answer)
{
    uint8_t bytes[EDGE_JOINED_QUESTION_BYTES_MAX];
    struct joiner_question question;
    struct attempt_answer refusal;
    call->is_joined = ask(call, bytes, &question);
    call->read.deadline_ns = call->request.deadline_ns;
    if (call->is_joined ? joiner_submit(&upstream->joiner, &call->read, &question, &refusal)
                        : unary_submit(&upstream->unary, &call->request, &refusal)) {
        return true;
    }
    translate(&refusal, ret_answer);
    return false;
}

void upstream_forget_placement(struct upstream *upstream, struct upstream_placement *placement)
{
    combiner_forget(&upstream->combiner, &placement->order);
}

void upstream_forget_call(struct upstream *upstream, struct upstream_call *call)
{
    if (call->is_joined) {
        joiner_forget(&upstream->joiner, &call->read);
    } else {
        unary_forget(&upstream->unary, &call->request);
    }
}

void upstream_stop_placement(struct upstream *upstream, struct upstream_placement *placement,
                             struct upstream_answer *ret_answer)
{
    struct attempt_answer told;
    combiner_stop(&upstream->combiner, &placement->order, &told);
    translate(&told, ret_answer);
}

void upstream_stop_call(struct upstream *upstream, struct upstream_call *call,
                        struct upstream_answer *ret_answer)
{
    struct attempt_answer told;
    if (call->is_joined) {
        joiner_stop(&upstream->joiner, &call->read, &told);
    } else {
        unary_stop(&upstream->unary, &call->request, &told);
    }
    translate(&told, ret_answer);
}

void upstream_tick(struct upstream *upstream)
{
    courier_collect(&upstream->courier);
    combiner_tick(&upstream->combiner);
    joiner_tick(&upstream->joiner);
    unary_tick(&upstream->unary);
}

int64_t upstream_next_due_ns(const struct upstream *upstream)
{
    int64_t due_ns = clock_earlier(combiner_next_due_ns(&upstream->combiner),
                                   unary_next_due_ns(&upstream->unary));
    return clock_earlier(joiner_next_due_ns(&upstream->joiner), due_ns);
}

struct upstream_counts upstream_count(const struct upstream *upstream)
{
    return (struct upstream_counts){
        .waiting = combiner_waiting(&upstream->combiner),
        .sales = combiner_sales(&upstream->combiner),
        .batch_calls = combiner_calls_in_flight(&upstream->combiner),
        .unary_calls = unary_calls_in_flight(&upstream->unary),
        .read_calls = joiner_calls(&upstream->joiner),
        .reads = joiner_reads(&upstream->joiner),
    };
}
