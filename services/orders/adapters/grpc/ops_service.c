#include "orders/adapters/grpc/ops_service.h"

#include "base/arena.h"
#include "ops/ops_limits.h"
#include "orders/adapters/grpc/messages.h"
#include "rpc/server.h"

#include <stampede/ops/v1/ops.pb-c.h>

#define SLOTS 2

static int32_t to_int32(int64_t number)
{
    return number > INT32_MAX ? INT32_MAX : (int32_t)number;
}

static void handle_drain(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    const struct ops_service *service = data;
    Stampede__Ops__V1__DrainResponse reply = STAMPEDE__OPS__V1__DRAIN_RESPONSE__INIT;
    struct ops_service_reading reading;

    (void)request;
    service->begin_drain(service->data);
    service->read(service->data, &reading);
    reply.calls_in_flight = to_int32(reading.calls_in_flight);
    reply.orders_in_flight = to_int32(reading.orders_in_flight);
    reply.calls_refused = reading.calls_refused;
    reply.elapsed_ms = reading.drain_elapsed_ms;
    rpc_call_finish(call, &reply.base);
}

static void put_limit(const struct ops_limit *limit, Stampede__Ops__V1__Limit *to)
{
    stampede__ops__v1__limit__init(to);
    to->name = (char *)(uintptr_t)limit->name;
    to->limit = limit->limit;
    to->in_use = ops_limits_in_use(limit);
    to->unit = (char *)(uintptr_t)limit->unit;
    to->setting = (char *)(uintptr_t)limit->setting;
}

static void put_pool(const struct ops_service_reading *reading, Stampede__Ops__V1__PoolStatus *to)
{
    stampede__ops__v1__pool_status__init(to);
    to->size = to_int32((int64_t)reading->pool.size);
    to->active = to_int32((int64_t)reading->pool.active);
    to->idle = to_int32((int64_t)reading->pool.idle);
    to->connecting = to_int32((int64_t)reading->pool.connecting);
    to->waiting = to_int32(reading->pool_waiting);
}

static void handle_get_status(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    const struct ops_service *service = data;
    Stampede__Ops__V1__GetStatusResponse reply = STAMPEDE__OPS__V1__GET_STATUS_RESPONSE__INIT;
    Stampede__Ops__V1__Limit limits[OPS_LIMITS_MAX], *pointers[OPS_LIMITS_MAX];
    Stampede__Ops__V1__PoolStatus pool;
    struct ops_service_reading reading;

    (void)request;
    service->read(service->data, &reading);
    for (size_t i = 0; i < service->limits->count; i++) {
        put_limit(&service->limits->items[i], &limits[i]);
        pointers[i] = &limits[i];
    }
    put_pool(&reading, &pool);
    reply.version = (char *)(uintptr_t)service->version;
    reply.draining = reading.draining;
    reply.ready = reading.ready;
    reply.pool = &pool;
    reply.n_limits = service->limits->count;
    reply.limits = pointers;
    rpc_call_finish(call, &reply.base);
}

int ops_service_add(struct rpc_server *server, const struct ops_service *service)
{
    const struct rpc_method methods[] = {
        {.name = "Drain", .handle = handle_drain},
        {.name = "GetStatus", .handle = handle_get_status},
    };
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        struct rpc_method method = methods[i];
        method.service = &stampede__ops__v1__ops_service__descriptor;
        method.kind = RPC_UNARY;
        method.data = (void *)(uintptr_t)service;
        method.slots = SLOTS;
        method.reserved = true;
        int error = rpc_server_add(server, &method);
        if (error < 0) {
            return error;
        }
    }
    return 0;
}
