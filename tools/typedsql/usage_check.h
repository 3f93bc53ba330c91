/* Whether each query of a folder is used by somebody: a dead one is a promise nobody checks. */
#ifndef TYPEDSQL_USAGE_CHECK_H
#define TYPEDSQL_USAGE_CHECK_H

#include "base/check.h"
#include "typedsql/folder.h"

#include <stddef.h>

/*
 * Looks in the C sources, comments and strings aside, for each query's functions that send it, and
 * reports the queries that none of them names; its place in a list of statements is no use. 0,
 * -EINVAL after a report, or another -errno, reported as well.
 */
int usage_check_run(struct arena *arena, struct report *report, const struct folder *folder,
                    const char *const *sources, size_t source_count) MUST_CHECK;

#endif
