/*
 * A .env file: NAME=value lines. Comments begin with # at the start of a line or after white space;
 * "export " before a name is allowed; a value may stand in single quotes (taken as it is) or in
 * double quotes (\n \r \t \" \\ \$ are unescaped). Nothing is expanded and a value ends with its
 * line. One thread at a time.
 */
#ifndef CONFIG_ENV_FILE_H
#define CONFIG_ENV_FILE_H

#include "base/check.h"

#include <stddef.h>

#define ENV_FILE_BYTES_MAX (64 * 1024)

struct arena;

struct env_file_entry {
    const char *name, *value; /* in the arena */
    unsigned line;            /* from 1 */
};

struct env_file {
    size_t count;
    struct env_file_entry *entries; /* in the order of the file, names may repeat */
};

/* Told about each line that cannot be read; the walk goes on with the next line. */
typedef void (*env_file_problem_fn)(unsigned line, const char *problem, void *data);

/* Parses text into the arena. Errors: -ENOMEM. */
int env_file_parse(struct arena *arena, const char *text, size_t length, struct env_file *ret_file,
                   env_file_problem_fn on_problem, void *data) MUST_CHECK;

/*
 * Reads and parses the file at path; no such file gives no entries. Errors: -ENOMEM, -EFBIG past
 * ENV_FILE_BYTES_MAX, or the negative errno of opening and reading.
 */
int env_file_read(struct arena *arena, const char *path, struct env_file *ret_file,
                  env_file_problem_fn on_problem, void *data) MUST_CHECK;

#endif
