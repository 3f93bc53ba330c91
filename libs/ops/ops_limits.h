/*
 * Every bound of a program in one table, reported three ways: /limits, a gauge
 * stampede_<name>_limit beside the usage gauge stampede_<name>, and a log line at start (the
 * program walks the table; libraries do not log).
 *
 * /limits is a JSON array with an object for each row: {"name":…, "limit":…, "inUse":…, "unit":…,
 * "setting":…}, and where the program has more to tell of one, "detail":{…}. Readers skip members
 * that they do not know.
 *
 * Filled at start by one thread; afterwards read by any.
 */
#ifndef OPS_OPS_LIMITS_H
#define OPS_OPS_LIMITS_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

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

/* Writes one JSON object, braces included. Any thread, must not block. */
typedef void (*ops_detail_fn)(FILE *out, void *data);

struct ops_limits {
    size_t count;
    struct ops_limit items[OPS_LIMITS_MAX];
    struct {
        ops_detail_fn write; /* NULL: the row has no detail */
        void *data;
    } details[OPS_LIMITS_MAX]; /* of the item with the same index */
};

void ops_limits_init(struct ops_limits *limits);

/* Copies one row; names are unique and the table has room (both asserted). */
void ops_limits_add(struct ops_limits *limits, const struct ops_limit *limit);

/* Gives the row of that name, which exists and has none (asserted), its detail. */
void ops_limits_add_detail(struct ops_limits *limits, const char *name, ops_detail_fn write,
                           void *data);

/* Registers the gauges of all rows, once, after the last add. The table must outlive the
 * registry's last rendering. */
void ops_limits_register(const struct ops_limits *limits, struct metrics *metrics);

/* What is in use now; 0 where nothing is held. */
int64_t ops_limits_in_use(const struct ops_limit *limit);

/* Writes the whole table as the JSON of /limits. Errors of out are the caller's to find. */
void ops_limits_write(const struct ops_limits *limits, FILE *out);

#endif
