#include "protojson/field_value.h"

#include "fixture.h"
#include "protojson/protojson_schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const struct protojson_field *field_of(const struct fixture *fixture, const char *name)
{
    const struct protojson_message *type =
        protojson_schema_message(fixture->schema, &kinds__v1__kinds__descriptor);
    const struct protojson_spelling *spelling = protojson_schema_spelling(type, name, strlen(name));
    assert_non_null(spelling);
    return &type->fields[spelling->field];
}

static enum protojson_error store(struct fixture *fixture, ProtobufCMessage *message,
                                  const char *name, enum field_value_kind kind, const char *text,
                                  char *predicate)
{
    struct field_value value = {
        .kind = kind, .text = text, .length = strlen(text), .boolean = text[0] == 't'};
    size_t capacity = 0;
    return field_value_store(fixture->schema, field_of(fixture, name), &value, message, &capacity,
                             &fixture->allocator, predicate);
}

/* The same text is a number to one kind of value and a string to another. */
static void field_value_kind_decides_what_fits(void **state)
{
    struct fixture *fixture = *state;
    ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
    char why[FIELD_VALUE_PREDICATE_CHARS_MAX];
    const Kinds__V1__Kinds *kinds = (const Kinds__V1__Kinds *)message;
    assert_int_equal(store(fixture, message, "stringValue", FIELD_VALUE_NUMBER, "12", why),
                     PROTOJSON_INVALID_FIELD);
    assert_string_equal(why, "must be a string");
    assert_int_equal(store(fixture, message, "stringValue", FIELD_VALUE_TEXT, "12", why),
                     PROTOJSON_OK);
    assert_string_equal(kinds->string_value, "12");
    assert_int_equal(store(fixture, message, "boolValue", FIELD_VALUE_STRING, "true", why),
                     PROTOJSON_INVALID_FIELD);
    assert_int_equal(store(fixture, message, "boolValue", FIELD_VALUE_TEXT, "true", why),
                     PROTOJSON_OK);
    assert_true(kinds->bool_value);
    assert_int_equal(store(fixture, message, "color", FIELD_VALUE_STRING, "2", why),
                     PROTOJSON_INVALID_FIELD);
    assert_int_equal(store(fixture, message, "color", FIELD_VALUE_TEXT, "2", why), PROTOJSON_OK);
    assert_int_equal(kinds->color, 2);
    fixture_free(fixture, message);
}

/* A value that does not fit leaves the field alone. */
static void field_value_refused_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
    Kinds__V1__Kinds *kinds = (Kinds__V1__Kinds *)message;
    char why[FIELD_VALUE_PREDICATE_CHARS_MAX];
    assert_int_equal(store(fixture, message, "int32Value", FIELD_VALUE_NUMBER, "7", why),
                     PROTOJSON_OK);
    assert_int_equal(store(fixture, message, "stringValue", FIELD_VALUE_STRING, "kept", why),
                     PROTOJSON_OK);
    assert_int_equal(store(fixture, message, "int32Value", FIELD_VALUE_NUMBER, "7.5", why),
                     PROTOJSON_INVALID_FIELD);
    assert_int_equal(store(fixture, message, "stringValue", FIELD_VALUE_BOOL, "true", why),
                     PROTOJSON_INVALID_FIELD);
    assert_int_equal(store(fixture, message, "time", FIELD_VALUE_STRING, "now", why),
                     PROTOJSON_INVALID_FIELD);
    assert_int_equal(store(fixture, message, "int32List", FIELD_VALUE_STRING, "x", why),
                     PROTOJSON_INVALID_FIELD);
    assert_int_equal(kinds->int32_value, 7);
    assert_string_equal(kinds->string_value, "kept");
    assert_null(kinds->time);
    assert_int_equal(kinds->n_int32_list, 0);
    fixture_free(fixture, message);
}

/* Every kind can say what it wants; a wrapper wants what it wraps. */
static void field_value_expectation_is_said_of_every_kind(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < kinds__v1__kinds__descriptor.n_fields; i++) {
        char why[FIELD_VALUE_PREDICATE_CHARS_MAX] = "";
        field_value_expectation(field_of(fixture, kinds__v1__kinds__descriptor.fields[i].name),
                                why);
        assert_memory_equal(why, "must be ", 8);
    }
    char bare[FIELD_VALUE_PREDICATE_CHARS_MAX];
    char wrapped[FIELD_VALUE_PREDICATE_CHARS_MAX];
    field_value_expectation(field_of(fixture, "int64Value"), bare);
    field_value_expectation(field_of(fixture, "wrappedInt64"), wrapped);
    assert_string_equal(bare, wrapped);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(field_value_kind_decides_what_fits),
        TEST(field_value_refused_changes_nothing),
        TEST(field_value_expectation_is_said_of_every_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
