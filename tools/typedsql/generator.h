/* From a query and its cache entry to the header and source that the build compiles. */
#ifndef TYPEDSQL_GENERATOR_H
#define TYPEDSQL_GENERATOR_H

#include "base/check.h"

struct arena;
struct report;

struct generator_job {
    const char *sql_path, *json_path;
    const char *folder;     /* how users spell the header's folder */
    const char *out_folder; /* where <name>.h and <name>.c go; exists */
};

/*
 * Writes both files, complete or not at all; needs no database. 0, or a negative errno after what
 * is wrong was reported: a query whose text is not the one that was prepared, for one.
 */
int generator_run(struct arena *arena, struct report *report,
                  const struct generator_job *job) MUST_CHECK;

struct list_writer_job;

/* As generator_run, for the list of statements: <job->name>.h and .c in out_folder. */
int generator_run_list(struct arena *arena, struct report *report,
                       const struct list_writer_job *job, const char *out_folder) MUST_CHECK;

#endif
