/*
 * A filter of a sale's order ids that is shared: the board holds one reference, each reply that is
 * being packed another. Nothing in it changes while more than one holds it.
 */
#ifndef ORDERS_BOARD_BOARD_FILTER_H
#define ORDERS_BOARD_BOARD_FILTER_H

#include "base/id_filter.h"

#include <stdatomic.h>

/* What is in no version of a sale: the filter is not complete, and stands for nothing. */
#define BOARD_FILTER_UNFINISHED INT64_C(0)

struct board_filter {
    int64_t version; /* the sold_out_since that it stands for, or BOARD_FILTER_UNFINISHED */
    uint64_t ids;    /* the orders with numbers up to this are in it, and no others */
    struct id_filter bits;
    atomic_uint _refs;
};

/* An empty, unfinished filter with one reference; NULL without memory. */
struct board_filter *board_filter_create(struct id_filter_shape shape);

/* An unfinished filter with the same bits and ids; NULL without memory. */
struct board_filter *board_filter_copy(const struct board_filter *from);

/* Another reference, by whoever has one. Any thread. */
struct board_filter *board_filter_ref(struct board_filter *filter);

/* Gives a reference back; the last one frees. NULL is fine. Any thread. */
void board_filter_unref(struct board_filter *filter);

/* Whether the caller has the only reference, and so may change the filter. */
bool board_filter_is_sole(const struct board_filter *filter);

#endif
