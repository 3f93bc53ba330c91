/*
 * The directives of a query file's comment block, one a line: "-- @param $1 sale_id uuid". Part of
 * query_file_read().
 */
#ifndef TYPEDSQL_DIRECTIVE_H
#define TYPEDSQL_DIRECTIVE_H

#include "base/check.h"
#include "typedsql/query_file.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;

/*
 * Whether the line, without its newline, is a directive: a comment whose first character is an @.
 */
bool directive_is(const char *line, size_t length);

/*
 * Adds to *file what the directive at offset of its source, length bytes long, says. 0; -EINVAL
 * when it was reported to be malformed; -ENOMEM.
 */
int directive_parse(struct arena *arena, struct report *report, struct query_file *file,
                    size_t offset, size_t length) MUST_CHECK;

/* A C identifier that is no keyword and begins with a lower-case letter. */
bool directive_is_field_name(const char *name);

#endif
