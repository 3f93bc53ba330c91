#include "edge/board/board_rounds.h"

#include "base/clock.h"
#include "board_world.h"
#include "edge/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS CLOCK_NS_PER_MS

/* An edge without placements asks nothing; the first placement wakes the asker, once. */
static void board_rounds_traffic_wakes_the_asker_once(void **state)
{
    struct board_world *world = *state;
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    bool has_more;
    assert_true(board_next_due_ns(world->board) == CLOCK_DEADLINE_NEVER);
    (void)board_world_judge(world, BOARD_WORLD_OTHER_KEY);
    (void)board_world_judge(world, BOARD_WORLD_OTHER_KEY);
    assert_int_equal(world->awakened, 1);
    assert_true(board_next_due_ns(world->board) <= world->now_ns);
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 1);
    board_end_round(world->board, world->now_ns, false);
    assert_true(board_next_due_ns(world->board) == world->now_ns + EDGE_BOARD_ROUND_MS * MS);
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 0);
    world->now_ns += (EDGE_BOARD_TRAFFIC_MS + 1) * MS;
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 0);
    assert_true(board_next_due_ns(world->board) > world->now_ns);
    (void)board_world_judge(world, BOARD_WORLD_OTHER_KEY);
    assert_int_equal(world->awakened, 2);
}

/* While a filter is on its way the next round does not wait. */
static void board_rounds_filter_on_its_way_is_due_at_once(void **state)
{
    struct board_world *world = *state;
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    bool has_more;
    struct board_world_pieces pieces = board_world_begin_pieces(world, 0);
    (void)board_world_judge_sale(world, 1, BOARD_WORLD_OTHER_KEY);
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 2);
    assert_true(board_world_put(&pieces, 0, BOARD_WORLD_PIECE));
    board_end_round(world->board, world->now_ns, true);
    assert_true(board_next_due_ns(world->board) <= world->now_ns);
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 1);
    assert_int_equal(positions[0].filter_offset, BOARD_WORLD_PIECE);
    id_filter_fini(&pieces.filter);
}

/* More sales than fit into one call take turns, and the calls follow each other at once. */
static void board_rounds_more_sales_than_a_call_takes_come_in_turn(void **state)
{
    (void)state;
    enum { SALES = 2 * EDGE_BOARD_POSITIONS_MAX + 20 };
    struct board_world world = {.now_ns = BOARD_WORLD_BEGAN_MS * MS};
    const struct board_config config = {.sales_max = SALES,
                                        .filter_bytes_max = BOARD_WORLD_ROOM_BYTES};
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    bool seen[SALES] = {false};
    bool has_more = true;
    assert_int_equal(board_create(&config, &world.board), 0);
    for (unsigned sale = 0; sale < SALES; sale++) {
        struct board_news news = board_world_sold_out_news(sale, 5, 5);
        (void)board_world_judge_sale(&world, sale, BOARD_WORLD_OTHER_KEY);
        assert_false(board_take(world.board, &news, world.now_ns));
    }
    unsigned calls = 0;
    size_t asked = 0;
    while (has_more) {
        size_t count = board_positions(world.board, world.now_ns, positions, &has_more);
        for (size_t i = 0; i < count; i++) {
            unsigned sale = positions[i].sale_id.bytes[14] * 256u + positions[i].sale_id.bytes[15];
            assert_false(seen[sale]);
            seen[sale] = true;
        }
        asked += count;
        calls++;
        world.now_ns += MS;
    }
    assert_int_equal(asked, SALES);
    assert_int_equal(calls, 3);
    board_destroy(world.board);
}

/* Before its first entry is there, a sale that exists is asked for ahead of those that may not. */
static void board_rounds_vouched_sale_is_asked_for_first(void **state)
{
    (void)state;
    enum { SALES = EDGE_BOARD_POSITIONS_MAX * 2 };
    struct board_world world = {.now_ns = BOARD_WORLD_BEGAN_MS * MS};
    const struct board_config config = {.sales_max = SALES,
                                        .filter_bytes_max = BOARD_WORLD_ROOM_BYTES};
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    const struct uuid vouched = board_world_sale(SALES - 1);
    bool has_more;
    assert_int_equal(board_create(&config, &world.board), 0);
    for (unsigned sale = 0; sale < SALES; sale++) {
        (void)board_world_judge_sale(&world, sale, BOARD_WORLD_OTHER_KEY);
    }
    board_vouch(world.board, &vouched, world.now_ns);
    assert_true(board_positions(world.board, world.now_ns, positions, &has_more) > 0);
    assert_true(uuid_equal(&positions[0].sale_id, &vouched));
    assert_int_equal(positions[0].version, 0);
    board_destroy(world.board);
}

/* A sale nobody asks for any more is forgotten with all it holds. */
static void board_rounds_quiet_sale_is_forgotten(void **state)
{
    struct board_world *world = *state;
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    bool has_more;
    struct board_world_pieces pieces = board_world_begin_pieces(world, 2);
    assert_true(board_world_put(&pieces, 0, BOARD_WORLD_PIECE));
    board_world_sell_out(world, 1, 5);
    world->now_ns += (EDGE_BOARD_TRAFFIC_MS + 1) * MS;
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 0);
    assert_int_equal(board_sales(world->board), 2);
    int64_t due_ns = board_next_due_ns(world->board);
    assert_true(due_ns > world->now_ns && due_ns <= world->now_ns + EDGE_BOARD_FORGET_MS * MS);
    world->now_ns += EDGE_BOARD_FORGET_MS * MS;
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 0);
    assert_int_equal(board_sales(world->board), 0);
    assert_int_equal(board_filter_bytes(world->board), 0);
    assert_true(board_next_due_ns(world->board) == CLOCK_DEADLINE_NEVER);
    id_filter_fini(&pieces.filter);
}

/* A table full of known sales forwards the others, until one of them is quiet. */
static void board_rounds_full_table_forwards_and_recovers(void **state)
{
    struct board_world *world = *state;
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    bool has_more;
    for (unsigned sale = 0; sale < BOARD_WORLD_SALES_MAX; sale++) {
        struct board_news news = board_world_sold_out_news(sale, 5, 5);
        (void)board_world_judge_sale(world, sale, BOARD_WORLD_OTHER_KEY);
        assert_false(board_take(world->board, &news, world->now_ns));
    }
    assert_int_equal(board_world_judge_sale(world, 99, BOARD_WORLD_OTHER_KEY), BOARD_FORWARD);
    struct board_news news = board_world_sold_out_news(99, 5, 5);
    assert_false(board_take(world->board, &news, world->now_ns));
    assert_int_equal(board_sales(world->board), BOARD_WORLD_SALES_MAX);
    world->now_ns += (EDGE_BOARD_TRAFFIC_MS + 1) * MS;
    (void)board_world_judge_sale(world, 0, BOARD_WORLD_OTHER_KEY);
    (void)board_positions(world->board, world->now_ns, positions, &has_more);
    assert_int_equal(board_sales(world->board), 1);
    board_world_sell_out(world, 99, 5);
    assert_int_equal(board_world_judge_sale(world, 99, BOARD_WORLD_OTHER_KEY), BOARD_SOLD_OUT);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, board_world_set_up, board_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(board_rounds_traffic_wakes_the_asker_once),
        UNIT(board_rounds_filter_on_its_way_is_due_at_once),
        cmocka_unit_test(board_rounds_more_sales_than_a_call_takes_come_in_turn),
        cmocka_unit_test(board_rounds_vouched_sale_is_asked_for_first),
        UNIT(board_rounds_quiet_sale_is_forgotten),
        UNIT(board_rounds_full_table_forwards_and_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
