/*
 * The asker's rounds: which sales are asked for now, which are forgotten, and when the next round
 * is due.
 *
 * The asker's thread. It holds the table's lock for one walk over a list at a time.
 */
#ifndef EDGE_BOARD_BOARD_ROUNDS_H
#define EDGE_BOARD_BOARD_ROUNDS_H

#include "edge/board/board_filters.h"
#include "edge/board/board_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As board_positions says. */
size_t board_rounds_begin(struct board_table *table, struct board_filters *filters, int64_t now_ns,
                          struct board_position *positions, bool *ret_has_more);

/* As board_end_round says. */
void board_rounds_end(struct board_table *table, int64_t asked_ns, bool goes_on);

/* As board_next_due_ns says. */
int64_t board_rounds_next_due_ns(struct board_table *table);

#endif
