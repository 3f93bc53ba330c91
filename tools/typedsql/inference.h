/*
 * Describes a query in full: what the server says, and from its text and the catalog which columns
 * can be NULL.
 *
 * A column that comes from a table has that column's NOT NULL, unless the table may be missing from
 * the row (from_clause.h) or its constraint does not bind all that is read from it. Everything else
 * (an expression, an aggregate, a function's result, a view) is unknown, which counts as nullable.
 */
#ifndef TYPEDSQL_INFERENCE_H
#define TYPEDSQL_INFERENCE_H

#include "base/check.h"
#include "typedsql/description.h"

struct server;

/* 0 and *ret; else as server_describe(), with everything wrong reported. */
int inference_describe(struct server *server, struct arena *arena, struct report *report,
                       const struct query_file *file, struct description *ret) MUST_CHECK;

#endif
