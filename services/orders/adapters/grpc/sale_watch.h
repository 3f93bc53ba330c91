/*
 * WatchSales of stampede.sales.v1.SaleService: sales as they are now, then after each change of
 * state or stock, as the board reads them. Who reads slowly is not queued for: each sale that
 * changed meanwhile is sent once, as it is when its turn comes.
 */
#ifndef ORDERS_ADAPTERS_GRPC_SALE_WATCH_H
#define ORDERS_ADAPTERS_GRPC_SALE_WATCH_H

#include "base/check.h"

#include <stddef.h>

struct board;
struct calls;
struct rpc_server;
struct sale_watch;

/* Sales of one stream. */
#define SALE_WATCH_SALES_MAX 100

/* What serves every stream of the program. calls and board must outlive it. Before the board's
 * first tick. Errors: -ENOMEM. */
int sale_watch_create(const struct calls *calls, struct board *board, size_t streams_max,
                      struct sale_watch **ret) MUST_CHECK;

/* After the server has stopped and the workers have ended. NULL is fine. */
void sale_watch_destroy(struct sale_watch *service);

/* Adds the method; when the server stops, streams end with DRAINING. Errors: as rpc_server_add. */
int sale_watch_add(struct rpc_server *server, struct sale_watch *service) MUST_CHECK;

/* Streams that are open. Any thread. */
size_t sale_watch_streams(struct sale_watch *service);

#endif
