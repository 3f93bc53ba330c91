/* Whole files, in and out. One thread. */
#ifndef TYPEDSQL_TEXT_FILE_H
#define TYPEDSQL_TEXT_FILE_H

#include "base/check.h"

#include <stddef.h>

#define TEXT_FILE_BYTES_MAX 4194304

struct arena;

/*
 * The file's bytes with a NUL after them, in the arena. 0; -errno of what failed; -EFBIG above
 * TEXT_FILE_BYTES_MAX; -EILSEQ if it is not UTF-8 or holds a NUL; -ENOMEM.
 */
int text_file_read(struct arena *arena, const char *path, const char **ret_text,
                   size_t *ret_length) MUST_CHECK;

/*
 * Puts length bytes in the place of the file, complete or not at all. A file that says so already
 * is not touched, so that a build does not do again what depends on it. 0 or -errno.
 */
int text_file_write(const char *path, const char *text, size_t length) MUST_CHECK;

#endif
