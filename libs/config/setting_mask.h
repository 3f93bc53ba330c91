/* Takes passwords out of texts that people will see. Any thread. */
#ifndef CONFIG_SETTING_MASK_H
#define CONFIG_SETTING_MASK_H

#include "base/check.h"

/* What stands for a secret, whatever its length. */
#define SETTING_MASK "********"

struct arena;

/*
 * A copy of a URL or of a key=value connection string (libpq, "Connection Strings") in which the
 * password of user:password@, and the value of every parameter whose name speaks of a password,
 * secret or token, are masked. Where the text is ambiguous more is masked rather than less. NULL
 * when the arena is full.
 */
char *setting_mask_url(struct arena *arena, const char *text) MUST_CHECK;

#endif
