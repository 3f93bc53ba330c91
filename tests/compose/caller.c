#include "caller.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

#define PATIENCE_MS   60000
#define MESSAGE_BYTES ((size_t)1024 * 1024)

/* What the calling thread waits for; the channel's thread fills it. */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t done;
    struct rpc_reply *reply;
    caller_look_fn look;
    void *data;
    struct rpc_client_call *call; /* of a stream */
    bool enough;
};

int caller_open(struct caller *caller, const char *target, const char *token)
{
    const struct rpc_channel_config config = {
        .target = target,
        .message_bytes_max = MESSAGE_BYTES,
        .reply_arena_bytes_max = 4 * MESSAGE_BYTES,
    };

    snprintf(caller->authorization, sizeof(caller->authorization), "Bearer %s", token);
    int error = rpc_channel_create(&config, &caller->channel);
    if (error != 0) {
        return error;
    }
    if (!rpc_channel_wait_ready(caller->channel, clock_deadline_in_ms(PATIENCE_MS))) {
        caller_close(caller);
        return -ETIMEDOUT;
    }
    return 0;
}

void caller_close(struct caller *caller)
{
    rpc_channel_destroy(caller->channel);
    caller->channel = NULL;
}

static void on_done(struct rpc_reply *reply, void *data)
{
    struct waiter *waiter = data;
    pthread_mutex_lock(&waiter->lock);
    waiter->reply = reply;
    pthread_cond_signal(&waiter->done);
    pthread_mutex_unlock(&waiter->lock);
}

/* The call that is to end was written before the call began. */
static void on_message(const ProtobufCMessage *message, void *data)
{
    struct waiter *waiter = data;
    if (!waiter->enough && waiter->look(message, waiter->data)) {
        waiter->enough = true;
        rpc_client_call_cancel(waiter->call);
    }
}

static struct rpc_reply *run(const struct caller *caller, const struct rpc_request *plan,
                             bool as_admin, struct waiter *waiter)
{
    const struct rpc_metadata metadata = {"authorization", caller->authorization,
                                          strlen(caller->authorization)};
    struct rpc_request request = *plan;

    request.deadline_ns = clock_deadline_in_ms(PATIENCE_MS);
    request.metadata = &metadata;
    request.metadata_count = as_admin ? 1 : 0;
    request.wait_for_ready = true;
    request.on_done = on_done;
    request.data = waiter;
    rpc_channel_call(caller->channel, &request, request.on_message != NULL ? &waiter->call : NULL);
    pthread_mutex_lock(&waiter->lock);
    while (waiter->reply == NULL) {
        pthread_cond_wait(&waiter->done, &waiter->lock);
    }
    pthread_mutex_unlock(&waiter->lock);
    return waiter->reply;
}

struct rpc_reply *caller_call(const struct caller *caller, const char *full_method, bool as_admin,
                              const ProtobufCMessageDescriptor *reply_type,
                              const ProtobufCMessage *message)
{
    struct waiter waiter = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    const struct rpc_request plan = {
        .full_method = full_method, .reply_type = reply_type, .message = message};
    return run(caller, &plan, as_admin, &waiter);
}

bool caller_watch(const struct caller *caller, const char *full_method, bool as_admin,
                  const ProtobufCMessageDescriptor *reply_type, const ProtobufCMessage *message,
                  caller_look_fn look, void *data)
{
    struct waiter waiter = {.lock = PTHREAD_MUTEX_INITIALIZER,
                            .done = PTHREAD_COND_INITIALIZER,
                            .look = look,
                            .data = data};
    const struct rpc_request plan = {.full_method = full_method,
                                     .reply_type = reply_type,
                                     .message = message,
                                     .on_message = on_message};
    struct rpc_reply *reply = run(caller, &plan, as_admin, &waiter);
    if (!waiter.enough) {
        print_message("%s ended with %d %s\n", full_method, (int)reply->status.code,
                      reply->status.message != NULL ? reply->status.message : "");
    }
    rpc_reply_free(reply);
    rpc_client_call_unref(waiter.call);
    return waiter.enough;
}
