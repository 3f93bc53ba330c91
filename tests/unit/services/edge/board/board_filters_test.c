#include "edge/board/board_filters.h"

#include "base/clock.h"
#include "board_world.h"
#include "edge/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS CLOCK_NS_PER_MS

/* Half a filter denies orders that exist; only a whole one may be in force. */
static void board_filters_in_pieces_counts_when_it_is_whole(void **state)
{
    struct board_world_pieces pieces = board_world_begin_pieces(*state, 0);
    assert_true(board_world_put(&pieces, 0, BOARD_WORLD_PIECE));
    assert_int_equal(board_world_judge(*state, BOARD_WORLD_OTHER_KEY), BOARD_FORWARD);
    struct board_position position = board_world_position(*state, 0);
    assert_int_equal(position.version, 5);
    assert_int_equal(position.filter_version, 5);
    assert_int_equal(position.filter_offset, BOARD_WORLD_PIECE);
    assert_true(board_world_put(&pieces, BOARD_WORLD_PIECE, 2 * BOARD_WORLD_PIECE));
    assert_int_equal(board_world_judge(*state, BOARD_WORLD_OTHER_KEY), BOARD_FORWARD);
    assert_false(board_world_put(&pieces, 2 * BOARD_WORLD_PIECE, 0));
    assert_int_equal(board_world_judge(*state, BOARD_WORLD_OTHER_KEY), BOARD_SOLD_OUT);
    assert_int_equal(board_world_judge(*state, BOARD_WORLD_PLACED_KEY), BOARD_FORWARD);
    position = board_world_position(*state, 0);
    assert_int_equal(position.filter_version, 5);
    assert_int_equal(position.filter_offset, BOARD_WORLD_BIG_BYTES);
    assert_int_equal(board_filter_bytes(pieces.world->board), BOARD_WORLD_BIG_BYTES);
    id_filter_fini(&pieces.filter);
}

struct broken {
    const char *what;
    int64_t version, offset, total, hashes;
    size_t length;
};

/* Whatever a peer sends, the worst of it is that a filter is collected anew. */
static void board_filters_broken_chunk_drops_what_was_collected_and_no_more(void **state)
{
    static const int64_t big = (int64_t)BOARD_WORLD_BIG_BYTES;
    static const int64_t piece = (int64_t)BOARD_WORLD_PIECE;
    static const struct broken rows[] = {
        {"gap", 5, 2 * piece, big, 7, BOARD_WORLD_PIECE},
        {"overlap", 5, piece - 8, big, 7, BOARD_WORLD_PIECE},
        {"again from the middle", 5, 8, big, 7, BOARD_WORLD_PIECE},
        {"past the end", 5, piece, big, 7, BOARD_WORLD_BIG_BYTES},
        {"offset past the end", 5, big + 8, big, 7, 8},
        {"negative offset", 5, -1, big, 7, 8},
        {"lowest offset", 5, INT64_MIN, big, 7, 8},
        {"highest offset", 5, INT64_MAX, big, 7, 8},
        {"other total", 5, piece, big + 8, 7, BOARD_WORLD_PIECE},
        {"no total", 5, piece, 0, 7, BOARD_WORLD_PIECE},
        {"negative total", 5, piece, -8, 7, BOARD_WORLD_PIECE},
        {"huge total", 5, piece, INT64_MAX, 7, BOARD_WORLD_PIECE},
        {"odd total", 5, piece, big + 1, 7, BOARD_WORLD_PIECE},
        {"other hashes", 5, piece, big, 6, BOARD_WORLD_PIECE},
        {"no hashes", 5, piece, big, 0, BOARD_WORLD_PIECE},
        {"negative hashes", 5, piece, big, -1, BOARD_WORLD_PIECE},
        {"many hashes", 5, piece, big, INT32_MAX, BOARD_WORLD_PIECE},
        {"other version", 6, piece, big, 7, BOARD_WORLD_PIECE},
        {"too long a chunk", 5, piece, big, 7, BOARD_WORLD_PIECE + 8},
    };
    struct board_world *world = *state;
    uint8_t *bytes = calloc(1, BOARD_WORLD_BIG_BYTES);
    assert_non_null(bytes);
    struct board_world_pieces pieces = board_world_begin_pieces(world, 0);
    pieces.news.version = 8;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        print_message("%s\n", rows[i].what);
        assert_true(board_world_put(&pieces, 0, BOARD_WORLD_PIECE));
        struct board_news news = pieces.news;
        news.has_chunk = true;
        news.chunk = (struct board_chunk){rows[i].version, rows[i].offset, rows[i].total,
                                          rows[i].hashes,  bytes,          rows[i].length};
        assert_false(board_take(world->board, &news, world->now_ns));
        assert_int_equal(board_filter_bytes(world->board), 0);
        struct board_position position = board_world_position(world, 0);
        assert_int_equal(position.version, 8);
        assert_int_equal(position.filter_version, 0);
        assert_int_equal(position.filter_offset, 0);
        assert_int_equal(board_world_judge(world, BOARD_WORLD_OTHER_KEY), BOARD_FORWARD);
    }
    free(bytes);
    id_filter_fini(&pieces.filter);
}

/* A chunk of a broken kind says nothing about a filter that is whole. */
static void board_filters_broken_chunk_leaves_a_whole_filter(void **state)
{
    struct board_world *world = *state;
    board_world_sell_out(world, 0, 5);
    struct board_news news = board_world_sold_out_news(0, 6, 5);
    news.has_chunk = true;
    news.chunk = (struct board_chunk){.version = 5, .offset = -3, .total = -1, .hashes = 99};
    assert_false(board_take(world->board, &news, world->now_ns));
    assert_int_equal(board_world_judge(world, BOARD_WORLD_OTHER_KEY), BOARD_SOLD_OUT);
    assert_int_equal(board_world_judge(world, BOARD_WORLD_PLACED_KEY), BOARD_FORWARD);
}

/* Another selling out is another filter; what was collected of the old one is worth nothing. */
static void board_filters_new_version_begins_the_filter_anew(void **state)
{
    struct board_world *world = *state;
    struct board_world_pieces pieces = board_world_begin_pieces(world, 0);
    assert_true(board_world_put(&pieces, 0, BOARD_WORLD_PIECE));
    pieces.news = board_world_sold_out_news(0, 9, 9);
    struct id_filter small = board_world_filter(0, BOARD_WORLD_FILTER_BYTES);
    assert_false(board_world_take_piece(world, &pieces.news, &small, 9, 0, 0));
    assert_int_equal(board_world_judge(world, BOARD_WORLD_OTHER_KEY), BOARD_SOLD_OUT);
    assert_int_equal(board_filter_bytes(world->board), BOARD_WORLD_FILTER_BYTES);
    id_filter_fini(&small);
    id_filter_fini(&pieces.filter);
}

/* Stock that remains ends the use of a filter, and its memory. */
static void board_filters_stock_that_remains_frees_the_filter(void **state)
{
    struct board_world *world = *state;
    board_world_sell_out(world, 0, 5);
    assert_int_equal(board_filter_bytes(world->board), BOARD_WORLD_FILTER_BYTES);
    struct board_news news = board_world_sold_out_news(0, 6, 5);
    news.stock_returning = 1;
    assert_false(board_take(world->board, &news, world->now_ns));
    assert_int_equal(board_filter_bytes(world->board), BOARD_WORLD_FILTER_BYTES);
    news = board_world_sold_out_news(0, 7, 0);
    news.state = BOARD_STATE_OTHER;
    news.stock_remaining = 1;
    assert_false(board_take(world->board, &news, world->now_ns));
    assert_int_equal(board_filter_bytes(world->board), 0);
}

/* The filter of a selling out that is over would only take memory. */
static void board_filters_of_an_earlier_selling_out_is_not_taken(void **state)
{
    struct board_world *world = *state;
    struct board_news news = board_world_sold_out_news(0, 9, 8);
    struct id_filter filter = board_world_filter(0, BOARD_WORLD_FILTER_BYTES);
    (void)board_world_judge(world, BOARD_WORLD_OTHER_KEY);
    assert_false(board_world_take_piece(world, &news, &filter, 7, 0, 0));
    assert_int_equal(board_filter_bytes(world->board), 0);
    assert_false(board_world_take_piece(world, &news, &filter, 8, 0, 0));
    assert_int_equal(board_filter_bytes(world->board), BOARD_WORLD_FILTER_BYTES);
    id_filter_fini(&filter);
}

/* A replica with several filters to send puts one chunk into an answer and nothing into the
 * others, which must neither begin nor break anything. */
static void board_filters_empty_chunk_waits_for_the_next_answer(void **state)
{
    struct board_world *world = *state;
    struct board_world_pieces pieces = board_world_begin_pieces(world, 0);
    struct board_news news = pieces.news;
    news.has_chunk = true;
    news.chunk =
        (struct board_chunk){.version = 5, .total = (int64_t)BOARD_WORLD_BIG_BYTES, .hashes = 7};
    assert_false(board_take(world->board, &news, world->now_ns));
    assert_int_equal(board_filter_bytes(world->board), 0);
    assert_true(board_world_put(&pieces, 0, BOARD_WORLD_PIECE));
    news.chunk.offset = (int64_t)BOARD_WORLD_PIECE;
    assert_false(board_take(world->board, &news, world->now_ns));
    assert_int_equal(board_world_position(world, 0).filter_offset, BOARD_WORLD_PIECE);
    assert_true(board_world_put(&pieces, BOARD_WORLD_PIECE, 2 * BOARD_WORLD_PIECE));
    id_filter_fini(&pieces.filter);
}

/* Crumbs of a filter are taken, but do not set the pace. */
static void board_filters_small_chunks_are_asked_for_at_leisure(void **state)
{
    struct board_world_pieces pieces = board_world_begin_pieces(*state, 0);
    assert_false(board_world_put(&pieces, 0, 8));
    assert_int_equal(board_world_position(*state, 0).filter_offset, 8);
    assert_false(board_world_put(&pieces, 8, 16));
    assert_int_equal(board_world_position(*state, 0).filter_offset, 16);
    id_filter_fini(&pieces.filter);
}

static void put_whole(struct board_world *world, unsigned sale)
{
    struct board_world_pieces pieces = board_world_begin_pieces(world, sale);
    assert_true(board_world_put(&pieces, 0, BOARD_WORLD_PIECE));
    assert_true(board_world_put(&pieces, BOARD_WORLD_PIECE, 2 * BOARD_WORLD_PIECE));
    assert_false(board_world_put(&pieces, 2 * BOARD_WORLD_PIECE, 0));
    id_filter_fini(&pieces.filter);
}

/* Without room the sale is forwarded, and nobody sends what would be thrown away. */
static void board_filters_without_room_is_not_taken(void **state)
{
    struct board_world *world = *state;
    put_whole(world, 1);
    put_whole(world, 2);
    struct board_world_pieces pieces = board_world_begin_pieces(world, 3);
    assert_false(board_world_put(&pieces, 0, BOARD_WORLD_PIECE));
    id_filter_fini(&pieces.filter);
    assert_int_equal(board_filter_bytes(world->board), BOARD_WORLD_ROOM_BYTES);
    assert_int_equal(board_world_judge_sale(world, 1, BOARD_WORLD_OTHER_KEY), BOARD_SOLD_OUT);
    assert_int_equal(board_world_judge_sale(world, 2, BOARD_WORLD_OTHER_KEY), BOARD_SOLD_OUT);
    assert_int_equal(board_world_judge_sale(world, 3, BOARD_WORLD_OTHER_KEY), BOARD_FORWARD);
    struct board_position position = board_world_position(world, 3);
    assert_int_equal(position.filter_version, 5);
    assert_int_equal(position.filter_offset, BOARD_WORLD_BIG_BYTES);
    world->now_ns += EDGE_BOARD_FILTER_RETRY_MS * MS;
    assert_int_equal(board_world_position(world, 3).filter_offset, 0);
}

/* Who is quiet gives way to who is asked for; the one that was quiet longest first. */
static void board_filters_of_a_quiet_sale_makes_room(void **state)
{
    struct board_world *world = *state;
    put_whole(world, 1);
    world->now_ns += MS;
    put_whole(world, 2);
    world->now_ns += (EDGE_BOARD_FILTER_IDLE_MS + 1) * MS;
    put_whole(world, 3);
    assert_int_equal(board_filter_bytes(world->board), BOARD_WORLD_ROOM_BYTES);
    assert_int_equal(board_world_position(world, 1).filter_version, 0);
    assert_int_equal(board_world_position(world, 2).filter_version, 5);
    assert_int_equal(board_world_position(world, 3).filter_offset, BOARD_WORLD_BIG_BYTES);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, board_world_set_up, board_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(board_filters_in_pieces_counts_when_it_is_whole),
        UNIT(board_filters_broken_chunk_drops_what_was_collected_and_no_more),
        UNIT(board_filters_broken_chunk_leaves_a_whole_filter),
        UNIT(board_filters_new_version_begins_the_filter_anew),
        UNIT(board_filters_stock_that_remains_frees_the_filter),
        UNIT(board_filters_of_an_earlier_selling_out_is_not_taken),
        UNIT(board_filters_empty_chunk_waits_for_the_next_answer),
        UNIT(board_filters_small_chunks_are_asked_for_at_leisure),
        UNIT(board_filters_without_room_is_not_taken),
        UNIT(board_filters_of_a_quiet_sale_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
