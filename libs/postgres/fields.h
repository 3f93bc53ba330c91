/*
 * Reads one row of a result whose columns query_receive() has checked already: what generated row
 * readers are made of. Column types are therefore not looked at again, which is what sets it apart
 * from row.h; NULLs and lengths are. The first fault is kept and the value is then zero, so that a
 * reader checks once. Columns count from 0. One thread at a time; allocates nothing.
 */
#ifndef POSTGRES_FIELDS_H
#define POSTGRES_FIELDS_H

#include "base/uuid.h"
#include "postgres/row.h"
#include "postgres/sql_array.h"
#include "postgres/sql_type.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg_result;
struct session_result;

struct fields {
    const struct pg_result *_result;
    int _row;
    int fault_column; /* meaningful if fault is not ROW_SOUND */
    enum row_fault fault;
};

/* index counts from 0 and must be below result->row_count (asserted). */
void fields_init(struct fields *fields, const struct session_result *result, size_t index);

/* Keeps a fault that the caller found in a value; the first one stays. */
void fields_fail(struct fields *fields, int column, enum row_fault fault);

bool fields_is_null(const struct fields *fields, int column);

bool fields_bool(struct fields *fields, int column);
int16_t fields_int2(struct fields *fields, int column);
int32_t fields_int4(struct fields *fields, int column);
int64_t fields_int8(struct fields *fields, int column);
struct uuid fields_uuid(struct fields *fields, int column);

/* Microseconds since 1970-01-01 UTC. */
int64_t fields_timestamptz(struct fields *fields, int column);

/* Text, bytes, or an enum's label; they point into the result. Never NULL bytes unless it failed.
 */
struct sql_text fields_text(struct fields *fields, int column);

/* The index of an enum's label among count labels; 0 and a fault if it is none of them. */
size_t fields_label(struct fields *fields, int column, const char *const *labels, size_t count);

/* An array of the element type; points into the result. */
struct sql_array fields_array(struct fields *fields, int column, enum sql_type element);

#endif
