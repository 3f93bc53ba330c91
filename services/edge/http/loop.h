/*
 * One event loop and its thread: it accepts connections, runs libh2o, and after every round lets
 * its way upstream tick, which is when waiting orders leave and answers are written.
 *
 * A loop obeys commands that only go forward:
 *
 *     SERVE ──▶ DRAIN ──▶ CUT ──▶ STOP
 *
 * DRAIN: answers say Connection: close, what the listener's queue holds is accepted, then the
 * listener is closed; idle connections are closed after a grace. CUT: no more is read, and whatever
 * is unanswered is answered. STOP: connections are closed and the thread ends; with connections
 * still open their memory is left to the end of the process.
 *
 * libh2o keeps its free lists by thread and reaches them from sockets and contexts, so everything
 * of libh2o in a loop is made, used and disposed of on the loop's own thread.
 */
#ifndef EDGE_HTTP_LOOP_H
#define EDGE_HTTP_LOOP_H

#include "base/check.h"
#include "base/list.h"
#include "edge/http/shared_reply.h"
#include "edge/http/trace.h"

#include <h2o.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct board;
struct contract_method;
struct http_metrics;
struct metrics_histogram;
struct protojson_schema;
struct routes;
struct rpc_channel;
struct upstream;

/* What all loops share; constant while they run, except connections. Borrowed. */
struct loop_config {
    h2o_globalconf_t *globalconf;
    const struct routes *routes;
    const struct protojson_schema *schema;
    const struct contract_method *place_order; /* the method that the combiner takes */
    struct http_metrics *metrics;
    struct metrics_histogram *batch_sizes;
    struct rpc_channel *channel;
    struct board *board;
    size_t body_bytes_max;
    int64_t request_timeout_ms;
    size_t connections_max;
    unsigned loops;
    atomic_size_t *connections; /* open in the process */
};

enum loop_command { LOOP_SERVE, LOOP_DRAIN, LOOP_CUT, LOOP_STOP };

/* Since the start; for the account at the end. */
struct loop_counts {
    uint64_t answered, refused_draining, cancelled;
};

struct loop {
    h2o_context_t context; /* libh2o hands this out, and exchanges find their loop by it */
    unsigned index;
    const struct loop_config *config;
    struct upstream *upstream;
    struct trace_random random;
    struct shared_reply shared_reply;
    struct list exchanges; /* requests that were read and not yet answered */
    size_t sends;          /* answers written in this round, outside libh2o's run */
    struct loop_counts counts;

    h2o_accept_ctx_t _accept;
    int _listener_fd; /* until the thread makes a socket of it; -1 afterwards */
    h2o_socket_t *_listener;
    h2o_multithread_receiver_t _receiver;
    pthread_t _thread;
    bool _has_thread;
    enum loop_command _phase; /* the command that was obeyed last */
    int64_t _draining_since_ns;
    int64_t _accept_resumes_at_ns; /* 0: accepting */
    /* Written by one side, read by the other. */
    struct {
        pthread_mutex_t wake_lock; /* guards is_awakable */
        bool is_awakable;          /* the thread has its queue */
        atomic_int command;
        atomic_int obeyed;
        atomic_int_fast64_t turned_ns; /* when the last round began, monotonic */
        atomic_size_t connections, requests, waiting, sales, batch_calls, unary_calls;
        atomic_size_t read_calls, reads;
        atomic_uint_fast64_t answered, refused_draining, cancelled;
    } _shared;
};

/*
 * Makes a loop that listens on listener_fd, which it owns from now on, also after an error. Errors:
 * -ENOMEM, -EAGAIN.
 */
int loop_init(struct loop *loop, unsigned index, const struct loop_config *config,
              int listener_fd) MUST_CHECK;

/* After the thread has ended, if it was started, and the channel is destroyed. */
void loop_fini(struct loop *loop);

/* Starts the thread. Errors: -EAGAIN. */
int loop_start(struct loop *loop) MUST_CHECK;

/* Gives a command; any thread. A command that was passed already is ignored. */
void loop_command(struct loop *loop, enum loop_command command);

/* Whether the command has been carried out; any thread. */
bool loop_has_obeyed(const struct loop *loop, enum loop_command command);

/* When the loop last turned, on CLOCK_MONOTONIC; before it ran, when it was made. It turns every
 * EDGE_LOOP_WAIT_MAX_MS at least, so a loop that has not for much longer is stuck. Any thread. */
int64_t loop_turned_ns(const struct loop *loop);

/* After LOOP_STOP. */
void loop_join(struct loop *loop);

/* As of the end of the last round; any thread. */
size_t loop_connections(const struct loop *loop);
size_t loop_requests(const struct loop *loop);
size_t loop_waiting(const struct loop *loop);
size_t loop_sales(const struct loop *loop);
size_t loop_batch_calls(const struct loop *loop);
size_t loop_unary_calls(const struct loop *loop);
size_t loop_read_calls(const struct loop *loop);
size_t loop_reads(const struct loop *loop);
struct loop_counts loop_counts(const struct loop *loop);

/* Makes the loop go round soon; any thread, also before it runs and after it has ended. */
void loop_wake(struct loop *loop);

#endif
