/*
 * What the program does that nobody asks for, and the thread that sees to it: holds that run out,
 * old events, the database's view of our sessions, the board, the announcement.
 */
#ifndef ORDERS_DUTIES_H
#define ORDERS_DUTIES_H

#include "base/check.h"
#include "orders/lanes/pruner.h"
#include "orders/lanes/session_watch.h"

#include <stdbool.h>
#include <stddef.h>

struct announcer;
struct board;
struct janitor;
struct lanes;
struct settings;
struct sweeper;

struct duties {
    struct session_watch session_watch;
    struct sweeper *_sweeper;
    struct pruner _pruner;
    struct janitor *_janitor; /* while it runs: from before the workers until after */
    bool _is_made;
};

struct duties_config {
    const struct settings *settings;
    /* So many events were deleted; a worker's thread. */
    void (*on_pruned)(void *data, size_t count);
    void *data;
};

/* Errors: -ENOMEM, nothing is owed then. */
int duties_init(struct duties *duties, struct lanes *lanes,
                const struct duties_config *config) MUST_CHECK;

/* Stops first. After the workers have ended. A zeroed struct is fine. */
void duties_fini(struct duties *duties);

/* Starts the thread: before the workers, who tell what they did. Errors: -ENOMEM, -EAGAIN. */
int duties_start(struct duties *duties, struct board *board,
                 struct announcer *announcer) MUST_CHECK;

/* Ends the thread, after the workers. Not started or stopped already: does nothing. */
void duties_stop(struct duties *duties);

/* Holds were let expire: there may be more of them. While the thread runs; any thread. */
void duties_hurry(struct duties *duties);

/* How long ago the thread last turned. While it runs; any thread. */
int64_t duties_turn_ns(const struct duties *duties);

#endif
