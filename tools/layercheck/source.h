/*
 * One C file as the checks see it: its text, and the same text with comments, strings and
 * character constants blanked, so that a banned word in a comment is not a call. Both have the same
 * length, so an offset in one is an offset in the other.
 */
#ifndef LAYERCHECK_SOURCE_H
#define LAYERCHECK_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#define SOURCE_BYTES_MAX ((size_t)8 << 20) /* larger files are refused */

struct source {
    char *path; /* relative to the root, with '/' */
    char *text; /* size bytes and a NUL */
    char *code; /* the same length, blanked */
    size_t size;
};

/* A line of a source: [begin, end) without its newline, number from 1. */
struct source_line {
    size_t number, begin, end;
};

/* Copies path and text. 0 or -ENOMEM; free with source_destroy. */
int source_create(const char *path, const char *text, size_t size, struct source **ret_source);

/* Reads root/path. 0, -EFBIG, -ENOMEM or what open and read say, negative. */
int source_load(const char *root, const char *path, struct source **ret_source);

/* Takes NULL. */
void source_destroy(struct source *source);

/* Steps to the next line; begin with a line that is all zeros. False after the last one. */
bool source_next_line(const struct source *source, struct source_line *line);

/* Whether the path ends in suffix. */
bool source_has_suffix(const struct source *source, const char *suffix);

/* Whether the path begins with prefix. */
bool source_is_below(const struct source *source, const char *prefix);

/* What may be part of an identifier. */
bool source_is_word(char c);

#endif
