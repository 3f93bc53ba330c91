#include "typedsql/folder.h"

#include "base/arena.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name);
    size_t ending_length = strlen(ending);
    return name[0] != '.' && length > ending_length &&
           strcmp(name + length - ending_length, ending) == 0;
}

static int list_open(struct arena *arena, DIR *dir, const char *ending, const char **names,
                     size_t *ret_count)
{
    size_t count = 0;
    const struct dirent *entry;
    errno = 0;
    while ((entry = readdir(dir)) != NULL) {
        if (!has_ending(entry->d_name, ending)) {
            continue;
        }
        if (count == FOLDER_QUERIES_MAX) {
            return -E2BIG;
        }
        names[count] = arena_strndup(arena, entry->d_name, strlen(entry->d_name));
        if (names[count++] == NULL) {
            return -ENOMEM;
        }
    }
    qsort(names, count, sizeof(*names), compare);
    *ret_count = count;
    return -errno;
}

static int list(struct arena *arena, const char *path, const char *ending,
                const char *const **ret_names, size_t *ret_count)
{
    const char **names = arena_calloc(arena, FOLDER_QUERIES_MAX, sizeof(*names));
    DIR *dir = opendir(path);
    if (dir == NULL || names == NULL) {
        int status = names == NULL ? -ENOMEM : -errno;
        if (dir != NULL) {
            closedir(dir);
        }
        return status;
    }
    int status = list_open(arena, dir, ending, names, ret_count);
    closedir(dir);
    *ret_names = names;
    return status;
}

int folder_read(struct arena *arena, struct report *report, const char *queries, const char *cache,
                struct folder *ret)
{
    struct folder folder = {.queries = queries, .cache = cache};
    int status = list(arena, queries, ".sql", &folder.sql_names, &folder.sql_count);
    if (status < 0) {
        report_file(report, queries, "%s", strerror(-status));
        return status;
    }
    status = list(arena, cache, ".json", &folder.json_names, &folder.json_count);
    if (status < 0 && status != -ENOENT) {
        report_file(report, cache, "%s", strerror(-status));
        return status;
    }
    *ret = folder;
    return 0;
}

const char *folder_sql_path(struct arena *arena, const struct folder *folder, size_t index)
{
    return arena_printf(arena, "%s/%s", folder->queries, folder->sql_names[index]);
}

const char *folder_json_path(struct arena *arena, const struct folder *folder, const char *query)
{
    return arena_printf(arena, "%s/%s.json", folder->cache, query);
}
