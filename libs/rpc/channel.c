/*
 * The channel: its connection, its thread and the calls in flight.
 *
 * It watches its connectivity for as long as it lives: each change is published, and asking for the
 * state asks the core to connect again too, so a channel never rests unconnected. Destroying goes
 * in three steps: cancel the calls and wait for their completions, destroy the core's channel,
 * which ends the watch, and end the thread.
 */
#include "rpc/channel.h"

#include "base/clock.h"
#include "rpc/client_call.h"
#include "rpc/core.h"
#include "rpc/queue.h"
#include "rpc/wire_settings.h"

#include <errno.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL_MAGIC        0xc4a22e1u
#define NEVER_HAD            INT64_MIN
#define METHODS_MAX          64 /* whose handles are kept; further ones are looked up by the core */
#define BACKOFF_FIRST_MS     100
#define BACKOFF_MAX_MS       500
#define DNS_INTERVAL_MS      1000 /* between two look-ups of the target's name */
#define ROUND_ROBIN          "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}"
#define METHOD_SLICE(method) grpc_slice_from_static_string(method)

struct method {
    const char *full_name;
    void *core;
};

struct rpc_channel {
    uint32_t magic;
    size_t reply_arena_bytes_max;
    grpc_channel *core;
    struct rpc_queue queue;
    struct rpc_op watch_op, greet_op;
    atomic_bool ready;
    _Atomic int64_t lost_at_ns; /* the last connection; long ago while there was none */
    atomic_uint calls_in_flight;
    bool greeted, last_told; /* the channel's thread only */

    struct {
        pthread_mutex_t lock;
        pthread_cond_t changed; /* readiness, or something that destroy waits for */
        struct list calls;
        struct method methods[METHODS_MAX];
        size_t method_count;
        unsigned watches; /* under way */
        bool closing;
        rpc_ready_fn on_ready;
        void *on_ready_data;
    } _shared;
};

/* --- Connectivity ----------------------------------------------------------------------------- */

/* Tells the watcher what it does not know yet. The channel's thread. */
static void tell_ready(struct rpc_channel *channel)
{
    bool ready = atomic_load(&channel->ready);
    pthread_mutex_lock(&channel->_shared.lock);
    rpc_ready_fn on_ready = channel->_shared.on_ready;
    void *data = channel->_shared.on_ready_data;
    pthread_mutex_unlock(&channel->_shared.lock);
    if (on_ready != NULL && (!channel->greeted || channel->last_told != ready)) {
        channel->greeted = true;
        channel->last_told = ready;
        on_ready(ready, data);
    }
}

/* Publishes the state and waits for the next change, unless the channel is being destroyed. */
static void watch_locked(struct rpc_channel *channel)
{
    if (channel->_shared.closing) {
        return;
    }
    grpc_connectivity_state state = grpc_channel_check_connectivity_state(channel->core, 1);
    bool ready = state == GRPC_CHANNEL_READY;
    if (!ready && atomic_load(&channel->ready)) {
        atomic_store(&channel->lost_at_ns, clock_monotonic_ns());
    }
    atomic_store(&channel->ready, ready);
    channel->_shared.watches++;
    grpc_channel_watch_connectivity_state(channel->core, state, gpr_inf_future(GPR_CLOCK_MONOTONIC),
                                          channel->queue.core, rpc_op_tag(&channel->watch_op));
}

static void on_watch(struct rpc_op *op, bool ok)
{
    (void)ok;
    struct rpc_channel *channel = RPC_OP_OWNER(op, struct rpc_channel, watch_op);
    pthread_mutex_lock(&channel->_shared.lock);
    channel->_shared.watches--;
    watch_locked(channel);
    pthread_cond_broadcast(&channel->_shared.changed);
    bool closing = channel->_shared.closing;
    pthread_mutex_unlock(&channel->_shared.lock);
    if (!closing) {
        tell_ready(channel);
    }
}

static void on_greet(struct rpc_op *op, bool ok)
{
    (void)ok;
    struct rpc_channel *channel = RPC_OP_OWNER(op, struct rpc_channel, greet_op);
    tell_ready(channel);
    pthread_mutex_lock(&channel->_shared.lock);
    channel->_shared.watches--;
    pthread_cond_broadcast(&channel->_shared.changed);
    pthread_mutex_unlock(&channel->_shared.lock);
}

void rpc_channel_on_ready(struct rpc_channel *channel, rpc_ready_fn on_ready, void *data)
{
    MAGIC_CHECK(channel, CHANNEL_MAGIC);
    pthread_mutex_lock(&channel->_shared.lock);
    CHECK(channel->_shared.on_ready == NULL && on_ready != NULL);
    channel->_shared.on_ready = on_ready;
    channel->_shared.on_ready_data = data;
    channel->_shared.watches++;
    /* A watch whose time is up already: the way onto the channel's thread. */
    grpc_channel_watch_connectivity_state(
        channel->core, grpc_channel_check_connectivity_state(channel->core, 1),
        gpr_time_0(GPR_CLOCK_MONOTONIC), channel->queue.core, rpc_op_tag(&channel->greet_op));
    pthread_mutex_unlock(&channel->_shared.lock);
}

bool rpc_channel_is_ready(const struct rpc_channel *channel)
{
    return atomic_load(&channel->ready);
}

bool rpc_channel_is_gone(const struct rpc_channel *channel, int64_t grace_ms)
{
    if (atomic_load(&channel->ready)) {
        return false;
    }
    int64_t lost_at_ns = atomic_load(&channel->lost_at_ns);
    return lost_at_ns == NEVER_HAD ||
           clock_monotonic_ns() - lost_at_ns > grace_ms * CLOCK_NS_PER_MS;
}

bool rpc_channel_wait_ready(struct rpc_channel *channel, int64_t deadline_ns)
{
    MAGIC_CHECK(channel, CHANNEL_MAGIC);
    CHECK(!rpc_queue_is_current(&channel->queue));
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / CLOCK_NS_PER_SECOND),
                             .tv_nsec = (long)(deadline_ns % CLOCK_NS_PER_SECOND)};
    pthread_mutex_lock(&channel->_shared.lock);
    for (int error = 0; error != ETIMEDOUT && !atomic_load(&channel->ready);) {
        error = pthread_cond_timedwait(&channel->_shared.changed, &channel->_shared.lock, &until);
    }
    pthread_mutex_unlock(&channel->_shared.lock);
    return atomic_load(&channel->ready);
}

/* --- Making and destroying -------------------------------------------------------------------- */

static grpc_channel *create_core(const struct rpc_channel_config *config)
{
    const char *service_config =
        config->service_config_json == NULL ? ROUND_ROBIN : config->service_config_json;
    grpc_arg args[] = {
        rpc_string_arg(GRPC_ARG_SERVICE_CONFIG, service_config),
        rpc_integer_arg(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        rpc_integer_arg(GRPC_ARG_ENABLE_RETRIES, config->repeat_unseen),
        rpc_integer_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        /* One channel, its own connections. */
        rpc_integer_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        rpc_integer_arg(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT_MAX),
        rpc_integer_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, BACKOFF_FIRST_MS),
        rpc_integer_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, BACKOFF_MAX_MS),
        rpc_integer_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, BACKOFF_MAX_MS),
        rpc_integer_arg(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, DNS_INTERVAL_MS),
        rpc_integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)config->message_bytes_max),
        rpc_integer_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, RPC_COMPRESSION_NONE),
        rpc_integer_arg(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0),
        rpc_integer_arg(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        rpc_integer_arg(GRPC_ARG_KEEPALIVE_TIME_MS, RPC_KEEPALIVE_PING_MS),
        rpc_integer_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, RPC_KEEPALIVE_TIMEOUT_MS),
        rpc_integer_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        rpc_integer_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
    };
    grpc_channel_args list = {.num_args = COUNT_OF(args), .args = args};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *core = grpc_channel_create(config->target, credentials, &list);
    grpc_channel_credentials_release(credentials);
    return core;
}

/*
 * For a target that it cannot parse the core makes a channel that fails every call, and whose
 * connectivity can be watched for ever without an event. A sound one begins idle.
 */
static bool is_usable(grpc_channel *core)
{
    return grpc_channel_check_connectivity_state(core, 0) == GRPC_CHANNEL_IDLE;
}

static void init_shared(struct rpc_channel *channel)
{
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&channel->_shared.changed, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    CHECK(pthread_mutex_init(&channel->_shared.lock, NULL) == 0);
    list_init(&channel->_shared.calls);
}

/* Ends what is left when nothing is in flight and the core's channel is gone. */
static void take_down(struct rpc_channel *channel)
{
    rpc_queue_fini(&channel->queue);
    pthread_cond_destroy(&channel->_shared.changed);
    pthread_mutex_destroy(&channel->_shared.lock);
    MAGIC_CLEAR(channel);
    free(channel);
}

int rpc_channel_create(const struct rpc_channel_config *config, struct rpc_channel **ret)
{
    CHECK(config->target != NULL && config->reply_arena_bytes_max >= 1);
    CHECK(config->message_bytes_max >= 1 && config->message_bytes_max <= INT_MAX);
    struct rpc_channel *channel = calloc(1, sizeof(*channel));
    if (channel == NULL) {
        return -ENOMEM;
    }
    MAGIC_INIT(channel, CHANNEL_MAGIC);
    channel->reply_arena_bytes_max = config->reply_arena_bytes_max;
    atomic_init(&channel->lost_at_ns, NEVER_HAD);
    rpc_op_init(&channel->watch_op, on_watch);
    rpc_op_init(&channel->greet_op, on_greet);
    init_shared(channel);
    rpc_core_start();
    rpc_queue_init(&channel->queue);
    channel->core = create_core(config);
    int error = is_usable(channel->core) ? 0 : -EINVAL;
    if (error == 0) {
        error = rpc_queue_start(&channel->queue, 1, "rpc-channel");
    }
    if (error != 0) {
        grpc_channel_destroy(channel->core);
        take_down(channel);
        return error;
    }
    pthread_mutex_lock(&channel->_shared.lock);
    watch_locked(channel);
    pthread_mutex_unlock(&channel->_shared.lock);
    *ret = channel;
    return 0;
}

static void cancel_calls(struct rpc_channel *channel)
{
    pthread_mutex_lock(&channel->_shared.lock);
    channel->_shared.closing = true;
    LIST_FOREACH_SAFE (&channel->_shared.calls, link, following) {
        rpc_client_call_cancel(LIST_OBJECT(link, struct rpc_client_call, link));
    }
    while (!list_is_empty(&channel->_shared.calls)) {
        pthread_cond_wait(&channel->_shared.changed, &channel->_shared.lock);
    }
    pthread_mutex_unlock(&channel->_shared.lock);
}

static void end_watches(struct rpc_channel *channel)
{
    grpc_channel_destroy(channel->core);
    pthread_mutex_lock(&channel->_shared.lock);
    while (channel->_shared.watches > 0) {
        pthread_cond_wait(&channel->_shared.changed, &channel->_shared.lock);
    }
    pthread_mutex_unlock(&channel->_shared.lock);
}

void rpc_channel_destroy(struct rpc_channel *channel)
{
    if (channel == NULL) {
        return;
    }
    MAGIC_CHECK(channel, CHANNEL_MAGIC);
    CHECK(!rpc_queue_is_current(&channel->queue));
    cancel_calls(channel);
    end_watches(channel);
    take_down(channel);
}

/* --- For calls -------------------------------------------------------------------------------- */

/* The handle of a method, made on first use; NULL when there is no room to keep one. */
static void *method_handle(struct rpc_channel *channel, const char *full_method)
{
    void *core = NULL;
    pthread_mutex_lock(&channel->_shared.lock);
    size_t count = channel->_shared.method_count;
    for (size_t i = 0; i < count && core == NULL; i++) {
        const struct method *method = &channel->_shared.methods[i];
        if (method->full_name == full_method || strcmp(method->full_name, full_method) == 0) {
            core = method->core;
        }
    }
    if (core == NULL && count < METHODS_MAX) {
        core = grpc_channel_register_call(channel->core, full_method, NULL, NULL);
        channel->_shared.methods[channel->_shared.method_count++] =
            (struct method){.full_name = full_method, .core = core};
    }
    pthread_mutex_unlock(&channel->_shared.lock);
    return core;
}

grpc_call *rpc_channel_open(struct rpc_channel *channel, const char *full_method,
                            int64_t deadline_ns)
{
    MAGIC_CHECK(channel, CHANNEL_MAGIC);
    gpr_timespec deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    if (deadline_ns != CLOCK_DEADLINE_NEVER) {
        deadline = (gpr_timespec){.tv_sec = deadline_ns / CLOCK_NS_PER_SECOND,
                                  .tv_nsec = (int32_t)(deadline_ns % CLOCK_NS_PER_SECOND),
                                  .clock_type = GPR_CLOCK_MONOTONIC};
    }
    void *method = method_handle(channel, full_method);
    if (method == NULL) {
        return grpc_channel_create_call(channel->core, NULL, GRPC_PROPAGATE_DEFAULTS,
                                        channel->queue.core, METHOD_SLICE(full_method), NULL,
                                        deadline, NULL);
    }
    return grpc_channel_create_registered_call(channel->core, NULL, GRPC_PROPAGATE_DEFAULTS,
                                               channel->queue.core, method, deadline, NULL);
}

bool rpc_channel_enter(struct rpc_channel *channel, struct rpc_client_call *call)
{
    atomic_fetch_add(&channel->calls_in_flight, 1);
    pthread_mutex_lock(&channel->_shared.lock);
    list_push_back(&channel->_shared.calls, &call->link);
    bool closing = channel->_shared.closing;
    pthread_mutex_unlock(&channel->_shared.lock);
    return closing;
}

void rpc_channel_uncount(struct rpc_channel *channel)
{
    atomic_fetch_sub(&channel->calls_in_flight, 1);
}

void rpc_channel_leave(struct rpc_channel *channel, struct rpc_client_call *call)
{
    pthread_mutex_lock(&channel->_shared.lock);
    list_remove(&channel->_shared.calls, &call->link);
    if (channel->_shared.closing) {
        pthread_cond_broadcast(&channel->_shared.changed);
    }
    pthread_mutex_unlock(&channel->_shared.lock);
}

size_t rpc_channel_reply_arena_bytes_max(const struct rpc_channel *channel)
{
    return channel->reply_arena_bytes_max;
}

unsigned rpc_channel_calls_in_flight(const struct rpc_channel *channel)
{
    return atomic_load(&channel->calls_in_flight);
}

int64_t rpc_channel_turn_ns(const struct rpc_channel *channel)
{
    MAGIC_CHECK(channel, CHANNEL_MAGIC);
    return rpc_queue_turn_ns(&channel->queue);
}
