#include "edge/upstream/batch_message.h"

#include "base/arena.h"
#include "base/clock.h"
#include "edge/limits.h"
#include "edge/upstream/upstream_placement.h"
#include "edge/upstream/upstream_refusal.h"
#include "log/log.h"
#include "rpc/channel.h"
#include "stampede/orders/v1/orders.pb-c.h"

#include <errno.h>
#include <google/rpc/status.pb-c.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_ARENA_BLOCK     65536
#define MISFIT_LOG_INTERVAL_MS 1000

/* Names of the generated code, so that the lines below stay readable. */
#define ITEM_IS_ORDER STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ORDER
#define ITEM_IS_ERROR STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ERROR

struct batch_message {
    /* Of a request. */
    Stampede__Orders__V1__BatchPlaceOrdersRequest request;
    char sale_id[UUID_TEXT_CHARS + 1];
    Stampede__Orders__V1__BatchPlaceOrdersItem items[EDGE_ORDERS_PER_CALL_MAX];
    Stampede__Orders__V1__BatchPlaceOrdersItem *item_list[EDGE_ORDERS_PER_CALL_MAX];
    /* Of a reply. */
    struct combiner_result results[EDGE_ORDERS_PER_CALL_MAX];
    struct upstream_refusal refusals[EDGE_ORDERS_PER_CALL_MAX]; /* of the results that are errors */
    struct arena arena;                                         /* what their statuses point to */
};

const char batch_message_method[] = "/stampede.orders.v1.OrderService/BatchPlaceOrders";
const ProtobufCMessageDescriptor *const batch_message_reply_type =
    &stampede__orders__v1__batch_place_orders_response__descriptor;

int batch_message_create(struct batch_message **ret)
{
    struct batch_message *batch = calloc(1, sizeof(*batch));
    if (batch == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < EDGE_ORDERS_PER_CALL_MAX; i++) {
        batch->item_list[i] = &batch->items[i];
    }
    arena_init(&batch->arena, STATUS_ARENA_BLOCK, EDGE_STATUS_ARENA_BYTES_MAX);
    *ret = batch;
    return 0;
}

void batch_message_destroy(struct batch_message *batch)
{
    if (batch == NULL) {
        return;
    }
    arena_fini(&batch->arena);
    free(batch);
}

/* --- The request ---------------------------------------------------------------------------- */

size_t batch_message_bytes_max(const struct upstream_placement *placement)
{
    return EDGE_ORDER_OVERHEAD_BYTES + strlen(placement->customer_id) +
           strlen(placement->idempotency_key) + strlen(placement->request_id) +
           strlen(placement->traceparent);
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
static int32_t item_timeout_ms(const struct combiner_order *order, int64_t now_ns)
{
    int64_t left_ms = (order->deadline_ns - now_ns) / CLOCK_NS_PER_MS - EDGE_ORDER_MARGIN_MS;
    if (left_ms < 1) {
        return 1;
    }
    return left_ms > CONTRACT_DECISION_MS ? CONTRACT_DECISION_MS : (int32_t)left_ms;
}

static void fill_item(Stampede__Orders__V1__BatchPlaceOrdersItem *item,
                      const struct combiner_order *order, int64_t now_ns)
{
    const struct upstream_placement *placement =
        LIST_OBJECT(order, const struct upstream_placement, order);
    stampede__orders__v1__batch_place_orders_item__init(item);
    item->customer_id = unwritten(placement->customer_id);
    item->idempotency_key = unwritten(placement->idempotency_key);
    item->quantity = placement->quantity;
    item->timeout_ms = item_timeout_ms(order, now_ns);
    item->request_id = unwritten(placement->request_id);
    item->traceparent = unwritten(placement->traceparent);
}

const ProtobufCMessage *batch_message_ask(struct batch_message *batch,
                                          const struct combiner_call *call, int64_t now_ns)
{
    for (size_t i = 0; i < call->count; i++) {
        fill_item(&batch->items[i], call->orders[i], now_ns);
    }
    uuid_format(&call->sale_id, batch->sale_id);
    stampede__orders__v1__batch_place_orders_request__init(&batch->request);
    batch->request.sale_id = batch->sale_id;
    batch->request.n_items = call->count;
    batch->request.items = batch->item_list;
    return &batch->request.base;
}

/* --- The reply ------------------------------------------------------------------------------ */

static void log_misfit(size_t wanted, size_t got)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(MISFIT_LOG_INTERVAL_MS);
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
static void read_error(struct batch_message *batch, size_t index, const Google__Rpc__Status *error,
                       const Stampede__Orders__V1__BatchPlaceOrdersResult *before)
{
    struct upstream_refusal *refusal = &batch->refusals[index];
    if (before != NULL && before->outcome_case == ITEM_IS_ERROR && before->error != NULL &&
        is_same_error(before->error, error)) {
        *refusal = batch->refusals[index - 1];
        refusal->status.message = error->message;
        batch->results[index] = (struct combiner_result){batch->results[index - 1].result, refusal};
        return;
    }
    const struct rpc_status status = rpc_status_from_message(error, &batch->arena);
    enum attempt_result result = upstream_refusal_read(&status, refusal);
    batch->results[index] = (struct combiner_result){result, refusal};
}

/* before is the item before, or NULL. */
static void read_item(struct batch_message *batch, size_t index,
                      const Stampede__Orders__V1__BatchPlaceOrdersResult *item,
                      const Stampede__Orders__V1__BatchPlaceOrdersResult *before)
{
    struct combiner_result *result = &batch->results[index];
    *result = (struct combiner_result){.result = ATTEMPT_LOST};
    if (item->outcome_case == ITEM_IS_ORDER && item->order != NULL) {
        *result = (struct combiner_result){ATTEMPT_DONE, item};
    } else if (item->outcome_case == ITEM_IS_ERROR && item->error != NULL &&
               item->error->code != RPC_OK) {
        read_error(batch, index, item->error, before);
    }
}

/* The results of a call that ended with OK; NULL when they do not fit it. */
static const struct combiner_result *read_results(
    struct batch_message *batch, const struct combiner_call *call,
    const Stampede__Orders__V1__BatchPlaceOrdersResponse *reply)
{
    if (reply->n_results != call->count) {
        log_misfit(call->count, reply->n_results);
        return NULL;
    }
    arena_reset(&batch->arena);
    for (size_t i = 0; i < call->count; i++) {
        read_item(batch, i, reply->results[i], i == 0 ? NULL : reply->results[i - 1]);
    }
    return batch->results;
}

const struct combiner_result *batch_message_read(struct batch_message *batch,
                                                 const struct combiner_call *call,
                                                 const struct rpc_reply *reply)
{
    struct upstream_refusal *refusal = &batch->refusals[0];
    enum attempt_result of_all = upstream_refusal_read(&reply->status, refusal);
    upstream_refusal_log_lost(of_all, batch_message_method, &reply->status);
    if (of_all == ATTEMPT_DONE) {
        return read_results(batch, call, (const void *)reply->message);
    }
    if (of_all == ATTEMPT_LOST) {
        return NULL;
    }
    for (size_t i = 0; i < call->count; i++) {
        batch->results[i] = (struct combiner_result){of_all, refusal};
    }
    return batch->results;
}
