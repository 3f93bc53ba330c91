#include "orders/adapters/grpc/settling.h"

#include "log/log.h"
#include "orders/adapters/grpc/access.h"
#include "orders/adapters/grpc/messages.h"
#include "rpc/server.h"

#include <string.h>

/* Calls that went wrong are told of one by one, but not a thousand at a time. */
#define LOG_EVERY_MS 1000

struct settling {
    struct lane_change change;
    const struct calls *calls;
    struct rpc_call *call;
    char sale_id[UUID_TEXT_CHARS + 1];
};

/* --- Answering ------------------------------------------------------------------------------- */

static void reply(const struct settling *settling)
{
    const struct settle_orders_item *item = &settling->change.item;
    const char *customer_id =
        item->in.customer_length > 0 ? item->in.customer_id : item->customer_text;
    struct messages_order message;
    messages_order(&item->order.order, settling->sale_id, customer_id, &item->unit_price, &message);
    rpc_call_finish(settling->call, &message.message.base);
}

static void refuse(const struct settling *settling)
{
    const struct settle_orders_item *item = &settling->change.item;
    struct rpc_status status;
    if (item->verdict == VERDICT_ILLEGAL_TRANSITION) {
        status = messages_illegal_transition(item->order.order.status, item->in.act);
    } else if (item->verdict == VERDICT_OVERLOADED) {
        status = messages_refusal(item->verdict, settling->change.retry_after_ms);
    } else {
        status =
            messages_refusal(item->verdict, calls_retry_after_ms(settling->calls, item->verdict));
    }
    calls_refuse_status(settling->calls, settling->call, &status);
}

/* Refusals are an everyday thing; these two are not. */
static void log_trouble(const struct settling *settling)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(LOG_EVERY_MS);
    const struct settle_orders_item *item = &settling->change.item;
    char order_id[UUID_TEXT_CHARS + 1];
    if (item->verdict == VERDICT_INTERNAL || item->verdict == VERDICT_OUTCOME_UNKNOWN) {
        uuid_format(&item->in.order_id, order_id);
        log_event_limited(&limit, LOG_WARN, "change_in_trouble",
                          LOG_STR("reason", verdict_name(item->verdict)),
                          LOG_STR("sale_id", settling->sale_id), LOG_STR("order_id", order_id));
    }
}

/* The call and with it settling are gone afterwards. */
static void on_answered(struct lane_change *change, void *data)
{
    struct settling *settling = data;
    if (change->item.verdict == VERDICT_DONE) {
        reply(settling);
        return;
    }
    log_trouble(settling);
    refuse(settling);
}

/* --- Arriving -------------------------------------------------------------------------------- */

static struct settling *make_settling(const struct calls *calls, struct rpc_call *call)
{
    struct settling *settling = arena_calloc(rpc_call_arena(call), 1, sizeof(*settling));
    if (settling == NULL) {
        calls_refuse(calls, call, VERDICT_OVERLOADED);
        return NULL;
    }
    settling->calls = calls;
    settling->call = call;
    settling->change.on_answered = on_answered;
    settling->change.data = settling;
    settling->change.item.deadline_ns = calls_deadline_ns(calls, call);
    settling->change.item.attempts_end_ns = calls_attempts_end_ns(calls, call);
    settling->change.item.in.customer_id = "";
    return settling;
}

static void take_ids(struct settling *settling, const char *sale_id, const char *order_id,
                     struct violations *violations)
{
    struct lane_change *change = &settling->change;
    messages_uuid(sale_id, "sale_id", &change->sale_id, violations);
    messages_uuid(order_id, "order_id", &change->item.in.order_id, violations);
    uuid_format(&change->sale_id, settling->sale_id);
}

static void submit(struct settling *settling, const struct violations *violations)
{
    if (violations->count > 0) {
        calls_refuse_fields(settling->calls, settling->call, violations);
    } else {
        lanes_submit_change(settling->calls->config.lanes, &settling->change);
    }
}

void settling_start_confirm(const struct calls *calls, struct rpc_call *call,
                            const Stampede__Orders__V1__ConfirmOrderRequest *request)
{
    struct violations violations = {0};
    struct settling *settling = make_settling(calls, call);
    if (settling == NULL) {
        return;
    }
    settling->change.item.in.act = ORDER_ACT_CONFIRM;
    take_ids(settling, request->sale_id, request->order_id, &violations);
    submit(settling, &violations);
}

/* Whether a call shows any credentials, right or wrong. */
static bool has_authorization(const struct rpc_call *call)
{
    size_t length = 0;
    return rpc_call_metadata(call, "authorization", &length) != NULL;
}

void settling_start_cancel(const struct calls *calls, struct rpc_call *call,
                           const Stampede__Orders__V1__CancelOrderRequest *request)
{
    struct violations violations = {0};
    struct rpc_status refusal;
    bool is_anybodys = request->customer_id[0] == '\0';
    bool is_admin = access_is_admin(calls->config.access, call, &refusal);

    if (is_anybodys && !is_admin && has_authorization(call)) {
        calls_refuse_status(calls, call, &refusal);
        return;
    }
    struct settling *settling = make_settling(calls, call);
    if (settling == NULL) {
        return;
    }
    struct settlement_request *in = &settling->change.item.in;
    in->act = is_admin ? ORDER_ACT_CANCEL_SOLD : ORDER_ACT_CANCEL;
    in->customer_id = request->customer_id;
    in->customer_length = strlen(request->customer_id);
    take_ids(settling, request->sale_id, request->order_id, &violations);
    if (!is_anybodys || !is_admin) {
        order_customer_validate(in->customer_id, in->customer_length, &violations);
    }
    submit(settling, &violations);
}
