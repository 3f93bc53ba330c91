#include "status.h"

#include "drain.h"
#include "gauges.h"
#include "orders/adapters/grpc/ops_service.h"
#include "pool_gauges.h"
#include "pool_view.h"
#include "rpc/core.h"
#include "rpc/server.h"

#define US_PER_SECOND 1e6

_Static_assert(OPS_SERVICE_BUCKETS_MAX >= METRICS_BOUNDS_MAX, "every histogram fits");

void status_begin_drain(void *data)
{
    const struct status *status = data;
    drain_begin(status->drain);
}

/* Rounded; never below 0. */
static int64_t us_of(double seconds)
{
    return (int64_t)(seconds * US_PER_SECOND + 0.5);
}

static void put_waits(const struct metrics_histogram_reading *from, struct ops_service_waits *to)
{
    *to = (struct ops_service_waits){
        .count = (int64_t)from->count,
        .total_us = us_of(from->sum),
        .buckets_count = from->bounds_count,
    };
    for (size_t i = 0; i < from->bounds_count; i++) {
        to->buckets[i].up_to_us = us_of(from->bounds[i]);
        to->buckets[i].count = (int64_t)from->up_to[i];
    }
}

void status_read(void *data, struct ops_service_reading *ret)
{
    const struct status *status = data;
    struct gauges *gauges = status->gauges;
    struct pool_gauges_reading pool;
    bool is_draining = drain_has_begun(status->drain);
    pool_gauges_read(status->pool, &pool);
    *ret = (struct ops_service_reading){
        .ready = !is_draining && pool_view_is_serving(status->pool_view),
        .draining = is_draining,
        .pool = pool.connections,
        .pool_waiting = pool.waiting,
        .lanes = pool.lanes,
        .calls_in_flight = rpc_server_calls_in_flight(gauges->server),
        .orders_in_flight = gauges_orders_in_flight(gauges),
        .sale_streams = gauges_sale_streams(gauges),
        .event_streams = gauges_event_streams(gauges),
        .connections = (int64_t)rpc_core_server_connections(),
        .calls_refused = drain_refused(status->drain),
        .drain_elapsed_ms = drain_elapsed_ms(status->drain),
    };
    put_waits(&pool.waits, &ret->waits);
    ret->methods_count = rpc_server_calls_by_method(gauges->server, ret->methods);
    ret->has_sessions = gauges_sessions(gauges, &ret->sessions, &ret->sessions_age_ms);
}
