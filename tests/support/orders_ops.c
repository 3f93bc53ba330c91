#include "support/orders_ops.h"

#include "base/clock.h"
#include "rpc/channel.h"
#include "support/stack.h"

#include <pthread.h>
#include <setjmp.h>
#include <stampede/ops/v1/ops.pb-c.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
/* cmocka wants the standard headers first */
#include <cmocka.h>

#define PATIENCE_MS   300000
#define MESSAGE_BYTES ((size_t)1024 * 1024)

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t done;
    struct rpc_reply *reply;
};

static void on_done(struct rpc_reply *reply, void *data)
{
    struct waiter *waiter = data;
    pthread_mutex_lock(&waiter->lock);
    waiter->reply = reply;
    pthread_cond_signal(&waiter->done);
    pthread_mutex_unlock(&waiter->lock);
}

static struct rpc_channel *open_channel(int port)
{
    struct rpc_channel *channel;
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    const struct rpc_channel_config config = {
        .target = target,
        .message_bytes_max = MESSAGE_BYTES,
        .reply_arena_bytes_max = MESSAGE_BYTES,
    };
    assert_int_equal(rpc_channel_create(&config, &channel), 0);
    assert_true(rpc_channel_wait_ready(channel, clock_deadline_in_ms(PATIENCE_MS)));
    return channel;
}

/* The reply, which says OK. */
static struct rpc_reply *call(struct rpc_channel *channel, const char *full_method,
                              const ProtobufCMessageDescriptor *reply_type,
                              const ProtobufCMessage *message)
{
    static const char token[] = "Bearer " STACK_ADMIN_TOKEN;
    struct waiter waiter = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    const struct rpc_metadata metadata = {"authorization", token, sizeof(token) - 1};
    const struct rpc_request request = {
        .full_method = full_method,
        .reply_type = reply_type,
        .message = message,
        .deadline_ns = clock_deadline_in_ms(PATIENCE_MS),
        .metadata = &metadata,
        .metadata_count = 1,
        .on_done = on_done,
        .data = &waiter,
    };
    rpc_channel_call(channel, &request, NULL);
    pthread_mutex_lock(&waiter.lock);
    while (waiter.reply == NULL) {
        pthread_cond_wait(&waiter.done, &waiter.lock);
    }
    pthread_mutex_unlock(&waiter.lock);
    assert_int_equal(waiter.reply->status.code, RPC_OK);
    return waiter.reply;
}

void orders_ops_drain(int port)
{
    Stampede__Ops__V1__DrainRequest request = STAMPEDE__OPS__V1__DRAIN_REQUEST__INIT;
    struct rpc_channel *channel = open_channel(port);
    rpc_reply_free(call(channel, "/stampede.ops.v1.OpsService/Drain",
                        &stampede__ops__v1__drain_response__descriptor, &request.base));
    rpc_channel_destroy(channel);
}

void orders_ops_read(int port, struct orders_ops_status *ret)
{
    Stampede__Ops__V1__GetStatusRequest request = STAMPEDE__OPS__V1__GET_STATUS_REQUEST__INIT;
    struct rpc_channel *channel = open_channel(port);
    struct rpc_reply *reply =
        call(channel, "/stampede.ops.v1.OpsService/GetStatus",
             &stampede__ops__v1__get_status_response__descriptor, &request.base);
    const Stampede__Ops__V1__GetStatusResponse *status = (const void *)reply->message;
    assert_non_null(status->pool);
    *ret = (struct orders_ops_status){
        .draining = status->draining,
        .ready = status->ready,
        .pool_size = status->pool->size,
        .pool_active = status->pool->active,
        .pool_idle = status->pool->idle,
        .pool_connecting = status->pool->connecting,
        .pool_waiting = status->pool->waiting,
    };
    rpc_reply_free(reply);
    rpc_channel_destroy(channel);
}
