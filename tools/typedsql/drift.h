/* How a query's cache entry and the live schema differ, in words. */
#ifndef TYPEDSQL_DRIFT_H
#define TYPEDSQL_DRIFT_H

#include "typedsql/binding.h"
#include "typedsql/description.h"

#include <stdio.h>

struct arena;

/*
 * Writes each difference between what was committed and what is now as one line of words, indented,
 * and returns how many there are. The file gives parameters their names.
 */
size_t drift_write(FILE *out, const struct query_file *file, const struct description *was,
                   const struct description *now);

#endif
