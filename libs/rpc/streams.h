/*
 * The streams that a service holds open: so many at most, none opened once the server stops, and
 * each ended exactly once. Three may want to end one at the same time: the service itself, the
 * caller who goes away, and the server's stop. Whoever closes it under the lock finishes its call,
 * after the lock is given back; the others find it closed.
 *
 * A stream lives in its call's arena, so it may be gone once its call has been finished. The lock
 * is also the service's, for what its streams share. Functions that end in _locked are called with
 * it held. Any thread but where said otherwise.
 */
#ifndef RPC_STREAMS_H
#define RPC_STREAMS_H

#include "base/list.h"
#include "rpc/status.h"

#include <pthread.h>
#include <stdbool.h>

struct rpc_call;
struct rpc_server;

/* One stream, embedded in what else its service needs to know of it; zeroed before. */
struct rpc_stream {
    struct rpc_call *call;
    struct rpc_streams *_streams;
    struct list_link _open, _ending;
};

enum rpc_streams_ending {
    RPC_STREAMS_GONE,    /* the caller has left */
    RPC_STREAMS_STOPPED, /* the server is stopping */
};

/*
 * Ends an open stream, if that can be done now: closes it (rpc_streams_close_locked) and returns
 * true. False leaves it to whoever has it in hand, who looks for himself when he is done. The lock
 * is held; must not block.
 */
typedef bool (*rpc_streams_end_fn)(struct rpc_stream *stream, enum rpc_streams_ending ending);

/* Finishes the call of a stream that was ended. No lock is held. */
typedef void (*rpc_streams_finish_fn)(struct rpc_stream *stream, enum rpc_streams_ending ending);

struct rpc_streams {
    size_t _max;
    rpc_streams_end_fn _end;
    rpc_streams_finish_fn _finish;
    struct {
        pthread_mutex_t lock;
        struct list open;
        bool is_stopping;
    } _shared;
};

void rpc_streams_init(struct rpc_streams *streams, size_t max, rpc_streams_end_fn end,
                      rpc_streams_finish_fn finish);

/* After the last stream has been closed, which the server's stop brings (asserted). */
void rpc_streams_fini(struct rpc_streams *streams);

/* Has the streams end when the server stops. As rpc_server_on_stop: before the start only. */
void rpc_streams_end_with(struct rpc_streams *streams, struct rpc_server *server);

void rpc_streams_lock(struct rpc_streams *streams);
void rpc_streams_unlock(struct rpc_streams *streams);

/* Streams that are open. */
size_t rpc_streams_count(struct rpc_streams *streams);

/* RPC_OK: call is an open stream. Else it is none, and why: RPC_UNAVAILABLE the server is stopping,
 * RPC_RESOURCE_EXHAUSTED there are too many. */
enum rpc_code rpc_streams_open_locked(struct rpc_streams *streams, struct rpc_stream *stream,
                                      struct rpc_call *call) MUST_CHECK;

/* Has an open stream end when its caller goes away. Once. */
void rpc_streams_watch_caller(struct rpc_stream *stream);

/* The caller has gone, as an on_sent or a job has learned: ends the stream unless it is closed. */
void rpc_streams_lose_caller(struct rpc_stream *stream);

/* Closes an open stream: whoever does finishes its call. */
void rpc_streams_close_locked(struct rpc_stream *stream);

bool rpc_streams_is_open_locked(const struct rpc_stream *stream);

/* What was not ended by the server's stop is to be ended by whoever has it in hand. */
bool rpc_streams_is_stopping_locked(const struct rpc_streams *streams);

/* Calls back for every open stream; visit may close the one that it is given. */
void rpc_streams_visit_locked(struct rpc_streams *streams,
                              void (*visit)(struct rpc_stream *stream, void *data), void *data);

#endif
