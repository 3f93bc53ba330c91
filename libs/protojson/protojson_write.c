/*
 * A message to JSON. Keys are kept with their quotes, colon and comma in the schema, digits are
 * written straight into the output; nothing here formats with printf but floating point.
 */
#include "protojson/base64.h"
#include "protojson/field_slot.h"
#include "protojson/protojson_append.h"
#include "protojson/protojson_schema.h"
#include "protojson/time_text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "-9223372036854775808" or "18446744073709551615", and two quotes. */
#define INTEGER_CHARS_MAX 22
/* "-1.7976931348623157e+308" and a NUL. */
#define FLOAT_CHARS_MAX 32

struct writer {
    const struct protojson_schema *schema;
    struct protojson_output *output;
    bool invalid; /* a value has no JSON form */
};

static void write_message(struct writer *writer, const struct protojson_message *type,
                          const ProtobufCMessage *message, size_t depth);

/* Whether the text can still become what was asked for. */
static bool can_go_on(const struct writer *writer)
{
    return !writer->invalid && !writer->output->overflowed;
}

static void append_char(struct protojson_output *output, char c)
{
    protojson_append(output, &c, 1);
}

/* Writes the digits of value so that they end at end; returns where they begin. */
static char *put_digits_before(char *end, uint64_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    while (value >= 100) {
        end -= 2;
        memcpy(end, &pairs[value % 100 * 2], 2);
        value /= 100;
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, &pairs[value * 2], 2);
        return end;
    }
    *--end = (char)('0' + value);
    return end;
}

static void append_integer(struct protojson_output *output, bool negative, uint64_t magnitude,
                           bool quoted)
{
    char text[INTEGER_CHARS_MAX];
    char *end = text + sizeof(text);
    char *begin = end;
    if (quoted) {
        *--begin = '"';
    }
    begin = put_digits_before(begin, magnitude);
    if (negative) {
        *--begin = '-';
    }
    if (quoted) {
        *--begin = '"';
    }
    protojson_append(output, begin, (size_t)(end - begin));
}

static void append_signed(struct protojson_output *output, int64_t value, bool quoted)
{
    uint64_t magnitude = value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value;
    append_integer(output, value < 0, magnitude, quoted);
}

/* The fewest digits that read back as the same number, between those that always and never do. */
static void append_finite(struct writer *writer, double value, bool is_float)
{
    char text[FLOAT_CHARS_MAX];
    int length = 0;
    int digits = is_float ? FLT_DIG : DBL_DIG;
    int digits_max = is_float ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
    locale_t former = uselocale(protojson_schema_locale(writer->schema)); /* the decimal point */
    for (; digits <= digits_max; digits++) {
        length = snprintf(text, sizeof(text), "%.*g", digits, value);
        CHECK(length > 0 && (size_t)length < sizeof(text));
        bool same = is_float ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value;
        if (same) {
            break;
        }
    }
    uselocale(former);
    protojson_append(writer->output, text, (size_t)length);
}

static void append_float(struct writer *writer, double value, bool is_float)
{
    if (isfinite(value)) {
        append_finite(writer, value, is_float);
        return;
    }
    const char *text = isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    protojson_append(writer->output, text, strlen(text));
}

static void append_enum(struct protojson_output *output, const ProtobufCEnumDescriptor *descriptor,
                        int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(descriptor, number);
    if (value == NULL) {
        append_signed(output, number, false);
        return;
    }
    protojson_append_string(output, value->name, strlen(value->name));
}

static void append_bytes(struct protojson_output *output, const ProtobufCBinaryData *bytes)
{
    size_t length = BASE64_ENCODED_CHARS(bytes->len);
    char *at = protojson_append_reserve(output, length + 2);
    if (at != NULL) {
        at[0] = '"';
        base64_encode(bytes->data, bytes->len, at + 1);
        at[length + 1] = '"';
        output->length += length + 2;
    }
}

static void append_text(struct protojson_output *output, const char *text)
{
    if (text == NULL) {
        text = ""; /* a message that was set up by hand */
    }
    protojson_append_string(output, text, strlen(text));
}

static void append_time(struct writer *writer, enum protojson_kind kind,
                        const ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *fields = message->descriptor->fields;
    int64_t seconds = *(int64_t *)field_slot_at(message, fields[0].offset);
    int32_t nanos = *(int32_t *)field_slot_at(message, fields[1].offset);
    char *at = protojson_append_reserve(writer->output, TIME_TEXT_CHARS_MAX + 2);
    if (at == NULL) {
        return;
    }
    size_t length = kind == PROTOJSON_KIND_TIMESTAMP
                        ? time_text_format_timestamp(seconds, nanos, at + 1)
                        : time_text_format_duration(seconds, nanos, at + 1);
    if (length == 0) {
        writer->invalid = true;
        return;
    }
    at[0] = '"';
    at[length + 1] = '"';
    writer->output->length += length + 2;
}

/* One value: a field's own, or a list's element. */
static void write_value(struct writer *writer, const struct protojson_field *field,
                        const void *slot, size_t depth)
{
    struct protojson_output *output = writer->output;
    switch (field->descriptor->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        append_signed(output, *(const int32_t *)slot, false);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        append_integer(output, false, *(const uint32_t *)slot, false);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        append_signed(output, *(const int64_t *)slot, true);
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        append_integer(output, false, *(const uint64_t *)slot, true);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
        append_float(writer, (double)*(const float *)slot, true);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        append_float(writer, *(const double *)slot, false);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        if (*(const protobuf_c_boolean *)slot) {
            protojson_append(output, "true", 4);
        } else {
            protojson_append(output, "false", 5);
        }
        return;
    case PROTOBUF_C_TYPE_ENUM:
        append_enum(output, field->descriptor->descriptor, *(const int *)slot);
        return;
    case PROTOBUF_C_TYPE_STRING:
        append_text(output, *(char *const *)slot);
        return;
    case PROTOBUF_C_TYPE_BYTES:
        append_bytes(output, slot);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        write_message(writer, field->message, *(ProtobufCMessage *const *)slot, depth);
        return;
    }
    UNREACHABLE("protobuf-c has no other types");
}

static void write_list(struct writer *writer, const struct protojson_field *field,
                       const ProtobufCMessage *message, size_t depth)
{
    size_t count = field_slot_count(message, field->descriptor);
    size_t size = field_slot_size(field->descriptor->type);
    const char *elements = *(char **)field_slot_at(message, field->descriptor->offset);
    append_char(writer->output, '[');
    for (size_t i = 0; i < count && can_go_on(writer); i++) {
        if (i > 0) {
            append_char(writer->output, ',');
        }
        write_value(writer, field, elements + i * size, depth + 1);
    }
    append_char(writer->output, ']');
}

static void write_object(struct writer *writer, const struct protojson_message *type,
                         const ProtobufCMessage *message, size_t depth)
{
    bool first = true;
    append_char(writer->output, '{');
    for (unsigned i = 0; i < type->descriptor->n_fields && can_go_on(writer); i++) {
        const struct protojson_field *field = &type->fields[i];
        if (!field_slot_is_present(message, field->descriptor)) {
            continue;
        }
        /* The key begins with the comma that parts it from the field before. */
        protojson_append(writer->output, field->key + first, field->key_length - first);
        first = false;
        if (field->descriptor->label == PROTOBUF_C_LABEL_REPEATED) {
            write_list(writer, field, message, depth);
        } else {
            write_value(writer, field, field_slot_at(message, field->descriptor->offset), depth);
        }
    }
    append_char(writer->output, '}');
}

/* depth counts the objects and lists around this message. */
static void write_message(struct writer *writer, const struct protojson_message *type,
                          const ProtobufCMessage *message, size_t depth)
{
    switch (type->kind) {
    case PROTOJSON_KIND_TIMESTAMP:
    case PROTOJSON_KIND_DURATION:
        append_time(writer, type->kind, message);
        return;
    case PROTOJSON_KIND_WRAPPER:
        write_value(writer, &type->fields[0],
                    field_slot_at(message, type->descriptor->fields[0].offset), depth);
        return;
    case PROTOJSON_KIND_OBJECT:
        break;
    }
    if (depth >= PROTOJSON_DEPTH_MAX) {
        writer->invalid = true;
        return;
    }
    write_object(writer, type, message, depth + 1);
}

enum protojson_error protojson_write(const struct protojson_schema *schema,
                                     const ProtobufCMessage *message,
                                     struct protojson_output *output)
{
    struct writer writer = {.schema = schema, .output = output};
    write_message(&writer, protojson_schema_message(schema, message->descriptor), message, 0);
    if (output->overflowed) {
        return PROTOJSON_NO_MEMORY;
    }
    return writer.invalid ? PROTOJSON_INVALID_FIELD : PROTOJSON_OK;
}
