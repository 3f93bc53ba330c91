/*
 * Who may send calls here: what grpc.health.v1 is told of the program and of its services, as the
 * database comes and goes and when a drain begins.
 */
#ifndef ORDERS_ANNOUNCER_H
#define ORDERS_ANNOUNCER_H

#include "base/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct drain;
struct pool_view;
struct rpc_health;

struct announcer {
    struct rpc_health *health; /* read only: to be added to the server */
    const struct drain *_drain;
    struct pool_view *_pool_view;
    pthread_mutex_t _lock; /* whoever tells looks at the world under it */
    int64_t _announce_ns;  /* when calls are asked for, whether there is a database or not */
    bool _announced;       /* under the lock */
};

/* Pointers are borrowed. Errors: -ENOMEM, nothing is owed then. */
int announcer_init(struct announcer *announcer, const struct drain *drain,
                   struct pool_view *pool_view) MUST_CHECK;

/* After the server has been destroyed. A zeroed struct is fine. */
void announcer_fini(struct announcer *announcer);

/* The program begins to look for its database; once, before the first tick. */
void announcer_begin(struct announcer *announcer);

/* Looks at everything anew and tells what has changed. data is the announcer. Any thread. */
void announcer_update(void *data);

/* A duty of the janitor's: announces a program that has found no database. */
int64_t announcer_tick(void *data, int64_t now_ns);

#endif
