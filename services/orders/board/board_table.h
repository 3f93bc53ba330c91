/*
 * The sales that the board knows and those that it looks for. An entry's way:
 *
 *   asked for ──▶ stranger ──found──▶ known ──not asked, no watch──▶ forgotten
 *                    │ not found, crowded out                 ▲
 *                    └────────────────────────────────────────┘
 *
 * For the files of the board alone. Whoever calls holds the board's lock. All times are monotonic
 * nanoseconds.
 */
#ifndef ORDERS_BOARD_BOARD_TABLE_H
#define ORDERS_BOARD_BOARD_TABLE_H

#include "base/list.h"
#include "base/sale_table.h"
#include "orders/board/board_filter.h"
#include "orders/ports/store.h"

#define BOARD_TABLE_NEVER_NS INT64_MIN

struct board_config;
struct board_watch;

struct board_table_entry {
    struct sale_table_entry by_sale;
    struct list_link by_asked; /* in known or strangers, the longest not asked for first */
    struct list_link by_turn;  /* known: in the order of reading */
    bool is_known;
    int64_t asked_ns; /* when an edge last asked */
    int64_t tried_ns; /* when a read of it was last begun, or BOARD_TABLE_NEVER_NS */
    int64_t found_ns; /* when the last read that found it began */
    bool is_missing;  /* a stranger that no sale was found for */

    int64_t read_ns;        /* known: before the read that seen is from */
    struct store_sale seen; /* its strings are owned */
    struct list watches;

    struct board_filter *filter; /* NULL, complete of some version, or unfinished */
    int64_t build_after_ns;
};

struct board_table {
    size_t sales_max, strangers_max, filter_bytes_max;
    struct list known, strangers; /* by_asked */
    struct list turns;            /* by_turn */
    size_t watched;               /* known entries that have watches */
    size_t filter_bytes;          /* of the entries' filters and the one that is being built */
    struct sale_table _by_sale;
};

/* secret is random. Errors: -ENOMEM. */
int board_table_init(struct board_table *table, const struct board_config *config,
                     const uint64_t secret[2]) MUST_CHECK;

/* Frees all entries, which nobody watches any more. */
void board_table_fini(struct board_table *table);

/* NULL when the sale is neither known nor looked for. */
struct board_table_entry *board_table_find(const struct board_table *table,
                                           const struct uuid *sale_id);

/* A stranger, in the place of another one that was looked for in vain where the table is full;
 * NULL when all of those are still to be looked for, or without memory. */
struct board_table_entry *board_table_add_stranger(struct board_table *table,
                                                   const struct uuid *sale_id);

/* Makes a stranger that was found a known sale, in the place of another that nobody watches where
 * the table is full; false when every known sale is watched. */
bool board_table_make_known(struct board_table *table, struct board_table_entry *entry);

/* Frees an entry that no stream watches. */
void board_table_remove(struct board_table *table, struct board_table_entry *entry);

/*
 * Takes in what a read that began at begun_ns saw, and puts the entry's watches among the news of
 * their listeners where it is news. Something older than what the entry has is not taken, nor does
 * it renew the entry. False without memory: the entry is as it was.
 */
bool board_table_take(struct board_table *table, struct board_table_entry *entry,
                      const struct store_sale *seen, int64_t begun_ns) MUST_CHECK;

/* Adds a watch to the known entry of a sale that was just read, by a read that began at begun_ns.
 * Errors: -ENOSPC half of the places are watched, and this sale is not, -ENOMEM. */
int board_table_watch(struct board_table *table, struct board_watch *watch,
                      const struct store_sale *seen, int64_t begun_ns) MUST_CHECK;

/* Takes a watch off its entry. */
void board_table_unwatch(struct board_table *table, struct board_watch *watch);

/* Notes that an edge has asked for the sale. */
void board_table_note_asked(struct board_table *table, struct board_table_entry *entry,
                            int64_t now_ns);

/* Drops the entry's filter, if it has one. */
void board_table_drop_filter(struct board_table *table, struct board_table_entry *entry);

/* Removes what has not been asked for in a while, and lets what was not found be asked for anew. */
void board_table_forget(struct board_table *table, int64_t now_ns);

/* Whether an edge has asked for the sale of late. */
bool board_table_is_asked(const struct board_table_entry *entry, int64_t now_ns);

/* By the database's clock when the entry was read. */
enum sale_state board_table_state(const struct board_table_entry *entry);

/* Whether an edge could refuse by this entry, if it had a filter. */
bool board_table_is_sold_out(const struct board_table_entry *entry);

/* Whether the entry's filter stands for its sale as it was read: edges may have it, too. */
bool board_table_is_in_force(const struct board_table_entry *entry);

#endif
