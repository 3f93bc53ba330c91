/*
 * The pool in figures: what its connections are doing, what waits for them, and how long that took.
 * One reading, told in three places: /metrics, /limits and OpsService.GetStatus.
 */
#ifndef ORDERS_POOL_GAUGES_H
#define ORDERS_POOL_GAUGES_H

#include "metrics/metrics.h"
#include "orders/lanes/workers.h"

struct ops_limits;
struct settings;
struct waits;

/* What is read; all of it must outlive every reading. */
struct pool_gauges {
    struct lanes *lanes;
    struct workers *workers; /* NULL until they are started, which comes before any reading */
    const struct waits *waits;
};

struct pool_gauges_reading {
    struct workers_stats connections;
    struct lanes_stats lanes;
    int64_t waiting; /* lanes and reads that wait for a connection, and the lobby's look-up */
    struct metrics_histogram_reading waits; /* in seconds, of what got a connection */
};

void pool_gauges_read(const struct pool_gauges *gauges, struct pool_gauges_reading *ret);

/* Adds the pool's rows to the table; the first of them has all the figures as its detail. */
void pool_gauges_add(struct pool_gauges *gauges, const struct settings *settings,
                     struct ops_limits *limits);

/* Registers what is no row of the table. The histogram of waits is waits.h's. */
void pool_gauges_register(struct pool_gauges *gauges, struct metrics *metrics);

#endif
