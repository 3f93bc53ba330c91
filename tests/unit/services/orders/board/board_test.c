/*
 * The board on a clock that stands still: entries, strangers, filters of sales that are sold out,
 * streams. What is begun ahead of the sell-out is board_ahead_test.c.
 */
#include "board_stage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS     CLOCK_NS_PER_MS
#define NOW_US BOARD_STAGE_NOW_US

/* --- Entries --------------------------------------------------------------------------------- */

/* The first question finds nothing; a tick reads the sale, and the second is answered. */
static void board_read_after_a_tick_knows_the_sale(void **state)
{
    struct board_entry entry;
    (void)state;
    board_stage_add_sale(5);
    assert_false(board_stage_read_entry(0, &entry));
    board_stage_tick();
    entry = board_stage_entry_of(0);
    assert_int_equal(entry.state, SALE_LIVE);
    assert_int_equal(entry.version, 1);
    assert_int_equal(entry.stock_remaining, 5);
    assert_int_equal(entry.age_ms, 0);
    assert_int_equal(entry.starts_in_ms, 0);
}

/* A lease is counted from before the read was sent: a slow read makes an old entry, not a new one,
 * and a part of a millisecond counts as a whole one. */
static void board_read_age_counts_from_before_the_read(void **state)
{
    struct board_entry entry;
    (void)state;
    board_stage_add_sale(5);
    board_stage.read_takes_ns = 40 * MS;
    assert_false(board_stage_read_entry(0, &entry));
    board_stage_tick();
    assert_int_equal(board_stage_entry_of(0).age_ms, 40);
    board_stage.now_ns += 10 * MS + 1;
    assert_int_equal(board_stage_entry_of(0).age_ms, 51);
}

/* Who counts from when it asked must not think that a sale is still closed when it may be open. */
static void board_read_starts_in_takes_the_age_off(void **state)
{
    struct board_entry entry;
    (void)state;
    board_stage_add_sale(5)->start_us = NOW_US + 2000999;
    board_stage.read_takes_ns = 100 * MS;
    assert_false(board_stage_read_entry(0, &entry));
    board_stage_tick();
    entry = board_stage_entry_of(0);
    assert_int_equal(entry.state, SALE_SCHEDULED);
    assert_int_equal(entry.starts_in_ms, 1900);
    board_stage.now_ns += 5000 * MS;
    assert_int_equal(board_stage_entry_of(0).starts_in_ms, 0);
}

/* A database clock that was set back closes a sale again, but not for orders that were placed. */
static void board_read_sale_with_orders_never_starts_later(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(5);
    sale->start_us = NOW_US + 60000000;
    sale->orders_count = 1;
    assert_false(board_stage_read_entry(0, &(struct board_entry){.version = 0}));
    board_stage_tick();
    struct board_entry entry = board_stage_entry_of(0);
    assert_int_equal(entry.state, SALE_SCHEDULED);
    assert_int_equal(entry.starts_in_ms, 0);
}

/* Only what is asked for is read, at its pace, and no more when nobody asks. */
static void board_tick_reads_what_is_asked_for_only(void **state)
{
    (void)state;
    board_stage_add_sale(5);
    board_stage_add_sale(5);
    board_stage_pass(1500, 1);
    assert_in_range(board_stage.reads, 9, 11);
    assert_int_equal(board_stage.last_read_count, 1);
    board_stage_pass(BOARD_ASKED_MS + BOARD_PERIOD_MS, 0);
    size_t before = board_stage.reads;
    board_stage_pass(2000, 0);
    assert_int_equal(board_stage.reads, before);
}

/* A tick that comes early does not read early, and says when it wants to come again. */
static void board_tick_early_waits_for_its_time(void **state)
{
    struct board_entry entry;
    (void)state;
    board_stage_add_sale(5);
    assert_false(board_stage_read_entry(0, &entry));
    board_stage_tick();
    assert_int_equal(board_stage.reads, 1);
    int64_t read_ns = board_stage.now_ns;
    board_stage.now_ns += 100 * MS;
    assert_int_equal(board_tick(board_stage.board, board_stage.now_ns),
                     read_ns + BOARD_PERIOD_MS * MS);
    assert_null(board_stage.read_job);
    board_stage.now_ns = read_ns + BOARD_PERIOD_MS * MS;
    board_stage_tick();
    assert_int_equal(board_stage.reads, 2);
}

/* A replica whose database lags for a moment neither replaces nor renews what is known. */
static void board_read_lower_version_is_not_served(void **state)
{
    struct board_entry entry;
    (void)state;
    struct sale *sale = board_stage_add_sale(5);
    sale->version = 8;
    assert_false(board_stage_read_entry(0, &entry));
    board_stage_tick();
    sale->version = 7;
    sale->stock_remaining = 4;
    board_stage.now_ns += BOARD_PERIOD_MS * MS;
    board_stage_tick();
    entry = board_stage_entry_of(0);
    assert_int_equal(entry.version, 8);
    assert_int_equal(entry.stock_remaining, 5);
    assert_int_equal(entry.age_ms, BOARD_PERIOD_MS);
}

/* While the database is away entries only grow old; nothing is made up. */
static void board_read_without_database_grows_old(void **state)
{
    (void)state;
    board_stage_add_sale(5);
    board_stage_pass(300, 1);
    int64_t read_ns = board_stage.now_ns - BOARD_PERIOD_MS * MS;
    board_stage.read_result = STORE_UNAVAILABLE;
    board_stage_pass(3000, 1);
    assert_int_equal(board_stage_entry_of(0).age_ms, (board_stage.now_ns - read_ns) / MS);
    board_stage.read_result = STORE_OK;
    board_stage_pass(300, 1);
    assert_true(board_stage_entry_of(0).age_ms <= BOARD_PERIOD_MS);
}

/* A job that the lanes refuse is tried at the next tick, and one of a kind is out at a time. */
static void board_tick_refused_job_is_tried_again(void **state)
{
    struct board_entry entry;
    (void)state;
    board_stage_add_sale(5);
    assert_false(board_stage_read_entry(0, &entry));
    for (int i = 0; i < 3; i++) {
        (void)board_tick(board_stage.board, board_stage.now_ns);
        struct lane_job *job = board_stage.read_job;
        assert_non_null(job);
        board_stage.now_ns += BOARD_PERIOD_MS * MS;
        (void)board_tick(board_stage.board,
                         board_stage.now_ns); /* asserts in the lanes that nothing more comes */
        board_stage.read_job = NULL;
        job->refuse(job, VERDICT_OVERLOADED);
    }
    board_stage.now_ns += BOARD_PERIOD_MS * MS;
    board_stage_tick();
    assert_int_equal(board_stage_entry_of(0).version, 1);
}

/* --- Strangers ------------------------------------------------------------------------------- */

/* Ids that somebody invents push out no sale that exists, take bounded room, and are forgotten. */
static void board_read_invented_ids_push_out_nothing(void **state)
{
    struct board_entry entry;
    (void)state;
    board_stage_add_sale(5);
    board_stage_pass(300, 1);
    for (unsigned i = 0; i < 5000; i++) {
        struct uuid id = {{200, (uint8_t)i, (uint8_t)(i >> 8)}};
        assert_false(board_read(board_stage.board, &id, &entry));
        if (i % 50 == 0) {
            board_stage_tick();
        }
        assert_true(board_stats(board_stage.board).strangers <= 4);
    }
    assert_int_equal(board_stage_entry_of(0).version, 1);
    assert_int_equal(board_stats(board_stage.board).sales, 1);
    board_stage_pass(BOARD_ASKED_MS + 1000, 1);
    assert_int_equal(board_stats(board_stage.board).strangers, 0);
}

/* An id that was not found is not looked for again at once, but it is after a while: the sale may
 * have been made meanwhile. */
static void board_read_missing_sale_is_looked_for_again_later(void **state)
{
    struct board_entry entry;
    (void)state;
    assert_false(board_stage_read_entry(0, &entry));
    board_stage_tick();
    assert_int_equal(board_stage.reads, 1);
    board_stage_add_sale(5);
    for (int i = 0; i < 3; i++) {
        board_stage.now_ns += BOARD_PERIOD_MS * MS;
        assert_false(board_stage_read_entry(0, &entry));
        board_stage_tick();
    }
    assert_int_equal(board_stage.reads, 1);
    board_stage_pass(BOARD_MISSING_MS + 2 * BOARD_PERIOD_MS, 1);
    assert_int_equal(board_stage_entry_of(0).version, 1);
}

/* With more sales than there is room for, who was asked for longest ago goes. */
static void board_read_full_table_forgets_the_longest_not_asked_for(void **state)
{
    struct board_entry entry;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        board_stage_add_sale(5);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_false(board_stage_read_entry(i, &entry));
        board_stage_tick();
        board_stage.now_ns += MS;
    }
    (void)board_stage_entry_of(0);
    assert_false(board_stage_read_entry(4, &entry));
    board_stage.now_ns += BOARD_PERIOD_MS * MS;
    board_stage_tick();
    assert_int_equal(board_stats(board_stage.board).sales, 4);
    assert_true(board_stage_read_entry(0, &entry));
    assert_true(board_stage_read_entry(4, &entry));
    assert_false(board_stage_read_entry(1, &entry));
}

/* --- Filters --------------------------------------------------------------------------------- */

/* A sale that is sold out gets the filter of all its orders, in slices, and only then. */
static void board_read_sold_out_sale_has_its_filter(void **state)
{
    (void)state;
    board_stage_make(4, 4, (size_t)1024 * 1024);
    struct sale *sale = board_stage_add_sale(45000);
    board_stage_pass(300, 1);
    board_stage_assert_no_filter(0);
    board_stage_sell_out(sale);
    board_stage_pass(600, 1);
    board_stage_assert_filter(0, 2, 45000);
    assert_int_equal(board_stage.ids_read, 45000);
}

/* While units come back nobody may be refused; when they are sold again, the later orders are added
 * to what is there. */
static void board_read_returning_stock_suspends_then_extends_the_filter(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(2000);
    board_stage_sell_out(sale);
    board_stage_pass(600, 1);
    board_stage_assert_filter(0, 2, 2000);
    sale->stock_returning = 10;
    sale->version++;
    board_stage_pass(300, 1);
    board_stage_assert_no_filter(0);
    sale->stock_remaining = 10;
    sale->stock_returning = 0;
    sale->sold_out_since = 0;
    sale->version++;
    board_stage_pass(300, 1);
    board_stage_assert_no_filter(0);
    board_stage_sell_out(sale);
    board_stage_pass(BOARD_REBUILD_MS * 3, 1);
    board_stage_assert_filter(0, 5, 2010);
    assert_int_equal(board_stage.ids_read, 2010);
}

/* Sold out again and not read anew yet: the list of before lacks orders that exist by now. */
static void board_read_sold_out_again_waits_for_its_own_filter(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(2000);
    board_stage_sell_out(sale);
    board_stage_pass(300, 1);
    board_stage_assert_filter(0, 2, 2000);
    sale->stock_remaining = 10;
    sale->sold_out_since = 0;
    sale->version++;
    board_stage_sell_out(sale);
    board_stage_pass(300, 1); /* it was read; the next build is not allowed yet */
    board_stage_assert_no_filter(0);
    board_stage_pass(BOARD_REBUILD_MS * 3, 1);
    board_stage_assert_filter(0, 4, 2010);
}

/* A list that is shorter than the sale's row says is no list of all orders. */
static void board_build_of_fewer_orders_than_told_is_no_filter(void **state)
{
    (void)state;
    board_stage.missing_ids = 1;
    board_stage_sell_out(board_stage_add_sale(2000));
    board_stage_pass(BOARD_REBUILD_MS * 3, 1);
    board_stage_assert_no_filter(0);
    board_stage.missing_ids = 0;
    board_stage_pass(BOARD_REBUILD_MS * 3, 1);
    board_stage_assert_filter(0, 2, 2000);
}

/* An edge that is still packing the old bits must not see them change under it. */
static void board_read_filter_in_use_is_not_written_to(void **state)
{
    struct board_entry old;
    (void)state;
    struct sale *sale = board_stage_add_sale(2000);
    board_stage_sell_out(sale);
    board_stage_pass(600, 1);
    assert_true(board_stage_read_entry(0, &old));
    struct uuid later = board_stage_order_id_at(0, 2007);
    assert_false(id_filter_may_contain(&old.filter->bits, &later));
    sale->stock_remaining = 10;
    sale->sold_out_since = 0;
    sale->version++;
    board_stage_sell_out(sale);
    board_stage_pass(BOARD_REBUILD_MS * 3, 1);
    board_stage_assert_filter(0, 4, 2010);
    assert_int_equal(old.filter->version, 2);
    assert_int_equal(old.filter->ids, 2000);
    assert_false(id_filter_may_contain(&old.filter->bits, &later));
    board_filter_unref(old.filter);
}

/* A filter that outgrows its size is made anew of all orders. */
static void board_read_outgrown_filter_is_made_anew(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(1024);
    board_stage_sell_out(sale);
    board_stage_pass(600, 1);
    board_stage_assert_filter(0, 2, 1024);
    sale->stock_remaining = 500;
    sale->sold_out_since = 0;
    sale->version++;
    board_stage_sell_out(sale);
    board_stage_pass(BOARD_REBUILD_MS * 3, 1);
    board_stage_assert_filter(0, 4, 1524);
    assert_int_equal(board_stage.ids_read, 1024 + 1524);
}

/* A unit is sold between two slices: what was read then stands for nothing, and the next sell-out's
 * filter has every order. */
static void board_build_sale_that_moves_on_is_discarded(void **state)
{
    struct board_entry entry;
    (void)state;
    struct sale *sale = board_stage_add_sale(45000);
    board_stage_sell_out(sale);
    assert_false(board_stage_read_entry(0, &entry));
    (void)board_tick(board_stage.board, board_stage.now_ns);
    board_stage_run_job(&board_stage.read_job);
    assert_non_null(board_stage.build_job);
    board_stage_run_job(&board_stage.build_job);
    assert_non_null(board_stage.build_job);
    board_stage_run_job(&board_stage.build_job);
    sale->stock_remaining = 3;
    sale->sold_out_since = 0;
    sale->version++;
    board_stage_sell_out(sale);
    board_stage_run_jobs(); /* the last slice, and the look at the row */
    board_stage_assert_no_filter(0);
    board_stage_pass(BOARD_REBUILD_MS * 3, 1);
    board_stage_assert_filter(0, 4, 45003);
}

/* A database that goes away in the middle costs time, not bits. */
static void board_build_interrupted_goes_on(void **state)
{
    struct board_entry entry;
    (void)state;
    struct sale *sale = board_stage_add_sale(45000);
    board_stage_sell_out(sale);
    assert_false(board_stage_read_entry(0, &entry));
    (void)board_tick(board_stage.board, board_stage.now_ns);
    board_stage_run_job(&board_stage.read_job);
    board_stage_run_job(&board_stage.build_job);
    board_stage.read_result = STORE_UNAVAILABLE;
    board_stage_pass(2000, 1);
    board_stage_assert_no_filter(0);
    struct lane_job *job;
    board_stage.read_result = STORE_OK;
    for (int i = 0; board_stage.build_job == NULL && i < 100; i++) {
        (void)board_tick(board_stage.board, board_stage.now_ns);
        if (board_stage.read_job != NULL) {
            board_stage_run_job(&board_stage.read_job);
        }
        board_stage.now_ns += BOARD_PERIOD_MS * MS;
    }
    job = board_stage.build_job;
    assert_non_null(job);
    board_stage.build_job = NULL;
    job->refuse(job, VERDICT_OVERLOADED);
    board_stage_pass(3000, 1);
    board_stage_assert_filter(0, 2, 45000);
    assert_int_equal(board_stage.ids_read, 45000);
}

/* A paused or ended sale is refused by orders alone, so nobody needs its filter. */
static void board_read_paused_sale_gets_no_filter(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(2000);
    board_stage_sell_out(sale);
    sale->paused = true;
    board_stage_pass(2000, 1);
    board_stage_assert_no_filter(0);
    assert_int_equal(board_stage.ids_read, 0);
}

/* All filters together have a bound: who was asked for longest ago makes room, and what is larger
 * than all the room has none. */
static void board_read_filters_over_the_bound_drop_the_longest_not_asked_for(void **state)
{
    (void)state;
    board_stage_make(4, 4, 6000); /* two filters of 2,000 orders: 2,560 bytes each */
    for (size_t i = 0; i < 3; i++) {
        board_stage_sell_out(board_stage_add_sale(2000));
    }
    board_stage_sell_out(board_stage_add_sale(9000));
    board_stage_pass(1000, 2);
    board_stage_assert_filter(0, 2, 2000);
    board_stage_assert_filter(1, 2, 2000);
    struct board_entry entry;
    assert_false(board_stage_read_entry(2, &entry));
    board_stage_tick();
    (void)board_stage_entry_of(1);
    board_stage_assert_filter(2, 2, 2000);
    board_stage_assert_filter(1, 2, 2000);
    board_stage_assert_no_filter(0);
    assert_true(board_stats(board_stage.board).filter_bytes <= 6000);
    assert_false(board_stage_read_entry(3, &entry));
    board_stage_pass(1000, 0);
    board_stage_assert_no_filter(3);
}

/* A sale whose stock comes and goes takes a bounded share of the reads. */
static void board_build_again_and_again_is_rate_limited(void **state)
{
    size_t builds = 0;
    (void)state;
    struct sale *sale = board_stage_add_sale(2000);
    board_stage_sell_out(sale);
    board_stage_pass(300, 1);
    for (int i = 0; i < 20; i++) {
        size_t before = board_stage.ids_read;
        sale->stock_remaining = 1;
        sale->sold_out_since = 0;
        sale->version++;
        board_stage_sell_out(sale);
        board_stage_pass(BOARD_PERIOD_MS, 1);
        builds += board_stage.ids_read > before ? 1 : 0;
    }
    assert_in_range(builds, 1, 20 * BOARD_PERIOD_MS / BOARD_REBUILD_MS + 1);
}

/* A build that took long is not begun again before it has rested several times as long. */
static void board_build_that_took_long_rests_longer(void **state)
{
    (void)state;
    struct sale *sale = board_stage_add_sale(2000);
    board_stage_sell_out(sale);
    board_stage.slice_takes_ns = 2000 * MS;
    board_stage_pass(300, 1);
    size_t before = board_stage.ids_read;
    assert_int_equal(before, 2000);
    board_stage.slice_takes_ns = 0;
    sale->stock_remaining = 1;
    sale->sold_out_since = 0;
    sale->version++;
    board_stage_sell_out(sale);
    board_stage_pass(2000 * (BOARD_REBUILD_FACTOR - 1), 1);
    assert_int_equal(board_stage.ids_read, before);
    board_stage_pass(2000 * 2, 1);
    assert_true(board_stage.ids_read > before);
}

/* --- Streams --------------------------------------------------------------------------------- */

static struct store_sale seen_now(size_t sale)
{
    return board_stage.sales[sale];
}

/* A watch keeps its sale on the board without anybody asking, and hears of each change once. */
static void board_watch_hears_of_changes(void **state)
{
    struct board_watch watch = {0};
    struct board_sale sale;
    (void)state;
    struct sale *changing = board_stage_add_sale(5);
    struct store_sale seen = seen_now(0);
    assert_int_equal(
        board_watch(board_stage.board, &watch, &board_stage.listener, &seen, board_stage.now_ns),
        0);
    board_look(board_stage.board, &watch, &sale);
    assert_int_equal(sale.seen.sale.stock_remaining, 5);
    assert_string_equal(sale.seen.sale.title, "Title");
    board_stage_pass(BOARD_KEPT_MS + 1000, 0);
    assert_true(board_stage.heard > 10);
    assert_null(board_take_news(board_stage.board, &board_stage.listener, &sale));
    changing->stock_remaining = 4;
    changing->version++;
    changing->title = "Another";
    board_stage_pass(BOARD_PERIOD_MS, 0);
    assert_ptr_equal(board_take_news(board_stage.board, &board_stage.listener, &sale), &watch);
    assert_int_equal(sale.seen.sale.stock_remaining, 4);
    assert_string_equal(sale.seen.sale.title, "Another");
    assert_null(board_take_news(board_stage.board, &board_stage.listener, &sale));
    board_stage.sales[0].now_us = changing->end_us; /* it ends, without a transaction */
    board_stage_pass(BOARD_PERIOD_MS, 0);
    assert_ptr_equal(board_take_news(board_stage.board, &board_stage.listener, &sale), &watch);
    board_unwatch(board_stage.board, &watch);
    board_unwatch(board_stage.board, &watch);
    board_stage_pass(BOARD_PERIOD_MS, 0);
    assert_int_equal(board_stats(board_stage.board).sales, 0);
}

/* News that nobody took are gone with their watch. */
static void board_unwatch_with_news_forgets_them(void **state)
{
    struct board_watch watch = {0};
    struct board_sale sale;
    (void)state;
    struct sale *changing = board_stage_add_sale(5);
    struct store_sale seen = seen_now(0);
    assert_int_equal(
        board_watch(board_stage.board, &watch, &board_stage.listener, &seen, board_stage.now_ns),
        0);
    changing->version++;
    board_stage_pass(BOARD_PERIOD_MS, 0);
    board_unwatch(board_stage.board, &watch);
    assert_null(board_take_news(board_stage.board, &board_stage.listener, &sale));
}

static int watch_sale(struct board_watch *watch, size_t sale)
{
    struct store_sale seen = seen_now(sale);
    return board_watch(board_stage.board, watch, &board_stage.listener, &seen, board_stage.now_ns);
}

/* Half of the places are the streams'; a further sale is refused, and one that is watched already
 * takes no place. Edges' asking holds none. */
static void board_watch_without_room_is_refused(void **state)
{
    struct board_watch watches[5] = {0};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        board_stage_add_sale(5);
        assert_int_equal(watch_sale(&watches[i], i), i < 2 ? 0 : -ENOSPC);
    }
    assert_int_equal(watch_sale(&watches[3], 0), 0);
    board_unwatch(board_stage.board, &watches[0]);
    assert_int_equal(watch_sale(&watches[2], 2), -ENOSPC); /* the other watch is still there */
    board_unwatch(board_stage.board, &watches[3]);
    assert_int_equal(watch_sale(&watches[2], 2), 0);
    for (size_t i = 0; i < 5; i++) {
        board_unwatch(board_stage.board, &watches[i]);
    }
}

/* However many sales streams ask for, those that edges ask for become known: without that no edge
 * could refuse for them. */
static void board_read_beside_as_many_watches_as_may_be_knows_the_sale(void **state)
{
    struct board_watch watches[4] = {0};
    struct board_entry entry;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        board_stage_add_sale(5);
        (void)watch_sale(&watches[i], i);
    }
    board_stage_add_sale(5);
    assert_false(board_stage_read_entry(4, &entry));
    board_stage_tick();
    assert_true(board_stage_read_entry(4, &entry));
    for (size_t i = 0; i < 4; i++) {
        board_unwatch(board_stage.board, &watches[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, board_stage_set_up, board_stage_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(board_read_after_a_tick_knows_the_sale),
        TEST(board_read_age_counts_from_before_the_read),
        TEST(board_read_starts_in_takes_the_age_off),
        TEST(board_read_sale_with_orders_never_starts_later),
        TEST(board_tick_reads_what_is_asked_for_only),
        TEST(board_tick_early_waits_for_its_time),
        TEST(board_read_lower_version_is_not_served),
        TEST(board_read_without_database_grows_old),
        TEST(board_tick_refused_job_is_tried_again),
        TEST(board_read_invented_ids_push_out_nothing),
        TEST(board_read_missing_sale_is_looked_for_again_later),
        TEST(board_read_full_table_forgets_the_longest_not_asked_for),
        TEST(board_read_sold_out_sale_has_its_filter),
        TEST(board_read_returning_stock_suspends_then_extends_the_filter),
        TEST(board_read_sold_out_again_waits_for_its_own_filter),
        TEST(board_build_of_fewer_orders_than_told_is_no_filter),
        TEST(board_read_filter_in_use_is_not_written_to),
        TEST(board_read_outgrown_filter_is_made_anew),
        TEST(board_build_sale_that_moves_on_is_discarded),
        TEST(board_build_interrupted_goes_on),
        TEST(board_read_paused_sale_gets_no_filter),
        TEST(board_read_filters_over_the_bound_drop_the_longest_not_asked_for),
        TEST(board_build_again_and_again_is_rate_limited),
        TEST(board_build_that_took_long_rests_longer),
        TEST(board_watch_hears_of_changes),
        TEST(board_unwatch_with_news_forgets_them),
        TEST(board_watch_without_room_is_refused),
        TEST(board_read_beside_as_many_watches_as_may_be_knows_the_sale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
