/*
 * One read of the board: which sales it is for, and what it brought. Known sales have their turns,
 * strangers a share of each tick's read.
 *
 * For the board alone; every function is called with the board's lock held, but the sale ids are
 * the read's own while it is under way.
 */
#ifndef ORDERS_BOARD_BOARD_READING_H
#define ORDERS_BOARD_BOARD_READING_H

#include "orders/board/board_table.h"

struct board_reading {
    struct uuid sale_ids[STORE_READ_SALES_MAX];
    size_t count;
};

/* Picks what is due, of strangers too or of known sales alone; false when nothing is. */
bool board_reading_pick(struct board_reading *reading, struct board_table *table, int64_t now_ns,
                        bool strangers);

/* Takes in what the read brought, which began at begun_ns, and notes what it did not find. */
void board_reading_take(const struct board_reading *reading, struct board_table *table,
                        const struct store_sale_page *page, int64_t begun_ns);

/* When the next known sale is to be read, one period from now at most. */
int64_t board_reading_due_ns(const struct board_table *table, int64_t now_ns);

#endif
