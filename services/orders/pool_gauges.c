#include "pool_gauges.h"

#include "base/clock.h"
#include "limits.h"
#include "ops/ops_limits.h"
#include "settings.h"
#include "waits.h"

#include <inttypes.h>

#define POOL_HELP "Connections to PostgreSQL, by what they are doing."

static int64_t waiting_of(const struct lanes_stats *lanes)
{
    return (int64_t)(lanes->lanes_ready + lanes->jobs_waiting + (lanes->lobby_waits ? 1 : 0));
}

void pool_gauges_read(const struct pool_gauges *gauges, struct pool_gauges_reading *ret)
{
    ret->connections = workers_stats(gauges->workers);
    ret->lanes = lanes_stats(gauges->lanes);
    ret->waiting = waiting_of(&ret->lanes);
    waits_read(gauges->waits, &ret->waits);
}

/* --- One by one ------------------------------------------------------------------------------ */

static struct workers_stats connections_of(void *data)
{
    const struct pool_gauges *gauges = data;
    return workers_stats(gauges->workers);
}

static struct lanes_stats lanes_of(void *data)
{
    const struct pool_gauges *gauges = data;
    return lanes_stats(gauges->lanes);
}

static int64_t read_active(void *data)
{
    return (int64_t)connections_of(data).active;
}

static int64_t read_idle(void *data)
{
    return (int64_t)connections_of(data).idle;
}

static int64_t read_connecting(void *data)
{
    return (int64_t)connections_of(data).connecting;
}

static int64_t read_waiting(void *data)
{
    struct lanes_stats lanes = lanes_of(data);
    return waiting_of(&lanes);
}

static int64_t read_longest_wait(void *data)
{
    return lanes_of(data).longest_wait_ns / CLOCK_NS_PER_MS;
}

/* --- /limits --------------------------------------------------------------------------------- */

static void write_waits(FILE *out, const struct metrics_histogram_reading *waits)
{
    fprintf(out, "{\"count\":%" PRIu64 ",\"totalSeconds\":%.6f,\"buckets\":[", waits->count,
            waits->sum);
    for (size_t i = 0; i < waits->bounds_count; i++) {
        fprintf(out, "%s{\"upToSeconds\":%g,\"count\":%" PRIu64 "}", i > 0 ? "," : "",
                waits->bounds[i], waits->up_to[i]);
    }
    fputs("]}", out);
}

static void write_detail(FILE *out, void *data)
{
    struct pool_gauges_reading reading;
    pool_gauges_read(data, &reading);
    fprintf(out,
            "{\"active\":%zu,\"idle\":%zu,\"connecting\":%zu,\"waiting\":%" PRId64
            ",\"longestWaitMs\":%" PRId64 ",\"timeouts\":%" PRIu64 ",\"waits\":",
            reading.connections.active, reading.connections.idle, reading.connections.connecting,
            reading.waiting, reading.lanes.longest_wait_ns / CLOCK_NS_PER_MS, reading.lanes.late);
    write_waits(out, &reading.waits);
    fputc('}', out);
}

/* What is held while it is used: connections, and what waits for them. */
void pool_gauges_add(struct pool_gauges *gauges, const struct settings *settings,
                     struct ops_limits *limits)
{
    const struct ops_limit rows[] = {
        {.name = "pool_connections",
         .help = POOL_HELP,
         .unit = "connections",
         .setting = "ORDERS_POOL_SIZE",
         .limit = settings->pool_size,
         .in_use = read_active,
         .has_own_gauge = true},
        {.name = "pool_waiting",
         .help = "Lanes and reads that wait for a connection, and the look-up of unknown sales.",
         .unit = "tasks",
         .setting = "",
         .limit = LIMITS_LANES_MAX + LIMITS_JOBS_MAX,
         .in_use = read_waiting},
        {.name = "pool_idle",
         .help = "Connections to PostgreSQL that wait for work.",
         .unit = "connections",
         .setting = "ORDERS_POOL_SIZE",
         .limit = settings->pool_size,
         .in_use = read_idle},
        {.name = "pool_connecting",
         .help = "Connections to PostgreSQL that are not there, and are tried for.",
         .unit = "connections",
         .setting = "ORDERS_POOL_SIZE",
         .limit = settings->pool_size,
         .in_use = read_connecting},
        {.name = "pool_longest_wait_milliseconds",
         .help = "How long what waits for a connection now has waited at most; a call is given up "
                 "after the limit.",
         .unit = "milliseconds",
         .setting = "",
         .limit = LIMITS_CALL_MS,
         .in_use = read_longest_wait},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ops_limit row = rows[i];
        row.data = gauges;
        ops_limits_add(limits, &row);
    }
    ops_limits_add_detail(limits, "pool_connections", write_detail, gauges);
}

/* --- /metrics -------------------------------------------------------------------------------- */

static double read_state_active(void *data)
{
    return (double)read_active(data);
}

static double read_state_idle(void *data)
{
    return (double)read_idle(data);
}

static double read_state_connecting(void *data)
{
    return (double)read_connecting(data);
}

static double read_late(void *data)
{
    return (double)lanes_of(data).late;
}

void pool_gauges_register(struct pool_gauges *gauges, struct metrics *metrics)
{
    metrics_gauge_callback(metrics, "stampede_pool_connections", POOL_HELP,
                           METRICS_LABELS({"state", "active"}), read_state_active, gauges);
    metrics_gauge_callback(metrics, "stampede_pool_connections", POOL_HELP,
                           METRICS_LABELS({"state", "idle"}), read_state_idle, gauges);
    metrics_gauge_callback(metrics, "stampede_pool_connections", POOL_HELP,
                           METRICS_LABELS({"state", "connecting"}), read_state_connecting, gauges);
    metrics_counter_callback(metrics, "stampede_pool_wait_timeouts_total",
                             "Orders and calls whose deadline had passed when a connection took "
                             "them.",
                             NULL, read_late, gauges);
}
