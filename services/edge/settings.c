#include "settings.h"

#include "edge/limits.h"
#include "log/log.h"

#include <inttypes.h>
#include <string.h>

#define DRAIN_MS_MAX           600000
#define REQUEST_TIMEOUT_MS_MAX 120000
#define CONNECTIONS_MAX        1000000

static const struct config_setting table[] = {
    CONFIG_ADDRESS(struct settings, http_address, "EDGE_HTTP_ADDR", "127.0.0.1:8080",
                   "Where HTTP is served."),
    CONFIG_ADDRESS(struct settings, ops_address, "EDGE_OPS_ADDR", "127.0.0.1:9101",
                   "Where /livez, /readyz, /metrics and /limits are served."),
    CONFIG_STRING(struct settings, orders_target, "EDGE_ORDERS_TARGET", "127.0.0.1:50051", 1, 1024,
                  "The orders service as a gRPC target, e.g. dns:///orders:50051."),
    CONFIG_INT(struct settings, loops, "EDGE_LOOPS", "0", 0, EDGE_LOOPS_MAX, "loops",
               "Event loops, each a thread; 0 is one per two cores."),
    CONFIG_INT(struct settings, connections_max, "EDGE_CONNECTIONS_MAX", "16384", 1,
               CONNECTIONS_MAX, "connections",
               "HTTP connections open at a time; one more is answered 503 and closed. Lowered at "
               "start where the process may not open so many files."),
    CONFIG_BYTES(struct settings, body_bytes_max, "EDGE_MAX_BODY_BYTES", "16KiB", 1,
                 EDGE_BODY_BYTES_MAX, "The longest body of a request."),
    CONFIG_DURATION_MS(struct settings, request_timeout_ms, "EDGE_REQUEST_TIMEOUT_MS", "10000",
                       EDGE_CALL_LIFE_MS, REQUEST_TIMEOUT_MS_MAX,
                       "The time in which a request that was read is answered; not below the life "
                       "of a call to the orders service."),
    CONFIG_DURATION_MS(struct settings, drain_timeout_ms, "EDGE_DRAIN_TIMEOUT_MS", "15000", 0,
                       DRAIN_MS_MAX,
                       "How long a drain lets requests finish before it answers what is left."),
    CONFIG_DURATION_MS(struct settings, drain_pause_ms, "EDGE_DRAIN_PAUSE_MS", "0", 0, DRAIN_MS_MAX,
                       "How long a drain goes on serving after /readyz has said that it stops, so "
                       "that balancers notice."),
    CONFIG_BOOL(struct settings, speaks_http2, "EDGE_HTTP2", "off",
                "HTTP/2 without TLS beside HTTP/1.1. The packaged libh2o has no defence against "
                "rapid resets: only behind a proxy that has one."),
    CONFIG_CHOICE(struct settings, log_level, "LOG_LEVEL", "info", log_level_names,
                  "The least important events that are logged."),
    CONFIG_CHOICE(struct settings, log_format, "LOG_FORMAT", "auto", log_format_names,
                  "How events are written; auto is text on a terminal and JSON elsewhere."),
};

static void check(const void *data, struct config_problems *problems)
{
    const struct settings *settings = data;
    if (settings->connections_max < settings->loops) {
        config_problems_add(problems, "EDGE_CONNECTIONS_MAX",
                            "must be at least EDGE_LOOPS (%" PRId64
                            "): a loop without a connection has nothing to do",
                            settings->loops);
    }
    if (settings->ops_address.port != 0 &&
        strcmp(settings->ops_address.text, settings->http_address.text) == 0) {
        config_problems_add(problems, "EDGE_OPS_ADDR",
                            "must not be EDGE_HTTP_ADDR: each needs an address of its own");
    }
    if (settings->http_address.port != 0 &&
        strcmp(settings->orders_target, settings->http_address.text) == 0) {
        config_problems_add(problems, "EDGE_ORDERS_TARGET",
                            "must not be EDGE_HTTP_ADDR: the edge would call itself");
    }
}

const struct config_program settings_program = {
    .name = SETTINGS_PROGRAM,
    .version = STAMPEDE_VERSION,
    .summary = "Serves the HTTP/JSON API of flash sales and passes it on to the orders service.",
    .prefix = "EDGE_",
    .settings = table,
    .settings_count = COUNT_OF(table),
    .check = check,
};
