/*
 * Every bound of a program in one table, reported three ways: /limits, a gauge
 * stampede_<name>_limit beside the usage gauge stampede_<name>, and a log line at start (the
 * program walks the table; libraries do not log).
 *
 * Filled at start by one thread; afterwards read by any.
 */
#ifndef OPS_OPS_LIMITS_H
#define OPS_OPS_LIMITS_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPS_LIMITS_MAX 64

struct metrics;

/* All strings are kept by reference. */
struct ops_limit {
    const char *name;    /* "pool_connections": [a-z0-9_]+, plural */
    const char *help;    /* one sentence, the help of its gauges */
    const char *unit;    /* "connections" */
    const char *setting; /* the setting that changes it; "" where it is fixed */
    int64_t limit;
    /* How much is in use now; any thread, must not block. NULL for a bound per request, which
     * nothing holds: it reports 0 and has no usage gauge. */
    int64_t (*in_use)(void *data);
    void *data;
    /* The program itself registers stampede_<name>, say with a state label; only the _limit gauge
     * is made here. */
    bool has_own_gauge;
};

struct ops_limits {
    size_t count;
    struct ops_limit items[OPS_LIMITS_MAX];
};

void ops_limits_init(struct ops_limits *limits);

/* Copies one row; names are unique and the table has room (both asserted). */
void ops_limits_add(struct ops_limits *limits, const struct ops_limit *limit);

/* Registers the gauges of all rows, once, after the last add. The table must outlive the
 * registry's last rendering. */
void ops_limits_register(const struct ops_limits *limits, struct metrics *metrics);

/* What is in use now; 0 where nothing is held. */
int64_t ops_limits_in_use(const struct ops_limit *limit);

#endif
