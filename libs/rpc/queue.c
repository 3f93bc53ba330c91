#include "rpc/queue.h"

#include <errno.h>
#include <grpc/support/time.h>
#include <signal.h>
#include <stddef.h>

/*
 * The packaged core is not instrumented, so ThreadSanitizer cannot see that it carries a tag from
 * one thread to another. These two tell it.
 */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

#ifdef UNDER_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#else
static inline void __tsan_acquire(void *address)
{
    (void)address;
}
static inline void __tsan_release(void *address)
{
    (void)address;
}
#endif

void *rpc_op_tag(struct rpc_op *op)
{
    MAGIC_CHECK(op, RPC_OP_MAGIC);
    __tsan_release(op);
    return op;
}

void rpc_queue_init(struct rpc_queue *queue)
{
    *queue = (struct rpc_queue){.core = grpc_completion_queue_create_for_next(NULL)};
}

static void *run(void *data)
{
    grpc_completion_queue *core = data;
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(core, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN) {
            return NULL;
        }
        if (event.type == GRPC_OP_COMPLETE) {
            struct rpc_op *op = event.tag;
            __tsan_acquire(op);
            MAGIC_CHECK(op, RPC_OP_MAGIC);
            op->on_complete(op, event.success != 0);
        }
    }
}

static void stop(struct rpc_queue *queue)
{
    grpc_completion_queue_shutdown(queue->core);
    if (queue->thread_count == 0) {
        run(queue->core);
    }
    for (unsigned i = 0; i < queue->thread_count; i++) {
        pthread_join(queue->threads[i], NULL);
    }
    queue->thread_count = 0;
}

int rpc_queue_start(struct rpc_queue *queue, unsigned thread_count, const char *name)
{
    CHECK(thread_count >= 1 && thread_count <= RPC_THREADS_MAX);
    CHECK(queue->thread_count == 0);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (queue->thread_count < thread_count) {
        pthread_t *thread = &queue->threads[queue->thread_count];
        if (pthread_create(thread, NULL, run, queue->core) != 0) {
            break;
        }
        pthread_setname_np(*thread, name);
        queue->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return queue->thread_count == thread_count ? 0 : -EAGAIN;
}

void rpc_queue_fini(struct rpc_queue *queue)
{
    CHECK(!rpc_queue_is_current(queue));
    stop(queue);
    grpc_completion_queue_destroy(queue->core);
    *queue = (struct rpc_queue){0};
}

bool rpc_queue_is_current(const struct rpc_queue *queue)
{
    for (unsigned i = 0; i < queue->thread_count; i++) {
        if (pthread_equal(queue->threads[i], pthread_self())) {
            return true;
        }
    }
    return false;
}
