#include "gauges.h"

#include "board_side.h"
#include "limits.h"
#include "metrics/metrics.h"
#include "ops/ops_limits.h"
#include "orders/adapters/grpc/event_stream.h"
#include "orders/adapters/grpc/sale_watch.h"
#include "orders/board/board.h"
#include "orders/lanes/workers.h"
#include "rpc/server.h"
#include "settings.h"

#define POOL_HELP "Connections to PostgreSQL, by what they are doing."

static struct lanes_stats stats_of(void *data)
{
    const struct gauges *gauges = data;
    return lanes_stats(gauges->lanes);
}

static int64_t read_pool_active(void *data)
{
    const struct gauges *gauges = data;
    return (int64_t)workers_stats(gauges->workers).active;
}

int64_t gauges_pool_waiting(void *gauges)
{
    struct lanes_stats stats = stats_of(gauges);
    return (int64_t)(stats.lanes_ready + stats.jobs_waiting);
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

static int64_t read_sale_streams(void *data)
{
    const struct gauges *gauges = data;
    return (int64_t)sale_watch_streams(gauges->board_side->sales);
}

static int64_t read_event_streams(void *data)
{
    const struct gauges *gauges = data;
    return (int64_t)event_stream_streams(gauges->board_side->events);
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
         .help = "The filters of order ids of sales that are sold out.",
         .unit = "bytes",
         .limit = (int64_t)LIMITS_BOARD_FILTER_BYTES,
         .in_use = read_filter_bytes},
        {.name = "sale_streams",
         .help = "Callers of WatchSales.",
         .unit = "calls",
         .limit = LIMITS_SALE_STREAMS_MAX,
         .in_use = read_sale_streams},
        {.name = "event_streams",
         .help = "Callers of StreamOrderEvents.",
         .unit = "calls",
         .limit = LIMITS_EVENT_STREAMS_MAX,
         .in_use = read_event_streams},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ops_limit row = rows[i];
        row.setting = "";
        row.data = gauges;
        ops_limits_add(limits, &row);
    }
}

/* --- Connections by state -------------------------------------------------------------------- */

static double read_state_active(void *data)
{
    return (double)read_pool_active(data);
}

static double read_state_idle(void *data)
{
    const struct gauges *gauges = data;
    return (double)workers_stats(gauges->workers).idle;
}

static double read_state_connecting(void *data)
{
    const struct gauges *gauges = data;
    return (double)workers_stats(gauges->workers).connecting;
}

static void register_pool_states(struct gauges *gauges, struct metrics *metrics)
{
    metrics_gauge_callback(metrics, "stampede_pool_connections", POOL_HELP,
                           METRICS_LABELS({"state", "active"}), read_state_active, gauges);
    metrics_gauge_callback(metrics, "stampede_pool_connections", POOL_HELP,
                           METRICS_LABELS({"state", "idle"}), read_state_idle, gauges);
    metrics_gauge_callback(metrics, "stampede_pool_connections", POOL_HELP,
                           METRICS_LABELS({"state", "connecting"}), read_state_connecting, gauges);
}

/* --- The table ------------------------------------------------------------------------------- */

/* What is held while it is used. */
static void add_held(struct gauges *gauges, const struct settings *settings,
                     struct ops_limits *limits)
{
    const struct ops_limit rows[] = {
        {.name = "pool_connections",
         .help = POOL_HELP,
         .unit = "connections",
         .setting = "ORDERS_POOL_SIZE",
         .limit = settings->pool_size,
         .in_use = read_pool_active,
         .has_own_gauge = true},
        {.name = "pool_waiting",
         .help = "Lanes and reads that wait for a connection.",
         .unit = "tasks",
         .setting = "",
         .limit = LIMITS_LANES_MAX + LIMITS_JOBS_MAX,
         .in_use = gauges_pool_waiting},
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
    add_held(gauges, settings, limits);
    add_board(gauges, limits);
    add_fixed(settings, limits);
    register_pool_states(gauges, metrics);
    ops_limits_register(limits, metrics);
}
