/*
 * What a server says of a query: its parameters' types, its columns with type, origin and
 * nullability. It is what the cache keeps; strings live in the arena of whoever made it.
 */
#ifndef TYPEDSQL_DESCRIPTION_H
#define TYPEDSQL_DESCRIPTION_H

#include "base/check.h"
#include "typedsql/query_file.h"
#include "typedsql/report.h"

#include <stddef.h>

struct arena;

/* A type as format_type() writes it; labels of an enum, in its order. */
struct described_type {
    const char *name;
    size_t label_count;
    const char *const *labels;
};

/* What is known of a column's NULLs without the author's word. */
enum described_nullness {
    DESCRIBED_NOT_NULL,
    DESCRIBED_NULLABLE, /* it can be NULL, and that is certain */
    DESCRIBED_UNKNOWN,  /* an expression, or a query that is not followed: NULL is possible */
};

struct described_parameter {
    struct described_type type;
    /* For text that stands for a declared enum: the enum's name and labels, or an empty name. */
    struct described_type declared;
};

struct described_column {
    const char *name;
    struct described_type type;
    const char *origin; /* "orders.number", or NULL for an expression */
    enum described_nullness nullness;
    const char *because; /* why, in words */
    const char *word;    /* the author's override, in words, or NULL */
};

struct description {
    const char *query;
    const char *hash;
    size_t parameter_count, column_count;
    struct described_parameter parameters[STATEMENT_PARAMETERS_MAX];
    struct described_column columns[QUERY_FILE_COLUMNS_MAX];
};

/* "not null", "nullable" or "unknown". */
const char *description_nullness_name(enum described_nullness nullness);

/* Writes the cache's entry as JSON with a final newline, in the arena; NULL without memory. */
const char *description_to_json(struct arena *arena,
                                const struct description *description) MUST_CHECK;

/*
 * Reads a cache entry. 0; -EINVAL after reporting what is wrong with it; -ENOMEM. The text need not
 * outlive the call.
 */
int description_from_json(struct arena *arena, struct report *report, const char *path,
                          const char *text, size_t length, struct description *ret) MUST_CHECK;

#endif
