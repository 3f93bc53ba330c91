/* Names of settings: which ones somebody else sets, and which one was meant. Any thread. */
#ifndef CONFIG_SETTING_NAME_H
#define CONFIG_SETTING_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define SETTING_NAME_CHARS_MAX 64

struct config_setting;

/*
 * Whether Kubernetes injects names like this one for a service of the same namespace (docs:
 * "Environment variables" of a Service): *_SERVICE_HOST, *_SERVICE_PORT, *_SERVICE_PORT_*, *_PORT,
 * *_PORT_<n>_*. A real setting may look so too: look it up first.
 */
bool setting_name_is_injected(const char *name);

/* The name in the table that is fewest edits from name, or NULL if none is near. */
const char *setting_name_nearest(const char *name, const struct config_setting *settings,
                                 size_t count);

#endif
