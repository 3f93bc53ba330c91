#include "board_stage.h"

#include "base/order_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS           CLOCK_NS_PER_MS
#define MEMORIZED    150000
#define NEVER_FORKED UINT64_MAX

struct board_stage board_stage;

/* --- What is around the board ---------------------------------------------------------------- */

void lanes_submit_job(struct lanes *lanes, struct lane_job *job)
{
    (void)lanes;
    assert_null(board_stage.build_job);
    board_stage.build_job = job;
}

void lanes_submit_urgent_job(struct lanes *lanes, struct lane_job *job)
{
    (void)lanes;
    assert_null(board_stage.read_job);
    board_stage.read_job = job;
}

static int64_t monotonic_ns(void *data)
{
    (void)data;
    return board_stage.now_ns;
}

static void random_bytes(void *data, uint8_t *bytes, size_t count)
{
    (void)data;
    memset(bytes, 7, count);
}

static const struct system_port system_still = {.monotonic_ns = monotonic_ns,
                                                .random_bytes = random_bytes};

struct uuid board_stage_sale_id_at(size_t at)
{
    return (struct uuid){{(uint8_t)(at + 1), 0x70}};
}

static struct uuid make_order_id(size_t sale, uint64_t number)
{
    struct uuid id = board_stage_sale_id_at(sale);
    const char *customer = number > board_stage.forked_after ? "d" : "c";
    char key[24];
    int length = snprintf(key, sizeof(key), "%llu", (unsigned long long)number);
    return order_id_of(&id, customer, 1, key, (size_t)length);
}

/* Large sales are looked through again and again, and digests take long under sanitizers. */
struct uuid board_stage_order_id_at(size_t sale, uint64_t number)
{
    static struct uuid ids[BOARD_STAGE_SALES_MAX][MEMORIZED];
    static uint64_t made[BOARD_STAGE_SALES_MAX];
    if (number > MEMORIZED || board_stage.forked_after != NEVER_FORKED) {
        return make_order_id(sale, number);
    }
    for (; made[sale] < number; made[sale]++) {
        ids[sale][made[sale]] = make_order_id(sale, made[sale] + 1);
    }
    return ids[sale][number - 1];
}

static enum store_result read_sales(void *data, const struct uuid *sale_ids, size_t count,
                                    int64_t deadline_ns, struct arena *scratch,
                                    struct store_sale_page *ret)
{
    struct store_sale *found = arena_calloc(scratch, count, sizeof(*found));
    (void)data;
    (void)deadline_ns;
    assert_in_range(count, 1, STORE_READ_SALES_MAX);
    board_stage.now_ns += board_stage.read_takes_ns;
    board_stage.reads++;
    board_stage.last_read_count = count;
    *ret = (struct store_sale_page){.sales = found};
    for (size_t i = 0; i < count; i++) {
        for (size_t s = 0; s < board_stage.sale_count; s++) {
            if (uuid_equal(&board_stage.sales[s].sale.sale_id, &sale_ids[i])) {
                found[ret->count++] = board_stage.sales[s];
            }
        }
    }
    return board_stage.read_result;
}

static enum store_result read_order_ids(void *data, const struct uuid *sale_id, int64_t after,
                                        size_t limit, int64_t deadline_ns, struct arena *scratch,
                                        struct uuid *ret_ids, size_t *ret_count)
{
    size_t sale = (size_t)sale_id->bytes[0] - 1, count = 0;
    (void)data;
    (void)deadline_ns;
    (void)scratch;
    board_stage.now_ns += board_stage.slice_takes_ns;
    board_stage.slices++;
    int64_t left = board_stage.sales[sale].sale.orders_count - board_stage.missing_ids - after;
    while (count < limit && (int64_t)count < left) {
        ret_ids[count] = board_stage_order_id_at(sale, (uint64_t)after + count + 1);
        count++;
    }
    board_stage.ids_read += board_stage.read_result == STORE_OK ? count : 0;
    *ret_count = count;
    return board_stage.read_result;
}

static const struct store store = {.read_sales = read_sales, .read_order_ids = read_order_ids};

static void on_read(void *data)
{
    (void)data;
    board_stage.heard++;
}

void board_stage_make(size_t sales_max, size_t strangers_max, size_t filter_bytes_max)
{
    const struct board_config config = {
        .lanes = NULL,
        .system = &system_still,
        .sales_max = sales_max,
        .strangers_max = strangers_max,
        .filter_bytes_max = filter_bytes_max,
        .transaction_ns_max = 2000 * MS,
    };
    board_destroy(board_stage.board);
    assert_int_equal(board_create(&config, &board_stage.board), 0);
    board_stage.listener = (struct board_listener){.on_read = on_read};
    board_add_listener(board_stage.board, &board_stage.listener);
}

int board_stage_set_up(void **state)
{
    (void)state;
    board_stage = (struct board_stage){
        .now_ns = 1000000 * MS,
        .forked_after = NEVER_FORKED,
        .read_result = STORE_OK,
    };
    arena_init(&board_stage.arena, 65536, (size_t)8 * 1024 * 1024);
    board_stage_make(4, 4, (size_t)1024 * 1024);
    return 0;
}

int board_stage_tear_down(void **state)
{
    (void)state;
    board_stage_run_jobs();
    board_destroy(board_stage.board);
    board_stage.board = NULL;
    arena_fini(&board_stage.arena);
    return 0;
}

/* --- Sales ----------------------------------------------------------------------------------- */

struct sale *board_stage_add_sale(int32_t stock)
{
    size_t at = board_stage.sale_count++;
    board_stage.sales[at] = (struct store_sale){
        .now_us = BOARD_STAGE_NOW_US,
        .sale = {.sale_id = board_stage_sale_id_at(at),
                 .sku = "sku",
                 .title = "Title",
                 .unit_price = {"EUR", 100},
                 .start_us = BOARD_STAGE_NOW_US - 1000000,
                 .end_us = BOARD_STAGE_NOW_US + 1000000000,
                 .stock_total = stock,
                 .stock_remaining = stock,
                 .version = 1},
    };
    return &board_stage.sales[at].sale;
}

void board_stage_sell(struct sale *sale, int32_t orders)
{
    assert_true(orders <= sale->stock_remaining);
    sale->orders_count += orders;
    sale->stock_remaining -= orders;
    sale->version++;
    sale->sold_out_since = sale->stock_remaining == 0 ? sale->version : 0;
}

void board_stage_sell_out(struct sale *sale)
{
    board_stage_sell(sale, sale->stock_remaining);
}

/* --- Time ------------------------------------------------------------------------------------ */

void board_stage_run_job(struct lane_job **at)
{
    struct lane_job *job = *at;
    *at = NULL;
    arena_reset(&board_stage.arena);
    job->run(job, &store, &board_stage.arena);
}

void board_stage_run_jobs(void)
{
    while (board_stage.read_job != NULL || board_stage.build_job != NULL) {
        board_stage_run_job(board_stage.read_job != NULL ? &board_stage.read_job
                                                         : &board_stage.build_job);
    }
}

void board_stage_tick(void)
{
    (void)board_tick(board_stage.board, board_stage.now_ns);
    board_stage_run_jobs();
}

void board_stage_pass(int64_t ms, size_t asked)
{
    for (int64_t until_ns = board_stage.now_ns + ms * MS; board_stage.now_ns < until_ns;) {
        for (size_t i = 0; i < asked; i++) {
            struct board_entry entry;
            if (board_stage_read_entry(i, &entry)) {
                board_filter_unref(entry.filter);
            }
        }
        board_stage_tick();
        board_stage.now_ns += BOARD_PERIOD_MS * MS;
    }
}

/* --- Asking ---------------------------------------------------------------------------------- */

bool board_stage_read_entry(size_t sale, struct board_entry *ret)
{
    struct uuid id = board_stage_sale_id_at(sale);
    return board_read(board_stage.board, &id, ret);
}

struct board_entry board_stage_entry_of(size_t sale)
{
    struct board_entry entry = {0};
    assert_true(board_stage_read_entry(sale, &entry));
    board_filter_unref(entry.filter);
    return entry;
}

void board_stage_assert_filter(size_t sale, int64_t version, uint64_t orders)
{
    struct board_entry entry;
    size_t maybes = 0;
    assert_true(board_stage_read_entry(sale, &entry));
    assert_non_null(entry.filter);
    assert_int_equal(entry.filter->version, version);
    assert_int_equal(entry.sold_out_since, version);
    for (uint64_t number = 1; number <= orders; number++) {
        struct uuid id = board_stage_order_id_at(sale, number);
        assert_true(id_filter_may_contain(&entry.filter->bits, &id));
    }
    for (uint64_t number = orders + 1; number <= orders + 1000; number++) {
        struct uuid id = board_stage_order_id_at(sale, number);
        maybes += id_filter_may_contain(&entry.filter->bits, &id) ? 1 : 0;
    }
    assert_true(maybes < 40);
    board_filter_unref(entry.filter);
}

void board_stage_assert_no_filter(size_t sale)
{
    assert_null(board_stage_entry_of(sale).filter);
}
