#include "status.h"

#include "drain.h"
#include "gauges.h"
#include "orders/adapters/grpc/ops_service.h"
#include "pool_view.h"
#include "rpc/core.h"
#include "rpc/server.h"
#include "waits.h"

#define NS_PER_US 1000

void status_begin_drain(void *data)
{
    const struct status *status = data;
    drain_begin(status->drain);
}

void status_read(void *data, struct ops_service_reading *ret)
{
    const struct status *status = data;
    struct gauges *gauges = status->gauges;
    struct waits_sum waits = waits_sum(status->waits);
    bool is_draining = drain_has_begun(status->drain);
    *ret = (struct ops_service_reading){
        .ready = !is_draining && pool_view_is_serving(status->pool_view),
        .draining = is_draining,
        .pool = workers_stats(gauges->workers),
        .pool_waiting = gauges_pool_waiting(gauges),
        .waits_count = (int64_t)waits.count,
        .waits_total_us = (int64_t)(waits.total_ns / NS_PER_US),
        .lanes = lanes_stats(gauges->lanes),
        .calls_in_flight = rpc_server_calls_in_flight(gauges->server),
        .orders_in_flight = gauges_orders_in_flight(gauges),
        .sale_streams = gauges_sale_streams(gauges),
        .event_streams = gauges_event_streams(gauges),
        .connections = (int64_t)rpc_core_server_connections(),
        .calls_refused = drain_refused(status->drain),
        .drain_elapsed_ms = drain_elapsed_ms(status->drain),
    };
    ret->has_sessions = gauges_sessions(gauges, &ret->sessions, &ret->sessions_age_ms);
}
