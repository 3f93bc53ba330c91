/*
 * The replies of a server that are on their way out: given to the core, not yet written. A caller
 * who does not read keeps its reply there for as long as it likes, and the call object with it, so
 * they are bounded, by count and by bytes: beyond, the oldest is cancelled. Those of callers who
 * read are gone long before they are the oldest; whoever is cancelled all the same has heard
 * nothing, and asks again.
 *
 * Private to libs/rpc. Any thread.
 */
#ifndef RPC_REPLIES_H
#define RPC_REPLIES_H

#include "base/list.h"

#include <pthread.h>

struct rpc_call;

/* Bytes of all of them. */
#define RPC_REPLIES_BYTES_MAX ((size_t)64 * 1024 * 1024)

struct rpc_replies {
    size_t count_max;
    struct {
        pthread_mutex_t lock; /* guards all of _shared */
        struct list calls;    /* by when they were added */
        size_t bytes;
    } _shared;
};

void rpc_replies_init(struct rpc_replies *replies, size_t count_max);
void rpc_replies_fini(struct rpc_replies *replies);

/* The call's reply of so many bytes is about to be given to the core. */
void rpc_replies_add(struct rpc_replies *replies, struct rpc_call *call, size_t bytes);

/* The oldest call while there are more than may be, with a reference that is the caller's to give
 * back once it has cancelled the call; else NULL. */
struct rpc_call *rpc_replies_take_excess(struct rpc_replies *replies);

/* The reply has been written, or never will be; it may have been taken. Before the call's last
 * reference goes. */
void rpc_replies_remove(struct rpc_replies *replies, struct rpc_call *call);

#endif
