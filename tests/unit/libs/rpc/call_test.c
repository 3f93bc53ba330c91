/* A call on the server between its handler and its end: time, cancelling, details, streams. */
#include "base/arena.h"
#include "base/clock.h"
#include "loopback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Say, Repeat and Chat, with handlers of the test's choice and the holder as their data. */
struct ends {
    struct holder holder;
    struct rpc_server *server;
    struct rpc_channel *channel;
};

static void open_ends(struct ends *ends, const char *name, enum rpc_method_kind kind,
                      rpc_handler_fn handle)
{
    holder_init(&ends->holder);
    struct rpc_server_config config = loopback_server_config();
    assert_int_equal(rpc_server_create(&config, &ends->server), 0);
    loopback_add(ends->server, name, kind, handle, &ends->holder);
    int port = 0;
    assert_int_equal(rpc_server_start(ends->server, &port), 0);
    ends->channel = loopback_connect(port);
}

static void close_ends(struct ends *ends)
{
    rpc_channel_destroy(ends->channel);
    assert_int_equal(loopback_end(ends->server), 0);
    holder_fini(&ends->holder);
}

/* --- Time and cancelling ---------------------------------------------------------------------- */

/* Lanes drop orders by this number: it must be the caller's deadline on our own clock. */
static void call_deadline_is_the_callers_on_the_monotonic_clock(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends, "Say", RPC_UNARY, holder_hold);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = loopback_request(&note.base, &awaited);
    int64_t sent_ns = clock_monotonic_ns();
    rpc_channel_call(ends.channel, &request, NULL);
    struct rpc_call *call = holder_take(&ends.holder);
    /* What travels is the time that is left, so the way takes none of it; and it is rounded, the
     * more the longer it is. */
    int64_t way_ns = clock_monotonic_ns() - sent_ns;
    int64_t slack_ns = CLOCK_NS_PER_SECOND + LOOPBACK_CALL_MS / 50 * CLOCK_NS_PER_MS;
    int64_t error_ns = rpc_call_deadline_ns(call) - request.deadline_ns;
    assert_in_range(error_ns + slack_ns, 0, way_ns + 2 * slack_ns);
    assert_true(rpc_call_arrived_ns(call) <= clock_monotonic_ns());
    assert_string_equal(rpc_call_method(call), SAY);
    assert_false(rpc_call_is_cancelled(call));
    rpc_call_finish(call, &note.base);
    awaited_end(&awaited);
    awaited_fini(&awaited);

    awaited_init(&awaited);
    request.deadline_ns = CLOCK_DEADLINE_NEVER;
    rpc_channel_call(ends.channel, &request, NULL);
    call = holder_take(&ends.holder);
    assert_true(rpc_call_deadline_ns(call) == CLOCK_DEADLINE_NEVER);
    rpc_call_finish(call, &note.base);
    awaited_end(&awaited);
    awaited_fini(&awaited);
    close_ends(&ends);
}

/* The caller hears its deadline on time, and the holder may take as long as it needs. */
static void call_held_past_its_deadline_may_finish_late(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends, "Say", RPC_UNARY, holder_hold);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = loopback_request(&note.base, &awaited);
    WAIT_UNTIL(rpc_channel_is_ready(ends.channel));
    struct rpc_call *call = NULL;
    for (int64_t ms = 300; call == NULL; ms *= 4) { /* enough for it to arrive in time */
        assert_true(ms < LOOPBACK_WAIT_MS);
        awaited_fini(&awaited);
        awaited_init(&awaited);
        request.deadline_ns = clock_deadline_in_ms(ms);
        rpc_channel_call(ends.channel, &request, NULL);
        while ((call = holder_try(&ends.holder)) == NULL &&
               clock_monotonic_ns() < request.deadline_ns) {
            loopback_sleep_ms(1);
        }
        if (call == NULL) {
            awaited_end(&awaited);
            call = holder_try(&ends.holder);
        }
    }
    rpc_call_on_cancel(call, holder_on_cancel, &ends.holder);
    assert_int_equal(awaited_end(&awaited)->status.code, RPC_DEADLINE_EXCEEDED);
    assert_null(awaited.reply->status.reason);
    holder_cancelled(&ends.holder, 1);
    assert_true(rpc_call_is_cancelled(call));
    assert_int_equal(rpc_server_calls_in_flight(ends.server), 1);
    loopback_sleep_ms(50);
    rpc_call_finish(call, &note.base);
    assert_int_equal(rpc_server_calls_in_flight(ends.server), 0);
    awaited_fini(&awaited);
    close_ends(&ends);
}

/* Told once whether it asks before or after, so that a holder can let go exactly once. */
static void call_cancelled_by_its_caller_tells_the_holder_once(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends, "Say", RPC_UNARY, holder_hold);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    for (unsigned round = 1; round <= 2; round++) {
        struct awaited awaited;
        awaited_init(&awaited);
        struct rpc_client_call *client_call = NULL;
        struct rpc_request request = loopback_request(&note.base, &awaited);
        rpc_channel_call(ends.channel, &request, &client_call);
        struct rpc_call *call = holder_take(&ends.holder);
        if (round == 1) {
            rpc_call_on_cancel(call, holder_on_cancel, &ends.holder);
        }
        rpc_client_call_cancel(client_call);
        assert_int_equal(awaited_end(&awaited)->status.code, RPC_CANCELLED);
        WAIT_UNTIL(rpc_call_is_cancelled(call));
        if (round == 2) {
            rpc_call_on_cancel(call, holder_on_cancel, &ends.holder);
        }
        holder_cancelled(&ends.holder, round);
        rpc_call_fail(call, &(struct rpc_status){.code = RPC_CANCELLED});
        rpc_client_call_unref(client_call);
        awaited_fini(&awaited);
    }
    close_ends(&ends);
    assert_int_equal(ends.holder.cancel_count, 2);
}

/* --- Details ---------------------------------------------------------------------------------- */

/* A program on the other side acts on reason, delay and violations; all must arrive. */
static void call_failed_with_details_arrives_complete(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends, "Say", RPC_UNARY, holder_hold);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = loopback_request(&note.base, &awaited);
    rpc_channel_call(ends.channel, &request, NULL);
    const struct rpc_violation violations[] = {
        {.field = "text", .description = "is 1 to 200 characters"},
        {.field = "inner.count", .description = "is not negative"},
    };
    rpc_call_fail(holder_take(&ends.holder),
                  &(struct rpc_status){.code = RPC_INVALID_ARGUMENT,
                                       .message = "50 % of it is wr\xc3\xb6ng",
                                       .reason = "INVALID_FIELD",
                                       .retry_after_ms = 1500,
                                       .violations = violations,
                                       .violation_count = COUNT_OF(violations)});
    const struct rpc_status *status = &awaited_end(&awaited)->status;
    assert_int_equal(status->code, RPC_INVALID_ARGUMENT);
    assert_string_equal(status->message, "50 % of it is wr\xc3\xb6ng");
    assert_string_equal(status->reason, "INVALID_FIELD");
    assert_string_equal(status->domain, "echo.example");
    assert_int_equal(status->retry_after_ms, 1500);
    assert_int_equal(status->violation_count, 2);
    assert_string_equal(status->violations[1].field, "inner.count");
    assert_string_equal(status->violations[1].description, "is not negative");
    awaited_fini(&awaited);
    close_ends(&ends);
}

/* gRPC turns too much metadata into another error; ours is cut so that the real one arrives. */
static void call_failed_with_oversize_details_still_says_why(void **state)
{
    (void)state;
    static char long_text[6000];
    for (size_t i = 0; i + 2 < sizeof(long_text); i += 2) {
        memcpy(long_text + i, "\xc3\xbc", 2); /* three bytes each on the wire, percent-encoded */
    }
    struct rpc_violation violations[RPC_VIOLATIONS_MAX + 4];
    for (size_t i = 0; i < COUNT_OF(violations); i++) {
        violations[i] = (struct rpc_violation){.field = "text", .description = long_text + 5400};
    }
    struct ends ends;
    open_ends(&ends, "Say", RPC_UNARY, holder_hold);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = loopback_request(&note.base, &awaited);
    rpc_channel_call(ends.channel, &request, NULL);
    rpc_call_fail(holder_take(&ends.holder),
                  &(struct rpc_status){.code = RPC_FAILED_PRECONDITION,
                                       .message = long_text,
                                       .reason = "SOLD_OUT",
                                       .retry_after_ms = 1,
                                       .violations = violations,
                                       .violation_count = COUNT_OF(violations)});
    const struct rpc_status *status = &awaited_end(&awaited)->status;
    assert_int_equal(status->code, RPC_FAILED_PRECONDITION);
    assert_string_equal(status->reason, "SOLD_OUT");
    assert_int_equal(status->retry_after_ms, 1);
    assert_int_equal(strlen(status->message), RPC_STATUS_MESSAGE_BYTES_MAX);
    assert_in_range(status->violation_count, 1, RPC_VIOLATIONS_MAX - 1);
    awaited_fini(&awaited);
    close_ends(&ends);
}

/* --- Server streams --------------------------------------------------------------------------- */

struct repeat {
    Echo__V1__Note note;
    int sent;
};

static void send_next(struct rpc_call *call, bool cancelled, void *data)
{
    struct repeat *repeat = data;
    if (cancelled) {
        rpc_call_fail(call, &(struct rpc_status){.code = RPC_CANCELLED});
    } else if (repeat->sent == repeat->note.count) {
        rpc_call_finish(call, NULL);
    } else {
        repeat->sent++;
        rpc_call_send(call, &repeat->note.base, send_next, repeat);
    }
}

static void on_repeat(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    (void)data;
    struct repeat *repeat = arena_calloc(rpc_call_arena(call), 1, sizeof(*repeat));
    CHECK(repeat != NULL);
    memcpy(&repeat->note, request, sizeof(repeat->note));
    send_next(call, false, repeat);
}

static struct rpc_request stream_request(const ProtobufCMessage *message, const char *method,
                                         struct awaited *awaited)
{
    struct rpc_request request = loopback_request(message, awaited);
    request.full_method = method;
    request.on_message = awaited_on_message;
    return request;
}

/* Every message arrives, then OK, and nothing after it; also for a stream of none. */
static void call_stream_delivers_every_message_then_ok(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends, "Repeat", RPC_SERVER_STREAM, on_repeat);
    for (int count = 0; count <= 1000; count += 500) {
        Echo__V1__Note note = ECHO__V1__NOTE__INIT;
        note.text = (char *)(uintptr_t) "again";
        note.count = count;
        struct awaited awaited;
        awaited_init(&awaited);
        struct rpc_request request = stream_request(&note.base, REPEAT, &awaited);
        rpc_channel_call(ends.channel, &request, NULL);
        assert_int_equal(awaited_end(&awaited)->status.code, RPC_OK);
        assert_int_equal(awaited.message_count, count);
        assert_null(awaited.reply->message);
        awaited_fini(&awaited);
    }
    close_ends(&ends);
}

/* A reader that blocks its channel's thread until it is let go. */
struct slow_reader {
    struct awaited awaited; /* first: awaited_on_done takes it */
    pthread_mutex_t gate;
};

static void read_slowly(const ProtobufCMessage *message, void *data)
{
    struct slow_reader *reader = data;
    awaited_on_message(message, &reader->awaited);
    pthread_mutex_lock(&reader->gate);
    pthread_mutex_unlock(&reader->gate);
}

struct flood {
    struct holder *holder;
    Echo__V1__Note note;
    uint8_t bytes[32 * 1024];
};

static atomic_uint flood_sent;

static void send_flood(struct rpc_call *call, bool cancelled, void *data)
{
    struct flood *flood = data;
    if (cancelled) {
        rpc_call_fail(call, &(struct rpc_status){.code = RPC_CANCELLED});
        holder_on_cancel(NULL, true, flood->holder);
        return;
    }
    atomic_fetch_add(&flood_sent, 1);
    rpc_call_send(call, &flood->note.base, send_flood, flood);
}

static void on_flood(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    (void)request;
    struct flood *flood = arena_calloc(rpc_call_arena(call), 1, sizeof(*flood));
    CHECK(flood != NULL);
    flood->holder = data;
    echo__v1__note__init(&flood->note);
    flood->note.blob.data = flood->bytes;
    flood->note.blob.len = sizeof(flood->bytes);
    send_flood(call, false, flood);
}

/*
 * A reader that stops reading stops the writer, else one slow watcher would fill the server's
 * memory; and when the reader goes away the writer hears it from its pending send.
 */
static void call_stream_waits_for_a_slow_reader_and_ends_when_it_leaves(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends, "Repeat", RPC_SERVER_STREAM, on_flood);
    atomic_store(&flood_sent, 0);
    struct slow_reader reader;
    awaited_init(&reader.awaited);
    pthread_mutex_init(&reader.gate, NULL);
    pthread_mutex_lock(&reader.gate);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct rpc_request request = stream_request(&note.base, REPEAT, &reader.awaited);
    request.on_message = read_slowly;
    struct rpc_client_call *client_call = NULL;
    rpc_channel_call(ends.channel, &request, &client_call);
    awaited_messages(&reader.awaited, 1);
    unsigned sent, before = 0;
    while ((sent = atomic_load(&flood_sent)) != before) {
        before = sent;
        loopback_sleep_ms(300);
    }
    print_message("a reader that stopped: %u messages of 32 KiB were on their way\n", sent);
    assert_true(sent < 1024);
    rpc_client_call_cancel(client_call);
    pthread_mutex_unlock(&reader.gate);
    assert_int_equal(awaited_end(&reader.awaited)->status.code, RPC_CANCELLED);
    holder_cancelled(&ends.holder, 1);
    rpc_client_call_unref(client_call);
    awaited_fini(&reader.awaited);
    pthread_mutex_destroy(&reader.gate);
    close_ends(&ends);
}

/* A Watch without news learns that its reader has gone, or it would be kept for ever. */
static void call_idle_stream_is_told_when_its_reader_leaves(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends, "Repeat", RPC_SERVER_STREAM, holder_hold);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = stream_request(&note.base, REPEAT, &awaited);
    struct rpc_client_call *client_call = NULL;
    rpc_channel_call(ends.channel, &request, &client_call);
    struct rpc_call *call = holder_take(&ends.holder);
    rpc_call_on_cancel(call, holder_on_cancel, &ends.holder);
    rpc_call_send(call, &note.base, holder_on_cancel, &ends.holder);
    awaited_messages(&awaited, 1);
    rpc_client_call_cancel(client_call);
    holder_cancelled(&ends.holder, 1);
    rpc_call_send(call, &note.base, holder_on_cancel, &ends.holder);
    holder_cancelled(&ends.holder, 2); /* a send is always answered, also on a dead call */
    rpc_call_fail(call, &(struct rpc_status){.code = RPC_CANCELLED});
    awaited_end(&awaited);
    rpc_client_call_unref(client_call);
    awaited_fini(&awaited);
    close_ends(&ends);
    assert_int_equal(ends.holder.cancel_count, 2);
}

/* A stream may end before its last message has left: the message goes first. */
static void call_stream_finished_while_sending_sends_first(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends, "Repeat", RPC_SERVER_STREAM, holder_hold);
    for (int i = 0; i < 200; i++) {
        Echo__V1__Note note = ECHO__V1__NOTE__INIT;
        struct awaited awaited;
        awaited_init(&awaited);
        struct rpc_request request = stream_request(&note.base, REPEAT, &awaited);
        rpc_channel_call(ends.channel, &request, NULL);
        struct rpc_call *call = holder_take(&ends.holder);
        rpc_call_send(call, &note.base, holder_on_cancel, &ends.holder);
        rpc_call_fail(call, &(struct rpc_status){.code = RPC_ABORTED, .reason = "ENOUGH"});
        const struct rpc_reply *reply = awaited_end(&awaited);
        assert_int_equal(reply->status.code, RPC_ABORTED);
        assert_string_equal(reply->status.reason, "ENOUGH");
        assert_int_equal(awaited.message_count, 1);
        awaited_fini(&awaited);
    }
    close_ends(&ends);
}

/* --- Both directions -------------------------------------------------------------------------- */

static void read_on(struct rpc_call *call, bool cancelled, void *data)
{
    (void)cancelled;
    (void)data;
    rpc_call_receive(call);
}

/* Echoes every note; the end of the caller's notes is the end of the call. */
static void on_chat(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    if (request != NULL) {
        rpc_call_send(call, request, read_on, data);
    } else if (rpc_call_is_cancelled(call)) {
        rpc_call_fail(call, &(struct rpc_status){.code = RPC_CANCELLED});
    } else {
        rpc_call_finish(call, NULL);
    }
}

/* Reflection is such a stream; our client sends one message, then ends its side. */
static void call_chat_answers_each_message_and_ends_with_its_caller(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends, "Chat", RPC_BIDI_STREAM, on_chat);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    note.text = (char *)(uintptr_t) "hello";
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = stream_request(&note.base, CHAT, &awaited);
    rpc_channel_call(ends.channel, &request, NULL);
    assert_int_equal(awaited_end(&awaited)->status.code, RPC_OK);
    assert_int_equal(awaited.message_count, 1);
    awaited_fini(&awaited);
    close_ends(&ends);
}

/* What cannot be read ends a chat with the reason, and the handler still gets to let go. */
static void call_chat_with_an_unreadable_message_is_invalid_argument(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends, "Chat", RPC_BIDI_STREAM, on_chat);
    uint8_t broken[] = {0xff};
    Echo__V1__RawNote raw = ECHO__V1__RAW_NOTE__INIT;
    raw.text = (ProtobufCBinaryData){.len = sizeof(broken), .data = broken};
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = stream_request(&raw.base, CHAT, &awaited);
    rpc_channel_call(ends.channel, &request, NULL);
    assert_int_equal(awaited_end(&awaited)->status.code, RPC_INVALID_ARGUMENT);
    awaited_fini(&awaited);
    close_ends(&ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_deadline_is_the_callers_on_the_monotonic_clock),
        cmocka_unit_test(call_held_past_its_deadline_may_finish_late),
        cmocka_unit_test(call_cancelled_by_its_caller_tells_the_holder_once),
        cmocka_unit_test(call_failed_with_details_arrives_complete),
        cmocka_unit_test(call_failed_with_oversize_details_still_says_why),
        cmocka_unit_test(call_stream_delivers_every_message_then_ok),
        cmocka_unit_test(call_stream_waits_for_a_slow_reader_and_ends_when_it_leaves),
        cmocka_unit_test(call_idle_stream_is_told_when_its_reader_leaves),
        cmocka_unit_test(call_stream_finished_while_sending_sends_first),
        cmocka_unit_test(call_chat_answers_each_message_and_ends_with_its_caller),
        cmocka_unit_test(call_chat_with_an_unreadable_message_is_invalid_argument),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
