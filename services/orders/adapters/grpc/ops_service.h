/* stampede.ops.v1.OpsService: for the people who run the program. Answers at once, also when no
 * worker is free and while the program drains. */
#ifndef ORDERS_ADAPTERS_GRPC_OPS_SERVICE_H
#define ORDERS_ADAPTERS_GRPC_OPS_SERVICE_H

#include "orders/lanes/workers.h"
#include "rpc/server.h"

#define OPS_SERVICE_BUCKETS_MAX 32

struct ops_limits;

/* How long what got a connection had waited for it, since the start. */
struct ops_service_waits {
    int64_t count, total_us;
    size_t buckets_count;
    struct {
        int64_t up_to_us, count; /* ascending; each has those before in it */
    } buckets[OPS_SERVICE_BUCKETS_MAX];
};

/* What the program says about itself at a moment. */
struct ops_service_reading {
    bool ready, draining;
    struct workers_stats pool;
    int64_t pool_waiting; /* lanes and reads that wait for a connection */
    struct ops_service_waits waits;
    struct lanes_stats lanes;
    int64_t calls_in_flight, orders_in_flight;
    size_t methods_count;
    struct rpc_method_calls methods[RPC_METHODS_MAX]; /* of the calls in flight */
    int64_t sale_streams, event_streams, connections;
    bool has_sessions; /* else the two that follow say nothing */
    struct store_sessions sessions;
    int64_t sessions_age_ms;
    int64_t calls_refused;    /* with DRAINING, since the drain began */
    int64_t drain_elapsed_ms; /* 0 before the drain began */
};

/* The program as the service sees it; any thread, several at once; must not block. */
struct ops_service {
    const char *version;
    const struct ops_limits *limits;
    void *data;
    /* Begins to drain; does nothing when it has begun already. */
    void (*begin_drain)(void *data);
    void (*read)(void *data, struct ops_service_reading *ret);
};

/* Adds every method; service must outlive the server. Errors: those of rpc_server_add. */
int ops_service_add(struct rpc_server *server, const struct ops_service *service) MUST_CHECK;

#endif
