/*
 * A bounded, steady load of orders over keep-alive connections, for as long as somebody does
 * something to the system, and an account of what came of it.
 */
#ifndef COMPOSE_LOAD_H
#define COMPOSE_LOAD_H

#include "target.h"

#define LOAD_CONNECTIONS_MAX 256
#define LOAD_URLS_MAX        16

struct load_plan {
    unsigned seconds, per_second, connections;
    const char *const *urls; /* edges, used in turns; the target's base URL where there is none */
    unsigned url_count;
};

/*
 * Sells one unit an order, each of a customer of its own, in a sale of its own, until the time is
 * over or SIGTERM or SIGINT comes; then prints one line that begins with "load:". Blocks the two
 * signals, so call it before anything starts a thread. Returns 0 if every order was placed and the
 * sale's stock agrees; else 1, with the first answer that was none.
 */
int load_run(const struct target *target, const struct load_plan *plan);

#endif
