/*
 * What is in use beside what may be: one row for each bound of the program, read when somebody asks
 * (ARCHITECTURE, "Limits, visible").
 */
#ifndef ORDERS_GAUGES_H
#define ORDERS_GAUGES_H

#include <stdbool.h>
#include <stdint.h>

struct board_side;
struct lanes;
struct metrics;
struct ops_limits;
struct rpc_server;
struct session_watch;
struct settings;
struct store_sessions;
struct workers;

/* What is read; all of it must outlive every reading. */
struct gauges {
    struct lanes *lanes;
    struct workers *workers; /* NULL until they are started, which comes before any reading */
    struct rpc_server *server;
    const struct board_side *board_side;
    struct session_watch *session_watch;
};

/* Lanes and reads that wait for a connection, and the lobby's look-up. */
int64_t gauges_pool_waiting(void *gauges);

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
