#include "orders/adapters/grpc/placing.h"

#include "base/clock.h"
#include "base/order_id.h"
#include "base/text.h"
#include "log/log.h"
#include "orders/adapters/grpc/messages.h"
#include "rpc/server.h"

#include <string.h>

#define REQUEST_ID_CHARS_MAX 128

/* Orders that went wrong are told of one by one, but not a thousand at a time. */
#define LOG_EVERY_MS 1000

typedef Stampede__Orders__V1__BatchPlaceOrdersItem item_message;
typedef Stampede__Orders__V1__BatchPlaceOrdersResult result_message;

/* Where the answer to one item of the request is put together. */
struct slot {
    result_message result;
    struct messages_order order;
};

struct placing {
    struct lane_batch batch; /* the good items */
    const struct calls *calls;
    struct rpc_call *call;
    bool is_single;
    char sale_id[UUID_TEXT_CHARS + 1];
    item_message *const *items; /* of the request */
    size_t item_count;
    int64_t deadline_ns;
    struct slot *slots;       /* one per item */
    result_message **results; /* slots[i].result, as the reply wants them */
    size_t *item_of;          /* an order's index in the batch -> its item */
    size_t counts[VERDICT_COUNT];
};

static void on_answered(struct lane_batch *batch, void *data);

/* All that the call will ever need but the errors of invalid items; NULL when it is too much. */
static struct placing *make_placing(const struct calls *calls, struct rpc_call *call,
                                    item_message *const *items, size_t count)
{
    struct arena *arena = rpc_call_arena(call);
    struct placing *placing = arena_calloc(arena, 1, sizeof(*placing));
    struct slot *slots = arena_alloc(arena, count * sizeof(*slots));
    result_message **results = arena_calloc(arena, count, sizeof(result_message *));
    size_t *item_of = arena_calloc(arena, count, sizeof(*item_of));
    struct lane_order *orders = arena_calloc(arena, count, sizeof(*orders));
    if (placing == NULL || slots == NULL || results == NULL || item_of == NULL || orders == NULL) {
        return NULL;
    }
    placing->calls = calls;
    placing->call = call;
    placing->items = items;
    placing->item_count = count;
    placing->deadline_ns = calls_deadline_ns(calls, call);
    placing->slots = slots;
    placing->results = results;
    placing->item_of = item_of;
    placing->batch.orders = orders;
    placing->batch.on_answered = on_answered;
    placing->batch.data = placing;
    for (size_t i = 0; i < count; i++) {
        stampede__orders__v1__batch_place_orders_result__init(&slots[i].result);
        results[i] = &slots[i].result;
    }
    return placing;
}

/* --- Taking in ------------------------------------------------------------------------------- */

static void check_item(const item_message *item, struct violations *violations)
{
    struct order_request request = {
        .customer_id = item->customer_id,
        .customer_length = strlen(item->customer_id),
        .key = item->idempotency_key,
        .key_length = strlen(item->idempotency_key),
        .quantity = item->quantity,
    };
    size_t request_id_length = strlen(item->request_id);
    order_request_validate(&request, violations);
    if (item->timeout_ms < 0) {
        violations_add(violations, "timeout_ms", "must not be negative; 0 means the call's time");
    }
    if (request_id_length > REQUEST_ID_CHARS_MAX ||
        !text_is_printable_ascii(item->request_id, request_id_length)) {
        violations_add(violations, "request_id", "must be 0 to 128 printable ASCII characters");
    }
}

/* Appends an item that is in order to the batch. */
static void take_item(struct placing *placing, size_t at)
{
    const item_message *item = placing->items[at];
    struct lane_order *order = &placing->batch.orders[placing->batch.count];
    size_t customer_length = strlen(item->customer_id);
    int64_t deadline_ns = placing->deadline_ns;

    if (item->timeout_ms > 0) {
        int64_t own_ns = rpc_call_arrived_ns(placing->call) + item->timeout_ms * CLOCK_NS_PER_MS;
        deadline_ns = own_ns < deadline_ns ? own_ns : deadline_ns;
    }
    order->item.deadline_ns = deadline_ns;
    order->item.attempts_end_ns = calls_attempts_end_ns(placing->calls, placing->call);
    order->item.in = (struct placement_request){
        .order_id = order_id_of(&placing->batch.sale_id, item->customer_id, customer_length,
                                item->idempotency_key, strlen(item->idempotency_key)),
        .customer_id = item->customer_id,
        .customer_length = customer_length,
        .quantity = item->quantity,
    };
    placing->item_of[placing->batch.count++] = at;
}

/* Gives an item that is not in order its own error. */
static void refuse_item(struct placing *placing, size_t at, const struct violations *violations)
{
    struct rpc_violation items[VIOLATIONS_MAX];
    struct rpc_status status = messages_violations(violations, items);
    result_message *result = placing->results[at];
    result->outcome_case = STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ERROR;
    result->error = rpc_status_to_message(&status, rpc_call_arena(placing->call));
    placing->counts[VERDICT_INVALID_FIELD]++;
}

/* --- Answering ------------------------------------------------------------------------------- */

static void reply_to_batch(struct placing *placing)
{
    Stampede__Orders__V1__BatchPlaceOrdersResponse reply =
        STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESPONSE__INIT;
    reply.n_results = placing->item_count;
    reply.results = placing->results;
    rpc_call_finish(placing->call, &reply.base);
}

static void reply_to_single(struct placing *placing)
{
    enum verdict verdict = placing->batch.orders[0].item.verdict;
    Stampede__Orders__V1__PlaceOrderResponse reply =
        STAMPEDE__ORDERS__V1__PLACE_ORDER_RESPONSE__INIT;

    if (verdict != VERDICT_PLACED && verdict != VERDICT_REPLAYED) {
        int64_t retry_after_ms = calls_retry_after_ms(placing->calls, verdict);
        if (verdict == VERDICT_OVERLOADED) {
            retry_after_ms = placing->batch.orders[0].retry_after_ms;
        }
        struct rpc_status status = messages_refusal(verdict, retry_after_ms);
        rpc_call_fail(placing->call, &status);
        return;
    }
    reply.order = placing->results[0]->order;
    reply.replayed = placing->results[0]->replayed;
    rpc_call_finish(placing->call, &reply.base);
}

/* The call and with it placing are gone afterwards. */
static void reply(struct placing *placing)
{
    const struct calls_observer *observer = &placing->calls->config.observer;
    observer->on_orders(observer->data, placing->counts);
    if (placing->is_single) {
        reply_to_single(placing);
    } else {
        reply_to_batch(placing);
    }
}

/* Refusals are an everyday thing; these two are not. */
static void log_trouble(const struct placing *placing, const struct place_orders_item *item,
                        const char *request_id)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(LOG_EVERY_MS);
    char order_id[UUID_TEXT_CHARS + 1];
    if (item->verdict == VERDICT_INTERNAL || item->verdict == VERDICT_OUTCOME_UNKNOWN) {
        uuid_format(&item->in.order_id, order_id);
        log_event_limited(&limit, LOG_WARN, "order_in_trouble",
                          LOG_STR("reason", verdict_name(item->verdict)),
                          LOG_STR("sale_id", placing->sale_id), LOG_STR("order_id", order_id),
                          LOG_STR("request_id", request_id));
    }
}

/*
 * The error message that orders refused for one verdict share. How long to wait when there is too
 * much to do depends on the load of their sale's lane, so that one is made for the call; the
 * general one does where it cannot be.
 */
static struct Google__Rpc__Status *find_refusal(struct placing *placing,
                                                const struct lane_order *order,
                                                struct Google__Rpc__Status **overloaded)
{
    enum verdict verdict = order->item.verdict;
    if (verdict != VERDICT_OVERLOADED) {
        return calls_refusal(placing->calls, verdict);
    }
    if (*overloaded == NULL) {
        struct rpc_status status = messages_refusal(verdict, order->retry_after_ms);
        *overloaded = rpc_status_to_message(&status, rpc_call_arena(placing->call));
    }
    return *overloaded != NULL ? *overloaded : calls_refusal(placing->calls, verdict);
}

static void put_order(struct placing *placing, const struct place_orders_item *item, size_t at)
{
    struct slot *slot = &placing->slots[at];
    messages_order(&item->order, placing->sale_id, item->in.customer_id, &item->unit_price,
                   &slot->order);
    slot->result.outcome_case = STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ORDER;
    slot->result.order = &slot->order.message;
    slot->result.replayed = item->verdict == VERDICT_REPLAYED;
}

static void on_answered(struct lane_batch *batch, void *data)
{
    struct placing *placing = data;
    struct Google__Rpc__Status *overloaded = NULL;

    for (size_t i = 0; i < batch->count; i++) {
        const struct place_orders_item *item = &batch->orders[i].item;
        size_t at = placing->item_of[i];
        placing->counts[item->verdict]++;
        if (item->verdict == VERDICT_PLACED || item->verdict == VERDICT_REPLAYED) {
            put_order(placing, item, at);
            continue;
        }
        result_message *result = placing->results[at];
        result->outcome_case = STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ERROR;
        result->error = find_refusal(placing, &batch->orders[i], &overloaded);
        log_trouble(placing, item, placing->items[at]->request_id);
    }
    reply(placing);
}

/* --- Arriving -------------------------------------------------------------------------------- */

void placing_start_batch(const struct calls *calls, struct rpc_call *call,
                         const Stampede__Orders__V1__BatchPlaceOrdersRequest *request)
{
    struct violations violations = {0};
    struct uuid sale_id = {0};

    messages_uuid(request->sale_id, "sale_id", &sale_id, &violations);
    if (request->n_items < 1 || request->n_items > PLACEMENT_BATCH_MAX) {
        violations_add(&violations, "items", "must be 1 to 512");
    }
    if (violations.count > 0) {
        calls_refuse_fields(calls, call, &violations);
        return;
    }
    struct placing *placing = make_placing(calls, call, request->items, request->n_items);
    if (placing == NULL) {
        calls_refuse(calls, call, VERDICT_OVERLOADED);
        return;
    }
    placing->batch.sale_id = sale_id;
    uuid_format(&sale_id, placing->sale_id);
    for (size_t i = 0; i < request->n_items; i++) {
        struct violations own = {0};
        check_item(request->items[i], &own);
        if (own.count > 0) {
            refuse_item(placing, i, &own);
        } else {
            take_item(placing, i);
        }
    }
    if (arena_overflowed(rpc_call_arena(call))) {
        calls_refuse(calls, call, VERDICT_OVERLOADED);
    } else if (placing->batch.count == 0) {
        reply(placing);
    } else {
        lanes_submit(calls->config.lanes, &placing->batch);
    }
}

/* The request as an item of a batch, in the call's arena; NULL when that is full. */
static item_message **make_item(const Stampede__Orders__V1__PlaceOrderRequest *request,
                                struct arena *arena)
{
    item_message *item = arena_alloc(arena, sizeof(*item));
    item_message **items = arena_alloc(arena, sizeof(item_message *));
    if (item == NULL || items == NULL) {
        return NULL;
    }
    stampede__orders__v1__batch_place_orders_item__init(item);
    item->customer_id = request->customer_id;
    item->idempotency_key = request->idempotency_key;
    item->quantity = request->quantity;
    *items = item;
    return items;
}

void placing_start_single(const struct calls *calls, struct rpc_call *call,
                          const Stampede__Orders__V1__PlaceOrderRequest *request)
{
    struct violations violations = {0};
    struct uuid sale_id = {0};

    item_message **items = make_item(request, rpc_call_arena(call));
    struct placing *placing = items == NULL ? NULL : make_placing(calls, call, items, 1);
    if (placing == NULL) {
        calls_refuse(calls, call, VERDICT_OVERLOADED);
        return;
    }
    messages_uuid(request->sale_id, "sale_id", &sale_id, &violations);
    check_item(items[0], &violations);
    if (violations.count > 0) {
        calls_refuse_fields(calls, call, &violations);
        return;
    }
    placing->is_single = true;
    placing->batch.sale_id = sale_id;
    uuid_format(&sale_id, placing->sale_id);
    take_item(placing, 0);
    lanes_submit(calls->config.lanes, &placing->batch);
}
