#include "protojson/field_value.h"

#include "base/text.h"
#include "protojson/base64.h"
#include "protojson/field_slot.h"
#include "protojson/json_number.h"
#include "protojson/protojson_schema.h"
#include "protojson/time_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer numbers than this are copied to the heap before strtod() sees them. */
#define NUMBER_CHARS_INLINE 64

/* What every decoder needs. */
struct decoding {
    const struct protojson_schema *schema;
    const struct field_value *value;
    ProtobufCAllocator *allocator;
    char *predicate;
};

static bool is_text(const struct field_value *value)
{
    return value->kind == FIELD_VALUE_STRING || value->kind == FIELD_VALUE_TEXT;
}

static bool equals(const struct field_value *value, const char *text)
{
    return value->length == strlen(text) && memcmp(value->text, text, value->length) == 0;
}

static void expect_enum(const ProtobufCEnumDescriptor *descriptor, char *predicate)
{
    size_t used = (size_t)snprintf(predicate, FIELD_VALUE_PREDICATE_CHARS_MAX, "must be one of");
    for (unsigned i = 0; i < descriptor->n_values; i++) {
        const char *name = descriptor->values[i].name;
        if (used + strlen(name) + sizeof(", ...") > FIELD_VALUE_PREDICATE_CHARS_MAX) {
            memcpy(predicate + used, ", ...", sizeof(", ..."));
            return;
        }
        used += (size_t)snprintf(predicate + used, FIELD_VALUE_PREDICATE_CHARS_MAX - used, "%s %s",
                                 i == 0 ? "" : ",", name);
    }
}

static const char *expected_scalar(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return "must be a whole number from -2147483648 to 2147483647";
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return "must be a whole number from 0 to 4294967295";
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return "must be a whole number from -9223372036854775808 to 9223372036854775807, as a "
               "string or a number";
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return "must be a whole number from 0 to 18446744073709551615, as a string or a number";
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return "must be a number within its type's range, or \"NaN\", \"Infinity\", \"-Infinity\"";
    case PROTOBUF_C_TYPE_BOOL:
        return "must be true or false";
    case PROTOBUF_C_TYPE_STRING:
        return "must be a string";
    case PROTOBUF_C_TYPE_BYTES:
        return "must be a string in base64";
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_MESSAGE:
        break;
    }
    UNREACHABLE("the caller handles enums and messages");
}

static const char *expected_message(enum protojson_kind kind)
{
    switch (kind) {
    case PROTOJSON_KIND_TIMESTAMP:
        return "must be a time such as 2026-01-31T12:00:00Z or 2026-01-31T12:00:00.5+01:00, in "
               "the years 0001 to 9999";
    case PROTOJSON_KIND_DURATION:
        return "must be a duration in seconds such as 1.5s, from -315576000000s to 315576000000s";
    case PROTOJSON_KIND_OBJECT:
    case PROTOJSON_KIND_WRAPPER:
        break;
    }
    return "must be an object";
}

void field_value_expectation(const struct protojson_field *field,
                             char ret_predicate[FIELD_VALUE_PREDICATE_CHARS_MAX])
{
    if (field->message != NULL && field->message->kind == PROTOJSON_KIND_WRAPPER) {
        field = &field->message->fields[0];
    }
    if (field->descriptor->type == PROTOBUF_C_TYPE_ENUM) {
        expect_enum(field->descriptor->descriptor, ret_predicate);
        return;
    }
    const char *text = field->message != NULL ? expected_message(field->message->kind)
                                              : expected_scalar(field->descriptor->type);
    snprintf(ret_predicate, FIELD_VALUE_PREDICATE_CHARS_MAX, "%s", text);
}

/* A whole number from min to max, given as a JSON number or as the text of one. */
static bool decode_integer(const struct field_value *value, int64_t min, uint64_t max,
                           uint64_t *ret_bits)
{
    bool negative;
    uint64_t magnitude;
    if (value->kind == FIELD_VALUE_BOOL ||
        (value->kind != FIELD_VALUE_NUMBER && !json_number_is_valid(value->text, value->length)) ||
        !json_number_to_integer(value->text, value->length, &negative, &magnitude)) {
        return false;
    }
    uint64_t limit = negative ? (uint64_t)0 - (uint64_t)min : max;
    if (magnitude > limit) {
        return false;
    }
    *ret_bits = negative ? (uint64_t)0 - magnitude : magnitude; /* two's complement */
    return true;
}

static enum protojson_error decode_int32(const struct field_value *value, void *slot)
{
    uint64_t bits;
    if (!decode_integer(value, INT32_MIN, INT32_MAX, &bits)) {
        return PROTOJSON_INVALID_FIELD;
    }
    *(uint32_t *)slot = (uint32_t)bits;
    return PROTOJSON_OK;
}

static enum protojson_error decode_uint32(const struct field_value *value, void *slot)
{
    uint64_t bits;
    if (!decode_integer(value, 0, UINT32_MAX, &bits)) {
        return PROTOJSON_INVALID_FIELD;
    }
    *(uint32_t *)slot = (uint32_t)bits;
    return PROTOJSON_OK;
}

static enum protojson_error decode_64(const struct field_value *value, int64_t min, uint64_t max,
                                      void *slot)
{
    uint64_t bits;
    if (!decode_integer(value, min, max, &bits)) {
        return PROTOJSON_INVALID_FIELD;
    }
    *(uint64_t *)slot = bits;
    return PROTOJSON_OK;
}

static enum protojson_error parse_number(const struct decoding *decoding, bool is_float, void *slot)
{
    const struct field_value *value = decoding->value;
    ProtobufCAllocator *allocator = decoding->allocator;
    char inline_copy[NUMBER_CHARS_INLINE];
    char *copy = inline_copy;
    if (value->length >= sizeof(inline_copy)) {
        copy = allocator->alloc(allocator->allocator_data, value->length + 1);
        if (copy == NULL) {
            return PROTOJSON_NO_MEMORY;
        }
    }
    memcpy(copy, value->text, value->length);
    copy[value->length] = '\0';
    locale_t locale = protojson_schema_locale(decoding->schema);
    double result = is_float ? (double)strtof_l(copy, NULL, locale) : strtod_l(copy, NULL, locale);
    if (copy != inline_copy) {
        allocator->free(allocator->allocator_data, copy);
    }
    if (isinf(result)) {
        return PROTOJSON_INVALID_FIELD;
    }
    if (is_float) {
        *(float *)slot = (float)result;
    } else {
        *(double *)slot = result;
    }
    return PROTOJSON_OK;
}

static enum protojson_error decode_float(const struct decoding *decoding, bool is_float, void *slot)
{
    const struct field_value *value = decoding->value;
    if (value->kind == FIELD_VALUE_BOOL) {
        return PROTOJSON_INVALID_FIELD;
    }
    if (value->kind == FIELD_VALUE_NUMBER || json_number_is_valid(value->text, value->length)) {
        return parse_number(decoding, is_float, slot);
    }
    double special;
    if (equals(value, "NaN")) {
        special = (double)NAN;
    } else if (equals(value, "Infinity")) {
        special = (double)INFINITY;
    } else if (equals(value, "-Infinity")) {
        special = (double)-INFINITY;
    } else {
        return PROTOJSON_INVALID_FIELD;
    }
    if (is_float) {
        *(float *)slot = (float)special;
    } else {
        *(double *)slot = special;
    }
    return PROTOJSON_OK;
}

static enum protojson_error decode_bool(const struct field_value *value, void *slot)
{
    bool result;
    if (value->kind == FIELD_VALUE_BOOL) {
        result = value->boolean;
    } else if (value->kind == FIELD_VALUE_TEXT &&
               (equals(value, "true") || equals(value, "false"))) {
        result = value->text[0] == 't';
    } else {
        return PROTOJSON_INVALID_FIELD;
    }
    *(protobuf_c_boolean *)slot = result;
    return PROTOJSON_OK;
}

static enum protojson_error decode_enum(const ProtobufCEnumDescriptor *descriptor,
                                        const struct field_value *value, void *slot)
{
    if (is_text(value)) {
        for (unsigned i = 0; i < descriptor->n_value_names; i++) {
            if (equals(value, descriptor->values_by_name[i].name)) {
                unsigned index = descriptor->values_by_name[i].index;
                *(int *)slot = descriptor->values[index].value;
                return PROTOJSON_OK;
            }
        }
        if (value->kind == FIELD_VALUE_STRING) {
            return PROTOJSON_INVALID_FIELD;
        }
    }
    return decode_int32(value, slot); /* enums of proto3 are open: any number is a value */
}

static enum protojson_error decode_string(const struct decoding *decoding, void *slot)
{
    const struct field_value *value = decoding->value;
    if (!is_text(value)) {
        return PROTOJSON_INVALID_FIELD;
    }
    const char *wrong = NULL;
    if (value->length > 0 && memchr(value->text, '\0', value->length) != NULL) {
        wrong = "must not hold the character U+0000";
    } else if (value->kind == FIELD_VALUE_TEXT && !text_is_utf8(value->text, value->length)) {
        wrong = "must be UTF-8";
    }
    if (wrong != NULL) {
        snprintf(decoding->predicate, FIELD_VALUE_PREDICATE_CHARS_MAX, "%s", wrong);
        return PROTOJSON_INVALID_FIELD;
    }
    ProtobufCAllocator *allocator = decoding->allocator;
    char *copy = allocator->alloc(allocator->allocator_data, value->length + 1);
    if (copy == NULL) {
        return PROTOJSON_NO_MEMORY;
    }
    if (value->length > 0) {
        memcpy(copy, value->text, value->length);
    }
    copy[value->length] = '\0';
    *(char **)slot = copy;
    return PROTOJSON_OK;
}

static enum protojson_error decode_bytes(const struct decoding *decoding, void *slot)
{
    const struct field_value *value = decoding->value;
    ProtobufCAllocator *allocator = decoding->allocator;
    if (!is_text(value)) {
        return PROTOJSON_INVALID_FIELD;
    }
    ProtobufCBinaryData bytes = {0, NULL};
    bytes.data =
        allocator->alloc(allocator->allocator_data, BASE64_DECODED_BYTES_MAX(value->length));
    if (bytes.data == NULL) {
        return PROTOJSON_NO_MEMORY;
    }
    if (!base64_decode(value->text, value->length, bytes.data, &bytes.len)) {
        allocator->free(allocator->allocator_data, bytes.data);
        return PROTOJSON_INVALID_FIELD;
    }
    *(ProtobufCBinaryData *)slot = bytes;
    return PROTOJSON_OK;
}

/* Decodes into slot, whose former contents are not looked at. */
static enum protojson_error decode_scalar(const struct decoding *decoding,
                                          const ProtobufCFieldDescriptor *field, void *slot)
{
    const struct field_value *value = decoding->value;
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return decode_int32(value, slot);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return decode_uint32(value, slot);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return decode_64(value, INT64_MIN, INT64_MAX, slot);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return decode_64(value, 0, UINT64_MAX, slot);
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return decode_float(decoding, field->type == PROTOBUF_C_TYPE_FLOAT, slot);
    case PROTOBUF_C_TYPE_BOOL:
        return decode_bool(value, slot);
    case PROTOBUF_C_TYPE_STRING:
        return decode_string(decoding, slot);
    case PROTOBUF_C_TYPE_BYTES:
        return decode_bytes(decoding, slot);
    case PROTOBUF_C_TYPE_ENUM:
        return decode_enum(field->descriptor, value, slot);
    case PROTOBUF_C_TYPE_MESSAGE:
        break;
    }
    UNREACHABLE("messages are decoded by their kind");
}

/* As decode_scalar(), but for a field of its own: what it held is given back afterwards. */
static enum protojson_error replace_scalar(const struct decoding *decoding,
                                           const ProtobufCFieldDescriptor *field,
                                           ProtobufCMessage *message)
{
    union {
        uint64_t number;
        void *pointer;
        ProtobufCBinaryData bytes;
    } decoded;
    enum protojson_error error = decode_scalar(decoding, field, &decoded);
    if (error == PROTOJSON_OK) {
        field_slot_release(message, field, decoding->allocator);
        memcpy(field_slot_at(message, field->offset), &decoded, field_slot_size(field->type));
        field_slot_commit(message, field);
    }
    return error;
}

static enum protojson_error decode_time(const struct decoding *decoding, enum protojson_kind kind,
                                        ProtobufCMessage *message)
{
    const struct field_value *value = decoding->value;
    int64_t seconds;
    int32_t nanos;
    bool ok = is_text(value) &&
              (kind == PROTOJSON_KIND_TIMESTAMP
                   ? time_text_parse_timestamp(value->text, value->length, &seconds, &nanos)
                   : time_text_parse_duration(value->text, value->length, &seconds, &nanos));
    if (!ok) {
        return PROTOJSON_INVALID_FIELD;
    }
    const ProtobufCFieldDescriptor *fields = message->descriptor->fields;
    *(int64_t *)field_slot_at(message, fields[0].offset) = seconds;
    *(int32_t *)field_slot_at(message, fields[1].offset) = nanos;
    return PROTOJSON_OK;
}

/* Decodes into a message of a well-known type. */
static enum protojson_error decode_message(const struct decoding *decoding,
                                           const struct protojson_message *type,
                                           ProtobufCMessage *message)
{
    if (type->kind == PROTOJSON_KIND_WRAPPER) {
        return replace_scalar(decoding, &type->descriptor->fields[0], message);
    }
    return decode_time(decoding, type->kind, message);
}

static enum protojson_error store_new_message(const struct decoding *decoding,
                                              const struct protojson_message *type,
                                              ProtobufCMessage **slot)
{
    ProtobufCMessage *message = field_slot_new_message(type->descriptor, decoding->allocator);
    if (message == NULL) {
        return PROTOJSON_NO_MEMORY;
    }
    enum protojson_error error = decode_message(decoding, type, message);
    if (error != PROTOJSON_OK) {
        protobuf_c_message_free_unpacked(message, decoding->allocator);
        return error;
    }
    *slot = message;
    return PROTOJSON_OK;
}

static enum protojson_error store_message(const struct decoding *decoding,
                                          const struct protojson_field *field,
                                          ProtobufCMessage *message)
{
    if (field->message->kind == PROTOJSON_KIND_OBJECT) {
        return PROTOJSON_INVALID_FIELD;
    }
    ProtobufCMessage *held = field_slot_message(message, field->descriptor);
    if (held != NULL) {
        return decode_message(decoding, field->message, held);
    }
    enum protojson_error error = store_new_message(
        decoding, field->message, field_slot_at(message, field->descriptor->offset));
    if (error == PROTOJSON_OK) {
        field_slot_commit(message, field->descriptor);
    }
    return error;
}

static enum protojson_error append(const struct decoding *decoding,
                                   const struct protojson_field *field, ProtobufCMessage *message,
                                   size_t *capacity)
{
    if (field->message != NULL && field->message->kind == PROTOJSON_KIND_OBJECT) {
        return PROTOJSON_INVALID_FIELD;
    }
    void *slot = field_slot_append(message, field->descriptor, capacity, decoding->allocator);
    if (slot == NULL) {
        return PROTOJSON_NO_MEMORY;
    }
    enum protojson_error error = field->message != NULL
                                     ? store_new_message(decoding, field->message, slot)
                                     : decode_scalar(decoding, field->descriptor, slot);
    if (error == PROTOJSON_OK) {
        field_slot_commit(message, field->descriptor);
    }
    return error;
}

enum protojson_error field_value_store(const struct protojson_schema *schema,
                                       const struct protojson_field *field,
                                       const struct field_value *value, ProtobufCMessage *message,
                                       size_t *capacity, ProtobufCAllocator *allocator,
                                       char ret_predicate[FIELD_VALUE_PREDICATE_CHARS_MAX])
{
    struct decoding decoding = {schema, value, allocator, ret_predicate};
    ret_predicate[0] = '\0';
    enum protojson_error error;
    if (field->descriptor->label == PROTOBUF_C_LABEL_REPEATED) {
        error = append(&decoding, field, message, capacity);
    } else if (field->message != NULL) {
        error = store_message(&decoding, field, message);
    } else {
        error = replace_scalar(&decoding, field->descriptor, message);
    }
    if (error == PROTOJSON_INVALID_FIELD && ret_predicate[0] == '\0') {
        field_value_expectation(field, ret_predicate);
    }
    return error;
}
