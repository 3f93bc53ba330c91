/*
 * The filters of the board's sales, all together within one bound of bytes: which chunk of which
 * filter is wanted next, when a filter is whole, and whose filter makes room for another.
 *
 * The asker's thread, unless it says otherwise. Loops see whole filters only, under the table's
 * lock, and hold references to those that they look into.
 */
#ifndef EDGE_BOARD_BOARD_FILTERS_H
#define EDGE_BOARD_BOARD_FILTERS_H

#include "base/check.h"
#include "edge/board/board_table.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct board_filters {
    struct board_table *_table;
    size_t _bytes_max;
    atomic_size_t _bytes; /* written by the asker */
};

/* The table is borrowed. */
void board_filters_init(struct board_filters *filters, struct board_table *table, size_t bytes_max);

/* Whether the sale's filter holds every order that there can be while its entry counts. The table's
 * lock is held, or the thread is the asker's. */
bool board_filters_is_current(const struct board_sale *sale);

/* Drops what cannot count any more, by what the sale's entry says: stock has remained since, or ran
 * out again later. */
void board_filters_drop_outdated(struct board_filters *filters, struct board_sale *sale);

/* Takes a chunk for what is known of the sale by now; true when asking at once gets on. One that
 * does not fit drops what was collected of its filter and no more. */
bool board_filters_take(struct board_filters *filters, struct board_sale *sale,
                        const struct board_chunk *chunk, int64_t now_ns) MUST_CHECK;

/* What to ask about the sale, so that the replica sends what comes next of its filter. */
struct board_position board_filters_position(const struct board_sale *sale, int64_t now_ns);

/* Lets go of a filter that was the table's; NULL is fine. */
void board_filters_drop(struct board_filters *filters, struct board_filter *filter);

/* What they take, in bytes. Any thread. */
size_t board_filters_bytes(const struct board_filters *filters);

#endif
