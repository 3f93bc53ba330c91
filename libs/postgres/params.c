#include "postgres/params.h"

#include "base/arena.h"
#include "base/uuid.h"

#include <endian.h>
#include <limits.h>
#include <string.h>

/* array_recv's form: three header words, then per dimension a length and a lower bound. */
#define ARRAY_HEADER_BYTES    12
#define ARRAY_DIMENSION_BYTES 8
#define ARRAY_LENGTH_BYTES    4

void params_init(struct params *params, struct arena *arena)
{
    params->_arena = arena;
    params->_count = 0;
    params->_failed = false;
}

bool params_failed(const struct params *params)
{
    return params->_failed;
}

bool params_match(const struct params *params, const struct statement *statement)
{
    size_t count = params == NULL ? 0 : params->_count;
    return count == statement->parameter_count &&
           (count == 0 ||
            memcmp(params->_types, statement->parameter_types, count * sizeof(uint32_t)) == 0);
}

/* Appends a parameter; bytes live in the arena or the program. A NULL pointer is SQL NULL. */
static void append(struct params *params, enum sql_type type, const char *bytes, size_t length)
{
    CHECK(params->_count < STATEMENT_PARAMETERS_MAX);
    CHECK(length <= INT_MAX);
    params->_types[params->_count] = (uint32_t)type;
    params->_values[params->_count] = bytes;
    params->_lengths[params->_count] = (int)length;
    params->_count++;
}

/* Room for a value of length bytes that becomes the next parameter; NULL marks the failure. */
static char *append_room(struct params *params, enum sql_type type, size_t length)
{
    char *room = length <= INT_MAX ? arena_alloc(params->_arena, length) : NULL;
    if (room == NULL) {
        params->_failed = true;
        length = 0;
    }
    append(params, type, room, length);
    return room;
}

static void append_copy(struct params *params, enum sql_type type, const void *bytes, size_t length)
{
    char *room = append_room(params, type, length);
    if (room != NULL) {
        memcpy(room, bytes, length);
    }
}

void params_add_failure(struct params *params, enum sql_type type)
{
    params->_failed = true;
    append(params, type, NULL, 0);
}

void params_add_null(struct params *params, enum sql_type type)
{
    append(params, type, NULL, 0);
}

void params_add_bool(struct params *params, bool value)
{
    append(params, SQL_TYPE_BOOL, value ? "\1" : "\0", 1);
}

void params_add_int2(struct params *params, int16_t value)
{
    uint16_t wire = htobe16((uint16_t)value);
    append_copy(params, SQL_TYPE_INT2, &wire, sizeof(wire));
}

void params_add_int4(struct params *params, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);
    append_copy(params, SQL_TYPE_INT4, &wire, sizeof(wire));
}

void params_add_int8(struct params *params, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    append_copy(params, SQL_TYPE_INT8, &wire, sizeof(wire));
}

void params_add_uuid(struct params *params, const struct uuid *value)
{
    append_copy(params, SQL_TYPE_UUID, value->bytes, UUID_BYTES);
}

/* The server's form of a time; a time before its range marks the failure. */
static uint64_t timestamptz_wire(struct params *params, int64_t unix_us)
{
    int64_t since_2000_us;
    if (__builtin_sub_overflow(unix_us, SQL_TYPE_EPOCH_UNIX_US, &since_2000_us)) {
        params->_failed = true;
        since_2000_us = 0;
    }
    return htobe64((uint64_t)since_2000_us);
}

void params_add_timestamptz(struct params *params, int64_t unix_us)
{
    uint64_t wire = timestamptz_wire(params, unix_us);
    append_copy(params, SQL_TYPE_TIMESTAMPTZ, &wire, sizeof(wire));
}

void params_add_text(struct params *params, const char *bytes, size_t length)
{
    if (bytes == NULL) {
        params_add_null(params, SQL_TYPE_TEXT);
    } else {
        append_copy(params, SQL_TYPE_TEXT, bytes, length);
    }
}

void params_add_enum(struct params *params, const char *label)
{
    params_add_label(params, label, strlen(label));
}

void params_add_label(struct params *params, const char *label, size_t length)
{
    append_copy(params, SQL_TYPE_ENUM, label, length);
}

void params_add_bytea(struct params *params, const void *bytes, size_t length)
{
    if (bytes == NULL) {
        params_add_null(params, SQL_TYPE_BYTEA);
    } else {
        append_copy(params, SQL_TYPE_BYTEA, bytes, length);
    }
}

static char *put_word(char *out, uint32_t value)
{
    uint32_t wire = htobe32(value);
    memcpy(out, &wire, sizeof(wire));
    return out + sizeof(wire);
}

/*
 * Appends an array parameter whose elements, each with its length word, take element_bytes in all,
 * and returns where the first belongs. NULL when there are none, or no room for them.
 */
static char *append_array(struct params *params, enum sql_type array_type, enum sql_type type,
                          size_t count, size_t element_bytes, bool has_null)
{
    size_t length = ARRAY_HEADER_BYTES;
    if (count > INT_MAX || element_bytes > INT_MAX) {
        length = SIZE_MAX; /* append_room refuses it */
    } else if (count > 0) {
        length += ARRAY_DIMENSION_BYTES + element_bytes;
    }
    char *out = append_room(params, array_type, length);
    if (out == NULL) {
        return NULL;
    }
    out = put_word(out, count > 0);
    out = put_word(out, has_null);
    out = put_word(out, (uint32_t)type);
    if (count == 0) {
        return NULL;
    }
    out = put_word(out, (uint32_t)count);
    return put_word(out, 1); /* the lower bound */
}

/* The bytes of count elements of one width with their length words; SIZE_MAX if that is too much.
 */
static size_t fixed_elements_bytes(size_t count, size_t width)
{
    size_t bytes;
    return __builtin_mul_overflow(count, ARRAY_LENGTH_BYTES + width, &bytes) ? SIZE_MAX : bytes;
}

void params_add_int2_array(struct params *params, const int16_t *values, size_t count)
{
    char *out = append_array(params, SQL_TYPE_INT2_ARRAY, SQL_TYPE_INT2, count,
                             fixed_elements_bytes(count, sizeof(*values)), false);
    for (size_t i = 0; out != NULL && i < count; i++, out += sizeof(*values)) {
        uint16_t wire = htobe16((uint16_t)values[i]);
        out = put_word(out, sizeof(wire));
        memcpy(out, &wire, sizeof(wire));
    }
}

void params_add_int4_array(struct params *params, const int32_t *values, size_t count)
{
    char *out = append_array(params, SQL_TYPE_INT4_ARRAY, SQL_TYPE_INT4, count,
                             fixed_elements_bytes(count, sizeof(*values)), false);
    for (size_t i = 0; out != NULL && i < count; i++) {
        out = put_word(out, sizeof(*values));
        out = put_word(out, (uint32_t)values[i]);
    }
}

void params_add_int8_array(struct params *params, const int64_t *values, size_t count)
{
    char *out = append_array(params, SQL_TYPE_INT8_ARRAY, SQL_TYPE_INT8, count,
                             fixed_elements_bytes(count, sizeof(*values)), false);
    for (size_t i = 0; out != NULL && i < count; i++, out += sizeof(*values)) {
        uint64_t wire = htobe64((uint64_t)values[i]);
        out = put_word(out, sizeof(wire));
        memcpy(out, &wire, sizeof(wire));
    }
}

void params_add_uuid_array(struct params *params, const struct uuid *values, size_t count)
{
    char *out = append_array(params, SQL_TYPE_UUID_ARRAY, SQL_TYPE_UUID, count,
                             fixed_elements_bytes(count, UUID_BYTES), false);
    for (size_t i = 0; out != NULL && i < count; i++, out += UUID_BYTES) {
        out = put_word(out, UUID_BYTES);
        memcpy(out, values[i].bytes, UUID_BYTES);
    }
}

void params_add_timestamptz_array(struct params *params, const int64_t *unix_us, size_t count)
{
    char *out = append_array(params, SQL_TYPE_TIMESTAMPTZ_ARRAY, SQL_TYPE_TIMESTAMPTZ, count,
                             fixed_elements_bytes(count, sizeof(*unix_us)), false);
    for (size_t i = 0; out != NULL && i < count; i++, out += sizeof(*unix_us)) {
        uint64_t wire = timestamptz_wire(params, unix_us[i]);
        out = put_word(out, sizeof(wire));
        memcpy(out, &wire, sizeof(wire));
    }
}

/* As fixed_elements_bytes, for texts; a NULL element is its length word alone. */
static size_t text_elements_bytes(const struct sql_text *values, size_t count, bool *ret_has_null)
{
    size_t bytes = fixed_elements_bytes(count, 0);
    bool has_null = false;
    for (size_t i = 0; i < count; i++) {
        has_null = has_null || values[i].bytes == NULL;
        if (__builtin_add_overflow(bytes, values[i].bytes == NULL ? 0 : values[i].length, &bytes)) {
            bytes = SIZE_MAX;
            break;
        }
    }
    *ret_has_null = has_null;
    return bytes;
}

void params_add_text_array(struct params *params, const struct sql_text *values, size_t count)
{
    bool has_null;
    size_t bytes = text_elements_bytes(values, count, &has_null);
    char *out = append_array(params, SQL_TYPE_TEXT_ARRAY, SQL_TYPE_TEXT, count, bytes, has_null);
    for (size_t i = 0; out != NULL && i < count; i++) {
        if (values[i].bytes == NULL) {
            out = put_word(out, UINT32_MAX); /* length -1 */
            continue;
        }
        out = put_word(out, (uint32_t)values[i].length);
        memcpy(out, values[i].bytes, values[i].length);
        out += values[i].length;
    }
}
