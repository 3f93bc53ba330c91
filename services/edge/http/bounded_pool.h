/*
 * A request's pool as protobuf-c's allocator, with a bound: what is made for a request ends with
 * it. Loop thread.
 */
#ifndef EDGE_HTTP_BOUNDED_POOL_H
#define EDGE_HTTP_BOUNDED_POOL_H

#include <h2o.h>
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct bounded_pool {
    h2o_mem_pool_t *pool;
    size_t bytes_left;
};

/* The allocator refers to the pool, which must outlive it. It returns NULL when the bound is
 * reached; freeing does nothing. */
ProtobufCAllocator bounded_pool_allocator(struct bounded_pool *memory);

#endif
