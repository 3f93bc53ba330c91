#include "layercheck/target_rules.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CMake writes the key so; the value is a JSON string in which only " and \ are escaped. */
static const char file_key[] = "\"file\": \"";

/* Copies a JSON string up to its closing quote. */
static char *copy_json_string(const char *json)
{
    char *copy = malloc(strlen(json) + 1);
    size_t length = 0;

    if (copy == NULL) {
        return NULL;
    }
    for (; *json != '\0' && *json != '"'; json++) {
        if (*json == '\\' && json[1] != '\0') {
            json++;
        }
        copy[length++] = *json;
    }
    copy[length] = '\0';
    return copy;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t count_files(const char *json)
{
    size_t count = 0;

    for (json = strstr(json, file_key); json != NULL; json = strstr(json + 1, file_key)) {
        count++;
    }
    return count;
}

int target_rules_init(struct target_rules *rules, const char *json)
{
    size_t count = count_files(json);

    rules->count = 0;
    rules->files = calloc(count + 1, sizeof(*rules->files));
    if (rules->files == NULL) {
        return -ENOMEM;
    }
    for (json = strstr(json, file_key); json != NULL; json = strstr(json + 1, file_key)) {
        char *file = copy_json_string(json + strlen(file_key));

        if (file == NULL) {
            target_rules_fini(rules);
            return -ENOMEM;
        }
        rules->files[rules->count++] = file;
    }
    qsort(rules->files, rules->count, sizeof(*rules->files), compare_files);
    return 0;
}

void target_rules_fini(struct target_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) {
        free(rules->files[i]);
    }
    free(rules->files);
    rules->files = NULL;
    rules->count = 0;
}

static bool is_compiled(const struct target_rules *rules, const char *root, const char *path)
{
    char full[PATH_MAX];
    const char *key = full;

    if (snprintf(full, sizeof(full), "%s/%s", root, path) >= (int)sizeof(full)) {
        return false;
    }
    return bsearch(&key, rules->files, rules->count, sizeof(*rules->files), compare_files) != NULL;
}

/* Whether `name` stands in the text as a whole: after white space, a quote or a folder. */
static bool text_names(const char *text, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = strstr(text, name); at != NULL; at = strstr(at + 1, name)) {
        bool begins = at == text || strchr(" \t\n\"/(", at[-1]) != NULL;
        bool ends = strchr(" \t\n\")", at[length]) != NULL;

        if (begins && ends) {
            return true;
        }
    }
    return false;
}

/* Whether the CMakeLists.txt of the folder, so many bytes of the path, names the rest of it. */
static bool is_named_in(const char *root, const char *path, size_t folder_length)
{
    struct source *cmake = NULL;
    char list[PATH_MAX], stem[PATH_MAX];
    const char *name = path + folder_length + 1;
    bool named = false;

    if (snprintf(list, sizeof(list), "%.*s/CMakeLists.txt", (int)folder_length, path) >=
            (int)sizeof(list) ||
        snprintf(stem, sizeof(stem), "%.*s", (int)strlen(name) - 2, name) >= (int)sizeof(stem)) {
        return false;
    }
    if (source_load(root, list, &cmake) == 0) {
        /* A function of a test folder may be given the name and add the ".c" itself. */
        named = text_names(cmake->text, name) ||
                (source_is_below(cmake, "tests/") && text_names(cmake->text, stem));
    }
    source_destroy(cmake);
    return named;
}

/* Whether a CMakeLists.txt of the file's folder or of one above names it. */
static bool is_named(const char *root, const char *path)
{
    for (size_t at = strlen(path); at > 0; at--) {
        if (path[at] == '/' && is_named_in(root, path, at)) {
            return true;
        }
    }
    return false;
}

/* Whether the source beside a header is compiled; it includes its own header first. */
static bool is_of_source(const struct target_rules *rules, const char *root, const char *path)
{
    char source_path[PATH_MAX];
    int stem = (int)(strlen(path) - strlen(".h"));

    return snprintf(source_path, sizeof(source_path), "%.*s.c", stem, path) <
               (int)sizeof(source_path) &&
           is_compiled(rules, root, source_path);
}

void target_rules_check(const struct target_rules *rules, const char *root,
                        const struct source *source, struct findings *findings)
{
    const char *path = source->path;
    bool is_header = source_has_suffix(source, ".h"), is_test = source_is_below(source, "tests/");

    if (is_header) {
        /* A test's own header is compiled by its test. */
        if (!is_test && !is_of_source(rules, root, path) && !is_named(root, path)) {
            findings_add(findings, path, 0, "no CMakeLists.txt names it");
        }
    } else if (!is_compiled(rules, root, path) && !(is_test && is_named(root, path))) {
        findings_add(findings, path, 0, "is in no target");
    }
}
