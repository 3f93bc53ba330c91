#include "service.h"

#include "base/clock.h"
#include "board_side.h"
#include "drain.h"
#include "gauges.h"
#include "janitor.h"
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
#include "orders/adapters/postgres/store_postgres.h"
#include "orders/adapters/system/system_posix.h"
#include "orders/board/board.h"
#include "orders/lanes/pruner.h"
#include "orders/lanes/session_watch.h"
#include "orders/lanes/sweeper.h"
#include "orders/lanes/workers.h"
#include "pool_view.h"
#include "rpc/core.h"
#include "rpc/health.h"
#include "rpc/reflection.h"
#include "rpc/server.h"
#include "settings.h"
#include "waits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_US 1000

/* With its NUL; PostgreSQL keeps 63 characters. */
#define SESSION_NAME_BYTES 64

struct service {
    const struct settings *settings;
    struct drain *drain;
    struct metrics *metrics;
    struct observe observe;
    struct waits waits;
    struct pool_view pool_view;
    struct store *stores;                      /* settings->pool_size of them */
    char (*session_names)[SESSION_NAME_BYTES]; /* theirs */
    struct lanes *lanes;
    struct sweeper *sweeper;
    struct pruner pruner;
    struct session_watch session_watch;
    bool has_session_watch;
    struct janitor *janitor; /* from before the workers run until after */
    struct workers *workers; /* while they run */
    struct access access;
    struct calls calls;
    struct board_side board_side;
    struct ops_service ops_service;
    struct rpc_health *health;
    struct rpc_reflection *reflection;
    struct rpc_server *server;
    bool server_runs;
    struct gauges gauges;
    struct ops_limits limits;
    struct ops_server *ops;
    pthread_mutex_t health_lock; /* whoever sets the health looks at the world under it */
    int64_t announce_ns;         /* when calls are asked for, whether there is a database or not */
    bool announced;              /* under health_lock */
};

/*
 * The services whose health is told. The whole server (the empty name) serves until it drains: what
 * balances calls looks at that, for without a database a refusal with its reason is still the best
 * answer. It begins when the database is there, so that a replica that is being restarted takes no
 * call from one that could answer it; or LIMITS_ANNOUNCE_MS after the start, for then nobody may
 * have a database. Who asks for a service by name hears whether its calls can do their work.
 */
static const struct {
    const char *name;
    enum { NEEDS_NOTHING, NEEDS_BEGINNING, NEEDS_DATABASE } needs;
} health_names[] = {
    {"", NEEDS_BEGINNING},
    {"stampede.ops.v1.OpsService", NEEDS_NOTHING},
    {"stampede.sales.v1.SaleService", NEEDS_DATABASE},
    {"stampede.orders.v1.OrderService", NEEDS_DATABASE},
};

/* --- What others tell the service ------------------------------------------------------------ */

static void update_health(void *data)
{
    struct service *service = data;
    pthread_mutex_lock(&service->health_lock);
    bool stays = !drain_has_begun(service->drain);
    bool has_database = pool_view_is_serving(&service->pool_view);
    service->announced =
        service->announced || has_database || clock_monotonic_ns() >= service->announce_ns;
    const bool is_met[] = {
        [NEEDS_NOTHING] = true,
        [NEEDS_BEGINNING] = service->announced,
        [NEEDS_DATABASE] = has_database,
    };
    for (size_t i = 0; i < COUNT_OF(health_names); i++) {
        bool serves = stays && is_met[health_names[i].needs];
        /* Every name was set at the start, so there is nothing left to allocate. */
        CHECK(rpc_health_set(service->health, health_names[i].name, serves) == 0);
    }
    pthread_mutex_unlock(&service->health_lock);
}

/* The janitor's duty at the start: announces a program that found no database. */
static int64_t announce_tick(void *data, int64_t now_ns)
{
    struct service *service = data;
    if (now_ns < service->announce_ns) {
        return service->announce_ns;
    }
    update_health(service);
    return CLOCK_DEADLINE_NEVER;
}

static bool admit(struct rpc_call *call, struct rpc_status *ret_refusal, void *data)
{
    const struct service *service = data;
    if (access_admit(&service->access, call, ret_refusal)) {
        return true;
    }
    observe_refused(&service->observe, ret_refusal->reason);
    return false;
}

/* Health checks and the program's own questions are no work that a drain accounts for. */
static bool is_work(const char *full_method)
{
    return strncmp(full_method, "/stampede.orders.", 17) == 0 ||
           strncmp(full_method, "/stampede.sales.", 16) == 0;
}

static void on_rpc(const char *full_method, enum rpc_code code, int64_t duration_ns, void *data)
{
    struct service *service = data;
    observe_rpc(&service->observe, full_method, code, duration_ns);
    if (is_work(full_method) && code != RPC_CANCELLED) {
        drain_note_answered(service->drain);
    }
}

static void on_orders(void *data, const size_t counts[VERDICT_COUNT])
{
    struct service *service = data;
    observe_orders(&service->observe, counts);
    if (counts[VERDICT_DRAINING] > 0) {
        drain_note_refused(service->drain);
    }
}

static void on_refused(void *data, const char *reason)
{
    struct service *service = data;
    observe_refused(&service->observe, reason);
    if (strcmp(reason, verdict_name(VERDICT_DRAINING)) == 0) {
        drain_note_refused(service->drain);
    }
}

static void on_taken(void *data, const struct lane_task *task)
{
    struct service *service = data;
    waits_on_taken(&service->waits, task);
}

static void on_batch(void *data, const struct lane_task *task, int64_t duration_ns)
{
    const struct service *service = data;
    observe_batch(&service->observe, task->count, duration_ns);
}

static void on_settled(void *data, const struct lane_task *task, int64_t duration_ns)
{
    const struct service *service = data;
    size_t counts[VERDICT_COUNT] = {0};
    for (size_t i = 0; i < task->count; i++) {
        counts[task->changes[i]->item.verdict]++;
    }
    observe_settled(&service->observe, counts, duration_ns);
}

static void on_swept(void *data, size_t expired, int32_t matured)
{
    struct service *service = data;
    observe_swept(&service->observe, expired, matured);
    if (expired > 0) {
        sweeper_hurry(service->sweeper);
        janitor_wake(service->janitor);
    }
}

static void on_pruned(void *data, size_t count)
{
    const struct service *service = data;
    observe_pruned(&service->observe, count);
}

static void on_connection(void *data, size_t worker, bool connected)
{
    struct service *service = data;
    pool_view_on_connection(&service->pool_view, worker, connected);
}

static void on_core_error(const char *text, void *data)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(1000);
    (void)data;
    log_event_limited(&limit, LOG_WARN, "grpc_core", LOG_STR("message", text));
}

static void begin_drain(void *data)
{
    const struct service *service = data;
    drain_begin(service->drain);
}

static void read_status(void *data, struct ops_service_reading *ret)
{
    struct service *service = data;
    struct waits_sum waits = waits_sum(&service->waits);
    *ret = (struct ops_service_reading){
        .ready = !drain_has_begun(service->drain) && pool_view_is_serving(&service->pool_view),
        .draining = drain_has_begun(service->drain),
        .pool = workers_stats(service->workers),
        .pool_waiting = gauges_pool_waiting(&service->gauges),
        .waits_count = (int64_t)waits.count,
        .waits_total_us = (int64_t)(waits.total_ns / NS_PER_US),
        .lanes = lanes_stats(service->lanes),
        .calls_in_flight = rpc_server_calls_in_flight(service->server),
        .orders_in_flight = gauges_orders_in_flight(&service->gauges),
        .sale_streams = gauges_sale_streams(&service->gauges),
        .event_streams = gauges_event_streams(&service->gauges),
        .connections = (int64_t)rpc_core_server_connections(),
        .calls_refused = drain_refused(service->drain),
        .drain_elapsed_ms = drain_elapsed_ms(service->drain),
    };
    ret->has_sessions = gauges_sessions(&service->gauges, &ret->sessions, &ret->sessions_age_ms);
}

/* --- Readiness ------------------------------------------------------------------------------- */

static bool is_database_ready(void *data, char *ret_reason, size_t reason_bytes)
{
    struct service *service = data;
    return pool_view_explain(&service->pool_view, ret_reason, reason_bytes);
}

static bool is_not_draining(void *data, char *ret_reason, size_t reason_bytes)
{
    const struct service *service = data;
    if (!drain_has_begun(service->drain)) {
        return true;
    }
    snprintf(ret_reason, reason_bytes, "draining for %" PRId64 " ms",
             drain_elapsed_ms(service->drain));
    return false;
}

/* --- Liveness -------------------------------------------------------------------------------- */

static bool is_turning(int64_t turn_ns, int64_t turn_ms_max, char *ret_reason, size_t reason_bytes)
{
    if (turn_ns <= turn_ms_max * CLOCK_NS_PER_MS) {
        return true;
    }
    snprintf(ret_reason, reason_bytes, "no turn for %" PRId64 " s", turn_ns / CLOCK_NS_PER_SECOND);
    return false;
}

static bool is_janitor_turning(void *data, char *ret_reason, size_t reason_bytes)
{
    const struct service *service = data;
    return is_turning(janitor_turn_ns(service->janitor), LIMITS_JANITOR_TURN_MS, ret_reason,
                      reason_bytes);
}

static bool are_workers_turning(void *data, char *ret_reason, size_t reason_bytes)
{
    const struct service *service = data;
    return is_turning(workers_stats(service->workers).longest_turn_ns, LIMITS_WORKER_TURN_MS,
                      ret_reason, reason_bytes);
}

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

/* What the janitor sees to. */
static int make_duties(struct service *service)
{
    const struct sweeper_config sweeper = {
        .lanes = service->lanes,
        .system = &system_posix,
        .interval_ns = LIMITS_SWEEP_INTERVAL_MS * CLOCK_NS_PER_MS,
        .lease_ns = (CONTRACT_BOARD_LEASE_MS + LIMITS_LEASE_MARGIN_MS) * CLOCK_NS_PER_MS,
        .transaction_ns_max = LIMITS_TRANSACTION_MS * CLOCK_NS_PER_MS,
    };
    const struct pruner_config pruner = {
        .lanes = service->lanes,
        .system = &system_posix,
        .interval_ns = LIMITS_PRUNE_INTERVAL_MS * CLOCK_NS_PER_MS,
        .age_us = service->settings->events_max_age_s * INT64_C(1000000),
        .transaction_ns_max = LIMITS_TRANSACTION_MS * CLOCK_NS_PER_MS,
        .data = service,
        .on_pruned = on_pruned,
    };
    const struct session_watch_config sessions = {
        .lanes = service->lanes,
        .system = &system_posix,
        .interval_ns = LIMITS_SESSIONS_INTERVAL_MS * CLOCK_NS_PER_MS,
        .transaction_ns_max = LIMITS_TRANSACTION_MS * CLOCK_NS_PER_MS,
    };
    pruner_init(&service->pruner, &pruner);
    session_watch_init(&service->session_watch, &sessions);
    service->has_session_watch = true;
    return sweeper_create(&sweeper, &service->sweeper);
}

/* Says in pg_stat_activity what a connection is for. */
static void name_session(size_t index, size_t count, char ret_name[SESSION_NAME_BYTES])
{
    if (count == 1) {
        snprintf(ret_name, SESSION_NAME_BYTES, SETTINGS_PROGRAM);
    } else if (index == 0) {
        snprintf(ret_name, SESSION_NAME_BYTES, SETTINGS_PROGRAM " reads");
    } else {
        snprintf(ret_name, SESSION_NAME_BYTES, SETTINGS_PROGRAM " orders %zu", index);
    }
}

static int make_stores(struct service *service)
{
    size_t count = (size_t)service->settings->pool_size;
    struct store_postgres_config config = {
        .conninfo = service->settings->database_url,
        .lock_timeout_ms = LIMITS_LOCK_MS,
        .statement_timeout_ms = LIMITS_STATEMENT_MS,
        .idle_in_transaction_timeout_ms = LIMITS_IDLE_IN_TRANSACTION_MS,
        .tcp_user_timeout_ms = LIMITS_TCP_USER_MS,
        .system = &system_posix,
        .observer = {.on_error = pool_view_on_error,
                     .on_connected = pool_view_on_connected,
                     .on_loaded = pool_view_on_loaded},
    };
    service->stores = calloc(count, sizeof(*service->stores));
    service->session_names = calloc(count, sizeof(*service->session_names));
    if (service->stores == NULL || service->session_names == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        name_session(i, count, service->session_names[i]);
        config.application_name = service->session_names[i];
        config.observer.data = pool_view_store_data(&service->pool_view, i);
        int error = store_postgres_create(&config, &service->stores[i]);
        if (error < 0) {
            return error;
        }
    }
    return 0;
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
        .observer = {.data = service, .on_orders = on_orders, .on_refused = on_refused},
    };
    access_init(&service->access, service->settings->admin_token);
    return calls_init(&service->calls, &config);
}

static int make_health(struct service *service)
{
    int error = rpc_health_create(&service->health);
    if (error == 0) {
        error = rpc_reflection_create(&service->reflection);
    }
    for (size_t i = 0; error == 0 && i < COUNT_OF(health_names); i++) {
        error = rpc_health_set(service->health, health_names[i].name,
                               health_names[i].needs == NEEDS_NOTHING);
    }
    return error;
}

static int add_services(struct service *service)
{
    service->ops_service = (struct ops_service){
        .version = STAMPEDE_VERSION,
        .limits = &service->limits,
        .data = service,
        .begin_drain = begin_drain,
        .read = read_status,
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
        error = rpc_health_add_to(service->health, service->server);
    }
    if (error == 0) {
        error = rpc_reflection_add_to(service->reflection, service->server);
    }
    return error;
}

static int make_server(struct service *service)
{
    const struct rpc_server_config config = {
        .address = service->settings->grpc_address.text,
        .threads = LIMITS_RPC_THREADS,
        .calls_max = LIMITS_CALLS_MAX,
        .message_bytes_max = LIMITS_MESSAGE_BYTES_MAX,
        .call_arena_bytes_max = LIMITS_CALL_ARENA_BYTES,
        .admit = admit,
        .observe = on_rpc,
        .data = service,
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
    const struct ops_check checks[] = {
        {.name = "database", .is_ready = is_database_ready, .data = service},
        {.name = "serving", .is_ready = is_not_draining, .data = service},
    };
    const struct ops_check live_checks[] = {
        {.name = "workers", .is_ready = are_workers_turning, .data = service},
        {.name = "janitor", .is_ready = is_janitor_turning, .data = service},
    };
    const struct ops_server_config config = {
        .host = service->settings->ops_address.host,
        .port = service->settings->ops_address.port,
        .metrics = service->metrics,
        .limits = &service->limits,
        .checks = checks,
        .checks_count = COUNT_OF(checks),
        .live_checks = live_checks,
        .live_checks_count = COUNT_OF(live_checks),
    };
    service->gauges.lanes = service->lanes;
    service->gauges.server = service->server;
    service->gauges.board_side = &service->board_side;
    service->gauges.session_watch = &service->session_watch;
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

static int make_all(struct service *service)
{
    int error = make_metrics(service);
    if (error == 0) {
        error = make_lanes(service);
    }
    if (error == 0) {
        error = make_duties(service);
    }
    if (error == 0) {
        error =
            pool_view_init(&service->pool_view, service->lanes, &service->observe, &service->waits,
                           (size_t)service->settings->pool_size, update_health, service);
    }
    if (error == 0) {
        error = make_stores(service);
    }
    if (error == 0) {
        error = make_calls(service);
    }
    if (error == 0) {
        error = board_side_init(&service->board_side, &service->calls, service->lanes);
    }
    if (error == 0) {
        error = make_health(service);
    }
    if (error == 0) {
        error = make_server(service);
    }
    if (error == 0) {
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
    pthread_mutex_init(&service->health_lock, NULL);
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

/* Before the workers, who tell it what they did. */
static int start_janitor(struct service *service)
{
    const struct janitor_duty duties[] = {
        {.tick = sweeper_tick, .data = service->sweeper},
        {.tick = pruner_tick, .data = &service->pruner},
        {.tick = session_watch_tick, .data = &service->session_watch},
        {.tick = board_tick, .data = service->board_side.board},
        {.tick = announce_tick, .data = service},
    };
    service->announce_ns = clock_deadline_in_ms(LIMITS_ANNOUNCE_MS);
    int error = janitor_start(duties, COUNT_OF(duties), &service->janitor);
    if (error < 0) {
        log_event(LOG_ERROR, "cannot_start", LOG_STR("message", strerror(-error)));
    }
    return error;
}

static int start_workers(struct service *service)
{
    const struct workers_config config = {
        .lanes = service->lanes,
        .system = &system_posix,
        .stores = service->stores,
        .count = (size_t)service->settings->pool_size,
        .transaction_ns_max = LIMITS_TRANSACTION_MS * CLOCK_NS_PER_MS,
        .decision_ns_max = LIMITS_DECISION_MS * CLOCK_NS_PER_MS,
        .observer = {.data = service,
                     .on_taken = on_taken,
                     .on_batch = on_batch,
                     .on_settled = on_settled,
                     .on_swept = on_swept,
                     .on_connection = on_connection},
    };
    int error = workers_start(&config, &service->workers);
    if (error < 0) {
        log_event(LOG_ERROR, "cannot_start", LOG_STR("message", strerror(-error)));
        return error;
    }
    service->gauges.workers = service->workers;
    return 0;
}

int service_start(struct service *service)
{
    uint16_t ops_port = 0;
    int grpc_port = 0;

    log_limits(&service->limits);
    int error = start_janitor(service);
    if (error == 0) {
        error = start_workers(service);
    }
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
    janitor_stop(service->janitor);
    service->janitor = NULL;
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
    update_health(service);
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

static void destroy_stores(struct service *service)
{
    for (size_t i = 0; service->stores != NULL && i < (size_t)service->settings->pool_size; i++) {
        store_postgres_destroy(&service->stores[i]);
    }
    free(service->stores);
    free(service->session_names);
}

void service_destroy(struct service *service)
{
    if (service == NULL) {
        return;
    }
    if (service->workers != NULL) {
        stop_all(service, 0); /* it did not start; nobody can have been promised anything */
    }
    ops_server_destroy(service->ops);
    rpc_server_destroy(service->server);
    rpc_reflection_destroy(service->reflection);
    rpc_health_destroy(service->health);
    calls_fini(&service->calls);
    destroy_stores(service);
    pool_view_fini(&service->pool_view);
    janitor_stop(service->janitor); /* when the workers did not start */
    sweeper_destroy(service->sweeper);
    if (service->has_session_watch) {
        session_watch_fini(&service->session_watch);
    }
    board_side_fini(&service->board_side);
    lanes_destroy(service->lanes);
    observe_fini(&service->observe);
    metrics_destroy(service->metrics);
    pthread_mutex_destroy(&service->health_lock);
    free(service);
}
