/*
 * Where orders, changes and acts wait whose sale has no lane, until one look-up has told which of
 * the sales exist. Not thread-safe: the lock of the lanes guards it.
 *
 *   waiting ──lobby_take──▶ being looked up ──lobby_leave──▶ out, entry by entry
 *
 * Entries stay where they are during the look-up; new ones are appended behind them.
 */
#ifndef ORDERS_LANES_LOBBY_H
#define ORDERS_LANES_LOBBY_H

#include "orders/lanes/lanes_work.h"

/*
 * The distinct sales of a look-up are found in a table four times as large, open-addressed. Its ids
 * are strangers' choice: hashing is salted, and an id that meets so many others ends the look-up
 * there, so the lock is held for a bounded time whatever they send.
 */
#define LOBBY_SLOTS 2048

struct lobby {
    struct list entries;        /* of struct lane_entry */
    size_t counts[LANE_QUEUES]; /* of them, by kind */
    bool is_taken;              /* a look-up is under way */
    int64_t since_ns;           /* while it waits: when a look-up could begin */
    uint64_t _salt;
    uint16_t _slots[LOBBY_SLOTS]; /* while it is taken up: index + 1, or 0 */
};

void lobby_init(struct lobby *lobby, const struct system_port *system);

/* Whether a look-up can begin. */
bool lobby_waits(const struct lobby *lobby);

/* Begins one (asserted that it can): fills a LOBBY task. */
void lobby_take(struct lobby *lobby, struct lane_task *task);

/* Puts the first count of arriving, which are of one kind, behind the others. */
void lobby_enter(struct lobby *lobby, enum lane_kind kind, struct list *arriving, size_t count);

/* The next entry that the task was about comes out; there is one (asserted). */
struct lane_entry *lobby_leave(struct lobby *lobby);

/* An entry comes out from anywhere. */
void lobby_remove(struct lobby *lobby, struct lane_entry *entry);

#endif
