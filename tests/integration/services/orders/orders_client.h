/*
 * A client of stampede-orders for tests: calls that wait for their reply, and what tests make of
 * replies. One thread.
 */
#ifndef SERVICES_ORDERS_ORDERS_CLIENT_H
#define SERVICES_ORDERS_ORDERS_CLIENT_H

#include "rpc/channel.h"

#include <stampede/orders/v1/orders.pb-c.h>
#include <stampede/sales/v1/sales.pb-c.h>

/* Longer than the service lets any call live: what it says is what is heard. */
#define ORDERS_CLIENT_CALL_MS  300000
#define ORDERS_CLIENT_ID_CHARS 36

struct orders_client {
    struct rpc_channel *channel;
    const char *token; /* sent with every call; NULL sends none */
};

/* Connects and waits for it. */
void orders_client_open(struct orders_client *client, int port, const char *token);
void orders_client_close(struct orders_client *client);

/* Calls and waits; the reply is the caller's to free. */
struct rpc_reply *orders_client_call(struct orders_client *client, const char *full_method,
                                     const ProtobufCMessageDescriptor *reply_type,
                                     const ProtobufCMessage *message);

/* Starts a call with the client's token; on_done as in channel.h. */
void orders_client_start(struct orders_client *client, const char *full_method,
                         const ProtobufCMessageDescriptor *reply_type,
                         const ProtobufCMessage *message, int64_t timeout_ms, rpc_done_fn on_done,
                         void *data);

/* Asserts that the reply is a failure with this reason of ours, and frees it. */
void orders_client_assert_refused(struct rpc_reply *reply, enum rpc_code code, const char *reason);

/* The message of a reply that must be OK. */
const void *orders_client_message(const struct rpc_reply *reply);

/* --- Requests -------------------------------------------------------------------------------- */

/* A valid creation: live now, ends in 2099, one euro, no limit, no hold. */
struct orders_client_sale {
    Stampede__Sales__V1__CreateSaleRequest message;
    Stampede__Api__V1__Money price;
    Google__Protobuf__Timestamp end;
};
void orders_client_sale_init(struct orders_client_sale *sale, const char *key, int32_t stock);

/* Creates a sale that must work and copies its id. */
void orders_client_create_sale(struct orders_client *client, const char *key, int32_t stock,
                               int32_t limit, char ret_sale_id[ORDERS_CLIENT_ID_CHARS + 1]);

/* Places one order. */
struct rpc_reply *orders_client_place(struct orders_client *client, const char *sale_id,
                                      const char *customer, const char *key, int32_t quantity);

/* A batch under construction; texts that it points at are its own. */
#define ORDERS_CLIENT_BATCH_MAX 600
struct orders_client_batch {
    Stampede__Orders__V1__BatchPlaceOrdersRequest message;
    Stampede__Orders__V1__BatchPlaceOrdersItem items[ORDERS_CLIENT_BATCH_MAX];
    Stampede__Orders__V1__BatchPlaceOrdersItem *pointers[ORDERS_CLIENT_BATCH_MAX];
    char customers[ORDERS_CLIENT_BATCH_MAX][32];
    char keys[ORDERS_CLIENT_BATCH_MAX][32];
    char sale_id[ORDERS_CLIENT_ID_CHARS + 1];
};
void orders_client_batch_init(struct orders_client_batch *batch, const char *sale_id);
void orders_client_batch_add(struct orders_client_batch *batch, const char *customer,
                             const char *key, int32_t quantity);
struct rpc_reply *orders_client_place_batch(struct orders_client *client,
                                            const struct orders_client_batch *batch);

/* The ErrorInfo reason of a result, or "" when it is an order. Lives until the next call. */
const char *orders_client_result_reason(const Stampede__Orders__V1__BatchPlaceOrdersResult *result);

#endif
