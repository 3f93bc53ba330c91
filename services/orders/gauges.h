/*
 * What is in use beside what may be: one row for each bound of the program, read when somebody asks
 * (ARCHITECTURE, "Limits, visible").
 */
#ifndef ORDERS_GAUGES_H
#define ORDERS_GAUGES_H

#include <stdint.h>

struct board_side;
struct lanes;
struct metrics;
struct ops_limits;
struct rpc_server;
struct settings;
struct workers;

/* What is read; all of it must outlive every reading. */
struct gauges {
    struct lanes *lanes;
    struct workers *workers; /* NULL until they are started, which comes before any reading */
    struct rpc_server *server;
    const struct board_side *board_side;
};

/* Lanes and reads that wait for a connection. */
int64_t gauges_pool_waiting(void *gauges);

/* Orders in lanes and with workers. */
int64_t gauges_orders_in_flight(void *gauges);

/* Fills the table and registers every gauge; once, before the first reading. */
void gauges_register(struct gauges *gauges, const struct settings *settings,
                     struct ops_limits *limits, struct metrics *metrics);

#endif
