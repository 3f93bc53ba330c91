/*
 * The board and who answers from it: ReadBoard, WatchSales and StreamOrderEvents.
 */
#ifndef ORDERS_BOARD_SIDE_H
#define ORDERS_BOARD_SIDE_H

#include "orders/adapters/grpc/board_service.h"

struct board;
struct calls;
struct event_stream;
struct lanes;
struct rpc_server;
struct sale_watch;

struct board_side {
    struct board *board;
    struct board_service reads;
    struct sale_watch *sales;
    struct event_stream *events;
};

/* Makes all of it; calls and lanes must outlive it. Errors: -ENOMEM, fini is still owed. */
int board_side_init(struct board_side *side, const struct calls *calls,
                    struct lanes *lanes) MUST_CHECK;

/* After the server has stopped and the workers have ended. A zeroed struct is fine. */
void board_side_fini(struct board_side *side);

/* Adds the three methods. Errors: as rpc_server_add. */
int board_side_add(struct board_side *side, struct rpc_server *server) MUST_CHECK;

#endif
