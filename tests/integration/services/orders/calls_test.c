/* What callers of a running stampede-orders may count on: one program, one PostgreSQL for all. */
#include "orders_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CREATE_SALE "/stampede.sales.v1.SaleService/CreateSale"
#define GET_SALE    "/stampede.sales.v1.SaleService/GetSale"
#define LIST_SALES  "/stampede.sales.v1.SaleService/ListSales"
#define GET_ORDER   "/stampede.orders.v1.OrderService/GetOrder"

static struct rpc_reply *create(struct orders_client *client, struct orders_client_sale *sale)
{
    return orders_client_call(client, CREATE_SALE,
                              &stampede__sales__v1__create_sale_response__descriptor,
                              &sale->message.base);
}

static struct rpc_reply *get_sale(const char *sale_id)
{
    Stampede__Sales__V1__GetSaleRequest request = STAMPEDE__SALES__V1__GET_SALE_REQUEST__INIT;
    request.sale_id = (char *)(uintptr_t)sale_id;
    return orders_client_call(&orders_stage.public, GET_SALE,
                              &stampede__sales__v1__sale__descriptor, &request.base);
}

static int32_t stock_remaining(const char *sale_id)
{
    struct rpc_reply *reply = get_sale(sale_id);
    const Stampede__Sales__V1__Sale *sale = orders_client_message(reply);
    int32_t remaining = sale->stock_remaining;
    rpc_reply_free(reply);
    return remaining;
}

/* --- Sales ----------------------------------------------------------------------------------- */

static void create_sale_new_returns_it_as_it_was_asked_for(void **state)
{
    struct orders_client_sale sale;
    (void)state;

    orders_client_sale_init(&sale, "create-new", 25);
    sale.message.per_customer_limit = 3;
    sale.message.hold_seconds = 60;
    struct rpc_reply *reply = create(&orders_stage.admin, &sale);
    const Stampede__Sales__V1__CreateSaleResponse *made = orders_client_message(reply);
    assert_false(made->replayed);
    assert_string_equal(made->sale->sku, "sku");
    assert_string_equal(made->sale->unit_price->currency_code, "EUR");
    assert_int_equal(made->sale->stock_total, 25);
    assert_int_equal(made->sale->stock_remaining, 25);
    assert_int_equal(made->sale->per_customer_limit, 3);
    assert_int_equal(made->sale->hold_seconds, 60);
    assert_int_equal(made->sale->state, STAMPEDE__SALES__V1__SALE__STATE__LIVE);
    assert_int_equal(made->sale->version, 1);

    struct rpc_reply *read = get_sale(made->sale->sale_id);
    const Stampede__Sales__V1__Sale *same = orders_client_message(read);
    assert_string_equal(same->sale_id, made->sale->sale_id);
    assert_int_equal(same->start_time->seconds, made->sale->start_time->seconds);
    rpc_reply_free(read);
    rpc_reply_free(reply);
}

/* Whoever repeats a creation whose answer was lost must get the same sale, not a second one. */
static void create_sale_same_key_replays_and_another_payload_is_refused(void **state)
{
    struct orders_client_sale sale;
    (void)state;

    orders_client_sale_init(&sale, "create-replay", 5);
    struct rpc_reply *first = create(&orders_stage.admin, &sale),
                     *second = create(&orders_stage.admin, &sale);
    const Stampede__Sales__V1__CreateSaleResponse *made = orders_client_message(first);
    const Stampede__Sales__V1__CreateSaleResponse *replayed = orders_client_message(second);
    assert_true(replayed->replayed);
    assert_string_equal(made->sale->sale_id, replayed->sale->sale_id);
    rpc_reply_free(first);
    rpc_reply_free(second);
    sale.message.stock_total = 6;
    orders_client_assert_refused(create(&orders_stage.admin, &sale), RPC_FAILED_PRECONDITION,
                                 "IDEMPOTENCY_KEY_REUSED");
}

/* Every field at fault is told at once, by the name that the contract gives it. */
static void create_sale_with_bad_fields_names_them(void **state)
{
    struct orders_client_sale sale;
    (void)state;

    orders_client_sale_init(&sale, "create-bad", 0);
    sale.message.sku = (char *)(uintptr_t) "";
    sale.message.end_time = NULL;
    struct rpc_reply *reply = create(&orders_stage.admin, &sale);
    assert_int_equal(reply->status.violation_count, 3);
    assert_string_equal(reply->status.violations[0].field, "sku");
    assert_string_equal(reply->status.violations[1].field, "end_time");
    assert_string_equal(reply->status.violations[2].field, "stock_total");
    orders_client_assert_refused(reply, RPC_INVALID_ARGUMENT, "INVALID_FIELD");
}

static void get_sale_unknown_or_malformed_is_refused(void **state)
{
    (void)state;
    orders_client_assert_refused(get_sale(ORDERS_STAGE_NOBODYS_ID), RPC_NOT_FOUND,
                                 "SALE_NOT_FOUND");
    orders_client_assert_refused(get_sale("nonsense"), RPC_INVALID_ARGUMENT, "INVALID_FIELD");
}

static struct rpc_reply *list(int32_t page_size, const char *token)
{
    Stampede__Sales__V1__ListSalesRequest request = STAMPEDE__SALES__V1__LIST_SALES_REQUEST__INIT;
    request.page_size = page_size;
    request.page_token = (char *)(uintptr_t)token;
    return orders_client_call(&orders_stage.public, LIST_SALES,
                              &stampede__sales__v1__list_sales_response__descriptor, &request.base);
}

/* Pages are newest first and together hold every sale once, however many come between. */
static void list_sales_in_pages_shows_every_sale_once(void **state)
{
    char created[3][ORDERS_CLIENT_ID_CHARS + 1], token[64] = "";
    size_t seen = 0;
    bool more = true;
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        char key[32];
        snprintf(key, sizeof(key), "list-%zu", i);
        orders_client_create_sale(&orders_stage.admin, key, 1, 0, created[i]);
    }
    for (size_t page = 0; more && page < 1000; page++) {
        struct rpc_reply *reply = list(2, token);
        const Stampede__Sales__V1__ListSalesResponse *found = orders_client_message(reply);
        assert_true(found->n_sales <= 2);
        for (size_t i = 0; i < found->n_sales && seen < 3; i++) {
            assert_string_equal(found->sales[i]->sale_id, created[2 - seen]);
            seen++;
        }
        snprintf(token, sizeof(token), "%s", found->next_page_token);
        more = token[0] != '\0';
        rpc_reply_free(reply);
    }
    assert_int_equal(seen, 3);
    assert_false(more);
    orders_client_assert_refused(list(-1, ""), RPC_INVALID_ARGUMENT, "INVALID_FIELD");
    orders_client_assert_refused(list(0, "made-up"), RPC_INVALID_ARGUMENT, "INVALID_FIELD");
}

/* --- Access ---------------------------------------------------------------------------------- */

static void admin_method_without_or_with_a_wrong_token_is_unauthenticated(void **state)
{
    struct orders_client wrong = {.channel = orders_stage.public.channel,
                                  .token = "not-the-token-at-all"};
    struct orders_client_sale sale;
    (void)state;

    orders_client_sale_init(&sale, "no-token", 1);
    orders_client_assert_refused(create(&orders_stage.public, &sale), RPC_UNAUTHENTICATED,
                                 "UNAUTHENTICATED");
    orders_client_assert_refused(create(&wrong, &sale), RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
}

/* Calls a method with nothing in its request: answered, or refused for what is missing. */
static void assert_served(const char *full_name, const ProtobufCMethodDescriptor *method)
{
    ProtobufCMessage *empty = calloc(1, method->input->sizeof_message);
    assert_non_null(empty);
    protobuf_c_message_init(method->input, empty);
    struct rpc_reply *reply =
        orders_client_call(&orders_stage.admin, full_name, method->output, empty);
    if (reply->status.code != RPC_OK && reply->status.code != RPC_INVALID_ARGUMENT) {
        fail_msg("%s ends with code %d", full_name, reply->status.code);
    }
    rpc_reply_free(reply);
    free(empty);
}

/* What the contract names is there. */
static void every_method_of_the_contract_is_served(void **state)
{
    static const ProtobufCServiceDescriptor *const services[] = {
        &stampede__sales__v1__sale_service__descriptor,
        &stampede__orders__v1__order_service__descriptor,
    };
    static char names[32][96]; /* the channel keeps them */
    size_t served = 0;
    (void)state;

    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        for (unsigned k = 0; k < services[i]->n_methods; k++, served++) {
            assert_true(served < sizeof(names) / sizeof(names[0]));
            snprintf(names[served], sizeof(names[served]), "/%s/%s", services[i]->name,
                     services[i]->methods[k].name);
            assert_served(names[served], &services[i]->methods[k]);
        }
    }
    assert_int_equal(served, 17);
}

/* --- One order ------------------------------------------------------------------------------- */

static struct rpc_reply *get_order(const char *sale_id, const char *order_id, const char *customer)
{
    Stampede__Orders__V1__GetOrderRequest request = STAMPEDE__ORDERS__V1__GET_ORDER_REQUEST__INIT;
    request.sale_id = (char *)(uintptr_t)sale_id;
    request.order_id = (char *)(uintptr_t)order_id;
    request.customer_id = (char *)(uintptr_t)customer;
    return orders_client_call(&orders_stage.public, GET_ORDER,
                              &stampede__orders__v1__order__descriptor, &request.base);
}

/* The promise of the whole thing: placed once, replayed ever after, and the key means one order. */
static void place_order_is_placed_once_and_replayed_after(void **state)
{
    char sale_id[ORDERS_CLIENT_ID_CHARS + 1];
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "place-once", 10, 0, sale_id);
    struct rpc_reply *first = orders_client_place(&orders_stage.public, sale_id, "c-1", "k-1", 2);
    struct rpc_reply *second = orders_client_place(&orders_stage.public, sale_id, "c-1", "k-1", 2);
    const Stampede__Orders__V1__PlaceOrderResponse *placed = orders_client_message(first);
    const Stampede__Orders__V1__PlaceOrderResponse *replayed = orders_client_message(second);
    assert_false(placed->replayed);
    assert_true(replayed->replayed);
    assert_int_equal(placed->order->number, 1);
    assert_int_equal(placed->order->quantity, 2);
    assert_string_equal(placed->order->customer_id, "c-1");
    assert_string_equal(placed->order->sale_id, sale_id);
    assert_int_equal(placed->order->status, STAMPEDE__ORDERS__V1__ORDER__STATUS__CONFIRMED);
    assert_string_equal(placed->order->unit_price->currency_code, "EUR");
    assert_string_equal(placed->order->order_id, replayed->order->order_id);
    assert_int_equal(replayed->order->number, 1);
    assert_int_equal(stock_remaining(sale_id), 8);
    orders_client_assert_refused(
        orders_client_place(&orders_stage.public, sale_id, "c-1", "k-1", 3),
        RPC_FAILED_PRECONDITION, "IDEMPOTENCY_KEY_REUSED");

    struct rpc_reply *read = get_order(sale_id, placed->order->order_id, "c-1");
    const Stampede__Orders__V1__Order *order = orders_client_message(read);
    assert_int_equal(order->number, 1);
    assert_string_equal(order->unit_price->currency_code, "EUR");
    rpc_reply_free(read);
    orders_client_assert_refused(get_order(sale_id, placed->order->order_id, "c-2"), RPC_NOT_FOUND,
                                 "ORDER_NOT_FOUND");
    rpc_reply_free(first);
    rpc_reply_free(second);
}

static void place_order_sold_out_and_over_the_limit_are_told_apart(void **state)
{
    char sale_id[ORDERS_CLIENT_ID_CHARS + 1];
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "place-limit", 4, 2, sale_id);
    rpc_reply_free(orders_client_place(&orders_stage.public, sale_id, "c-1", "k-1", 2));
    orders_client_assert_refused(
        orders_client_place(&orders_stage.public, sale_id, "c-1", "k-2", 1),
        RPC_FAILED_PRECONDITION, "CUSTOMER_LIMIT_REACHED");
    orders_client_assert_refused(
        orders_client_place(&orders_stage.public, sale_id, "c-2", "k-1", 3),
        RPC_FAILED_PRECONDITION, "SOLD_OUT");
    rpc_reply_free(orders_client_place(&orders_stage.public, sale_id, "c-2", "k-2", 2));
    orders_client_assert_refused(
        orders_client_place(&orders_stage.public, sale_id, "c-3", "k-1", 1),
        RPC_FAILED_PRECONDITION, "SOLD_OUT");
    assert_int_equal(stock_remaining(sale_id), 0);
}

static void place_order_with_bad_fields_names_them(void **state)
{
    (void)state;
    struct rpc_reply *reply = orders_client_place(&orders_stage.public, "nonsense", "", "", 0);
    assert_int_equal(reply->status.violation_count, 4);
    orders_client_assert_refused(reply, RPC_INVALID_ARGUMENT, "INVALID_FIELD");
    orders_client_assert_refused(
        orders_client_place(&orders_stage.public, ORDERS_STAGE_NOBODYS_ID, "c-1", "k-1", 1),
        RPC_NOT_FOUND, "SALE_NOT_FOUND");
}

/* --- Batches --------------------------------------------------------------------------------- */

static const Stampede__Orders__V1__BatchPlaceOrdersResponse *results_of(
    const struct rpc_reply *reply, size_t count)
{
    const Stampede__Orders__V1__BatchPlaceOrdersResponse *response = orders_client_message(reply);
    assert_int_equal(response->n_results, count);
    return response;
}

/* What cannot begin is refused before any order of it is taken in. */
static void batch_that_is_no_batch_is_refused_as_a_call(void **state)
{
    static struct orders_client_batch batch;
    (void)state;

    orders_client_batch_init(&batch, ORDERS_STAGE_NOBODYS_ID);
    orders_client_assert_refused(orders_client_place_batch(&orders_stage.public, &batch),
                                 RPC_INVALID_ARGUMENT, "INVALID_FIELD");
    for (size_t i = 0; i < 513; i++) {
        orders_client_batch_add(&batch, "c", "k", 1);
    }
    orders_client_assert_refused(orders_client_place_batch(&orders_stage.public, &batch),
                                 RPC_INVALID_ARGUMENT, "INVALID_FIELD");
    orders_client_batch_init(&batch, "no-uuid");
    orders_client_batch_add(&batch, "c", "k", 1);
    orders_client_assert_refused(orders_client_place_batch(&orders_stage.public, &batch),
                                 RPC_INVALID_ARGUMENT, "INVALID_FIELD");
}

/* One shopper's mistake must not cost the others of the batch their order. */
static void batch_bad_items_are_refused_beside_good_ones(void **state)
{
    static const char *const expected[] = {
        "", "INVALID_FIELD", "", "INVALID_FIELD", "INVALID_FIELD", "", "INVALID_FIELD"};
    static struct orders_client_batch batch;
    char sale_id[ORDERS_CLIENT_ID_CHARS + 1];
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "batch-bad-items", 100, 0, sale_id);
    orders_client_batch_init(&batch, sale_id);
    orders_client_batch_add(&batch, "c-1", "k", 1);
    orders_client_batch_add(&batch, "c-2", "k", 0);
    orders_client_batch_add(&batch, "c-3", "k", 1000);
    orders_client_batch_add(&batch, "", "k", 1);
    orders_client_batch_add(&batch, "c-5", "", 1);
    orders_client_batch_add(&batch, "c-6", "k", 2);
    orders_client_batch_add(&batch, "c-7", "k", 1);
    batch.items[6].timeout_ms = -1;
    batch.items[2].quantity = 3;
    struct rpc_reply *reply = orders_client_place_batch(&orders_stage.public, &batch);
    const Stampede__Orders__V1__BatchPlaceOrdersResponse *response = results_of(reply, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(orders_client_result_reason(response->results[i]), expected[i]);
    }
    assert_string_equal(response->results[0]->order->customer_id, "c-1");
    assert_string_equal(response->results[5]->order->customer_id, "c-6");
    rpc_reply_free(reply);
    assert_int_equal(stock_remaining(sale_id), 94);
}

/* When every item is bad there is nothing to wait for, and still one answer each. */
static void batch_of_bad_items_only_is_answered(void **state)
{
    static struct orders_client_batch batch;
    (void)state;

    orders_client_batch_init(&batch, ORDERS_STAGE_NOBODYS_ID);
    orders_client_batch_add(&batch, "c-1", "k", -1);
    orders_client_batch_add(&batch, "c-2", "k", 1001);
    struct rpc_reply *reply = orders_client_place_batch(&orders_stage.public, &batch);
    const Stampede__Orders__V1__BatchPlaceOrdersResponse *response = results_of(reply, 2);
    assert_string_equal(orders_client_result_reason(response->results[0]), "INVALID_FIELD");
    assert_string_equal(orders_client_result_reason(response->results[1]), "INVALID_FIELD");
    rpc_reply_free(reply);
}

static void batch_of_an_unknown_sale_is_refused_order_by_order(void **state)
{
    static struct orders_client_batch batch;
    (void)state;

    orders_client_batch_init(&batch, ORDERS_STAGE_NOBODYS_ID);
    orders_client_batch_add(&batch, "c-1", "k", 1);
    orders_client_batch_add(&batch, "c-2", "k", 1);
    struct rpc_reply *reply = orders_client_place_batch(&orders_stage.public, &batch);
    const Stampede__Orders__V1__BatchPlaceOrdersResponse *response = results_of(reply, 2);
    assert_string_equal(orders_client_result_reason(response->results[0]), "SALE_NOT_FOUND");
    assert_string_equal(orders_client_result_reason(response->results[1]), "SALE_NOT_FOUND");
    rpc_reply_free(reply);
}

/* The UUID of a sale has two spellings in text and must be one sale. */
static void batch_sale_id_in_upper_case_is_the_same_sale(void **state)
{
    static struct orders_client_batch batch;
    char sale_id[ORDERS_CLIENT_ID_CHARS + 1], upper[ORDERS_CLIENT_ID_CHARS + 1];
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "batch-upper", 10, 0, sale_id);
    for (size_t i = 0; i <= ORDERS_CLIENT_ID_CHARS; i++) {
        upper[i] = (char)(sale_id[i] >= 'a' && sale_id[i] <= 'f' ? sale_id[i] - 32 : sale_id[i]);
    }
    rpc_reply_free(orders_client_place(&orders_stage.public, sale_id, "c-1", "k", 1));
    orders_client_batch_init(&batch, upper);
    orders_client_batch_add(&batch, "c-1", "k", 1);
    struct rpc_reply *reply = orders_client_place_batch(&orders_stage.public, &batch);
    const Stampede__Orders__V1__BatchPlaceOrdersResponse *response = results_of(reply, 1);
    assert_true(response->results[0]->replayed);
    assert_string_equal(response->results[0]->order->sale_id, sale_id);
    rpc_reply_free(reply);
}

/* A full batch in which every kind of answer occurs: each item gets its own, in its own place. */
static void batch_of_512_mixed_orders_answers_each(void **state)
{
    static struct orders_client_batch batch;
    char sale_id[ORDERS_CLIENT_ID_CHARS + 1], name[32];
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "batch-512", 200, 2, sale_id);
    rpc_reply_free(orders_client_place(&orders_stage.public, sale_id, "early", "k", 1));
    orders_client_batch_init(&batch, sale_id);
    orders_client_batch_add(&batch, "early", "k", 1);   /* 0: replayed */
    orders_client_batch_add(&batch, "early", "k", 2);   /* 1: key reused */
    orders_client_batch_add(&batch, "early", "k-2", 2); /* 2: over the limit */
    orders_client_batch_add(&batch, "bad", "k", 0);     /* 3: invalid */
    for (size_t i = 4; i < 510; i++) {                  /* 199 remain */
        snprintf(name, sizeof(name), "c-%zu", i);
        orders_client_batch_add(&batch, name, "k", 1);
    }
    orders_client_batch_add(&batch, "c-4", "k", 1);   /* 510: a copy of item 4 */
    orders_client_batch_add(&batch, "c-509", "k", 1); /* 511: a copy of a refused one */
    struct rpc_reply *reply = orders_client_place_batch(&orders_stage.public, &batch);
    const Stampede__Orders__V1__BatchPlaceOrdersResponse *response = results_of(reply, 512);
    Stampede__Orders__V1__BatchPlaceOrdersResult **results = response->results;
    assert_true(results[0]->replayed);
    assert_int_equal(results[0]->order->number, 1);
    assert_string_equal(orders_client_result_reason(results[1]), "IDEMPOTENCY_KEY_REUSED");
    assert_string_equal(orders_client_result_reason(results[2]), "CUSTOMER_LIMIT_REACHED");
    assert_string_equal(orders_client_result_reason(results[3]), "INVALID_FIELD");
    for (size_t i = 4; i < 510; i++) {
        bool placed = i < 4 + 199;
        assert_string_equal(orders_client_result_reason(results[i]), placed ? "" : "SOLD_OUT");
        if (placed) {
            assert_int_equal(results[i]->order->number, i - 2);
            assert_string_equal(results[i]->order->customer_id, batch.customers[i]);
        }
    }
    assert_true(results[510]->replayed);
    assert_string_equal(results[510]->order->order_id, results[4]->order->order_id);
    assert_string_equal(orders_client_result_reason(results[511]), "SOLD_OUT");
    rpc_reply_free(reply);
    assert_int_equal(stock_remaining(sale_id), 0);
}

/* The bounds of fields, batch, message and memory fit each other: what each allows, all take. */
static void batch_of_512_longest_orders_is_placed(void **state)
{
    static struct orders_client_batch batch;
    static char customers[512][65], key[256], request_id[129];
    char sale_id[ORDERS_CLIENT_ID_CHARS + 1];
    (void)state;

    memset(key, 'k', sizeof(key) - 1);
    memset(request_id, 'r', sizeof(request_id) - 1);
    orders_client_create_sale(&orders_stage.admin, "batch-longest", 10000000, 0, sale_id);
    orders_client_batch_init(&batch, sale_id);
    for (size_t i = 0; i < 512; i++) {
        snprintf(customers[i], sizeof(customers[i]), "%064zu", i);
        orders_client_batch_add(&batch, "", "", 1000);
        batch.items[i].customer_id = customers[i];
        batch.items[i].idempotency_key = key;
        batch.items[i].request_id = request_id;
        batch.items[i].traceparent =
            (char *)(uintptr_t) "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        batch.items[i].timeout_ms = INT32_MAX;
    }
    struct rpc_reply *reply = orders_client_place_batch(&orders_stage.public, &batch);
    const Stampede__Orders__V1__BatchPlaceOrdersResponse *response = results_of(reply, 512);
    for (size_t i = 0; i < 512; i++) {
        assert_string_equal(orders_client_result_reason(response->results[i]), "");
        assert_string_equal(response->results[i]->order->customer_id, customers[i]);
    }
    rpc_reply_free(reply);
}

/* --- What the program says of itself --------------------------------------------------------- */

static void metrics_count_what_was_answered(void **state)
{
    static char text[512 * 1024];
    static const char *const names[] = {
        "stampede_rpc_duration_seconds_count{method=\"stampede.orders.v1.OrderService/PlaceOrder\"",
        "stampede_place_batch_size_count",
        "stampede_place_batch_duration_seconds_count",
        "stampede_pool_connections{state=\"idle\"}",
        "stampede_pool_connections_limit 5",
        "stampede_pool_waiting",
        "stampede_lane_depth_limit 20000",
        "stampede_lanes_ready",
        "stampede_calls_in_flight",
        "stampede_orders_total{outcome=\"PLACED\"}",
        "stampede_refused_total{reason=\"SOLD_OUT\"}",
        "stampede_db_errors_total{sqlstate_class=\"40\"}",
        "stampede_db_reconnects_total",
        "stampede_build_info{version=",
    };
    (void)state;

    assert_int_equal(orders_process_get(&orders_stage.process, "/metrics", text, sizeof(text)),
                     200);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strstr(text, names[i]) == NULL) {
            fail_msg("no %s in /metrics", names[i]);
        }
    }
    const char *placed = strstr(text, "stampede_orders_total{outcome=\"PLACED\"} ");
    assert_non_null(placed);
    assert_true(strtol(strchr(placed, ' ') + 1, NULL, 10) >= 200);
}

/* Nothing is written for a request that goes well: a busy program must not drown in its log. */
static void log_of_success_is_silent(void **state)
{
    char sale_id[ORDERS_CLIENT_ID_CHARS + 1];
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "silent", 10, 0, sale_id);
    size_t before = orders_process_count_log(&orders_stage.process, "\n");
    rpc_reply_free(orders_client_place(&orders_stage.public, sale_id, "c-1", "k-1", 2));
    rpc_reply_free(get_sale(sale_id));
    assert_int_equal(orders_process_count_log(&orders_stage.process, "\n"), before);
    assert_int_equal(orders_process_count_log(&orders_stage.process, ORDERS_PROCESS_TOKEN), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_sale_new_returns_it_as_it_was_asked_for),
        cmocka_unit_test(create_sale_same_key_replays_and_another_payload_is_refused),
        cmocka_unit_test(create_sale_with_bad_fields_names_them),
        cmocka_unit_test(get_sale_unknown_or_malformed_is_refused),
        cmocka_unit_test(list_sales_in_pages_shows_every_sale_once),
        cmocka_unit_test(admin_method_without_or_with_a_wrong_token_is_unauthenticated),
        cmocka_unit_test(every_method_of_the_contract_is_served),
        cmocka_unit_test(place_order_is_placed_once_and_replayed_after),
        cmocka_unit_test(place_order_sold_out_and_over_the_limit_are_told_apart),
        cmocka_unit_test(place_order_with_bad_fields_names_them),
        cmocka_unit_test(batch_that_is_no_batch_is_refused_as_a_call),
        cmocka_unit_test(batch_bad_items_are_refused_beside_good_ones),
        cmocka_unit_test(batch_of_bad_items_only_is_answered),
        cmocka_unit_test(batch_of_an_unknown_sale_is_refused_order_by_order),
        cmocka_unit_test(batch_sale_id_in_upper_case_is_the_same_sale),
        cmocka_unit_test(batch_of_512_mixed_orders_answers_each),
        cmocka_unit_test(batch_of_512_longest_orders_is_placed),
        cmocka_unit_test(metrics_count_what_was_answered),
        cmocka_unit_test(log_of_success_is_silent),
    };
    return cmocka_run_group_tests(tests, orders_stage_start, orders_stage_stop);
}
