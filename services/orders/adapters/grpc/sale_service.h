/* stampede.sales.v1.SaleService. */
#ifndef ORDERS_ADAPTERS_GRPC_SALE_SERVICE_H
#define ORDERS_ADAPTERS_GRPC_SALE_SERVICE_H

#include "base/check.h"

struct calls;
struct rpc_server;

/* Adds every method of the service but ReadBoard and WatchSales, which board_service.h and
 * sale_watch.h have; calls must outlive the server. Errors: as rpc_server_add. */
int sale_service_add(struct rpc_server *server, const struct calls *calls) MUST_CHECK;

#endif
