/*
 * What tests of the board stand on: a clock that stands still, lanes that keep a job until the test
 * runs it, and a store of sales whose orders are numbers. Lanes are not linked: the two functions
 * that the board calls are here.
 */
#ifndef TESTS_UNIT_SERVICES_ORDERS_BOARD_BOARD_STAGE_H
#define TESTS_UNIT_SERVICES_ORDERS_BOARD_BOARD_STAGE_H

#include "base/arena.h"
#include "base/clock.h"
#include "orders/board/board.h"

#define BOARD_STAGE_SALES_MAX 6
#define BOARD_STAGE_NOW_US    INT64_C(1700000000000000)

struct board_stage {
    struct board *board;
    struct arena arena;
    int64_t now_ns;
    struct lane_job *read_job, *build_job; /* submitted, and not run yet */

    struct store_sale sales[BOARD_STAGE_SALES_MAX];
    size_t sale_count;
    int64_t missing_ids;   /* of orders that a sale's row counts */
    uint64_t forked_after; /* orders with numbers above are those of another history */

    enum store_result read_result; /* of every read */
    int64_t read_takes_ns, slice_takes_ns;
    size_t reads, last_read_count; /* of sales */
    size_t slices, ids_read;       /* of order ids */

    struct board_listener listener;
    int heard;
};

extern struct board_stage board_stage;

/* Of every test: a board of 4 sales, 4 strangers and 1 MiB of filters, and no sale. */
int board_stage_set_up(void **state);
int board_stage_tear_down(void **state);

/* Another board in place of that. */
void board_stage_make(size_t sales_max, size_t strangers_max, size_t filter_bytes_max);

/* --- Sales ----------------------------------------------------------------------------------- */

/* A sale that is open. */
struct sale *board_stage_add_sale(int32_t stock);

/* So many orders of one unit each are committed. */
void board_stage_sell(struct sale *sale, int32_t orders);

/* All that is left, likewise. */
void board_stage_sell_out(struct sale *sale);

struct uuid board_stage_sale_id_at(size_t at);
struct uuid board_stage_order_id_at(size_t sale, uint64_t number);

/* --- Time ------------------------------------------------------------------------------------ */

void board_stage_run_job(struct lane_job **at);

/* Until none is left. */
void board_stage_run_jobs(void);

/* A tick, and its jobs. */
void board_stage_tick(void);

/* Ticks at the board's pace for so long, an edge asking all the time for the first sales. */
void board_stage_pass(int64_t ms, size_t asked);

/* --- Asking ---------------------------------------------------------------------------------- */

bool board_stage_read_entry(size_t sale, struct board_entry *ret);

/* Its filter is no reference: it can be compared with NULL. */
struct board_entry board_stage_entry_of(size_t sale);

/* The filter that is given out holds exactly these orders' ids: all of them, and hardly others. */
void board_stage_assert_filter(size_t sale, int64_t version, uint64_t orders);
void board_stage_assert_no_filter(size_t sale);

#endif
