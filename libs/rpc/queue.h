/*
 * A completion queue and the threads that wait on it. Private to libs/rpc.
 *
 * A tag is a pointer to a struct rpc_op, and every op that is handed to the core completes exactly
 * once, on one of these threads, also when it failed or was cancelled (ok is false then).
 */
#ifndef RPC_QUEUE_H
#define RPC_QUEUE_H

#include "base/check.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_OP_MAGIC    0x0b5e55edu
#define RPC_THREADS_MAX 64

struct rpc_op {
    uint32_t magic;
    void (*on_complete)(struct rpc_op *op, bool ok);
};

static inline void rpc_op_init(struct rpc_op *op, void (*on_complete)(struct rpc_op *, bool))
{
    op->on_complete = on_complete;
    MAGIC_INIT(op, RPC_OP_MAGIC);
}

/* The object of type that holds op as its member. */
#define RPC_OP_OWNER(op, type, member) ((type *)(void *)((char *)(op)-offsetof(type, member)))

/*
 * The tag of op. Taken last before it goes to the core: from here on the op may complete on another
 * thread, so what this thread still reads or writes of the op's object is not ordered before it.
 */
void *rpc_op_tag(struct rpc_op *op);

struct rpc_queue {
    grpc_completion_queue *core;
    struct rpc_queue_thread {
        grpc_completion_queue *core;
        pthread_t id;
        atomic_int_fast64_t turned_ns; /* when it last turned; 0: it does not run */
    } threads[RPC_THREADS_MAX];
    unsigned thread_count;
};

/* Makes the queue without threads, because a server must know it before it starts. The memory is
 * zeroed, or that of a queue that has ended. */
void rpc_queue_init(struct rpc_queue *queue);

/* Starts the threads; all signals are blocked in them. Errors: -EAGAIN, none runs then. */
int rpc_queue_start(struct rpc_queue *queue, unsigned thread_count, const char *name) MUST_CHECK;

/*
 * Lets what is queued complete, ends the threads and the queue. No op may be handed to the core any
 * more. Not from one of its threads.
 */
void rpc_queue_fini(struct rpc_queue *queue);

/* Whether the caller runs on one of the queue's threads. */
bool rpc_queue_is_current(const struct rpc_queue *queue);

/* How long ago the thread that has not turned for longest did (rpc_server_turn_ns); 0 when none
 * runs. Any thread, also while the queue starts or ends, and in zeroed memory. */
int64_t rpc_queue_turn_ns(const struct rpc_queue *queue);

#endif
