/*
 * One call that confirms or cancels an order, from its arrival to its reply. The sale's lane
 * settles it together with whatever else waits there.
 *
 *   arrived ─▶ checked ─▶ handed to the lanes ─▶ answered (a worker's thread) ─▶ finished
 *      └─ refused
 *
 * Both acts are idempotent, so an outcome that is not known is asked about by doing it again.
 */
#ifndef ORDERS_ADAPTERS_GRPC_SETTLING_H
#define ORDERS_ADAPTERS_GRPC_SETTLING_H

#include "orders/adapters/grpc/calls.h"

#include <stampede/orders/v1/orders.pb-c.h>

/* request lives in the call's arena. The call is finished later, or already when this returns. */
void settling_start_confirm(const struct calls *calls, struct rpc_call *call,
                            const Stampede__Orders__V1__ConfirmOrderRequest *request);

/*
 * The same. A call with the admin token may leave the customer out and may take a sold order back;
 * with a customer named, a token that is not the right one only makes its caller a customer.
 */
void settling_start_cancel(const struct calls *calls, struct rpc_call *call,
                           const Stampede__Orders__V1__CancelOrderRequest *request);

#endif
