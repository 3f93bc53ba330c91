#include "service.h"

#include "announcer.h"
#include "base/clock.h"
#include "board_side.h"
#include "checks.h"
#include "drain.h"
#include "duties.h"
#include "gauges.h"
#include "limits.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "observe.h"
#include "ops/ops_limits.h"
#include "ops/ops_process.h"
#include "ops/ops_server.h"
#include "ops/port_owner.h"
#include "orders/adapters/grpc/access.h"
#include "orders/adapters/grpc/calls.h"
#include "orders/adapters/grpc/ops_service.h"
#include "orders/adapters/grpc/order_service.h"
#include "orders/adapters/grpc/sale_service.h"
#include "orders/adapters/system/system_posix.h"
#include "orders/lanes/workers.h"
#include "pool_gauges.h"
#include "pool_view.h"
#include "reports.h"
#include "rpc/core.h"
#include "rpc/health.h"
#include "rpc/reflection.h"
#include "rpc/server.h"
#include "settings.h"
#include "status.h"
#include "stores.h"
#include "waits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct service {
    const struct settings *settings;
    struct drain *drain;
    struct metrics *metrics;
    struct observe observe;
    struct waits waits;
    struct reports reports;
    struct pool_view pool_view;
    struct stores stores;
    struct lanes *lanes;
    struct duties duties;
    struct workers *workers; /* while they run */
    struct access access;
    struct calls calls;
    struct board_side board_side;
    struct ops_service ops_service;
    struct announcer announcer;
    struct rpc_reflection *reflection;
    struct rpc_server *server;
    bool server_runs;
    struct pool_gauges pool_gauges;
    struct gauges gauges;
    struct status status;
    struct checks checks;
    struct ops_limits limits;
    struct ops_server *ops;
};

/* --- Making ---------------------------------------------------------------------------------- */

static int make_lanes(struct service *service)
{
    const struct lanes_config config = {
        .queue_max = (size_t)service->settings->queue_max,
        .changes_max = (size_t)service->settings->queue_max,
        .acts_max = LIMITS_ACTS_MAX,
        .jobs_max = LIMITS_JOBS_MAX,
        .lanes_max = LIMITS_LANES_MAX,
        .batch_max = LANES_BATCH_MAX,
        .system = &system_posix,
    };
    return lanes_create(&config, &service->lanes);
}

static int make_calls(struct service *service)
{
    const struct calls_config config = {
        .lanes = service->lanes,
        .system = &system_posix,
        .access = &service->access,
        .call_ns_max = LIMITS_CALL_MS * CLOCK_NS_PER_MS,
        .transaction_ns_max = LIMITS_TRANSACTION_MS * CLOCK_NS_PER_MS,
        .unknown_retry_ms = LIMITS_UNKNOWN_RETRY_MS,
        .observer = {.data = &service->reports,
                     .on_orders = reports_on_orders,
                     .on_refused = reports_on_refused},
    };
    access_init(&service->access, service->settings->admin_token);
    return calls_init(&service->calls, &config);
}

static int add_services(struct service *service)
{
    service->ops_service = (struct ops_service){
        .version = STAMPEDE_VERSION,
        .limits = &service->limits,
        .data = &service->status,
        .begin_drain = status_begin_drain,
        .read = status_read,
    };
    int error = board_side_add(&service->board_side, service->server);
    if (error == 0) {
        error = order_service_add(service->server, &service->calls);
    }
    if (error == 0) {
        error = sale_service_add(service->server, &service->calls);
    }
    if (error == 0) {
        error = ops_service_add(service->server, &service->ops_service);
    }
    if (error == 0) {
        error = rpc_health_add_to(service->announcer.health, service->server);
    }
    if (error == 0) {
        error = rpc_reflection_add_to(service->reflection, service->server);
    }
    return error;
}

static void on_core_error(const char *text, void *data)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(1000);
    (void)data;
    log_event_limited(&limit, LOG_WARN, "grpc_core", LOG_STR("message", text));
}

static int make_server(struct service *service)
{
    const struct rpc_server_config config = {
        .address = service->settings->grpc_address.text,
        .threads = LIMITS_RPC_THREADS,
        .calls_max = LIMITS_CALLS_MAX,
        .message_bytes_max = LIMITS_MESSAGE_BYTES_MAX,
        .call_arena_bytes_max = LIMITS_CALL_ARENA_BYTES,
        .admit = reports_admit,
        .observe = reports_on_rpc,
        .overload_retry_ms = reports_overload_retry_ms,
        .data = &service->reports,
        .error_domain = "stampede",
        .overloaded_reason = "OVERLOADED",
        .malformed_reason = "INVALID_FIELD",
        .unimplemented_reason = "METHOD_UNIMPLEMENTED",
        .connection_age_max_ms = LIMITS_CONNECTION_AGE_MS,
    };
    rpc_core_on_log(on_core_error, NULL);
    int error = rpc_server_create(&config, &service->server);
    return error == 0 ? add_services(service) : error;
}

static int make_ops(struct service *service)
{
    struct ops_check ready[CHECKS_READY], live[CHECKS_LIVE];
    const struct ops_server_config config = {
        .host = service->settings->ops_address.host,
        .port = service->settings->ops_address.port,
        .metrics = service->metrics,
        .limits = &service->limits,
        .checks = ready,
        .checks_count = COUNT_OF(ready),
        .live_checks = live,
        .live_checks_count = COUNT_OF(live),
    };
    checks_list(&service->checks, ready, live);
    gauges_register(&service->gauges, service->settings, &service->limits, service->metrics);
    int error = ops_server_create(&config, &service->ops);
    if (error == 0) {
        ops_server_register(service->ops);
    }
    return error;
}

static double draining_seconds(void *data)
{
    const struct service *service = data;
    return (double)drain_elapsed_ms(service->drain) * 1e-3;
}

static int make_metrics(struct service *service)
{
    service->metrics = metrics_create();
    if (service->metrics == NULL) {
        return -ENOMEM;
    }
    ops_process_register(service->metrics);
    metrics_gauge_callback(service->metrics, "stampede_draining_seconds",
                           "How long the program has been draining; 0 while it serves.", NULL,
                           draining_seconds, service);
    waits_init(&service->waits, service->metrics, service->settings->slow_wait_ms);
    return observe_init(&service->observe, service->metrics, STAMPEDE_VERSION);
}

/* Who knows whom; what is named here is made by the functions around. */
static void introduce(struct service *service)
{
    service->reports = (struct reports){
        .access = &service->access,
        .observe = &service->observe,
        .drain = service->drain,
        .waits = &service->waits,
        .pool_view = &service->pool_view,
        .duties = &service->duties,
    };
    service->status = (struct status){
        .gauges = &service->gauges,
        .pool = &service->pool_gauges,
        .pool_view = &service->pool_view,
        .drain = service->drain,
    };
    service->checks = (struct checks){
        .pool_view = &service->pool_view,
        .drain = service->drain,
        .duties = &service->duties,
    };
}

/* The database's side: what waits for connections, and the connections. */
static int make_pool(struct service *service)
{
    const struct duties_config duties = {
        .settings = service->settings,
        .on_pruned = reports_on_pruned,
        .data = &service->reports,
    };
    int error = make_lanes(service);
    service->reports.lanes = service->lanes;
    if (error == 0) {
        error = duties_init(&service->duties, service->lanes, &duties);
    }
    if (error == 0) {
        error = pool_view_init(&service->pool_view, service->lanes, &service->observe,
                               &service->waits, (size_t)service->settings->pool_size,
                               announcer_update, &service->announcer);
    }
    if (error == 0) {
        error = stores_init(&service->stores, service->settings, &service->pool_view);
    }
    return error;
}

/* The callers' side. */
static int make_front(struct service *service)
{
    int error = make_calls(service);
    if (error == 0) {
        error = board_side_init(&service->board_side, &service->calls, service->lanes);
    }
    if (error == 0) {
        error = announcer_init(&service->announcer, service->drain, &service->pool_view);
    }
    if (error == 0) {
        error = rpc_reflection_create(&service->reflection);
    }
    if (error == 0) {
        error = make_server(service);
    }
    return error;
}

static int make_all(struct service *service)
{
    int error = make_metrics(service);
    if (error == 0) {
        error = make_pool(service);
    }
    if (error == 0) {
        error = make_front(service);
    }
    if (error == 0) {
        service->pool_gauges =
            (struct pool_gauges){.lanes = service->lanes, .waits = &service->waits};
        service->gauges = (struct gauges){
            .lanes = service->lanes,
            .pool = &service->pool_gauges,
            .server = service->server,
            .board_side = &service->board_side,
            .session_watch = &service->duties.session_watch,
        };
        service->checks.server = service->server;
        error = make_ops(service);
    }
    return error == 0 && !metrics_is_complete(service->metrics) ? -ENOMEM : error;
}

int service_create(const struct settings *settings, struct drain *drain, struct service **ret)
{
    struct service *service = calloc(1, sizeof(*service));
    if (service == NULL) {
        log_event(LOG_ERROR, "cannot_start", LOG_STR("message", strerror(ENOMEM)));
        return -ENOMEM;
    }
    service->settings = settings;
    service->drain = drain;
    introduce(service);
    int error = make_all(service);
    if (error < 0) {
        log_event(LOG_ERROR, "cannot_start", LOG_STR("message", strerror(-error)));
        service_destroy(service);
        return error;
    }
    *ret = service;
    return 0;
}

/* --- Starting -------------------------------------------------------------------------------- */

static void log_limits(const struct ops_limits *limits)
{
    for (size_t i = 0; i < limits->count; i++) {
        const struct ops_limit *limit = &limits->items[i];
        log_event(LOG_INFO, "limit", LOG_STR("name", limit->name), LOG_INT("limit", limit->limit),
                  LOG_STR("unit", limit->unit), LOG_STR("setting", limit->setting));
    }
}

/* Nothing is connected yet: how many are tried for, and how long work waits for one. */
static void log_pool(const struct settings *settings)
{
    log_event(LOG_INFO, "pool_starting", LOG_INT("size", settings->pool_size),
              LOG_INT("connecting", settings->pool_size), LOG_INT("wait_ms_max", LIMITS_CALL_MS),
              LOG_INT("slow_wait_ms", settings->slow_wait_ms));
}

/* Says why a listener could not be had; an address that is taken is told with its owner. */
static void log_cannot_listen(const struct config_address *address, const char *setting, int error)
{
    char text[PORT_OWNER_TEXT_BYTES_MAX];
    struct port_owner owner;

    if (error == -EADDRINUSE && port_owner_find(address->port, &owner) != -ENOENT) {
        port_owner_describe(address->text, address->port, text);
    } else {
        snprintf(text, sizeof(text), "cannot listen on %.100s: %s", address->text,
                 error == -EADDRINUSE ? "the address cannot be bound" : strerror(-error));
    }
    log_event(LOG_ERROR, "cannot_listen", LOG_STR("message", text), LOG_STR("setting", setting));
}

/* The duties' thread is there before the workers, who tell it what they did. */
static int start_threads(struct service *service)
{
    const struct workers_config config = {
        .lanes = service->lanes,
        .system = &system_posix,
        .stores = service->stores.all,
        .count = service->stores.count,
        .transaction_ns_max = LIMITS_TRANSACTION_MS * CLOCK_NS_PER_MS,
        .decision_ns_max = LIMITS_DECISION_MS * CLOCK_NS_PER_MS,
        .observer = {.data = &service->reports,
                     .on_taken = reports_on_taken,
                     .on_batch = reports_on_batch,
                     .on_settled = reports_on_settled,
                     .on_swept = reports_on_swept,
                     .on_connection = reports_on_connection},
    };
    int error = duties_start(&service->duties, service->board_side.board, &service->announcer);
    if (error == 0) {
        error = workers_start(&config, &service->workers);
    }
    if (error < 0) {
        log_event(LOG_ERROR, "cannot_start", LOG_STR("message", strerror(-error)));
        return error;
    }
    service->pool_gauges.workers = service->workers;
    service->checks.workers = service->workers;
    return 0;
}

int service_start(struct service *service)
{
    uint16_t ops_port = 0;
    int grpc_port = 0;

    log_limits(&service->limits);
    log_pool(service->settings);
    int error = start_threads(service);
    if (error < 0) {
        return error;
    }
    error = ops_server_start(service->ops, &ops_port);
    if (error < 0) {
        log_cannot_listen(&service->settings->ops_address, "ORDERS_OPS_ADDR", error);
        return error;
    }
    error = rpc_server_start(service->server, &grpc_port);
    if (error < 0) {
        log_cannot_listen(&service->settings->grpc_address, "ORDERS_GRPC_ADDR", error);
        return error;
    }
    service->server_runs = true;
    log_event(LOG_INFO, "listening", LOG_STR("grpc_host", service->settings->grpc_address.host),
              LOG_INT("grpc_port", grpc_port),
              LOG_STR("ops_host", service->settings->ops_address.host),
              LOG_UINT("ops_port", ops_port));
    return 0;
}

/* --- Draining and stopping ------------------------------------------------------------------- */

static void sleep_ms(int64_t ms)
{
    system_posix.sleep_ns(system_posix.data, ms * CLOCK_NS_PER_MS);
}

static bool has_work(struct service *service)
{
    struct lanes_stats stats = lanes_stats(service->lanes);
    return stats.orders_waiting + stats.orders_deciding + stats.changes_waiting +
               stats.acts_waiting + stats.jobs_waiting + stats.workers_busy >
           0;
}

/* Ends the threads that work, after the last call has been finished. */
static void stop_workers(struct service *service)
{
    lanes_stop(service->lanes);
    workers_join(service->workers);
    service->workers = NULL;
    duties_stop(&service->duties);
}

/* Everything stops in the order in which calls flow; the ops listener tells of it until the end. */
static unsigned stop_all(struct service *service, int64_t deadline_ns)
{
    unsigned cancelled = 0;
    if (service->server_runs) {
        cancelled = rpc_server_stop(service->server, deadline_ns);
        service->server_runs = false;
    }
    ops_server_stop(service->ops);
    stop_workers(service);
    return cancelled;
}

void service_run(struct service *service)
{
    const struct settings *settings = service->settings;

    drain_wait(service->drain);
    log_event(LOG_INFO, "draining", LOG_INT("pause_ms", settings->drain_pause_ms),
              LOG_INT("timeout_ms", settings->drain_timeout_ms));
    announcer_update(&service->announcer);
    sleep_ms(settings->drain_pause_ms);
    int64_t deadline_ns = clock_deadline_in_ms(settings->drain_timeout_ms);
    lanes_drain(service->lanes);
    while (has_work(service) && clock_monotonic_ns() < deadline_ns) {
        sleep_ms(LIMITS_DRAIN_LOOK_MS);
    }
    if (has_work(service)) {
        lanes_cut(service->lanes);
        deadline_ns = clock_deadline_in_ms(LIMITS_DRAIN_REPLIES_MS);
    }
    unsigned cancelled = stop_all(service, deadline_ns);
    /* Whoever was told DRAINING was answered too; an answer that nobody took counts as cancelled.
     */
    log_event(LOG_INFO, "stopped", LOG_INT("finished", drain_answered(service->drain)),
              LOG_INT("refused", drain_refused(service->drain)), LOG_UINT("cancelled", cancelled),
              LOG_INT("elapsed_ms", drain_elapsed_ms(service->drain)));
}

void service_destroy(struct service *service)
{
    if (service == NULL) {
        return;
    }
    if (service->workers != NULL) {
        stop_all(service, 0); /* it did not start; nobody can have been promised anything */
    }
    duties_stop(&service->duties); /* when the workers did not start */
    ops_server_destroy(service->ops);
    rpc_server_destroy(service->server);
    rpc_reflection_destroy(service->reflection);
    announcer_fini(&service->announcer);
    calls_fini(&service->calls);
    stores_fini(&service->stores);
    pool_view_fini(&service->pool_view);
    board_side_fini(&service->board_side);
    duties_fini(&service->duties);
    lanes_destroy(service->lanes);
    observe_fini(&service->observe);
    metrics_destroy(service->metrics);
    free(service);
}
