#include "edge/http/shared_reply.h"

#include <string.h>

bool shared_reply_find(const struct shared_reply *shared, uint64_t number,
                       const struct route *route, h2o_mem_pool_t *pool, struct reply *ret)
{
    if (shared->_memory == NULL || shared->_number != number || shared->_route != route) {
        return false;
    }
    h2o_mem_link_shared(pool, shared->_memory);
    *ret = shared->_reply;
    return true;
}

static struct slice copy(struct slice from, char **at)
{
    struct slice to = {*at, from.length};
    if (from.length > 0) {
        memcpy(*at, from.bytes, from.length);
        *at += from.length;
    }
    return to;
}

void shared_reply_keep(struct shared_reply *shared, uint64_t number, const struct route *route,
                       const struct reply *reply)
{
    shared_reply_forget(shared);
    char *at = h2o_mem_alloc_shared(
        NULL, reply->body.length + reply->etag.length + reply->location.length, NULL);
    shared->_memory = at;
    shared->_number = number;
    shared->_route = route;
    shared->_reply = *reply;
    shared->_reply.body = copy(reply->body, &at);
    shared->_reply.etag = copy(reply->etag, &at);
    shared->_reply.location = copy(reply->location, &at);
}

void shared_reply_forget(struct shared_reply *shared)
{
    if (shared->_memory != NULL) {
        h2o_mem_release_shared(shared->_memory);
        shared->_memory = NULL;
    }
}
