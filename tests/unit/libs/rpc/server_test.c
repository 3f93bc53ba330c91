/* The server on a real connection: what it answers, what it refuses by itself, how it stops. */
#include "base/arena.h"
#include "base/clock.h"
#include "loopback.h"

#include <errno.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct ends {
    struct holder holder;
    struct rpc_server *server;
    struct rpc_channel *channel;
    int port;
};

static void open_ends(struct ends *ends, const struct rpc_server_config *config,
                      rpc_handler_fn handle)
{
    holder_init(&ends->holder);
    ends->server = loopback_serve(config, handle, &ends->holder, &ends->port);
    ends->channel = loopback_connect(ends->port);
}

static void close_ends(struct ends *ends)
{
    rpc_channel_destroy(ends->channel);
    assert_int_equal(loopback_end(ends->server), 0);
    holder_fini(&ends->holder);
}

/* Sends message to a method and waits; the caller frees the reply. */
static struct rpc_reply *send_to(struct rpc_channel *channel, const char *full_method,
                                 const ProtobufCMessage *message)
{
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = loopback_request(message, &awaited);
    request.full_method = full_method;
    rpc_channel_call(channel, &request, NULL);
    awaited_end(&awaited);
    struct rpc_reply *reply = awaited.reply;
    awaited.reply = NULL;
    awaited_fini(&awaited);
    return reply;
}

static void assert_refused(struct rpc_reply *reply, enum rpc_code code, const char *reason)
{
    assert_int_equal(reply->status.code, code);
    assert_non_null(reply->status.reason);
    assert_string_equal(reply->status.reason, reason);
    assert_string_equal(reply->status.domain, "echo.example");
    assert_null(reply->message);
    rpc_reply_free(reply);
}

/* The whole point: a message goes there and comes back whole. */
static void server_unary_call_is_answered(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    struct ends ends;
    open_ends(&ends, &config, loopback_echo);
    struct rpc_reply *reply = loopback_say(ends.channel, "gr\xc3\xbc\xc3\x9f dich");
    assert_int_equal(reply->status.code, RPC_OK);
    const void *note = reply->message;
    assert_string_equal(((const Echo__V1__Note *)note)->text, "gr\xc3\xbc\xc3\x9f dich");
    rpc_reply_free(reply);
    close_ends(&ends);
}

/* A caller of what does not exist must hear so at once, not wait for its deadline. */
static void server_unknown_method_is_unimplemented_at_once(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    struct ends ends;
    open_ends(&ends, &config, loopback_echo);
    WAIT_UNTIL(rpc_channel_is_ready(ends.channel));
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    int64_t start_ns = clock_monotonic_ns();
    assert_refused(send_to(ends.channel, "/echo.v1.Echo/Forget", &note.base), RPC_UNIMPLEMENTED,
                   "UNIMPLEMENTED");
    assert_refused(send_to(ends.channel, "/echo.v1.Silence/Say", &note.base), RPC_UNIMPLEMENTED,
                   "UNIMPLEMENTED");
    assert_true(clock_monotonic_ns() - start_ns < LOOPBACK_WAIT_MS / 2 * CLOCK_NS_PER_MS);
    close_ends(&ends);
}

/* Bytes that are no message are the caller's fault, and never reach a handler. */
static void server_malformed_message_is_invalid_argument(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    struct ends ends;
    open_ends(&ends, &config, holder_hold);
    uint8_t cut_short[] = {0x0a, 0x7f, 'x'};
    Echo__V1__RawNote raw = ECHO__V1__RAW_NOTE__INIT;
    raw.inner.data = cut_short;
    raw.inner.len = sizeof(cut_short);
    assert_refused(send_to(ends.channel, SAY, &raw.base), RPC_INVALID_ARGUMENT, "MALFORMED");
    Echo__V1__WrongNote wrong = ECHO__V1__WRONG_NOTE__INIT;
    wrong.text = 7;
    assert_refused(send_to(ends.channel, SAY, &wrong.base), RPC_INVALID_ARGUMENT, "MALFORMED");
    close_ends(&ends);
}

/* protobuf-c would pass on what is not UTF-8, and would cut a string at U+0000. */
static void server_text_that_is_no_c_string_in_utf8_is_invalid_argument(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    struct ends ends;
    open_ends(&ends, &config, holder_hold);
    uint8_t overlong[] = {0xc0, 0xaf};
    uint8_t with_nul[] = {'a', 0, 'b'};
    Echo__V1__RawNote raw = ECHO__V1__RAW_NOTE__INIT;
    raw.text = (ProtobufCBinaryData){.len = sizeof(overlong), .data = overlong};
    assert_refused(send_to(ends.channel, SAY, &raw.base), RPC_INVALID_ARGUMENT, "MALFORMED");
    raw.text = (ProtobufCBinaryData){.len = sizeof(with_nul), .data = with_nul};
    assert_refused(send_to(ends.channel, SAY, &raw.base), RPC_INVALID_ARGUMENT, "MALFORMED");
    close_ends(&ends);
}

/* The bytes of depth notes, one in the other; the caller frees them. */
static ProtobufCBinaryData nested(unsigned depth)
{
    enum { LEVEL_BYTES_MAX = 5 };
    size_t capacity = (size_t)depth * LEVEL_BYTES_MAX, length = 0;
    uint8_t *bytes = malloc(capacity);
    assert_non_null(bytes);
    for (unsigned i = 0; i < depth; i++) { /* from the innermost outwards, at the buffer's end */
        uint8_t head[LEVEL_BYTES_MAX] = {0x22};
        size_t head_length = 1;
        for (size_t rest = length;; rest >>= 7) {
            head[head_length++] = (uint8_t)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
            if (rest <= 0x7f) {
                break;
            }
        }
        length += head_length;
        memcpy(bytes + capacity - length, head, head_length);
    }
    memmove(bytes, bytes + capacity - length, length);
    return (ProtobufCBinaryData){.len = length, .data = bytes};
}

/* protobuf-c recurses once a level: this one would take more than the thread's stack. */
static void server_hostile_nesting_is_invalid_argument(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    struct ends ends;
    open_ends(&ends, &config, holder_hold);
    Echo__V1__RawNote raw = ECHO__V1__RAW_NOTE__INIT;
    raw.inner = nested(15000);
    assert_refused(send_to(ends.channel, SAY, &raw.base), RPC_INVALID_ARGUMENT, "MALFORMED");
    free(raw.inner.data);
    close_ends(&ends);
}

/* Few bytes on the wire can be many in memory; the arena is the bound, and the server lives on. */
static void server_message_over_the_arena_is_resource_exhausted(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    struct ends ends;
    open_ends(&ends, &config, loopback_echo);
    static char *empty[20000];
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        empty[i] = (char *)(uintptr_t) "";
    }
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    note.lines = empty;
    note.n_lines = COUNT_OF(empty);
    assert_refused(send_to(ends.channel, SAY, &note.base), RPC_RESOURCE_EXHAUSTED, "OVERLOADED");
    struct rpc_reply *reply = loopback_say(ends.channel, "still there");
    assert_int_equal(reply->status.code, RPC_OK);
    rpc_reply_free(reply);
    close_ends(&ends);
}

/* A message over the bound is refused by the core before it is held in memory. */
static void server_message_over_its_bound_is_resource_exhausted(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    struct ends ends;
    open_ends(&ends, &config, holder_hold);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    note.blob.len = config.message_bytes_max + 1;
    note.blob.data = calloc(1, note.blob.len);
    assert_non_null(note.blob.data);
    struct rpc_reply *reply = send_to(ends.channel, SAY, &note.base);
    assert_int_equal(reply->status.code, RPC_RESOURCE_EXHAUSTED);
    rpc_reply_free(reply);
    free(note.blob.data);
    close_ends(&ends);
}

/* What a client that is not ours may send: any bytes (NULL: no message at all), any compression. */
static grpc_status_code call_raw(int port, const char *bytes, size_t length,
                                 grpc_compression_algorithm algorithm)
{
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    char key[] = GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM;
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = key, .value = {.integer = (int)algorithm}};
    grpc_channel_args args = {.num_args = 1, .args = &arg};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, credentials, &args);
    grpc_channel_credentials_release(credentials);
    grpc_completion_queue *queue = grpc_completion_queue_create_for_pluck(NULL);
    gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                         gpr_time_from_millis(LOOPBACK_WAIT_MS, GPR_TIMESPAN));
    grpc_call *call =
        grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
                                 grpc_slice_from_static_string(SAY), NULL, deadline, NULL);
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes == NULL ? "" : bytes, length);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_metadata_array initial, trailing;
    grpc_metadata_array_init(&initial);
    grpc_metadata_array_init(&trailing);
    grpc_status_code code = GRPC_STATUS_OK;
    grpc_slice text = grpc_empty_slice();
    grpc_byte_buffer *reply = NULL;
    grpc_op ops[6] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},  {.op = GRPC_OP_RECV_STATUS_ON_CLIENT},
                      {.op = GRPC_OP_RECV_INITIAL_METADATA},  {.op = GRPC_OP_RECV_MESSAGE},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_SEND_MESSAGE}};
    ops[1].data.recv_status_on_client.trailing_metadata = &trailing;
    ops[1].data.recv_status_on_client.status = &code;
    ops[1].data.recv_status_on_client.status_details = &text;
    ops[2].data.recv_initial_metadata.recv_initial_metadata = &initial;
    ops[3].data.recv_message.recv_message = &reply;
    ops[5].data.send_message.send_message = message;
    assert_int_equal(grpc_call_start_batch(call, ops, bytes == NULL ? 5 : 6, call, NULL), 0);
    grpc_completion_queue_pluck(queue, call, deadline, NULL);
    grpc_slice_unref(text);
    grpc_slice_unref(slice);
    grpc_byte_buffer_destroy(message);
    grpc_byte_buffer_destroy(reply);
    grpc_metadata_array_destroy(&initial);
    grpc_metadata_array_destroy(&trailing);
    grpc_call_unref(call);
    grpc_channel_destroy(channel);
    grpc_completion_queue_shutdown(queue);
    grpc_completion_queue_destroy(queue);
    return code;
}

/* A gigabyte of zeroes is a megabyte compressed, so nothing compressed is taken. */
static void server_raw_client_is_answered_whatever_it_sends(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    struct ends ends;
    open_ends(&ends, &config, loopback_echo);
    static char text[1024] = "\x0a\xfd\x07";
    memset(text + 3, 'x', sizeof(text) - 3);
    assert_int_equal(call_raw(ends.port, text, sizeof(text), GRPC_COMPRESS_NONE), GRPC_STATUS_OK);
    assert_int_equal(call_raw(ends.port, text, sizeof(text), GRPC_COMPRESS_GZIP),
                     GRPC_STATUS_UNIMPLEMENTED);
    assert_int_equal(call_raw(ends.port, "", 0, GRPC_COMPRESS_NONE), GRPC_STATUS_OK);
    assert_int_equal(call_raw(ends.port, "garbage", 7, GRPC_COMPRESS_NONE),
                     GRPC_STATUS_INVALID_ARGUMENT);
    assert_int_equal(call_raw(ends.port, NULL, 0, GRPC_COMPRESS_NONE),
                     GRPC_STATUS_INVALID_ARGUMENT);
    close_ends(&ends);
}

/* --- Admission, metadata, observation --------------------------------------------------------- */

struct door {
    atomic_uint observed, observed_ok, observed_unknown;
    char last_token[64];
};

static bool admit_by_token(struct rpc_call *call, struct rpc_status *ret_refusal, void *data)
{
    struct door *door = data;
    size_t length = 0;
    const char *token = rpc_call_metadata(call, "x-token", &length);
    if (token == NULL || length >= sizeof(door->last_token)) {
        *ret_refusal = (struct rpc_status){.code = RPC_UNAUTHENTICATED,
                                           .message = "no token for the method",
                                           .reason = "UNAUTHENTICATED"};
        return false;
    }
    memcpy(door->last_token, token, length);
    door->last_token[length] = '\0';
    return true;
}

static void observe(const char *full_method, enum rpc_code code, int64_t duration_ns, void *data)
{
    struct door *door = data;
    atomic_fetch_add(&door->observed, 1);
    atomic_fetch_add(&door->observed_ok, code == RPC_OK && duration_ns >= 0);
    atomic_fetch_add(&door->observed_unknown, strcmp(full_method, RPC_METHOD_UNKNOWN) == 0);
}

/* --- Callers who do not read -------------------------------------------------------------------
 */

/* More than a small server has calls, and more bytes than it keeps. */
#define UNREAD_CALLS      700
#define UNREAD_TEXT_BYTES ((size_t)128 * 1024)

#define FRAME_DATA     0
#define FRAME_HEADERS  1
#define FRAME_SETTINGS 4
#define END_STREAM     1
#define END_HEADERS    4

/* A caller in raw HTTP/2, which may be as rude as it likes. */
struct raw_caller {
    int socket;
    uint8_t out[512];
    size_t length;
};

static void put(struct raw_caller *caller, const void *bytes, size_t length)
{
    assert_true(length <= sizeof(caller->out) - caller->length);
    memcpy(caller->out + caller->length, bytes, length);
    caller->length += length;
}

static void put_frame(struct raw_caller *caller, uint8_t type, uint8_t flags, uint32_t stream,
                      const void *payload, size_t length)
{
    const uint8_t head[9] = {
        (uint8_t)(length >> 16),
        (uint8_t)(length >> 8),
        (uint8_t)length,
        type,
        flags,
        (uint8_t)(stream >> 24),
        (uint8_t)(stream >> 16),
        (uint8_t)(stream >> 8),
        (uint8_t)stream,
    };
    put(caller, head, sizeof(head));
    put(caller, payload, length);
}

static void flush(struct raw_caller *caller)
{
    assert_int_equal(write(caller->socket, caller->out, caller->length), caller->length);
    caller->length = 0;
}

/* Connects, and says that not a byte of a message may be sent to it. */
static void raw_open(struct raw_caller *caller, int port)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const uint8_t no_window[6] = {0, 4, 0, 0, 0, 0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *caller = (struct raw_caller){.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(connect(caller->socket, (void *)&address, sizeof(address)), 0);
    put(caller, preface, sizeof(preface) - 1);
    put_frame(caller, FRAME_SETTINGS, 0, 0, no_window, sizeof(no_window));
    flush(caller);
}

/* Asks with an empty note. */
static void raw_ask(struct raw_caller *caller, uint32_t stream)
{
    static const char *const headers[][2] = {
        {":method", "POST"}, {":scheme", "http"}, {":path", SAY},
        {":authority", "x"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
    static const uint8_t empty_message[5] = {0};
    struct raw_caller block = {0};
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        const uint8_t literal = 0;
        put(&block, &literal, 1);
        for (size_t part = 0; part < 2; part++) {
            uint8_t length = (uint8_t)strlen(headers[i][part]);
            put(&block, &length, 1);
            put(&block, headers[i][part], length);
        }
    }
    put_frame(caller, FRAME_HEADERS, END_HEADERS, stream, block.out, block.length);
    put_frame(caller, FRAME_DATA, END_STREAM, stream, empty_message, sizeof(empty_message));
    flush(caller);
}

static atomic_uint asked, given_up;

/* Whoever says nothing gets a long answer, all others theirs. */
static void answer_at_length(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    static char text[UNREAD_TEXT_BYTES + 1];
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    if (((const Echo__V1__Note *)(const void *)request)->text[0] != '\0') {
        loopback_echo(call, request, data);
        return;
    }
    atomic_fetch_add(&asked, 1);
    memset(text, 'n', UNREAD_TEXT_BYTES);
    note.text = text;
    rpc_call_finish(call, &note.base);
}

static void count_given_up(const char *full_method, enum rpc_code code, int64_t duration_ns,
                           void *data)
{
    (void)full_method, (void)duration_ns, (void)data;
    atomic_fetch_add(&given_up, code == RPC_CANCELLED);
}

/* Whoever asks for much and reads nothing must neither fill the memory nor take every call that the
 * server has: the oldest replies are given up, and others are served. */
static void server_whose_replies_are_not_read_serves_others(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    config.threads = 1;
    config.calls_max = 4;
    config.observe = count_given_up;
    atomic_store(&asked, 0);
    atomic_store(&given_up, 0);
    struct ends ends;
    struct raw_caller caller;
    open_ends(&ends, &config, answer_at_length);
    raw_open(&caller, ends.port);
    for (unsigned i = 0; i < UNREAD_CALLS; i++) {
        raw_ask(&caller, 1 + 2 * i);
        WAIT_UNTIL(atomic_load(&asked) == i + 1);
    }
    for (size_t i = 0; i < UNREAD_CALLS; i++) { /* more than are armed */
        struct rpc_reply *reply = loopback_say(ends.channel, "still there?");
        assert_int_equal(reply->status.code, RPC_OK);
        rpc_reply_free(reply);
    }
    WAIT_UNTIL(atomic_load(&given_up) > UNREAD_CALLS - 512); /* 512 would be 64 MiB and more */
    close(caller.socket);
    close_ends(&ends);
}

/* A stop waits for those who still read, not for those who never will. */
static void server_stop_does_not_wait_for_who_does_not_read(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    struct ends ends;
    struct raw_caller caller;
    atomic_store(&asked, 0);
    open_ends(&ends, &config, answer_at_length);
    raw_open(&caller, ends.port);
    raw_ask(&caller, 1);
    WAIT_UNTIL(atomic_load(&asked) == 1);
    int64_t begun_ns = clock_monotonic_ns();
    assert_int_equal(rpc_server_stop(ends.server, clock_deadline_in_ms(LOOPBACK_WAIT_MS)), 0);
    int64_t took_ms = (clock_monotonic_ns() - begun_ns) / CLOCK_NS_PER_MS;
    assert_true(took_ms >= RPC_UNREAD_MS && took_ms < LOOPBACK_WAIT_MS / 2);
    rpc_server_destroy(ends.server);
    close(caller.socket);
    rpc_channel_destroy(ends.channel);
    holder_fini(&ends.holder);
}

/* Who may call is decided before the message costs anything, on what the metadata says. */
static void server_admission_sees_the_metadata_and_refuses(void **state)
{
    (void)state;
    struct door door = {0};
    struct rpc_server_config config = loopback_server_config();
    config.admit = admit_by_token;
    config.observe = observe;
    config.data = &door;
    struct ends ends;
    open_ends(&ends, &config, loopback_echo);
    assert_refused(loopback_say(ends.channel, "x"), RPC_UNAUTHENTICATED, "UNAUTHENTICATED");

    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_metadata token = {.key = "x-token", .value = "let me in", .value_length = 9};
    struct rpc_request request = loopback_request(&note.base, &awaited);
    request.metadata = &token;
    request.metadata_count = 1;
    rpc_channel_call(ends.channel, &request, NULL);
    assert_int_equal(awaited_end(&awaited)->status.code, RPC_OK);
    awaited_fini(&awaited);
    assert_refused(send_to(ends.channel, "/no.such/Method", &note.base), RPC_UNIMPLEMENTED,
                   "UNIMPLEMENTED");
    close_ends(&ends);
    assert_string_equal(door.last_token, "let me in");
    assert_int_equal(atomic_load(&door.observed), 3);
    assert_int_equal(atomic_load(&door.observed_ok), 1);
    assert_int_equal(atomic_load(&door.observed_unknown), 1);
}

/* --- Overload --------------------------------------------------------------------------------- */

static int64_t seven_seconds(void *data)
{
    (void)data;
    return 7000;
}

/* The core would queue calls without a bound; ours says no, when to come back, and goes on. */
static void server_calls_over_the_bound_are_refused_with_a_delay(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    config.calls_max = 2;
    config.overload_retry_ms = seven_seconds;
    struct ends ends;
    open_ends(&ends, &config, holder_hold);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct awaited held[2];
    struct rpc_call *calls[2];
    for (size_t i = 0; i < COUNT_OF(held); i++) {
        awaited_init(&held[i]);
        struct rpc_request request = loopback_request(&note.base, &held[i]);
        rpc_channel_call(ends.channel, &request, NULL);
        calls[i] = holder_take(&ends.holder);
    }
    assert_int_equal(rpc_server_calls_in_flight(ends.server), 2);
    for (int i = 0; i < 100; i++) { /* more than there are slots: each is armed anew */
        struct rpc_reply *reply = loopback_say(ends.channel, "one too many");
        assert_int_equal(reply->status.retry_after_ms, 7000);
        assert_refused(reply, RPC_RESOURCE_EXHAUSTED, "OVERLOADED");
    }
    for (size_t i = 0; i < COUNT_OF(held); i++) {
        rpc_call_finish(calls[i], &note.base);
        assert_int_equal(awaited_end(&held[i])->status.code, RPC_OK);
        awaited_fini(&held[i]);
    }
    assert_int_equal(rpc_server_calls_in_flight(ends.server), 0);
    close_ends(&ends);
}

static unsigned in_flight_of(const struct rpc_server *server, const char *full_name)
{
    struct rpc_method_calls calls[RPC_METHODS_MAX];
    size_t count = rpc_server_calls_by_method(server, calls);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(calls[i].full_name, full_name) == 0) {
            return calls[i].in_flight;
        }
    }
    fail_msg("%s is not listed", full_name);
    return 0;
}

/* Which calls they are that fill a server: each counts with its method, and only while it is held.
 */
static void server_calls_in_flight_are_counted_by_method(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    config.calls_max = 2;
    struct holder holder;
    struct rpc_server *server;
    struct awaited held[2];
    struct rpc_call *calls[2];
    int port = 0;
    holder_init(&holder);
    assert_int_equal(rpc_server_create(&config, &server), 0);
    loopback_add(server, "Say", RPC_UNARY, holder_hold, &holder);
    loopback_add(server, "Repeat", RPC_SERVER_STREAM, holder_hold, &holder);
    assert_int_equal(in_flight_of(server, SAY), 0);
    assert_int_equal(rpc_server_start(server, &port), 0);
    struct rpc_channel *channel = loopback_connect(port);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    for (size_t i = 0; i < COUNT_OF(held); i++) {
        awaited_init(&held[i]);
        struct rpc_request request = loopback_request(&note.base, &held[i]);
        rpc_channel_call(channel, &request, NULL);
        calls[i] = holder_take(&holder);
    }
    assert_int_equal(in_flight_of(server, SAY), 2);
    assert_int_equal(in_flight_of(server, REPEAT), 0);
    rpc_reply_free(loopback_say(channel, "one too many")); /* refused ones leave no trace */
    assert_int_equal(in_flight_of(server, SAY), 2);
    for (size_t i = 0; i < COUNT_OF(held); i++) {
        rpc_call_finish(calls[i], &note.base);
        assert_int_equal(awaited_end(&held[i])->status.code, RPC_OK);
        awaited_fini(&held[i]);
        assert_int_equal(in_flight_of(server, SAY), 1 - i);
    }
    rpc_channel_destroy(channel);
    loopback_end(server);
    holder_fini(&holder);
}

/* --- Turning ---------------------------------------------------------------------------------- */

/* A handler that does what none may: it keeps its thread until it is let go. */
struct keeper {
    atomic_bool keeps, lets_go;
};

static void keep_thread(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    struct keeper *keeper = data;
    atomic_store(&keeper->keeps, true);
    while (!atomic_load(&keeper->lets_go)) {
        loopback_sleep_ms(2);
    }
    rpc_call_finish(call, request);
}

/* The sign that a program is alive is that its threads turn: with nothing to do they do so by
 * themselves, */
static void server_that_is_idle_goes_on_turning(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    struct rpc_server *server;
    int port = 0;
    assert_int_equal(rpc_server_create(&config, &server), 0);
    assert_int_equal(rpc_server_turn_ns(server), 0);
    assert_int_equal(rpc_server_start(server, &port), 0);
    for (int turns = 0; turns < 2; turns++) {
        WAIT_UNTIL(rpc_server_turn_ns(server) > RPC_TURN_MS / 2 * CLOCK_NS_PER_MS);
        WAIT_UNTIL(rpc_server_turn_ns(server) < RPC_TURN_MS / 2 * CLOCK_NS_PER_MS);
    }
    (void)rpc_server_stop(server, clock_monotonic_ns());
    assert_int_equal(rpc_server_turn_ns(server), 0);
    rpc_server_destroy(server);
}

/* and one that a handler keeps is found out, for as long as it is kept. */
static void server_thread_that_a_handler_keeps_does_not_turn(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    struct keeper keeper = {0};
    struct awaited awaited;
    int port = 0;
    config.threads = 2; /* the other one turns on */
    struct rpc_server *server = loopback_serve(&config, keep_thread, &keeper, &port);
    struct rpc_channel *channel = loopback_connect(port);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    awaited_init(&awaited);
    struct rpc_request request = loopback_request(&note.base, &awaited);
    rpc_channel_call(channel, &request, NULL);
    WAIT_UNTIL(atomic_load(&keeper.keeps));
    WAIT_UNTIL(rpc_server_turn_ns(server) > 3 * RPC_TURN_MS * CLOCK_NS_PER_MS);
    atomic_store(&keeper.lets_go, true);
    WAIT_UNTIL(rpc_server_turn_ns(server) < 2 * RPC_TURN_MS * CLOCK_NS_PER_MS);
    awaited_end(&awaited);
    awaited_fini(&awaited);
    rpc_channel_destroy(channel);
    loopback_end(server);
}

/* --- What gets through a full server ---------------------------------------------------------- */

/* A full server that fails its health checks would be taken out just when it is needed. */
static void server_reserved_method_is_served_when_full(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    config.calls_max = 1;
    struct ends ends;
    holder_init(&ends.holder);
    assert_int_equal(rpc_server_create(&config, &ends.server), 0);
    loopback_add(ends.server, "Say", RPC_UNARY, holder_hold, &ends.holder);
    struct rpc_method reserved = {.service = &echo__v1__echo__descriptor,
                                  .name = "Forget",
                                  .handle = loopback_echo,
                                  .reserved = true};
    assert_int_equal(rpc_server_add(ends.server, &reserved), 0);
    assert_int_equal(rpc_server_start(ends.server, &ends.port), 0);
    ends.channel = loopback_connect(ends.port);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct awaited held;
    awaited_init(&held);
    struct rpc_request request = loopback_request(&note.base, &held);
    rpc_channel_call(ends.channel, &request, NULL);
    struct rpc_call *call = holder_take(&ends.holder);
    struct rpc_reply *reply = send_to(ends.channel, "/echo.v1.Echo/Forget", &note.base);
    assert_int_equal(reply->status.code, RPC_OK);
    rpc_reply_free(reply);
    rpc_call_finish(call, &note.base);
    awaited_end(&held);
    awaited_fini(&held);
    close_ends(&ends);
}

/* Connections that are renewed let clients find new replicas; no call needs to pay for it. */
static void server_connections_of_age_lose_no_call(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    config.connection_age_max_ms = 50;
    struct ends ends;
    holder_init(&ends.holder);
    ends.server = loopback_serve(&config, loopback_echo, NULL, &ends.port);
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", ends.port);
    struct rpc_channel_config channel_config = {.target = target,
                                                .message_bytes_max = 65536,
                                                .reply_arena_bytes_max = 65536,
                                                .repeat_unseen = true};
    assert_int_equal(rpc_channel_create(&channel_config, &ends.channel), 0);
    int64_t end_ns = clock_deadline_in_ms(700);
    while (clock_monotonic_ns() < end_ns) {
        struct rpc_reply *reply = loopback_say(ends.channel, "on whichever connection");
        assert_int_equal(reply->status.code, RPC_OK);
        rpc_reply_free(reply);
    }
    close_ends(&ends);
}

/* --- Start and stop --------------------------------------------------------------------------- */

/* A wrong name is found at start-up, not by the first caller. */
static void server_add_of_what_is_not_there_or_twice_is_an_error(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    struct rpc_server *server = NULL;
    assert_int_equal(rpc_server_create(&config, &server), 0);
    struct rpc_method method = {
        .service = &echo__v1__echo__descriptor, .name = "Shout", .handle = loopback_echo};
    assert_int_equal(rpc_server_add(server, &method), -ENOENT);
    method.name = "Say";
    assert_int_equal(rpc_server_add(server, &method), 0);
    assert_int_equal(rpc_server_add(server, &method), -EEXIST);
    rpc_server_destroy(server);
    rpc_server_destroy(NULL);
}

/* Two processes that share a port would each get some of the calls. */
static void server_taken_port_is_refused_and_start_may_be_tried_again(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    int port = 0, unused = 0;
    struct rpc_server *first = loopback_serve(&config, loopback_echo, NULL, &port);
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    config.address = address;
    struct rpc_server *second = NULL;
    assert_int_equal(rpc_server_create(&config, &second), 0);
    loopback_add(second, "Say", RPC_UNARY, loopback_echo, NULL);
    assert_int_equal(rpc_server_start(second, &unused), -EADDRINUSE);
    assert_int_equal(rpc_server_start(second, &unused), -EADDRINUSE);
    loopback_end(first);
    assert_int_equal(rpc_server_start(second, &unused), 0);
    assert_int_equal(unused, port);
    loopback_end(second);
}

struct stopping {
    struct rpc_server *server;
    int64_t deadline_ns;
    atomic_bool returned;
    unsigned cancelled;
};

static void *stop_in_thread(void *data)
{
    struct stopping *stopping = data;
    stopping->cancelled = rpc_server_stop(stopping->server, stopping->deadline_ns);
    atomic_store(&stopping->returned, true);
    return NULL;
}

/* Holds one call, stops with a deadline, and finishes late_ms later. */
static void stop_while_held(int64_t grace_ms, int64_t late_ms, unsigned expected_cancelled,
                            enum rpc_code expected_code)
{
    struct rpc_server_config config = loopback_server_config();
    struct ends ends;
    open_ends(&ends, &config, holder_hold);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct awaited awaited;
    awaited_init(&awaited);
    struct rpc_request request = loopback_request(&note.base, &awaited);
    rpc_channel_call(ends.channel, &request, NULL);
    struct rpc_call *call = holder_take(&ends.holder);
    struct stopping stopping = {.server = ends.server,
                                .deadline_ns = clock_deadline_in_ms(grace_ms)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_in_thread, &stopping), 0);
    loopback_sleep_ms(late_ms);
    assert_false(atomic_load(&stopping.returned));
    if (expected_cancelled > 0) {
        WAIT_UNTIL(rpc_call_is_cancelled(call));
    }
    assert_int_equal(rpc_call_is_cancelled(call), expected_cancelled > 0);
    rpc_call_finish(call, &note.base);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(stopping.cancelled, expected_cancelled);
    assert_int_equal(awaited_end(&awaited)->status.code, expected_code);
    awaited_fini(&awaited);
    rpc_channel_destroy(ends.channel);
    rpc_server_destroy(ends.server);
    holder_fini(&ends.holder);
}

/* Work that was accepted is worth its reply: a stop waits for it. */
static void server_stop_lets_calls_finish_before_the_deadline(void **state)
{
    (void)state;
    stop_while_held(LOOPBACK_CALL_MS, 100, 0, RPC_OK);
}

/* After the deadline the caller hears the end, but the holder's pointer stays good until it lets
 * go. */
static void server_stop_after_the_deadline_cancels_and_waits_for_the_holder(void **state)
{
    (void)state;
    stop_while_held(50, 500, 1, RPC_UNAVAILABLE);
}

/* A stop under full load: whatever was started is answered or cancelled, and nothing is lost. */
static void server_stop_under_load_completes_every_call(void **state)
{
    (void)state;
    enum { CALLS = 200 };
    static struct awaited awaited[CALLS];
    struct rpc_server_config config = loopback_server_config();
    struct ends ends;
    open_ends(&ends, &config, loopback_echo);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    for (size_t i = 0; i < CALLS; i++) {
        awaited_init(&awaited[i]);
        struct rpc_request request = loopback_request(&note.base, &awaited[i]);
        request.wait_for_ready = i < CALLS / 2;
        request.deadline_ns = clock_deadline_in_ms(2000); /* the end of those who wait */
        rpc_channel_call(ends.channel, &request, NULL);
    }
    assert_int_equal(loopback_end(ends.server), 0);
    for (size_t i = 0; i < CALLS; i++) {
        awaited_end(&awaited[i]);
        awaited_fini(&awaited[i]);
    }
    rpc_channel_destroy(ends.channel);
    holder_fini(&ends.holder);
}

/* --- Everything at once ----------------------------------------------------------------------- */

enum { CHAOS_CALLS = 64, CHAOS_ROUNDS = 6, CHAOS_ROUND_MS = 150 };

struct chaos {
    struct rpc_channel *channel;
    struct holder holder;
    Echo__V1__Note note;
    pthread_mutex_t lock;
    unsigned seed;
    atomic_uint started, completed;
    atomic_bool over;
};

static unsigned roll(struct chaos *chaos, unsigned sides)
{
    pthread_mutex_lock(&chaos->lock);
    chaos->seed = chaos->seed * 1664525u + 1013904223u;
    unsigned result = (chaos->seed >> 16) % sides;
    pthread_mutex_unlock(&chaos->lock);
    return result;
}

/* Answers now, later from another thread, or with an error. */
static void on_chaos(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    struct chaos *chaos = data;
    switch (roll(chaos, 3)) {
    case 0:
        rpc_call_finish(call, request);
        break;
    case 1:
        rpc_call_fail(call, &(struct rpc_status){.code = RPC_ABORTED, .reason = "CHAOS"});
        break;
    default:
        rpc_call_on_cancel(call, holder_on_cancel, &chaos->holder);
        holder_hold(call, request, &chaos->holder);
    }
}

static void *finish_held(void *data)
{
    struct chaos *chaos = data;
    while (!atomic_load(&chaos->over)) {
        struct rpc_call *call = holder_try(&chaos->holder);
        if (call != NULL) {
            rpc_call_finish(call, &chaos->note.base);
        } else {
            loopback_sleep_ms(1);
        }
    }
    return NULL;
}

static void start_chaos_call(struct chaos *chaos);

static void on_chaos_done(struct rpc_reply *reply, void *data)
{
    struct chaos *chaos = data;
    rpc_reply_free(reply);
    if (!atomic_load(&chaos->over)) {
        start_chaos_call(chaos);
    }
    atomic_fetch_add(&chaos->completed, 1);
}

/* Cancels one in four at once, and gives one in four hardly any time. */
static void start_chaos_call(struct chaos *chaos)
{
    atomic_fetch_add(&chaos->started, 1);
    struct rpc_request request = loopback_request(&chaos->note.base, NULL);
    request.wait_for_ready = roll(chaos, 2) == 0;
    request.deadline_ns = clock_deadline_in_ms(roll(chaos, 4) == 0 ? 1 : 300);
    request.on_done = on_chaos_done;
    request.data = chaos;
    struct rpc_client_call *call = NULL;
    rpc_channel_call(chaos->channel, &request, &call);
    if (roll(chaos, 4) == 0) {
        rpc_client_call_cancel(call);
    }
    rpc_client_call_unref(call);
}

/*
 * Calls that are cancelled, late, refused, failed and held, while their server is stopped and
 * started: each ends exactly once, and every stop returns. A lost completion hangs this test.
 */
static void server_restarted_amid_chaos_ends_every_call(void **state)
{
    (void)state;
    static struct chaos chaos;
    chaos.seed = (unsigned)clock_monotonic_ns();
    print_message("seed %u\n", chaos.seed);
    pthread_mutex_init(&chaos.lock, NULL);
    holder_init(&chaos.holder);
    echo__v1__note__init(&chaos.note);
    struct rpc_server_config config = loopback_server_config();
    config.calls_max = CHAOS_CALLS / 2;
    int port = 0;
    struct rpc_server *server = loopback_serve(&config, on_chaos, &chaos, &port);
    chaos.channel = loopback_connect(port);
    pthread_t finisher;
    assert_int_equal(pthread_create(&finisher, NULL, finish_held, &chaos), 0);
    for (int i = 0; i < CHAOS_CALLS; i++) {
        start_chaos_call(&chaos);
    }
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    config.address = address;
    for (int round = 0; round < CHAOS_ROUNDS; round++) {
        loopback_sleep_ms(CHAOS_ROUND_MS);
        rpc_server_stop(server, clock_deadline_in_ms(round % 2 == 0 ? 0 : LOOPBACK_WAIT_MS));
        rpc_server_destroy(server);
        server = loopback_serve(&config, on_chaos, &chaos, &port);
    }
    rpc_server_stop(server, clock_deadline_in_ms(0));
    rpc_server_destroy(server);
    atomic_store(&chaos.over, true);
    rpc_channel_destroy(chaos.channel);
    pthread_join(finisher, NULL);
    print_message("%u calls\n", atomic_load(&chaos.started));
    assert_int_equal(atomic_load(&chaos.completed), atomic_load(&chaos.started));
    holder_fini(&chaos.holder);
    pthread_mutex_destroy(&chaos.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_unary_call_is_answered),
        cmocka_unit_test(server_unknown_method_is_unimplemented_at_once),
        cmocka_unit_test(server_malformed_message_is_invalid_argument),
        cmocka_unit_test(server_text_that_is_no_c_string_in_utf8_is_invalid_argument),
        cmocka_unit_test(server_hostile_nesting_is_invalid_argument),
        cmocka_unit_test(server_message_over_the_arena_is_resource_exhausted),
        cmocka_unit_test(server_message_over_its_bound_is_resource_exhausted),
        cmocka_unit_test(server_raw_client_is_answered_whatever_it_sends),
        cmocka_unit_test(server_whose_replies_are_not_read_serves_others),
        cmocka_unit_test(server_stop_does_not_wait_for_who_does_not_read),
        cmocka_unit_test(server_admission_sees_the_metadata_and_refuses),
        cmocka_unit_test(server_calls_over_the_bound_are_refused_with_a_delay),
        cmocka_unit_test(server_calls_in_flight_are_counted_by_method),
        cmocka_unit_test(server_that_is_idle_goes_on_turning),
        cmocka_unit_test(server_thread_that_a_handler_keeps_does_not_turn),
        cmocka_unit_test(server_reserved_method_is_served_when_full),
        cmocka_unit_test(server_connections_of_age_lose_no_call),
        cmocka_unit_test(server_add_of_what_is_not_there_or_twice_is_an_error),
        cmocka_unit_test(server_taken_port_is_refused_and_start_may_be_tried_again),
        cmocka_unit_test(server_stop_lets_calls_finish_before_the_deadline),
        cmocka_unit_test(server_stop_after_the_deadline_cancels_and_waits_for_the_holder),
        cmocka_unit_test(server_stop_under_load_completes_every_call),
        cmocka_unit_test(server_restarted_amid_chaos_ends_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
