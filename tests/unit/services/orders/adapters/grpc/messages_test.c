#include "orders/adapters/grpc/messages.h"

#include "contract/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SALE_ID  "01920000-0000-7000-8000-000000000001"
#define ORDER_ID "01234567-89ab-8def-8123-456789abcdef"

static struct uuid uuid_of(const char *text)
{
    struct uuid uuid;
    assert_true(uuid_parse(text, strlen(text), &uuid));
    return uuid;
}

static void assert_time(const Google__Protobuf__Timestamp *time, int64_t seconds, int32_t nanos)
{
    assert_non_null(time);
    assert_int_equal(time->seconds, seconds);
    assert_int_equal(time->nanos, nanos);
}

/* --- Refusals -------------------------------------------------------------------------------- */

/* A verdict without a reason in the contract would have no gRPC code and no HTTP status. */
static void messages_refusal_of_every_verdict_has_its_reason(void **state)
{
    (void)state;
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        if (verdict_is_success(verdict)) {
            continue;
        }
        struct rpc_status status = messages_refusal(verdict, 1500);
        const struct contract_reason *reason = contract_reason_by_name(verdict_name(verdict));
        assert_non_null(reason);
        assert_int_equal(status.code, reason->grpc_code);
        assert_string_equal(status.reason, verdict_name(verdict));
        assert_string_equal(status.domain, "stampede");
        assert_string_equal(status.message, verdict_text(verdict));
        assert_int_equal(status.retry_after_ms, messages_is_retryable(verdict) ? 1500 : 0);
    }
}

/* Exactly what may change by waiting asks to wait: a sold-out caller must not come back for it. */
static void messages_refusal_says_when_to_retry_only_where_it_helps(void **state)
{
    (void)state;
    assert_true(messages_is_retryable(VERDICT_OVERLOADED));
    assert_true(messages_is_retryable(VERDICT_DRAINING));
    assert_true(messages_is_retryable(VERDICT_DATABASE_UNAVAILABLE));
    assert_true(messages_is_retryable(VERDICT_OUTCOME_UNKNOWN));
    assert_false(messages_is_retryable(VERDICT_SOLD_OUT));
    assert_false(messages_is_retryable(VERDICT_INTERNAL));
}

/* "Illegal" alone helps nobody: the caller hears what the order is and what cannot be done. */
static void messages_illegal_transition_says_what_is_and_what_was_asked(void **state)
{
    (void)state;
    for (enum order_status is = 0; is < ORDER_STATUS_COUNT; is++) {
        for (enum order_act asked = 0; asked < ORDER_ACT_EXPIRE; asked++) {
            struct rpc_status status = messages_illegal_transition(is, asked);
            assert_string_equal(status.reason, "ILLEGAL_TRANSITION");
            assert_int_equal(status.code, RPC_FAILED_PRECONDITION);
            if (transition_of(is, asked) == ORDER_STATUS_COUNT) {
                assert_non_null(strstr(status.message, order_status_name(is)));
                assert_non_null(
                    strstr(status.message, asked == ORDER_ACT_CONFIRM ? "confirmed" : "cancelled"));
            }
        }
    }
}

/* The caller learns every field at fault at once. */
static void messages_violations_are_all_carried(void **state)
{
    struct violations violations = {0};
    struct rpc_violation items[VIOLATIONS_MAX];
    (void)state;

    violations_add(&violations, "quantity", "must be 1 to 1000");
    violations_add(&violations, "customer_id", "is missing");
    struct rpc_status status = messages_violations(&violations, items);
    assert_int_equal(status.code, RPC_INVALID_ARGUMENT);
    assert_string_equal(status.reason, "INVALID_FIELD");
    assert_int_equal(status.violation_count, 2);
    assert_string_equal(status.violations[0].field, "quantity");
    assert_string_equal(status.violations[1].description, "is missing");
}

/* --- Orders ---------------------------------------------------------------------------------- */

/* Every field has its own value here, so that none can be taken for another. */
static void messages_order_held_has_every_field(void **state)
{
    const struct money price = {.currency_code = "EUR", .amount_minor = 1999};
    const struct order order = {
        .order_id = uuid_of(ORDER_ID),
        .number = 42,
        .quantity = 3,
        .status = ORDER_RESERVED,
        .create_us = INT64_C(1700000000123456),
        .expire_us = INT64_C(1700000600000000),
    };
    struct messages_order message;
    (void)state;

    memset(&message, 0xa5, sizeof(message));
    messages_order(&order, SALE_ID, "c-1", &price, &message);
    assert_string_equal(message.message.sale_id, SALE_ID);
    assert_string_equal(message.message.order_id, ORDER_ID);
    assert_int_equal(message.message.number, 42);
    assert_string_equal(message.message.customer_id, "c-1");
    assert_int_equal(message.message.quantity, 3);
    assert_int_equal(message.message.status, STAMPEDE__ORDERS__V1__ORDER__STATUS__RESERVED);
    assert_string_equal(message.message.unit_price->currency_code, "EUR");
    assert_int_equal(message.message.unit_price->amount_minor, 1999);
    assert_time(message.message.create_time, 1700000000, 123456000);
    assert_time(message.message.expire_time, 1700000600, 0);
    assert_true(protobuf_c_message_check(&message.message.base));
}

/* An order that is not held must not look as if it expired in 1970. */
static void messages_order_not_held_has_no_expiry(void **state)
{
    static const struct {
        enum order_status from;
        Stampede__Orders__V1__Order__Status to;
    } rows[] = {
        {ORDER_RESERVED, STAMPEDE__ORDERS__V1__ORDER__STATUS__RESERVED},
        {ORDER_CONFIRMED, STAMPEDE__ORDERS__V1__ORDER__STATUS__CONFIRMED},
        {ORDER_CANCELLED, STAMPEDE__ORDERS__V1__ORDER__STATUS__CANCELLED},
        {ORDER_EXPIRED, STAMPEDE__ORDERS__V1__ORDER__STATUS__EXPIRED},
    };
    const struct money price = {.currency_code = "EUR"};
    (void)state;

    assert_int_equal(COUNT_OF(rows), ORDER_STATUS_COUNT);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct order order = {.status = rows[i].from, .expire_us = ORDER_NEVER_EXPIRES};
        struct messages_order message;
        messages_order(&order, SALE_ID, "c-1", &price, &message);
        assert_int_equal(message.message.status, rows[i].to);
        assert_null(message.message.expire_time);
    }
}

/* --- Sales ----------------------------------------------------------------------------------- */

static struct sale sample_sale(void)
{
    return (struct sale){
        .sale_id = uuid_of(SALE_ID),
        .sku = "sku-1",
        .title = "Größe 42",
        .unit_price = {.currency_code = "JPY", .amount_minor = 500},
        .start_us = 1000000,
        .end_us = 9000001,
        .stock_total = 100,
        .stock_remaining = 7,
        .per_customer_limit = 2,
        .hold_seconds = 60,
        .version = 11,
    };
}

static void messages_sale_has_every_field(void **state)
{
    struct sale sale = sample_sale();
    struct messages_sale message;
    (void)state;

    memset(&message, 0xa5, sizeof(message));
    messages_sale(&sale, 5000000, &message);
    assert_string_equal(message.message.sale_id, SALE_ID);
    assert_string_equal(message.message.sku, "sku-1");
    assert_string_equal(message.message.title, "Größe 42");
    assert_string_equal(message.message.unit_price->currency_code, "JPY");
    assert_int_equal(message.message.unit_price->amount_minor, 500);
    assert_time(message.message.start_time, 1, 0);
    assert_time(message.message.end_time, 9, 1000);
    assert_int_equal(message.message.stock_total, 100);
    assert_int_equal(message.message.stock_remaining, 7);
    assert_int_equal(message.message.per_customer_limit, 2);
    assert_int_equal(message.message.hold_seconds, 60);
    assert_int_equal(message.message.state, STAMPEDE__SALES__V1__SALE__STATE__LIVE);
    assert_int_equal(message.message.version, 11);
}

/* The state is derived at the database's time, so each must come out under its own name. */
static void messages_sale_state_follows_the_clock(void **state)
{
    struct sale sale = sample_sale();
    struct messages_sale message;
    (void)state;

    messages_sale(&sale, 999999, &message);
    assert_int_equal(message.message.state, STAMPEDE__SALES__V1__SALE__STATE__SCHEDULED);
    messages_sale(&sale, 9000001, &message);
    assert_int_equal(message.message.state, STAMPEDE__SALES__V1__SALE__STATE__ENDED);
    sale.stock_remaining = 0;
    messages_sale(&sale, 2000000, &message);
    assert_int_equal(message.message.state, STAMPEDE__SALES__V1__SALE__STATE__SOLD_OUT);
    sale.paused = true;
    messages_sale(&sale, 2000000, &message);
    assert_int_equal(message.message.state, STAMPEDE__SALES__V1__SALE__STATE__PAUSED);
}

/* A sale before 1970 can come from a database that somebody else wrote to; nanos count forwards. */
static void messages_sale_before_1970_counts_nanos_forwards(void **state)
{
    struct sale sale = sample_sale();
    struct messages_sale message;
    (void)state;

    sale.start_us = -1;
    messages_sale(&sale, 0, &message);
    assert_time(message.message.start_time, -1, 999999000);
}

/* --- CreateSale ------------------------------------------------------------------------------ */

struct creation {
    Stampede__Sales__V1__CreateSaleRequest message;
    Stampede__Api__V1__Money price;
    Google__Protobuf__Timestamp start, end;
};

static void make_creation(struct creation *creation)
{
    stampede__sales__v1__create_sale_request__init(&creation->message);
    stampede__api__v1__money__init(&creation->price);
    google__protobuf__timestamp__init(&creation->start);
    google__protobuf__timestamp__init(&creation->end);
    creation->price.currency_code = (char *)(uintptr_t) "EUR";
    creation->price.amount_minor = 250;
    creation->start.seconds = 1700000000;
    creation->start.nanos = 1999;
    creation->end.seconds = 1800000000;
    creation->message.idempotency_key = (char *)(uintptr_t) "k-1";
    creation->message.sku = (char *)(uintptr_t) "sku";
    creation->message.title = (char *)(uintptr_t) "title";
    creation->message.unit_price = &creation->price;
    creation->message.start_time = &creation->start;
    creation->message.end_time = &creation->end;
    creation->message.stock_total = 10;
    creation->message.per_customer_limit = 2;
    creation->message.hold_seconds = 30;
}

static size_t count_violations(const struct creation *creation)
{
    struct create_sale_request request = messages_create_sale_request(&creation->message);
    struct violations violations = {0};
    sale_draft_validate(&request.draft, &violations);
    return violations.count;
}

static void messages_create_sale_request_has_every_field(void **state)
{
    struct creation creation;
    (void)state;

    make_creation(&creation);
    struct create_sale_request request = messages_create_sale_request(&creation.message);
    assert_int_equal(request.key_length, 3);
    assert_string_equal(request.key, "k-1");
    assert_string_equal(request.draft.sku, "sku");
    assert_string_equal(request.draft.title, "title");
    assert_string_equal(request.draft.unit_price.currency_code, "EUR");
    assert_int_equal(request.draft.unit_price.amount_minor, 250);
    assert_true(request.draft.has_start);
    assert_int_equal(request.draft.start_us, INT64_C(1700000000000001));
    assert_int_equal(request.draft.end_us, INT64_C(1800000000000000));
    assert_int_equal(request.draft.stock_total, 10);
    assert_int_equal(request.draft.per_customer_limit, 2);
    assert_int_equal(request.draft.hold_seconds, 30);
    assert_int_equal(count_violations(&creation), 0);
}

/* A start that is left out means now; an end that is left out is a mistake. */
static void messages_create_sale_request_without_times_leaves_them_out(void **state)
{
    struct creation creation;
    (void)state;

    make_creation(&creation);
    creation.message.start_time = NULL;
    assert_false(messages_create_sale_request(&creation.message).draft.has_start);
    assert_int_equal(count_violations(&creation), 0);
    creation.message.end_time = NULL;
    assert_int_equal(count_violations(&creation), 1);
}

/* Whatever a peer puts into a Timestamp is refused or kept, never wrapped around. */
static void messages_create_sale_request_with_impossible_times_is_refused(void **state)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
    } impossible[] = {
        {-1, 0},        {INT64_MAX, 0},           {INT64_MIN, 0},
        {1, -1},        {1, 1000000000},          {INT64_C(253402300800), 0},
        {1, INT32_MIN}, {INT64_MAX / 1000000, 0},
    };
    struct creation creation;
    (void)state;

    make_creation(&creation);
    for (size_t i = 0; i < COUNT_OF(impossible); i++) {
        creation.end.seconds = impossible[i].seconds;
        creation.end.nanos = impossible[i].nanos;
        assert_int_equal(count_violations(&creation), 1);
    }
}

/* "EURO" must not be cut down to a currency that exists. */
static void messages_create_sale_request_with_an_odd_currency_is_refused(void **state)
{
    static const char *const odd[] = {"", "E", "EURO", "eur", "EU1"};
    struct creation creation;
    (void)state;

    make_creation(&creation);
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        creation.price.currency_code = (char *)(uintptr_t)odd[i];
        assert_int_equal(count_violations(&creation), 1);
    }
    creation.message.unit_price = NULL;
    assert_int_equal(count_violations(&creation), 1);
}

/* --- Changing sales -------------------------------------------------------------------------- */

/* A field that is left out stays; one that is there counts, also when it is empty or zero. */
static void messages_update_sale_request_tells_absent_from_empty(void **state)
{
    Stampede__Sales__V1__UpdateSaleRequest message = STAMPEDE__SALES__V1__UPDATE_SALE_REQUEST__INIT;
    Google__Protobuf__StringValue title = GOOGLE__PROTOBUF__STRING_VALUE__INIT;
    Google__Protobuf__Timestamp end = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Google__Protobuf__Int32Value limit = GOOGLE__PROTOBUF__INT32_VALUE__INIT;
    (void)state;

    struct manage_sale_request request = messages_update_sale_request(&message);
    assert_int_equal(request.act, MANAGE_SALE_UPDATE);
    assert_null(request.title);
    assert_false(request.has_end);
    assert_false(request.has_limit);
    message.title = &title;
    message.end_time = &end;
    message.per_customer_limit = &limit;
    end.seconds = 12;
    end.nanos = 5000;
    request = messages_update_sale_request(&message);
    assert_string_equal(request.title, "");
    assert_true(request.has_end);
    assert_int_equal(request.end_us, 12000005);
    assert_true(request.has_limit);
    assert_int_equal(request.per_customer_limit, 0);
}

static void messages_restock_sale_request_has_every_field(void **state)
{
    Stampede__Sales__V1__RestockSaleRequest message =
        STAMPEDE__SALES__V1__RESTOCK_SALE_REQUEST__INIT;
    (void)state;

    message.idempotency_key = (char *)(uintptr_t) "k-1";
    message.quantity = 7;
    struct manage_sale_request request = messages_restock_sale_request(&message);
    assert_int_equal(request.act, MANAGE_SALE_RESTOCK);
    assert_string_equal(request.key, "k-1");
    assert_int_equal(request.key_length, 3);
    assert_int_equal(request.quantity, 7);
}

/* --- UUIDs ----------------------------------------------------------------------------------- */

static void messages_uuid_malformed_names_its_field(void **state)
{
    struct violations violations = {0};
    struct uuid uuid;
    (void)state;

    assert_true(messages_uuid(SALE_ID, "sale_id", &uuid, &violations));
    assert_int_equal(violations.count, 0);
    assert_false(messages_uuid("nonsense", "order_id", &uuid, &violations));
    assert_int_equal(violations.count, 1);
    assert_string_equal(violations.items[0].field, "order_id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_refusal_of_every_verdict_has_its_reason),
        cmocka_unit_test(messages_refusal_says_when_to_retry_only_where_it_helps),
        cmocka_unit_test(messages_illegal_transition_says_what_is_and_what_was_asked),
        cmocka_unit_test(messages_violations_are_all_carried),
        cmocka_unit_test(messages_order_held_has_every_field),
        cmocka_unit_test(messages_order_not_held_has_no_expiry),
        cmocka_unit_test(messages_sale_has_every_field),
        cmocka_unit_test(messages_sale_state_follows_the_clock),
        cmocka_unit_test(messages_sale_before_1970_counts_nanos_forwards),
        cmocka_unit_test(messages_create_sale_request_has_every_field),
        cmocka_unit_test(messages_create_sale_request_without_times_leaves_them_out),
        cmocka_unit_test(messages_create_sale_request_with_impossible_times_is_refused),
        cmocka_unit_test(messages_create_sale_request_with_an_odd_currency_is_refused),
        cmocka_unit_test(messages_update_sale_request_tells_absent_from_empty),
        cmocka_unit_test(messages_restock_sale_request_has_every_field),
        cmocka_unit_test(messages_uuid_malformed_names_its_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
