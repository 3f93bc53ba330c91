#include "orders/adapters/grpc/order_service.h"

#include "orders/adapters/grpc/calls.h"
#include "orders/adapters/grpc/list_orders.h"
#include "orders/adapters/grpc/messages.h"
#include "orders/adapters/grpc/placing.h"
#include "orders/adapters/grpc/settling.h"
#include "orders/logic/queries.h"
#include "rpc/server.h"

#include <errno.h>

/* Calls that are taken off the wire without waiting for a slot to be armed anew. */
#define SLOTS_PLACING  64
#define SLOTS_SETTLING 32
#define SLOTS_READING  32
#define SLOTS_ADMIN    2

static void handle_place_order(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    placing_start_single(data, call, (const void *)request);
}

static void handle_batch_place_orders(struct rpc_call *call, const ProtobufCMessage *request,
                                      void *data)
{
    placing_start_batch(data, call, (const void *)request);
}

static void handle_confirm_order(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    settling_start_confirm(data, call, (const void *)request);
}

static void handle_cancel_order(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    settling_start_cancel(data, call, (const void *)request);
}

static void handle_list_orders(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    list_orders_start(data, call, (const void *)request);
}

/* --- GetOrder -------------------------------------------------------------------------------- */

struct get_order {
    struct calls_job job;
    struct uuid sale_id, order_id;
    const char *customer_id;
};

static void run_get_order(struct calls_job *job, const struct store *store, struct arena *arena)
{
    struct get_order *self = LIST_OBJECT(job, struct get_order, job);
    char sale_id[UUID_TEXT_CHARS + 1];
    struct violations violations;
    struct messages_order reply;
    struct store_order found;

    enum verdict verdict =
        queries_get_order(store, &self->sale_id, &self->order_id, self->customer_id,
                          calls_job_deadline_ns(job), arena, &found, &violations);
    if (verdict == VERDICT_INVALID_FIELD) {
        calls_refuse_fields(job->calls, job->call, &violations);
    } else if (!verdict_is_success(verdict)) {
        calls_refuse_job(job, verdict);
    } else {
        uuid_format(&self->sale_id, sale_id);
        messages_order(&found.order, sale_id, found.customer_id, &found.unit_price, &reply);
        rpc_call_finish(job->call, &reply.message.base);
    }
}

static void handle_get_order(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    const Stampede__Orders__V1__GetOrderRequest *request = (const void *)message;
    const struct calls *calls = data;
    struct violations violations = {0};

    struct get_order *self = arena_calloc(rpc_call_arena(call), 1, sizeof(*self));
    if (self == NULL) {
        calls_refuse(calls, call, VERDICT_OVERLOADED);
        return;
    }
    messages_uuid(request->sale_id, "sale_id", &self->sale_id, &violations);
    messages_uuid(request->order_id, "order_id", &self->order_id, &violations);
    if (violations.count > 0) {
        calls_refuse_fields(calls, call, &violations);
        return;
    }
    self->customer_id = request->customer_id;
    calls_submit(calls, call, &self->job, run_get_order);
}

/* --- The service ----------------------------------------------------------------------------- */

int order_service_add(struct rpc_server *server, const struct calls *calls)
{
    const ProtobufCServiceDescriptor *service = &stampede__orders__v1__order_service__descriptor;
    const struct rpc_method methods[] = {
        {.name = "PlaceOrder", .handle = handle_place_order, .slots = SLOTS_PLACING},
        {.name = "BatchPlaceOrders", .handle = handle_batch_place_orders, .slots = SLOTS_PLACING},
        {.name = "ConfirmOrder", .handle = handle_confirm_order, .slots = SLOTS_SETTLING},
        {.name = "CancelOrder", .handle = handle_cancel_order, .slots = SLOTS_SETTLING},
        {.name = "GetOrder", .handle = handle_get_order, .slots = SLOTS_READING},
        {.name = "ListOrders", .handle = handle_list_orders, .slots = SLOTS_ADMIN},
    };
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        struct rpc_method method = methods[i];
        method.service = service;
        method.kind = RPC_UNARY;
        method.data = (void *)(uintptr_t)calls;
        int error = rpc_server_add(server, &method);
        if (error < 0) {
            return error;
        }
    }
    return 0;
}
