#include "typedsql/usage_check.h"

#include "base/arena.h"
#include "typedsql/query_file.h"
#include "typedsql/text_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool continues_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Steps over a comment or a literal that begins at text; 0 if none does. */
static size_t skipped_length(const char *text)
{
    if (strncmp(text, "/*", 2) == 0) {
        const char *end = strstr(text + 2, "*/");
        return end != NULL ? (size_t)(end - text) + 2 : strlen(text);
    }
    if (strncmp(text, "//", 2) == 0) {
        return strcspn(text, "\n");
    }
    if (*text != '"' && *text != '\'') {
        return 0;
    }
    size_t at = 1;
    while (text[at] != '\0' && text[at] != *text && text[at] != '\n') {
        at += text[at] == '\\' && text[at + 1] != '\0' ? 2 : 1;
    }
    return text[at] != '\0' ? at + 1 : at;
}

/* Whether the identifier is one of the query's functions that send it. */
static bool belongs_to(const char *word, size_t length, const char *query, size_t query_length)
{
    static const char *const endings[] = {"_send", "_send_streamed", "_exec"};
    if (length <= query_length || memcmp(word, query, query_length) != 0) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        if (length - query_length == strlen(endings[i]) &&
            memcmp(word + query_length, endings[i], length - query_length) == 0) {
            return true;
        }
    }
    return false;
}

/* Marks the queries that one source names. */
static void mark_used(const char *text, const struct folder *folder, bool *used)
{
    while (*text != '\0') {
        size_t length = skipped_length(text);
        if (length > 0) {
            text += length;
            continue;
        }
        while (continues_word(text[length])) {
            length++;
        }
        for (size_t i = 0; length > 0 && i < folder->sql_count; i++) {
            const char *name = folder->sql_names[i];
            used[i] = used[i] || belongs_to(text, length, name, strlen(name) - strlen(".sql"));
        }
        text += length > 0 ? length : 1;
    }
}

static int report_unused(struct arena *arena, struct report *report, const struct folder *folder,
                         size_t index)
{
    struct query_file *file = arena_alloc(arena, sizeof(*file));
    const char *path = folder_sql_path(arena, folder, index);
    if (file == NULL || path == NULL) {
        return -ENOMEM;
    }
    if (query_file_read(arena, report, path, file) == 0) {
        report_at(report, &file->source, file->name_at,
                  "nobody uses the query %s: call %s_send or %s_exec, or delete it", file->name,
                  file->name, file->name);
    }
    return 0;
}

int usage_check_run(struct arena *arena, struct report *report, const struct folder *folder,
                    const char *const *sources, size_t source_count)
{
    size_t errors_before = report->error_count;
    bool *used = arena_calloc(arena, folder->sql_count, sizeof(*used));
    if (used == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < source_count; i++) {
        const char *text;
        size_t length;
        int status = text_file_read(arena, sources[i], &text, &length);
        if (status < 0) {
            report_file(report, sources[i], "%s", strerror(-status));
            return status;
        }
        mark_used(text, folder, used);
    }
    for (size_t i = 0; i < folder->sql_count; i++) {
        if (!used[i]) {
            int status = report_unused(arena, report, folder, i);
            if (status < 0) {
                return status;
            }
        }
    }
    return report->error_count == errors_before ? 0 : -EINVAL;
}
