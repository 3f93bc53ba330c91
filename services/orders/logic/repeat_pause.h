/*
 * How long to wait before the same transaction is tried again: short at first, growing, so that a
 * server that struggles is not kept busy by whoever waits for it. One thread.
 */
#ifndef ORDERS_LOGIC_REPEAT_PAUSE_H
#define ORDERS_LOGIC_REPEAT_PAUSE_H

#include "orders/ports/system.h"

#include <stdbool.h>
#include <stdint.h>

/* The first pause, and the longest; each is twice the one before. */
#define REPEAT_PAUSE_NS_MIN INT64_C(10000000)
#define REPEAT_PAUSE_NS_MAX INT64_C(160000000)

/* Zeroed before the first repetition. */
struct repeat_pause {
    int64_t _last_ns;
};

/* Sleeps for the next pause, but not past until_ns (monotonic); false when that time has come. */
bool repeat_pause_take(struct repeat_pause *pause, const struct system_port *system,
                       int64_t until_ns);

#endif
