/* Writes a query's generated source. */
#ifndef TYPEDSQL_SOURCE_WRITER_H
#define TYPEDSQL_SOURCE_WRITER_H

#include "typedsql/binding.h"

#include <stdio.h>

/* folder is how the source spells its header's folder. */
void source_writer_write(FILE *out, const struct binding *binding, const char *folder);

#endif
