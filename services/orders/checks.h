/*
 * What /readyz and /livez of the ops listener ask: whether the program can do its work, and whether
 * each of its threads turns.
 */
#ifndef ORDERS_CHECKS_H
#define ORDERS_CHECKS_H

#include "ops/ops_server.h"

#define CHECKS_READY 2
#define CHECKS_LIVE  3

struct drain;
struct duties;
struct pool_view;
struct rpc_server;
struct workers;

/* What is asked; all of it runs before the first question and outlives the last. */
struct checks {
    struct pool_view *pool_view;
    const struct drain *drain;
    const struct duties *duties;
    const struct workers *workers;
    const struct rpc_server *server;
};

/* Fills in the lists of the ops listener, which ask checks from then on. */
void checks_list(struct checks *checks, struct ops_check ret_ready[CHECKS_READY],
                 struct ops_check ret_live[CHECKS_LIVE]);

#endif
