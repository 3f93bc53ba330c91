#include "rpc/streams.h"

#include "rpc/server.h"

void rpc_streams_init(struct rpc_streams *streams, size_t max, rpc_streams_end_fn end,
                      rpc_streams_finish_fn finish)
{
    *streams = (struct rpc_streams){._max = max, ._end = end, ._finish = finish};
    CHECK(pthread_mutex_init(&streams->_shared.lock, NULL) == 0);
    list_init(&streams->_shared.open);
}

void rpc_streams_fini(struct rpc_streams *streams)
{
    CHECK(list_is_empty(&streams->_shared.open));
    pthread_mutex_destroy(&streams->_shared.lock);
}

void rpc_streams_lock(struct rpc_streams *streams)
{
    pthread_mutex_lock(&streams->_shared.lock);
}

void rpc_streams_unlock(struct rpc_streams *streams)
{
    pthread_mutex_unlock(&streams->_shared.lock);
}

size_t rpc_streams_count(struct rpc_streams *streams)
{
    rpc_streams_lock(streams);
    size_t count = streams->_shared.open.count;
    rpc_streams_unlock(streams);
    return count;
}

enum rpc_code rpc_streams_open_locked(struct rpc_streams *streams, struct rpc_stream *stream,
                                      struct rpc_call *call)
{
    if (streams->_shared.is_stopping) {
        return RPC_UNAVAILABLE;
    }
    if (streams->_shared.open.count >= streams->_max) {
        return RPC_RESOURCE_EXHAUSTED;
    }
    *stream = (struct rpc_stream){.call = call, ._streams = streams};
    list_push_back(&streams->_shared.open, &stream->_open);
    return RPC_OK;
}

void rpc_streams_close_locked(struct rpc_stream *stream)
{
    list_remove(&stream->_streams->_shared.open, &stream->_open);
}

bool rpc_streams_is_open_locked(const struct rpc_stream *stream)
{
    return list_link_is_linked(&stream->_open);
}

bool rpc_streams_is_stopping_locked(const struct rpc_streams *streams)
{
    return streams->_shared.is_stopping;
}

void rpc_streams_visit_locked(struct rpc_streams *streams,
                              void (*visit)(struct rpc_stream *stream, void *data), void *data)
{
    LIST_FOREACH_SAFE (&streams->_shared.open, link, following) {
        visit(LIST_OBJECT(link, struct rpc_stream, _open), data);
    }
}

/* --- The caller goes away, or the server stops ------------------------------------------------ */

void rpc_streams_lose_caller(struct rpc_stream *stream)
{
    struct rpc_streams *streams = stream->_streams;
    rpc_streams_lock(streams);
    bool ends = rpc_streams_is_open_locked(stream) && streams->_end(stream, RPC_STREAMS_GONE);
    rpc_streams_unlock(streams);
    if (ends) {
        streams->_finish(stream, RPC_STREAMS_GONE);
    }
}

static void on_cancel(struct rpc_call *call, bool cancelled, void *data)
{
    (void)call;
    (void)cancelled;
    rpc_streams_lose_caller(data);
}

void rpc_streams_watch_caller(struct rpc_stream *stream)
{
    rpc_call_on_cancel(stream->call, on_cancel, stream);
}

static void on_stop(void *data)
{
    struct rpc_streams *streams = data;
    struct list ended;
    list_init(&ended);
    rpc_streams_lock(streams);
    streams->_shared.is_stopping = true;
    LIST_FOREACH_SAFE (&streams->_shared.open, link, following) {
        struct rpc_stream *stream = LIST_OBJECT(link, struct rpc_stream, _open);
        if (streams->_end(stream, RPC_STREAMS_STOPPED)) {
            list_push_back(&ended, &stream->_ending);
        }
    }
    rpc_streams_unlock(streams);
    for (struct list_link *link; (link = list_pop_front(&ended)) != NULL;) {
        streams->_finish(LIST_OBJECT(link, struct rpc_stream, _ending), RPC_STREAMS_STOPPED);
    }
}

void rpc_streams_end_with(struct rpc_streams *streams, struct rpc_server *server)
{
    rpc_server_on_stop(server, on_stop, streams);
}
