#include "postgres/sql_array.h"

#include <endian.h>
#include <string.h>

/* Three header words, then per dimension a length and a lower bound, then the elements. */
#define HEADER_BYTES    12
#define DIMENSION_BYTES 8
#define WORD_BYTES      4

static uint32_t word_at(const char *bytes)
{
    uint32_t wire;
    memcpy(&wire, bytes, sizeof(wire));
    return be32toh(wire);
}

/* The bytes of an element of a type of one width, 0 for those of any length. */
static size_t width_of(enum sql_type element)
{
    switch ((int)element) {
    case SQL_TYPE_INT2:
        return sizeof(int16_t);
    case SQL_TYPE_INT4:
        return sizeof(int32_t);
    case SQL_TYPE_INT8:
    case SQL_TYPE_TIMESTAMPTZ:
        return sizeof(int64_t);
    case SQL_TYPE_UUID:
        return UUID_BYTES;
    default:
        return 0;
    }
}

/* A time that is finite and stays in range when counted from 1970. */
static enum row_fault check_time(const char *bytes)
{
    uint64_t wire;
    int64_t unix_us;
    memcpy(&wire, bytes, sizeof(wire));
    int64_t since_2000_us = (int64_t)be64toh(wire);
    return since_2000_us == INT64_MIN ||
                   __builtin_add_overflow(since_2000_us, SQL_TYPE_EPOCH_UNIX_US, &unix_us)
               ? ROW_OUT_OF_RANGE
               : ROW_SOUND;
}

static enum row_fault check_elements(const char *bytes, size_t length, size_t count,
                                     enum sql_type element)
{
    size_t width = width_of(element);
    for (size_t i = 0; i < count; i++) {
        if (length < WORD_BYTES) {
            return ROW_WRONG_LENGTH;
        }
        uint32_t bytes_said = word_at(bytes);
        bytes += WORD_BYTES;
        length -= WORD_BYTES;
        if (bytes_said == UINT32_MAX) { /* -1: NULL */
            if (width != 0) {
                return ROW_UNEXPECTED_NULL;
            }
            continue;
        }
        if (bytes_said > length || (width != 0 && bytes_said != width)) {
            return ROW_WRONG_LENGTH;
        }
        if (element == SQL_TYPE_TIMESTAMPTZ && check_time(bytes) != ROW_SOUND) {
            return ROW_OUT_OF_RANGE;
        }
        bytes += bytes_said;
        length -= bytes_said;
    }
    return length == 0 ? ROW_SOUND : ROW_WRONG_LENGTH;
}

enum row_fault sql_array_init(struct sql_array *ret, const char *bytes, size_t length,
                              enum sql_type element)
{
    if (length < HEADER_BYTES) {
        return ROW_WRONG_LENGTH;
    }
    uint32_t dimensions = word_at(bytes);
    if (dimensions > 1 || word_at(bytes + 2 * WORD_BYTES) != (uint32_t)element) {
        return ROW_WRONG_TYPE;
    }
    if (dimensions == 0) {
        if (length != HEADER_BYTES) {
            return ROW_WRONG_LENGTH;
        }
        *ret = (struct sql_array){.count = 0, .bytes = bytes + HEADER_BYTES};
        return ROW_SOUND;
    }
    if (length < HEADER_BYTES + DIMENSION_BYTES) {
        return ROW_WRONG_LENGTH;
    }
    size_t count = word_at(bytes + HEADER_BYTES);
    const char *first = bytes + HEADER_BYTES + DIMENSION_BYTES;
    enum row_fault fault =
        check_elements(first, length - HEADER_BYTES - DIMENSION_BYTES, count, element);
    if (fault == ROW_SOUND) {
        *ret = (struct sql_array){.count = count, .bytes = first};
    }
    return fault;
}

/* Steps over the next element; false after the last. NULL has no bytes. */
static bool next(struct sql_array *array, struct sql_text *ret)
{
    if (array->count == 0) {
        return false;
    }
    uint32_t length = word_at(array->bytes);
    array->bytes += WORD_BYTES;
    array->count--;
    if (length == UINT32_MAX) {
        *ret = (struct sql_text){0};
        return true;
    }
    *ret = (struct sql_text){.bytes = array->bytes, .length = length};
    array->bytes += length;
    return true;
}

/* As next, for an element of a known width: a reader of another type than was checked asserts. */
static bool next_fixed(struct sql_array *array, void *ret, size_t width)
{
    struct sql_text element;
    if (!next(array, &element)) {
        return false;
    }
    CHECK(element.length == width);
    memcpy(ret, element.bytes, width);
    return true;
}

bool sql_array_next_int2(struct sql_array *array, int16_t *ret)
{
    uint16_t wire;
    if (!next_fixed(array, &wire, sizeof(wire))) {
        return false;
    }
    *ret = (int16_t)be16toh(wire);
    return true;
}

bool sql_array_next_int4(struct sql_array *array, int32_t *ret)
{
    uint32_t wire;
    if (!next_fixed(array, &wire, sizeof(wire))) {
        return false;
    }
    *ret = (int32_t)be32toh(wire);
    return true;
}

bool sql_array_next_int8(struct sql_array *array, int64_t *ret)
{
    uint64_t wire;
    if (!next_fixed(array, &wire, sizeof(wire))) {
        return false;
    }
    *ret = (int64_t)be64toh(wire);
    return true;
}

bool sql_array_next_uuid(struct sql_array *array, struct uuid *ret)
{
    return next_fixed(array, ret->bytes, UUID_BYTES);
}

bool sql_array_next_timestamptz(struct sql_array *array, int64_t *ret_unix_us)
{
    int64_t since_2000_us;
    if (!sql_array_next_int8(array, &since_2000_us)) {
        return false;
    }
    *ret_unix_us = since_2000_us + SQL_TYPE_EPOCH_UNIX_US;
    return true;
}

bool sql_array_next_text(struct sql_array *array, struct sql_text *ret)
{
    return next(array, ret);
}
