#include "config/setting_name.h"

#include "config/config.h"

#include <string.h>

/* A suggestion may differ by this much: one edit, and one more for every so many characters. */
#define EDITS_BASE      1
#define EDITS_PER_CHARS 4

static bool ends_with(const char *text, const char *end)
{
    size_t text_length = strlen(text), end_length = strlen(end);
    return text_length > end_length && strcmp(text + text_length - end_length, end) == 0;
}

/* Whether the name has the form *_PORT_<n>_*. */
static bool has_numbered_port(const char *name)
{
    static const char middle[] = "_PORT_";
    for (const char *at = strstr(name, middle); at != NULL; at = strstr(at + 1, middle)) {
        const char *number = at + sizeof(middle) - 1;
        size_t digits = strspn(number, "0123456789");
        if (at > name && digits > 0 && number[digits] == '_' && number[digits + 1] != '\0') {
            return true;
        }
    }
    return false;
}

bool setting_name_is_injected(const char *name)
{
    const char *named_port = strstr(name, "_SERVICE_PORT_");
    return ends_with(name, "_SERVICE_HOST") || ends_with(name, "_PORT") ||
           (named_port != NULL && named_port > name) || has_numbered_port(name);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b. */
static size_t edits_between(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][SETTING_NAME_CHARS_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++) {
        above[j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_length];
}

/* Whether name is something, an underscore and the setting's name. */
static bool is_prefixed(const char *name, const char *setting_name)
{
    size_t length = strlen(name), setting_length = strlen(setting_name);
    return ends_with(name, setting_name) && name[length - setting_length - 1] == '_';
}

const char *setting_name_nearest(const char *name, const struct config_setting *settings,
                                 size_t count)
{
    const char *nearest = NULL;
    size_t length = strlen(name);
    if (length > SETTING_NAME_CHARS_MAX) {
        return NULL;
    }
    size_t nearest_edits = EDITS_BASE + length / EDITS_PER_CHARS + 1;
    for (size_t i = 0; i < count; i++) {
        /* A shared setting with the program's prefix in front is what people try first. */
        size_t edits =
            is_prefixed(name, settings[i].name)
                ? EDITS_BASE
                : edits_between(name, length, settings[i].name, strlen(settings[i].name));
        if (edits < nearest_edits) {
            nearest_edits = edits;
            nearest = settings[i].name;
        }
    }
    return nearest;
}
