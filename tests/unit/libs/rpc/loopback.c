#include "loopback.h"

#include "base/arena.h"
#include "base/clock.h"
#include "support/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* cmocka's header wants the four before it. */
#include <cmocka.h>

#define LOOK_MS     200
#define CONFIGS_MAX 64

static void init_wait(pthread_mutex_t *lock, pthread_cond_t *changed)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(lock, NULL);
}

/* Waits on changed for a while; false when patience is at its end. */
static bool wait_changed(pthread_mutex_t *lock, pthread_cond_t *changed, struct patience *patience)
{
    int64_t deadline_ns = clock_deadline_in_ms(LOOK_MS);
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / CLOCK_NS_PER_SECOND),
                             .tv_nsec = (long)(deadline_ns % CLOCK_NS_PER_SECOND)};
    (void)pthread_cond_timedwait(changed, lock, &until);
    return !patience_is_over(patience);
}

void loopback_sleep_ms(int64_t ms)
{
    struct timespec rest = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&rest, NULL);
}

/* --- Server and channel ----------------------------------------------------------------------- */

struct rpc_server_config loopback_server_config(void)
{
    static char addresses[CONFIGS_MAX][32];
    static size_t count;
    CHECK(count < CONFIGS_MAX);
    char *address = addresses[count++];
    snprintf(address, sizeof(addresses[0]), "127.0.0.1:%d", port_take());
    return (struct rpc_server_config){
        .address = address,
        .threads = 2,
        .calls_max = 64,
        .message_bytes_max = 64 * 1024,
        .call_arena_bytes_max = 128 * 1024,
        .error_domain = "echo.example",
        .overloaded_reason = "OVERLOADED",
        .malformed_reason = "MALFORMED",
        .unimplemented_reason = "UNIMPLEMENTED",
    };
}

void loopback_add(struct rpc_server *server, const char *name, enum rpc_method_kind kind,
                  rpc_handler_fn handle, void *data)
{
    struct rpc_method method = {.service = &echo__v1__echo__descriptor,
                                .name = name,
                                .kind = kind,
                                .handle = handle,
                                .data = data};
    assert_int_equal(rpc_server_add(server, &method), 0);
}

struct rpc_server *loopback_serve(const struct rpc_server_config *config, rpc_handler_fn handle,
                                  void *data, int *ret_port)
{
    struct rpc_server *server = NULL;
    assert_int_equal(rpc_server_create(config, &server), 0);
    loopback_add(server, "Say", RPC_UNARY, handle, data);
    assert_int_equal(rpc_server_start(server, ret_port), 0);
    return server;
}

unsigned loopback_end(struct rpc_server *server)
{
    unsigned cancelled = rpc_server_stop(server, clock_deadline_in_ms(LOOPBACK_WAIT_MS));
    rpc_server_destroy(server);
    return cancelled;
}

struct rpc_channel *loopback_connect(int port)
{
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    struct rpc_channel_config config = {
        .target = target, .message_bytes_max = 1024 * 1024, .reply_arena_bytes_max = 1024 * 1024};
    struct rpc_channel *channel = NULL;
    assert_int_equal(rpc_channel_create(&config, &channel), 0);
    return channel;
}

void loopback_echo(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    (void)data;
    rpc_call_finish(call, request);
}

/* --- Completions ------------------------------------------------------------------------------ */

void awaited_init(struct awaited *awaited)
{
    *awaited = (struct awaited){0};
    init_wait(&awaited->lock, &awaited->changed);
}

void awaited_fini(struct awaited *awaited)
{
    rpc_reply_free(awaited->reply);
    pthread_cond_destroy(&awaited->changed);
    pthread_mutex_destroy(&awaited->lock);
}

void awaited_on_done(struct rpc_reply *reply, void *data)
{
    struct awaited *awaited = data;
    pthread_mutex_lock(&awaited->lock);
    awaited->done_count++;
    awaited->reply = reply;
    pthread_cond_broadcast(&awaited->changed);
    pthread_mutex_unlock(&awaited->lock);
}

void awaited_on_message(const ProtobufCMessage *message, void *data)
{
    (void)message;
    struct awaited *awaited = data;
    pthread_mutex_lock(&awaited->lock);
    awaited->message_count++;
    pthread_cond_broadcast(&awaited->changed);
    pthread_mutex_unlock(&awaited->lock);
}

const struct rpc_reply *awaited_end(struct awaited *awaited)
{
    struct patience patience = patience_of_ms(LOOPBACK_WAIT_MS);
    pthread_mutex_lock(&awaited->lock);
    while (awaited->done_count == 0 && wait_changed(&awaited->lock, &awaited->changed, &patience)) {
    }
    unsigned done_count = awaited->done_count;
    pthread_mutex_unlock(&awaited->lock);
    assert_int_equal(done_count, 1);
    return awaited->reply;
}

void awaited_messages(struct awaited *awaited, unsigned count)
{
    struct patience patience = patience_of_ms(LOOPBACK_WAIT_MS);
    pthread_mutex_lock(&awaited->lock);
    while (awaited->message_count < count &&
           wait_changed(&awaited->lock, &awaited->changed, &patience)) {
    }
    unsigned message_count = awaited->message_count;
    pthread_mutex_unlock(&awaited->lock);
    assert_true(message_count >= count);
}

struct rpc_request loopback_request(const ProtobufCMessage *message, struct awaited *awaited)
{
    return (struct rpc_request){
        .full_method = SAY,
        .reply_type = &echo__v1__note__descriptor,
        .message = message,
        .deadline_ns = clock_deadline_in_ms(LOOPBACK_CALL_MS),
        .wait_for_ready = true,
        .on_done = awaited_on_done,
        .data = awaited,
    };
}

struct rpc_reply *loopback_say(struct rpc_channel *channel, const char *text)
{
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    note.text = (char *)(uintptr_t)text;
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = loopback_request(&note.base, &awaited);
    rpc_channel_call(channel, &request, NULL);
    awaited_end(&awaited);
    struct rpc_reply *reply = awaited.reply;
    awaited.reply = NULL;
    awaited_fini(&awaited);
    return reply;
}

/* --- Held calls ------------------------------------------------------------------------------- */

void holder_init(struct holder *holder)
{
    *holder = (struct holder){0};
    init_wait(&holder->lock, &holder->changed);
}

void holder_fini(struct holder *holder)
{
    assert_int_equal(holder->count, 0);
    pthread_cond_destroy(&holder->changed);
    pthread_mutex_destroy(&holder->lock);
}

void holder_hold(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    (void)request;
    struct holder *holder = data;
    pthread_mutex_lock(&holder->lock);
    CHECK(holder->count < LOOPBACK_HELD_MAX);
    holder->calls[holder->count++] = call;
    pthread_cond_broadcast(&holder->changed);
    pthread_mutex_unlock(&holder->lock);
}

static struct rpc_call *take_locked(struct holder *holder)
{
    if (holder->count == 0) {
        return NULL;
    }
    struct rpc_call *call = holder->calls[0];
    holder->count--;
    memmove(holder->calls, holder->calls + 1, holder->count * sizeof(struct rpc_call *));
    return call;
}

struct rpc_call *holder_try(struct holder *holder)
{
    pthread_mutex_lock(&holder->lock);
    struct rpc_call *call = take_locked(holder);
    pthread_mutex_unlock(&holder->lock);
    return call;
}

struct rpc_call *holder_take(struct holder *holder)
{
    struct patience patience = patience_of_ms(LOOPBACK_WAIT_MS);
    pthread_mutex_lock(&holder->lock);
    while (holder->count == 0 && wait_changed(&holder->lock, &holder->changed, &patience)) {
    }
    struct rpc_call *call = take_locked(holder);
    pthread_mutex_unlock(&holder->lock);
    assert_non_null(call);
    return call;
}

void holder_on_cancel(struct rpc_call *call, bool cancelled, void *data)
{
    (void)call;
    struct holder *holder = data;
    pthread_mutex_lock(&holder->lock);
    holder->cancel_count += cancelled;
    pthread_cond_broadcast(&holder->changed);
    pthread_mutex_unlock(&holder->lock);
}

void holder_cancelled(struct holder *holder, unsigned count)
{
    struct patience patience = patience_of_ms(LOOPBACK_WAIT_MS);
    pthread_mutex_lock(&holder->lock);
    while (holder->cancel_count < count &&
           wait_changed(&holder->lock, &holder->changed, &patience)) {
    }
    unsigned cancel_count = holder->cancel_count;
    pthread_mutex_unlock(&holder->lock);
    assert_int_equal(cancel_count, count);
}
