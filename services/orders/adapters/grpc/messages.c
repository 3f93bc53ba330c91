#include "orders/adapters/grpc/messages.h"

#include "base/arena.h"
#include "base/check.h"
#include "contract/contract.h"

#include <string.h>

#define US_PER_SECOND INT64_C(1000000)
#define NS_PER_US     1000
#define NS_PER_SECOND 1000000000

/* A time that the domain refuses, for timestamps which it cannot hold. */
#define TIME_REFUSED INT64_C(-1)

/* protobuf-c's messages have no const strings; nothing that is sent is written to. */
static char *unconst(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* --- Refusals -------------------------------------------------------------------------------- */

struct rpc_status messages_reason(const char *name, const char *message)
{
    const struct contract_reason *reason = contract_reason_by_name(name);
    CHECK(reason != NULL);
    return (struct rpc_status){
        .code = (enum rpc_code)reason->grpc_code,
        .message = message,
        .reason = reason->name,
        .domain = MESSAGES_DOMAIN,
    };
}

bool messages_is_retryable(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_OVERLOADED:
    case VERDICT_DRAINING:
    case VERDICT_DATABASE_UNAVAILABLE:
    case VERDICT_OUTCOME_UNKNOWN:
        return true;
    default:
        return false;
    }
}

struct rpc_status messages_refusal(enum verdict verdict, int64_t retry_after_ms)
{
    CHECK(!verdict_is_success(verdict));
    struct rpc_status status = messages_reason(verdict_name(verdict), verdict_text(verdict));
    if (messages_is_retryable(verdict)) {
        status.retry_after_ms = retry_after_ms;
    }
    return status;
}

struct rpc_status messages_illegal_transition(enum order_status is, enum order_act asked)
{
    static const char *const messages[ORDER_STATUS_COUNT][ORDER_ACT_COUNT] = {
        [ORDER_CONFIRMED] =
            {
                [ORDER_ACT_CANCEL] = "a CONFIRMED order can be cancelled by an administrator only",
            },
        [ORDER_CANCELLED] =
            {
                [ORDER_ACT_CONFIRM] = "a CANCELLED order cannot be confirmed",
            },
        [ORDER_EXPIRED] =
            {
                [ORDER_ACT_CONFIRM] = "an EXPIRED order cannot be confirmed",
                [ORDER_ACT_CANCEL] = "an EXPIRED order cannot be cancelled",
                [ORDER_ACT_CANCEL_SOLD] = "an EXPIRED order cannot be cancelled",
            },
    };
    CHECK(is < ORDER_STATUS_COUNT && asked < ORDER_ACT_COUNT);
    const char *message = messages[is][asked];
    /* Another change of the same batch may have moved the order on since. */
    return messages_reason("ILLEGAL_TRANSITION",
                           message != NULL ? message : "the order's status did not allow this");
}

struct rpc_status messages_violations(const struct violations *violations,
                                      struct rpc_violation ret_items[VIOLATIONS_MAX])
{
    CHECK(violations->count > 0);
    for (size_t i = 0; i < violations->count; i++) {
        ret_items[i] = (struct rpc_violation){
            .field = violations->items[i].field,
            .description = violations->items[i].description,
        };
    }
    struct rpc_status status = messages_refusal(VERDICT_INVALID_FIELD, 0);
    status.violations = ret_items;
    status.violation_count = violations->count;
    return status;
}

/* --- Time and money -------------------------------------------------------------------------- */

/* nanos count forwards, also before 1970. */
static void put_time(int64_t us, Google__Protobuf__Timestamp *to)
{
    int64_t rest_us = us % US_PER_SECOND;
    rest_us += rest_us < 0 ? US_PER_SECOND : 0;
    google__protobuf__timestamp__init(to);
    to->seconds = (us - rest_us) / US_PER_SECOND;
    to->nanos = (int32_t)rest_us * NS_PER_US;
}

/* Microseconds; what is finer is cut off. */
static int64_t take_time(const Google__Protobuf__Timestamp *from)
{
    if (from->seconds < 0 || from->seconds > SALE_TIME_US_MAX / US_PER_SECOND || from->nanos < 0 ||
        from->nanos >= NS_PER_SECOND) {
        return TIME_REFUSED;
    }
    return from->seconds * US_PER_SECOND + from->nanos / NS_PER_US;
}

/* Borrows the currency's code. */
static void put_money(const struct money *money, Stampede__Api__V1__Money *to)
{
    stampede__api__v1__money__init(to);
    to->currency_code = unconst(money->currency_code);
    to->amount_minor = money->amount_minor;
}

/* A code that is not of three characters is left empty, which the domain refuses. */
static struct money take_money(const Stampede__Api__V1__Money *from)
{
    struct money money = {0};
    if (from == NULL) {
        return money;
    }
    money.amount_minor = from->amount_minor;
    if (strlen(from->currency_code) == sizeof(money.currency_code) - 1) {
        memcpy(money.currency_code, from->currency_code, sizeof(money.currency_code));
    }
    return money;
}

/* --- Orders ---------------------------------------------------------------------------------- */

static Stampede__Orders__V1__Order__Status put_order_status(enum order_status status)
{
    switch (status) {
#define PUT_ORDER_STATUS(name)                                                                     \
    case ORDER_##name:                                                                             \
        return STAMPEDE__ORDERS__V1__ORDER__STATUS__##name;
        ORDER_STATUS_TABLE(PUT_ORDER_STATUS)
#undef PUT_ORDER_STATUS
    case ORDER_STATUS_COUNT:
        break;
    }
    UNREACHABLE("every status is listed");
}

void messages_order(const struct order *order, const char *sale_id, const char *customer_id,
                    const struct money *unit_price, struct messages_order *ret)
{
    stampede__orders__v1__order__init(&ret->message);
    uuid_format(&order->order_id, ret->order_id);
    put_money(unit_price, &ret->unit_price);
    put_time(order->create_us, &ret->create_time);
    ret->message.sale_id = unconst(sale_id);
    ret->message.order_id = ret->order_id;
    ret->message.number = order->number;
    ret->message.customer_id = unconst(customer_id);
    ret->message.quantity = order->quantity;
    ret->message.status = put_order_status(order->status);
    ret->message.unit_price = &ret->unit_price;
    ret->message.create_time = &ret->create_time;
    if (order->expire_us != ORDER_NEVER_EXPIRES) {
        put_time(order->expire_us, &ret->expire_time);
        ret->message.expire_time = &ret->expire_time;
    }
}

Stampede__Orders__V1__OrderEvents *messages_event(const struct store_event *event,
                                                  const char *sale_id, struct arena *arena)
{
    size_t count = event->order_count;
    Stampede__Orders__V1__OrderEvents *message = arena_alloc(arena, sizeof(*message));
    Google__Protobuf__Timestamp *time = arena_alloc(arena, sizeof(*time));
    struct messages_order *orders = arena_calloc(arena, count, sizeof(*orders));
    Stampede__Orders__V1__Order **pointers = arena_calloc(arena, count, sizeof(*pointers));
    if (message == NULL || time == NULL || orders == NULL || pointers == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const struct store_order *from = &event->orders[i];
        messages_order(&from->order, sale_id, from->customer_id, &from->unit_price, &orders[i]);
        pointers[i] = &orders[i].message;
    }
    stampede__orders__v1__order_events__init(message);
    put_time(event->time_us, time);
    message->sale_id = unconst(sale_id);
    message->sequence = event->sequence;
    message->time = time;
    message->n_orders = count;
    message->orders = pointers;
    return message;
}

/* --- Sales ----------------------------------------------------------------------------------- */

Stampede__Sales__V1__Sale__State messages_sale_state(enum sale_state state)
{
    switch (state) {
    case SALE_SCHEDULED:
        return STAMPEDE__SALES__V1__SALE__STATE__SCHEDULED;
    case SALE_LIVE:
        return STAMPEDE__SALES__V1__SALE__STATE__LIVE;
    case SALE_PAUSED:
        return STAMPEDE__SALES__V1__SALE__STATE__PAUSED;
    case SALE_SOLD_OUT:
        return STAMPEDE__SALES__V1__SALE__STATE__SOLD_OUT;
    case SALE_ENDED:
        return STAMPEDE__SALES__V1__SALE__STATE__ENDED;
    }
    UNREACHABLE("every state is listed");
}

void messages_sale(const struct sale *sale, int64_t now_us, struct messages_sale *ret)
{
    stampede__sales__v1__sale__init(&ret->message);
    uuid_format(&sale->sale_id, ret->sale_id);
    put_money(&sale->unit_price, &ret->unit_price);
    put_time(sale->start_us, &ret->start_time);
    put_time(sale->end_us, &ret->end_time);
    ret->message.sale_id = ret->sale_id;
    ret->message.sku = unconst(sale->sku);
    ret->message.title = unconst(sale->title);
    ret->message.unit_price = &ret->unit_price;
    ret->message.start_time = &ret->start_time;
    ret->message.end_time = &ret->end_time;
    ret->message.stock_total = sale->stock_total;
    ret->message.stock_remaining = sale->stock_remaining;
    ret->message.per_customer_limit = sale->per_customer_limit;
    ret->message.hold_seconds = sale->hold_seconds;
    ret->message.state = messages_sale_state(sale_state_at(sale, now_us));
    ret->message.version = sale->version;
}

struct create_sale_request messages_create_sale_request(
    const Stampede__Sales__V1__CreateSaleRequest *message)
{
    return (struct create_sale_request){
        .key = message->idempotency_key,
        .key_length = strlen(message->idempotency_key),
        .draft =
            {
                .sku = message->sku,
                .title = message->title,
                .unit_price = take_money(message->unit_price),
                .has_start = message->start_time != NULL,
                .start_us = message->start_time == NULL ? 0 : take_time(message->start_time),
                .end_us = message->end_time == NULL ? 0 : take_time(message->end_time),
                .stock_total = message->stock_total,
                .per_customer_limit = message->per_customer_limit,
                .hold_seconds = message->hold_seconds,
            },
    };
}

struct manage_sale_request messages_update_sale_request(
    const Stampede__Sales__V1__UpdateSaleRequest *message)
{
    return (struct manage_sale_request){
        .act = MANAGE_SALE_UPDATE,
        .title = message->title == NULL ? NULL : message->title->value,
        .has_end = message->end_time != NULL,
        .end_us = message->end_time == NULL ? 0 : take_time(message->end_time),
        .has_limit = message->per_customer_limit != NULL,
        .per_customer_limit =
            message->per_customer_limit == NULL ? 0 : message->per_customer_limit->value,
    };
}

struct manage_sale_request messages_restock_sale_request(
    const Stampede__Sales__V1__RestockSaleRequest *message)
{
    return (struct manage_sale_request){
        .act = MANAGE_SALE_RESTOCK,
        .key = message->idempotency_key,
        .key_length = strlen(message->idempotency_key),
        .quantity = message->quantity,
    };
}

bool messages_uuid(const char *text, const char *field, struct uuid *ret,
                   struct violations *violations)
{
    if (uuid_parse(text, strlen(text), ret)) {
        return true;
    }
    violations_add(violations, field, "must be a UUID in text form");
    return false;
}
