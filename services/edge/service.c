#include "service.h"

#include "base/clock.h"
#include "edge/board/asker.h"
#include "edge/board/board.h"
#include "edge/http/server.h"
#include "edge/limits.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "ops/ops_limits.h"
#include "ops/ops_process.h"
#include "ops/ops_server.h"
#include "ops/port_owner.h"
#include "rpc/channel.h"
#include "rpc/core.h"
#include "settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

/* A replica that drains says NOT_SERVING and is left out at once. */
#define SERVICE_CONFIG                                                                             \
    "{\"loadBalancingConfig\":[{\"round_robin\":{}}],"                                             \
    "\"healthCheckConfig\":{\"serviceName\":\"\"}}"
#define CORE_LOG_INTERVAL_MS 1000
#define DRAIN_LOOK_MS        20

struct service {
    const struct settings *settings;
    unsigned loops;
    size_t connections_max;
    struct metrics *metrics;
    struct ops_limits limits;
    struct ops_server *ops;
    struct rpc_channel *channel;
    struct board *board;
    struct asker *asker;
    struct server *server;
    uint16_t http_port, ops_port;
    bool is_serving;
    atomic_bool draining;
    atomic_bool was_ready; /* what was logged last */
    struct loop_counts counts_before_drain;
    size_t connections_cut; /* still open at the drain's deadline */
    int64_t drain_began_ns;
};

/* --- What is measured and bounded ----------------------------------------------------------- */

static int64_t connections_in_use(void *data)
{
    return (int64_t)server_connections(((struct service *)data)->server);
}

static int64_t loops_in_use(void *data)
{
    return ((struct service *)data)->loops;
}

static int64_t waiting_in_use(void *data)
{
    return (int64_t)server_waiting(((struct service *)data)->server);
}

static int64_t sales_in_use(void *data)
{
    return (int64_t)server_sales(((struct service *)data)->server);
}

static int64_t batch_calls_in_use(void *data)
{
    return (int64_t)server_batch_calls(((struct service *)data)->server);
}

static int64_t unary_calls_in_use(void *data)
{
    return (int64_t)server_unary_calls(((struct service *)data)->server);
}

static int64_t read_calls_in_use(void *data)
{
    return (int64_t)server_read_calls(((struct service *)data)->server);
}

static int64_t reads_in_use(void *data)
{
    return (int64_t)server_reads(((struct service *)data)->server);
}

static int64_t calls_in_use(void *data)
{
    return batch_calls_in_use(data) + read_calls_in_use(data) + unary_calls_in_use(data);
}

static int64_t board_sales_in_use(void *data)
{
    return (int64_t)board_sales(((struct service *)data)->board);
}

static int64_t board_filter_bytes_in_use(void *data)
{
    return (int64_t)board_filter_bytes(((struct service *)data)->board);
}

static void add_limits(struct service *service)
{
    int64_t loops = service->loops;
    const struct ops_limit rows[] = {
        {"loops", "Event loops.", "loops", "EDGE_LOOPS", loops, loops_in_use, service, false},
        {"connections", "HTTP connections open.", "connections", "EDGE_CONNECTIONS_MAX",
         (int64_t)service->connections_max, connections_in_use, service, false},
        {"body_bytes", "The body of one request.", "bytes", "EDGE_MAX_BODY_BYTES",
         service->settings->body_bytes_max, NULL, NULL, false},
        {"request_ms", "The time in which one request is answered.", "milliseconds",
         "EDGE_REQUEST_TIMEOUT_MS", service->settings->request_timeout_ms, NULL, NULL, false},
        {"drain_milliseconds", "How long a drain lets requests finish, its pause not counted.",
         "milliseconds", "EDGE_DRAIN_TIMEOUT_MS", service->settings->drain_timeout_ms, NULL, NULL,
         false},
        {"drain_pause_milliseconds", "How long a drain goes on serving at first.", "milliseconds",
         "EDGE_DRAIN_PAUSE_MS", service->settings->drain_pause_ms, NULL, NULL, false},
        {"waiting_orders", "Orders that wait for a call or for their next attempt.", "orders",
         "EDGE_LOOPS", loops * EDGE_WAITING_ORDERS_PER_LOOP_MAX, waiting_in_use, service, false},
        {"waiting_sales", "Sales that have orders waiting or in flight.", "sales", "EDGE_LOOPS",
         loops * EDGE_SALES_PER_LOOP_MAX, sales_in_use, service, false},
        {"batch_calls", "BatchPlaceOrders calls in flight.", "calls", "EDGE_LOOPS",
         loops * EDGE_BATCH_CALLS_PER_LOOP_MAX, batch_calls_in_use, service, false},
        {"batch_calls_per_sale", "BatchPlaceOrders calls of one sale in flight.", "calls",
         "EDGE_LOOPS", loops * EDGE_CALLS_PER_SALE_MAX, NULL, NULL, false},
        {"read_calls", "Different reads: calls in flight, or gathering behind one.", "calls",
         "EDGE_LOOPS", loops * EDGE_READ_CALLS_PER_LOOP_MAX, read_calls_in_use, service, false},
        {"waiting_reads", "Reads that wait for such a call.", "reads", "EDGE_LOOPS",
         loops * EDGE_READS_PER_LOOP_MAX, reads_in_use, service, false},
        {"reads_per_call", "Reads that share one call.", "reads", "", EDGE_READS_PER_CALL_MAX, NULL,
         NULL, false},
        {"unary_calls", "Other calls in flight.", "calls", "EDGE_LOOPS",
         loops * EDGE_UNARY_CALLS_PER_LOOP_MAX, unary_calls_in_use, service, false},
        {"calls_in_flight", "Calls of all kinds.", "calls", "EDGE_LOOPS",
         loops * (EDGE_BATCH_CALLS_PER_LOOP_MAX + EDGE_READ_CALLS_PER_LOOP_MAX +
                  EDGE_UNARY_CALLS_PER_LOOP_MAX),
         calls_in_use, service, false},
        {"board_sales", "Sales on the board.", "sales", "", EDGE_BOARD_SALES_MAX,
         board_sales_in_use, service, false},
        {"board_filter_bytes", "Filters of order ids on the board.", "bytes", "",
         EDGE_BOARD_FILTER_BYTES_MAX, board_filter_bytes_in_use, service, false},
        {"orders_per_call", "Orders in one BatchPlaceOrders call.", "orders", "",
         EDGE_ORDERS_PER_CALL_MAX, NULL, NULL, false},
    };
    ops_limits_init(&service->limits);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ops_limits_add(&service->limits, &rows[i]);
    }
    ops_limits_register(&service->limits, service->metrics);
}

static double requests_in_flight(void *data)
{
    return (double)server_requests(((struct service *)data)->server);
}

/* 0 while it serves. */
static double draining_seconds(void *data)
{
    const struct service *service = data;
    if (!atomic_load(&service->draining)) {
        return 0;
    }
    return (double)(clock_monotonic_ns() - service->drain_began_ns) / (double)CLOCK_NS_PER_SECOND;
}

static void add_metrics(struct service *service)
{
    ops_process_register(service->metrics);
    metrics_gauge_callback(service->metrics, "stampede_draining_seconds",
                           "How long the program has been draining; 0 while it serves.", NULL,
                           draining_seconds, service);
    metrics_gauge_set(metrics_gauge(service->metrics, "stampede_build_info",
                                    "1; the label says the build.",
                                    METRICS_LABELS({"version", STAMPEDE_VERSION})),
                      1);
    metrics_gauge_callback(service->metrics, "stampede_http_requests_in_flight",
                           "Requests that were read and not yet answered.", NULL,
                           requests_in_flight, service);
}

/* --- Readiness ------------------------------------------------------------------------------ */

static bool orders_is_ready(void *data, char *ret_reason, size_t reason_bytes)
{
    const struct service *service = data;
    if (!rpc_channel_is_gone(service->channel, EDGE_RECONNECT_GRACE_MS)) {
        return true;
    }
    (void)snprintf(ret_reason, reason_bytes, "the orders service cannot be reached");
    return false;
}

static bool is_not_draining(void *data, char *ret_reason, size_t reason_bytes)
{
    const struct service *service = data;
    if (!atomic_load(&service->draining)) {
        return true;
    }
    (void)snprintf(ret_reason, reason_bytes, "draining");
    return false;
}

static bool is_turning(int64_t turn_ns, int64_t turn_ms_max, char *ret_reason, size_t reason_bytes)
{
    int64_t turn_ms = turn_ns / CLOCK_NS_PER_MS;
    if (turn_ms <= turn_ms_max) {
        return true;
    }
    (void)snprintf(ret_reason, reason_bytes, "no turn for %" PRId64 " ms", turn_ms);
    return false;
}

/* Whether every event loop turns; what a slow client or database does never keeps one from it. */
static bool are_loops_turning(void *data, char *ret_reason, size_t reason_bytes)
{
    const struct service *service = data;
    return is_turning(server_longest_turn_ns(service->server), EDGE_LOOP_TURN_MAX_MS, ret_reason,
                      reason_bytes);
}

/* Whether the thread that all replies come on turns: nothing that it calls may block. */
static bool is_channel_turning(void *data, char *ret_reason, size_t reason_bytes)
{
    const struct service *service = data;
    return is_turning(rpc_channel_turn_ns(service->channel), EDGE_CHANNEL_TURN_MAX_MS, ret_reason,
                      reason_bytes);
}

/* Channel thread. */
static void on_ready(bool ready, void *data)
{
    struct service *service = data;
    if (atomic_exchange(&service->was_ready, ready) != ready) {
        log_event(ready ? LOG_INFO : LOG_WARN, ready ? "orders_reachable" : "orders_unreachable",
                  LOG_STR("target", service->settings->orders_target));
    }
    server_wake(service->server);
}

static void on_core_error(const char *text, void *data)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(CORE_LOG_INTERVAL_MS);
    (void)data;
    log_event_limited(&limit, LOG_WARN, "grpc_core", LOG_STR("message", text));
}

/* --- Start ---------------------------------------------------------------------------------- */

static int fail(const char *what, int error)
{
    log_event(LOG_ERROR, "cannot_start", LOG_STR("what", what),
              LOG_STR("message", strerror(-error)));
    return error;
}

static int fail_to_listen(const struct config_address *address, int error)
{
    if (error != -EADDRINUSE) {
        return fail(address->text, error);
    }
    char text[PORT_OWNER_TEXT_BYTES_MAX];
    port_owner_describe(address->text, address->port, text);
    log_event(LOG_ERROR, "cannot_start", LOG_STR("what", "listen"), LOG_STR("message", text));
    return error;
}

/* Raises the limit of open files as far as it goes; how many connections fit then. */
static size_t connections_that_fit(size_t wanted)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return wanted;
    }
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max == RLIM_INFINITY || files.rlim_max >= wanted + EDGE_DESCRIPTORS_RESERVED) {
        return wanted;
    }
    size_t fitting = files.rlim_max > 2 * EDGE_DESCRIPTORS_RESERVED
                         ? files.rlim_max - EDGE_DESCRIPTORS_RESERVED
                         : files.rlim_max / 2;
    log_event(LOG_WARN, "connections_lowered", LOG_UINT("wanted", wanted),
              LOG_UINT("connections_max", fitting), LOG_UINT("open_files", files.rlim_max));
    return fitting;
}

static unsigned loops_of(const struct settings *settings)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (settings->loops > 0) {
        return (unsigned)settings->loops;
    }
    if (cores < 4) {
        return 1;
    }
    return cores / 2 > EDGE_LOOPS_MAX ? EDGE_LOOPS_MAX : (unsigned)cores / 2;
}

static int make_channel(struct service *service)
{
    const struct rpc_channel_config config = {
        .target = service->settings->orders_target,
        .message_bytes_max = EDGE_REPLY_BYTES_MAX,
        .reply_arena_bytes_max = EDGE_REPLY_ARENA_BYTES_MAX,
        .service_config_json = SERVICE_CONFIG,
    };
    rpc_core_on_log(on_core_error, NULL);
    int error = rpc_channel_create(&config, &service->channel);
    if (error == -EINVAL) {
        log_event(LOG_ERROR, "cannot_start", LOG_STR("what", "EDGE_ORDERS_TARGET"),
                  LOG_STR("value", config.target),
                  LOG_STR("message", "must be a gRPC target, e.g. dns:///orders:50051"));
        return error;
    }
    return error == 0 ? 0 : fail("channel to the orders service", error);
}

static int make_board(struct service *service)
{
    struct board_config config = {
        .sales_max = EDGE_BOARD_SALES_MAX,
        .filter_bytes_max = EDGE_BOARD_FILTER_BYTES_MAX,
        .metrics = service->metrics,
    };
    if (getrandom(config.secret, sizeof(config.secret), 0) != (ssize_t)sizeof(config.secret)) {
        return fail("random numbers", -EAGAIN);
    }
    int error = board_create(&config, &service->board);
    if (error == 0) {
        error = asker_create(service->board, service->channel, service->metrics, &service->asker);
    }
    return error == 0 ? 0 : fail("board", error);
}

static int make_server(struct service *service)
{
    const struct settings *settings = service->settings;
    const struct server_config config = {
        .host = settings->http_address.host,
        .port = settings->http_address.port,
        .loops = service->loops,
        .connections_max = service->connections_max,
        .body_bytes_max = (size_t)settings->body_bytes_max,
        .request_timeout_ms = settings->request_timeout_ms,
        .speaks_http2 = settings->speaks_http2,
        .channel = service->channel,
        .board = service->board,
        .metrics = service->metrics,
    };
    int error = server_create(&config, &service->server, &service->http_port);
    return error == 0 ? 0 : fail_to_listen(&settings->http_address, error);
}

static int make_ops(struct service *service)
{
    const struct config_address *address = &service->settings->ops_address;
    const struct ops_check checks[] = {
        {"serving", is_not_draining, service},
        {"orders", orders_is_ready, service},
    };
    const struct ops_check live_checks[] = {
        {"loops", are_loops_turning, service},
        {"channel", is_channel_turning, service},
    };
    const struct ops_server_config config = {
        .host = address->host,
        .port = address->port,
        .metrics = service->metrics,
        .limits = &service->limits,
        .checks = checks,
        .checks_count = COUNT_OF(checks),
        .live_checks = live_checks,
        .live_checks_count = COUNT_OF(live_checks),
    };
    int error = ops_server_create(&config, &service->ops);
    if (error != 0) {
        return fail("ops listener", error);
    }
    ops_server_register(service->ops);
    error = ops_server_start(service->ops, &service->ops_port);
    return error == 0 ? 0 : fail_to_listen(address, error);
}

static void log_limits(const struct ops_limits *limits)
{
    for (size_t i = 0; i < limits->count; i++) {
        const struct ops_limit *limit = &limits->items[i];
        log_event(LOG_INFO, "limit", LOG_STR("name", limit->name), LOG_INT("limit", limit->limit),
                  LOG_INT("in_use", ops_limits_in_use(limit)), LOG_STR("unit", limit->unit),
                  LOG_STR("setting", limit->setting));
    }
}

static int start_parts(struct service *service)
{
    service->metrics = metrics_create();
    if (service->metrics == NULL) {
        return fail("metrics", -ENOMEM);
    }
    int error = make_channel(service);
    if (error == 0) {
        error = make_board(service);
    }
    if (error == 0) {
        error = make_server(service);
    }
    if (error != 0) {
        return error;
    }
    add_limits(service);
    add_metrics(service);
    if (!metrics_is_complete(service->metrics)) {
        return fail("metrics", -ENOMEM);
    }
    rpc_channel_on_ready(service->channel, on_ready, service);
    error = make_ops(service);
    if (error != 0) {
        return error;
    }
    error = asker_start(service->asker);
    if (error == 0) {
        error = server_start(service->server);
    }
    return error == 0 ? 0 : fail("threads", error);
}

int service_start(const struct settings *settings, struct service **ret)
{
    struct service *service = calloc(1, sizeof(*service));
    if (service == NULL) {
        return fail("service", -ENOMEM);
    }
    service->settings = settings;
    service->loops = loops_of(settings);
    service->connections_max = connections_that_fit((size_t)settings->connections_max);
    int error = start_parts(service);
    if (error != 0) {
        service_destroy(service);
        return error;
    }
    service->is_serving = true;
    log_limits(&service->limits);
    log_event(LOG_INFO, "serving", LOG_STR("http_host", settings->http_address.host),
              LOG_INT("http_port", service->http_port), LOG_INT("ops_port", service->ops_port),
              LOG_STR("orders_target", settings->orders_target),
              LOG_BOOL("orders_reachable", rpc_channel_is_ready(service->channel)));
    *ret = service;
    return 0;
}

/* --- Drain and stop ------------------------------------------------------------------------- */

static bool is_empty(const struct service *service)
{
    return server_has_obeyed(service->server, LOOP_DRAIN) &&
           server_requests(service->server) == 0 && server_connections(service->server) == 0;
}

/* Waits until nothing is open or so long; false when it was given up. */
static bool wait_until_empty(struct service *service, int64_t timeout_ms, service_hurry_fn wait,
                             void *data)
{
    int64_t deadline_ns = clock_deadline_in_ms(timeout_ms);
    while (!is_empty(service) && clock_monotonic_ns() < deadline_ns) {
        if (wait(DRAIN_LOOK_MS, data)) {
            return false;
        }
    }
    return true;
}

bool service_drain(struct service *service, service_hurry_fn wait, void *data)
{
    const struct settings *settings = service->settings;
    service->drain_began_ns = clock_monotonic_ns();
    service->counts_before_drain = server_counts(service->server);
    atomic_store(&service->draining, true);
    log_event(LOG_INFO, "draining", LOG_INT("pause_ms", settings->drain_pause_ms),
              LOG_INT("timeout_ms", settings->drain_timeout_ms),
              LOG_UINT("connections", server_connections(service->server)),
              LOG_UINT("requests", server_requests(service->server)));
    int64_t pause_end_ns = clock_deadline_in_ms(settings->drain_pause_ms);
    while (clock_monotonic_ns() < pause_end_ns) {
        int64_t left_ms = clock_remaining_ms(pause_end_ns);
        if (wait(left_ms < DRAIN_LOOK_MS ? left_ms : DRAIN_LOOK_MS, data)) {
            return false;
        }
    }
    server_command(service->server, LOOP_DRAIN);
    if (!wait_until_empty(service, settings->drain_timeout_ms, wait, data)) {
        return false;
    }
    service->connections_cut = server_connections(service->server);
    server_command(service->server, LOOP_CUT);
    return wait_until_empty(service, EDGE_DRAIN_FLUSH_MS, wait, data);
}

static void log_account(const struct service *service)
{
    struct loop_counts counts = server_counts(service->server);
    uint64_t answered = counts.answered - service->counts_before_drain.answered;
    uint64_t refused = counts.refused_draining;
    uint64_t cancelled = counts.cancelled;
    log_event(
        LOG_INFO, "drained", LOG_UINT("finished", answered - refused - cancelled),
        LOG_UINT("refused", refused), LOG_UINT("cancelled", cancelled),
        LOG_UINT("connections_cut", service->connections_cut),
        LOG_INT("took_ms", (clock_monotonic_ns() - service->drain_began_ns) / CLOCK_NS_PER_MS));
}

void service_destroy(struct service *service)
{
    if (service->server != NULL) {
        server_stop(service->server);
    }
    if (service->is_serving) {
        log_account(service);
    }
    ops_server_destroy(service->ops);
    asker_destroy(service->asker);
    /* The channel first: while it lives, replies are posted to the loops. */
    rpc_channel_destroy(service->channel);
    server_destroy(service->server);
    board_destroy(service->board);
    metrics_destroy(service->metrics);
    free(service);
}
