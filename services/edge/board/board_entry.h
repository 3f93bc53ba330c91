/*
 * What is known of a sale, as a lease: it counts for CONTRACT_BOARD_LEASE_MS from when the database
 * was read at the earliest, and says nothing afterwards.
 *
 * Pure. Times are monotonic nanoseconds. One thread at a time.
 */
#ifndef EDGE_BOARD_BOARD_ENTRY_H
#define EDGE_BOARD_BOARD_ENTRY_H

#include "edge/board/board_news.h"

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: nothing is known. */
struct board_entry {
    int64_t version, sold_out_since; /* 0: not sold out */
    enum board_state state;
    bool has_stock;  /* remaining or returning */
    int64_t read_ns; /* the database was read at this time, or later */
    int64_t starts_at_ns;
};

/* Whether news can be of any sale at all; a peer may say anything. */
bool board_entry_is_plausible(const struct board_news *news);

/* Takes in plausible news that were asked for at asked_ns, unless the entry is of a higher version
 * or of a later reading. */
void board_entry_take(struct board_entry *entry, const struct board_news *news, int64_t asked_ns);

/* Whether the sale surely has not begun when what came at now_ns is decided. */
bool board_entry_is_not_started(const struct board_entry *entry, int64_t now_ns);

/* Whether nothing was for sale at now_ns, to be paid for or to come back. */
bool board_entry_is_sold_out(const struct board_entry *entry, int64_t now_ns);

#endif
