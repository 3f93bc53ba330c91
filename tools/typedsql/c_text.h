/*
 * Pieces of C text, broken and indented as clang-format would with this project's settings. Output
 * goes to a stream in memory whose errors the caller looks at when it is closed.
 */
#ifndef TYPEDSQL_C_TEXT_H
#define TYPEDSQL_C_TEXT_H

#include <stddef.h>
#include <stdio.h>

#define C_TEXT_COLUMNS 100

/* "head(a, b,\n     c)tail\n", items aligned behind the bracket that ends head; n may be 0. */
void c_text_list(FILE *out, const char *head, const char *const *items, size_t count,
                 const char *tail);

/* A string constant, a literal a line of text, each after indent spaces but for the first. */
void c_text_string(FILE *out, const char *text, size_t indent);

#endif
