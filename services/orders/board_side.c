#include "board_side.h"

#include "base/clock.h"
#include "limits.h"
#include "orders/adapters/grpc/event_stream.h"
#include "orders/adapters/grpc/sale_watch.h"
#include "orders/adapters/system/system_posix.h"
#include "orders/board/board.h"

int board_side_init(struct board_side *side, const struct calls *calls, struct lanes *lanes)
{
    const struct board_config board = {
        .lanes = lanes,
        .system = &system_posix,
        .sales_max = LIMITS_BOARD_SALES_MAX,
        .strangers_max = LIMITS_BOARD_STRANGERS_MAX,
        .filter_bytes_max = LIMITS_BOARD_FILTER_BYTES,
        .transaction_ns_max = LIMITS_TRANSACTION_MS * CLOCK_NS_PER_MS,
    };
    *side = (struct board_side){0};
    int error = board_create(&board, &side->board);
    if (error == 0) {
        error = sale_watch_create(calls, side->board, LIMITS_SALE_STREAMS_MAX, &side->sales);
    }
    if (error == 0) {
        const struct event_stream_config events = {
            .calls = calls,
            .board = side->board,
            .streams_max = LIMITS_EVENT_STREAMS_MAX,
            .page_bytes_max = LIMITS_EVENT_PAGE_BYTES,
        };
        error = event_stream_create(&events, &side->events);
    }
    side->reads = (struct board_service){.calls = calls, .board = side->board};
    return error;
}

void board_side_fini(struct board_side *side)
{
    event_stream_destroy(side->events);
    sale_watch_destroy(side->sales);
    board_destroy(side->board);
    *side = (struct board_side){0};
}

int board_side_add(struct board_side *side, struct rpc_server *server)
{
    int error = board_service_add(server, &side->reads);
    if (error == 0) {
        error = sale_watch_add(server, side->sales);
    }
    return error == 0 ? event_stream_add(server, side->events) : error;
}
