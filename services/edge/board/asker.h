/*
 * Keeps the board up to date: a thread that asks the orders service for the sales that have
 * traffic, one ReadBoard call at a time, about every EDGE_BOARD_ROUND_MS, and at once again while
 * a filter is on its way. It sleeps while nobody places orders.
 *
 *     sleep ──▶ collect positions ──▶ call ──▶ take the entries ──┐
 *       ▲                              │ no answer in time        │
 *       └──────────────────────────────┴─────────────────────────┘
 *
 * A call that fails changes nothing: leases run out, and the edge forwards. Calls go round the
 * replicas like any other; chunks of a filter may come from several.
 */
#ifndef EDGE_BOARD_ASKER_H
#define EDGE_BOARD_ASKER_H

#include "base/check.h"

struct asker;
struct board;
struct metrics;
struct rpc_channel;

/* All borrowed; they outlive the asker. Errors: -ENOMEM. */
int asker_create(struct board *board, struct rpc_channel *channel, struct metrics *metrics,
                 struct asker **ret) MUST_CHECK;

/* Starts the thread; once. Errors: -EAGAIN. */
int asker_start(struct asker *asker) MUST_CHECK;

/*
 * Ends the thread, which takes as long as the call in flight takes to be cancelled, and frees.
 * While the channel lives and when nobody judges any more. NULL, and one that was not started, are
 * fine.
 */
void asker_destroy(struct asker *asker);

#endif
