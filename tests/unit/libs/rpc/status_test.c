/* Statuses and google.rpc.Status: what goes out fits, what comes in is not trusted. */
#include "rpc/status.h"

#include "base/arena.h"

#include <google/protobuf/duration.pb-c.h>
#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* protobuf-c has no const strings. */
#define TEXT(literal) ((char *)(uintptr_t)(literal))

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 4096, 65536);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* Through bytes, as on the wire. */
static struct rpc_status round_trip(const struct rpc_status *status)
{
    struct Google__Rpc__Status *message = rpc_status_to_message(status, &arena);
    assert_non_null(message);
    static uint8_t bytes[RPC_DETAILS_BYTES_MAX];
    assert_true(protobuf_c_message_get_packed_size(&message->base) <= sizeof(bytes));
    size_t length = protobuf_c_message_pack(&message->base, bytes);
    Google__Rpc__Status *copy = google__rpc__status__unpack(NULL, length, bytes);
    assert_non_null(copy);
    struct rpc_status result = rpc_status_from_message(copy, &arena);
    result.message = arena_strndup(&arena, result.message, strlen(result.message));
    google__rpc__status__free_unpacked(copy, NULL);
    return result;
}

/* What one end says the other hears, each part alone and all together. */
static void status_parts_survive_the_round_trip(void **state)
{
    (void)state;
    struct rpc_violation violation = {.field = "quantity", .description = "is 1 to 1,000"};
    struct rpc_status status = {.code = RPC_NOT_FOUND};
    struct rpc_status result = round_trip(&status);
    assert_int_equal(result.code, RPC_NOT_FOUND);
    assert_string_equal(result.message, "");
    assert_null(result.reason);
    assert_int_equal(result.retry_after_ms, 0);
    assert_int_equal(result.violation_count, 0);

    status = (struct rpc_status){.code = RPC_INVALID_ARGUMENT,
                                 .message = "no",
                                 .reason = "INVALID_FIELD",
                                 .domain = "example",
                                 .retry_after_ms = 86399999,
                                 .violations = &violation,
                                 .violation_count = 1};
    result = round_trip(&status);
    assert_string_equal(result.message, "no");
    assert_string_equal(result.reason, "INVALID_FIELD");
    assert_string_equal(result.domain, "example");
    assert_int_equal(result.retry_after_ms, 86399999);
    assert_int_equal(result.violation_count, 1);
    assert_string_equal(result.violations[0].field, "quantity");
    assert_string_equal(result.violations[0].description, "is 1 to 1,000");
}

/* The reason decides what a program does; explanations give way to it. */
static void status_over_the_bound_drops_violations_first(void **state)
{
    (void)state;
    static char text[2 * RPC_DETAILS_BYTES_MAX];
    memset(text, 'x', sizeof(text) - 1);
    struct rpc_violation violations[] = {{.field = "a", .description = "is wrong"},
                                         {.field = "b", .description = text}};
    struct rpc_status status = {.code = RPC_ABORTED,
                                .message = text,
                                .reason = "WHY",
                                .domain = "example",
                                .retry_after_ms = 5,
                                .violations = violations,
                                .violation_count = 2};
    struct rpc_status result = round_trip(&status);
    assert_string_equal(result.reason, "WHY");
    assert_int_equal(result.retry_after_ms, 5);
    assert_int_equal(result.violation_count, 1);
    assert_int_equal(strlen(result.message), RPC_STATUS_MESSAGE_BYTES_MAX);
    status.reason = text; /* cannot fit at all: the code and the text still do */
    result = round_trip(&status);
    assert_int_equal(result.code, RPC_ABORTED);
    assert_null(result.reason);
}

/* Half a character would be invalid UTF-8, which the other end may refuse as a whole. */
static void status_message_is_cut_between_characters(void **state)
{
    (void)state;
    static char text[RPC_STATUS_MESSAGE_BYTES_MAX + 8];
    memset(text, 'x', RPC_STATUS_MESSAGE_BYTES_MAX - 1);
    memcpy(text + RPC_STATUS_MESSAGE_BYTES_MAX - 1, "\xe2\x82\xac", 4);
    struct rpc_status status = {.code = RPC_ABORTED, .message = text};
    assert_int_equal(strlen(round_trip(&status).message), RPC_STATUS_MESSAGE_BYTES_MAX - 1);
}

/* Details come from a peer: of unknown kinds, broken, negative, huge. None of it may hurt. */
static void status_hostile_details_are_left_out(void **state)
{
    (void)state;
    uint8_t garbage[] = {0x0a, 0x7f};
    Google__Protobuf__Any anys[4];
    Google__Protobuf__Any *details[4];
    for (size_t i = 0; i < COUNT_OF(anys); i++) {
        google__protobuf__any__init(&anys[i]);
        anys[i].value = (ProtobufCBinaryData){.len = sizeof(garbage), .data = garbage};
        details[i] = &anys[i];
    }
    anys[0].type_url = TEXT("type.googleapis.com/google.rpc.ErrorInfo");
    anys[1].type_url = TEXT("ErrorInfo without a slash");
    anys[2].type_url = TEXT("type.googleapis.com/some.other.Detail");
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    delay.seconds = INT64_MAX;
    Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
    retry.retry_delay = &delay;
    uint8_t retry_bytes[64];
    anys[3].type_url = TEXT("type.googleapis.com/google.rpc.RetryInfo");
    anys[3].value.len = google__rpc__retry_info__pack(&retry, retry_bytes);
    anys[3].value.data = retry_bytes;
    Google__Rpc__Status message = GOOGLE__RPC__STATUS__INIT;
    message.code = 4711;
    message.details = details;
    message.n_details = COUNT_OF(details);
    struct rpc_status status = rpc_status_from_message(&message, &arena);
    assert_int_equal(status.code, RPC_UNKNOWN);
    assert_null(status.reason);
    assert_true(status.retry_after_ms == RPC_RETRY_SECONDS_MAX * INT64_C(1000));
    delay.seconds = -1;
    anys[3].value.len = google__rpc__retry_info__pack(&retry, retry_bytes);
    assert_int_equal(rpc_status_from_message(&message, &arena).retry_after_ms, 0);
}

/* Items of a batch share one arena; when it is full, that is said and nothing is half-built. */
static void status_without_memory_is_null(void **state)
{
    (void)state;
    struct rpc_violation violation = {.field = "f", .description = "d"};
    struct rpc_status status = {.code = RPC_ABORTED,
                                .message = "m",
                                .reason = "R",
                                .domain = "D",
                                .retry_after_ms = 1,
                                .violations = &violation,
                                .violation_count = 1};
    size_t failures = 0;
    for (size_t bytes_max = 16; bytes_max < 4096; bytes_max += 16) {
        struct arena small;
        arena_init(&small, 16, bytes_max);
        struct Google__Rpc__Status *message = rpc_status_to_message(&status, &small);
        assert_true((message == NULL) == arena_overflowed(&small));
        failures += message == NULL;
        arena_fini(&small);
    }
    assert_in_range(failures, 10, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(status_parts_survive_the_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(status_over_the_bound_drops_violations_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(status_message_is_cut_between_characters, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(status_hostile_details_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(status_without_memory_is_null, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
