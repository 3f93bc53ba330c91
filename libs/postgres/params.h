/*
 * The binary parameters of one execution, built in an arena in the order $1, $2, ...
 *
 *     struct params params;
 *     params_init(&params, arena);
 *     params_add_uuid(&params, &sale_id);
 *     params_add_int4_array(&params, quantities, count);
 *     status = session_send(session, &statement, &params);
 *
 * Failure is sticky: when the arena is full, or a value has no binary form, params_failed() is true
 * and session_send() refuses, so that callers check once. Values are copied; the arena must live
 * until session_send() returned. One thread at a time.
 */
#ifndef POSTGRES_PARAMS_H
#define POSTGRES_PARAMS_H

#include "postgres/sql_type.h"
#include "postgres/statement.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct uuid;

struct params {
    struct arena *_arena;
    size_t _count;
    bool _failed;
    uint32_t _types[STATEMENT_PARAMETERS_MAX]; /* enum sql_type */
    const char *_values[STATEMENT_PARAMETERS_MAX];
    int _lengths[STATEMENT_PARAMETERS_MAX];
};

/* Starts an empty list on the caller's memory. */
void params_init(struct params *params, struct arena *arena);

/* Whether number and types are those of the statement; params may be NULL for none. */
bool params_match(const struct params *params, const struct statement *statement);

/* Whether any value could not be added. */
bool params_failed(const struct params *params);

/* Stands for a value that its caller could not make: as if it had not fit into the arena. */
void params_add_failure(struct params *params, enum sql_type type);

void params_add_null(struct params *params, enum sql_type type);
void params_add_bool(struct params *params, bool value);
void params_add_int2(struct params *params, int16_t value);
void params_add_int4(struct params *params, int32_t value);
void params_add_int8(struct params *params, int64_t value);
void params_add_uuid(struct params *params, const struct uuid *value);

/* Microseconds since 1970-01-01 UTC. */
void params_add_timestamptz(struct params *params, int64_t unix_us);

/* Text is UTF-8 without NUL bytes: the server refuses anything else as DB_DATA. NULL bytes = NULL.
 */
void params_add_text(struct params *params, const char *bytes, size_t length);
void params_add_bytea(struct params *params, const void *bytes, size_t length);

/* A label of an enum type, NUL-terminated; an unknown one is DB_DATA. Arrays of enums go as text[].
 */
void params_add_enum(struct params *params, const char *label);
void params_add_label(struct params *params, const char *label, size_t length);

/* One-dimensional arrays of count elements; count 0 is an empty array, values may then be NULL. */
void params_add_int2_array(struct params *params, const int16_t *values, size_t count);
void params_add_int4_array(struct params *params, const int32_t *values, size_t count);
void params_add_int8_array(struct params *params, const int64_t *values, size_t count);
void params_add_uuid_array(struct params *params, const struct uuid *values, size_t count);

/* Microseconds since 1970-01-01 UTC. */
void params_add_timestamptz_array(struct params *params, const int64_t *unix_us, size_t count);

/* An element whose bytes are NULL is a NULL element. */
void params_add_text_array(struct params *params, const struct sql_text *values, size_t count);

#endif
