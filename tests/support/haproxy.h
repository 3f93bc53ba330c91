/* A packaged HAProxy between a test's clients and its edges, which reads their /readyz. */
#ifndef SUPPORT_HAPROXY_H
#define SUPPORT_HAPROXY_H

#include "support/stack.h"

#include <stdbool.h>
#include <stddef.h>

#define HAPROXY_SERVERS_MAX 4
/* After so long of "not ready" a server is left out, when the machine has time for everything. */
#define HAPROXY_NOTICE_MS 600

struct haproxy {
    struct process process;
    int port, stats_port;
    char folder[SCRATCH_POSTGRES_PATH_BYTES]; /* of its configuration and its log */
};

/* Starts it in front of the edges of stacks and waits until it takes them all for ready. */
void haproxy_start(struct haproxy *ret, const struct stack *const *stacks, size_t count);

/* Waits until it takes server index for ready, or for not ready. */
void haproxy_wait(const struct haproxy *haproxy, size_t index, bool ready);

void haproxy_stop(struct haproxy *haproxy);

#endif
