/*
 * Writes the list of a folder's statements, so that a session can prepare all of them when it opens
 * and nobody has to keep the list by hand.
 */
#ifndef TYPEDSQL_LIST_WRITER_H
#define TYPEDSQL_LIST_WRITER_H

#include <stddef.h>
#include <stdio.h>

struct list_writer_job {
    const char *name;   /* of the files, and what their identifiers begin with */
    const char *folder; /* how users spell the headers' folder */
    const char *const *queries;
    size_t query_count;
};

void list_writer_write_header(FILE *out, const struct list_writer_job *job);
void list_writer_write_source(FILE *out, const struct list_writer_job *job);

#endif
