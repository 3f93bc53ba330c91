/* grpc.health.v1: what load balancers and clients ask before they send anything. */
#include "rpc/health.h"

#include "base/clock.h"
#include "loopback.h"

#include <errno.h>
#include <grpc/health/v1/health.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CHECK_METHOD "/grpc.health.v1.Health/Check"
#define LIST_METHOD  "/grpc.health.v1.Health/List"
#define WATCH_METHOD "/grpc.health.v1.Health/Watch"
#define RESPONSE     (&grpc__health__v1__health_check_response__descriptor)

struct ends {
    struct rpc_health *health;
    struct rpc_server *server;
    struct rpc_channel *channel;
    int port;
};

static void open_ends(struct ends *ends)
{
    struct rpc_server_config config = loopback_server_config();
    assert_int_equal(rpc_health_create(&ends->health), 0);
    assert_int_equal(rpc_server_create(&config, &ends->server), 0);
    loopback_add(ends->server, "Say", RPC_UNARY, loopback_echo, NULL);
    assert_int_equal(rpc_health_add_to(ends->health, ends->server), 0);
    assert_int_equal(rpc_server_start(ends->server, &ends->port), 0);
    ends->channel = loopback_connect(ends->port);
}

static void close_ends(struct ends *ends)
{
    rpc_channel_destroy(ends->channel);
    assert_int_equal(loopback_end(ends->server), 0);
    rpc_health_destroy(ends->health);
}

static struct rpc_request health_request(const char *method, const ProtobufCMessage *message,
                                         const ProtobufCMessageDescriptor *reply_type,
                                         struct awaited *awaited)
{
    struct rpc_request request = loopback_request(message, awaited);
    request.full_method = method;
    request.reply_type = reply_type;
    return request;
}

/* The status that Check gives; -1 for NOT_FOUND. */
static int check(struct ends *ends, const char *service)
{
    Grpc__Health__V1__HealthCheckRequest message = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    message.service = (char *)(uintptr_t)service;
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = health_request(CHECK_METHOD, &message.base, RESPONSE, &awaited);
    rpc_channel_call(ends->channel, &request, NULL);
    const struct rpc_reply *reply = awaited_end(&awaited);
    int status = -1;
    if (reply->status.code == RPC_OK) {
        const void *response = reply->message;
        status = (int)((const Grpc__Health__V1__HealthCheckResponse *)response)->status;
    } else {
        assert_int_equal(reply->status.code, RPC_NOT_FOUND);
    }
    awaited_fini(&awaited);
    return status;
}

/* A server that has not said so yet is not serving, and unknown names are not found. */
static void health_check_tells_what_was_set(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    assert_int_equal(check(&ends, ""), 2);
    assert_int_equal(rpc_health_set(ends.health, "", true), 0);
    assert_int_equal(rpc_health_set(ends.health, "echo.v1.Echo", true), 0);
    assert_int_equal(check(&ends, ""), 1);
    assert_int_equal(check(&ends, "echo.v1.Echo"), 1);
    assert_int_equal(check(&ends, "echo.v1.Silence"), -1);
    rpc_health_set_all(ends.health, false);
    assert_int_equal(check(&ends, ""), 2);
    assert_int_equal(check(&ends, "echo.v1.Echo"), 2);
    close_ends(&ends);
}

/* List is a map on the wire: one entry for each name. */
static void health_list_has_every_service(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    assert_int_equal(rpc_health_set(ends.health, "echo.v1.Echo", true), 0);
    Grpc__Health__V1__HealthListRequest message = GRPC__HEALTH__V1__HEALTH_LIST_REQUEST__INIT;
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = health_request(
        LIST_METHOD, &message.base, &grpc__health__v1__health_list_response__descriptor, &awaited);
    rpc_channel_call(ends.channel, &request, NULL);
    const struct rpc_reply *reply = awaited_end(&awaited);
    assert_int_equal(reply->status.code, RPC_OK);
    const void *untyped = reply->message;
    const Grpc__Health__V1__HealthListResponse *list = untyped;
    assert_int_equal(list->n_statuses, 2);
    assert_string_equal(list->statuses[0]->key, "");
    assert_int_equal(list->statuses[0]->value->status, 2);
    assert_string_equal(list->statuses[1]->key, "echo.v1.Echo");
    assert_int_equal(list->statuses[1]->value->status, 1);
    awaited_fini(&awaited);
    close_ends(&ends);
}

/* A typo in a loop must not fill the memory of a server. */
static void health_names_have_a_bound(void **state)
{
    (void)state;
    struct rpc_health *health = NULL;
    assert_int_equal(rpc_health_create(&health), 0);
    for (int i = 0; i < RPC_HEALTH_SERVICES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof(name), "service.%d", i);
        int error = rpc_health_set(health, name, true);
        assert_int_equal(error, i == RPC_HEALTH_SERVICES_MAX - 1 ? -ENOSPC : 0);
    }
    rpc_health_destroy(health);
    rpc_health_destroy(NULL);
}

/* --- Watch ------------------------------------------------------------------------------------ */

struct watcher {
    struct awaited awaited; /* first: awaited_on_done takes it */
    int last;
};

static void on_status(const ProtobufCMessage *message, void *data)
{
    struct watcher *watcher = data;
    const void *response = message;
    pthread_mutex_lock(&watcher->awaited.lock);
    watcher->last = (int)((const Grpc__Health__V1__HealthCheckResponse *)response)->status;
    pthread_mutex_unlock(&watcher->awaited.lock);
    awaited_on_message(message, &watcher->awaited);
}

static struct rpc_client_call *watch(struct ends *ends, const char *service,
                                     struct watcher *watcher)
{
    *watcher = (struct watcher){.last = -1};
    awaited_init(&watcher->awaited);
    Grpc__Health__V1__HealthCheckRequest message = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    message.service = (char *)(uintptr_t)service;
    struct rpc_request request =
        health_request(WATCH_METHOD, &message.base, RESPONSE, &watcher->awaited);
    request.on_message = on_status;
    request.deadline_ns = CLOCK_DEADLINE_NEVER;
    struct rpc_client_call *call = NULL;
    rpc_channel_call(ends->channel, &request, &call);
    return call;
}

static void assert_status(struct watcher *watcher, unsigned count, int status)
{
    awaited_messages(&watcher->awaited, count);
    pthread_mutex_lock(&watcher->awaited.lock);
    assert_int_equal(watcher->awaited.message_count, count);
    assert_int_equal(watcher->last, status);
    pthread_mutex_unlock(&watcher->awaited.lock);
}

/* Clients with healthCheckConfig empty a draining replica by this stream. */
static void health_watch_tells_now_and_every_change(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    struct watcher whole, unknown;
    struct rpc_client_call *whole_call = watch(&ends, "", &whole);
    struct rpc_client_call *unknown_call = watch(&ends, "later", &unknown);
    assert_status(&whole, 1, 2);
    assert_status(&unknown, 1, 3); /* SERVICE_UNKNOWN, and the stream stays */
    assert_int_equal(rpc_health_set(ends.health, "", true), 0);
    assert_status(&whole, 2, 1);
    assert_int_equal(rpc_health_set(ends.health, "", true), 0); /* no change, no message */
    assert_int_equal(rpc_health_set(ends.health, "later", true), 0);
    assert_status(&unknown, 2, 1);
    rpc_health_set_all(ends.health, false);
    assert_status(&whole, 3, 2);
    assert_status(&unknown, 3, 2);
    rpc_client_call_cancel(whole_call);
    assert_int_equal(awaited_end(&whole.awaited)->status.code, RPC_CANCELLED);
    rpc_client_call_unref(whole_call);
    rpc_client_call_unref(unknown_call);
    close_ends(&ends); /* ends the other one */
    assert_int_equal(awaited_end(&unknown.awaited)->status.code, RPC_CANCELLED);
    awaited_fini(&whole.awaited);
    awaited_fini(&unknown.awaited);
}

/* Watches last for days; a stop that waited for them would always take its whole time. */
static void health_watch_does_not_hold_up_a_stop(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    struct watcher watcher;
    struct rpc_client_call *call = watch(&ends, "", &watcher);
    assert_status(&watcher, 1, 2);
    int64_t start_ns = clock_monotonic_ns();
    assert_int_equal(rpc_server_stop(ends.server, clock_deadline_in_ms(LOOPBACK_WAIT_MS)), 0);
    assert_true(clock_monotonic_ns() - start_ns < LOOPBACK_WAIT_MS / 2 * CLOCK_NS_PER_MS);
    assert_int_equal(awaited_end(&watcher.awaited)->status.code, RPC_UNAVAILABLE);
    rpc_client_call_unref(call);
    rpc_channel_destroy(ends.channel);
    rpc_server_destroy(ends.server);
    rpc_health_destroy(ends.health);
    awaited_fini(&watcher.awaited);
}

/* Watchers that come and go while the status flips: each ends exactly once. */
static void health_watches_cancelled_while_the_status_flips_all_end(void **state)
{
    (void)state;
    enum { ROUNDS = 50, WATCHERS = 8 };
    struct ends ends;
    open_ends(&ends);
    for (int round = 0; round < ROUNDS; round++) {
        struct watcher watchers[WATCHERS];
        struct rpc_client_call *calls[WATCHERS];
        for (int i = 0; i < WATCHERS; i++) {
            calls[i] = watch(&ends, "", &watchers[i]);
        }
        for (int i = 0; i < WATCHERS; i++) {
            rpc_health_set_all(ends.health, i % 2 == 0);
            rpc_client_call_cancel(calls[i]);
        }
        for (int i = 0; i < WATCHERS; i++) {
            assert_int_equal(awaited_end(&watchers[i].awaited)->status.code, RPC_CANCELLED);
            rpc_client_call_unref(calls[i]);
            awaited_fini(&watchers[i].awaited);
        }
    }
    close_ends(&ends);
}

/* The client of the C core reads Watch by itself: a replica that drains gets no more calls. */
static void health_checking_client_leaves_a_server_that_is_not_serving(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", ends.port);
    struct rpc_channel_config config = {
        .target = target,
        .message_bytes_max = 65536,
        .reply_arena_bytes_max = 65536,
        .service_config_json = "{\"loadBalancingConfig\":[{\"round_robin\":{}}],"
                               "\"healthCheckConfig\":{\"serviceName\":\"echo.v1.Echo\"}}"};
    struct rpc_channel *checking = NULL;
    assert_int_equal(rpc_health_set(ends.health, "echo.v1.Echo", true), 0);
    assert_int_equal(rpc_channel_create(&config, &checking), 0);
    WAIT_UNTIL(rpc_channel_is_ready(checking));
    assert_int_equal(rpc_health_set(ends.health, "echo.v1.Echo", false), 0);
    WAIT_UNTIL(!rpc_channel_is_ready(checking));
    assert_int_equal(rpc_health_set(ends.health, "echo.v1.Echo", true), 0);
    WAIT_UNTIL(rpc_channel_is_ready(checking));
    rpc_channel_destroy(checking);
    close_ends(&ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_check_tells_what_was_set),
        cmocka_unit_test(health_list_has_every_service),
        cmocka_unit_test(health_names_have_a_bound),
        cmocka_unit_test(health_watch_tells_now_and_every_change),
        cmocka_unit_test(health_watch_does_not_hold_up_a_stop),
        cmocka_unit_test(health_watches_cancelled_while_the_status_flips_all_end),
        cmocka_unit_test(health_checking_client_leaves_a_server_that_is_not_serving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
