#include "edge/http/loop.h"

#include "base/clock.h"
#include "edge/http/exchange.h"
#include "edge/http/listener.h"
#include "edge/limits.h"
#include "edge/upstream/upstream.h"
#include "log/log.h"

#include <errno.h>
#include <h2o/http1.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections accepted in one wake-up: many while this loop has no more than its share of all, else
 * one, so that connections spread over the loops. */
#define ACCEPTS_MAX            16
#define ACCEPTS_OVERLOADED     1
#define ACCEPT_LOG_INTERVAL_MS 1000
/* libh2o keeps so many free chunks of a thread's pools. */
#define RECYCLED_CHUNKS_MAX 16
/* While draining, idle connections are looked for this often. */
#define DRAIN_ROUND_MS 50
#define CLOSING_ROUNDS 3

/* The kernel's bound on a thread's name, and what fits into it. */
#define THREAD_NAME_BYTES 16
#define THREAD_NUMBERS    1000

/* --- Connections ------------------------------------------------------------------------------ */

static void on_connection_close(void *data)
{
    struct loop *loop = data;
    atomic_fetch_sub_explicit(&loop->_shared.connections, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(loop->config->connections, 1, memory_order_relaxed);
}

static void open_connection(struct loop *loop, int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    atomic_fetch_add_explicit(&loop->_shared.connections, 1, memory_order_relaxed);
    h2o_socket_t *sock =
        h2o_evloop_socket_create(loop->context.loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    sock->on_close.cb = on_connection_close;
    sock->on_close.data = loop;
    h2o_accept(&loop->_accept, sock);
}

/* Counts the connection in, or refuses it when there are too many. */
static void admit_connection(struct loop *loop, int fd)
{
    size_t before = atomic_fetch_add_explicit(loop->config->connections, 1, memory_order_relaxed);
    if (before < loop->config->connections_max) {
        open_connection(loop, fd);
        return;
    }
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(ACCEPT_LOG_INTERVAL_MS);
    atomic_fetch_sub_explicit(loop->config->connections, 1, memory_order_relaxed);
    log_event_limited(&limit, LOG_WARN, "connection_refused",
                      LOG_UINT("connections_max", loop->config->connections_max));
    listener_refuse(fd);
}

/* Out of descriptors or memory: a listener that stays readable would spin, so it rests. */
static void pause_accepting(struct loop *loop, int error)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(ACCEPT_LOG_INTERVAL_MS);
    log_event_limited(&limit, LOG_ERROR, "accept_failed", LOG_STR("error", strerror(error)));
    h2o_socket_read_stop(loop->_listener);
    loop->_accept_resumes_at_ns = clock_deadline_in_ms(EDGE_ACCEPT_PAUSE_MS);
}

/* Accepts up to so many; false when the queue was empty or accepting had to stop. */
static bool accept_some(struct loop *loop, unsigned count)
{
    int listener_fd = h2o_socket_get_fd(loop->_listener);
    for (unsigned i = 0; i < count; i++) {
        int fd = accept4(listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit_connection(loop, fd);
            continue;
        }
        switch (errno) {
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            pause_accepting(loop, errno);
            return false;
        case EAGAIN:
            return false;
        default: /* that connection is gone; the next may be fine */
            break;
        }
    }
    return true;
}

static void on_accept(h2o_socket_t *listener, const char *error)
{
    struct loop *loop = listener->data;
    if (error != NULL) {
        return;
    }
    size_t own = loop_connections(loop);
    size_t all = atomic_load_explicit(loop->config->connections, memory_order_relaxed);
    bool has_more_than_its_share = own * loop->config->loops > all;
    (void)accept_some(loop, has_more_than_its_share ? ACCEPTS_OVERLOADED : ACCEPTS_MAX);
}

static void resume_accepting(struct loop *loop, int64_t now)
{
    if (loop->_accept_resumes_at_ns != 0 && loop->_accept_resumes_at_ns <= now) {
        loop->_accept_resumes_at_ns = 0;
        h2o_socket_read_start(loop->_listener, on_accept);
    }
}

/* --- Draining --------------------------------------------------------------------------------- */

/* A connection between two requests, or before its first. A request that lies unread in the socket
 * is still read and answered after the reading side was shut down; then comes the end of file, and
 * libh2o closes the connection. */
static int close_if_idle(h2o_req_t *req, void *data)
{
    (void)data;
    if (req->version == 0 && req->timestamps.request_begin_at.tv_sec == 0) {
        (void)shutdown(h2o_socket_get_fd(req->conn->callbacks->get_socket(req->conn)), SHUT_RD);
    }
    return 0;
}

/* Whatever state it is in: half a request ends, an answer under way is still written. */
static int close_reading_side(h2o_req_t *req, void *data)
{
    (void)data;
    (void)shutdown(h2o_socket_get_fd(req->conn->callbacks->get_socket(req->conn)), SHUT_RD);
    return 0;
}

/* An answer that nobody reads ends too. */
static int close_both_sides(h2o_req_t *req, void *data)
{
    (void)data;
    (void)shutdown(h2o_socket_get_fd(req->conn->callbacks->get_socket(req->conn)), SHUT_RDWR);
    return 0;
}

static void for_each_connection(struct loop *loop, int (*close_one)(h2o_req_t *req, void *data))
{
    h2o_globalconf_t *globalconf = loop->config->globalconf;
    (void)globalconf->http1.callbacks.foreach_request(&loop->context, close_one, NULL);
}

static void close_listener(struct loop *loop)
{
    if (loop->_listener == NULL) {
        return;
    }
    while (accept_some(loop, ACCEPTS_MAX)) {
    }
    h2o_socket_close(loop->_listener);
    loop->_listener = NULL;
    loop->_accept_resumes_at_ns = 0;
}

static void begin_drain(struct loop *loop)
{
    loop->_draining_since_ns = clock_monotonic_ns();
    h2o_context_request_shutdown(&loop->context);
    close_listener(loop);
}

static void do_command(struct loop *loop, enum loop_command command)
{
    switch (command) {
    case LOOP_SERVE:
        return;
    case LOOP_DRAIN:
        begin_drain(loop);
        return;
    case LOOP_CUT:  /* close_connections cuts, in this round and in those that follow */
    case LOOP_STOP: /* close_loop does it */
        return;
    }
}

/* Closes what need not stay open in this phase. What lay unread in a socket when its reading side
 * was closed is read in a later round, so requests are cut in each. */
static void close_connections(struct loop *loop)
{
    int64_t idle_end_ns = loop->_draining_since_ns + EDGE_DRAIN_IDLE_GRACE_MS * CLOCK_NS_PER_MS;
    if (loop->_phase == LOOP_CUT) {
        for_each_connection(loop, close_reading_side);
        exchange_cut_all(loop);
    } else if (loop->_phase == LOOP_DRAIN && clock_monotonic_ns() >= idle_end_ns) {
        for_each_connection(loop, close_if_idle);
    }
}

/* Carries out the commands that came since the last round, one by one. */
static void obey(struct loop *loop)
{
    int command = atomic_load_explicit(&loop->_shared.command, memory_order_acquire);
    while ((int)loop->_phase < command) {
        loop->_phase++;
        do_command(loop, loop->_phase);
        atomic_store_explicit(&loop->_shared.obeyed, (int)loop->_phase, memory_order_release);
    }
    close_connections(loop);
}

/* --- The rounds ------------------------------------------------------------------------------- */

static void publish(struct loop *loop)
{
    const struct upstream_counts upstream = upstream_count(loop->upstream);
    atomic_store_explicit(&loop->_shared.turned_ns, clock_monotonic_ns(), memory_order_relaxed);
    atomic_store_explicit(&loop->_shared.requests, loop->exchanges.count, memory_order_relaxed);
    atomic_store_explicit(&loop->_shared.waiting, upstream.waiting, memory_order_relaxed);
    atomic_store_explicit(&loop->_shared.sales, upstream.sales, memory_order_relaxed);
    atomic_store_explicit(&loop->_shared.batch_calls, upstream.batch_calls, memory_order_relaxed);
    atomic_store_explicit(&loop->_shared.unary_calls, upstream.unary_calls, memory_order_relaxed);
    atomic_store_explicit(&loop->_shared.read_calls, upstream.read_calls, memory_order_relaxed);
    atomic_store_explicit(&loop->_shared.reads, upstream.reads, memory_order_relaxed);
    atomic_store_explicit(&loop->_shared.answered, loop->counts.answered, memory_order_relaxed);
    atomic_store_explicit(&loop->_shared.refused_draining, loop->counts.refused_draining,
                          memory_order_relaxed);
    atomic_store_explicit(&loop->_shared.cancelled, loop->counts.cancelled, memory_order_relaxed);
}

/* How long the next round may wait for events. */
static int32_t wait_ms(const struct loop *loop)
{
    /* libh2o has callbacks pending for what was just written, which its poll knows nothing of. */
    if (loop->sends > 0) {
        return 0;
    }
    int64_t wait = EDGE_LOOP_WAIT_MAX_MS;
    if (loop->_phase != LOOP_SERVE) {
        wait = DRAIN_ROUND_MS;
    } else if (loop->_accept_resumes_at_ns != 0) {
        wait = EDGE_ACCEPT_PAUSE_MS;
    }
    int64_t due_ms = clock_remaining_ms(upstream_next_due_ns(loop->upstream));
    return (int32_t)(due_ms < wait ? due_ms : wait);
}

/* --- Life ------------------------------------------------------------------------------------- */

/* Nothing is sent through libh2o's queue; it only wakes the loop. */
static void on_messages(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver;
    (void)messages;
}

void loop_wake(struct loop *loop)
{
    pthread_mutex_lock(&loop->_shared.wake_lock);
    if (loop->_shared.is_awakable) {
        h2o_multithread_send_message(&loop->_receiver, NULL);
    }
    pthread_mutex_unlock(&loop->_shared.wake_lock);
}

static void set_awakable(struct loop *loop, bool is_awakable)
{
    pthread_mutex_lock(&loop->_shared.wake_lock);
    loop->_shared.is_awakable = is_awakable;
    pthread_mutex_unlock(&loop->_shared.wake_lock);
}

static void wake(void *data)
{
    loop_wake(data);
}

static int make_upstream(struct loop *loop)
{
    uint64_t random[6];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return -EAGAIN;
    }
    random[5] |= 1;
    trace_random_init(&loop->random, &random[2]);
    const struct upstream_config config = {
        .channel = loop->config->channel,
        .secret = {random[0], random[1]},
        .wake = wake,
        .answer = exchange_on_answer,
        .data = loop,
        .batch_sizes = loop->config->batch_sizes,
    };
    return upstream_create(&config, &loop->upstream);
}

int loop_init(struct loop *loop, unsigned index, const struct loop_config *config, int listener_fd)
{
    memset(loop, 0, sizeof(*loop));
    loop->index = index;
    loop->config = config;
    list_init(&loop->exchanges);
    int error = make_upstream(loop);
    if (error != 0) {
        (void)close(listener_fd);
        return error;
    }
    pthread_mutex_init(&loop->_shared.wake_lock, NULL);
    atomic_init(&loop->_shared.turned_ns, clock_monotonic_ns());
    loop->_listener_fd = listener_fd;
    return 0;
}

void loop_fini(struct loop *loop)
{
    CHECK(!loop->_has_thread);
    upstream_destroy(loop->upstream);
    if (loop->_listener_fd >= 0) {
        (void)close(loop->_listener_fd);
    }
    pthread_mutex_destroy(&loop->_shared.wake_lock);
}

/* --- The thread ---------------------------------------------------------------------------------
 */

static void open_loop(struct loop *loop)
{
    h2o_context_init(&loop->context, h2o_evloop_create(), loop->config->globalconf);
    h2o_multithread_register_receiver(loop->context.queue, &loop->_receiver, on_messages);
    loop->_accept =
        (h2o_accept_ctx_t){.ctx = &loop->context, .hosts = loop->config->globalconf->hosts};
    loop->_listener =
        h2o_evloop_socket_create(loop->context.loop, loop->_listener_fd, H2O_SOCKET_FLAG_DONT_READ);
    loop->_listener_fd = -1;
    loop->_listener->data = loop;
    h2o_socket_read_start(loop->_listener, on_accept);
    set_awakable(loop, true);
}

/*
 * libh2o keeps a thread's free memory in lists that nobody can reach once the thread has ended. The
 * buffers' list is public; a pool's chunk is plain malloc memory that a new pool takes first.
 */
static void release_thread_memory(void)
{
    h2o_mem_recycle_t *buffers = &h2o_socket_buffer_prototype.allocator;
    while (buffers->cnt > 0) {
        free(h2o_mem_alloc_recycle(buffers, 0));
    }
    for (int i = 0; i < RECYCLED_CHUNKS_MAX; i++) {
        h2o_mem_pool_t pool;
        h2o_mem_init_pool(&pool);
        (void)h2o_mem_alloc_pool(&pool, 1);
        free(pool.chunks);
    }
}

/* Reads what has arrived and answers it, whatever it is, so that nothing is left inside upstream
 * when the thread ends. */
static void run_last_rounds(struct loop *loop)
{
    for (int i = 0; i < CLOSING_ROUNDS; i++) {
        (void)h2o_evloop_run(loop->context.loop, 0);
        exchange_cut_all(loop);
    }
}

/* First no more is read, then what was read is answered; only then are the writing sides closed,
 * which libh2o notices, and closes the connections for, in the rounds after. */
static void close_all_connections(struct loop *loop)
{
    for_each_connection(loop, close_reading_side);
    exchange_cut_all(loop);
    run_last_rounds(loop);
    for_each_connection(loop, close_both_sides);
    run_last_rounds(loop);
    publish(loop);
}

static void close_loop(struct loop *loop)
{
    set_awakable(loop, false);
    if (loop->_listener != NULL) {
        h2o_socket_close(loop->_listener);
    }
    close_all_connections(loop);
    if (loop_connections(loop) > 0) {
        return;
    }
    /* The timer of a drain that HTTP/2 connections would have needed. */
    h2o_timeout_unlink(&loop->context.http2._graceful_shutdown_timeout);
    h2o_multithread_unregister_receiver(loop->context.queue, &loop->_receiver);
    h2o_loop_t *evloop = loop->context.loop;
    (void)h2o_evloop_run(evloop, 0);
    h2o_context_dispose(&loop->context);
    h2o_evloop_destroy(evloop);
    release_thread_memory();
}

static void *run(void *data)
{
    struct loop *loop = data;
    int32_t wait = 0; /* what came before the thread ran is looked at first */

    open_loop(loop);
    while (loop->_phase != LOOP_STOP) {
        loop->sends = 0;
        /* An interrupted poll is as good as one without events. */
        (void)h2o_evloop_run(loop->context.loop, wait);
        loop->sends = 0;
        upstream_tick(loop->upstream);
        shared_reply_forget(&loop->shared_reply);
        obey(loop);
        if (loop->_accept_resumes_at_ns != 0) {
            resume_accepting(loop, clock_monotonic_ns());
        }
        publish(loop);
        wait = wait_ms(loop);
    }
    close_loop(loop);
    return NULL;
}

int loop_start(struct loop *loop)
{
    int error = pthread_create(&loop->_thread, NULL, run, loop);
    if (error != 0) {
        return -error;
    }
    loop->_has_thread = true;
    char name[THREAD_NAME_BYTES];
    (void)snprintf(name, sizeof(name), "edge-loop-%u", loop->index % THREAD_NUMBERS);
    (void)pthread_setname_np(loop->_thread, name);
    return 0;
}

void loop_command(struct loop *loop, enum loop_command command)
{
    int current = atomic_load(&loop->_shared.command);
    while (current < (int)command &&
           !atomic_compare_exchange_weak(&loop->_shared.command, &current, (int)command)) {
    }
    loop_wake(loop);
}

int64_t loop_turned_ns(const struct loop *loop)
{
    return atomic_load_explicit(&loop->_shared.turned_ns, memory_order_relaxed);
}

bool loop_has_obeyed(const struct loop *loop, enum loop_command command)
{
    return atomic_load_explicit(&loop->_shared.obeyed, memory_order_acquire) >= (int)command;
}

void loop_join(struct loop *loop)
{
    if (loop->_has_thread) {
        (void)pthread_join(loop->_thread, NULL);
        loop->_has_thread = false;
    }
}

size_t loop_connections(const struct loop *loop)
{
    return atomic_load_explicit(&loop->_shared.connections, memory_order_relaxed);
}

size_t loop_requests(const struct loop *loop)
{
    return atomic_load_explicit(&loop->_shared.requests, memory_order_relaxed);
}

size_t loop_waiting(const struct loop *loop)
{
    return atomic_load_explicit(&loop->_shared.waiting, memory_order_relaxed);
}

size_t loop_sales(const struct loop *loop)
{
    return atomic_load_explicit(&loop->_shared.sales, memory_order_relaxed);
}

size_t loop_batch_calls(const struct loop *loop)
{
    return atomic_load_explicit(&loop->_shared.batch_calls, memory_order_relaxed);
}

size_t loop_unary_calls(const struct loop *loop)
{
    return atomic_load_explicit(&loop->_shared.unary_calls, memory_order_relaxed);
}

size_t loop_read_calls(const struct loop *loop)
{
    return atomic_load_explicit(&loop->_shared.read_calls, memory_order_relaxed);
}

size_t loop_reads(const struct loop *loop)
{
    return atomic_load_explicit(&loop->_shared.reads, memory_order_relaxed);
}

struct loop_counts loop_counts(const struct loop *loop)
{
    return (struct loop_counts){
        .answered = atomic_load_explicit(&loop->_shared.answered, memory_order_relaxed),
        .refused_draining =
            atomic_load_explicit(&loop->_shared.refused_draining, memory_order_relaxed),
        .cancelled = atomic_load_explicit(&loop->_shared.cancelled, memory_order_relaxed),
    };
}
