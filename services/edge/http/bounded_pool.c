#include "edge/http/bounded_pool.h"

static void *allocate(void *data, size_t size)
{
    struct bounded_pool *memory = data;
    if (size > memory->bytes_left) {
        return NULL;
    }
    memory->bytes_left -= size;
    return h2o_mem_alloc_pool(memory->pool, size);
}

/* The pool frees everything at once. */
static void leave_allocated(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

ProtobufCAllocator bounded_pool_allocator(struct bounded_pool *memory)
{
    return (ProtobufCAllocator){allocate, leave_allocated, memory};
}
