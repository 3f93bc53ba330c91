/*
 * The server: its methods, its fixed stock of calls, and how it starts and stops.
 *
 *   NEW ──start──▶ SERVING ──stop──▶ STOPPED
 *    ▲                │
 *    └──(start fails)─┘
 *
 * Every call object is either free, or armed as a slot, or on its way through call.c. A slot that
 * was used is armed anew from the free ones at once; when none is free, the method is owed a slot
 * and the next call that comes back pays it. So memory has a bound, and the core's own queue of
 * unasked-for calls, which has none, is emptied as fast as calls can be refused.
 *
 * Stopping waits for two things: the core's word that the server is shut down, and that all calls
 * are free. After the deadline it cancels what is left, and then waits for as long as it takes the
 * holders to finish.
 */
#include "rpc/server.h"

#include "base/clock.h"
#include "rpc/call.h"
#include "rpc/core.h"
#include "rpc/queue.h"
#include "rpc/replies.h"
#include "rpc/wire_settings.h"

#include <errno.h>
#include <grpc/grpc_security.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVER_MAGIC 0x5e47e411u
/* Refusals and replies on their way out, beside as many as calls may be in flight: all of those may
 * be answered at once. */
#define SPARE_REPLIES 256
/* While a stop cancels: connections that appear meanwhile are cancelled by the next round. */
#define CANCEL_ROUND_MS 100
/* How often a stop looks whether there are only replies left. */
#define LOOK_MS 20

enum state { NEW, SERVING, STOPPED };

struct stop_hook {
    rpc_stop_fn on_stop;
    void *data;
};

struct rpc_server {
    uint32_t magic;
    enum state state;
    struct rpc_server_config config; /* its strings are ours */
    struct rpc_served methods[RPC_METHODS_MAX];
    size_t method_count;
    struct rpc_served unknown; /* whatever nobody added */
    struct rpc_gauge ordinary, reserved;
    struct rpc_replies replies;
    struct stop_hook hooks[RPC_STOP_HOOKS_MAX];
    size_t hook_count;

    grpc_server *core;
    struct rpc_queue queue;
    struct rpc_op shutdown_op;
    struct rpc_call *calls;
    size_t call_count;

    struct {
        pthread_mutex_t lock;
        pthread_cond_t idle; /* shut down and every call free */
        struct rpc_call *free;
        size_t free_count;
        size_t slots_owed; /* over all methods */
        size_t next_creditor;
        bool shut_down;
    } _shared;
};

/* --- Making ----------------------------------------------------------------------------------- */

static int copy_string(const char **string)
{
    if (*string == NULL) {
        return 0;
    }
    *string = strdup(*string);
    return *string == NULL ? -ENOMEM : 0;
}

/* Makes the config's strings our own; those that could not be copied are NULL afterwards. */
static int copy_strings(struct rpc_server_config *config)
{
    int error = copy_string(&config->address);
    error |= copy_string(&config->error_domain);
    error |= copy_string(&config->overloaded_reason);
    error |= copy_string(&config->malformed_reason);
    error |= copy_string(&config->unimplemented_reason);
    return error == 0 ? 0 : -ENOMEM;
}

static void free_string(const char *string)
{
    free((char *)(uintptr_t)string);
}

static void check_config(const struct rpc_server_config *config)
{
    CHECK(config->address != NULL);
    CHECK(config->threads >= 1 && config->threads <= RPC_THREADS_MAX);
    CHECK(config->calls_max >= 1 && config->calls_max <= RPC_CALLS_MAX);
    CHECK(config->message_bytes_max >= 1 && config->message_bytes_max <= INT_MAX);
    CHECK(config->call_arena_bytes_max >= 1);
    CHECK(config->connection_age_max_ms >= 0 && config->connection_age_max_ms <= INT_MAX);
}

static void on_shutdown(struct rpc_op *op, bool ok)
{
    (void)ok;
    struct rpc_server *server = RPC_OP_OWNER(op, struct rpc_server, shutdown_op);
    pthread_mutex_lock(&server->_shared.lock);
    server->_shared.shut_down = true;
    pthread_cond_signal(&server->_shared.idle);
    pthread_mutex_unlock(&server->_shared.lock);
}

static void init_lock(struct rpc_server *server)
{
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&server->_shared.idle, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    CHECK(pthread_mutex_init(&server->_shared.lock, NULL) == 0);
}

int rpc_server_create(const struct rpc_server_config *config, struct rpc_server **ret)
{
    check_config(config);
    struct rpc_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return -ENOMEM;
    }
    MAGIC_INIT(server, SERVER_MAGIC);
    server->config = *config;
    server->ordinary.max = config->calls_max;
    server->reserved.max = RPC_RESERVED_CALLS_MAX;
    rpc_replies_init(&server->replies, config->calls_max + RPC_RESERVED_CALLS_MAX + SPARE_REPLIES);
    server->unknown = (struct rpc_served){
        .server = server,
        .config = &server->config,
        .method = {.kind = RPC_UNARY, .slots = RPC_SLOTS_UNKNOWN},
        .replies = &server->replies,
    };
    rpc_op_init(&server->shutdown_op, on_shutdown);
    init_lock(server);
    int error = copy_strings(&server->config);
    if (error == 0) {
        server->unknown.full_name = strdup(RPC_METHOD_UNKNOWN);
        error = server->unknown.full_name == NULL ? -ENOMEM : 0;
    }
    if (error != 0) {
        rpc_server_destroy(server);
        return error;
    }
    *ret = server;
    return 0;
}

void rpc_server_destroy(struct rpc_server *server)
{
    if (server == NULL) {
        return;
    }
    MAGIC_CHECK(server, SERVER_MAGIC);
    CHECK(server->state != SERVING);
    for (size_t i = 0; i < server->method_count; i++) {
        free(server->methods[i].full_name);
    }
    free(server->unknown.full_name);
    free_string(server->config.address);
    free_string(server->config.error_domain);
    free_string(server->config.overloaded_reason);
    free_string(server->config.malformed_reason);
    free_string(server->config.unimplemented_reason);
    rpc_replies_fini(&server->replies);
    pthread_cond_destroy(&server->_shared.idle);
    pthread_mutex_destroy(&server->_shared.lock);
    MAGIC_CLEAR(server);
    free(server);
}

static int find_method(const struct rpc_server *server, const char *full_name)
{
    for (size_t i = 0; i < server->method_count; i++) {
        if (strcmp(server->methods[i].full_name, full_name) == 0) {
            return -EEXIST;
        }
    }
    return server->method_count == RPC_METHODS_MAX ? -ENOSPC : 0;
}

int rpc_server_add(struct rpc_server *server, const struct rpc_method *method)
{
    MAGIC_CHECK(server, SERVER_MAGIC);
    CHECK(server->state == NEW && method->handle != NULL);
    const ProtobufCMethodDescriptor *descriptor =
        protobuf_c_service_descriptor_get_method_by_name(method->service, method->name);
    if (descriptor == NULL) {
        return -ENOENT;
    }
    char *full_name;
    if (asprintf(&full_name, "/%s/%s", method->service->name, descriptor->name) < 0) {
        return -ENOMEM;
    }
    int error = find_method(server, full_name);
    if (error != 0) {
        free(full_name);
        return error;
    }
    struct rpc_served *served = &server->methods[server->method_count++];
    *served = (struct rpc_served){
        .server = server,
        .config = &server->config,
        .method = *method,
        .full_name = full_name,
        .input = descriptor->input,
        .gauge = method->reserved ? &server->reserved : &server->ordinary,
        .replies = &server->replies,
    };
    served->method.slots = method->slots == 0 ? RPC_SLOTS_DEFAULT : method->slots;
    return 0;
}

void rpc_server_on_stop(struct rpc_server *server, rpc_stop_fn on_stop, void *data)
{
    MAGIC_CHECK(server, SERVER_MAGIC);
    CHECK(server->state == NEW && server->hook_count < RPC_STOP_HOOKS_MAX);
    server->hooks[server->hook_count++] = (struct stop_hook){.on_stop = on_stop, .data = data};
}

/* --- The stock of calls ----------------------------------------------------------------------- */

static size_t count_slots(const struct rpc_server *server)
{
    size_t slots = server->unknown.method.slots;
    for (size_t i = 0; i < server->method_count; i++) {
        slots += server->methods[i].method.slots;
    }
    return slots;
}

static int make_calls(struct rpc_server *server)
{
    size_t count = count_slots(server) + server->config.calls_max + RPC_RESERVED_CALLS_MAX +
                   server->replies.count_max;
    server->calls = calloc(count, sizeof(*server->calls));
    if (server->calls == NULL) {
        return -ENOMEM;
    }
    server->_shared.free = NULL;
    for (size_t i = 0; i < count; i++) {
        rpc_call_init(&server->calls[i], &server->config);
        server->calls[i].next_free = server->_shared.free;
        server->_shared.free = &server->calls[i];
    }
    server->call_count = server->_shared.free_count = count;
    return 0;
}

static void free_calls(struct rpc_server *server)
{
    for (size_t i = 0; i < server->call_count; i++) {
        rpc_call_fini(&server->calls[i]);
    }
    free(server->calls);
    server->calls = NULL;
    server->call_count = 0;
}

static struct rpc_call *take_free_locked(struct rpc_server *server)
{
    struct rpc_call *call = server->_shared.free;
    if (call != NULL) {
        server->_shared.free = call->next_free;
        server->_shared.free_count--;
    }
    return call;
}

void rpc_server_rearm(struct rpc_served *served)
{
    struct rpc_server *server = served->server;
    pthread_mutex_lock(&server->_shared.lock);
    struct rpc_call *call = take_free_locked(server);
    if (call == NULL) {
        served->slots_owed++;
        server->_shared.slots_owed++;
    }
    pthread_mutex_unlock(&server->_shared.lock);
    if (call != NULL) {
        rpc_call_arm(call, served, server->core, server->queue.core);
    }
}

/* The next method in turn that is owed a slot; one is, and is paid. */
static struct rpc_served *take_creditor_locked(struct rpc_server *server)
{
    for (;;) {
        size_t i = server->_shared.next_creditor++ % (server->method_count + 1);
        struct rpc_served *served =
            i == server->method_count ? &server->unknown : &server->methods[i];
        if (served->slots_owed > 0) {
            served->slots_owed--;
            server->_shared.slots_owed--;
            return served;
        }
    }
}

void rpc_server_release(struct rpc_server *server, struct rpc_call *call)
{
    pthread_mutex_lock(&server->_shared.lock);
    struct rpc_served *creditor = NULL;
    if (server->_shared.slots_owed > 0) {
        creditor = take_creditor_locked(server);
    } else {
        call->next_free = server->_shared.free;
        server->_shared.free = call;
        server->_shared.free_count++;
        if (server->_shared.free_count == server->call_count) {
            pthread_cond_signal(&server->_shared.idle);
        }
    }
    pthread_mutex_unlock(&server->_shared.lock);
    if (creditor != NULL) {
        rpc_call_arm(call, creditor, server->core, server->queue.core);
    }
}

static void arm_slots(struct rpc_served *served)
{
    for (unsigned i = 0; i < served->method.slots; i++) {
        rpc_server_rearm(served);
    }
}

/* --- Starting --------------------------------------------------------------------------------- */

static grpc_server *create_core(const struct rpc_server *server)
{
    const struct rpc_server_config *config = &server->config;
    /* A connection may hold as many streams as there are calls; more would only wait. */
    int streams = (int)(config->calls_max + RPC_RESERVED_CALLS_MAX + SPARE_REPLIES);
    int age_ms = config->connection_age_max_ms == 0 ? INT_MAX : (int)config->connection_age_max_ms;
    grpc_arg args[] = {
        rpc_integer_arg(GRPC_ARG_ALLOW_REUSEPORT, 0),
        rpc_integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)config->message_bytes_max),
        rpc_integer_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, streams),
        /* Nothing is compressed or decompressed: a small message must not become a large one. */
        rpc_integer_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, RPC_COMPRESSION_NONE),
        rpc_integer_arg(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0),
        rpc_integer_arg(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        rpc_integer_arg(GRPC_ARG_KEEPALIVE_TIME_MS, RPC_KEEPALIVE_PING_MS),
        rpc_integer_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, RPC_KEEPALIVE_TIMEOUT_MS),
        rpc_integer_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        rpc_integer_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        rpc_integer_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                        RPC_KEEPALIVE_PING_INTERVAL_MIN_MS),
        rpc_integer_arg(GRPC_ARG_MAX_CONNECTION_AGE_MS, age_ms),
        rpc_integer_arg(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, RPC_CONNECTION_GRACE_MS),
    };
    grpc_channel_args list = {.num_args = COUNT_OF(args), .args = args};
    return grpc_server_create(&list, NULL);
}

static void register_methods(struct rpc_server *server)
{
    for (size_t i = 0; i < server->method_count; i++) {
        struct rpc_served *served = &server->methods[i];
        served->core = grpc_server_register_method(server->core, served->full_name, NULL,
                                                   served->method.kind == RPC_BIDI_STREAM
                                                       ? GRPC_SRM_PAYLOAD_NONE
                                                       : GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER,
                                                   0);
        CHECK(served->core != NULL);
    }
}

static int bind_address(struct rpc_server *server, int *ret_port)
{
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    int port = grpc_server_add_http2_port(server->core, server->config.address, credentials);
    grpc_server_credentials_release(credentials);
    if (port == 0) {
        return -EADDRINUSE;
    }
    *ret_port = port;
    return 0;
}

/* Ends the core's server and the queue. Nothing is in flight. */
static void take_down(struct rpc_server *server)
{
    rpc_queue_fini(&server->queue);
    grpc_server_destroy(server->core);
    server->core = NULL;
    free_calls(server);
}

/* Waits until the core has shut down and every call is free, or deadline_ns; tells which. */
static bool wait_idle(struct rpc_server *server, int64_t deadline_ns)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / CLOCK_NS_PER_SECOND),
                             .tv_nsec = (long)(deadline_ns % CLOCK_NS_PER_SECOND)};
    pthread_mutex_lock(&server->_shared.lock);
    bool idle;
    for (int error = 0;;) {
        idle = server->_shared.shut_down && server->_shared.free_count == server->call_count;
        if (idle || error == ETIMEDOUT) {
            break;
        }
        error = pthread_cond_timedwait(&server->_shared.idle, &server->_shared.lock, &until);
    }
    pthread_mutex_unlock(&server->_shared.lock);
    return idle;
}

static unsigned held_calls(const struct rpc_server *server)
{
    return atomic_load(&server->ordinary.in_flight) + atomic_load(&server->reserved.in_flight);
}

/* Waits for what is held until the deadline, and for replies that are only to be read no longer
 * than RPC_UNREAD_MS: a caller who does not read must not hold up the end. Tells whether all is
 * done. */
static bool wait_done(struct rpc_server *server, int64_t deadline_ns)
{
    int64_t held_ns = clock_monotonic_ns();
    for (;;) {
        int64_t now_ns = clock_monotonic_ns();
        held_ns = held_calls(server) > 0 ? now_ns : held_ns;
        int64_t until_ns = clock_earlier(deadline_ns, held_ns + RPC_UNREAD_MS * CLOCK_NS_PER_MS);
        if (wait_idle(server, clock_earlier(until_ns, now_ns + LOOK_MS * CLOCK_NS_PER_MS))) {
            return true;
        }
        if (now_ns >= until_ns) {
            return false;
        }
    }
}

/* Shuts down and waits; then cancels, round after round, until all is done. */
static unsigned shut_down(struct rpc_server *server, int64_t deadline_ns)
{
    if (wait_done(server, deadline_ns)) {
        return 0;
    }
    unsigned cancelled = held_calls(server);
    do {
        grpc_server_cancel_all_calls(server->core);
    } while (!wait_idle(server, clock_deadline_in_ms(CANCEL_ROUND_MS)));
    return cancelled;
}

static void serve(struct rpc_server *server)
{
    grpc_server_start(server->core);
    for (size_t i = 0; i < server->method_count; i++) {
        arm_slots(&server->methods[i]);
    }
    arm_slots(&server->unknown);
    server->state = SERVING;
}

int rpc_server_start(struct rpc_server *server, int *ret_port)
{
    MAGIC_CHECK(server, SERVER_MAGIC);
    CHECK(server->state == NEW);
    int error = make_calls(server);
    if (error != 0) {
        return error;
    }
    rpc_core_start();
    server->_shared.shut_down = false;
    server->core = create_core(server);
    rpc_queue_init(&server->queue);
    grpc_server_register_completion_queue(server->core, server->queue.core, NULL);
    register_methods(server);
    error = rpc_queue_start(&server->queue, server->config.threads, "rpc-server");
    if (error == 0) {
        error = bind_address(server, ret_port); /* last: a core that is bound must be shut down */
    }
    if (error != 0) {
        take_down(server);
        return error;
    }
    serve(server);
    return 0;
}

/* --- Stopping --------------------------------------------------------------------------------- */

unsigned rpc_server_stop(struct rpc_server *server, int64_t deadline_ns)
{
    MAGIC_CHECK(server, SERVER_MAGIC);
    CHECK(server->state == SERVING && !rpc_queue_is_current(&server->queue));
    grpc_server_shutdown_and_notify(server->core, server->queue.core,
                                    rpc_op_tag(&server->shutdown_op));
    for (size_t i = 0; i < server->hook_count; i++) {
        server->hooks[i].on_stop(server->hooks[i].data);
    }
    unsigned cancelled = shut_down(server, deadline_ns);
    take_down(server);
    server->state = STOPPED;
    return cancelled;
}

/* --- What others may ask ---------------------------------------------------------------------- */

unsigned rpc_server_calls_in_flight(const struct rpc_server *server)
{
    MAGIC_CHECK(server, SERVER_MAGIC);
    return atomic_load(&server->ordinary.in_flight);
}

size_t rpc_server_calls_by_method(const struct rpc_server *server,
                                  struct rpc_method_calls ret[RPC_METHODS_MAX])
{
    size_t count = 0;
    MAGIC_CHECK(server, SERVER_MAGIC);
    for (size_t i = 0; i < server->method_count; i++) {
        const struct rpc_served *served = &server->methods[i];
        if (!served->method.reserved) {
            ret[count++] =
                (struct rpc_method_calls){served->full_name, atomic_load(&served->in_flight)};
        }
    }
    return count;
}

int64_t rpc_server_turn_ns(const struct rpc_server *server)
{
    MAGIC_CHECK(server, SERVER_MAGIC);
    return rpc_queue_turn_ns(&server->queue);
}
