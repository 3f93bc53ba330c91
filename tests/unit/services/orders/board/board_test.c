/*
 * The board on a clock that stands still, with lanes that keep a job until the test runs it and a
 * store of one function each. Lanes are not linked: the two functions that the board calls are
 * here.
 */
#include "orders/board/board.h"

#include "base/arena.h"
#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS        CLOCK_NS_PER_MS
#define SALES_MAX 6
#define NOW_US    INT64_C(1700000000000000)

/* --- What is around the board ---------------------------------------------------------------- */

static int64_t now_ns;
static struct lane_job *read_job, *build_job;
static struct store_sale sales[SALES_MAX];
static size_t sale_count;
static size_t reads, ids_read, last_read_count;
static int64_t read_takes_ns;
static enum store_result read_result;
static struct board *board;
static struct arena arena;
static int heard;

void lanes_submit_job(struct lanes *lanes, struct lane_job *job)
{
    (void)lanes;
    assert_null(build_job);
    build_job = job;
}

void lanes_submit_urgent_job(struct lanes *lanes, struct lane_job *job)
{
    (void)lanes;
    assert_null(read_job);
    read_job = job;
}

static int64_t monotonic_ns(void *data)
{
    (void)data;
    return now_ns;
}

static void random_bytes(void *data, uint8_t *bytes, size_t count)
{
    (void)data;
    memset(bytes, 7, count);
}

static const struct system_port system_still = {.monotonic_ns = monotonic_ns,
                                                .random_bytes = random_bytes};

static struct uuid sale_id_at(size_t at)
{
    return (struct uuid){{(uint8_t)(at + 1), 0x70}};
}

static struct uuid order_id_at(size_t sale, uint64_t number)
{
    struct uuid id = sale_id_at(sale);
    char key[24];
    int length = snprintf(key, sizeof(key), "%llu", (unsigned long long)number);
    return order_id_of(&id, "c", 1, key, (size_t)length);
}

static enum store_result read_sales(void *data, const struct uuid *sale_ids, size_t count,
                                    int64_t deadline_ns, struct arena *scratch,
                                    struct store_sale_page *ret)
{
    struct store_sale *found = arena_calloc(scratch, count, sizeof(*found));
    (void)data;
    (void)deadline_ns;
    assert_in_range(count, 1, STORE_READ_SALES_MAX);
    now_ns += read_takes_ns;
    reads++;
    last_read_count = count;
    *ret = (struct store_sale_page){.sales = found};
    for (size_t i = 0; i < count; i++) {
        for (size_t s = 0; s < sale_count; s++) {
            if (uuid_equal(&sales[s].sale.sale_id, &sale_ids[i])) {
                found[ret->count++] = sales[s];
            }
        }
    }
    return read_result;
}

static enum store_result read_order_ids(void *data, const struct uuid *sale_id, int64_t after,
                                        size_t limit, int64_t deadline_ns, struct arena *scratch,
                                        struct uuid *ret_ids, size_t *ret_count)
{
    size_t sale = (size_t)sale_id->bytes[0] - 1, count = 0;
    (void)data;
    (void)deadline_ns;
    (void)scratch;
    int64_t left = sales[sale].sale.orders_count - after;
    while (count < limit && (int64_t)count < left) {
        ret_ids[count] = order_id_at(sale, (uint64_t)after + count + 1);
        count++;
    }
    ids_read += read_result == STORE_OK ? count : 0;
    *ret_count = count;
    return read_result;
}

static const struct store store = {.read_sales = read_sales, .read_order_ids = read_order_ids};

static void on_read(void *data)
{
    (void)data;
    heard++;
}

static struct board_listener listener;

static void make_board(size_t sales_max, size_t strangers_max, size_t filter_bytes_max)
{
    const struct board_config config = {
        .lanes = NULL,
        .system = &system_still,
        .sales_max = sales_max,
        .strangers_max = strangers_max,
        .filter_bytes_max = filter_bytes_max,
        .transaction_ns_max = 2000 * MS,
    };
    board_destroy(board);
    assert_int_equal(board_create(&config, &board), 0);
    listener = (struct board_listener){.on_read = on_read};
    board_add_listener(board, &listener);
}

static int set_up(void **state)
{
    (void)state;
    now_ns = 1000000 * MS;
    sale_count = reads = ids_read = last_read_count = 0;
    read_takes_ns = 0;
    read_result = STORE_OK;
    read_job = build_job = NULL;
    heard = 0;
    arena_init(&arena, 65536, (size_t)8 * 1024 * 1024);
    make_board(4, 4, (size_t)1024 * 1024);
    return 0;
}

static void run_jobs(void);

static int tear_down(void **state)
{
    (void)state;
    run_jobs();
    board_destroy(board);
    board = NULL;
    arena_fini(&arena);
    return 0;
}

/* --- What tests do --------------------------------------------------------------------------- */

static struct sale *add_sale(int32_t stock)
{
    struct store_sale *made = &sales[sale_count];
    *made = (struct store_sale){
        .now_us = NOW_US,
        .sale = {.sale_id = sale_id_at(sale_count),
                 .sku = "sku",
                 .title = "Title",
                 .unit_price = {"EUR", 100},
                 .start_us = NOW_US - 1000000,
                 .end_us = NOW_US + 1000000000,
                 .stock_total = stock,
                 .stock_remaining = stock,
                 .version = 1},
    };
    sale_count++;
    return &made->sale;
}

/* Every unit is ordered by itself. */
static void sell_out(struct sale *sale)
{
    sale->orders_count += sale->stock_remaining;
    sale->stock_remaining = 0;
    sale->sold_out_since = ++sale->version;
}

static void run_job(struct lane_job **at)
{
    struct lane_job *job = *at;
    *at = NULL;
    arena_reset(&arena);
    job->run(job, &store, &arena);
}

static void run_jobs(void)
{
    while (read_job != NULL || build_job != NULL) {
        run_job(read_job != NULL ? &read_job : &build_job);
    }
}

static void tick(void)
{
    (void)board_tick(board, now_ns);
    run_jobs();
}

/* Ticks at the board's pace for so long, an edge asking all the time for the first sales. */
static void pass(int64_t ms, size_t asked)
{
    for (int64_t until_ns = now_ns + ms * MS; now_ns < until_ns;) {
        for (size_t i = 0; i < asked; i++) {
            struct uuid id = sale_id_at(i);
            struct board_entry entry;
            if (board_read(board, &id, &entry)) {
                board_filter_unref(entry.filter);
            }
        }
        tick();
        now_ns += BOARD_PERIOD_MS * MS;
    }
}

static bool read_entry(size_t sale, struct board_entry *ret)
{
    struct uuid id = sale_id_at(sale);
    return board_read(board, &id, ret);
}

static struct board_entry entry_of(size_t sale)
{
    struct board_entry entry = {0};
    assert_true(read_entry(sale, &entry));
    board_filter_unref(entry.filter);
    return entry;
}

/* The filter that is given out holds exactly these orders' ids: all of them, and hardly others. */
static void assert_filter(size_t sale, int64_t version, uint64_t orders)
{
    struct board_entry entry;
    size_t maybes = 0;
    assert_true(read_entry(sale, &entry));
    assert_non_null(entry.filter);
    assert_int_equal(entry.filter->version, version);
    assert_int_equal(entry.sold_out_since, version);
    for (uint64_t number = 1; number <= orders; number++) {
        struct uuid id = order_id_at(sale, number);
        assert_true(id_filter_may_contain(&entry.filter->bits, &id));
    }
    for (uint64_t number = orders + 1; number <= orders + 1000; number++) {
        struct uuid id = order_id_at(sale, number);
        maybes += id_filter_may_contain(&entry.filter->bits, &id) ? 1 : 0;
    }
    assert_true(maybes < 40);
    board_filter_unref(entry.filter);
}

static void assert_no_filter(size_t sale)
{
    assert_null(entry_of(sale).filter);
}

/* --- Entries --------------------------------------------------------------------------------- */

/* The first question finds nothing; a tick reads the sale, and the second is answered. */
static void board_read_after_a_tick_knows_the_sale(void **state)
{
    struct board_entry entry;
    (void)state;
    add_sale(5);
    assert_false(read_entry(0, &entry));
    tick();
    entry = entry_of(0);
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
    add_sale(5);
    read_takes_ns = 40 * MS;
    assert_false(read_entry(0, &entry));
    tick();
    assert_int_equal(entry_of(0).age_ms, 40);
    now_ns += 10 * MS + 1;
    assert_int_equal(entry_of(0).age_ms, 51);
}

/* Who counts from when it asked must not think that a sale is still closed when it may be open. */
static void board_read_starts_in_takes_the_age_off(void **state)
{
    struct board_entry entry;
    (void)state;
    add_sale(5)->start_us = NOW_US + 2000999;
    read_takes_ns = 100 * MS;
    assert_false(read_entry(0, &entry));
    tick();
    entry = entry_of(0);
    assert_int_equal(entry.state, SALE_SCHEDULED);
    assert_int_equal(entry.starts_in_ms, 1900);
    now_ns += 5000 * MS;
    assert_int_equal(entry_of(0).starts_in_ms, 0);
}

/* A database clock that was set back closes a sale again, but not for orders that were placed. */
static void board_read_sale_with_orders_never_starts_later(void **state)
{
    (void)state;
    struct sale *sale = add_sale(5);
    sale->start_us = NOW_US + 60000000;
    sale->orders_count = 1;
    assert_false(read_entry(0, &(struct board_entry){.version = 0}));
    tick();
    struct board_entry entry = entry_of(0);
    assert_int_equal(entry.state, SALE_SCHEDULED);
    assert_int_equal(entry.starts_in_ms, 0);
}

/* Only what is asked for is read, at its pace, and no more when nobody asks. */
static void board_tick_reads_what_is_asked_for_only(void **state)
{
    (void)state;
    add_sale(5);
    add_sale(5);
    pass(1500, 1);
    assert_in_range(reads, 9, 11);
    assert_int_equal(last_read_count, 1);
    pass(BOARD_ASKED_MS + BOARD_PERIOD_MS, 0);
    size_t before = reads;
    pass(2000, 0);
    assert_int_equal(reads, before);
}

/* A tick that comes early does not read early, and says when it wants to come again. */
static void board_tick_early_waits_for_its_time(void **state)
{
    struct board_entry entry;
    (void)state;
    add_sale(5);
    assert_false(read_entry(0, &entry));
    tick();
    assert_int_equal(reads, 1);
    int64_t read_ns = now_ns;
    now_ns += 100 * MS;
    assert_int_equal(board_tick(board, now_ns), read_ns + BOARD_PERIOD_MS * MS);
    assert_null(read_job);
    now_ns = read_ns + BOARD_PERIOD_MS * MS;
    tick();
    assert_int_equal(reads, 2);
}

/* A replica whose database lags for a moment neither replaces nor renews what is known. */
static void board_read_lower_version_is_not_served(void **state)
{
    struct board_entry entry;
    (void)state;
    struct sale *sale = add_sale(5);
    sale->version = 8;
    assert_false(read_entry(0, &entry));
    tick();
    sale->version = 7;
    sale->stock_remaining = 4;
    now_ns += BOARD_PERIOD_MS * MS;
    tick();
    entry = entry_of(0);
    assert_int_equal(entry.version, 8);
    assert_int_equal(entry.stock_remaining, 5);
    assert_int_equal(entry.age_ms, BOARD_PERIOD_MS);
}

/* While the database is away entries only grow old; nothing is made up. */
static void board_read_without_database_grows_old(void **state)
{
    (void)state;
    add_sale(5);
    pass(300, 1);
    int64_t read_ns = now_ns - BOARD_PERIOD_MS * MS;
    read_result = STORE_UNAVAILABLE;
    pass(3000, 1);
    assert_int_equal(entry_of(0).age_ms, (now_ns - read_ns) / MS);
    read_result = STORE_OK;
    pass(300, 1);
    assert_true(entry_of(0).age_ms <= BOARD_PERIOD_MS);
}

/* A job that the lanes refuse is tried at the next tick, and one of a kind is out at a time. */
static void board_tick_refused_job_is_tried_again(void **state)
{
    struct board_entry entry;
    (void)state;
    add_sale(5);
    assert_false(read_entry(0, &entry));
    for (int i = 0; i < 3; i++) {
        (void)board_tick(board, now_ns);
        struct lane_job *job = read_job;
        assert_non_null(job);
        now_ns += BOARD_PERIOD_MS * MS;
        (void)board_tick(board, now_ns); /* asserts in the lanes that nothing more comes */
        read_job = NULL;
        job->refuse(job, VERDICT_OVERLOADED);
    }
    now_ns += BOARD_PERIOD_MS * MS;
    tick();
    assert_int_equal(entry_of(0).version, 1);
}

/* --- Strangers ------------------------------------------------------------------------------- */

/* Ids that somebody invents push out no sale that exists, take bounded room, and are forgotten. */
static void board_read_invented_ids_push_out_nothing(void **state)
{
    struct board_entry entry;
    (void)state;
    add_sale(5);
    pass(300, 1);
    for (unsigned i = 0; i < 5000; i++) {
        struct uuid id = {{200, (uint8_t)i, (uint8_t)(i >> 8)}};
        assert_false(board_read(board, &id, &entry));
        if (i % 50 == 0) {
            tick();
        }
        assert_true(board_stats(board).strangers <= 4);
    }
    assert_int_equal(entry_of(0).version, 1);
    assert_int_equal(board_stats(board).sales, 1);
    pass(BOARD_ASKED_MS + 1000, 1);
    assert_int_equal(board_stats(board).strangers, 0);
}

/* An id that was not found is not looked for again at once, but it is after a while: the sale may
 * have been made meanwhile. */
static void board_read_missing_sale_is_looked_for_again_later(void **state)
{
    struct board_entry entry;
    (void)state;
    assert_false(read_entry(0, &entry));
    tick();
    assert_int_equal(reads, 1);
    add_sale(5);
    for (int i = 0; i < 3; i++) {
        now_ns += BOARD_PERIOD_MS * MS;
        assert_false(read_entry(0, &entry));
        tick();
    }
    assert_int_equal(reads, 1);
    pass(BOARD_MISSING_MS + 2 * BOARD_PERIOD_MS, 1);
    assert_int_equal(entry_of(0).version, 1);
}

/* With more sales than there is room for, who was asked for longest ago goes. */
static void board_read_full_table_forgets_the_longest_not_asked_for(void **state)
{
    struct board_entry entry;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        add_sale(5);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_false(read_entry(i, &entry));
        tick();
        now_ns += MS;
    }
    (void)entry_of(0);
    assert_false(read_entry(4, &entry));
    now_ns += BOARD_PERIOD_MS * MS;
    tick();
    assert_int_equal(board_stats(board).sales, 4);
    assert_true(read_entry(0, &entry));
    assert_true(read_entry(4, &entry));
    assert_false(read_entry(1, &entry));
}

/* --- Filters --------------------------------------------------------------------------------- */

/* A sale that is sold out gets the filter of all its orders, in slices, and only then. */
static void board_read_sold_out_sale_has_its_filter(void **state)
{
    (void)state;
    make_board(4, 4, (size_t)1024 * 1024);
    struct sale *sale = add_sale(45000);
    pass(300, 1);
    assert_no_filter(0);
    sell_out(sale);
    pass(600, 1);
    assert_filter(0, 2, 45000);
    assert_int_equal(ids_read, 45000);
}

/* While units come back nobody may be refused; when they are sold again, the later orders are added
 * to what is there. */
static void board_read_returning_stock_suspends_then_extends_the_filter(void **state)
{
    (void)state;
    struct sale *sale = add_sale(2000);
    sell_out(sale);
    pass(600, 1);
    assert_filter(0, 2, 2000);
    sale->stock_returning = 10;
    sale->version++;
    pass(300, 1);
    assert_no_filter(0);
    sale->stock_remaining = 10;
    sale->stock_returning = 0;
    sale->sold_out_since = 0;
    sale->version++;
    pass(300, 1);
    assert_no_filter(0);
    sell_out(sale);
    pass(BOARD_REBUILD_MS * 3, 1);
    assert_filter(0, 5, 2010);
    assert_int_equal(ids_read, 2010);
}

/* An edge that is still packing the old bits must not see them change under it. */
static void board_read_filter_in_use_is_not_written_to(void **state)
{
    struct board_entry old;
    (void)state;
    struct sale *sale = add_sale(2000);
    sell_out(sale);
    pass(600, 1);
    assert_true(read_entry(0, &old));
    struct uuid later = order_id_at(0, 2007);
    assert_false(id_filter_may_contain(&old.filter->bits, &later));
    sale->stock_remaining = 10;
    sale->sold_out_since = 0;
    sale->version++;
    sell_out(sale);
    pass(BOARD_REBUILD_MS * 3, 1);
    assert_filter(0, 4, 2010);
    assert_int_equal(old.filter->version, 2);
    assert_int_equal(old.filter->ids, 2000);
    assert_false(id_filter_may_contain(&old.filter->bits, &later));
    board_filter_unref(old.filter);
}

/* A filter that outgrows its size is made anew of all orders. */
static void board_read_outgrown_filter_is_made_anew(void **state)
{
    (void)state;
    struct sale *sale = add_sale(1024);
    sell_out(sale);
    pass(600, 1);
    assert_filter(0, 2, 1024);
    sale->stock_remaining = 500;
    sale->sold_out_since = 0;
    sale->version++;
    sell_out(sale);
    pass(BOARD_REBUILD_MS * 3, 1);
    assert_filter(0, 4, 1524);
    assert_int_equal(ids_read, 1024 + 1524);
}

/* A unit is sold between two slices: what was read then stands for nothing, and the next sell-out's
 * filter has every order. */
static void board_build_sale_that_moves_on_is_discarded(void **state)
{
    struct board_entry entry;
    (void)state;
    struct sale *sale = add_sale(45000);
    sell_out(sale);
    assert_false(read_entry(0, &entry));
    (void)board_tick(board, now_ns);
    run_job(&read_job);
    assert_non_null(build_job);
    run_job(&build_job);
    assert_non_null(build_job);
    run_job(&build_job);
    sale->stock_remaining = 3;
    sale->sold_out_since = 0;
    sale->version++;
    sell_out(sale);
    run_jobs(); /* the last slice, and the look at the row */
    assert_no_filter(0);
    pass(BOARD_REBUILD_MS * 3, 1);
    assert_filter(0, 4, 45003);
}

/* A database that goes away in the middle costs time, not bits. */
static void board_build_interrupted_goes_on(void **state)
{
    struct board_entry entry;
    (void)state;
    struct sale *sale = add_sale(45000);
    sell_out(sale);
    assert_false(read_entry(0, &entry));
    (void)board_tick(board, now_ns);
    run_job(&read_job);
    run_job(&build_job);
    read_result = STORE_UNAVAILABLE;
    pass(2000, 1);
    assert_no_filter(0);
    struct lane_job *job;
    read_result = STORE_OK;
    for (int i = 0; build_job == NULL && i < 100; i++) {
        (void)board_tick(board, now_ns);
        if (read_job != NULL) {
            run_job(&read_job);
        }
        now_ns += BOARD_PERIOD_MS * MS;
    }
    job = build_job;
    assert_non_null(job);
    build_job = NULL;
    job->refuse(job, VERDICT_OVERLOADED);
    pass(3000, 1);
    assert_filter(0, 2, 45000);
    assert_int_equal(ids_read, 45000);
}

/* A paused or ended sale is refused by orders alone, so nobody needs its filter. */
static void board_read_paused_sale_gets_no_filter(void **state)
{
    (void)state;
    struct sale *sale = add_sale(2000);
    sell_out(sale);
    sale->paused = true;
    pass(2000, 1);
    assert_no_filter(0);
    assert_int_equal(ids_read, 0);
}

/* All filters together have a bound: who was asked for longest ago makes room, and what is larger
 * than all the room has none. */
static void board_read_filters_over_the_bound_drop_the_longest_not_asked_for(void **state)
{
    (void)state;
    make_board(4, 4, 6000); /* two filters of 2,000 orders: 2,560 bytes each */
    for (size_t i = 0; i < 3; i++) {
        sell_out(add_sale(2000));
    }
    sell_out(add_sale(9000));
    pass(1000, 2);
    assert_filter(0, 2, 2000);
    assert_filter(1, 2, 2000);
    struct board_entry entry;
    assert_false(read_entry(2, &entry));
    tick();
    (void)entry_of(1);
    assert_filter(2, 2, 2000);
    assert_filter(1, 2, 2000);
    assert_no_filter(0);
    assert_true(board_stats(board).filter_bytes <= 6000);
    assert_false(read_entry(3, &entry));
    pass(1000, 0);
    assert_no_filter(3);
}

/* A sale whose stock comes and goes takes a bounded share of the reads. */
static void board_build_again_and_again_is_rate_limited(void **state)
{
    size_t builds = 0;
    (void)state;
    struct sale *sale = add_sale(2000);
    sell_out(sale);
    pass(300, 1);
    for (int i = 0; i < 20; i++) {
        size_t before = ids_read;
        sale->stock_remaining = 1;
        sale->sold_out_since = 0;
        sale->version++;
        sell_out(sale);
        pass(BOARD_PERIOD_MS, 1);
        builds += ids_read > before ? 1 : 0;
    }
    assert_in_range(builds, 1, 20 * BOARD_PERIOD_MS / BOARD_REBUILD_MS + 1);
}

/* --- Streams --------------------------------------------------------------------------------- */

static struct store_sale seen_now(size_t sale)
{
    return sales[sale];
}

/* A watch keeps its sale on the board without anybody asking, and hears of each change once. */
static void board_watch_hears_of_changes(void **state)
{
    struct board_watch watch = {0};
    struct board_sale sale;
    (void)state;
    struct sale *changing = add_sale(5);
    struct store_sale seen = seen_now(0);
    assert_int_equal(board_watch(board, &watch, &listener, &seen, now_ns), 0);
    board_look(board, &watch, &sale);
    assert_int_equal(sale.seen.sale.stock_remaining, 5);
    assert_string_equal(sale.seen.sale.title, "Title");
    pass(BOARD_KEPT_MS + 1000, 0);
    assert_true(heard > 10);
    assert_null(board_take_news(board, &listener, &sale));
    changing->stock_remaining = 4;
    changing->version++;
    changing->title = "Another";
    pass(BOARD_PERIOD_MS, 0);
    assert_ptr_equal(board_take_news(board, &listener, &sale), &watch);
    assert_int_equal(sale.seen.sale.stock_remaining, 4);
    assert_string_equal(sale.seen.sale.title, "Another");
    assert_null(board_take_news(board, &listener, &sale));
    sales[0].now_us = changing->end_us; /* it ends, without a transaction */
    pass(BOARD_PERIOD_MS, 0);
    assert_ptr_equal(board_take_news(board, &listener, &sale), &watch);
    board_unwatch(board, &watch);
    board_unwatch(board, &watch);
    pass(BOARD_PERIOD_MS, 0);
    assert_int_equal(board_stats(board).sales, 0);
}

/* News that nobody took are gone with their watch. */
static void board_unwatch_with_news_forgets_them(void **state)
{
    struct board_watch watch = {0};
    struct board_sale sale;
    (void)state;
    struct sale *changing = add_sale(5);
    struct store_sale seen = seen_now(0);
    assert_int_equal(board_watch(board, &watch, &listener, &seen, now_ns), 0);
    changing->version++;
    pass(BOARD_PERIOD_MS, 0);
    board_unwatch(board, &watch);
    assert_null(board_take_news(board, &listener, &sale));
}

static int watch_sale(struct board_watch *watch, size_t sale)
{
    struct store_sale seen = seen_now(sale);
    return board_watch(board, watch, &listener, &seen, now_ns);
}

/* Half of the places are the streams'; a further sale is refused, and one that is watched already
 * takes no place. Edges' asking holds none. */
static void board_watch_without_room_is_refused(void **state)
{
    struct board_watch watches[5] = {0};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        add_sale(5);
        assert_int_equal(watch_sale(&watches[i], i), i < 2 ? 0 : -ENOSPC);
    }
    assert_int_equal(watch_sale(&watches[3], 0), 0);
    board_unwatch(board, &watches[0]);
    assert_int_equal(watch_sale(&watches[2], 2), -ENOSPC); /* the other watch is still there */
    board_unwatch(board, &watches[3]);
    assert_int_equal(watch_sale(&watches[2], 2), 0);
    for (size_t i = 0; i < 5; i++) {
        board_unwatch(board, &watches[i]);
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
        add_sale(5);
        (void)watch_sale(&watches[i], i);
    }
    add_sale(5);
    assert_false(read_entry(4, &entry));
    tick();
    assert_true(read_entry(4, &entry));
    for (size_t i = 0; i < 4; i++) {
        board_unwatch(board, &watches[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
        TEST(board_read_filter_in_use_is_not_written_to),
        TEST(board_read_outgrown_filter_is_made_anew),
        TEST(board_build_sale_that_moves_on_is_discarded),
        TEST(board_build_interrupted_goes_on),
        TEST(board_read_paused_sale_gets_no_filter),
        TEST(board_read_filters_over_the_bound_drop_the_longest_not_asked_for),
        TEST(board_build_again_and_again_is_rate_limited),
        TEST(board_watch_hears_of_changes),
        TEST(board_unwatch_with_news_forgets_them),
        TEST(board_watch_without_room_is_refused),
        TEST(board_read_beside_as_many_watches_as_may_be_knows_the_sale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
