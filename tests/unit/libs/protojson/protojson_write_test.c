#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether what is written of message contains piece. */
static void check_contains(struct fixture *fixture, const ProtobufCMessage *message,
                           const char *piece)
{
    char *text = fixture_write(fixture, message);
    if (strstr(text, piece) == NULL) {
        fail_msg("%s is not in %s", piece, text);
    }
    free(text);
}

/* Fields without presence are always there, in the proto's order; absent messages are not. */
static void protojson_write_defaults_are_written(void **state)
{
    Kinds__V1__Kinds kinds = KINDS__V1__KINDS__INIT;
    char *text = fixture_write(*state, &kinds.base);
    assert_string_equal(
        text, "{\"int32Value\":0,\"sint32Value\":0,\"sfixed32Value\":0,\"int64Value\":\"0\","
              "\"sint64Value\":\"0\",\"sfixed64Value\":\"0\",\"uint32Value\":0,"
              "\"fixed32Value\":0,\"uint64Value\":\"0\",\"fixed64Value\":\"0\",\"floatValue\":0,"
              "\"doubleValue\":0,\"boolValue\":false,\"stringValue\":\"\",\"bytesValue\":\"\","
              "\"color\":\"COLOR_UNSPECIFIED\",\"int32List\":[],\"int64List\":[],"
              "\"doubleList\":[],\"boolList\":[],\"stringList\":[],\"bytesList\":[],"
              "\"colorList\":[],\"childList\":[],\"timeList\":[],\"wrapperList\":[]}");
    free(text);
    Kinds__V1__Empty empty = KINDS__V1__EMPTY__INIT;
    text = fixture_write(*state, &empty.base);
    assert_string_equal(text, "{}");
    free(text);
}

/* The ends of each range; 64 bits as strings, since JavaScript's numbers do not hold them. */
static void protojson_write_integers_are_exact(void **state)
{
    Kinds__V1__Kinds kinds = KINDS__V1__KINDS__INIT;
    kinds.int32_value = INT32_MIN;
    kinds.int64_value = INT64_MIN;
    kinds.uint32_value = UINT32_MAX;
    kinds.uint64_value = UINT64_MAX;
    check_contains(*state, &kinds.base, "\"int32Value\":-2147483648,");
    check_contains(*state, &kinds.base, "\"int64Value\":\"-9223372036854775808\",");
    check_contains(*state, &kinds.base, "\"uint32Value\":4294967295,");
    check_contains(*state, &kinds.base, "\"uint64Value\":\"18446744073709551615\",");
    kinds.int64_value = INT64_MAX;
    check_contains(*state, &kinds.base, "\"int64Value\":\"9223372036854775807\",");
    for (int32_t value = 1; value < 1000000000; value = value * 10 + value % 7) {
        char piece[64];
        kinds.int32_value = -value;
        snprintf(piece, sizeof(piece), "\"int32Value\":-%d,", value);
        check_contains(*state, &kinds.base, piece);
    }
}

/* The shortest text that reads back as the same number, and words for what is no number. */
static void protojson_write_floats_are_shortest(void **state)
{
    Kinds__V1__Kinds kinds = KINDS__V1__KINDS__INIT;
    kinds.float_value = 0.1f;
    kinds.double_value = 0.1;
    check_contains(*state, &kinds.base, "\"floatValue\":0.1,\"doubleValue\":0.1,");
    kinds.float_value = 16777216;
    kinds.double_value = 1.0 / 3;
    check_contains(*state, &kinds.base, "\"floatValue\":16777216,");
    check_contains(*state, &kinds.base, "\"doubleValue\":0.3333333333333333,");
    kinds.float_value = FLT_MAX;
    kinds.double_value = DBL_MAX;
    check_contains(*state, &kinds.base, "\"floatValue\":3.4028235e+38,");
    check_contains(*state, &kinds.base, "\"doubleValue\":1.7976931348623157e+308,");
    kinds.float_value = INFINITY;
    kinds.double_value = (double)-INFINITY;
    check_contains(*state, &kinds.base,
                   "\"floatValue\":\"Infinity\",\"doubleValue\":\"-Infinity\",");
    kinds.double_value = (double)NAN;
    check_contains(*state, &kinds.base, "\"doubleValue\":\"NaN\",");
}

/* An enum number that this build has no name for still reaches the client, as a number. */
static void protojson_write_unknown_enum_is_a_number(void **state)
{
    Kinds__V1__Kinds kinds = KINDS__V1__KINDS__INIT;
    kinds.color = KINDS__V1__COLOR__BELOW;
    check_contains(*state, &kinds.base, "\"color\":\"BELOW\",");
    int unknown = -77;
    memcpy(&kinds.color, &unknown, sizeof(unknown));
    check_contains(*state, &kinds.base, "\"color\":-77,");
}

/* Lists of every kind, messages within, wrappers bare, times as text. */
static void protojson_write_what_was_read_is_written(void **state)
{
    static const char *const pieces[] = {
        "\"child\":{\"int32Value\":5,",
        "\"time\":\"2026-01-01T00:00:00.500Z\"",
        "\"duration\":\"-1.500s\"",
        "\"int32List\":[1,-2]",
        "\"int64List\":[\"1\",\"-2\"]",
        "\"doubleList\":[0.5,\"NaN\"]",
        "\"boolList\":[true,false]",
        "\"stringList\":[\"\",\"a\\n\"]",
        "\"bytesList\":[\"AQI=\"]",
        "\"colorList\":[\"RED\"]",
        "\"timeList\":[\"1970-01-01T00:00:00Z\"]",
        "\"wrapperList\":[\"\",\"x\"]",
        "\"wrappedDouble\":0.5",
        "\"wrappedFloat\":0.5",
        "\"wrappedInt64\":\"-1\"",
        "\"wrappedUint64\":\"1\"",
        "\"wrappedInt32\":0",
        "\"wrappedUint32\":1",
        "\"wrappedBool\":false",
        "\"wrappedString\":\"\"",
        "\"wrappedBytes\":\"AQ==\"",
        "\"choiceText\":\"t\"",
    };
    char json[2048] = "{";
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        strcat(json, i == 0 ? "" : ",");
        strcat(json, pieces[i]);
        if (i == 0) {
            json[strlen(json) - 1] = '}'; /* the child's other fields are left out */
        }
    }
    strcat(json, "}");
    Kinds__V1__Kinds *kinds = fixture_read_kinds(*state, json);
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        check_contains(*state, &kinds->base, pieces[i]);
    }
    /* And what is written reads back as the same message. */
    char *text = fixture_write(*state, &kinds->base);
    Kinds__V1__Kinds *again = fixture_read_kinds(*state, text);
    uint8_t before[2048];
    uint8_t after[2048];
    size_t length = kinds__v1__kinds__get_packed_size(kinds);
    assert_true(length < sizeof(before));
    assert_int_equal(kinds__v1__kinds__get_packed_size(again), length);
    kinds__v1__kinds__pack(kinds, before);
    kinds__v1__kinds__pack(again, after);
    assert_memory_equal(before, after, length);
    free(text);
    fixture_free(*state, &kinds->base);
    fixture_free(*state, &again->base);
}

/* Only the member that is set, even if it is the default. */
static void protojson_write_oneof_has_one_member(void **state)
{
    Kinds__V1__Kinds kinds = KINDS__V1__KINDS__INIT;
    kinds.choice_case = KINDS__V1__KINDS__CHOICE_CHOICE_NUMBER;
    char *text = fixture_write(*state, &kinds.base);
    assert_non_null(strstr(text, ",\"choiceNumber\":0}"));
    assert_null(strstr(text, "choiceText"));
    free(text);
}

/* proto2 fields are written when they are there, required ones always. */
static void protojson_write_proto2_presence_is_kept(void **state)
{
    Legacy__V1__Legacy legacy = LEGACY__V1__LEGACY__INIT;
    char *text = fixture_write(*state, &legacy.base);
    assert_string_equal(text, "{\"must\":0}");
    free(text);
    legacy.has_may = 1;
    legacy.child = &legacy;
    struct fixture *fixture = *state;
    struct protojson_output output = {.length_max = 100000, .allocator = &fixture->allocator};
    /* It contains itself; the depth is what ends it. */
    assert_int_equal(protojson_write(fixture->schema, &legacy.base, &output),
                     PROTOJSON_INVALID_FIELD);
    static const char begin[] = "{\"must\":0,\"may\":0,\"child\":{\"must\":0,";
    assert_memory_equal(output.bytes, begin, sizeof(begin) - 1);
    fixture->allocator.free(fixture, output.bytes);
}

/* A message that was put together by hand may have no strings; they are empty ones then. */
static void protojson_write_null_string_is_empty(void **state)
{
    Kinds__V1__Kinds kinds = KINDS__V1__KINDS__INIT;
    kinds.string_value = NULL;
    check_contains(*state, &kinds.base, "\"stringValue\":\"\",");
}

/* TimestampProtoInputTooLarge and its like: what has no text must not be written as another time.
 */
static void protojson_write_time_out_of_range_is_invalid(void **state)
{
    struct fixture *fixture = *state;
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
    time.seconds = INT64_C(253402300800);
    duration.seconds = 1;
    duration.nanos = -1;
    Kinds__V1__Kinds kinds[2] = {KINDS__V1__KINDS__INIT, KINDS__V1__KINDS__INIT};
    kinds[0].time = &time;
    kinds[1].duration = &duration;
    for (size_t i = 0; i < 2; i++) {
        struct protojson_output output = {.length_max = 100000, .allocator = &fixture->allocator};
        assert_int_equal(protojson_write(fixture->schema, &kinds[i].base, &output),
                         PROTOJSON_INVALID_FIELD);
        fixture->allocator.free(fixture, output.bytes);
    }
}

/* Every bound short of what is needed is an overflow; the one that fits exactly is none. */
static void protojson_write_bound_is_exact(void **state)
{
    struct fixture *fixture = *state;
    Kinds__V1__Kinds *kinds = fixture_read_kinds(
        fixture,
        "{\"child\":{\"stringValue\":\"a\\n\xc3\xa9\"},\"int64List\":[1,2],"
        "\"time\":\"1970-01-01T00:00:00.5Z\",\"bytesValue\":\"AQI=\",\"doubleValue\":0.1}");
    char *text = fixture_write(fixture, &kinds->base);
    size_t needed = strlen(text);
    for (size_t length_max = 0; length_max <= needed + 64; length_max++) {
        struct protojson_output output = {.length_max = length_max,
                                          .allocator = &fixture->allocator};
        enum protojson_error error = protojson_write(fixture->schema, &kinds->base, &output);
        assert_int_equal(error, length_max < needed ? PROTOJSON_NO_MEMORY : PROTOJSON_OK);
        assert_true(output.length <= length_max);
        fixture->allocator.free(fixture, output.bytes);
    }
    free(text);
    fixture_free(fixture, &kinds->base);
}

/* Each allocation of a long reply fails in turn. */
static void protojson_write_failing_allocation_is_no_memory(void **state)
{
    struct fixture *fixture = *state;
    Kinds__V1__Kinds *kinds =
        fixture_read_kinds(fixture, "{\"childList\":[{},{},{},{},{},{},{},{},{},{}]}");
    size_t failures = 0;
    for (;; failures++) {
        struct protojson_output output = {.length_max = 100000, .allocator = &fixture->allocator};
        fixture->allocations = 0;
        fixture->fail_at = failures;
        enum protojson_error error = protojson_write(fixture->schema, &kinds->base, &output);
        fixture->fail_at = SIZE_MAX;
        fixture->allocator.free(fixture, output.bytes);
        if (error == PROTOJSON_OK) {
            break;
        }
        assert_int_equal(error, PROTOJSON_NO_MEMORY);
    }
    assert_true(failures > 2);
    fixture_free(fixture, &kinds->base);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(protojson_write_defaults_are_written),
        TEST(protojson_write_integers_are_exact),
        TEST(protojson_write_floats_are_shortest),
        TEST(protojson_write_unknown_enum_is_a_number),
        TEST(protojson_write_what_was_read_is_written),
        TEST(protojson_write_oneof_has_one_member),
        TEST(protojson_write_proto2_presence_is_kept),
        TEST(protojson_write_null_string_is_empty),
        TEST(protojson_write_time_out_of_range_is_invalid),
        TEST(protojson_write_bound_is_exact),
        TEST(protojson_write_failing_allocation_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
