/*
 * Filters that are begun while a sale still sells. What must hold: at the sell-out only the
 * remainder is read; until the row has said so nothing is given out; what is given out has every
 * order; and reading ahead keeps nobody waiting.
 */
#include "board_stage.h"

#include "orders/board/filter_build.h"
#include "orders/board/filter_forecast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS CLOCK_NS_PER_MS
/* Every order one unit: a filter of 163,840 bytes, up to 131,072 orders. */
#define STOCK       120000
#define STOCK_BYTES ((size_t)163840)
#define STEP        10000

/* Sells the sale down to what is left, in steps that leave the board time. */
static void sell_down_to(struct sale *sale, int32_t left, size_t asked)
{
    while (sale->stock_remaining > left) {
        int32_t units = sale->stock_remaining - left;
        board_stage_sell(sale, units < STEP ? units : STEP);
        board_stage_pass(2 * BOARD_PERIOD_MS, asked);
    }
}

/* The ids of the sale that a slice ahead of the sell-out would not have been enough for. */
static void assert_read_ahead(const struct sale *sale, size_t ids_read)
{
    assert_in_range(ids_read, sale->orders_count - FILTER_BUILD_AHEAD_IDS + 1, sale->orders_count);
}

static size_t filter_bytes(void)
{
    return board_stats(board_stage.board).filter_bytes;
}

/* --- What is gained -------------------------------------------------------------------------- */

/* The point of it all: each id is read once, nearly all of them while the sale sells, and the first
 * look at the sold-out row has the filter in force with one slice more. */
static void board_build_ahead_leaves_the_remainder(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(STOCK);
    while (sale->stock_remaining > STEP) {
        board_stage_sell(sale, STEP);
        board_stage_pass(2 * BOARD_PERIOD_MS, 1);
        board_stage_assert_no_filter(0);
    }
    assert_read_ahead(sale, board_stage.ids_read);
    size_t slices = board_stage.slices;
    board_stage_sell_out(sale);
    board_stage_pass(BOARD_PERIOD_MS, 1);
    board_stage_assert_filter(0, sale->sold_out_since, STOCK);
    assert_int_equal(board_stage.ids_read, STOCK);
    assert_int_equal(board_stage.slices, slices + 1);
}

/* Chunks of several replicas make one filter, so one that was begun ahead has the bytes of one that
 * was not. */
static void board_build_ahead_makes_the_same_bytes(void **state)
{
    struct board_entry ahead, after;
    (void)state;
    struct sale *sale = board_stage_add_sale(STOCK);
    sell_down_to(sale, 777, 1);
    board_stage_sell_out(sale);
    board_stage_pass(BOARD_PERIOD_MS, 1);
    assert_true(board_stage_read_entry(0, &ahead));
    assert_non_null(ahead.filter);
    board_stage_make(4, 4, (size_t)1024 * 1024);
    board_stage_pass(4 * BOARD_PERIOD_MS, 1);
    assert_true(board_stage_read_entry(0, &after));
    assert_non_null(after.filter);
    assert_int_equal(ahead.filter->version, after.filter->version);
    assert_true(id_filter_shape_equal(ahead.filter->bits.shape, after.filter->bits.shape));
    assert_memory_equal(ahead.filter->bits.bytes, after.filter->bits.bytes, STOCK_BYTES);
    board_filter_unref(ahead.filter);
    board_filter_unref(after.filter);
}

/* Several sales that sell at once are all ready. */
static void board_build_ahead_of_several_sales_has_them_all(void **state)
{
    struct sale *sales[3];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        sales[i] = board_stage_add_sale(STOCK);
    }
    for (int32_t left = STOCK - STEP; left > 0; left -= STEP) {
        for (size_t i = 0; i < 3; i++) {
            board_stage_sell(sales[i], STEP);
        }
        board_stage_pass(2 * BOARD_PERIOD_MS, 3);
    }
    size_t slices = board_stage.slices;
    for (size_t i = 0; i < 3; i++) {
        board_stage_sell_out(sales[i]);
    }
    board_stage_pass(BOARD_PERIOD_MS, 3);
    for (size_t i = 0; i < 3; i++) {
        board_stage_assert_filter(i, sales[i]->sold_out_since, STOCK);
    }
    assert_int_equal(board_stage.slices, slices + 3);
    assert_int_equal(board_stage.ids_read, 3 * STOCK);
}

/* Stock that comes back and sells again is followed, too: the filter that was in force goes on. */
static void board_build_ahead_of_the_next_sell_out_goes_on(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(STOCK);
    sell_down_to(sale, 0, 1);
    board_stage_pass(BOARD_PERIOD_MS, 1);
    board_stage_assert_filter(0, sale->sold_out_since, STOCK);
    sale->stock_returning = 7000;
    sale->version++;
    board_stage_pass(BOARD_PERIOD_MS, 1);
    board_stage_assert_no_filter(0);
    sale->stock_returning = 0;
    sale->stock_remaining = 7000;
    sale->sold_out_since = 0;
    sale->version++;
    board_stage_pass(BOARD_REBUILD_MS, 1);
    sell_down_to(sale, 1000, 1);
    assert_int_equal(board_stage.ids_read, STOCK + FILTER_BUILD_AHEAD_IDS);
    board_stage_assert_no_filter(0);
    board_stage_sell_out(sale);
    board_stage_pass(BOARD_PERIOD_MS, 1);
    board_stage_assert_filter(0, sale->sold_out_since, STOCK + 7000);
    assert_int_equal(board_stage.ids_read, STOCK + 7000);
}

/* First two units an order, then one: the shape was guessed too small, and is begun anew while
 * there is time. */
static void board_build_ahead_outgrown_is_begun_anew(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(2 * STOCK);
    for (int i = 0; i < 6; i++) {
        board_stage_sell(sale, STEP);
        sale->stock_remaining -= STEP;
        board_stage_pass(2 * BOARD_PERIOD_MS, 1);
    }
    assert_int_equal(filter_bytes(), STOCK_BYTES);
    sell_down_to(sale, STEP, 1);
    size_t before = board_stage.ids_read;
    board_stage_sell_out(sale);
    board_stage_pass(BOARD_PERIOD_MS, 1);
    board_stage_assert_filter(0, sale->sold_out_since, STOCK + STOCK / 2);
    assert_in_range(board_stage.ids_read - before, STEP, STEP + FILTER_BUILD_AHEAD_IDS);
    assert_int_equal(filter_bytes(), 196608 * 10 / 8);
}

/* A guess that only the last orders prove wrong costs what no guess costs, and is not given out. */
static void board_build_ahead_wrong_at_the_end_is_made_anew(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(STOCK);
    sell_down_to(sale, STEP, 1);
    sale->stock_total += 2 * STEP; /* a restock, which sells at once */
    sale->stock_remaining += 2 * STEP;
    board_stage_sell_out(sale);
    board_stage_pass(BOARD_PERIOD_MS, 1);
    board_stage_assert_filter(0, sale->sold_out_since, STOCK + 2 * STEP);
    assert_true(board_stage.ids_read > STOCK + 2 * STEP);
}

/* --- What it costs --------------------------------------------------------------------------- */

/* A small sale's filter is had at once after the sell-out: nothing is read before. */
static void board_build_ahead_of_a_small_sale_reads_nothing(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(FILTER_FORECAST_ORDERS_MIN - 1);
    sell_down_to(sale, 1, 1);
    assert_int_equal(board_stage.slices, 0);
    assert_int_equal(filter_bytes(), 0);
}

/* Nobody needs the filter of a sale that no edge asks for, or that does not sell. */
static void board_build_ahead_of_a_quiet_sale_reads_nothing(void **state)
{
    struct board_watch watch = {0};
    (void)state;
    struct sale *sale = board_stage_add_sale(STOCK);
    board_stage_sell(sale, STOCK - 1);
    struct store_sale seen = board_stage.sales[0];
    assert_int_equal(
        board_watch(board_stage.board, &watch, &board_stage.listener, &seen, board_stage.now_ns),
        0);
    board_stage_pass(1000, 0);
    sale->paused = true;
    sale->version++;
    board_stage_pass(BOARD_PERIOD_MS, 0);
    board_stage_pass(1000, 1);
    sale->paused = false;
    board_stage.sales[0].now_us = sale->start_us - 1;
    board_stage_pass(1000, 1);
    board_stage.sales[0].now_us = sale->end_us;
    board_stage_pass(1000, 1);
    assert_int_equal(board_stage.slices, 0);
    board_unwatch(board_stage.board, &watch);
}

/* Reads of others share the connection: whatever is to be read ahead, and however slowly, they have
 * all but a bounded share of its time. */
static void board_build_ahead_takes_its_share_of_the_time(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(2 * STOCK);
    board_stage_pass(BOARD_PERIOD_MS, 1);
    board_stage_sell(sale, STOCK);
    board_stage.slice_takes_ns = 20 * MS;
    int64_t begun_ns = board_stage.now_ns;
    board_stage_pass(4000, 1);
    int64_t passed_ns = board_stage.now_ns - begun_ns;
    int64_t spent_ns = (int64_t)board_stage.slices * board_stage.slice_takes_ns;
    int64_t share_ns = (passed_ns + BOARD_AHEAD_SAVED_MS * MS) / BOARD_AHEAD_PART;
    assert_true(spent_ns <= share_ns + board_stage.slice_takes_ns);
    assert_true(spent_ns >= share_ns / 2);
    assert_int_equal(board_stage.ids_read, board_stage.slices * FILTER_BUILD_AHEAD_IDS);
}

/* Who ticks when the board says, and not before, gives it its share: it need not be woken. */
static void board_tick_while_ids_are_read_ahead_says_when_to_come(void **state)
{
    struct board_entry entry;
    (void)state;
    struct sale *sale = board_stage_add_sale(2 * STOCK);
    assert_false(board_stage_read_entry(0, &entry));
    board_stage_sell(sale, STOCK);
    board_stage.slice_takes_ns = 30 * MS;
    int64_t begun_ns = board_stage.now_ns;
    while (board_stage.now_ns < begun_ns + 3000 * MS) {
        int64_t due_ns = board_tick(board_stage.board, board_stage.now_ns);
        assert_in_range(due_ns, board_stage.now_ns + 1, board_stage.now_ns + BOARD_PERIOD_MS * MS);
        board_stage_run_jobs();
        board_stage.now_ns = due_ns > board_stage.now_ns ? due_ns : board_stage.now_ns;
        (void)board_stage_read_entry(0, &entry);
    }
    int64_t spent_ns = (int64_t)board_stage.slices * board_stage.slice_takes_ns;
    assert_true(spent_ns * BOARD_AHEAD_PART >= (board_stage.now_ns - begun_ns) * 3 / 4);
}

/* Whoever is sold out comes first: its filter waits for one slice of what only sells, at most. */
static void board_build_ahead_lets_sold_out_sales_go_first(void **state)
{
    struct board_entry entry;
    (void)state;
    struct sale *selling = board_stage_add_sale(STOCK);
    struct sale *sold_out = board_stage_add_sale(45000);
    board_stage_pass(BOARD_PERIOD_MS, 2);
    board_stage_sell(selling, STOCK - 1);
    board_stage.slice_takes_ns = MS;
    (void)board_stage_read_entry(0, &entry);
    board_stage.now_ns += BOARD_PERIOD_MS * MS;
    (void)board_tick(board_stage.board, board_stage.now_ns);
    board_stage_run_job(&board_stage.read_job);
    assert_non_null(board_stage.build_job); /* the first slice ahead */
    board_stage_sell_out(sold_out);
    board_stage.now_ns += BOARD_PERIOD_MS * MS;
    (void)board_tick(board_stage.board, board_stage.now_ns);
    board_stage_run_job(&board_stage.read_job);
    size_t reads = board_stage.reads;
    for (int i = 0; i < 5; i++) { /* that slice, three of the other sale, and the look at its row */
        assert_non_null(board_stage.build_job);
        board_stage_run_job(&board_stage.build_job);
    }
    assert_int_equal(board_stage.reads, reads + 1);
    assert_int_equal(board_stage.ids_read, FILTER_BUILD_AHEAD_IDS + 45000);
    board_stage_assert_filter(1, sold_out->sold_out_since, 45000);
}

/* --- Memory ---------------------------------------------------------------------------------- */

/* Filters that edges refuse by have the memory before those that may be needed once, however long
 * ago they were asked for, and these push out nothing. */
static void board_build_ahead_makes_room_for_filters_in_force(void **state)
{
    const size_t sold_out_bytes = 81920; /* of 60,000 orders */
    struct sale *sold_out[2], *selling;
    (void)state;
    board_stage_make(4, 4, STOCK_BYTES + 2 * sold_out_bytes - 1);
    sold_out[0] = board_stage_add_sale(60000);
    selling = board_stage_add_sale(STOCK);
    sold_out[1] = board_stage_add_sale(60000);
    board_stage_sell_out(sold_out[0]);
    board_stage_pass(2 * BOARD_PERIOD_MS, 3);
    sell_down_to(selling, STEP, 3);
    assert_int_equal(filter_bytes(), STOCK_BYTES + sold_out_bytes);
    size_t read = board_stage.ids_read;
    board_stage_sell_out(sold_out[1]);
    board_stage_pass(2 * BOARD_PERIOD_MS, 3);
    assert_int_equal(board_stage.ids_read, read + 60000); /* the first one is still there */
    board_stage_assert_filter(0, sold_out[0]->sold_out_since, 60000);
    board_stage_assert_filter(2, sold_out[1]->sold_out_since, 60000);
    assert_int_equal(filter_bytes(), 2 * sold_out_bytes);
    board_stage_pass(2000, 3);
    assert_int_equal(filter_bytes(), 2 * sold_out_bytes);
    assert_int_equal(board_stage.ids_read, read + 60000);
    board_stage_pass(BOARD_ASKED_MS, 2);
    board_stage_sell_out(selling); /* now it counts, too */
    board_stage_pass(BOARD_REBUILD_MS, 2);
    board_stage_assert_filter(1, selling->sold_out_since, STOCK);
    assert_true(filter_bytes() < STOCK_BYTES + 2 * sold_out_bytes);
}

/* A sale that is forgotten leaves nothing behind. */
static void board_build_ahead_of_a_forgotten_sale_is_freed(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(STOCK);
    sell_down_to(sale, STEP, 1);
    assert_int_equal(filter_bytes(), STOCK_BYTES);
    board_stage_pass(BOARD_KEPT_MS + 1000, 0);
    assert_int_equal(filter_bytes(), 0);
}

/* A filter that is larger than all the room is not begun. */
static void board_build_ahead_without_room_reads_nothing(void **state)
{
    (void)state;
    board_stage_make(4, 4, STOCK_BYTES - 1);
    struct sale *sale = board_stage_add_sale(STOCK);
    sell_down_to(sale, STEP, 1);
    assert_int_equal(board_stage.slices, 0);
    assert_int_equal(filter_bytes(), 0);
}

/* --- When things go wrong -------------------------------------------------------------------- */

/* A database that goes away costs time, not bits, and is not asked as fast as can be. */
static void board_build_ahead_without_database_goes_on_later(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(STOCK);
    sell_down_to(sale, STOCK / 2, 1);
    board_stage_sell(sale, STEP);
    board_stage_pass(BOARD_PERIOD_MS, 1);
    board_stage_sell(sale, STEP);
    board_stage_tick();
    board_stage.read_result = STORE_UNAVAILABLE;
    size_t slices = board_stage.slices;
    board_stage_pass(3000, 1);
    assert_in_range(board_stage.slices - slices, 0, 3000 / BOARD_PERIOD_MS + 1);
    board_stage.read_result = STORE_OK;
    board_stage_pass(1000, 1);
    assert_read_ahead(sale, board_stage.ids_read);
    board_stage_sell_out(sale);
    board_stage_pass(2 * BOARD_PERIOD_MS, 1);
    board_stage_assert_filter(0, sale->sold_out_since, STOCK);
    assert_int_equal(board_stage.ids_read, STOCK);
}

/* A slice that the lanes refuse is given up, and holds up no sell-out. */
static void board_build_ahead_refused_is_tried_again(void **state)
{
    struct board_entry entry;
    (void)state;
    struct sale *sale = board_stage_add_sale(STOCK);
    assert_false(board_stage_read_entry(0, &entry));
    board_stage_sell(sale, STOCK - 1);
    (void)board_tick(board_stage.board, board_stage.now_ns);
    board_stage_run_job(&board_stage.read_job);
    struct lane_job *job = board_stage.build_job;
    assert_non_null(job);
    board_stage.build_job = NULL;
    job->refuse(job, VERDICT_OVERLOADED);
    (void)board_tick(board_stage.board, board_stage.now_ns);
    assert_null(board_stage.build_job);
    board_stage_pass(2 * BOARD_PERIOD_MS, 1);
    assert_read_ahead(sale, board_stage.ids_read);
    board_stage_sell_out(sale);
    board_stage_pass(BOARD_PERIOD_MS, 1);
    board_stage_assert_filter(0, sale->sold_out_since, STOCK);
    assert_int_equal(board_stage.ids_read, STOCK);
}

/* A database that is set back to an earlier state gives the numbers of lost orders to others: none
 * of what was read of the lost ones may stand for those. */
static void board_build_ahead_of_a_sale_that_was_set_back_is_dropped(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(STOCK);
    sell_down_to(sale, STOCK / 2, 1);
    struct sale backup = *sale;
    sell_down_to(sale, STOCK / 2 - STEP, 1);
    assert_int_equal(board_stage.ids_read, STOCK / 2 + STEP);
    *sale = backup;
    sale->paused = true; /* as the guide has it: so nothing is read ahead */
    board_stage.forked_after = STOCK / 2;
    board_stage_pass(BOARD_ASKED_MS + 2 * BOARD_PERIOD_MS, 1);
    sale->paused = false;
    board_stage_sell(sale, 2 * STEP); /* more than there had been */
    board_stage_pass(BOARD_PERIOD_MS, 1);
    board_stage_sell_out(sale);
    board_stage_pass(BOARD_PERIOD_MS, 1);
    board_stage_assert_filter(0, sale->sold_out_since, STOCK);
}

/* --- Any order of things --------------------------------------------------------------------- */

#define VERSIONS_MAX 1000

/* A sale whose every version is remembered with the orders that it had. */
struct history {
    struct sale *sale;
    uint32_t random;
    int64_t orders[VERSIONS_MAX];
    int64_t checked_version; /* of the last filter that was looked through */
    unsigned filters;
};

static uint32_t draw(struct history *history, uint32_t below)
{
    history->random = history->random * UINT32_C(1664525) + UINT32_C(1013904223);
    return (history->random >> 8) % below;
}

static void note_version(struct history *history)
{
    assert_true(history->sale->version < VERSIONS_MAX);
    history->orders[history->sale->version] = history->sale->orders_count;
}

static void sell_some(struct history *history)
{
    int32_t left = history->sale->stock_remaining;
    int32_t units = (int32_t)draw(history, 3 * STEP);
    if (left > 0) {
        board_stage_sell(history->sale, units < left ? units + 1 : left);
        note_version(history);
    }
}

/* Units come back as the domain has it: matured in a transaction of its own where none remain. */
static void give_some_back(struct history *history)
{
    struct sale *sale = history->sale;
    int32_t units = (int32_t)draw(history, 40) + 1;
    if (sale->orders_count < units) {
        return;
    }
    *(sale->stock_remaining > 0 ? &sale->stock_remaining : &sale->stock_returning) += units;
    sale->version++;
    note_version(history);
}

static void mature_all(struct history *history)
{
    struct sale *sale = history->sale;
    if (sale->stock_returning == 0) {
        return;
    }
    sale->stock_remaining += sale->stock_returning;
    sale->stock_returning = 0;
    sale->sold_out_since = 0;
    sale->version++;
    note_version(history);
}

/* All of the last orders, and enough of the others that no slice could be missing. */
static void assert_has_orders(const struct board_filter *filter, int64_t orders)
{
    for (int64_t number = 1; number <= orders;) {
        struct uuid id = board_stage_order_id_at(0, (uint64_t)number);
        assert_true(id_filter_may_contain(&filter->bits, &id));
        number += number < orders - FILTER_BUILD_AHEAD_IDS ? 37 : 1;
    }
}

/* Whoever refuses by what is told now must know every order that there was at that version. */
static void ask(struct history *history)
{
    struct board_entry entry;
    if (!board_stage_read_entry(0, &entry) || entry.filter == NULL) {
        return;
    }
    assert_int_equal(entry.state, SALE_SOLD_OUT);
    assert_int_equal(entry.stock_remaining + entry.stock_returning, 0);
    assert_int_equal(entry.filter->version, entry.sold_out_since);
    if (history->checked_version != entry.version) {
        history->checked_version = entry.version;
        history->filters++;
        assert_has_orders(entry.filter, history->orders[entry.version]);
    }
    board_filter_unref(entry.filter);
}

static void run_if_there(struct lane_job **job)
{
    if (*job != NULL) {
        board_stage_run_job(job);
    }
}

static void do_something(struct history *history)
{
    switch (draw(history, 16)) {
    case 0:
    case 1:
        sell_some(history);
        break;
    case 2:
        give_some_back(history);
        break;
    case 3:
    case 4:
        mature_all(history);
        break;
    case 5:
        board_stage.read_result = draw(history, 3) == 0 ? STORE_UNAVAILABLE : STORE_OK;
        break;
    case 6:
    case 7:
        board_stage.now_ns += (int64_t)draw(history, 300) * MS;
        break;
    case 8:
    case 9:
        (void)board_tick(board_stage.board, board_stage.now_ns);
        break;
    case 10:
    case 11:
        run_if_there(&board_stage.read_job);
        break;
    case 12:
    case 13:
        run_if_there(&board_stage.build_job);
        break;
    default:
        ask(history);
        break;
    }
}

/* Sales, returns, readings and slices in any order and with any pause between: no filter that is
 * told ever lacks an order of its entry's version, and in the end there is one. */
static void board_build_ahead_in_any_order_lacks_no_order(void **state)
{
    static struct history history;
    unsigned filters = 0;
    for (uint32_t seed = 1; seed <= 12; seed++) {
        assert_int_equal(board_stage_tear_down(state), 0);
        assert_int_equal(board_stage_set_up(state), 0);
        history = (struct history){.sale = board_stage_add_sale(STOCK), .random = seed};
        note_version(&history);
        for (int i = 0; i < 1500; i++) {
            do_something(&history);
        }
        board_stage.read_result = STORE_OK;
        while (history.sale->stock_remaining > 0 || history.sale->stock_returning > 0) {
            mature_all(&history);
            sell_some(&history);
        }
        board_stage_pass(BOARD_ASKED_MS, 1);
        history.checked_version = 0;
        ask(&history);
        assert_true(history.checked_version == history.sale->version);
        filters += history.filters;
    }
    assert_true(filters > 12);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, board_stage_set_up, board_stage_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(board_build_ahead_leaves_the_remainder),
        TEST(board_build_ahead_makes_the_same_bytes),
        TEST(board_build_ahead_of_several_sales_has_them_all),
        TEST(board_build_ahead_of_the_next_sell_out_goes_on),
        TEST(board_build_ahead_outgrown_is_begun_anew),
        TEST(board_build_ahead_wrong_at_the_end_is_made_anew),
        TEST(board_build_ahead_of_a_small_sale_reads_nothing),
        TEST(board_build_ahead_of_a_quiet_sale_reads_nothing),
        TEST(board_build_ahead_takes_its_share_of_the_time),
        TEST(board_tick_while_ids_are_read_ahead_says_when_to_come),
        TEST(board_build_ahead_lets_sold_out_sales_go_first),
        TEST(board_build_ahead_makes_room_for_filters_in_force),
        TEST(board_build_ahead_of_a_forgotten_sale_is_freed),
        TEST(board_build_ahead_without_room_reads_nothing),
        TEST(board_build_ahead_without_database_goes_on_later),
        TEST(board_build_ahead_refused_is_tried_again),
        TEST(board_build_ahead_of_a_sale_that_was_set_back_is_dropped),
        TEST(board_build_ahead_in_any_order_lacks_no_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
