/*
 * The two commands that need a database: `prepare` writes what it says of each query to the cache,
 * `check` compares it with what was committed. Both report everything that is wrong with a query.
 */
#ifndef TYPEDSQL_SCHEMA_CHECK_H
#define TYPEDSQL_SCHEMA_CHECK_H

#include "base/check.h"
#include "typedsql/folder.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct report;
struct server;

/* What was found and done. */
struct schema_check_account {
    size_t queries, written, deleted;
};

/*
 * Describes every query of the folders. With writing, entries that changed are written and those of
 * no query deleted; without, each difference is an error. A query that is wrong does not stop the
 * others. Two queries of one name are an error, whatever folders they are in. 0, or -EINVAL, -EIO
 * or -ENOMEM after it was reported.
 */
int schema_check_run(struct server *server, struct arena *arena, struct report *report,
                     const struct folder *folders, size_t folder_count, bool writing,
                     struct schema_check_account *ret) MUST_CHECK;

#endif
