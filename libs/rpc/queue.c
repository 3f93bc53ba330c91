#include "rpc/queue.h"

#include "base/clock.h"
#include "rpc/server.h"

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
    queue->core = grpc_completion_queue_create_for_next(NULL);
    queue->thread_count = 0;
}

/* Waits for what comes next, but not for ever: a thread that has nothing to do shows that it could.
 * One wake a second costs nothing that can be measured. */
static grpc_event next_event(grpc_completion_queue *core, int64_t now_ns)
{
    int64_t until_ns = now_ns + RPC_TURN_MS * CLOCK_NS_PER_MS;
    gpr_timespec until = {.tv_sec = until_ns / CLOCK_NS_PER_SECOND,
                          .tv_nsec = (int32_t)(until_ns % CLOCK_NS_PER_SECOND),
                          .clock_type = GPR_CLOCK_MONOTONIC};
    return grpc_completion_queue_next(core, until, NULL);
}

static void handle_events(struct rpc_queue_thread *thread)
{
    for (;;) {
        int64_t now_ns = clock_monotonic_ns();
        atomic_store_explicit(&thread->turned_ns, now_ns, memory_order_relaxed);
        grpc_event event = next_event(thread->core, now_ns);
        if (event.type == GRPC_QUEUE_SHUTDOWN) {
            break;
        }
        if (event.type == GRPC_OP_COMPLETE) {
            struct rpc_op *op = event.tag;
            __tsan_acquire(op);
            MAGIC_CHECK(op, RPC_OP_MAGIC);
            op->on_complete(op, event.success != 0);
        }
    }
    atomic_store_explicit(&thread->turned_ns, 0, memory_order_relaxed);
}

static void *run(void *data)
{
    handle_events(data);
    return NULL;
}

static void stop(struct rpc_queue *queue)
{
    grpc_completion_queue_shutdown(queue->core);
    if (queue->thread_count == 0) {
        struct rpc_queue_thread caller = {.core = queue->core};
        handle_events(&caller);
    }
    for (unsigned i = 0; i < queue->thread_count; i++) {
        pthread_join(queue->threads[i].id, NULL);
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
        struct rpc_queue_thread *thread = &queue->threads[queue->thread_count];
        thread->core = queue->core;
        if (pthread_create(&thread->id, NULL, run, thread) != 0) {
            break;
        }
        pthread_setname_np(thread->id, name);
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
    queue->core = NULL;
}

bool rpc_queue_is_current(const struct rpc_queue *queue)
{
    for (unsigned i = 0; i < queue->thread_count; i++) {
        if (pthread_equal(queue->threads[i].id, pthread_self())) {
            return true;
        }
    }
    return false;
}

int64_t rpc_queue_turn_ns(const struct rpc_queue *queue)
{
    int64_t now_ns = clock_monotonic_ns(), longest_ns = 0;
    for (size_t i = 0; i < RPC_THREADS_MAX; i++) {
        int64_t turned_ns =
            atomic_load_explicit(&queue->threads[i].turned_ns, memory_order_relaxed);
        if (turned_ns != 0 && now_ns - turned_ns > longest_ns) {
            longest_ns = now_ns - turned_ns;
        }
    }
    return longest_ns;
}
