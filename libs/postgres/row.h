/*
 * Reads one row of a binary result, column by column, counted from 0.
 *
 *     struct row row;
 *     row_init(&row, &result, i);
 *     order->id = row_uuid(&row, 0);
 *     order->expires_us = row_is_null(&row, 1) ? 0 : row_timestamptz(&row, 1);
 *     if (row_failed(&row)) ...
 *
 * What the database sends is checked: a missing column, another type, a wrong length or an
 * unexpected NULL gives a zero value and marks the row as failed; the first fault is kept. One
 * thread at a time; text and bytes point into the result and die with it.
 */
#ifndef POSTGRES_ROW_H
#define POSTGRES_ROW_H

#include "base/uuid.h"
#include "postgres/sql_type.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg_result;
struct session_result;

enum row_fault {
    ROW_SOUND,
    ROW_NO_SUCH_COLUMN,
    ROW_WRONG_TYPE,
    ROW_WRONG_LENGTH,
    ROW_UNEXPECTED_NULL,
    ROW_OUT_OF_RANGE,  /* an infinite timestamp */
    ROW_UNKNOWN_LABEL, /* an enum's label that the program does not know */
};

struct row {
    const struct pg_result *_result;
    int _index;
    enum row_fault _fault;
};

/* index counts from 0 and must be below result->row_count (asserted). */
void row_init(struct row *row, const struct session_result *result, size_t index);

bool row_is_null(struct row *row, size_t column);

bool row_bool(struct row *row, size_t column);
int16_t row_int2(struct row *row, size_t column);
int32_t row_int4(struct row *row, size_t column);
int64_t row_int8(struct row *row, size_t column);
struct uuid row_uuid(struct row *row, size_t column);

/* Microseconds since 1970-01-01 UTC. */
int64_t row_timestamptz(struct row *row, size_t column);

/* text, varchar, char(n) and name; never NULL bytes unless the row failed. */
struct sql_text row_text(struct row *row, size_t column);
struct sql_text row_bytea(struct row *row, size_t column);

/*
 * The label of an enum column. Every user-defined type passes the type check, for their object ids
 * differ from database to database: the caller must know the label.
 */
struct sql_text row_enum(struct row *row, size_t column);

bool row_failed(const struct row *row);

/* The first fault, and its words: a constant string. */
enum row_fault row_fault(const struct row *row);
const char *row_fault_text(enum row_fault fault);

#endif
