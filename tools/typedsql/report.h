/*
 * What the tool says about a file that is wrong: path, line, column, the words, and the line itself
 * with a pointer to the token, in the form that editors understand. One thread.
 */
#ifndef TYPEDSQL_REPORT_H
#define TYPEDSQL_REPORT_H

#include "base/check.h"

#include <stddef.h>
#include <stdio.h>

struct report {
    FILE *out;
    size_t error_count;
};

/* A file's text, as far as a report needs it. */
struct report_source {
    const char *path;
    const char *text;
    size_t length;
};

/* Writes to out, which the caller keeps. */
void report_init(struct report *report, FILE *out);

/* "path:line:column: error: words", the line and a caret; offset in bytes, at most the length. */
void report_at(struct report *report, const struct report_source *source, size_t offset,
               const char *format, ...) PRINTF_LIKE(4, 5);

/* "path: error: words", for what is wrong with a file as a whole. */
void report_file(struct report *report, const char *path, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* One more line about the error just reported. */
void report_note(struct report *report, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
