/* One call that lists a sale's orders by number, a page at a time. */
#ifndef ORDERS_ADAPTERS_GRPC_LIST_ORDERS_H
#define ORDERS_ADAPTERS_GRPC_LIST_ORDERS_H

#include "orders/adapters/grpc/calls.h"

#include <stampede/orders/v1/orders.pb-c.h>

/* request lives in the call's arena. The call is finished later, or already when this returns. */
void list_orders_start(const struct calls *calls, struct rpc_call *call,
                       const Stampede__Orders__V1__ListOrdersRequest *request);

#endif
