/* The text of a setting becomes a value of its type; one row of a table at a time. Any thread. */
#ifndef CONFIG_SETTING_VALUE_H
#define CONFIG_SETTING_VALUE_H

#include "base/check.h"

#include <stdio.h>

struct arena;
struct config_setting;

/*
 * Parses text and stores it in the member of settings that the row names; strings are copied into
 * the arena. Errors: -EINVAL with *ret_problem saying what is wrong (static text), -ENOMEM.
 */
int setting_value_parse(const struct config_setting *setting, const char *text, struct arena *arena,
                        void *settings, const char **ret_problem) MUST_CHECK;

/* The value in force as text: numbers in their base unit, secrets and passwords masked, "" when
 * not set. NULL when the arena is full. */
const char *setting_value_show(const struct config_setting *setting, const void *settings,
                               struct arena *arena) MUST_CHECK;

/* text as given but fit for a terminal: masked by the row's type, cut, control characters out.
 * NULL when the arena is full. */
const char *setting_value_quote(const struct config_setting *setting, const char *text,
                                struct arena *arena) MUST_CHECK;

/* "whole number", "duration" and so on. */
const char *setting_value_type_name(const struct config_setting *setting);

/* What may stand there: "1 to 1000 connections", "one of json, text". */
void setting_value_write_range(const struct config_setting *setting, FILE *out);

/* "ms", "bytes", the row's own, or NULL. */
const char *setting_value_unit(const struct config_setting *setting);

#endif
