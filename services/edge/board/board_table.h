/*
 * The sales on the board, by id and by how well they are known, under one lock.
 *
 * Strangers choose the sales that are asked for, so the table is bounded and a sale is free, a
 * newcomer or known, by the list that it is on:
 *
 *     free ──somebody orders there──▶ newcomer ──a replica knows it, or orders vouches──▶ known
 *      ▲ ▲                              │ quiet, or another newcomer needs the place       │
 *      │ └──────────────────────────────┘                                                  │
 *      └──────────────────────────────quiet for long────────────────────────────────────────┘
 *
 * Loops make newcomers and known sales; what becomes free again is the asker's to say, but for a
 * newcomer that another displaces. The asker may therefore hold on to a known sale without the
 * lock. A known sale has an entry, or orders has vouched for it.
 *
 * What ends in _locked is called with the lock held. Any thread, unless it says otherwise.
 */
#ifndef EDGE_BOARD_BOARD_TABLE_H
#define EDGE_BOARD_BOARD_TABLE_H

#include "base/check.h"
#include "base/list.h"
#include "base/sale_table.h"
#include "edge/board/board_entry.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct board_sale {
    struct sale_table_entry by_id;
    struct list_link link;
    bool is_known;
    int64_t traffic_ns, asked_ns;
    struct board_entry entry;    /* written by the asker, read by loops */
    struct board_filter *filter; /* whole, or NULL; likewise */

    /* The asker's alone: what is on its way. */
    struct board_filter *receiving;
    bool goes_on;            /* the replica has more of the filter */
    int64_t no_room_version; /* the filter that found no room, */
    int64_t no_room_total;
    int64_t no_room_until_ns;
};

struct board_table {
    struct board_sale *_sales;
    atomic_size_t _newcomers; /* as many as there were when the lock was last given back */
    struct {
        pthread_mutex_t lock;
        struct sale_table by_id;
        struct list free, newcomers, known; /* the last two by when they were asked for */
        bool is_awake;                      /* there may be something to ask for */
        int64_t next_round_ns;              /* while awake */
        int64_t next_forget_ns;             /* while asleep */
    } _shared;                              /* its own lock guards it, and the sales */
};

/* sales_max is at least 1; secret is random. Errors: -ENOMEM. */
int board_table_init(struct board_table *table, size_t sales_max,
                     const uint64_t secret[2]) MUST_CHECK;

/* Lets go of every filter. When no thread uses it any more. */
void board_table_fini(struct board_table *table);

void board_table_lock(struct board_table *table);
void board_table_unlock(struct board_table *table);

/* Whether there were newcomers a moment ago; without the lock. */
bool board_table_has_newcomers(const struct board_table *table);

/* NULL where the sale is not in the table. */
struct board_sale *board_table_find_locked(const struct board_table *table,
                                           const struct uuid *sale_id);

/* The sale of an order that somebody wants to place; NULL where there is no room for it.
 * *ret_wakes, which is written with a sale only: the asker has to hear of it. */
struct board_sale *board_table_note_traffic_locked(struct board_table *table,
                                                   const struct uuid *sale_id, int64_t now_ns,
                                                   bool *ret_wakes);

void board_table_make_known_locked(struct board_table *table, struct board_sale *sale);

/* Takes a sale off its list, which is newcomers or known. Its filters are the caller's to take
 * first (asserted). The asker's thread. */
void board_table_remove_locked(struct board_table *table, struct list *list,
                               struct board_sale *sale);

/* The sale that a link of one of the lists belongs to. */
struct board_sale *board_table_sale_of(struct list_link *link);

/* Sales that are not free. */
size_t board_table_count(struct board_table *table);

#endif
