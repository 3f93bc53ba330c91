/*
 * A folder of queries and the folder of its cache: <folder>/read_order.sql and, unless the build
 * says otherwise, <folder>/cache/read_order.json.
 */
#ifndef TYPEDSQL_FOLDER_H
#define TYPEDSQL_FOLDER_H

#include "base/check.h"
#include "typedsql/report.h"

#include <stddef.h>

#define FOLDER_QUERIES_MAX 1024

struct arena;

struct folder {
    const char *queries, *cache; /* paths */
    size_t sql_count, json_count;
    const char *const *sql_names, *const *json_names; /* file names, sorted */
};

/*
 * Lists both; a cache folder that does not exist is empty. The strings live in the arena, the paths
 * are borrowed. 0, or -errno after it was reported.
 */
int folder_read(struct arena *arena, struct report *report, const char *queries, const char *cache,
                struct folder *ret) MUST_CHECK;

/* "<queries>/<sql_names[index]>"; NULL without memory. */
const char *folder_sql_path(struct arena *arena, const struct folder *folder, size_t index);

/* The cache entry of a query: "<cache>/<query>.json"; NULL without memory. */
const char *folder_json_path(struct arena *arena, const struct folder *folder, const char *query);

#endif
