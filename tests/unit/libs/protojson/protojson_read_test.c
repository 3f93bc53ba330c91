/*
 * Reading, by the cases of the official conformance suite for the kinds that are supported (the
 * names in the tables are the suite's) and by what this library promises beyond it.
 */
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

/* A scalar field of a message by name. */
static const void *member(const ProtobufCMessage *message, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    assert_non_null(field);
    return (const char *)message + field->offset;
}

struct integer_case {
    const char *name;
    const char *json;
    const char *field;
    int64_t value; /* of a 64-bit field as its bits */
    bool is_64;
};

/* Whole numbers in every way that proto3 JSON lets them be written, to the ends of their ranges. */
static void protojson_read_integer_is_exact(void **state)
{
    static const struct integer_case cases[] = {
        {"Int32FieldMaxValue", "{\"int32Value\": 2147483647}", "int32_value", INT32_MAX, false},
        {"Int32FieldMinValue", "{\"int32Value\": -2147483648}", "int32_value", INT32_MIN, false},
        {"Sint32", "{\"sint32Value\": -5}", "sint32_value", -5, false},
        {"Sfixed32", "{\"sfixed32Value\": -6}", "sfixed32_value", -6, false},
        {"Uint32FieldMaxValue", "{\"uint32Value\": 4294967295}", "uint32_value", -1, false},
        {"Fixed32", "{\"fixed32Value\": 4294967295}", "fixed32_value", -1, false},
        {"Uint32FieldNegativeZero", "{\"uint32Value\": -0}", "uint32_value", 0, false},
        {"Int64FieldMaxValue", "{\"int64Value\": \"9223372036854775807\"}", "int64_value",
         INT64_MAX, true},
        {"Int64FieldMinValue", "{\"int64Value\": \"-9223372036854775808\"}", "int64_value",
         INT64_MIN, true},
        {"Int64FieldMaxValueNotQuoted", "{\"int64Value\": 9223372036854775807}", "int64_value",
         INT64_MAX, true},
        {"Int64FieldMinValueNotQuoted", "{\"int64Value\": -9223372036854775808}", "int64_value",
         INT64_MIN, true},
        {"Sint64", "{\"sint64Value\": \"-7\"}", "sint64_value", -7, true},
        {"Sfixed64", "{\"sfixed64Value\": \"-8\"}", "sfixed64_value", -8, true},
        {"Uint64FieldMaxValue", "{\"uint64Value\": \"18446744073709551615\"}", "uint64_value", -1,
         true},
        {"Uint64FieldMaxValueNotQuoted", "{\"uint64Value\": 18446744073709551615}", "uint64_value",
         -1, true},
        {"Fixed64", "{\"fixed64Value\": \"18446744073709551615\"}", "fixed64_value", -1, true},
        {"Int64BeyondDouble", "{\"int64Value\": 9007199254740993}", "int64_value",
         INT64_C(9007199254740993), true},
        {"Int32FieldStringValue", "{\"int32Value\": \"2147483647\"}", "int32_value", INT32_MAX,
         false},
        {"Int32FieldStringValueEscaped", "{\"int32Value\": \"2\\u003147483647\"}", "int32_value",
         INT32_MAX, false},
        {"Int32FieldExponentialFormat", "{\"int32Value\": 1e5}", "int32_value", 100000, false},
        {"Int32FieldFloatTrailingZero", "{\"int32Value\": 100000.000}", "int32_value", 100000,
         false},
        {"Int32FieldMaxFloatValue", "{\"int32Value\": 2147483647.0}", "int32_value", INT32_MAX,
         false},
        {"Int32FieldMinFloatValue", "{\"int32Value\": -2147483648.0}", "int32_value", INT32_MIN,
         false},
        {"Uint32FieldMaxFloatValue", "{\"uint32Value\": 4294967295.0}", "uint32_value", -1, false},
        {"Int32FieldQuotedExponentialValue", "{\"int32Value\": \"1e5\"}", "int32_value", 100000,
         false},
        {"BoolFieldTrue", "{\"boolValue\": true}", "bool_value", 1, false},
        {"BoolFieldFalse", "{\"boolValue\": false}", "bool_value", 0, false},
        {"EnumField", "{\"color\": \"GREEN\"}", "color", 2, false},
        {"EnumFieldNegative", "{\"color\": \"BELOW\"}", "color", -1, false},
        {"EnumFieldNumericValueZero", "{\"color\": 0}", "color", 0, false},
        {"EnumFieldNumericValueNonZero", "{\"color\": 1}", "color", 1, false},
        {"EnumFieldUnknownValue", "{\"color\": 123}", "color", 123, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Kinds__V1__Kinds *kinds = fixture_read_kinds(*state, cases[i].json);
        const void *value = member(&kinds->base, cases[i].field);
        int64_t found = cases[i].is_64 ? *(const int64_t *)value : *(const int32_t *)value;
        if (found != cases[i].value) {
            fail_msg("%s: %lld", cases[i].name, (long long)found);
        }
        fixture_free(*state, &kinds->base);
    }
}

struct float_case {
    const char *name;
    const char *json;
    double value;
    bool is_float;
};

/* Floating point to the ends of its ranges, and the three words for what is no number. */
static void protojson_read_float_is_nearest(void **state)
{
    static const struct float_case cases[] = {
        {"FloatFieldMinPositiveValue", "{\"floatValue\": 1.175494e-38}", (double)1.175494e-38f,
         true},
        {"FloatFieldMaxNegativeValue", "{\"floatValue\": -1.175494e-38}", (double)-1.175494e-38f,
         true},
        {"FloatFieldMaxPositiveValue", "{\"floatValue\": 3.402823e+38}", (double)3.402823e+38f,
         true},
        {"FloatFieldMinNegativeValue", "{\"floatValue\": -3.402823e+38}", (double)-3.402823e+38f,
         true},
        {"FloatFieldQuotedValue", "{\"floatValue\": \"1\"}", 1, true},
        {"FloatFieldQuotedExponentialValue", "{\"floatValue\": \"1.5e1\"}", 15, true},
        {"FloatFieldInfinity", "{\"floatValue\": \"Infinity\"}", (double)INFINITY, true},
        {"FloatFieldNegativeInfinity", "{\"floatValue\": \"-Infinity\"}", (double)-INFINITY, true},
        {"DoubleFieldMinPositiveValue", "{\"doubleValue\": 2.22507e-308}", 2.22507e-308, false},
        {"DoubleFieldMaxPositiveValue", "{\"doubleValue\": 1.79769e+308}", 1.79769e+308, false},
        {"DoubleFieldMinNegativeValue", "{\"doubleValue\": -1.79769e+308}", -1.79769e+308, false},
        {"DoubleFieldQuotedValue", "{\"doubleValue\": \"1\"}", 1, false},
        {"DoubleFieldInfinity", "{\"doubleValue\": \"Infinity\"}", (double)INFINITY, false},
        {"DoubleFieldNegativeInfinity", "{\"doubleValue\": \"-Infinity\"}", (double)-INFINITY,
         false},
        {"DoubleFieldManyDigits",
         "{\"doubleValue\": "
         "0.1000000000000000055511151231257827021181583404541015625000000000000000000000}",
         0.1, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Kinds__V1__Kinds *kinds = fixture_read_kinds(*state, cases[i].json);
        double found = cases[i].is_float ? (double)kinds->float_value : kinds->double_value;
        if (memcmp(&found, &cases[i].value, sizeof(found)) != 0) {
            fail_msg("%s: %.17g", cases[i].name, found);
        }
        fixture_free(*state, &kinds->base);
    }
    Kinds__V1__Kinds *kinds =
        fixture_read_kinds(*state, "{\"floatValue\": \"NaN\", \"doubleValue\": \"NaN\"}");
    assert_true(isnan(kinds->float_value) && isnan(kinds->double_value));
    fixture_free(*state, &kinds->base);
}

struct text_case {
    const char *name;
    const char *json; /* a JSON string */
    const char *value;
};

/* Escapes become what they stand for, pairs of surrogates one character. */
static void protojson_read_string_is_unescaped(void **state)
{
    static const struct text_case cases[] = {
        {"StringField", "\"Hello world!\"", "Hello world!"},
        {"StringFieldEmpty", "\"\"", ""},
        {"StringFieldUnicode", "\"谷歌\"", "谷歌"},
        {"StringFieldEscape", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"StringFieldUnicodeEscape", "\"\\u8C37\\u6B4C\"", "谷歌"},
        {"StringFieldUnicodeEscapeWithLowercaseHexLetters", "\"\\u8c37\\u6b4c\"", "谷歌"},
        {"StringFieldSurrogatePair", "\"\\uD83D\\uDE01\"", "\xf0\x9f\x98\x81"},
        {"StringFieldUnderBMP", "\"\\u007f\\u0080\\u07ff\\u0800\"",
         "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char json[128];
        snprintf(json, sizeof(json), "{\"stringValue\": %s}", cases[i].json);
        Kinds__V1__Kinds *kinds = fixture_read_kinds(*state, json);
        if (strcmp(kinds->string_value, cases[i].value) != 0) {
            fail_msg("%s: %s", cases[i].name, kinds->string_value);
        }
        fixture_free(*state, &kinds->base);
    }
}

/* A string longer than any buffer of the parser, with an escape that makes it unescape all of it.
 */
static void protojson_read_long_string_is_whole(void **state)
{
    enum { CHARS = 20000 };
    char *json = malloc(CHARS + 64);
    assert_non_null(json);
    static const char opening[] = "{\"stringValue\":\"\\n";
    size_t begin = sizeof(opening) - 1;
    memcpy(json, opening, begin);
    memset(json + begin, 'x', CHARS);
    strcpy(json + begin + CHARS, "\"}");
    Kinds__V1__Kinds *kinds = fixture_read_kinds(*state, json);
    assert_int_equal(strlen(kinds->string_value), CHARS + 1);
    assert_int_equal(kinds->string_value[0], '\n');
    assert_int_equal(kinds->string_value[CHARS], 'x');
    fixture_free(*state, &kinds->base);
    free(json);
}

/* Both alphabets of base64, as the suite has them. */
static void protojson_read_bytes_are_decoded(void **state)
{
    Kinds__V1__Kinds *kinds =
        fixture_read_kinds(*state, "{\"bytesValue\": \"-_\", \"bytesList\": [\"AQI=\", \"\"]}");
    assert_int_equal(kinds->bytes_value.len, 1);
    assert_int_equal(kinds->bytes_value.data[0], 0xfb);
    assert_int_equal(kinds->n_bytes_list, 2);
    assert_memory_equal(kinds->bytes_list[0].data, "\1\2", 2);
    assert_int_equal(kinds->bytes_list[1].len, 0);
    fixture_free(*state, &kinds->base);
}

/* The suite's field names: the spelling that protoc derives, and the proto's own. */
static void protojson_read_field_is_known_by_both_spellings(void **state)
{
    static const char *const texts[] = {
        "{\"fieldname1\":1,\"fieldName2\":2,\"FieldName3\":3,\"fieldName4\":4,\"field0name5\":5,"
        "\"field0Name6\":6,\"fieldName7\":7,\"FieldName8\":8,\"fieldName9\":9,\"FieldName10\":10,"
        "\"FIELDNAME11\":11,\"FIELDName12\":12}",
        "{\"fieldname1\":1,\"field_name2\":2,\"_field_name3\":3,\"field__name4_\":4,"
        "\"field0name5\":5,\"field_0_name6\":6,\"fieldName7\":7,\"FieldName8\":8,\"field_Name9\":9,"
        "\"Field_Name10\":10,\"FIELD_NAME11\":11,\"FIELD_name12\":12}",
        "{\"fieldn\\u0061me1\":1,\"field\\u004eame2\":2,\"FieldName3\":3,\"fieldName4\":4,"
        "\"field0name5\":5,\"field0Name6\":6,\"fieldName7\":7,\"FieldName8\":8,\"fieldName9\":9,"
        "\"FieldName10\":10,\"FIELDNAME11\":11,\"FIELDName12\":12}",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        ProtobufCMessage *names = fixture_read_new(*state, texts[i], &kinds__v1__names__descriptor);
        for (unsigned j = 0; j < names->descriptor->n_fields; j++) {
            const ProtobufCFieldDescriptor *field = &names->descriptor->fields[j];
            assert_int_equal(*(int32_t *)(void *)((char *)names + field->offset), field->id);
        }
        fixture_free(*state, names);
    }
}

/* null stands for a field that is left out, whatever its kind. */
static void protojson_read_null_is_left_out(void **state)
{
    Kinds__V1__Kinds *kinds = fixture_read_kinds(
        *state,
        "{\"int32Value\":null,\"int64Value\":null,\"uint32Value\":null,\"floatValue\":null,"
        "\"boolValue\":null,\"stringValue\":null,\"bytesValue\":null,\"color\":null,"
        "\"child\":null,\"time\":null,\"duration\":null,\"int32List\":null,\"childList\":null,"
        "\"timeList\":null,\"wrapperList\":null,\"wrappedInt64\":null,\"wrappedString\":null,"
        "\"choiceText\":null,\"choiceNumber\":null,\"choiceChild\":null}");
    assert_int_equal(kinds__v1__kinds__get_packed_size(kinds), 0);
    fixture_free(*state, &kinds->base);
}

/* OneofFieldNullFirst, OneofFieldNullSecond: null sets no member, so it conflicts with none. */
static void protojson_read_oneof_takes_one_member(void **state)
{
    static const char *const texts[] = {"{\"choiceNumber\": 1, \"choiceText\": null}",
                                        "{\"choiceText\": null, \"choiceNumber\": 1}",
                                        "{\"choiceNumber\": 1}"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        Kinds__V1__Kinds *kinds = fixture_read_kinds(*state, texts[i]);
        assert_int_equal(kinds->choice_case, KINDS__V1__KINDS__CHOICE_CHOICE_NUMBER);
        assert_int_equal(kinds->choice_number, 1);
        fixture_free(*state, &kinds->base);
    }
    Kinds__V1__Kinds *kinds = fixture_read_kinds(*state, "{\"choiceNumber\": 0}");
    assert_int_equal(kinds->choice_case, KINDS__V1__KINDS__CHOICE_CHOICE_NUMBER);
    fixture_free(*state, &kinds->base);
    kinds = fixture_read_kinds(*state, "{\"choiceChild\": {\"choiceText\": \"x\"}}");
    assert_int_equal(kinds->choice_case, KINDS__V1__KINDS__CHOICE_CHOICE_CHILD);
    assert_string_equal(kinds->choice_child->choice_text, "x");
    fixture_free(*state, &kinds->base);
    kinds = fixture_read_kinds(*state, "{\"choiceTime\": \"1970-01-01T00:00:09Z\"}");
    assert_int_equal(kinds->choice_time->seconds, 9);
    fixture_free(*state, &kinds->base);
}

/* Messages in messages, lists of every kind, more elements than a list's first array holds. */
static void protojson_read_nested_and_repeated_are_complete(void **state)
{
    Kinds__V1__Kinds *kinds = fixture_read_kinds(
        *state,
        "{\"child\":{\"child\":{\"stringValue\":\"inner\"},\"int32Value\":1},"
        "\"int32List\":[1,2,3,4,5,6,7,8,9],\"int64List\":[\"1\",2],\"doubleList\":[1.5,\"NaN\"],"
        "\"boolList\":[true,false],\"stringList\":[\"a\",\"\",\"c\",\"d\",\"e\"],"
        "\"colorList\":[\"RED\",2],\"childList\":[{},{\"int32Value\":2},{\"childList\":[{}]}],"
        "\"timeList\":[\"1970-01-01T00:00:01Z\",\"1970-01-01T00:00:02Z\"],"
        "\"wrapperList\":[\"x\",\"\"]}");
    assert_string_equal(kinds->child->child->string_value, "inner");
    assert_int_equal(kinds->n_int32_list, 9);
    assert_int_equal(kinds->int32_list[8], 9);
    assert_int_equal(kinds->int64_list[0] + kinds->int64_list[1], 3);
    assert_true(isnan(kinds->double_list[1]));
    assert_true(kinds->bool_list[0] && !kinds->bool_list[1]);
    assert_int_equal(kinds->n_string_list, 5);
    assert_string_equal(kinds->string_list[4], "e");
    assert_int_equal(kinds->color_list[1], KINDS__V1__COLOR__GREEN);
    assert_int_equal(kinds->n_child_list, 3);
    assert_int_equal(kinds->child_list[1]->int32_value, 2);
    assert_int_equal(kinds->child_list[2]->n_child_list, 1);
    assert_int_equal(kinds->time_list[1]->seconds, 2);
    assert_int_equal(kinds->n_wrapper_list, 2);
    assert_string_equal(kinds->wrapper_list[0]->value, "x");
    fixture_free(*state, &kinds->base);
}

/* A wrapper tells "not given" from the default: a limit of 0 is not an absent limit. */
static void protojson_read_wrapper_is_the_bare_value(void **state)
{
    Kinds__V1__Kinds *kinds = fixture_read_kinds(
        *state, "{\"wrappedDouble\":0.5,\"wrappedFloat\":1,\"wrappedInt64\":\"-1\","
                "\"wrappedUint64\":\"18446744073709551615\",\"wrappedInt32\":0,"
                "\"wrappedUint32\":3,\"wrappedBool\":false,\"wrappedString\":\"\","
                "\"wrappedBytes\":\"AQ==\"}");
    assert_true(kinds->wrapped_double->value == 0.5);
    assert_true(kinds->wrapped_int64->value == -1);
    assert_true(kinds->wrapped_uint64->value == UINT64_MAX);
    assert_non_null(kinds->wrapped_int32);
    assert_int_equal(kinds->wrapped_int32->value, 0);
    assert_non_null(kinds->wrapped_bool);
    assert_string_equal(kinds->wrapped_string->value, "");
    assert_int_equal(kinds->wrapped_bytes->value.len, 1);
    fixture_free(*state, &kinds->base);
}

/* Times go where the message has them; what they may look like is time_text's test. */
static void protojson_read_times_are_parsed(void **state)
{
    Kinds__V1__Kinds *kinds = fixture_read_kinds(
        *state, "{\"time\":\"2026-01-01T01:00:00.5+01:00\",\"duration\":\"-1.5s\"}");
    assert_int_equal(kinds->time->seconds, 1767225600);
    assert_int_equal(kinds->time->nanos, 500000000);
    assert_int_equal(kinds->duration->seconds, -1);
    assert_int_equal(kinds->duration->nanos, -500000000);
    fixture_free(*state, &kinds->base);
}

/* In proto2 messages presence has a place of its own, which must be set. */
static void protojson_read_proto2_presence_is_set(void **state)
{
    ProtobufCMessage *message = fixture_read_new(
        *state, "{\"must\":1,\"may\":0,\"text\":\"t\",\"data\":\"\",\"child\":{\"must\":2}}",
        &legacy__v1__legacy__descriptor);
    const Legacy__V1__Legacy *legacy = (const Legacy__V1__Legacy *)message;
    assert_true(legacy->has_may && legacy->has_data && !legacy->child->has_may);
    assert_string_equal(legacy->text, "t");
    assert_string_equal(legacy->child->text, "given");
    fixture_free(*state, message);
}

struct failure_case {
    const char *name;
    const char *json;
    const char *field;
    const char *description; /* what the description contains; NULL: anything */
};

static const struct failure_case refusals[] = {
    {"Int32FieldTooLarge", "{\"int32Value\": 2147483648}", "int32Value",
     "int32Value must be a whole number from -2147483648 to 2147483647"},
    {"Int32FieldTooSmall", "{\"int32_value\": -2147483649}", "int32_value", NULL},
    {"Uint32FieldTooLarge", "{\"uint32Value\": 4294967296}", "uint32Value", "from 0 to 4294967295"},
    {"Uint32FieldNegative", "{\"uint32Value\": -1}", "uint32Value", NULL},
    {"Int64FieldTooLarge", "{\"int64Value\": \"9223372036854775808\"}", "int64Value",
     "from -9223372036854775808 to 9223372036854775807, as a string or a number"},
    {"Int64FieldTooSmall", "{\"int64Value\": \"-9223372036854775809\"}", "int64Value", NULL},
    {"Uint64FieldTooLarge", "{\"uint64Value\": \"18446744073709551616\"}", "uint64Value",
     "from 0 to 18446744073709551615"},
    {"Uint64FieldNegative", "{\"uint64Value\": \"-1\"}", "uint64Value", NULL},
    {"Int32FieldNotInteger", "{\"int32Value\": 0.5}", "int32Value", NULL},
    {"Uint32FieldNotInteger", "{\"uint32Value\": 0.5}", "uint32Value", NULL},
    {"Int64FieldNotInteger", "{\"int64Value\": \"0.5\"}", "int64Value", NULL},
    {"Uint64FieldNotInteger", "{\"uint64Value\": \"0.5\"}", "uint64Value", NULL},
    {"Int32FieldNotNumber", "{\"int32Value\": \"3x3\"}", "int32Value", NULL},
    {"Int64FieldNotNumber", "{\"int64Value\": \"3x3\"}", "int64Value", NULL},
    {"Int32FieldPlusSign", "{\"int32Value\": \"+1\"}", "int32Value", NULL},
    {"Int32FieldLeadingZero", "{\"int32Value\": \"01\"}", "int32Value", NULL},
    {"Int32FieldLeadingSpace", "{\"int32Value\": \" 1\"}", "int32Value", NULL},
    {"Int32FieldTrailingSpace", "{\"int32Value\": \"1 \"}", "int32Value", NULL},
    {"Int32FieldEmptyString", "{\"int32Value\": \"\"}", "int32Value", NULL},
    {"Int32FieldBool", "{\"int32Value\": true}", "int32Value", NULL},
    {"Int32FieldObject", "{\"int32Value\": {}}", "int32Value", NULL},
    {"Int32FieldList", "{\"int32Value\": [1]}", "int32Value", NULL},
    {"Int32FieldNan", "{\"int32Value\": \"NaN\"}", "int32Value", NULL},
    {"BoolFieldIntegerZero", "{\"boolValue\": 0}", "boolValue", "must be true or false"},
    {"BoolFieldIntegerOne", "{\"boolValue\": 1}", "boolValue", NULL},
    {"BoolFieldDoubleQuotedTrue", "{\"boolValue\": \"true\"}", "boolValue", NULL},
    {"BoolFieldDoubleQuotedFalse", "{\"boolValue\": \"false\"}", "boolValue", NULL},
    {"FloatFieldTooLarge", "{\"floatValue\": 3.502823e+38}", "floatValue",
     "must be a number within its type's range"},
    {"FloatFieldTooSmall", "{\"floatValue\": -3.502823e+38}", "floatValue", NULL},
    {"DoubleFieldTooLarge", "{\"doubleValue\": 1.89769e+308}", "doubleValue", NULL},
    {"DoubleFieldTooSmall", "{\"doubleValue\": -1.89769e+308}", "doubleValue", NULL},
    {"DoubleFieldNotNumber", "{\"doubleValue\": \"infinity\"}", "doubleValue", NULL},
    {"DoubleFieldBool", "{\"doubleValue\": false}", "doubleValue", NULL},
    {"EnumFieldUnknownName", "{\"color\": \"BLUE\"}", "color",
     "color must be one of BELOW, COLOR_UNSPECIFIED, RED, GREEN"},
    {"EnumFieldOtherCase", "{\"color\": \"red\"}", "color", NULL},
    {"EnumFieldQuotedNumber", "{\"color\": \"1\"}", "color", NULL},
    {"EnumFieldBool", "{\"color\": true}", "color", NULL},
    {"EnumFieldTooLarge", "{\"color\": 2147483648}", "color", NULL},
    {"StringFieldNotAString", "{\"stringValue\": 12345}", "stringValue", "must be a string"},
    {"StringFieldBool", "{\"stringValue\": true}", "stringValue", NULL},
    {"StringFieldNul", "{\"stringValue\": \"a\\u0000b\"}", "stringValue",
     "stringValue must not hold the character U+0000"},
    {"BytesFieldInvalid", "{\"bytesValue\": \"a*b\"}", "bytesValue", "must be a string in base64"},
    {"BytesFieldNumber", "{\"bytesValue\": 1}", "bytesValue", NULL},
    {"MessageFieldScalar", "{\"child\": 1}", "child", "must be an object"},
    {"MessageFieldString", "{\"child\": \"{}\"}", "child", NULL},
    {"MessageFieldList", "{\"child\": [{}]}", "child", NULL},
    {"OneofFieldDuplicate", "{\"choiceNumber\": 1, \"choiceText\": \"test\"}", "choiceText",
     "choiceText must not be set together with choiceNumber"},
    {"OneofFieldDuplicateObject", "{\"choiceNumber\": 1, \"choiceChild\": {}}", "choiceChild",
     NULL},
    {"OneofFieldDuplicateTime", "{\"choiceChild\": {}, \"choiceTime\": \"1970-01-01T00:00:00Z\"}",
     "choiceTime", NULL},
    {"FieldNameDuplicate", "{\"int32Value\": 1, \"int32Value\": 1}", "int32Value",
     "int32Value is given twice"},
    {"FieldNameDuplicateDifferentCasing1", "{\"int32_value\": 1, \"int32Value\": 1}", "int32Value",
     NULL},
    {"FieldNameDuplicateDifferentCasing2", "{\"int32Value\": 1, \"int32_value\": 1}", "int32_value",
     NULL},
    {"FieldNameDuplicateNull", "{\"int32Value\": null, \"int32Value\": 1}", "int32Value", NULL},
    {"FieldNameDuplicateMessage", "{\"child\": {}, \"child\": {}}", "child", NULL},
    {"FieldNameDuplicateList", "{\"int32List\": [], \"int32List\": []}", "int32List", NULL},
    {"UnknownField", "{\"nope\": 1}", "nope", "nope is not known here; known are int32Value"},
    {"UnknownFieldOtherCase", "{\"INT32VALUE\": 1}", "INT32VALUE", NULL},
    {"UnknownFieldEmpty", "{\"\": 1}", "", "is not known here"},
    {"UnknownFieldControl", "{\"a\\u0000\\n\": 1}", "a??", NULL},
    {"UnknownFieldNested", "{\"child\": {\"childList\": [{}, {\"nope\": 1}]}}",
     "child.childList[1].nope", NULL},
    {"RepeatedFieldScalar", "{\"int32List\": 1}", "int32List", "int32List must be a list"},
    {"RepeatedFieldObject", "{\"childList\": {}}", "childList", "must be a list"},
    {"RepeatedFieldString", "{\"stringList\": \"a\"}", "stringList", NULL},
    {"RepeatedFieldPrimitiveElementIsNull", "{\"int32List\": [1, null, 2]}", "int32List[1]",
     "int32List[1] must be a whole number"},
    {"RepeatedFieldMessageElementIsNull", "{\"childList\": [{}, null]}", "childList[1]",
     "must be an object"},
    {"RepeatedWrapperElementIsNull", "{\"wrapperList\": [null]}", "wrapperList[0]", NULL},
    {"RepeatedFieldWrongElementTypeExpectingIntegersGotBool", "{\"int32List\": [1, false]}",
     "int32List[1]", NULL},
    {"RepeatedFieldWrongElementTypeExpectingIntegersGotString", "{\"int32List\": [1, \"name\"]}",
     "int32List[1]", NULL},
    {"RepeatedFieldWrongElementTypeExpectingIntegersGotMessage", "{\"int32List\": [1, {}]}",
     "int32List[1]", NULL},
    {"RepeatedFieldWrongElementTypeExpectingStringsGotInt", "{\"stringList\": [\"1\", 2]}",
     "stringList[1]", NULL},
    {"RepeatedFieldWrongElementTypeExpectingMessagesGotInt", "{\"childList\": [{}, 1]}",
     "childList[1]", NULL},
    {"RepeatedFieldListInList", "{\"int32List\": [[1]]}", "int32List[0]", NULL},
    {"RepeatedFieldListInMessageList", "{\"childList\": [[{}]]}", "childList[0]", NULL},
    {"RepeatedFieldDeep", "{\"childList\": [{}, {\"int32List\": [1, 2, 3.5]}]}",
     "childList[1].int32List[2]", NULL},
    {"TimestampJsonInputTooSmall", "{\"time\": \"0000-01-01T00:00:00Z\"}", "time",
     "must be a time such as 2026-01-31T12:00:00Z"},
    {"TimestampJsonInputMissingZ", "{\"time\": \"0001-01-01T00:00:00\"}", "time", NULL},
    {"TimestampNumber", "{\"time\": 0}", "time", NULL},
    {"TimestampObject", "{\"time\": {\"seconds\": 0}}", "time", NULL},
    {"DurationMissingS", "{\"duration\": \"1\"}", "duration",
     "must be a duration in seconds such as 1.5s"},
    {"DurationJsonInputTooLarge", "{\"duration\": \"315576000001.000000000s\"}", "duration", NULL},
    {"WrapperOutOfRange", "{\"wrappedInt32\": 2147483648}", "wrappedInt32",
     "must be a whole number from -2147483648"},
    {"WrapperObject", "{\"wrappedInt32\": {\"value\": 1}}", "wrappedInt32", NULL},
    {"WrapperWrongType", "{\"wrappedString\": 1}", "wrappedString", "must be a string"},
};

/* Each refusal names the field as the client wrote it and says what is allowed. */
static void protojson_read_invalid_field_is_named(void **state)
{
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        struct fixture *fixture = *state;
        ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
        struct protojson_failure failure = {.field = "untouched"};
        enum protojson_error error = fixture_read(fixture, refusals[i].json, message, &failure);
        if (error != PROTOJSON_INVALID_FIELD || strcmp(failure.field, refusals[i].field) != 0) {
            fail_msg("%s: error %d, field %s", refusals[i].name, (int)error, failure.field);
        }
        if (refusals[i].description != NULL &&
            strstr(failure.description, refusals[i].description) == NULL) {
            fail_msg("%s: %s", refusals[i].name, failure.description);
        }
        assert_true(failure.offset <= strlen(refusals[i].json));
        fixture_free(fixture, message);
    }
}

/* What is no JSON object at all has no field to blame. */
static void protojson_read_malformed_text_is_told_so(void **state)
{
    static const char *const texts[] = {
        "",
        "null",
        "1",
        "\"{}\"",
        "[]",
        "true",
        "{",
        "{}{}",
        "{\"int32Value\": 1,}",
        "{\"int32Value\": 01}",
        "{int32Value: 1}",
        "{\"boolValue\": True}",
        "{\"color\": RED}",
        "{\"floatValue\": NaN}",
        "{\"floatValue\": Infinity}",
        "{\"int32Value\": +1}",
        "{\"int32List\": [1,]}",
        "{\"stringValue\": \"\\ud800\"}",
        "{\"stringValue\": '1'}",
        "{\"stringValue\": \"\xff\"}",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct fixture *fixture = *state;
        ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
        struct protojson_failure failure = {.field = "untouched"};
        if (fixture_read(fixture, texts[i], message, &failure) != PROTOJSON_MALFORMED) {
            fail_msg("%s is read", texts[i]);
        }
        assert_string_equal(failure.field, "");
        assert_true(strncmp(failure.description, "The ", 4) == 0);
        fixture_free(fixture, message);
    }
}

/* The idempotency key comes by its header only: a body that names it would be taken for another. */
static void protojson_read_sealed_field_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const ProtobufCFieldDescriptor *sealed[] = {protobuf_c_message_descriptor_get_field_by_name(
                                                    &kinds__v1__kinds__descriptor, "string_value"),
                                                protobuf_c_message_descriptor_get_field_by_name(
                                                    &kinds__v1__kinds__descriptor, "int32_value")};
    static const char *const texts[] = {"{\"string_value\":\"x\"}", "{\"string_value\":null}"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
        struct protojson_failure failure = {.field = ""};
        assert_int_equal(protojson_read(fixture->schema, texts[i], strlen(texts[i]), message,
                                        sealed, COUNT_OF(sealed), &fixture->allocator, &failure),
                         PROTOJSON_INVALID_FIELD);
        assert_string_equal(failure.field, "string_value");
        assert_non_null(strstr(failure.description, "is taken from the path, the query or a "
                                                    "header"));
        fixture_free(fixture, message);
    }
    /* Nor is a sealed field offered to who misspells another. */
    ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
    struct protojson_failure failure = {.field = ""};
    assert_int_equal(protojson_read(fixture->schema, "{\"x\":1}", 7, message, sealed,
                                    COUNT_OF(sealed), &fixture->allocator, &failure),
                     PROTOJSON_INVALID_FIELD);
    assert_null(strstr(failure.description, " int32Value"));
    assert_non_null(strstr(failure.description, "sint32Value"));
    fixture_free(fixture, message);
}

/* What path and query set before stays, and what the body adds to it comes on top. */
static void protojson_read_adds_to_what_is_there(void **state)
{
    struct fixture *fixture = *state;
    Kinds__V1__Kinds *kinds =
        fixture_read_kinds(fixture, "{\"int32Value\":1,\"stringValue\":\"old\",\"int32List\":[1],"
                                    "\"child\":{\"int32Value\":5},\"wrappedString\":\"old\"}");
    struct protojson_failure failure;
    assert_int_equal(fixture_read(fixture,
                                  "{\"stringValue\":\"new\",\"int32List\":[2,3,4,5],"
                                  "\"child\":{\"boolValue\":true},\"wrappedString\":\"new\"}",
                                  &kinds->base, &failure),
                     PROTOJSON_OK);
    assert_int_equal(kinds->int32_value, 1);
    assert_string_equal(kinds->string_value, "new");
    assert_int_equal(kinds->n_int32_list, 5);
    assert_int_equal(kinds->int32_list[0], 1);
    assert_int_equal(kinds->int32_list[4], 5);
    assert_int_equal(kinds->child->int32_value, 5);
    assert_true(kinds->child->bool_value);
    assert_string_equal(kinds->wrapped_string->value, "new");
    fixture_free(fixture, &kinds->base);
}

/* A member of a oneof that is set already, by the path say, conflicts just the same. */
static void protojson_read_oneof_conflicts_with_what_is_there(void **state)
{
    struct fixture *fixture = *state;
    Kinds__V1__Kinds *kinds = fixture_read_kinds(fixture, "{\"choiceText\":\"x\"}");
    struct protojson_failure failure;
    assert_int_equal(fixture_read(fixture, "{\"choiceBytes\":\"AQ==\"}", &kinds->base, &failure),
                     PROTOJSON_INVALID_FIELD);
    assert_string_equal(failure.field, "choiceBytes");
    assert_int_equal(fixture_read(fixture, "{\"choiceText\":\"y\"}", &kinds->base, &failure),
                     PROTOJSON_OK);
    assert_string_equal(kinds->choice_text, "y");
    fixture_free(fixture, &kinds->base);
}

/* Writes opening, depth times; then closing, depth times. */
static char *nested(const char *opening, const char *inner, const char *closing, size_t depth)
{
    char *text = calloc(1, depth * (strlen(opening) + strlen(closing)) + strlen(inner) + 1);
    assert_non_null(text);
    for (size_t i = 0; i < depth; i++) {
        strcat(text, opening);
    }
    strcat(text, inner);
    for (size_t i = 0; i < depth; i++) {
        strcat(text, closing);
    }
    return text;
}

/* The depth that is promised is read; the one beyond it is refused, before it costs anything. */
static void protojson_read_depth_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    char *text = nested("{\"child\":", "{}", "}", PROTOJSON_DEPTH_MAX - 1);
    Kinds__V1__Kinds *kinds = fixture_read_kinds(fixture, text);
    fixture_free(fixture, &kinds->base);
    free(text);

    static const char *const openings[] = {"{\"child\":", "{\"childList\":[", "{\"choiceChild\":"};
    static const char *const closings[] = {"}", "]}", "}"};
    static const size_t depths[] = {PROTOJSON_DEPTH_MAX, PROTOJSON_DEPTH_MAX / 2,
                                    PROTOJSON_DEPTH_MAX};
    for (size_t i = 0; i < COUNT_OF(openings); i++) {
        text = nested(openings[i], "{}", closings[i], depths[i]);
        ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
        struct protojson_failure failure;
        assert_int_equal(fixture_read(fixture, text, message, &failure), PROTOJSON_INVALID_FIELD);
        assert_non_null(strstr(failure.description, "is nested too deeply"));
        fixture_free(fixture, message);
        free(text);
    }
}

/* A path or a name longer than the failure has room for is cut at a character. */
static void protojson_read_long_names_are_cut_at_a_character(void **state)
{
    struct fixture *fixture = *state;
    char json[4096] = "{\"x";
    for (size_t i = 0; i < 500; i++) {
        strcat(json, "\xe2\x82\xac"); /* the euro sign: three bytes */
    }
    strcat(json, "\":1}");
    ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
    struct protojson_failure failure;
    assert_int_equal(fixture_read(fixture, json, message, &failure), PROTOJSON_INVALID_FIELD);
    assert_int_equal(strlen(failure.field), 94); /* 1 + 31 * 3; three more do not fit */
    assert_string_equal(failure.field + 91, "\xe2\x82\xac");
    fixture_free(fixture, message);
}

/* Each allocation of a read that makes every kind of them fails in turn; nothing is leaked. */
static void protojson_read_failing_allocation_is_no_memory(void **state)
{
    struct fixture *fixture = *state;
    static const char json[] =
        "{\"stringValue\":\"a\\n\",\"bytesValue\":\"AQ==\",\"child\":{\"stringValue\":\"b\"},"
        "\"int32List\":[1,2,3,4,5],\"stringList\":[\"a\",\"b\",\"c\",\"d\",\"e\"],"
        "\"childList\":[{\"bytesList\":[\"AQ==\"]},{}],\"time\":\"1970-01-01T00:00:00Z\","
        "\"timeList\":[\"1970-01-01T00:00:00Z\"],\"wrappedString\":\"w\",\"wrapperList\":[\"v\"],"
        "\"choiceText\":\"t\",\"doubleValue\":"
        "1.0000000000000000000000000000000000000000000000000000000000000000000000000000000}";
    size_t failures = 0;
    for (;; failures++) {
        ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
        struct protojson_failure failure = {.field = "untouched"};
        fixture->allocations = 0;
        fixture->fail_at = failures;
        enum protojson_error error = fixture_read(fixture, json, message, &failure);
        fixture->fail_at = SIZE_MAX;
        fixture_free(fixture, message);
        assert_int_equal(fixture->outstanding, 0);
        if (error == PROTOJSON_OK) {
            break;
        }
        assert_int_equal(error, PROTOJSON_NO_MEMORY);
        assert_string_equal(failure.field, "");
        assert_string_equal(failure.description, "");
    }
    assert_true(failures > 20);
}

/* A message without fields still refuses fields, and says that there are none. */
static void protojson_read_empty_message_knows_nothing(void **state)
{
    struct fixture *fixture = *state;
    ProtobufCMessage *message = fixture_read_new(fixture, " { } ", &kinds__v1__empty__descriptor);
    struct protojson_failure failure;
    assert_int_equal(fixture_read(fixture, "{\"a\":1}", message, &failure),
                     PROTOJSON_INVALID_FIELD);
    assert_string_equal(failure.description, "a is not known here; nothing is");
    fixture_free(fixture, message);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(protojson_read_integer_is_exact),
        TEST(protojson_read_float_is_nearest),
        TEST(protojson_read_string_is_unescaped),
        TEST(protojson_read_long_string_is_whole),
        TEST(protojson_read_bytes_are_decoded),
        TEST(protojson_read_field_is_known_by_both_spellings),
        TEST(protojson_read_null_is_left_out),
        TEST(protojson_read_oneof_takes_one_member),
        TEST(protojson_read_nested_and_repeated_are_complete),
        TEST(protojson_read_wrapper_is_the_bare_value),
        TEST(protojson_read_times_are_parsed),
        TEST(protojson_read_proto2_presence_is_set),
        TEST(protojson_read_invalid_field_is_named),
        TEST(protojson_read_malformed_text_is_told_so),
        TEST(protojson_read_sealed_field_is_refused),
        TEST(protojson_read_adds_to_what_is_there),
        TEST(protojson_read_oneof_conflicts_with_what_is_there),
        TEST(protojson_read_depth_is_bounded),
        TEST(protojson_read_long_names_are_cut_at_a_character),
        TEST(protojson_read_failing_allocation_is_no_memory),
        TEST(protojson_read_empty_message_knows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
