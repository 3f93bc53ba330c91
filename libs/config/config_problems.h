/* The list behind struct config_problems: filled while settings are read, printed once. */
#ifndef CONFIG_CONFIG_PROBLEMS_H
#define CONFIG_CONFIG_PROBLEMS_H

#include "base/check.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CONFIG_PROBLEMS_MAX 100 /* further ones are counted only */

struct arena;

/* The value and origin of a setting as a problem of it is introduced with: "(environment)". */
typedef const char *(*config_problems_subject_fn)(const char *setting_name, void *data);

struct config_problems {
    struct arena *arena; /* holds the texts; when it is full the problems are only counted */
    config_problems_subject_fn subject; /* for config_problems_add; may return NULL */
    void *data;
    size_t count; /* all of them */
    const char *lines[CONFIG_PROBLEMS_MAX];
};

/* Adds a line as it is. */
void config_problems_add_line(struct config_problems *problems, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* Prints all, under a heading that names the program. */
void config_problems_print(const struct config_problems *problems, const char *program, FILE *out);

#endif
