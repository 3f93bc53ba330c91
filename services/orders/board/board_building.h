/*
 * The filter that the board is building: of which sale it is, what it begins with, and whose it is
 * when it is done. Filters are kept by the table's entries; one is built at a time.
 *
 * Sales that are sold out come first. While there are none to build for, a filter that a selling
 * sale will want is read ahead, one slice a time: each is a build of its own, which keeps the next
 * sell-out waiting no longer than that.
 *
 * For the board alone; every function is called with the board's lock held, but build is the job's
 * own while one is under way.
 */
#ifndef ORDERS_BOARD_BOARD_BUILDING_H
#define ORDERS_BOARD_BOARD_BUILDING_H

#include "orders/board/board_table.h"
#include "orders/board/filter_build.h"

/* Zeroed is a building that has nothing under way. */
struct board_building {
    bool is_under_way; /* build holds a filter; a job for it is out or will be */
    struct filter_build build;
    int64_t begun_ns;
    int64_t due_ns; /* when its next slice is to be read */
    /* Reading ahead has used up its share of the time until this moment. */
    int64_t ahead_paid_ns;
};

/* Begins with the filter that is had soonest, where none is under way and one is wanted. True when
 * a slice is to be read now. */
bool board_building_pick(struct board_building *building, struct board_table *table,
                         int64_t now_ns);

/* Takes in how a slice went that began at begun_ns: goes on, or gives the filter to its entry,
 * complete or as a beginning for the next time. */
void board_building_take(struct board_building *building, struct board_table *table,
                         enum filter_build_step step, int64_t begun_ns, int64_t now_ns);

/* There was no turn for the slice: what is built of a sold-out sale waits where it is. */
void board_building_wait(struct board_building *building, struct board_table *table,
                         int64_t now_ns);

/* When there is something to do next, of what no job is out for; INT64_MAX for never. */
int64_t board_building_due_ns(const struct board_building *building,
                              const struct board_table *table, int64_t now_ns);

/* Drops what is under way. */
void board_building_fini(struct board_building *building, struct board_table *table);

#endif
