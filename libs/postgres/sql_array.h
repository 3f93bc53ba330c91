/*
 * A one-dimensional array as it lies in a binary result: checked once, read element by element
 * without a copy. A plain value; the bytes belong to the result and die with it.
 *
 *     struct sql_array numbers = row.numbers;
 *     int64_t number;
 *     while (sql_array_next_int8(&numbers, &number)) ...
 */
#ifndef POSTGRES_SQL_ARRAY_H
#define POSTGRES_SQL_ARRAY_H

#include "base/check.h"
#include "base/uuid.h"
#include "postgres/row.h"
#include "postgres/sql_type.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is left of the array. bytes == NULL is SQL NULL; an empty array has bytes and count 0. */
struct sql_array {
    size_t count;
    const char *bytes; /* the first element's length word */
};

/*
 * Checks a value of type element[] in array_send's form (src/backend/utils/adt/arrayfuncs.c) in
 * full. ROW_SOUND fills *ret. ROW_WRONG_TYPE: another element type or more than one dimension.
 * ROW_WRONG_LENGTH: not what it says. ROW_UNEXPECTED_NULL: a NULL element, which only text and
 * bytea have a form for. ROW_OUT_OF_RANGE: an infinite time.
 */
enum row_fault sql_array_init(struct sql_array *ret, const char *bytes, size_t length,
                              enum sql_type element) MUST_CHECK;

/* The next element in *ret, or false after the last; for the element type it was checked for only.
 */
bool sql_array_next_int2(struct sql_array *array, int16_t *ret);
bool sql_array_next_int4(struct sql_array *array, int32_t *ret);
bool sql_array_next_int8(struct sql_array *array, int64_t *ret);
bool sql_array_next_uuid(struct sql_array *array, struct uuid *ret);

/* Microseconds since 1970-01-01 UTC. */
bool sql_array_next_timestamptz(struct sql_array *array, int64_t *ret_unix_us);

/* bytes == NULL is a NULL element. */
bool sql_array_next_text(struct sql_array *array, struct sql_text *ret);

#endif
