/*
 * Finds what nobody asks for: holds that have run out on quiet sales, and units that came back to
 * sold-out ones (CORRECTNESS B6, C3).
 *
 * Discovery is one query over all sales, asked often. A sale with due holds gets a sweep at once.
 * Of a sale with returning units it is remembered how far they were when the answer was there; one
 * lease later, and no later, a sweep may let them mature, for by then every entry of a board has
 * run out that was read before they came back. Nothing is lost with a sweeper: whatever it wished
 * in vain the next discovery finds again, here or in another replica.
 */
#ifndef ORDERS_LANES_SWEEPER_H
#define ORDERS_LANES_SWEEPER_H

#include "orders/lanes/lanes.h"

struct sweeper;

struct sweeper_config {
    struct lanes *lanes;
    const struct system_port *system;
    int64_t interval_ns;        /* from the beginning of one discovery to that of the next */
    int64_t lease_ns;           /* of the edges' boards, with a margin for their clocks */
    int64_t transaction_ns_max; /* of one query */
};

/* Errors: -ENOMEM. What config points at must outlive the sweeper. */
int sweeper_create(const struct sweeper_config *config, struct sweeper **ret) MUST_CHECK;

/* After the lanes have answered everything, for its query may be among it. NULL is fine. */
void sweeper_destroy(struct sweeper *sweeper);

/* Does what is due, without blocking, and returns when the next is; monotonic nanoseconds. One
 * thread at a time. */
int64_t sweeper_tick(void *sweeper, int64_t now_ns);

/* A sweep has just given units back, so the lease of their sale is better begun now than an
 * interval later: the next discovery is due sooner. Whoever ticks is to be woken. Any thread. */
void sweeper_hurry(struct sweeper *sweeper);

#endif
