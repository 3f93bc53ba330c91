/* A board in a world where time stands still until it is moved. Failures end the test. */
#ifndef UNIT_SERVICES_EDGE_BOARD_BOARD_WORLD_H
#define UNIT_SERVICES_EDGE_BOARD_BOARD_WORLD_H

#include "edge/board/board.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_WORLD_BEGAN_MS     1000000
#define BOARD_WORLD_SALES_MAX    8
#define BOARD_WORLD_FILTER_BYTES ((size_t)64 * 1024)
#define BOARD_WORLD_BIG_BYTES    ((size_t)600 * 1024)
#define BOARD_WORLD_ROOM_BYTES   (2 * BOARD_WORLD_BIG_BYTES)
#define BOARD_WORLD_PIECE        ID_FILTER_CHUNK_BYTES_MAX

/* The key of the one order that each sale's filter holds, and that of one that is in none. */
#define BOARD_WORLD_PLACED_KEY "placed"
#define BOARD_WORLD_OTHER_KEY  "other"

struct board_world {
    struct board *board;
    int64_t now_ns;
    unsigned awakened;
};

/* cmocka's; the state is the world. */
int board_world_set_up(void **state);
int board_world_tear_down(void **state);

struct uuid board_world_sale(unsigned number);

/* Judges an order with this key; of sale 0 where none is named. */
enum board_verdict board_world_judge_sale(struct board_world *world, unsigned sale,
                                          const char *key);
enum board_verdict board_world_judge(struct board_world *world, const char *key);

/* A filter with the one placed order of a sale in it; the caller's to end. */
struct id_filter board_world_filter(unsigned sale, size_t bytes);

struct board_news board_world_sold_out_news(unsigned sale, int64_t version, int64_t since);

/* Takes news with the piece of a filter from begin to end; all the rest of it where end is 0. */
bool board_world_take_piece(struct board_world *world, const struct board_news *news,
                            const struct id_filter *filter, int64_t version, size_t begin,
                            size_t end);

/* The sale is sold out since its version, and its filter is here. */
void board_world_sell_out(struct board_world *world, unsigned sale, int64_t version);

/* What is asked about a sale, once it has traffic and a round is due. */
struct board_position board_world_position(struct board_world *world, unsigned sale);

/* A big filter, of version 5, that comes in pieces; the caller ends the filter. */
struct board_world_pieces {
    struct board_world *world;
    struct board_news news;
    struct id_filter filter;
};

struct board_world_pieces board_world_begin_pieces(struct board_world *world, unsigned sale);
bool board_world_put(struct board_world_pieces *pieces, size_t begin, size_t end);

#endif
