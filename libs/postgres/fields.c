#include "postgres/fields.h"

#include "base/check.h"
#include "postgres/session.h"

#include <endian.h>
#include <libpq-fe.h>
#include <string.h>

void fields_init(struct fields *fields, const struct session_result *result, size_t index)
{
    CHECK(index < result->row_count);
    *fields = (struct fields){._result = result->_result, ._row = (int)index};
}

void fields_fail(struct fields *fields, int column, enum row_fault fault)
{
    if (fields->fault == ROW_SOUND) {
        fields->fault = fault;
        fields->fault_column = column;
    }
}

bool fields_is_null(const struct fields *fields, int column)
{
    return PQgetisnull(fields->_result, fields->_row, column) != 0;
}

/* Why a value is not as long as it should be: libpq gives NULL the length 0. */
static void fail_length(struct fields *fields, int column)
{
    fields_fail(fields, column,
                fields_is_null(fields, column) ? ROW_UNEXPECTED_NULL : ROW_WRONG_LENGTH);
}

/* The bytes of a value of one width, or NULL and a fault. Looks at NULL only after a surprise. */
static const char *fixed(struct fields *fields, int column, int width)
{
    if (PQgetlength(fields->_result, fields->_row, column) != width) {
        fail_length(fields, column);
        return NULL;
    }
    return PQgetvalue(fields->_result, fields->_row, column);
}

bool fields_bool(struct fields *fields, int column)
{
    const char *bytes = fixed(fields, column, 1);
    return bytes != NULL && *bytes != 0;
}

int16_t fields_int2(struct fields *fields, int column)
{
    uint16_t wire = 0;
    const char *bytes = fixed(fields, column, sizeof(wire));
    if (bytes != NULL) {
        memcpy(&wire, bytes, sizeof(wire));
    }
    return (int16_t)be16toh(wire);
}

int32_t fields_int4(struct fields *fields, int column)
{
    uint32_t wire = 0;
    const char *bytes = fixed(fields, column, sizeof(wire));
    if (bytes != NULL) {
        memcpy(&wire, bytes, sizeof(wire));
    }
    return (int32_t)be32toh(wire);
}

int64_t fields_int8(struct fields *fields, int column)
{
    uint64_t wire = 0;
    const char *bytes = fixed(fields, column, sizeof(wire));
    if (bytes != NULL) {
        memcpy(&wire, bytes, sizeof(wire));
    }
    return (int64_t)be64toh(wire);
}

struct uuid fields_uuid(struct fields *fields, int column)
{
    struct uuid uuid = {0};
    const char *bytes = fixed(fields, column, UUID_BYTES);
    if (bytes != NULL) {
        memcpy(uuid.bytes, bytes, UUID_BYTES);
    }
    return uuid;
}

int64_t fields_timestamptz(struct fields *fields, int column)
{
    int64_t since_2000_us = fields_int8(fields, column);
    int64_t unix_us;
    if (since_2000_us == INT64_MIN || /* -infinity */
        __builtin_add_overflow(since_2000_us, SQL_TYPE_EPOCH_UNIX_US, &unix_us)) {
        fields_fail(fields, column, ROW_OUT_OF_RANGE);
        return 0;
    }
    return unix_us;
}

struct sql_text fields_text(struct fields *fields, int column)
{
    int length = PQgetlength(fields->_result, fields->_row, column);
    if (length == 0 && fields_is_null(fields, column)) {
        fields_fail(fields, column, ROW_UNEXPECTED_NULL);
        return (struct sql_text){0};
    }
    return (struct sql_text){.bytes = PQgetvalue(fields->_result, fields->_row, column),
                             .length = (size_t)length};
}

size_t fields_label(struct fields *fields, int column, const char *const *labels, size_t count)
{
    struct sql_text found = fields_text(fields, column);
    for (size_t i = 0; i < count; i++) {
        if (found.bytes != NULL && strlen(labels[i]) == found.length &&
            memcmp(labels[i], found.bytes, found.length) == 0) {
            return i;
        }
    }
    fields_fail(fields, column, ROW_UNKNOWN_LABEL);
    return 0;
}

struct sql_array fields_array(struct fields *fields, int column, enum sql_type element)
{
    struct sql_array array = {0};
    struct sql_text value = fields_text(fields, column);
    if (value.bytes != NULL) {
        enum row_fault fault = sql_array_init(&array, value.bytes, value.length, element);
        if (fault != ROW_SOUND) {
            fields_fail(fields, column, fault);
        }
    }
    return array;
}
