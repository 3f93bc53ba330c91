/* stampede.orders.v1.OrderService. */
#ifndef ORDERS_ADAPTERS_GRPC_ORDER_SERVICE_H
#define ORDERS_ADAPTERS_GRPC_ORDER_SERVICE_H

#include "base/check.h"

struct calls;
struct rpc_server;

/* Adds every method of the service but StreamOrderEvents, which event_stream.h has; calls must
 * outlive the server. Errors: as rpc_server_add. */
int order_service_add(struct rpc_server *server, const struct calls *calls) MUST_CHECK;

#endif
