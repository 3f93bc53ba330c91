/*
 * StreamOrderEvents of stampede.orders.v1.OrderService: every event of a sale from a sequence on,
 * in order, each once. Events are read in pages by ordinary jobs; one message is under way at a
 * time, so a slow reader holds a page and nothing more. Who has caught up waits for the board to
 * see a higher version. While the database is away a stream waits and goes on where it was.
 */
#ifndef ORDERS_ADAPTERS_GRPC_EVENT_STREAM_H
#define ORDERS_ADAPTERS_GRPC_EVENT_STREAM_H

#include "base/check.h"

#include <stddef.h>

struct board;
struct calls;
struct event_stream;
struct rpc_server;

/* Of one page: events, and their orders in all where the first event has no more. */
#define EVENT_STREAM_EVENTS_MAX 256
#define EVENT_STREAM_ORDERS_MAX 1024

struct event_stream_config {
    const struct calls *calls; /* with the board it must outlive the service */
    struct board *board;
    size_t streams_max;
    size_t page_bytes_max; /* the memory of one stream's page */
};

/* What serves every stream of the program. Before the board's first tick. Errors: -ENOMEM. */
int event_stream_create(const struct event_stream_config *config,
                        struct event_stream **ret) MUST_CHECK;

/* After the server has stopped and the workers have ended. NULL is fine. */
void event_stream_destroy(struct event_stream *service);

/* Adds the method; when the server stops, streams end with DRAINING. Errors: as rpc_server_add. */
int event_stream_add(struct rpc_server *server, struct event_stream *service) MUST_CHECK;

/* Streams that are open. Any thread. */
size_t event_stream_streams(struct event_stream *service);

#endif
