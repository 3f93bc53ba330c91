/*
 * ReadBoard of stampede.sales.v1.SaleService: what an edge needs to refuse by itself. Answered from
 * memory, on the thread that received it; the rules of the wire are in sales.proto.
 */
#ifndef ORDERS_ADAPTERS_GRPC_BOARD_SERVICE_H
#define ORDERS_ADAPTERS_GRPC_BOARD_SERVICE_H

#include "base/check.h"

struct board;
struct calls;
struct rpc_server;

/* Sales that one call asks for. */
#define BOARD_SERVICE_POSITIONS_MAX 100

/* Both must outlive the server. */
struct board_service {
    const struct calls *calls;
    struct board *board;
};

/* Adds the method; service must outlive the server. Errors: as rpc_server_add. */
int board_service_add(struct rpc_server *server, const struct board_service *service) MUST_CHECK;

#endif
