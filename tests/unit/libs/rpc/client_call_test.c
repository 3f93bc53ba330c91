/* A call of the client: it completes exactly once, whatever happens to it. */
#include "base/clock.h"
#include "loopback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Nobody listens there: the port was free a moment ago and is bound by nobody. */
static int dead_port(void)
{
    struct rpc_server_config config = loopback_server_config();
    int port = 0;
    struct rpc_server *server = loopback_serve(&config, loopback_echo, NULL, &port);
    loopback_end(server);
    return port;
}

/* Failing fast is what lets an edge answer 503 while no server is there. */
static void client_call_without_server_fails_fast_or_waits_as_asked(void **state)
{
    (void)state;
    struct rpc_channel *channel = loopback_connect(dead_port());
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = loopback_request(&note.base, &awaited);
    request.wait_for_ready = false;
    rpc_channel_call(channel, &request, NULL);
    assert_int_equal(awaited_end(&awaited)->status.code, RPC_UNAVAILABLE);
    assert_null(awaited.reply->status.reason);
    awaited_fini(&awaited);

    awaited_init(&awaited);
    request = loopback_request(&note.base, &awaited);
    request.deadline_ns = clock_deadline_in_ms(200);
    rpc_channel_call(channel, &request, NULL);
    assert_int_equal(awaited_end(&awaited)->status.code, RPC_DEADLINE_EXCEEDED);
    assert_true(clock_monotonic_ns() >= request.deadline_ns - 50 * CLOCK_NS_PER_MS);
    awaited_fini(&awaited);
    rpc_channel_destroy(channel);
}

/* Metadata may come from outside, so what gRPC forbids is an answer and not an assertion. */
static void client_call_with_illegal_metadata_is_invalid_argument(void **state)
{
    (void)state;
    struct rpc_channel *channel = loopback_connect(dead_port());
    const struct rpc_metadata illegal[] = {
        {.key = "x-request-id", .value = "a\nb", .value_length = 3},
        {.key = "Upper-Case", .value = "x", .value_length = 1},
    };
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    for (size_t i = 0; i < COUNT_OF(illegal); i++) {
        struct awaited awaited;
        awaited_init(&awaited);
        struct rpc_request request = loopback_request(&note.base, &awaited);
        request.metadata = &illegal[i];
        request.metadata_count = 1;
        rpc_channel_call(channel, &request, NULL);
        assert_int_equal(awaited_end(&awaited)->status.code, RPC_INVALID_ARGUMENT);
        awaited_fini(&awaited);
    }
    rpc_channel_destroy(channel);
}

static void answer_with_raw(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    (void)request;
    rpc_call_finish(call, data);
}

/* A broken server must not crash its clients; it proves nothing about what it did either. */
static void client_call_with_unreadable_reply_is_internal(void **state)
{
    (void)state;
    uint8_t broken[] = {0xff};
    Echo__V1__RawNote raw = ECHO__V1__RAW_NOTE__INIT;
    raw.text = (ProtobufCBinaryData){.len = sizeof(broken), .data = broken};
    struct rpc_server_config config = loopback_server_config();
    int port = 0;
    struct rpc_server *server = loopback_serve(&config, answer_with_raw, &raw, &port);
    struct rpc_channel *channel = loopback_connect(port);
    struct rpc_reply *reply = loopback_say(channel, "x");
    assert_int_equal(reply->status.code, RPC_INTERNAL);
    assert_null(reply->status.reason);
    assert_null(reply->message);
    rpc_reply_free(reply);
    rpc_channel_destroy(channel);
    loopback_end(server);
}

/* A reply that grows in memory is stopped by its arena, and only that call fails. */
static void client_call_with_reply_over_the_arena_is_resource_exhausted(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    int port = 0;
    struct rpc_server *server = loopback_serve(&config, loopback_echo, NULL, &port);
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    struct rpc_channel_config channel_config = {
        .target = target, .message_bytes_max = 64 * 1024, .reply_arena_bytes_max = 512};
    struct rpc_channel *channel = NULL;
    assert_int_equal(rpc_channel_create(&channel_config, &channel), 0);
    static char text[2001];
    memset(text, 'x', sizeof(text) - 1);
    struct rpc_reply *reply = loopback_say(channel, text);
    assert_int_equal(reply->status.code, RPC_RESOURCE_EXHAUSTED);
    assert_null(reply->status.reason);
    rpc_reply_free(reply);
    reply = loopback_say(channel, "short");
    assert_int_equal(reply->status.code, RPC_OK);
    rpc_reply_free(reply);
    rpc_channel_destroy(channel);
    loopback_end(server);
}

/* A holder of a call may keep its pointer longer than the channel lives; cancelling is then idle.
 */
static void client_call_cancelled_after_its_end_or_its_channels_is_harmless(void **state)
{
    (void)state;
    struct rpc_channel *channel = loopback_connect(dead_port());
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = loopback_request(&note.base, &awaited);
    struct rpc_client_call *call = NULL;
    rpc_channel_call(channel, &request, &call);
    assert_int_equal(rpc_channel_calls_in_flight(channel), 1);
    rpc_client_call_cancel(call);
    assert_int_equal(awaited_end(&awaited)->status.code, RPC_CANCELLED);
    assert_int_equal(rpc_channel_calls_in_flight(channel), 0);
    rpc_client_call_cancel(call);
    rpc_channel_destroy(channel);
    rpc_client_call_cancel(call);
    rpc_client_call_unref(call);
    awaited_fini(&awaited);
}

/* A reply outlives its channel: it may be on its way to another thread. */
static void client_call_reply_outlives_the_channel(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    int port = 0;
    struct rpc_server *server = loopback_serve(&config, loopback_echo, NULL, &port);
    struct rpc_channel *channel = loopback_connect(port);
    struct rpc_reply *reply = loopback_say(channel, "kept");
    rpc_channel_destroy(channel);
    loopback_end(server);
    const void *note = reply->message;
    assert_string_equal(((const Echo__V1__Note *)note)->text, "kept");
    rpc_reply_free(reply);
    rpc_reply_free(NULL);
}

/* --- Many at once ----------------------------------------------------------------------------- */

enum { CALLS = 20000, WINDOW = 256 };

struct crowd {
    struct awaited finished; /* when the last call has completed */
    struct rpc_channel *channel;
    Echo__V1__Note note;
    atomic_uint started, completed, failed;
};

static void start_one(struct crowd *crowd);

static void on_one_done(struct rpc_reply *reply, void *data)
{
    struct crowd *crowd = data;
    atomic_fetch_add(&crowd->failed, reply->status.code != RPC_OK);
    rpc_reply_free(reply);
    start_one(crowd);
    if (atomic_fetch_add(&crowd->completed, 1) + 1 == CALLS) {
        awaited_on_done(NULL, &crowd->finished);
    }
}

static void start_one(struct crowd *crowd)
{
    if (atomic_fetch_add(&crowd->started, 1) >= CALLS) {
        return;
    }
    struct rpc_request request = loopback_request(&crowd->note.base, NULL);
    request.on_done = on_one_done;
    request.data = crowd;
    rpc_channel_call(crowd->channel, &request, NULL);
}

/* Every call completes exactly once with its slot armed anew, far beyond the number of slots. */
static void client_call_twenty_thousand_all_complete(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    config.calls_max = WINDOW;
    int port = 0;
    struct rpc_server *server = loopback_serve(&config, loopback_echo, NULL, &port);
    static struct crowd crowd;
    awaited_init(&crowd.finished);
    crowd.channel = loopback_connect(port);
    echo__v1__note__init(&crowd.note);
    crowd.note.text = (char *)(uintptr_t) "one of many";
    WAIT_UNTIL(rpc_channel_is_ready(crowd.channel));
    int64_t start_ns = clock_monotonic_ns();
    for (int i = 0; i < WINDOW; i++) {
        start_one(&crowd);
    }
    unsigned before;
    do { /* as long as it goes on */
        before = atomic_load(&crowd.completed);
        WAIT_UNTIL(atomic_load(&crowd.completed) == CALLS ||
                   atomic_load(&crowd.completed) > before + WINDOW);
    } while (atomic_load(&crowd.completed) < CALLS);
    double seconds = (double)(clock_monotonic_ns() - start_ns) / (double)CLOCK_NS_PER_SECOND;
    print_message("%d calls, %d in flight: %.0f calls/s\n", CALLS, WINDOW, CALLS / seconds);
    awaited_end(&crowd.finished);
    assert_int_equal(atomic_load(&crowd.failed), 0);
    rpc_channel_destroy(crowd.channel);
    loopback_end(server);
    awaited_fini(&crowd.finished);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_call_without_server_fails_fast_or_waits_as_asked),
        cmocka_unit_test(client_call_with_illegal_metadata_is_invalid_argument),
        cmocka_unit_test(client_call_with_unreadable_reply_is_internal),
        cmocka_unit_test(client_call_with_reply_over_the_arena_is_resource_exhausted),
        cmocka_unit_test(client_call_cancelled_after_its_end_or_its_channels_is_harmless),
        cmocka_unit_test(client_call_reply_outlives_the_channel),
        cmocka_unit_test(client_call_twenty_thousand_all_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
