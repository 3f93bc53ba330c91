#include "edge/http/server.h"

#include "base/clock.h"
#include "contract/contract.h"
#include "edge/http/exchange.h"
#include "edge/http/http_metrics.h"
#include "edge/http/listener.h"
#include "edge/http/own_errors.h"
#include "edge/limits.h"
#include "edge/routes/routes.h"
#include "metrics/metrics.h"
#include "protojson/protojson.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* What libh2o takes for a host of any port. */
#define HOST_ANY_PORT 65535

#define PLACE_ORDER "/stampede.orders.v1.OrderService/PlaceOrder"

struct server {
    h2o_globalconf_t globalconf;
    bool has_globalconf;
    struct routes routes;
    struct protojson_schema *schema;
    struct http_metrics *metrics;
    atomic_size_t connections;
    struct loop_config loop_config;
    unsigned loops_made;
    struct loop loops[]; /* loop_config.loops of them */
};

/* One schema for every message that crosses the HTTP side. */
static int make_schema(struct server *server)
{
    const ProtobufCMessageDescriptor **messages =
        calloc(2 * contract_method_count, sizeof(const ProtobufCMessageDescriptor *));
    if (messages == NULL) {
        return -ENOMEM;
    }
    size_t count = 0;
    for (size_t i = 0; i < contract_method_count; i++) {
        if (contract_methods[i].route_count > 0) {
            messages[count++] = contract_methods[i].input;
            messages[count++] = contract_methods[i].output;
        }
    }
    int error = protojson_schema_create(messages, count, &server->schema);
    free(messages);
    return error;
}

static void configure_h2o(struct server *server, const struct server_config *config)
{
    h2o_globalconf_t *globalconf = &server->globalconf;
    h2o_config_init(globalconf);
    server->has_globalconf = true;
    globalconf->server_name = (h2o_iovec_t){NULL, 0};
    globalconf->max_request_entity_size = config->body_bytes_max + EDGE_BODY_SLACK_BYTES;
    globalconf->http1.req_timeout = EDGE_READ_TIMEOUT_MS;
    globalconf->http1.upgrade_to_http2 = config->speaks_http2;
    globalconf->http2.idle_timeout = EDGE_READ_TIMEOUT_MS;
    h2o_hostconf_t *host =
        h2o_config_register_host(globalconf, h2o_iovec_init(H2O_STRLIT("default")), HOST_ANY_PORT);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_handler_t *handler = h2o_create_handler(path, sizeof(*handler));
    handler->on_req = exchange_on_req;
    /* libh2o's own errors come up here. */
    own_errors_register(&host->fallback_path);
}

static int make_loops(struct server *server, int listener_fd)
{
    for (unsigned i = 0; i < server->loop_config.loops; i++) {
        int fd = fcntl(listener_fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            return -errno;
        }
        int error = loop_init(&server->loops[i], i, &server->loop_config, fd);
        if (error != 0) {
            return error;
        }
        server->loops_made++;
    }
    return 0;
}

static int make_parts(struct server *server, const struct server_config *config)
{
    if (routes_init(&server->routes, contract_methods, contract_method_count) != 0) {
        return -ENOTSUP;
    }
    int error = make_schema(server);
    if (error == 0) {
        error = http_metrics_create(config->metrics, &server->routes, &server->metrics);
    }
    if (error != 0) {
        return error;
    }
    configure_h2o(server, config);
    server->loop_config = (struct loop_config){
        .globalconf = &server->globalconf,
        .routes = &server->routes,
        .schema = server->schema,
        .place_order = contract_method_by_full_name(PLACE_ORDER),
        .metrics = server->metrics,
        .batch_sizes =
            metrics_histogram(config->metrics, "stampede_combined_orders",
                              "Orders in one BatchPlaceOrders call.", NULL, &metrics_bounds_sizes),
        .channel = config->channel,
        .board = config->board,
        .body_bytes_max = config->body_bytes_max,
        .request_timeout_ms = config->request_timeout_ms,
        .connections_max = config->connections_max,
        .loops = config->loops,
        .connections = &server->connections,
    };
    CHECK(server->loop_config.place_order != NULL);
    return 0;
}

int server_create(const struct server_config *config, struct server **ret, uint16_t *ret_port)
{
    CHECK(config->loops >= 1 && config->loops <= EDGE_LOOPS_MAX);
    int listener_fd;
    uint16_t port;
    int error = listener_open(config->host, config->port, &listener_fd, &port);
    if (error != 0) {
        return error;
    }
    size_t size = sizeof(struct server) + config->loops * sizeof(struct loop);
    struct server *server = calloc(1, size);
    error = server == NULL ? -ENOMEM : make_parts(server, config);
    if (error == 0) {
        error = make_loops(server, listener_fd);
    }
    (void)close(listener_fd);
    if (error != 0) {
        server_destroy(server);
        return error;
    }
    *ret = server;
    *ret_port = port;
    return 0;
}

int server_start(struct server *server)
{
    for (unsigned i = 0; i < server->loops_made; i++) {
        int error = loop_start(&server->loops[i]);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

void server_wake(struct server *server)
{
    for (unsigned i = 0; i < server->loops_made; i++) {
        loop_wake(&server->loops[i]);
    }
}

void server_command(struct server *server, enum loop_command command)
{
    for (unsigned i = 0; i < server->loops_made; i++) {
        loop_command(&server->loops[i], command);
    }
}

bool server_has_obeyed(const struct server *server, enum loop_command command)
{
    for (unsigned i = 0; i < server->loops_made; i++) {
        if (!loop_has_obeyed(&server->loops[i], command)) {
            return false;
        }
    }
    return true;
}

int64_t server_longest_turn_ns(const struct server *server)
{
    int64_t now = clock_monotonic_ns();
    int64_t longest = 0;
    for (unsigned i = 0; i < server->loops_made; i++) {
        int64_t turn = now - loop_turned_ns(&server->loops[i]);
        longest = turn > longest ? turn : longest;
    }
    return longest;
}

static size_t sum(const struct server *server, size_t (*of)(const struct loop *loop))
{
    size_t total = 0;
    for (unsigned i = 0; i < server->loops_made; i++) {
        total += of(&server->loops[i]);
    }
    return total;
}

size_t server_connections(const struct server *server)
{
    return sum(server, loop_connections);
}

size_t server_requests(const struct server *server)
{
    return sum(server, loop_requests);
}

size_t server_waiting(const struct server *server)
{
    return sum(server, loop_waiting);
}

size_t server_sales(const struct server *server)
{
    return sum(server, loop_sales);
}

size_t server_batch_calls(const struct server *server)
{
    return sum(server, loop_batch_calls);
}

size_t server_unary_calls(const struct server *server)
{
    return sum(server, loop_unary_calls);
}

size_t server_read_calls(const struct server *server)
{
    return sum(server, loop_read_calls);
}

size_t server_reads(const struct server *server)
{
    return sum(server, loop_reads);
}

struct loop_counts server_counts(const struct server *server)
{
    struct loop_counts total = {0, 0, 0};
    for (unsigned i = 0; i < server->loops_made; i++) {
        struct loop_counts counts = loop_counts(&server->loops[i]);
        total.answered += counts.answered;
        total.refused_draining += counts.refused_draining;
        total.cancelled += counts.cancelled;
    }
    return total;
}

void server_stop(struct server *server)
{
    server_command(server, LOOP_STOP);
    for (unsigned i = 0; i < server->loops_made; i++) {
        loop_join(&server->loops[i]);
    }
}

void server_destroy(struct server *server)
{
    if (server == NULL) {
        return;
    }
    /* libh2o has no way to end HTTP/2 connections from outside; their memory, and what it refers
     * to, stays until the process ends. */
    static struct server *left_open;
    if (server_connections(server) > 0) {
        left_open = server;
    }
    for (unsigned i = 0; i < server->loops_made; i++) {
        loop_fini(&server->loops[i]);
    }
    if (left_open == server) {
        return;
    }
    if (server->has_globalconf) {
        h2o_config_dispose(&server->globalconf);
    }
    http_metrics_destroy(server->metrics);
    protojson_schema_destroy(server->schema);
    free(server);
}
