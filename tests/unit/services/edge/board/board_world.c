#include "board_world.h"

#include "base/clock.h"
#include "base/order_id.h"
#include "edge/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS       CLOCK_NS_PER_MS
#define CUSTOMER "c-1"

static void on_awake(void *data)
{
    ((struct board_world *)data)->awakened++;
}

int board_world_set_up(void **state)
{
    struct board_world *world = calloc(1, sizeof(*world));
    const struct board_config config = {.sales_max = BOARD_WORLD_SALES_MAX,
                                        .filter_bytes_max = BOARD_WORLD_ROOM_BYTES,
                                        .secret = {7, 11}};
    assert_non_null(world);
    assert_int_equal(board_create(&config, &world->board), 0);
    board_on_awake(world->board, on_awake, world);
    world->now_ns = BOARD_WORLD_BEGAN_MS * MS;
    *state = world;
    return 0;
}

int board_world_tear_down(void **state)
{
    struct board_world *world = *state;
    board_destroy(world->board);
    free(world);
    return 0;
}

struct uuid board_world_sale(unsigned number)
{
    struct uuid sale_id = {{0x01, 0x90, 0xa5}};
    sale_id.bytes[14] = (uint8_t)(number >> 8);
    sale_id.bytes[15] = (uint8_t)number;
    return sale_id;
}

enum board_verdict board_world_judge_sale(struct board_world *world, unsigned sale, const char *key)
{
    const struct board_question question = {
        .sale_id = board_world_sale(sale),
        .customer_id = CUSTOMER,
        .customer_length = strlen(CUSTOMER),
        .key = key,
        .key_length = strlen(key),
    };
    return board_judge(world->board, &question, world->now_ns);
}

enum board_verdict board_world_judge(struct board_world *world, const char *key)
{
    return board_world_judge_sale(world, 0, key);
}

struct id_filter board_world_filter(unsigned sale, size_t bytes)
{
    struct id_filter_shape shape;
    struct id_filter filter;
    struct uuid sale_id = board_world_sale(sale);
    struct uuid id = order_id_of(&sale_id, CUSTOMER, strlen(CUSTOMER), BOARD_WORLD_PLACED_KEY,
                                 strlen(BOARD_WORLD_PLACED_KEY));
    assert_true(id_filter_shape_read((int64_t)bytes, 7, &shape));
    assert_int_equal(id_filter_init(&filter, shape), 0);
    id_filter_add(&filter, &id);
    return filter;
}

struct board_news board_world_sold_out_news(unsigned sale, int64_t version, int64_t since)
{
    return (struct board_news){
        .sale_id = board_world_sale(sale),
        .state = BOARD_STATE_SOLD_OUT,
        .version = version,
        .sold_out_since = since,
    };
}

bool board_world_take_piece(struct board_world *world, const struct board_news *news,
                            const struct id_filter *filter, int64_t version, size_t begin,
                            size_t end)
{
    struct board_news full = *news;
    size_t until = end == 0 ? filter->shape.bytes : end;
    full.has_chunk = true;
    full.chunk = (struct board_chunk){
        .version = version,
        .offset = (int64_t)begin,
        .total = (int64_t)filter->shape.bytes,
        .hashes = filter->shape.hashes,
        .data = filter->bytes + begin,
        .length = until - begin,
    };
    return board_take(world->board, &full, world->now_ns);
}

void board_world_sell_out(struct board_world *world, unsigned sale, int64_t version)
{
    struct board_news news = board_world_sold_out_news(sale, version, version);
    struct id_filter filter = board_world_filter(sale, BOARD_WORLD_FILTER_BYTES);
    (void)board_world_judge_sale(world, sale, BOARD_WORLD_OTHER_KEY);
    assert_false(board_world_take_piece(world, &news, &filter, version, 0, 0));
    id_filter_fini(&filter);
}

struct board_world_pieces board_world_begin_pieces(struct board_world *world, unsigned sale)
{
    struct board_world_pieces pieces = {.world = world,
                                        .news = board_world_sold_out_news(sale, 5, 5),
                                        .filter = board_world_filter(sale, BOARD_WORLD_BIG_BYTES)};
    (void)board_world_judge_sale(world, sale, BOARD_WORLD_OTHER_KEY);
    return pieces;
}

bool board_world_put(struct board_world_pieces *pieces, size_t begin, size_t end)
{
    pieces->world->now_ns += MS;
    return board_world_take_piece(pieces->world, &pieces->news, &pieces->filter, 5, begin, end);
}

struct board_position board_world_position(struct board_world *world, unsigned sale)
{
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    bool has_more;
    struct uuid sale_id = board_world_sale(sale);
    world->now_ns += EDGE_BOARD_ROUND_MS * MS;
    (void)board_world_judge_sale(world, sale, BOARD_WORLD_OTHER_KEY);
    size_t count = board_positions(world->board, world->now_ns, positions, &has_more);
    for (size_t i = 0; i < count; i++) {
        if (uuid_equal(&positions[i].sale_id, &sale_id)) {
            return positions[i];
        }
    }
    fail_msg("sale %u is not asked for", sale);
    return positions[0];
}
