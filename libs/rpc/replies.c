#include "rpc/replies.h"

#include "rpc/call.h"

void rpc_replies_init(struct rpc_replies *replies, size_t count_max)
{
    *replies = (struct rpc_replies){.count_max = count_max};
    CHECK(pthread_mutex_init(&replies->_shared.lock, NULL) == 0);
    list_init(&replies->_shared.calls);
}

void rpc_replies_fini(struct rpc_replies *replies)
{
    CHECK(list_is_empty(&replies->_shared.calls));
    pthread_mutex_destroy(&replies->_shared.lock);
}

void rpc_replies_add(struct rpc_replies *replies, struct rpc_call *call, size_t bytes)
{
    pthread_mutex_lock(&replies->_shared.lock);
    call->reply_bytes = bytes;
    replies->_shared.bytes += bytes;
    list_push_back(&replies->_shared.calls, &call->by_reply);
    pthread_mutex_unlock(&replies->_shared.lock);
}

static void remove_locked(struct rpc_replies *replies, struct rpc_call *call)
{
    list_remove(&replies->_shared.calls, &call->by_reply);
    CHECK(replies->_shared.bytes >= call->reply_bytes);
    replies->_shared.bytes -= call->reply_bytes;
}

struct rpc_call *rpc_replies_take_excess(struct rpc_replies *replies)
{
    struct rpc_call *oldest = NULL;
    pthread_mutex_lock(&replies->_shared.lock);
    struct list_link *link = list_first(&replies->_shared.calls);
    if (link != NULL && (replies->_shared.calls.count > replies->count_max ||
                         replies->_shared.bytes > RPC_REPLIES_BYTES_MAX)) {
        oldest = LIST_OBJECT(link, struct rpc_call, by_reply);
        remove_locked(replies, oldest);
        /* Under the lock its end has not been seen yet, so there is a reference to add to. */
        atomic_fetch_add(&oldest->refs, 1);
    }
    pthread_mutex_unlock(&replies->_shared.lock);
    return oldest;
}

void rpc_replies_remove(struct rpc_replies *replies, struct rpc_call *call)
{
    pthread_mutex_lock(&replies->_shared.lock);
    if (list_link_is_linked(&call->by_reply)) {
        remove_locked(replies, call);
    }
    pthread_mutex_unlock(&replies->_shared.lock);
}
