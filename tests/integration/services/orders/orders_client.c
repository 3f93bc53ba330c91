#include "orders_client.h"

#include "base/arena.h"
#include "base/clock.h"
#include "orders_process.h"

#include <google/rpc/status.pb-c.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define END_2099 INT64_C(4102444800)

void orders_client_open(struct orders_client *client, int port, const char *token)
{
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    const struct rpc_channel_config config = {
        .target = target,
        .message_bytes_max = (size_t)4 * 1024 * 1024,
        .reply_arena_bytes_max = (size_t)8 * 1024 * 1024,
    };
    client->token = token;
    assert_int_equal(rpc_channel_create(&config, &client->channel), 0);
    assert_true(
        rpc_channel_wait_ready(client->channel, clock_deadline_in_ms(ORDERS_PROCESS_PATIENCE_MS)));
}

void orders_client_close(struct orders_client *client)
{
    rpc_channel_destroy(client->channel);
    client->channel = NULL;
}

/* --- Calls ----------------------------------------------------------------------------------- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t done;
    struct rpc_reply *reply;
};

static void on_done(struct rpc_reply *reply, void *data)
{
    struct waiter *waiter = data;
    pthread_mutex_lock(&waiter->lock);
    waiter->reply = reply;
    pthread_cond_signal(&waiter->done);
    pthread_mutex_unlock(&waiter->lock);
}

void orders_client_start(struct orders_client *client, const char *full_method,
                         const ProtobufCMessageDescriptor *reply_type,
                         const ProtobufCMessage *message, int64_t timeout_ms, rpc_done_fn done,
                         void *data)
{
    char authorization[128];
    struct rpc_metadata metadata = {.key = "authorization", .value = authorization};
    if (client->token != NULL) {
        metadata.value_length =
            (size_t)snprintf(authorization, sizeof(authorization), "Bearer %s", client->token);
    }
    const struct rpc_request request = {
        .full_method = full_method,
        .reply_type = reply_type,
        .message = message,
        .deadline_ns = clock_deadline_in_ms(timeout_ms),
        .metadata = &metadata,
        .metadata_count = client->token == NULL ? 0 : 1,
        .on_done = done,
        .data = data,
    };
    rpc_channel_call(client->channel, &request, NULL);
}

struct rpc_reply *orders_client_call(struct orders_client *client, const char *full_method,
                                     const ProtobufCMessageDescriptor *reply_type,
                                     const ProtobufCMessage *message)
{
    struct waiter waiter = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    orders_client_start(client, full_method, reply_type, message, ORDERS_CLIENT_CALL_MS, on_done,
                        &waiter);
    pthread_mutex_lock(&waiter.lock);
    while (waiter.reply == NULL) {
        pthread_cond_wait(&waiter.done, &waiter.lock);
    }
    pthread_mutex_unlock(&waiter.lock);
    return waiter.reply;
}

void orders_client_assert_refused(struct rpc_reply *reply, enum rpc_code code, const char *reason)
{
    if (reply->status.code != code) {
        fail_msg("code %d (%s), not %d", reply->status.code,
                 reply->status.message == NULL ? "" : reply->status.message, code);
    }
    assert_non_null(reply->status.reason);
    assert_string_equal(reply->status.reason, reason);
    assert_string_equal(reply->status.domain, "stampede");
    rpc_reply_free(reply);
}

const void *orders_client_message(const struct rpc_reply *reply)
{
    if (reply->status.code != RPC_OK) {
        fail_msg("code %d, reason %s: %s", reply->status.code,
                 reply->status.reason == NULL ? "none" : reply->status.reason,
                 reply->status.message == NULL ? "" : reply->status.message);
    }
    assert_non_null(reply->message);
    return reply->message;
}

/* --- Requests -------------------------------------------------------------------------------- */

static char *unconst(const char *text)
{
    return (char *)(uintptr_t)text;
}

void orders_client_sale_init(struct orders_client_sale *sale, const char *key, int32_t stock)
{
    stampede__sales__v1__create_sale_request__init(&sale->message);
    stampede__api__v1__money__init(&sale->price);
    google__protobuf__timestamp__init(&sale->end);
    sale->price.currency_code = unconst("EUR");
    sale->price.amount_minor = 100;
    sale->end.seconds = END_2099;
    sale->message.idempotency_key = unconst(key);
    sale->message.sku = unconst("sku");
    sale->message.title = unconst("Title");
    sale->message.unit_price = &sale->price;
    sale->message.end_time = &sale->end;
    sale->message.stock_total = stock;
}

void orders_client_create_sale(struct orders_client *client, const char *key, int32_t stock,
                               int32_t limit, char ret_sale_id[ORDERS_CLIENT_ID_CHARS + 1])
{
    struct orders_client_sale sale;
    orders_client_sale_init(&sale, key, stock);
    sale.message.per_customer_limit = limit;
    struct rpc_reply *reply = orders_client_call(
        client, "/stampede.sales.v1.SaleService/CreateSale",
        &stampede__sales__v1__create_sale_response__descriptor, &sale.message.base);
    const Stampede__Sales__V1__CreateSaleResponse *made = orders_client_message(reply);
    assert_int_equal(strlen(made->sale->sale_id), ORDERS_CLIENT_ID_CHARS);
    memcpy(ret_sale_id, made->sale->sale_id, ORDERS_CLIENT_ID_CHARS + 1);
    rpc_reply_free(reply);
}

struct rpc_reply *orders_client_place(struct orders_client *client, const char *sale_id,
                                      const char *customer, const char *key, int32_t quantity)
{
    Stampede__Orders__V1__PlaceOrderRequest request =
        STAMPEDE__ORDERS__V1__PLACE_ORDER_REQUEST__INIT;
    request.sale_id = unconst(sale_id);
    request.customer_id = unconst(customer);
    request.idempotency_key = unconst(key);
    request.quantity = quantity;
    return orders_client_call(client, "/stampede.orders.v1.OrderService/PlaceOrder",
                              &stampede__orders__v1__place_order_response__descriptor,
                              &request.base);
}

void orders_client_batch_init(struct orders_client_batch *batch, const char *sale_id)
{
    stampede__orders__v1__batch_place_orders_request__init(&batch->message);
    snprintf(batch->sale_id, sizeof(batch->sale_id), "%s", sale_id);
    batch->message.sale_id = batch->sale_id;
    batch->message.items = batch->pointers;
}

void orders_client_batch_add(struct orders_client_batch *batch, const char *customer,
                             const char *key, int32_t quantity)
{
    size_t at = batch->message.n_items++;
    assert_true(at < ORDERS_CLIENT_BATCH_MAX);
    Stampede__Orders__V1__BatchPlaceOrdersItem *item = &batch->items[at];
    stampede__orders__v1__batch_place_orders_item__init(item);
    snprintf(batch->customers[at], sizeof(batch->customers[at]), "%s", customer);
    snprintf(batch->keys[at], sizeof(batch->keys[at]), "%s", key);
    item->customer_id = batch->customers[at];
    item->idempotency_key = batch->keys[at];
    item->quantity = quantity;
    batch->pointers[at] = item;
}

struct rpc_reply *orders_client_place_batch(struct orders_client *client,
                                            const struct orders_client_batch *batch)
{
    return orders_client_call(client, "/stampede.orders.v1.OrderService/BatchPlaceOrders",
                              &stampede__orders__v1__batch_place_orders_response__descriptor,
                              &batch->message.base);
}

const char *orders_client_result_reason(const Stampede__Orders__V1__BatchPlaceOrdersResult *result)
{
    static char reason[64];
    struct arena arena;

    if (result->outcome_case == STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ORDER) {
        return "";
    }
    assert_int_equal(result->outcome_case,
                     STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ERROR);
    arena_init(&arena, 4096, 65536);
    struct rpc_status status = rpc_status_from_message(result->error, &arena);
    assert_non_null(status.reason);
    assert_string_equal(status.domain, "stampede");
    snprintf(reason, sizeof(reason), "%s", status.reason);
    arena_fini(&arena);
    return reason;
}
