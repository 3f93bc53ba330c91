/*
 * One call that changes a sale for an administrator, from its arrival to its reply: it waits for
 * its turn in the sale's lane and is answered by the worker that has it.
 */
#ifndef ORDERS_ADAPTERS_GRPC_MANAGING_H
#define ORDERS_ADAPTERS_GRPC_MANAGING_H

#include "orders/adapters/grpc/calls.h"
#include "orders/logic/manage_sale.h"

/*
 * Answers with the sale, or with a RestockSaleResponse where the act is one. request is copied, its
 * strings and sale_id live in the call's arena. The call is finished later, or already when this
 * returns.
 */
void managing_start(const struct calls *calls, struct rpc_call *call, const char *sale_id,
                    const struct manage_sale_request *request);

#endif
