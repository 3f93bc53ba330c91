/*
 * One .sql file: the comment block on top with its directives, and the command below it. What the
 * directives are is told in docs/typed-sql.md and, to whoever got one wrong, by the errors.
 */
#ifndef TYPEDSQL_QUERY_FILE_H
#define TYPEDSQL_QUERY_FILE_H

#include "base/check.h"
#include "base/digest.h"
#include "postgres/query.h"
#include "postgres/statement.h"
#include "typedsql/report.h"
#include "typedsql/sql_token.h"

#include <stdbool.h>
#include <stddef.h>

#define QUERY_FILE_NAME_CHARS_MAX 63 /* a prepared statement's, as every identifier's */
#define QUERY_FILE_COLUMNS_MAX    256
#define QUERY_FILE_PROSE_MAX      64
#define QUERY_FILE_HASH_CHARS     (2 * DIGEST_BYTES)

struct arena;

/* Labels of an SQL enum as constants of a C enum. */
struct query_enum {
    const char *tag;    /* "order_status" */
    const char *prefix; /* "ORDER_" */
    const char *header; /* "orders/domain/order.h" */
    const char *count;  /* the constant after the last, or NULL */
};

/* @param $n name type ... */
struct query_parameter {
    const char *name;
    const char *type; /* as written */
    bool nullable;
    const char *count_name;          /* for an array: the field with its element count, or NULL */
    const struct query_enum *c_enum; /* or NULL */
    size_t at, type_at;              /* offsets in the file, for errors */
};

enum query_nullness {
    QUERY_NULLNESS_INFERRED,
    QUERY_NULLNESS_NULL,
    QUERY_NULLNESS_NOT_NULL, /* an error if it is known to be wrong */
    QUERY_NULLNESS_NOT_NULL_BECAUSE,
};

/* @column name ... */
struct query_column_override {
    const char *column;
    enum query_nullness nullness;
    const char *reason; /* of NOT_NULL_BECAUSE */
    const struct query_enum *c_enum;
    size_t at, nullness_at; /* offsets in the file, for errors */
};

struct query_file {
    struct report_source source;
    const char *name;
    size_t name_at;
    enum query_rows rows;
    size_t parameter_count, override_count;
    struct query_parameter parameters[STATEMENT_PARAMETERS_MAX];
    struct query_column_override overrides[QUERY_FILE_COLUMNS_MAX];
    size_t prose_count;
    const char *prose[QUERY_FILE_PROSE_MAX]; /* the lines on top that are no directives */
    const char *sql;          /* the command, NUL-terminated, without a final semicolon */
    size_t sql_at;            /* where it begins in the file */
    struct sql_tokens tokens; /* of sql */
    char hash[QUERY_FILE_HASH_CHARS + 1]; /* SHA-256 of directives and command, lower-case hex */
};

/*
 * Reads the file at path into *ret, whose strings live in the arena (path itself is borrowed). 0;
 * -EINVAL after everything wrong with it was reported; -ENOMEM or another -errno, reported too.
 */
int query_file_read(struct arena *arena, struct report *report, const char *path,
                    struct query_file *ret) MUST_CHECK;

/* "one", "optional", "many" or "exec". */
const char *query_file_rows_name(enum query_rows rows);

/* Reports something wrong at byte offset of the command. */
#define query_file_report_sql(report, file, offset, ...)                                           \
    report_at((report), &(file)->source, (file)->sql_at + (offset), __VA_ARGS__)

#endif
