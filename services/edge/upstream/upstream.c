#include "edge/upstream/upstream.h"

#include "base/arena.h"
#include "base/clock.h"
#include "contract/contract.h"
#include "edge/limits.h"
#include "edge/upstream/mailbox.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "rpc/channel.h"
#include "rpc/message.h"
#include "rpc/status.h"
#include "stampede/orders/v1/orders.pb-c.h"

#include <errno.h>
#include <google/rpc/status.pb-c.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC_SLOT           UINT32_C(0x0ed6e51a)
#define BATCH_METHOD         "/stampede.orders.v1.OrderService/BatchPlaceOrders"
#define STATUS_ARENA_BLOCK   65536
#define LOST_LOG_INTERVAL_MS 1000
#define METADATA_MAX         3
#define QUESTION_ARENA_BLOCK 16384
#define QUESTION_ARENA_MAX   (64 * 1024)

enum slot_kind { SLOT_BATCH, SLOT_UNARY, SLOT_READ };

/* What travels with a call: in is set before the call starts, out by the channel's thread. Between
 * start and tick it belongs to the channel, then to the mailbox. */
struct slot {
    uint32_t magic;
    struct upstream *upstream;
    enum slot_kind kind;
    struct { /* one of the two */
        struct combiner_call *batch;
        struct unary_call *unary; /* the joiner's in a slot for reads */
    } in;
    const char *method; /* of a read, for the log */
    struct {
        struct rpc_reply *reply;
    } out;
    struct mailbox_letter letter;
};

/* A refusal as it is handed through combiner and unary: the detail of a result. */
struct upstream_refusal {
    struct rpc_status status;
    const struct contract_reason *reason;
};

struct upstream {
    struct upstream_config config;
    struct combiner combiner;
    struct joiner joiner;
    struct unary unary;
    struct mailbox mailbox;
    struct slot batch_slots[EDGE_BATCH_CALLS_PER_LOOP_MAX];
    struct slot unary_slots[EDGE_UNARY_CALLS_PER_LOOP_MAX];
    struct slot read_slots[EDGE_READ_CALLS_PER_LOOP_MAX];
    uint64_t replies; /* of shared reads so far; the number of the last */
    /* Scratch of one packing or one reply, */
    struct arena arena;
    /* and of a read's message: it is sent while replies are read. */
    struct arena question_arena;
    Stampede__Orders__V1__BatchPlaceOrdersItem items[EDGE_ORDERS_PER_CALL_MAX];
    Stampede__Orders__V1__BatchPlaceOrdersItem *item_list[EDGE_ORDERS_PER_CALL_MAX];
    struct combiner_result results[EDGE_ORDERS_PER_CALL_MAX];
    struct upstream_refusal refusals[EDGE_ORDERS_PER_CALL_MAX]; /* of the results that are errors */
};

/* --- Sending -------------------------------------------------------------------------------- */

static struct upstream_placement *placement_of(struct combiner_order *order)
{
    return LIST_OBJECT(order, struct upstream_placement, order);
}

static struct upstream_call *call_of(struct unary_request *request)
{
    return LIST_OBJECT(request, struct upstream_call, request);
}

static struct upstream_call *call_of_read(struct joiner_read *read)
{
    return LIST_OBJECT(read, struct upstream_call, read);
}

static int64_t port_now_ns(void *data)
{
    (void)data;
    return clock_monotonic_ns();
}

static bool port_is_ready(void *data)
{
    const struct upstream *upstream = data;
    return rpc_channel_is_ready(upstream->config.channel);
}

static bool port_is_gone(void *data)
{
    const struct upstream *upstream = data;
    return rpc_channel_is_gone(upstream->config.channel, EDGE_RECONNECT_GRACE_MS);
}

/* Channel thread: the call is over. */
static void on_done(struct rpc_reply *reply, void *data)
{
    struct slot *slot = data;
    MAGIC_CHECK(slot, MAGIC_SLOT);
    slot->out.reply = reply;
    mailbox_post(&slot->upstream->mailbox, &slot->letter);
}

/* protobuf-c reads strings through char pointers that it does not write to. */
static char *unwritten(const char *text)
{
    union {
        const char *in;
        char *out;
    } cast = {.in = text};
    return cast.out;
}

/* The time that an order has upstream: what its HTTP request has left, less the way back, and never
 * more than an attempt may live, or a 504 would ask for too short a wait. */
static int32_t item_timeout_ms(const struct combiner_order *order, int64_t now)
{
    int64_t left_ms = (order->deadline_ns - now) / CLOCK_NS_PER_MS - EDGE_ORDER_MARGIN_MS;
    if (left_ms < 1) {
        return 1;
    }
    return left_ms > CONTRACT_DECISION_MS ? CONTRACT_DECISION_MS : (int32_t)left_ms;
}

static void fill_item(Stampede__Orders__V1__BatchPlaceOrdersItem *item,
                      struct combiner_order *order, int64_t now)
{
    const struct upstream_placement *placement = placement_of(order);
    stampede__orders__v1__batch_place_orders_item__init(item);
    item->customer_id = unwritten(placement->customer_id);
    item->idempotency_key = unwritten(placement->idempotency_key);
    item->quantity = placement->quantity;
    item->timeout_ms = item_timeout_ms(order, now);
    item->request_id = unwritten(placement->request_id);
    item->traceparent = unwritten(placement->traceparent);
}

/* No item is longer than this, whatever its time will be. */
static size_t item_bytes_max(const struct upstream_placement *placement)
{
    return EDGE_ORDER_OVERHEAD_BYTES + strlen(placement->customer_id) +
           strlen(placement->idempotency_key) + strlen(placement->request_id) +
           strlen(placement->traceparent);
}

static void port_send_batch(struct combiner_call *call, void *data)
{
    struct upstream *upstream = data;
    struct slot *slot = &upstream->batch_slots[call->slot];
    int64_t now = clock_monotonic_ns();
    for (size_t i = 0; i < call->count; i++) {
        fill_item(&upstream->items[i], call->orders[i], now);
        upstream->item_list[i] = &upstream->items[i];
    }
    char sale_id[UUID_TEXT_CHARS + 1];
    uuid_format(&call->sale_id, sale_id);
    Stampede__Orders__V1__BatchPlaceOrdersRequest message =
        STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_REQUEST__INIT;
    message.sale_id = sale_id;
    message.n_items = call->count;
    message.items = upstream->item_list;
    slot->in.batch = call;
    const struct rpc_request request = {
        .full_method = BATCH_METHOD,
        .reply_type = &stampede__orders__v1__batch_place_orders_response__descriptor,
        .message = &message.base,
        .deadline_ns = now + EDGE_CALL_LIFE_MS * CLOCK_NS_PER_MS,
        .on_done = on_done,
        .data = slot,
    };
    if (upstream->config.batch_sizes != NULL) {
        metrics_histogram_observe(upstream->config.batch_sizes, (double)call->count);
    }
    rpc_channel_call(upstream->config.channel, &request, NULL);
}

static size_t fill_metadata(const char *request_id, const char *traceparent,
                            const char *authorization, struct rpc_metadata metadata[METADATA_MAX])
{
    size_t count = 0;
    metadata[count++] = (struct rpc_metadata){"x-request-id", request_id, strlen(request_id)};
    metadata[count++] = (struct rpc_metadata){"traceparent", traceparent, strlen(traceparent)};
    if (authorization != NULL) {
        metadata[count++] =
            (struct rpc_metadata){"authorization", authorization, strlen(authorization)};
    }
    return count;
}

/* When a call ends: no read outlives those who wait for it. */
static int64_t life_ends_ns(bool is_read, int64_t deadline_ns)
{
    int64_t ends_ns = clock_monotonic_ns() + EDGE_CALL_LIFE_MS * CLOCK_NS_PER_MS;
    return is_read && deadline_ns < ends_ns ? deadline_ns : ends_ns;
}

static void port_send_unary(struct unary_call *unary_call, void *data)
{
    struct upstream *upstream = data;
    struct slot *slot = &upstream->unary_slots[unary_call->slot];
    const struct upstream_call *call = call_of(unary_call->request);
    struct rpc_metadata metadata[METADATA_MAX];
    slot->in.unary = unary_call;
    const struct rpc_request request = {
        .full_method = call->method->full_name,
        .reply_type = call->method->output,
        .message = call->message,
        .deadline_ns = life_ends_ns(call->request.is_read, call->request.deadline_ns),
        .metadata = metadata,
        .metadata_count =
            fill_metadata(call->request_id, call->traceparent, call->authorization, metadata),
        .on_done = on_done,
        .data = slot,
    };
    rpc_channel_call(upstream->config.channel, &request, NULL);
}

/* The message of those who asked may be gone with them, so it is made again of its bytes. */
static void port_send_read(const struct joiner_call *call, struct unary_call *sent, void *data)
{
    struct upstream *upstream = data;
    const struct contract_method *method = call->method;
    struct slot *slot = &upstream->read_slots[sent->slot];
    struct rpc_metadata metadata[METADATA_MAX];
    arena_reset(&upstream->question_arena);
    ProtobufCAllocator allocator = rpc_message_allocator(&upstream->question_arena);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(method->input, &allocator, call->message_length, call->message);
    /* The bytes were packed here, and the arena has room for any message that short. */
    CHECK(message != NULL);
    slot->in.unary = sent;
    const struct rpc_request request = {
        .full_method = method->full_name,
        .reply_type = method->output,
        .message = message,
        .deadline_ns = life_ends_ns(true, call->deadline_ns),
        .metadata = metadata,
        .metadata_count =
            fill_metadata(call->request_id, call->traceparent, call->authorization, metadata),
        .on_done = on_done,
        .data = slot,
    };
    slot->method = method->full_name;
    rpc_channel_call(upstream->config.channel, &request, NULL);
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
    }
}

/* A batch's result becomes the reply that PlaceOrder alone would have had. */
static void port_answer_placement(struct combiner_order *order, const struct attempt_answer *answer,
                                  void *data)
{
    const struct upstream *upstream = data;
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
    upstream->config.answer(placement_of(order)->owner, &told, upstream->config.data);
}

static void port_answer_call(struct unary_request *request, const struct attempt_answer *answer,
                             void *data)
{
    const struct upstream *upstream = data;
    struct upstream_answer told;
    translate(answer, &told);
    if (answer->verdict == ATTEMPT_SAY_DONE) {
        told.message = answer->detail;
    }
    upstream->config.answer(call_of(request)->owner, &told, upstream->config.data);
}

static void port_answer_read(struct joiner_read *read, const struct attempt_answer *answer,
                             void *data)
{
    const struct upstream *upstream = data;
    struct upstream_answer told;
    translate(answer, &told);
    if (answer->verdict == ATTEMPT_SAY_DONE) {
        told.message = answer->detail;
        told.reply_number = read->has_company ? upstream->replies : 0;
    }
    upstream->config.answer(call_of_read(read)->owner, &told, upstream->config.data);
}

/* --- Reading replies ------------------------------------------------------------------------ */

static void log_lost(const char *method, const struct rpc_status *status)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(LOST_LOG_INTERVAL_MS);
    log_event_limited(&limit, LOG_WARN, "call_lost", LOG_STR("method", method),
                      LOG_INT("code", status->code), LOG_STR("message", status->message));
}

static void log_misfit(size_t wanted, size_t got)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(LOST_LOG_INTERVAL_MS);
    log_event_limited(&limit, LOG_ERROR, "batch_reply_does_not_fit", LOG_UINT("items", wanted),
                      LOG_UINT("results", got));
}

/* Whether two errors say the same in the same bytes, but for the sentence for people. */
static bool is_same_error(const Google__Rpc__Status *a, const Google__Rpc__Status *b)
{
    bool is_same = a->code == b->code && a->n_details == b->n_details;
    for (size_t i = 0; i < a->n_details && is_same; i++) {
        const Google__Protobuf__Any *left = a->details[i];
        const Google__Protobuf__Any *right = b->details[i];
        is_same = left->value.len == right->value.len &&
                  (left->value.len == 0 ||
                   memcmp(left->value.data, right->value.data, left->value.len) == 0) &&
                  strcmp(left->type_url, right->type_url) == 0;
    }
    return is_same;
}

/* Reads an item's error. The items of a verdict come one after the other with the same details, so
 * what the item before said is taken over where it is the same. */
static void read_error(struct upstream *upstream, size_t index, const Google__Rpc__Status *error,
                       const Stampede__Orders__V1__BatchPlaceOrdersResult *before)
{
    struct upstream_refusal *refusal = &upstream->refusals[index];
    if (before != NULL &&
        before->outcome_case == STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ERROR &&
        before->error != NULL && is_same_error(before->error, error)) {
        *refusal = upstream->refusals[index - 1];
        refusal->status.message = error->message;
        upstream->results[index] =
            (struct combiner_result){upstream->results[index - 1].result, refusal};
        return;
    }
    refusal->status = rpc_status_from_message(error, &upstream->arena);
    enum attempt_result result = attempt_result_of(&refusal->status, &refusal->reason);
    upstream->results[index] = (struct combiner_result){result, refusal};
}

/* before is the item before, or NULL. */
static void read_item(struct upstream *upstream, size_t index,
                      const Stampede__Orders__V1__BatchPlaceOrdersResult *item,
                      const Stampede__Orders__V1__BatchPlaceOrdersResult *before)
{
    struct combiner_result *result = &upstream->results[index];
    *result = (struct combiner_result){.result = ATTEMPT_LOST};
    switch (item->outcome_case) {
    case STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ORDER:
        if (item->order != NULL) {
            *result = (struct combiner_result){ATTEMPT_DONE, item};
        }
        return;
    case STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ERROR:
        break;
    default:
        return;
    }
    if (item->error == NULL || item->error->code == RPC_OK) {
        return;
    }
    read_error(upstream, index, item->error, before);
}

/* The results of a call that ended with OK; NULL when they do not fit it. */
static const struct combiner_result *read_results(
    struct upstream *upstream, const struct combiner_call *call,
    const Stampede__Orders__V1__BatchPlaceOrdersResponse *reply)
{
    if (reply->n_results != call->count) {
        log_misfit(call->count, reply->n_results);
        return NULL;
    }
    arena_reset(&upstream->arena);
    for (size_t i = 0; i < call->count; i++) {
        read_item(upstream, i, reply->results[i], i == 0 ? NULL : reply->results[i - 1]);
    }
    return upstream->results;
}

static void complete_batch(struct upstream *upstream, struct combiner_call *call,
                           const struct rpc_reply *reply)
{
    const struct combiner_result *results = NULL;
    struct upstream_refusal refusal = {.status = reply->status};
    enum attempt_result of_all = attempt_result_of(&refusal.status, &refusal.reason);
    if (of_all == ATTEMPT_DONE) {
        results = read_results(upstream, call, (const void *)reply->message);
    } else if (of_all == ATTEMPT_LOST) {
        log_lost(BATCH_METHOD, &reply->status);
    } else {
        if (of_all == ATTEMPT_LOST_FOR_GOOD) {
            log_lost(BATCH_METHOD, &reply->status);
        }
        for (size_t i = 0; i < call->count; i++) {
            upstream->results[i] = (struct combiner_result){of_all, &refusal};
        }
        results = upstream->results;
    }
    combiner_complete(&upstream->combiner, call, results);
}

/* What the reply to a call proves, method by name for the log if anybody waits for it. */
static enum attempt_result read_status(const char *method, const struct rpc_reply *reply,
                                       struct upstream_refusal *ret_refusal)
{
    *ret_refusal = (struct upstream_refusal){.status = reply->status};
    enum attempt_result result = attempt_result_of(&ret_refusal->status, &ret_refusal->reason);
    /* A server without the method has surely done nothing. */
    if (result == ATTEMPT_LOST && reply->status.code == RPC_UNIMPLEMENTED) {
        result = ATTEMPT_REFUSED;
    }
    if ((result == ATTEMPT_LOST || result == ATTEMPT_LOST_FOR_GOOD) && method != NULL) {
        log_lost(method, &reply->status);
    }
    return result;
}

static void complete_unary(struct upstream *upstream, struct unary_call *call,
                           const struct rpc_reply *reply)
{
    struct upstream_refusal refusal;
    const char *method = call->request == NULL ? NULL : call_of(call->request)->method->full_name;
    enum attempt_result result = read_status(method, reply, &refusal);
    unary_complete(&upstream->unary, call, result,
                   result == ATTEMPT_DONE ? (const void *)reply->message : (const void *)&refusal);
}

static void complete_read(struct upstream *upstream, const struct slot *slot,
                          const struct rpc_reply *reply)
{
    struct upstream_refusal refusal;
    const char *method = slot->in.unary->request == NULL ? NULL : slot->method;
    enum attempt_result result = read_status(method, reply, &refusal);
    upstream->replies++;
    joiner_complete(&upstream->joiner, slot->in.unary, result,
                    result == ATTEMPT_DONE ? (const void *)reply->message : (const void *)&refusal);
}

static void complete(struct upstream *upstream, const struct slot *slot,
                     const struct rpc_reply *reply)
{
    switch (slot->kind) {
    case SLOT_BATCH:
        complete_batch(upstream, slot->in.batch, reply);
        return;
    case SLOT_UNARY:
        complete_unary(upstream, slot->in.unary, reply);
        return;
    case SLOT_READ:
        complete_read(upstream, slot, reply);
        return;
    }
    UNREACHABLE("every slot has a kind");
}

static void take_replies(struct upstream *upstream)
{
    struct list letters;
    list_init(&letters);
    mailbox_take(&upstream->mailbox, &letters);
    struct list_link *link;
    while ((link = list_pop_front(&letters)) != NULL) {
        struct slot *slot = LIST_OBJECT(link, struct slot, letter.link);
        MAGIC_CHECK(slot, MAGIC_SLOT);
        /* Completing frees the slot for another call, so the reply is taken out first. */
        struct rpc_reply *reply = slot->out.reply;
        slot->out.reply = NULL;
        complete(upstream, slot, reply);
        rpc_reply_free(reply);
    }
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

static int init_parts(struct upstream *upstream, const struct upstream_config *config)
{
    const struct unary_port unary_port = {port_now_ns,     port_is_ready,    port_is_gone,
                                          port_send_unary, port_answer_call, upstream};
    int error = init_combiner(upstream, config);
    if (error == 0) {
        error = init_joiner(upstream, config);
    }
    if (error == 0) {
        error = unary_init(&upstream->unary, EDGE_UNARY_CALLS_PER_LOOP_MAX, EDGE_RETRY_PAUSE_MS,
                           &unary_port);
    }
    if (error == 0) {
        error = mailbox_init(&upstream->mailbox, config->wake, config->data);
    }
    if (error != 0) {
        unary_fini(&upstream->unary);
        joiner_fini(&upstream->joiner);
        combiner_fini(&upstream->combiner);
    }
    return error;
}

static void init_slots(struct upstream *upstream, enum slot_kind kind, struct slot *slots,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        MAGIC_INIT(&slots[i], MAGIC_SLOT);
        slots[i].upstream = upstream;
        slots[i].kind = kind;
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
    init_slots(upstream, SLOT_BATCH, upstream->batch_slots, COUNT_OF(upstream->batch_slots));
    init_slots(upstream, SLOT_UNARY, upstream->unary_slots, COUNT_OF(upstream->unary_slots));
    init_slots(upstream, SLOT_READ, upstream->read_slots, COUNT_OF(upstream->read_slots));
    arena_init(&upstream->arena, STATUS_ARENA_BLOCK, EDGE_STATUS_ARENA_BYTES_MAX);
    arena_init(&upstream->question_arena, QUESTION_ARENA_BLOCK, QUESTION_ARENA_MAX);
    *ret = upstream;
    return 0;
}

void upstream_destroy(struct upstream *upstream)
{
    if (upstream == NULL) {
        return;
    }
    take_replies(upstream);
    mailbox_fini(&upstream->mailbox);
    unary_fini(&upstream->unary);
    joiner_fini(&upstream->joiner);
    combiner_fini(&upstream->combiner);
    arena_fini(&upstream->question_arena);
    arena_fini(&upstream->arena);
    free(upstream);
}

/* --- For the loop --------------------------------------------------------------------------- */

bool upstream_place(struct upstream *upstream, struct upstream_placement *placement,
                    struct upstream_answer *ret_answer)
{
    struct attempt_answer refusal;
    placement->order.bytes = item_bytes_max(placement);
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
    take_replies(upstream);
    combiner_tick(&upstream->combiner);
    joiner_tick(&upstream->joiner);
    unary_tick(&upstream->unary);
}

int64_t upstream_next_due_ns(const struct upstream *upstream)
{
    int64_t placements_ns = combiner_next_due_ns(&upstream->combiner);
    int64_t reads_ns = joiner_next_due_ns(&upstream->joiner);
    int64_t calls_ns = unary_next_due_ns(&upstream->unary);
    int64_t due_ns = placements_ns < calls_ns ? placements_ns : calls_ns;
    return reads_ns < due_ns ? reads_ns : due_ns;
}

size_t upstream_waiting(const struct upstream *upstream)
{
    return combiner_waiting(&upstream->combiner);
}

size_t upstream_sales(const struct upstream *upstream)
{
    return combiner_sales(&upstream->combiner);
}

size_t upstream_batch_calls(const struct upstream *upstream)
{
    return combiner_calls_in_flight(&upstream->combiner);
}

size_t upstream_unary_calls(const struct upstream *upstream)
{
    return unary_calls_in_flight(&upstream->unary);
}

size_t upstream_read_calls(const struct upstream *upstream)
{
    return joiner_calls(&upstream->joiner);
}

size_t upstream_reads(const struct upstream *upstream)
{
    return joiner_reads(&upstream->joiner);
}
