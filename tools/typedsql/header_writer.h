/* Writes a query's generated header. */
#ifndef TYPEDSQL_HEADER_WRITER_H
#define TYPEDSQL_HEADER_WRITER_H

#include "typedsql/binding.h"

#include <stdio.h>

/* folder is how users spell the header's folder: "orders/adapters/postgres/queries". */
void header_writer_write(FILE *out, const struct binding *binding, const char *folder);

#endif
