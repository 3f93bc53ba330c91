/*
 * A watch lives in its call's arena and is one of the streams that are held, under their lock:
 *
 *   idle ──status changed──▶ sending ──sent──▶ idle, or sending again if it changed meanwhile
 *    │                          │
 *    └──caller gone, or stop────┴──caller gone, or stopped meanwhile──▶ closed
 *
 * While one is sending nobody ends it but on_sent, which hears that the caller has gone.
 */
#include "rpc/health.h"

#include "base/arena.h"
#include "rpc/server.h"
#include "rpc/streams.h"

#include <errno.h>
#include <grpc/health/v1/health.pb-c.h>
#include <stdlib.h>
#include <string.h>

/* What protoc-c calls it is too long to read. */
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;
#define SERVING         GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

#define NEVER_SENT GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__UNKNOWN

struct watch {
    struct rpc_stream stream;
    struct rpc_health *health;
    const char *service; /* in the request */
    serving_status last_sent;
    bool is_sending;
};

struct service {
    char *name;
    bool serving;
};

struct rpc_health {
    struct rpc_streams watches; /* their lock is that of all of this */
    struct {
        struct service services[RPC_HEALTH_SERVICES_MAX];
        size_t service_count;
    } _shared;
};

static struct service *find_locked(struct rpc_health *health, const char *name)
{
    for (size_t i = 0; i < health->_shared.service_count; i++) {
        if (strcmp(health->_shared.services[i].name, name) == 0) {
            return &health->_shared.services[i];
        }
    }
    return NULL;
}

static serving_status status_of(const struct service *service)
{
    return service == NULL ? SERVICE_UNKNOWN : service->serving ? SERVING : NOT_SERVING;
}

/* --- Check and List --------------------------------------------------------------------------- */

static void on_check(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    struct rpc_health *health = data;
    const Grpc__Health__V1__HealthCheckRequest *request = (const void *)message;
    rpc_streams_lock(&health->watches);
    serving_status status = status_of(find_locked(health, request->service));
    rpc_streams_unlock(&health->watches);
    if (status == SERVICE_UNKNOWN) {
        rpc_call_fail(call, &(struct rpc_status){.code = RPC_NOT_FOUND,
                                                 .message = "there is no such service"});
        return;
    }
    Grpc__Health__V1__HealthCheckResponse reply = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    reply.status = status;
    rpc_call_finish(call, &reply.base);
}

/* A map is a repeated entry message in protobuf-c. */
static void on_list(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    (void)request;
    struct rpc_health *health = data;
    Grpc__Health__V1__HealthListResponse__StatusesEntry entries[RPC_HEALTH_SERVICES_MAX];
    Grpc__Health__V1__HealthListResponse__StatusesEntry *pointers[RPC_HEALTH_SERVICES_MAX];
    Grpc__Health__V1__HealthCheckResponse values[RPC_HEALTH_SERVICES_MAX];
    Grpc__Health__V1__HealthListResponse reply = GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__INIT;
    reply.statuses = pointers;
    rpc_streams_lock(&health->watches);
    for (size_t i = 0; i < health->_shared.service_count; i++) {
        const struct service *service = &health->_shared.services[i];
        grpc__health__v1__health_list_response__statuses_entry__init(&entries[i]);
        grpc__health__v1__health_check_response__init(&values[i]);
        entries[i].key = service->name; /* names are never removed */
        entries[i].value = &values[i];
        values[i].status = status_of(service);
        pointers[reply.n_statuses++] = &entries[i];
    }
    rpc_streams_unlock(&health->watches);
    rpc_call_finish(call, &reply.base);
}

/* --- Watch ------------------------------------------------------------------------------------ */

static void on_watch_sent(struct rpc_call *call, bool cancelled, void *data);

/* Sends the present status if it is news to an idle watch. */
static void update_locked(struct watch *watch)
{
    serving_status status = status_of(find_locked(watch->health, watch->service));
    if (watch->is_sending || status == watch->last_sent) {
        return;
    }
    watch->is_sending = true;
    watch->last_sent = status;
    Grpc__Health__V1__HealthCheckResponse news = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    news.status = status;
    rpc_call_send(watch->stream.call, &news.base, on_watch_sent, watch);
}

static void finish_stopped(struct rpc_call *call)
{
    rpc_call_fail(
        call, &(struct rpc_status){.code = RPC_UNAVAILABLE, .message = "the server is stopping"});
}

static void on_watch_sent(struct rpc_call *call, bool cancelled, void *data)
{
    struct watch *watch = data;
    struct rpc_health *health = watch->health;
    rpc_streams_lock(&health->watches);
    bool ends = cancelled || rpc_streams_is_stopping_locked(&health->watches);
    watch->is_sending = false;
    if (ends) {
        rpc_streams_close_locked(&watch->stream);
    } else {
        update_locked(watch);
    }
    rpc_streams_unlock(&health->watches);
    if (ends) {
        finish_stopped(call);
    }
}

static bool end_locked(struct rpc_stream *stream, enum rpc_streams_ending ending)
{
    (void)ending;
    if (LIST_OBJECT(stream, struct watch, stream)->is_sending) {
        return false;
    }
    rpc_streams_close_locked(stream);
    return true;
}

static void finish(struct rpc_stream *stream, enum rpc_streams_ending ending)
{
    (void)ending;
    finish_stopped(stream->call);
}

/* Opens a watch and sends the first status. */
static enum rpc_code enter(struct rpc_health *health, struct watch *watch, struct rpc_call *call)
{
    rpc_streams_lock(&health->watches);
    enum rpc_code code = rpc_streams_open_locked(&health->watches, &watch->stream, call);
    if (code == RPC_OK) {
        rpc_streams_watch_caller(&watch->stream);
        update_locked(watch);
    }
    rpc_streams_unlock(&health->watches);
    return code;
}

static void on_watch(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    struct rpc_health *health = data;
    const Grpc__Health__V1__HealthCheckRequest *request = (const void *)message;
    struct watch *watch = arena_calloc(rpc_call_arena(call), 1, sizeof(*watch));
    enum rpc_code code = RPC_RESOURCE_EXHAUSTED;
    if (watch != NULL) {
        *watch =
            (struct watch){.health = health, .service = request->service, .last_sent = NEVER_SENT};
        code = enter(health, watch, call);
    }
    if (code != RPC_OK) {
        rpc_call_fail(call, &(struct rpc_status){.code = code, .message = "no more watches"});
    }
}

/* --- The table -------------------------------------------------------------------------------- */

static void update_each(struct rpc_stream *stream, void *data)
{
    (void)data;
    update_locked(LIST_OBJECT(stream, struct watch, stream));
}

static void update_all_locked(struct rpc_health *health)
{
    rpc_streams_visit_locked(&health->watches, update_each, NULL);
}

static int set_locked(struct rpc_health *health, const char *name, bool serving)
{
    struct service *service = find_locked(health, name);
    if (service == NULL) {
        if (health->_shared.service_count == RPC_HEALTH_SERVICES_MAX) {
            return -ENOSPC;
        }
        char *copy = strdup(name);
        if (copy == NULL) {
            return -ENOMEM;
        }
        service = &health->_shared.services[health->_shared.service_count++];
        service->name = copy;
    }
    service->serving = serving;
    update_all_locked(health);
    return 0;
}

int rpc_health_set(struct rpc_health *health, const char *service, bool serving)
{
    rpc_streams_lock(&health->watches);
    int error = set_locked(health, service, serving);
    rpc_streams_unlock(&health->watches);
    return error;
}

void rpc_health_set_all(struct rpc_health *health, bool serving)
{
    rpc_streams_lock(&health->watches);
    for (size_t i = 0; i < health->_shared.service_count; i++) {
        health->_shared.services[i].serving = serving;
    }
    update_all_locked(health);
    rpc_streams_unlock(&health->watches);
}

int rpc_health_create(struct rpc_health **ret)
{
    struct rpc_health *health = calloc(1, sizeof(*health));
    if (health == NULL) {
        return -ENOMEM;
    }
    rpc_streams_init(&health->watches, RPC_HEALTH_WATCHES_MAX, end_locked, finish);
    int error = rpc_health_set(health, "", false);
    if (error != 0) {
        rpc_health_destroy(health);
        return error;
    }
    *ret = health;
    return 0;
}

void rpc_health_destroy(struct rpc_health *health)
{
    if (health == NULL) {
        return;
    }
    rpc_streams_fini(&health->watches);
    for (size_t i = 0; i < health->_shared.service_count; i++) {
        free(health->_shared.services[i].name);
    }
    free(health);
}

int rpc_health_add_to(struct rpc_health *health, struct rpc_server *server)
{
    const struct rpc_method methods[] = {
        {.name = "Check", .kind = RPC_UNARY, .handle = on_check},
        {.name = "List", .kind = RPC_UNARY, .handle = on_list},
        {.name = "Watch", .kind = RPC_SERVER_STREAM, .handle = on_watch},
    };
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        struct rpc_method method = methods[i];
        method.service = &grpc__health__v1__health__descriptor;
        method.data = health;
        method.slots = 4;
        method.reserved = true;
        int error = rpc_server_add(server, &method);
        if (error != 0) {
            return error;
        }
    }
    rpc_streams_end_with(&health->watches, server);
    return 0;
}
