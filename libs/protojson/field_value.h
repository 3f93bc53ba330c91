/*
 * From one JSON scalar, or the text of a parameter, to one field. What does not fit is described by
 * what would: "must be a whole number from -2147483648 to 2147483647".
 */
#ifndef PROTOJSON_FIELD_VALUE_H
#define PROTOJSON_FIELD_VALUE_H

#include "protojson/protojson.h"

struct protojson_field;

enum field_value_kind {
    FIELD_VALUE_NUMBER, /* a JSON number */
    FIELD_VALUE_STRING, /* a JSON string, unescaped */
    FIELD_VALUE_BOOL,
    FIELD_VALUE_TEXT, /* of a parameter: whatever the field makes of it */
};

struct field_value {
    enum field_value_kind kind;
    const char *text; /* not NUL-terminated; borrowed */
    size_t length;
    bool boolean;
};

#define FIELD_VALUE_PREDICATE_CHARS_MAX 160

/*
 * Stores value in field of message, or appends it when the field is a list; capacity is the list's
 * (see field_slot_append). What the field held before goes back to allocator. The other members of
 * the field's oneof must be unset. On INVALID_FIELD predicate says what is allowed, and the field
 * is as it was.
 */
enum protojson_error field_value_store(
    const struct protojson_schema *schema, const struct protojson_field *field,
    const struct field_value *value, ProtobufCMessage *message, size_t *capacity,
    ProtobufCAllocator *allocator, char ret_predicate[FIELD_VALUE_PREDICATE_CHARS_MAX]) MUST_CHECK;

/* Says what a value of the field, or an element of the list that it is, must be. */
void field_value_expectation(const struct protojson_field *field,
                             char ret_predicate[FIELD_VALUE_PREDICATE_CHARS_MAX]);

#endif
