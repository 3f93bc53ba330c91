/*
 * A query file and its description put together: each parameter and column with its field in C.
 * Whatever does not fit is an error, the same at prepare, at check and in the build.
 */
#ifndef TYPEDSQL_BINDING_H
#define TYPEDSQL_BINDING_H

#include "base/check.h"
#include "typedsql/description.h"
#include "typedsql/query_file.h"
#include "typedsql/type_form.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct binding_field {
    const char *name;             /* of the field, with its unit */
    const struct type_form *form; /* of the value, or of an array's elements */
    bool is_array;
    bool is_enum; /* an enum by its type: the server names no built-in one */
    bool nullable;
    const char *null_flag;               /* the field's name, if binding_has_null_flag() */
    const char *count_name;              /* a parameter array's; several may share one */
    const struct query_enum *c_enum;     /* or NULL: labels as text */
    const struct described_type *labels; /* for c_enum */
};

struct binding {
    const struct query_file *file;
    const struct description *description;
    size_t parameter_count, column_count;
    struct binding_field parameters[STATEMENT_PARAMETERS_MAX];
    struct binding_field columns[QUERY_FILE_COLUMNS_MAX];
    bool has_pointers; /* a column points into the result */
};

/* 0; -EINVAL after everything that does not fit was reported; -ENOMEM. The inputs must outlive it.
 */
int binding_make(struct arena *arena, struct report *report, const struct query_file *file,
                 const struct description *description, struct binding *ret) MUST_CHECK;

/* What has its flag for NULL in a field of its own: all but text, bytea and arrays. */
bool binding_has_null_flag(const struct binding_field *field);

/* Whether the field is a struct sql_text. */
bool binding_is_text(const struct binding_field *field);

#endif
