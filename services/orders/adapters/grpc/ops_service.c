#include "orders/adapters/grpc/ops_service.h"

#include "base/arena.h"
#include "ops/ops_limits.h"
#include "orders/adapters/grpc/messages.h"
#include "rpc/server.h"

#include <stampede/ops/v1/ops.pb-c.h>

#define SLOTS     2
#define NS_PER_US 1000

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

/* The parts of a reply that come in numbers; they live until it is packed. */
struct parts {
    Stampede__Ops__V1__Limit limits[OPS_LIMITS_MAX], *limit_list[OPS_LIMITS_MAX];
    Stampede__Ops__V1__WaitBucket buckets[OPS_SERVICE_BUCKETS_MAX],
        *bucket_list[OPS_SERVICE_BUCKETS_MAX];
    Stampede__Ops__V1__MethodCalls methods[RPC_METHODS_MAX], *method_list[RPC_METHODS_MAX];
};

static void put_buckets(const struct ops_service_waits *waits, struct parts *parts)
{
    for (size_t i = 0; i < waits->buckets_count; i++) {
        stampede__ops__v1__wait_bucket__init(&parts->buckets[i]);
        parts->buckets[i].up_to_us = waits->buckets[i].up_to_us;
        parts->buckets[i].count = waits->buckets[i].count;
        parts->bucket_list[i] = &parts->buckets[i];
    }
}

static void put_pool(const struct ops_service_reading *reading, struct parts *parts,
                     Stampede__Ops__V1__PoolStatus *to)
{
    stampede__ops__v1__pool_status__init(to);
    put_buckets(&reading->waits, parts);
    to->n_wait_buckets = reading->waits.buckets_count;
    to->wait_buckets = parts->bucket_list;
    to->size = to_int32((int64_t)reading->pool.size);
    to->active = to_int32((int64_t)reading->pool.active);
    to->idle = to_int32((int64_t)reading->pool.idle);
    to->connecting = to_int32((int64_t)reading->pool.connecting);
    to->waiting = to_int32(reading->pool_waiting);
    to->longest_wait_us = reading->lanes.longest_wait_ns / NS_PER_US;
    to->waits_count = reading->waits.count;
    to->waits_total_us = reading->waits.total_us;
    to->wait_timeouts = (int64_t)reading->lanes.late;
}

static void put_lanes(const struct lanes_stats *stats, Stampede__Ops__V1__LanesStatus *to)
{
    stampede__ops__v1__lanes_status__init(to);
    to->lanes = to_int32((int64_t)stats->lanes);
    to->ready = to_int32((int64_t)stats->lanes_ready);
    to->orders_waiting = to_int32((int64_t)stats->orders_waiting);
    to->orders_deciding = to_int32((int64_t)stats->orders_deciding);
    to->changes_waiting = to_int32((int64_t)stats->changes_waiting);
    to->acts_waiting = to_int32((int64_t)stats->acts_waiting);
    to->jobs_waiting = to_int32((int64_t)stats->jobs_waiting);
}

/* A method's name as metrics have it, without the first slash. */
static void put_methods(const struct ops_service_reading *reading, struct parts *parts)
{
    for (size_t i = 0; i < reading->methods_count; i++) {
        stampede__ops__v1__method_calls__init(&parts->methods[i]);
        parts->methods[i].method = (char *)(uintptr_t)(reading->methods[i].full_name + 1);
        parts->methods[i].in_flight = to_int32(reading->methods[i].in_flight);
        parts->method_list[i] = &parts->methods[i];
    }
}

static void put_calls(const struct ops_service_reading *reading, struct parts *parts,
                      Stampede__Ops__V1__CallsStatus *to)
{
    stampede__ops__v1__calls_status__init(to);
    put_methods(reading, parts);
    to->n_by_method = reading->methods_count;
    to->by_method = parts->method_list;
    to->in_flight = to_int32(reading->calls_in_flight);
    to->sale_streams = to_int32(reading->sale_streams);
    to->event_streams = to_int32(reading->event_streams);
    to->connections = to_int32(reading->connections);
}

static void put_sessions(const struct ops_service_reading *reading,
                         Stampede__Ops__V1__DatabaseSessions *to)
{
    const struct store_sessions *sessions = &reading->sessions;
    stampede__ops__v1__database_sessions__init(to);
    to->active = to_int32(sessions->active);
    to->idle = to_int32(sessions->idle);
    to->idle_in_transaction = to_int32(sessions->idle_in_transaction);
    to->lock_waiting = to_int32(sessions->lock_waiting);
    to->oldest_transaction_us = sessions->oldest_transaction_us;
    to->age_ms = reading->sessions_age_ms;
}

static void handle_get_status(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    const struct ops_service *service = data;
    Stampede__Ops__V1__GetStatusResponse reply = STAMPEDE__OPS__V1__GET_STATUS_RESPONSE__INIT;
    Stampede__Ops__V1__PoolStatus pool;
    Stampede__Ops__V1__LanesStatus lanes;
    Stampede__Ops__V1__CallsStatus calls;
    Stampede__Ops__V1__DatabaseSessions sessions;
    struct ops_service_reading reading;
    struct parts parts;

    (void)request;
    service->read(service->data, &reading);
    for (size_t i = 0; i < service->limits->count; i++) {
        put_limit(&service->limits->items[i], &parts.limits[i]);
        parts.limit_list[i] = &parts.limits[i];
    }
    put_pool(&reading, &parts, &pool);
    put_lanes(&reading.lanes, &lanes);
    put_calls(&reading, &parts, &calls);
    put_sessions(&reading, &sessions);
    reply.version = (char *)(uintptr_t)service->version;
    reply.draining = reading.draining;
    reply.ready = reading.ready;
    reply.pool = &pool;
    reply.lanes = &lanes;
    reply.calls = &calls;
    reply.sessions = reading.has_sessions ? &sessions : NULL;
    reply.n_limits = service->limits->count;
    reply.limits = parts.limit_list;
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
