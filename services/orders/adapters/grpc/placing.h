/*
 * One call that places orders, from its arrival to its reply. A single order is a batch of one.
 *
 * The call itself fails only before its first order is handed to the lanes (CORRECTNESS D1); all
 * memory that the reply needs is taken before that, so an order that was placed cannot be reported
 * as anything else. Everything lives in the call's arena.
 *
 *   arrived ─▶ checked ─▶ handed to the lanes ─▶ answered (a worker's thread) ─▶ finished
 *      └─ refused           └─ every item is invalid: answered at once
 */
#ifndef ORDERS_ADAPTERS_GRPC_PLACING_H
#define ORDERS_ADAPTERS_GRPC_PLACING_H

#include "orders/adapters/grpc/calls.h"

#include <stampede/orders/v1/orders.pb-c.h>

/* request lives in the call's arena. The call is finished later, or already when this returns. */
void placing_start_batch(const struct calls *calls, struct rpc_call *call,
                         const Stampede__Orders__V1__BatchPlaceOrdersRequest *request);

/* Any refusal of the order is the call's status. */
void placing_start_single(const struct calls *calls, struct rpc_call *call,
                          const Stampede__Orders__V1__PlaceOrderRequest *request);

#endif
