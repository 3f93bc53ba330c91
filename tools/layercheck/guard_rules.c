#include "layercheck/guard_rules.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define GUARD_CHARS_MAX 255

static const char *const empty_names[] = {"utils", "util", "common", "helpers", "misc"};

/* The macro that the part of a path from `path` on asks for. */
static void make_guard(const char *path, char guard[GUARD_CHARS_MAX + 1])
{
    size_t i;

    for (i = 0; path[i] != '\0' && i < GUARD_CHARS_MAX; i++) {
        guard[i] = source_is_word(path[i]) ? (char)toupper((unsigned char)path[i]) : '_';
    }
    guard[i] = '\0';
}

/* The name that the file's first #ifndef tests, or an empty one. */
static void find_guard(const struct source *source, char guard[GUARD_CHARS_MAX + 1])
{
    struct source_line line = {0};

    guard[0] = '\0';
    while (guard[0] == '\0' && source_next_line(source, &line)) {
        if (strncmp(source->code + line.begin, "#ifndef ", 8) == 0) {
            sscanf(source->code + line.begin + 8, "%255[A-Za-z0-9_]", guard);
        }
    }
}

static const char *after_slash(const char *path)
{
    const char *slash = strchr(path, '/');

    return slash == NULL ? NULL : slash + 1;
}

static void check_guard(const struct source *source, struct findings *findings)
{
    const char *rest = after_slash(source->path);
    char guard[GUARD_CHARS_MAX + 1], expected[GUARD_CHARS_MAX + 1];

    find_guard(source, guard);
    if (source_is_below(source, "tests/")) {
        for (const char *end = source->path; end != NULL; end = after_slash(end)) {
            make_guard(end, expected);
            if (strcmp(guard, expected) == 0) {
                return;
            }
        }
    }
    make_guard(rest == NULL ? source->path : rest, expected);
    if (strcmp(guard, expected) != 0) {
        findings_add(findings, source->path, 0, "the guard is '%s', it should be %s", guard,
                     expected);
    }
}

static void check_name(const struct source *source, struct findings *findings)
{
    const char *slash = strrchr(source->path, '/');
    const char *name = slash == NULL ? source->path : slash + 1;
    size_t length = strcspn(name, ".");

    for (size_t i = 0; i < sizeof(empty_names) / sizeof(empty_names[0]); i++) {
        if (strlen(empty_names[i]) == length && strncmp(name, empty_names[i], length) == 0) {
            findings_add(findings, source->path, 0, "name the file after the one thing it holds");
        }
    }
}

void guard_rules_check(const struct source *source, struct findings *findings)
{
    check_name(source, findings);
    if (source_has_suffix(source, ".h")) {
        check_guard(source, findings);
    }
}
