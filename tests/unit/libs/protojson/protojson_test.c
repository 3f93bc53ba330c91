#include "protojson/protojson.h"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool find(const struct fixture *fixture, const char *name,
                 const ProtobufCFieldDescriptor *ret_path[PROTOJSON_PATH_MAX + 1])
{
    return protojson_find_path(fixture->schema, &kinds__v1__kinds__descriptor, name, strlen(name),
                               ret_path);
}

static enum protojson_error set(struct fixture *fixture, ProtobufCMessage *message,
                                const char *name, const char *text,
                                struct protojson_failure *failure)
{
    const ProtobufCFieldDescriptor *path[PROTOJSON_PATH_MAX + 1];
    assert_true(find(fixture, name, path));
    /* A copy that ends where the text does: parameters are no C strings. */
    size_t length = strlen(text);
    char *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, text, length);
    enum protojson_error error = protojson_set_text(fixture->schema, message, path, copy, length,
                                                    &fixture->allocator, failure);
    free(copy);
    return error;
}

/* Errors about parameters and the OpenAPI document name fields as the JSON does. */
static void protojson_name_is_lower_camel_case(void **state)
{
    const struct fixture *fixture = *state;
    assert_string_equal(protojson_name(fixture->schema, &kinds__v1__kinds__descriptor,
                                       &kinds__v1__kinds__descriptor.fields[0]),
                        "int32Value");
    assert_string_equal(protojson_name(fixture->schema, &kinds__v1__names__descriptor,
                                       &kinds__v1__names__descriptor.fields[3]),
                        "fieldName4");
}

/* A query parameter may be spelled either way, each part of it for itself. */
static void protojson_find_path_takes_either_spelling(void **state)
{
    const ProtobufCFieldDescriptor *path[PROTOJSON_PATH_MAX + 1];
    static const char *const names[] = {"child.child.int32Value", "child.child.int32_value"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_true(find(*state, names[i], path));
        assert_string_equal(path[0]->name, "child");
        assert_string_equal(path[1]->name, "child");
        assert_string_equal(path[2]->name, "int32_value");
        assert_null(path[3]);
    }
    assert_true(find(*state, "stringList", path));
    assert_null(path[1]);
    assert_true(find(*state, "time", path));
}

/* What is no field is none, however close; and the result is then as it was. */
static void protojson_find_path_knows_no_other_name(void **state)
{
    static const char *const names[] = {
        "",
        ".",
        "nope",
        "child.",
        ".child",
        "child..child",
        "child.nope",
        "int32Value.x",
        "childList.int32Value",
        "time.seconds",
        "wrappedString.value",
        "Int32Value",
        "child ",
        "child.child.child.child.child.child.child.child.int32Value", /* nine fields */
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const ProtobufCFieldDescriptor *path[PROTOJSON_PATH_MAX + 1] = {NULL};
        assert_false(find(*state, names[i], path));
        assert_null(path[0]);
    }
    const ProtobufCFieldDescriptor *path[PROTOJSON_PATH_MAX + 1];
    assert_true(find(*state, "child.child.child.child.child.child.child.int32Value", path));
    assert_null(path[PROTOJSON_PATH_MAX]);
}

/* Text becomes what its field is; strings are taken as they are, digits or not. */
static void protojson_set_text_fits_the_field(void **state)
{
    struct fixture *fixture = *state;
    ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
    static const char *const pairs[][2] = {
        {"int32Value", "-5"},
        {"int64Value", "9223372036854775807"},
        {"boolValue", "true"},
        {"stringValue", "\"007\" \xc3\xa9"},
        {"bytesValue", "AQI"},
        {"color", "GREEN"},
        {"doubleValue", "1.5e3"},
        {"time", "1970-01-01T00:00:05Z"},
        {"duration", "1.5s"},
        {"wrappedInt32", "0"},
        {"child.child.stringValue", ""},
        {"child.child.boolValue", "false"},
        {"choiceTime", "1970-01-01T00:00:07Z"},
    };
    struct protojson_failure failure;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        assert_int_equal(set(fixture, message, pairs[i][0], pairs[i][1], &failure), PROTOJSON_OK);
    }
    const Kinds__V1__Kinds *kinds = (const Kinds__V1__Kinds *)message;
    assert_int_equal(kinds->int32_value, -5);
    assert_true(kinds->int64_value == INT64_MAX);
    assert_true(kinds->bool_value);
    assert_string_equal(kinds->string_value, "\"007\" \xc3\xa9");
    assert_int_equal(kinds->bytes_value.len, 2);
    assert_int_equal(kinds->color, KINDS__V1__COLOR__GREEN);
    assert_true(kinds->double_value == 1500);
    assert_int_equal(kinds->time->seconds, 5);
    assert_int_equal(kinds->duration->nanos, 500000000);
    assert_int_equal(kinds->wrapped_int32->value, 0);
    assert_string_equal(kinds->child->child->string_value, "");
    assert_int_equal(kinds->choice_time->seconds, 7);
    fixture_free(fixture, message);
}

/* saleIds=a&saleIds=b is a list of two; a single field given again is the last one given. */
static void protojson_set_text_again_appends_or_replaces(void **state)
{
    struct fixture *fixture = *state;
    ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
    struct protojson_failure failure;
    for (int i = 0; i < 21; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(set(fixture, message, "stringList", text, &failure), PROTOJSON_OK);
        assert_int_equal(set(fixture, message, "stringValue", text, &failure), PROTOJSON_OK);
        assert_int_equal(set(fixture, message, "wrappedString", text, &failure), PROTOJSON_OK);
        assert_int_equal(set(fixture, message, "choiceText", text, &failure), PROTOJSON_OK);
    }
    const Kinds__V1__Kinds *kinds = (const Kinds__V1__Kinds *)message;
    assert_int_equal(kinds->n_string_list, 21);
    assert_string_equal(kinds->string_list[0], "0");
    assert_string_equal(kinds->string_list[20], "20");
    assert_string_equal(kinds->string_value, "20");
    assert_string_equal(kinds->wrapped_string->value, "20");
    assert_string_equal(kinds->choice_text, "20");
    fixture_free(fixture, message);
}

struct text_failure {
    const char *name, *text, *field, *description;
};

/* The failure names the parameter's field and says what it takes. */
static void protojson_set_text_refuses_what_does_not_fit(void **state)
{
    struct fixture *fixture = *state;
    static const struct text_failure cases[] = {
        {"int32_value", "", "int32Value", "int32Value must be a whole number from -2147483648"},
        {"int32Value", "1x", "int32Value", NULL},
        {"int32Value", "+1", "int32Value", NULL},
        {"int32Value", "2147483648", "int32Value", NULL},
        {"int32Value", "true", "int32Value", NULL},
        {"boolValue", "1", "boolValue", "boolValue must be true or false"},
        {"boolValue", "True", "boolValue", NULL},
        {"color", "BLUE", "color", "must be one of"},
        {"doubleValue", "1,5", "doubleValue", NULL},
        {"doubleValue", "0x1p3", "doubleValue", NULL},
        {"stringValue", "\xff", "stringValue", "stringValue must be UTF-8"},
        {"bytesValue", "a", "bytesValue", NULL},
        {"time", "\"1970-01-01T00:00:05Z\"", "time", NULL},
        {"wrappedBool", "yes", "wrappedBool", "must be true or false"},
        {"child", "{}", "child", "child must be an object"},
        {"childList", "{}", "childList", NULL},
        {"int32List", "1,2", "int32List", NULL},
        {"child.child.int32_value", "x", "child.child.int32Value", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
        struct protojson_failure failure = {.field = ""};
        assert_int_equal(set(fixture, message, cases[i].name, cases[i].text, &failure),
                         PROTOJSON_INVALID_FIELD);
        assert_string_equal(failure.field, cases[i].field);
        if (cases[i].description != NULL) {
            assert_non_null(strstr(failure.description, cases[i].description));
        }
        fixture_free(fixture, message);
    }
}

/* A NUL in a parameter (%00) would end the string early for everybody behind us. */
static void protojson_set_text_nul_is_refused(void **state)
{
    struct fixture *fixture = *state;
    ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
    const ProtobufCFieldDescriptor *path[PROTOJSON_PATH_MAX + 1];
    assert_true(find(fixture, "stringValue", path));
    struct protojson_failure failure;
    assert_int_equal(protojson_set_text(fixture->schema, message, path, "a\0b", 3,
                                        &fixture->allocator, &failure),
                     PROTOJSON_INVALID_FIELD);
    assert_non_null(strstr(failure.description, "U+0000"));
    fixture_free(fixture, message);
}

/* Two parameters that set two members of one oneof contradict each other. */
static void protojson_set_text_oneof_takes_one_member(void **state)
{
    struct fixture *fixture = *state;
    ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
    struct protojson_failure failure;
    assert_int_equal(set(fixture, message, "choiceChild.stringValue", "x", &failure), PROTOJSON_OK);
    assert_int_equal(set(fixture, message, "choiceChild.boolValue", "true", &failure),
                     PROTOJSON_OK);
    assert_int_equal(set(fixture, message, "choiceText", "y", &failure), PROTOJSON_INVALID_FIELD);
    assert_string_equal(failure.field, "choiceText");
    assert_non_null(strstr(failure.description, "must not be set together with choiceChild"));
    fixture_free(fixture, message);
}

/* Each allocation on the way to a nested field fails in turn; nothing is leaked. */
static void protojson_set_text_failing_allocation_is_no_memory(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"child.child.wrappedString", "child.bytesValue",
                                        "stringList", "timeList", "wrapperList"};
    static const char *const texts[] = {"x", "AQ==", "x", "1970-01-01T00:00:00Z", "x"};
    size_t failures = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        enum protojson_error error = PROTOJSON_NO_MEMORY;
        for (size_t fail_at = 0; error != PROTOJSON_OK; fail_at++) {
            ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
            struct protojson_failure failure;
            fixture->allocations = 0;
            fixture->fail_at = fail_at;
            error = set(fixture, message, names[i], texts[i], &failure);
            fixture->fail_at = SIZE_MAX;
            assert_true(error == PROTOJSON_OK || error == PROTOJSON_NO_MEMORY);
            failures += error != PROTOJSON_OK;
            fixture_free(fixture, message);
            assert_int_equal(fixture->outstanding, 0);
        }
    }
    assert_int_equal(failures, 4 + 2 + 2 + 2 + 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(protojson_name_is_lower_camel_case),
        TEST(protojson_find_path_takes_either_spelling),
        TEST(protojson_find_path_knows_no_other_name),
        TEST(protojson_set_text_fits_the_field),
        TEST(protojson_set_text_again_appends_or_replaces),
        TEST(protojson_set_text_refuses_what_does_not_fit),
        TEST(protojson_set_text_nul_is_refused),
        TEST(protojson_set_text_oneof_takes_one_member),
        TEST(protojson_set_text_failing_allocation_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
