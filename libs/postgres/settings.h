/*
 * What every session of ours demands of the server (rule A6 of the design), as options that go out
 * with the connection, and the check that they are in force. Part of session_open().
 */
#ifndef POSTGRES_SETTINGS_H
#define POSTGRES_SETTINGS_H

#include "base/check.h"
#include "postgres/statement.h"

#include <stdbool.h>
#include <stddef.h>

#define SETTINGS_OPTIONS_BYTES 1024
#define SETTINGS_VALUE_BYTES   32

struct session_config;
struct session_result;

/* One column pair a row: a setting's name and its value in force, for settings_find_override(). */
extern const struct statement settings_statement;

/* Writes the "-c name=value ..." list for the connection's options. */
void settings_write_options(const struct session_config *config,
                            char ret_options[SETTINGS_OPTIONS_BYTES]);

/* A setting that is not as demanded. */
struct settings_override {
    const char *name; /* a constant string */
    char demanded[SETTINGS_VALUE_BYTES];
    char found[SETTINGS_VALUE_BYTES]; /* "" when the server does not tell */
};

/* Whether any setting differs in the statement's result; the first that does is in *ret. */
bool settings_find_override(const struct session_config *config,
                            const struct session_result *result,
                            struct settings_override *ret) MUST_CHECK;

#endif
