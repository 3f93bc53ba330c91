/*
 * Reads one row of a result whose columns query_receive() has checked already: what generated row
 * readers are made of. Column types are therefore not looked at again, which is what sets it apart
 * from row.h; NULLs and lengths are. The first fault is kept and the value is then zero, so that a
 * reader checks once. Columns count from 0. One thread at a time; allocates nothing.
 *
 * All of it is inline, for a row is read in some tens of nanoseconds, of which calls would be a
 * good part; so whoever includes this needs libpq's headers.
 */
#ifndef POSTGRES_FIELDS_H
#define POSTGRES_FIELDS_H

#include "base/uuid.h"
#include "postgres/row.h"
#include "postgres/session.h"
#include "postgres/sql_array.h"
#include "postgres/sql_type.h"

#include <endian.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fields {
    const struct pg_result *_result;
    int _row;
    int fault_column; /* meaningful if fault is not ROW_SOUND */
    enum row_fault fault;
};

/* index counts from 0 and must be below result->row_count (asserted). */
static inline void fields_init(struct fields *fields, const struct session_result *result,
                               size_t index)
{
    CHECK(index < result->row_count);
    *fields = (struct fields){._result = result->_result, ._row = (int)index};
}

/* Keeps a fault that the caller found in a value; the first one stays. */
void fields_fail(struct fields *fields, int column, enum row_fault fault);

/* The same for a value that is not as long as it should be. */
void fields_fail_length(struct fields *fields, int column);

static inline bool fields_is_null(const struct fields *fields, int column)
{
    return PQgetisnull(fields->_result, fields->_row, column) != 0;
}

/*
 * Copies a value of exactly width bytes; zero bytes and a fault if it is none. libpq gives NULL the
 * length 0, so that whether it is NULL need be asked only after a surprise.
 */
static inline void fields_copy(struct fields *fields, int column, void *ret_value, int width)
{
    if (__builtin_expect(PQgetlength(fields->_result, fields->_row, column) != width, 0)) {
        fields_fail_length(fields, column);
        memset(ret_value, 0, (size_t)width);
        return;
    }
    memcpy(ret_value, PQgetvalue(fields->_result, fields->_row, column), (size_t)width);
}

static inline bool fields_bool(struct fields *fields, int column)
{
    uint8_t wire;
    fields_copy(fields, column, &wire, sizeof(wire));
    return wire != 0;
}

static inline int16_t fields_int2(struct fields *fields, int column)
{
    uint16_t wire;
    fields_copy(fields, column, &wire, sizeof(wire));
    return (int16_t)be16toh(wire);
}

static inline int32_t fields_int4(struct fields *fields, int column)
{
    uint32_t wire;
    fields_copy(fields, column, &wire, sizeof(wire));
    return (int32_t)be32toh(wire);
}

static inline int64_t fields_int8(struct fields *fields, int column)
{
    uint64_t wire;
    fields_copy(fields, column, &wire, sizeof(wire));
    return (int64_t)be64toh(wire);
}

static inline struct uuid fields_uuid(struct fields *fields, int column)
{
    struct uuid uuid;
    fields_copy(fields, column, uuid.bytes, UUID_BYTES);
    return uuid;
}

/* Microseconds since 1970-01-01 UTC. */
static inline int64_t fields_timestamptz(struct fields *fields, int column)
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

/* Text, bytes, or an enum's label; they point into the result. Never NULL bytes unless it failed.
 */
static inline struct sql_text fields_text(struct fields *fields, int column)
{
    int length = PQgetlength(fields->_result, fields->_row, column);
    if (length == 0 && fields_is_null(fields, column)) {
        fields_fail(fields, column, ROW_UNEXPECTED_NULL);
        return (struct sql_text){0};
    }
    return (struct sql_text){.bytes = PQgetvalue(fields->_result, fields->_row, column),
                             .length = (size_t)length};
}

/* The index of an enum's label among count labels; 0 and a fault if it is none of them. */
static inline size_t fields_label(struct fields *fields, int column, const struct sql_text *labels,
                                  size_t count)
{
    struct sql_text found = fields_text(fields, column);
    for (size_t i = 0; i < count; i++) {
        if (found.bytes != NULL && labels[i].length == found.length &&
            memcmp(labels[i].bytes, found.bytes, found.length) == 0) {
            return i;
        }
    }
    fields_fail(fields, column, ROW_UNKNOWN_LABEL);
    return 0;
}

/* An array of the element type; points into the result. */
struct sql_array fields_array(struct fields *fields, int column, enum sql_type element);

#endif
