/*
 * The reply of a read that many wait for, written once.
 *
 * All answers of one shared call come in one go, so the loop keeps the last such reply as it was
 * written, until the go is over; each request that it answers holds a reference of its own, and the
 * last one frees it. Loop thread only: libh2o's counts are not atomic.
 */
#ifndef EDGE_HTTP_SHARED_REPLY_H
#define EDGE_HTTP_SHARED_REPLY_H

#include "base/check.h"
#include "edge/transcode/reply.h"

#include <h2o.h>
#include <stdbool.h>
#include <stdint.h>

struct route;

/* A zeroed one is empty. */
struct shared_reply {
    void *_memory; /* libh2o's, counted; NULL while empty */
    uint64_t _number;
    const struct route *_route;
    struct reply _reply; /* its texts are in memory */
};

/* The reply of this number as the route shows it, if it is kept; pool keeps its texts alive. */
bool shared_reply_find(const struct shared_reply *shared, uint64_t number,
                       const struct route *route, h2o_mem_pool_t *pool,
                       struct reply *ret) MUST_CHECK;

/* Keeps a copy in place of the one before. */
void shared_reply_keep(struct shared_reply *shared, uint64_t number, const struct route *route,
                       const struct reply *reply);

/* Nobody else will ask. Who was answered keeps what he has. */
void shared_reply_forget(struct shared_reply *shared);

#endif
