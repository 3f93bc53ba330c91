/*
 * A watch lives in its call's arena and is in one of three states, all under one lock:
 *
 *   IDLE ──status changed──▶ SENDING ──sent──▶ IDLE, or SENDING again if it changed meanwhile
 *    │                          │
 *    └──caller gone, or stop────┴──caller gone, or stopped meanwhile──▶ ENDED
 *
 * Being IDLE or SENDING is being on the list. on_cancel ends an IDLE watch only: a SENDING one
 * hears from on_sent that the caller has gone. So exactly one of them finishes the call.
 */
#include "rpc/health.h"

#include "base/arena.h"
#include "base/list.h"
#include "rpc/server.h"

#include <errno.h>
#include <grpc/health/v1/health.pb-c.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What protoc-c calls it is too long to read. */
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;
#define SERVING         GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

#define NEVER_SENT GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__UNKNOWN

enum watch_state { WATCH_IDLE, WATCH_SENDING, WATCH_ENDED };

struct watch {
    struct list_link link;
    struct rpc_health *health;
    struct rpc_call *call;
    const char *service; /* in the request */
    serving_status last_sent;
    enum watch_state state;
};

struct service {
    char *name;
    bool serving;
};

struct rpc_health {
    struct {
        pthread_mutex_t lock;
        struct service services[RPC_HEALTH_SERVICES_MAX];
        size_t service_count;
        struct list watches;
        bool stopped; /* the server is stopping: no watch goes on */
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
    pthread_mutex_lock(&health->_shared.lock);
    serving_status status = status_of(find_locked(health, request->service));
    pthread_mutex_unlock(&health->_shared.lock);
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
    pthread_mutex_lock(&health->_shared.lock);
    for (size_t i = 0; i < health->_shared.service_count; i++) {
        const struct service *service = &health->_shared.services[i];
        grpc__health__v1__health_list_response__statuses_entry__init(&entries[i]);
        grpc__health__v1__health_check_response__init(&values[i]);
        entries[i].key = service->name; /* names are never removed */
        entries[i].value = &values[i];
        values[i].status = status_of(service);
        pointers[reply.n_statuses++] = &entries[i];
    }
    pthread_mutex_unlock(&health->_shared.lock);
    rpc_call_finish(call, &reply.base);
}

/* --- Watch ------------------------------------------------------------------------------------ */

static void on_watch_sent(struct rpc_call *call, bool cancelled, void *data);

/* Takes a watch off the list; the caller finishes its call. */
static void end_locked(struct watch *watch)
{
    list_remove(&watch->health->_shared.watches, &watch->link);
    watch->state = WATCH_ENDED;
}

/* Sends the present status if it is news to an idle watch. */
static void update_locked(struct watch *watch)
{
    serving_status status = status_of(find_locked(watch->health, watch->service));
    if (watch->state != WATCH_IDLE || status == watch->last_sent) {
        return;
    }
    watch->state = WATCH_SENDING;
    watch->last_sent = status;
    Grpc__Health__V1__HealthCheckResponse news = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    news.status = status;
    rpc_call_send(watch->call, &news.base, on_watch_sent, watch);
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
    pthread_mutex_lock(&health->_shared.lock);
    bool ends = cancelled || health->_shared.stopped;
    watch->state = WATCH_IDLE;
    if (ends) {
        end_locked(watch);
    } else {
        update_locked(watch);
    }
    pthread_mutex_unlock(&health->_shared.lock);
    if (ends) {
        finish_stopped(call);
    }
}

static void on_watch_cancelled(struct rpc_call *call, bool cancelled, void *data)
{
    (void)cancelled;
    struct watch *watch = data;
    struct rpc_health *health = watch->health;
    pthread_mutex_lock(&health->_shared.lock);
    bool ends = watch->state == WATCH_IDLE;
    if (ends) {
        end_locked(watch);
    }
    pthread_mutex_unlock(&health->_shared.lock);
    if (ends) {
        finish_stopped(call);
    }
}

/* Puts a watch on the list and sends the first status. */
static enum rpc_code enter_locked(struct rpc_health *health, struct watch *watch)
{
    if (health->_shared.stopped) {
        return RPC_UNAVAILABLE;
    }
    if (health->_shared.watches.count == RPC_HEALTH_WATCHES_MAX) {
        return RPC_RESOURCE_EXHAUSTED;
    }
    list_push_back(&health->_shared.watches, &watch->link);
    rpc_call_on_cancel(watch->call, on_watch_cancelled, watch);
    update_locked(watch);
    return RPC_OK;
}

static void on_watch(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    struct rpc_health *health = data;
    const Grpc__Health__V1__HealthCheckRequest *request = (const void *)message;
    struct watch *watch = arena_calloc(rpc_call_arena(call), 1, sizeof(*watch));
    enum rpc_code code = RPC_RESOURCE_EXHAUSTED;
    if (watch != NULL) {
        *watch = (struct watch){.health = health,
                                .call = call,
                                .service = request->service,
                                .last_sent = NEVER_SENT,
                                .state = WATCH_IDLE};
        pthread_mutex_lock(&health->_shared.lock);
        code = enter_locked(health, watch);
        pthread_mutex_unlock(&health->_shared.lock);
    }
    if (code != RPC_OK) {
        rpc_call_fail(call, &(struct rpc_status){.code = code, .message = "no more watches"});
    }
}

/* The server is stopping: ends what is idle; what is being sent ends when it has been. */
static void on_server_stop(void *data)
{
    struct rpc_health *health = data;
    pthread_mutex_lock(&health->_shared.lock);
    health->_shared.stopped = true;
    LIST_FOREACH_SAFE (&health->_shared.watches, link, following) {
        struct watch *watch = LIST_OBJECT(link, struct watch, link);
        if (watch->state == WATCH_IDLE) {
            end_locked(watch);
            finish_stopped(watch->call);
        }
    }
    pthread_mutex_unlock(&health->_shared.lock);
}

/* --- The table -------------------------------------------------------------------------------- */

static void update_all_locked(struct rpc_health *health)
{
    LIST_FOREACH_SAFE (&health->_shared.watches, link, following) {
        update_locked(LIST_OBJECT(link, struct watch, link));
    }
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
    pthread_mutex_lock(&health->_shared.lock);
    int error = set_locked(health, service, serving);
    pthread_mutex_unlock(&health->_shared.lock);
    return error;
}

void rpc_health_set_all(struct rpc_health *health, bool serving)
{
    pthread_mutex_lock(&health->_shared.lock);
    for (size_t i = 0; i < health->_shared.service_count; i++) {
        health->_shared.services[i].serving = serving;
    }
    update_all_locked(health);
    pthread_mutex_unlock(&health->_shared.lock);
}

int rpc_health_create(struct rpc_health **ret)
{
    struct rpc_health *health = calloc(1, sizeof(*health));
    if (health == NULL) {
        return -ENOMEM;
    }
    CHECK(pthread_mutex_init(&health->_shared.lock, NULL) == 0);
    list_init(&health->_shared.watches);
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
    CHECK(list_is_empty(&health->_shared.watches));
    for (size_t i = 0; i < health->_shared.service_count; i++) {
        free(health->_shared.services[i].name);
    }
    pthread_mutex_destroy(&health->_shared.lock);
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
    rpc_server_on_stop(server, on_server_stop, health);
    return 0;
}
