/*
 * What is in use beside what may be: one row for each bound of the program, read when somebody asks
 * (ARCHITECTURE, "Limits, visible").
 */
#ifndef ORDERS_GAUGES_H
#define ORDERS_GAUGES_H

#include "rpc/server.h"

#include <stdbool.h>
#include <stdint.h>

struct board_side;
struct lanes;
struct metrics;
struct ops_limits;
struct pool_gauges;
struct session_watch;
struct settings;
struct store_sessions;

/* What is read; all of it must outlive every reading. */
struct gauges {
    struct lanes *lanes;
    struct pool_gauges *pool;
    struct rpc_server *server; /* every method has been added */
    const struct board_side *board_side;
    struct session_watch *session_watch;
    struct gauges_method {
        const struct rpc_server *server;
        size_t index;
    } _methods[RPC_METHODS_MAX];
};

/* Orders in lanes and with workers. */
int64_t gauges_orders_in_flight(void *gauges);

/* Callers of the two streams. */
int64_t gauges_sale_streams(void *gauges);
int64_t gauges_event_streams(void *gauges);

/* What the database says of our sessions; false when it could not be asked lately. */
bool gauges_sessions(void *gauges, struct store_sessions *ret, int64_t *ret_age_ms);

/* Fills the table and registers every gauge; once, before the first reading. */
void gauges_register(struct gauges *gauges, const struct settings *settings,
                     struct ops_limits *limits, struct metrics *metrics);

#endif
