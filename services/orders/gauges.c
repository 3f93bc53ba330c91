#include "gauges.h"

#include "base/clock.h"
#include "board_side.h"
#include "limits.h"
#include "metrics/metrics.h"
#include "ops/ops_limits.h"
#include "orders/adapters/grpc/event_stream.h"
#include "orders/adapters/grpc/sale_watch.h"
#include "orders/board/board.h"
#include "orders/lanes/lanes.h"
#include "orders/lanes/session_watch.h"
#include "pool_gauges.h"
#include "rpc/core.h"
#include "settings.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static struct lanes_stats stats_of(void *data)
{
    const struct gauges *gauges = data;
    return lanes_stats(gauges->lanes);
}

int64_t gauges_orders_in_flight(void *gauges)
{
    struct lanes_stats stats = stats_of(gauges);
    return (int64_t)(stats.orders_waiting + stats.orders_deciding);
}

static int64_t read_orders_waiting(void *data)
{
    return (int64_t)stats_of(data).orders_waiting;
}

static int64_t read_changes_waiting(void *data)
{
    return (int64_t)stats_of(data).changes_waiting;
}

static int64_t read_acts_waiting(void *data)
{
    return (int64_t)stats_of(data).acts_waiting;
}

static int64_t read_lanes(void *data)
{
    return (int64_t)stats_of(data).lanes;
}

static int64_t read_lanes_ready(void *data)
{
    return (int64_t)stats_of(data).lanes_ready;
}

static int64_t read_jobs_waiting(void *data)
{
    return (int64_t)stats_of(data).jobs_waiting;
}

static int64_t read_calls_in_flight(void *data)
{
    const struct gauges *gauges = data;
    return rpc_server_calls_in_flight(gauges->server);
}

/* --- The board and streams ------------------------------------------------------------------- */

static struct board_stats board_of(void *data)
{
    const struct gauges *gauges = data;
    return board_stats(gauges->board_side->board);
}

static int64_t read_board_sales(void *data)
{
    return (int64_t)board_of(data).sales;
}

static int64_t read_board_strangers(void *data)
{
    return (int64_t)board_of(data).strangers;
}

static int64_t read_filter_bytes(void *data)
{
    return (int64_t)board_of(data).filter_bytes;
}

int64_t gauges_sale_streams(void *gauges)
{
    const struct gauges *own = gauges;
    return (int64_t)sale_watch_streams(own->board_side->sales);
}

int64_t gauges_event_streams(void *gauges)
{
    const struct gauges *own = gauges;
    return (int64_t)event_stream_streams(own->board_side->events);
}

static void add_board(struct gauges *gauges, struct ops_limits *limits)
{
    const struct ops_limit rows[] = {
        {.name = "board_sales",
         .help = "Sales that edges or streams look at, lately read ones included.",
         .unit = "sales",
         .limit = LIMITS_BOARD_SALES_MAX,
         .in_use = read_board_sales},
        {.name = "board_strangers",
         .help = "Sale ids that edges ask for and that were not found yet.",
         .unit = "ids",
         .limit = LIMITS_BOARD_STRANGERS_MAX,
         .in_use = read_board_strangers},
        {.name = "board_filter_bytes",
         .help = "Filters of order ids, those of sales that still sell included.",
         .unit = "bytes",
         .limit = (int64_t)LIMITS_BOARD_FILTER_BYTES,
         .in_use = read_filter_bytes},
        {.name = "sale_streams",
         .help = "Callers of WatchSales.",
         .unit = "calls",
         .limit = LIMITS_SALE_STREAMS_MAX,
         .in_use = gauges_sale_streams},
        {.name = "event_streams",
         .help = "Callers of StreamOrderEvents.",
         .unit = "calls",
         .limit = LIMITS_EVENT_STREAMS_MAX,
         .in_use = gauges_event_streams},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ops_limit row = rows[i];
        row.setting = "";
        row.data = gauges;
        ops_limits_add(limits, &row);
    }
}

/* --- gRPC ------------------------------------------------------------------------------------ */

static double read_grpc_connections(void *data)
{
    (void)data;
    return (double)rpc_core_server_connections();
}

/* By the label of a method's series. */
static double read_method_calls(void *data)
{
    const struct gauges_method *method = data;
    struct rpc_method_calls calls[RPC_METHODS_MAX];
    size_t count = rpc_server_calls_by_method(method->server, calls);
    CHECK(method->index < count);
    return (double)calls[method->index].in_flight;
}

/* A name of its own beside calls_in_flight, which is one figure with one limit. */
static void register_methods(struct gauges *gauges, struct metrics *metrics)
{
    struct rpc_method_calls calls[RPC_METHODS_MAX];
    size_t count = rpc_server_calls_by_method(gauges->server, calls);
    for (size_t i = 0; i < count; i++) {
        gauges->_methods[i] = (struct gauges_method){.server = gauges->server, .index = i};
        metrics_gauge_callback(metrics, "stampede_rpc_in_flight",
                               "The calls of stampede_calls_in_flight, by method.",
                               METRICS_LABELS({"method", calls[i].full_name + 1}),
                               read_method_calls, &gauges->_methods[i]);
    }
}

/* --- Sessions at the database ---------------------------------------------------------------- */

bool gauges_sessions(void *gauges, struct store_sessions *ret, int64_t *ret_age_ms)
{
    const struct gauges *own = gauges;
    int64_t age_ns;
    if (!session_watch_read(own->session_watch, ret, &age_ns) ||
        age_ns > LIMITS_SESSIONS_STALE_MS * CLOCK_NS_PER_MS) {
        return false;
    }
    *ret_age_ms = age_ns / CLOCK_NS_PER_MS;
    return true;
}

/* No number is better than an old one. */
static double session_figure(void *data, size_t offset)
{
    struct store_sessions sessions;
    int64_t age_ms, figure;
    if (!gauges_sessions(data, &sessions, &age_ms)) {
        return NAN;
    }
    memcpy(&figure, (const char *)&sessions + offset, sizeof(figure));
    return (double)figure;
}

static double read_sessions_active(void *data)
{
    return session_figure(data, offsetof(struct store_sessions, active));
}

static double read_sessions_idle(void *data)
{
    return session_figure(data, offsetof(struct store_sessions, idle));
}

static double read_sessions_in_transaction(void *data)
{
    return session_figure(data, offsetof(struct store_sessions, idle_in_transaction));
}

static double read_lock_waiting(void *data)
{
    return session_figure(data, offsetof(struct store_sessions, lock_waiting));
}

static double read_oldest_transaction(void *data)
{
    return session_figure(data, offsetof(struct store_sessions, oldest_transaction_us)) * 1e-6;
}

static void register_sessions(struct gauges *gauges, struct metrics *metrics)
{
    static const char *const help = "Sessions of all replicas at the database, by its own word; "
                                    "NaN when it could not be asked lately.";
    metrics_gauge_callback(metrics, "stampede_db_sessions", help,
                           METRICS_LABELS({"state", "active"}), read_sessions_active, gauges);
    metrics_gauge_callback(metrics, "stampede_db_sessions", help, METRICS_LABELS({"state", "idle"}),
                           read_sessions_idle, gauges);
    metrics_gauge_callback(metrics, "stampede_db_sessions", help,
                           METRICS_LABELS({"state", "idle_in_transaction"}),
                           read_sessions_in_transaction, gauges);
    metrics_gauge_callback(metrics, "stampede_db_lock_waiting",
                           "Of these sessions, those that wait for a lock.", NULL,
                           read_lock_waiting, gauges);
    metrics_gauge_callback(metrics, "stampede_db_oldest_transaction_seconds",
                           "The age of the oldest transaction of these sessions.", NULL,
                           read_oldest_transaction, gauges);
}

/* --- The table ------------------------------------------------------------------------------- */

/* What is held while it is used: places in queues, and calls. */
static void add_held(struct gauges *gauges, const struct settings *settings,
                     struct ops_limits *limits)
{
    const struct ops_limit rows[] = {
        {.name = "lane_depth",
         .help = "Orders that wait, in all lanes together.",
         .unit = "orders",
         .setting = "ORDERS_QUEUE_MAX",
         .limit = settings->queue_max,
         .in_use = read_orders_waiting},
        {.name = "changes_waiting",
         .help = "Confirmations and cancellations that wait.",
         .unit = "calls",
         .setting = "ORDERS_QUEUE_MAX",
         .limit = settings->queue_max,
         .in_use = read_changes_waiting},
        {.name = "acts_waiting",
         .help = "Acts of administration on sales that wait.",
         .unit = "calls",
         .setting = "",
         .limit = LIMITS_ACTS_MAX,
         .in_use = read_acts_waiting},
        {.name = "lanes",
         .help = "Sales that have a lane, idle ones included.",
         .unit = "lanes",
         .setting = "",
         .limit = LIMITS_LANES_MAX,
         .in_use = read_lanes},
        {.name = "lanes_ready",
         .help = "Lanes that wait for a connection.",
         .unit = "lanes",
         .setting = "",
         .limit = LIMITS_LANES_MAX,
         .in_use = read_lanes_ready},
        {.name = "jobs_waiting",
         .help = "Reads and the making of sales that wait.",
         .unit = "calls",
         .setting = "",
         .limit = LIMITS_JOBS_MAX,
         .in_use = read_jobs_waiting},
        {.name = "calls_in_flight",
         .help = "Calls accepted and not yet answered.",
         .unit = "calls",
         .setting = "",
         .limit = LIMITS_CALLS_MAX,
         .in_use = read_calls_in_flight},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ops_limit row = rows[i];
        row.data = gauges;
        ops_limits_add(limits, &row);
    }
}

/* What bounds one request or one wait, and which nothing holds. */
static void add_fixed(const struct settings *settings, struct ops_limits *limits)
{
    const struct ops_limit rows[] = {
        {.name = "batch_orders",
         .help = "Orders of one batch, and of one transaction.",
         .unit = "orders",
         .limit = PLACEMENT_BATCH_MAX},
        {.name = "message_bytes",
         .help = "The size of a request.",
         .unit = "bytes",
         .limit = LIMITS_MESSAGE_BYTES_MAX},
        {.name = "call_arena_bytes",
         .help = "The memory of one call.",
         .unit = "bytes",
         .limit = LIMITS_CALL_ARENA_BYTES},
        {.name = "lock_milliseconds",
         .help = "How long a sale's lock is waited for.",
         .unit = "milliseconds",
         .limit = LIMITS_LOCK_MS},
        {.name = "statement_milliseconds",
         .help = "How long a statement may take.",
         .unit = "milliseconds",
         .limit = LIMITS_STATEMENT_MS},
        {.name = "transaction_milliseconds",
         .help = "How long a worker waits for a transaction.",
         .unit = "milliseconds",
         .limit = LIMITS_TRANSACTION_MS},
        {.name = "decision_milliseconds",
         .help = "How long a batch is worked on.",
         .unit = "milliseconds",
         .limit = LIMITS_DECISION_MS},
        {.name = "call_milliseconds",
         .help = "The longest that a call may wait to be worked on.",
         .unit = "milliseconds",
         .limit = LIMITS_CALL_MS},
        {.name = "events_age_seconds",
         .help = "How long the events of orders can be read.",
         .unit = "seconds",
         .setting = "ORDERS_EVENTS_MAX_AGE_S",
         .limit = settings->events_max_age_s},
        {.name = "drain_milliseconds",
         .help = "How long a drain works off what waits before it refuses the rest.",
         .unit = "milliseconds",
         .setting = "ORDERS_DRAIN_TIMEOUT_MS",
         .limit = settings->drain_timeout_ms},
        {.name = "drain_pause_milliseconds",
         .help = "How long a drain goes on serving at first.",
         .unit = "milliseconds",
         .setting = "ORDERS_DRAIN_PAUSE_MS",
         .limit = settings->drain_pause_ms},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ops_limit row = rows[i];
        row.setting = row.setting == NULL ? "" : row.setting;
        ops_limits_add(limits, &row);
    }
}

void gauges_register(struct gauges *gauges, const struct settings *settings,
                     struct ops_limits *limits, struct metrics *metrics)
{
    ops_limits_init(limits);
    pool_gauges_add(gauges->pool, settings, limits);
    add_held(gauges, settings, limits);
    add_board(gauges, limits);
    add_fixed(settings, limits);
    pool_gauges_register(gauges->pool, metrics);
    register_methods(gauges, metrics);
    metrics_gauge_callback(metrics, "stampede_grpc_connections", "gRPC connections that are open.",
                           NULL, read_grpc_connections, gauges);
    register_sessions(gauges, metrics);
    ops_limits_register(limits, metrics);
}
