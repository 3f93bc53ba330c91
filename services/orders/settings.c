#include "settings.h"

#include "log/log.h"

#include <inttypes.h>
#include <string.h>

#define DRAIN_MS_MAX     600000
#define SLOW_WAIT_MS_MAX 60000

static const struct config_setting table[] = {
    CONFIG_URL_REQUIRED(struct settings, database_url, "DATABASE_URL",
                        "Where PostgreSQL is: a URL or key=value pairs."),
    CONFIG_SECRET(struct settings, admin_token, "STAMPEDE_ADMIN_TOKEN", SETTINGS_TOKEN_CHARS, 512,
                  "What administrators send as \"authorization: Bearer <token>\"; without it "
                  "administration is closed."),
    CONFIG_INT(struct settings, pool_size, "ORDERS_POOL_SIZE", "5", 1, SETTINGS_POOL_MAX,
               "connections",
               "Connections to PostgreSQL: one for reads and administration, the others for "
               "orders."),
    CONFIG_ADDRESS(struct settings, grpc_address, "ORDERS_GRPC_ADDR", "127.0.0.1:50051",
                   "Where gRPC is served."),
    CONFIG_ADDRESS(struct settings, ops_address, "ORDERS_OPS_ADDR", "127.0.0.1:9102",
                   "Where /livez, /readyz, /metrics and /limits are served."),
    CONFIG_INT(struct settings, queue_max, "ORDERS_QUEUE_MAX", "20000", 2, 1000000, "orders",
               "Orders that may wait for a connection, half of them in one sale; as many "
               "confirmations and cancellations."),
    CONFIG_INT(struct settings, events_max_age_s, "ORDERS_EVENTS_MAX_AGE_S", "604800", 60, 31536000,
               "seconds", "How long the events of orders can be read before they are deleted."),
    CONFIG_DURATION_MS(struct settings, slow_wait_ms, "ORDERS_SLOW_WAIT_MS", "250", 1,
                       SLOW_WAIT_MS_MAX,
                       "Waits for a connection or for a sale's lock that are longer are logged."),
    CONFIG_DURATION_MS(struct settings, drain_timeout_ms, "ORDERS_DRAIN_TIMEOUT_MS", "10000", 0,
                       DRAIN_MS_MAX,
                       "How long a drain works off what waits before it refuses the rest; what is "
                       "being decided then may take 7 s more, its callers are not waited for."),
    CONFIG_DURATION_MS(struct settings, drain_pause_ms, "ORDERS_DRAIN_PAUSE_MS", "0", 0,
                       DRAIN_MS_MAX,
                       "How long a drain goes on serving after it has said that it stops, so that "
                       "balancers notice."),
    CONFIG_CHOICE(struct settings, log_level, "LOG_LEVEL", "info", log_level_names,
                  "The least important events that are logged."),
    CONFIG_CHOICE(struct settings, log_format, "LOG_FORMAT", "auto", log_format_names,
                  "How events are written; auto is text on a terminal and JSON elsewhere."),
};

/* The connections at work must find as many orders waiting, or some of them are never used. */
#define WAITING_A_CONNECTION_MIN 2

static void check(const void *data, struct config_problems *problems)
{
    const struct settings *settings = data;
    if (settings->queue_max < WAITING_A_CONNECTION_MIN * settings->pool_size) {
        config_problems_add(problems, "ORDERS_QUEUE_MAX",
                            "must be at least twice ORDERS_POOL_SIZE (%" PRId64 ")",
                            settings->pool_size);
    }
    if (settings->ops_address.port != 0 &&
        strcmp(settings->ops_address.text, settings->grpc_address.text) == 0) {
        config_problems_add(problems, "ORDERS_OPS_ADDR",
                            "must not be ORDERS_GRPC_ADDR: each needs an address of its own");
    }
}

const struct config_program settings_program = {
    .name = SETTINGS_PROGRAM,
    .version = STAMPEDE_VERSION,
    .summary = "Decides and remembers the orders of flash sales; serves gRPC.",
    .prefix = "ORDERS_",
    .settings = table,
    .settings_count = COUNT_OF(table),
    .check = check,
};
