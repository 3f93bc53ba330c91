/* Internal callers: the same shop by gRPC, and what only they have: batches, streams, health. */
#include "callers_suite.h"

#include "caller.h"
#include "shop.h"

#include <grpc/health/v1/health.pb-c.h>
#include <grpc/reflection/v1/reflection.pb-c.h>
#include <setjmp.h>
#include <stampede/ops/v1/ops.pb-c.h>
#include <stampede/orders/v1/orders.pb-c.h>
#include <stampede/sales/v1/sales.pb-c.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

#define AS_ADMIN  true
#define AS_ANYONE false

#define ORDERS     "/stampede.orders.v1.OrderService/"
#define SALES      "/stampede.sales.v1.SaleService/"
#define OPS        "/stampede.ops.v1.OpsService/"
#define HEALTH     "/grpc.health.v1.Health/"
#define REFLECTION "/grpc.reflection.v1.ServerReflection/"

/* An order's own time in a batch. */
#define ORDER_MS 60000

#define PROTO_TYPE(lower) (&lower##__descriptor)

static struct caller caller;

static struct rpc_reply *call_ok(const char *method, bool as_admin,
                                 const ProtobufCMessageDescriptor *type,
                                 const ProtobufCMessage *message)
{
    struct rpc_reply *reply = caller_call(&caller, method, as_admin, type, message);
    if (reply->status.code != RPC_OK) {
        fail_msg("%s: %d %s %s", method, (int)reply->status.code,
                 reply->status.reason != NULL ? reply->status.reason : "",
                 reply->status.message != NULL ? reply->status.message : "");
    }
    return reply;
}

static void expect_refusal(struct rpc_reply *reply, enum rpc_code code, const char *reason)
{
    assert_int_equal(reply->status.code, code);
    assert_non_null(reply->status.reason);
    assert_string_equal(reply->status.reason, reason);
    rpc_reply_free(reply);
}

/* PlaceOrder of one unit in the sale in hand; the key is that of the name. */
static struct rpc_reply *place(const char *customer, const char *name, int quantity)
{
    Stampede__Orders__V1__PlaceOrderRequest request =
        STAMPEDE__ORDERS__V1__PLACE_ORDER_REQUEST__INIT;
    char key[128], customer_id[64], sale_id[SHOP_ID_BYTES];

    shop_key(name, key, sizeof(key));
    snprintf(customer_id, sizeof(customer_id), "%s", customer);
    snprintf(sale_id, sizeof(sale_id), "%s", shop_sale_id());
    request.sale_id = sale_id;
    request.idempotency_key = key;
    request.customer_id = customer_id;
    request.quantity = quantity;
    return caller_call(&caller, ORDERS "PlaceOrder", AS_ANYONE,
                       PROTO_TYPE(stampede__orders__v1__place_order_response), &request.base);
}

/* --- Orders ----------------------------------------------------------------------------------- */

/* One shop, two doors: what was bought by gRPC is found by HTTP, and the other way round. */
static void callers_share_orders_with_http(void **state)
{
    char order_id[SHOP_ID_BYTES];
    (void)state;

    shop_make_sale("grpc-orders", &(struct shop_plan){.stock = 5});
    struct rpc_reply *reply = place("c-1", "k-1", 1);
    assert_int_equal(reply->status.code, RPC_OK);
    const Stampede__Orders__V1__PlaceOrderResponse *placed = (const void *)reply->message;
    assert_false(placed->replayed);
    assert_string_equal(placed->order->sale_id, shop_sale_id());
    assert_int_equal(placed->order->status, STAMPEDE__ORDERS__V1__ORDER__STATUS__CONFIRMED);
    snprintf(order_id, sizeof(order_id), "%s", placed->order->order_id);
    rpc_reply_free(reply);

    shop_place("c-1", "k-1", 1);
    shop_expect_status(201);
    shop_expect_header("idempotent-replayed", "true");
    assert_string_equal(shop_order_id(), order_id);

    shop_place("c-2", "k-1", 1);
    reply = place("c-2", "k-1", 1);
    placed = (const void *)reply->message;
    assert_int_equal(reply->status.code, RPC_OK);
    assert_true(placed->replayed);
    assert_string_equal(placed->order->order_id, shop_order_id());
    rpc_reply_free(reply);
}

/* The same reasons as over HTTP, in google.rpc.ErrorInfo. */
static void callers_get_reasons_with_refusals(void **state)
{
    (void)state;
    shop_make_sale("grpc-refusals", &(struct shop_plan){.stock = 2});
    rpc_reply_free(place("c-1", "k-1", 1));
    expect_refusal(place("c-1", "k-1", 2), RPC_FAILED_PRECONDITION, "IDEMPOTENCY_KEY_REUSED");
    expect_refusal(place("c-2", "k-1", 2), RPC_FAILED_PRECONDITION, "SOLD_OUT");
    expect_refusal(place("c-2", "k-2", 0), RPC_INVALID_ARGUMENT, "INVALID_FIELD");
    shop_call_sale("POST", ":pause", AS_ADMIN, NULL);
    expect_refusal(place("c-2", "k-3", 1), RPC_FAILED_PRECONDITION, "SALE_PAUSED");
}

/* Many orders in one call, each with an outcome of its own. */
static void callers_place_batches(void **state)
{
    Stampede__Orders__V1__BatchPlaceOrdersRequest request =
        STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_REQUEST__INIT;
    Stampede__Orders__V1__BatchPlaceOrdersItem items[4], *pointers[4];
    char customers[4][8] = {"c-1", "c-1", "c-2", "c-3"};
    char key[128], sale_id[SHOP_ID_BYTES];
    (void)state;

    shop_make_sale("grpc-batch", &(struct shop_plan){.stock = 3});
    snprintf(sale_id, sizeof(sale_id), "%s", shop_sale_id());
    shop_key("k-1", key, sizeof(key));
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        stampede__orders__v1__batch_place_orders_item__init(&items[i]);
        items[i].customer_id = customers[i];
        items[i].idempotency_key = key;
        items[i].quantity = i == 2 ? 3 : 1;
        items[i].timeout_ms = ORDER_MS;
        pointers[i] = &items[i];
    }
    request.sale_id = sale_id;
    request.n_items = COUNT_OF(items);
    request.items = pointers;
    struct rpc_reply *reply =
        call_ok(ORDERS "BatchPlaceOrders", AS_ANYONE,
                PROTO_TYPE(stampede__orders__v1__batch_place_orders_response), &request.base);
    const Stampede__Orders__V1__BatchPlaceOrdersResponse *batch = (const void *)reply->message;
    assert_int_equal(batch->n_results, COUNT_OF(items));
    assert_non_null(batch->results[0]->order);
    assert_false(batch->results[0]->replayed);
    assert_non_null(batch->results[1]->order);
    assert_true(batch->results[1]->replayed);
    assert_non_null(batch->results[2]->error);
    assert_int_equal(batch->results[2]->error->code, RPC_FAILED_PRECONDITION);
    assert_non_null(batch->results[3]->order);
    assert_int_equal(batch->results[3]->order->number, 2);
    rpc_reply_free(reply);
}

/* The whole life of a hold, as the shop's back office lives it. */
static void callers_confirm_and_cancel_holds(void **state)
{
    Stampede__Orders__V1__ConfirmOrderRequest confirm =
        STAMPEDE__ORDERS__V1__CONFIRM_ORDER_REQUEST__INIT;
    Stampede__Orders__V1__CancelOrderRequest cancel =
        STAMPEDE__ORDERS__V1__CANCEL_ORDER_REQUEST__INIT;
    char sale_id[SHOP_ID_BYTES], order_id[SHOP_ID_BYTES];
    (void)state;

    shop_make_sale("grpc-holds", &(struct shop_plan){.stock = 2, .hold_seconds = 3600});
    shop_place("c-1", "k-1", 1);
    snprintf(sale_id, sizeof(sale_id), "%s", shop_sale_id());
    snprintf(order_id, sizeof(order_id), "%s", shop_order_id());
    confirm.sale_id = cancel.sale_id = sale_id;
    confirm.order_id = cancel.order_id = order_id;
    expect_refusal(caller_call(&caller, ORDERS "ConfirmOrder", AS_ANYONE,
                               PROTO_TYPE(stampede__orders__v1__order), &confirm.base),
                   RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
    struct rpc_reply *reply = call_ok(ORDERS "ConfirmOrder", AS_ADMIN,
                                      PROTO_TYPE(stampede__orders__v1__order), &confirm.base);
    assert_int_equal(((const Stampede__Orders__V1__Order *)(const void *)reply->message)->status,
                     STAMPEDE__ORDERS__V1__ORDER__STATUS__CONFIRMED);
    rpc_reply_free(reply);
    reply = call_ok(ORDERS "CancelOrder", AS_ADMIN, PROTO_TYPE(stampede__orders__v1__order),
                    &cancel.base);
    assert_int_equal(((const Stampede__Orders__V1__Order *)(const void *)reply->message)->status,
                     STAMPEDE__ORDERS__V1__ORDER__STATUS__CANCELLED);
    rpc_reply_free(reply);
    expect_refusal(caller_call(&caller, ORDERS "ConfirmOrder", AS_ADMIN,
                               PROTO_TYPE(stampede__orders__v1__order), &confirm.base),
                   RPC_FAILED_PRECONDITION, "ILLEGAL_TRANSITION");
}

/* --- Streams ---------------------------------------------------------------------------------- */

static bool look_at_events(const ProtobufCMessage *message, void *data)
{
    const Stampede__Orders__V1__OrderEvents *events = (const void *)message;
    int64_t *sequence = data;

    /* Gapless, from the one that was asked for. */
    if (events->sequence != *sequence + 1) {
        return false;
    }
    *sequence = events->sequence;
    return *sequence == 3;
}

/* Who keeps books of their own misses nothing and hears nothing twice. */
static void callers_read_events_from_a_sequence(void **state)
{
    Stampede__Orders__V1__StreamOrderEventsRequest request =
        STAMPEDE__ORDERS__V1__STREAM_ORDER_EVENTS_REQUEST__INIT;
    char sale_id[SHOP_ID_BYTES];
    int64_t sequence = 1;
    (void)state;

    shop_make_sale("grpc-events", &(struct shop_plan){.stock = 5});
    shop_place("c-1", "k-1", 1);
    shop_place("c-2", "k-1", 1);
    snprintf(sale_id, sizeof(sale_id), "%s", shop_sale_id());
    request.sale_id = sale_id;
    request.from_sequence = 2;
    assert_true(caller_watch(&caller, ORDERS "StreamOrderEvents", AS_ADMIN,
                             PROTO_TYPE(stampede__orders__v1__order_events), &request.base,
                             look_at_events, &sequence));
}

static bool look_at_sale(const ProtobufCMessage *message, void *data)
{
    const Stampede__Sales__V1__Sale *sale = (const void *)message;
    return strcmp(sale->sale_id, data) == 0 && sale->stock_remaining == 5;
}

/* A watcher is told at once how things stand. */
static void callers_watch_a_sale(void **state)
{
    Stampede__Sales__V1__WatchSalesRequest request = STAMPEDE__SALES__V1__WATCH_SALES_REQUEST__INIT;
    char sale_id[SHOP_ID_BYTES];
    (void)state;

    shop_make_sale("grpc-watch", &(struct shop_plan){.stock = 5});
    snprintf(sale_id, sizeof(sale_id), "%s", shop_sale_id());
    request.sale_id = sale_id;
    assert_true(caller_watch(&caller, SALES "WatchSales", AS_ANYONE,
                             PROTO_TYPE(stampede__sales__v1__sale), &request.base, look_at_sale,
                             sale_id));
}

/* --- Operators -------------------------------------------------------------------------------- */

/* Balancers and edges ask this before they send anything. */
static void callers_find_every_service_healthy(void **state)
{
    static const char *const names[] = {"", "stampede.orders.v1.OrderService",
                                        "stampede.sales.v1.SaleService"};
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    char name[64];
    (void)state;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(name, sizeof(name), "%s", names[i]);
        request.service = name;
        struct rpc_reply *reply =
            call_ok(HEALTH "Check", AS_ANYONE, PROTO_TYPE(grpc__health__v1__health_check_response),
                    &request.base);
        const Grpc__Health__V1__HealthCheckResponse *health = (const void *)reply->message;
        assert_int_equal(health->status,
                         GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
        rpc_reply_free(reply);
    }
}

static bool look_for_services(const ProtobufCMessage *message, void *data)
{
    static const char *const names[] = {"stampede.orders.v1.OrderService",
                                        "stampede.sales.v1.SaleService",
                                        "stampede.ops.v1.OpsService", "grpc.health.v1.Health"};
    const Grpc__Reflection__V1__ServerReflectionResponse *response = (const void *)message;
    const Grpc__Reflection__V1__ListServiceResponse *list = response->list_services_response;
    size_t found = 0;

    (void)data;
    for (size_t i = 0; list != NULL && i < list->n_service; i++) {
        for (size_t k = 0; k < COUNT_OF(names); k++) {
            found += strcmp(list->service[i]->name, names[k]) == 0 ? 1 : 0;
        }
    }
    return found == COUNT_OF(names);
}

/* A client without our files learns from the server what there is. */
static void callers_learn_services_by_reflection(void **state)
{
    Grpc__Reflection__V1__ServerReflectionRequest request =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    char all[] = "";
    (void)state;

    request.message_request_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES;
    request.list_services = all;
    assert_true(caller_watch(&caller, REFLECTION "ServerReflectionInfo", AS_ANYONE,
                             PROTO_TYPE(grpc__reflection__v1__server_reflection_response),
                             &request.base, look_for_services, NULL));
}

/* An operator sees the pool and every limit; nobody else does. */
static void callers_read_status_as_operators(void **state)
{
    Stampede__Ops__V1__GetStatusRequest request = STAMPEDE__OPS__V1__GET_STATUS_REQUEST__INIT;
    (void)state;

    expect_refusal(caller_call(&caller, OPS "GetStatus", AS_ANYONE,
                               PROTO_TYPE(stampede__ops__v1__get_status_response), &request.base),
                   RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
    struct rpc_reply *reply =
        call_ok(OPS "GetStatus", AS_ADMIN, PROTO_TYPE(stampede__ops__v1__get_status_response),
                &request.base);
    const Stampede__Ops__V1__GetStatusResponse *status = (const void *)reply->message;
    assert_true(status->ready);
    assert_false(status->draining);
    assert_non_null(status->pool);
    assert_true(status->pool->size > 0);
    assert_true(status->n_limits > 0);
    rpc_reply_free(reply);
}

int callers_suite_run(const struct target *target)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(callers_share_orders_with_http),
        cmocka_unit_test(callers_get_reasons_with_refusals),
        cmocka_unit_test(callers_place_batches),
        cmocka_unit_test(callers_confirm_and_cancel_holds),
        cmocka_unit_test(callers_read_events_from_a_sequence),
        cmocka_unit_test(callers_watch_a_sale),
        cmocka_unit_test(callers_find_every_service_healthy),
        cmocka_unit_test(callers_learn_services_by_reflection),
        cmocka_unit_test(callers_read_status_as_operators),
    };
    if (caller_open(&caller, target->grpc_target, target->token) != 0) {
        fprintf(stderr, "no connection to %s\n", target->grpc_target);
        return 1;
    }
    shop_open(target);
    int failed = cmocka_run_group_tests_name("callers", tests, NULL, NULL);
    caller_close(&caller);
    return failed;
}

int callers_suite_drain(const struct target *target, const char *grpc_target)
{
    Stampede__Ops__V1__DrainRequest request = STAMPEDE__OPS__V1__DRAIN_REQUEST__INIT;

    if (caller_open(&caller, grpc_target, target->token) != 0) {
        fprintf(stderr, "no connection to %s\n", grpc_target);
        return 1;
    }
    struct rpc_reply *reply =
        caller_call(&caller, OPS "Drain", AS_ADMIN, PROTO_TYPE(stampede__ops__v1__drain_response),
                    &request.base);
    bool taken = reply->status.code == RPC_OK;
    if (taken) {
        const Stampede__Ops__V1__DrainResponse *drain = (const void *)reply->message;
        printf("drain: began %lld ms ago, %d calls and %d orders in flight\n",
               (long long)drain->elapsed_ms, drain->calls_in_flight, drain->orders_in_flight);
    } else {
        fprintf(stderr, "drain: %d %s\n", (int)reply->status.code,
                reply->status.message != NULL ? reply->status.message : "");
    }
    rpc_reply_free(reply);
    caller_close(&caller);
    return taken ? 0 : 1;
}
