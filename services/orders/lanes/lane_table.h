/*
 * The lanes that exist, by sale. Not thread-safe: the lock of the lanes guards it.
 */
#ifndef ORDERS_LANES_LANE_TABLE_H
#define ORDERS_LANES_LANE_TABLE_H

#include "orders/lanes/lane.h"

struct lane_table {
    struct lane *by_id;      /* of uthash */
    struct list ready, idle; /* of struct lane: those that nobody owns */
    size_t lanes_max;
};

void lane_table_init(struct lane_table *table, size_t lanes_max);
void lane_table_fini(struct lane_table *table);

/* NULL: the sale has no lane. */
struct lane *lane_table_find(const struct lane_table *table, const struct uuid *sale_id);

/* Makes an idle lane for a sale that has none, in the place of the longest idle one when there are
 * lanes_max; NULL when none is. */
struct lane *lane_table_make(struct lane_table *table, const struct uuid *sale_id);

/* Takes a ready lane, the one that has been so the longest; there is one (asserted). It is owned.
 */
struct lane *lane_table_own(struct lane_table *table);

/* The one place where a lane that nobody owns changes between idle and ready. from is the list it
 * is on, NULL when it was owned. Returns whether it is ready. */
bool lane_table_settle(struct lane_table *table, struct lane *lane, struct list *from);

#endif
