/*
 * What the asker asks about a sale, and what a replica says of it: ReadBoard without the wire.
 */
#ifndef EDGE_BOARD_BOARD_NEWS_H
#define EDGE_BOARD_BOARD_NEWS_H

#include "base/uuid.h"
#include "edge/board/board_filter.h"

#include <stdbool.h>
#include <stdint.h>

/* What is asked about one sale, and what is there already: see BoardPosition in sales.proto. */
struct board_position {
    struct uuid sale_id;
    int64_t version, filter_version, filter_offset;
};

enum board_state {
    BOARD_STATE_OTHER, /* orders decides */
    BOARD_STATE_SCHEDULED,
    BOARD_STATE_SOLD_OUT,
};

/* What a replica says of a sale; nothing of it has been checked. */
struct board_news {
    struct uuid sale_id;
    enum board_state state;
    int64_t version, sold_out_since;
    int64_t stock_remaining, stock_returning;
    int64_t starts_in_ms, age_ms;
    bool has_chunk;
    struct board_chunk chunk;
};

#endif
