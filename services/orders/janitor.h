/*
 * The thread that looks after what nobody asks for: it calls each duty when it is due, and sleeps
 * in between. A duty only hands work to others, so one thread does for all of them.
 */
#ifndef ORDERS_JANITOR_H
#define ORDERS_JANITOR_H

#include "base/check.h"

#include <stddef.h>
#include <stdint.h>

#define JANITOR_DUTIES_MAX 8

struct janitor;

struct janitor_duty {
    /* Does what is due at now_ns (monotonic) and returns when the next is; CLOCK_DEADLINE_NEVER
     * ends the duty, which is not called again. On the janitor's thread; must not block. */
    int64_t (*tick)(void *data, int64_t now_ns);
    void *data;
};

/* Starts the thread with up to JANITOR_DUTIES_MAX duties, which are copied. Errors: -ENOMEM,
 * -EAGAIN. */
int janitor_start(const struct janitor_duty *duties, size_t count, struct janitor **ret) MUST_CHECK;

/* How long ago it last began a round; it begins one every second at least. Any thread. */
int64_t janitor_turn_ns(const struct janitor *janitor);

/* Has every duty that has not ended looked at now, whatever it said. Any thread. */
void janitor_wake(struct janitor *janitor);

/* Ends the thread; no duty is called any more afterwards. Frees the janitor. NULL is fine. */
void janitor_stop(struct janitor *janitor);

#endif
