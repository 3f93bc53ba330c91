/*
 * The public HTTP server: one listening socket, a loop per core. Its owner starts it, lets it
 * drain, and stops it; a drain takes as long as its owner waits.
 */
#ifndef EDGE_HTTP_SERVER_H
#define EDGE_HTTP_SERVER_H

#include "base/check.h"
#include "edge/http/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct board;
struct metrics;
struct server;

/* Borrowed, and outlives the server; strings are constant. */
struct server_config {
    const char *host;
    uint16_t port; /* 0 takes a free one */
    unsigned loops;
    size_t connections_max;
    size_t body_bytes_max;
    int64_t request_timeout_ms;
    bool speaks_http2; /* without TLS: by upgrade, or by prior knowledge */
    struct rpc_channel *channel;
    struct board *board;
    struct metrics *metrics;
};

/*
 * Binds, listens and makes the loops; nothing is accepted yet. ret_port is the port in use. Errors:
 * those of listener_open, -ENOMEM, -EAGAIN, -ENOTSUP the contract has a shape that the edge cannot
 * serve.
 */
int server_create(const struct server_config *config, struct server **ret,
                  uint16_t *ret_port) MUST_CHECK;

/* Starts the loops' threads. Errors: -EAGAIN; then the server may only be stopped and destroyed. */
int server_start(struct server *server) MUST_CHECK;

/* Tells all loops that the channel's readiness has changed. Any thread. */
void server_wake(struct server *server);

/* See enum loop_command; does not wait. Any thread. */
void server_command(struct server *server, enum loop_command command);

/* Whether every loop has carried the command out. Any thread. */
bool server_has_obeyed(const struct server *server, enum loop_command command);

/* How long ago the loop that has not turned for the longest time did. Any thread. */
int64_t server_longest_turn_ns(const struct server *server);

/* Sums over the loops. Any thread. */
size_t server_connections(const struct server *server);
size_t server_requests(const struct server *server);
size_t server_waiting(const struct server *server);
size_t server_sales(const struct server *server);
size_t server_batch_calls(const struct server *server);
size_t server_unary_calls(const struct server *server);
size_t server_read_calls(const struct server *server);
size_t server_reads(const struct server *server);
struct loop_counts server_counts(const struct server *server);

/* Commands LOOP_STOP and waits for the threads. */
void server_stop(struct server *server);

/* After server_stop, and after the channel was destroyed. NULL is fine. */
void server_destroy(struct server *server);

#endif
