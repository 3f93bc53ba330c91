/*
 * The functions that a query's header declares and its source defines: who takes and gives what.
 */
#ifndef TYPEDSQL_SIGNATURE_H
#define TYPEDSQL_SIGNATURE_H

#include "typedsql/binding.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define SIGNATURE_ARGUMENTS_MAX  8
#define SIGNATURE_ARGUMENT_CHARS 128

/* What a function does; exported ones are named after the query. */
enum signature_role {
    SIGNATURE_SEND,
    SIGNATURE_SEND_STREAMED,
    SIGNATURE_RECEIVE,
    SIGNATURE_EXEC,
    SIGNATURE_READ,
};

/* Whether the query has the function. */
bool signature_exists(const struct binding *binding, enum signature_role role);

/* Writes "enum db_status read_order_send(...)" and the tail, wrapped. */
void signature_write(FILE *out, const struct binding *binding, enum signature_role role,
                     const char *tail);

#endif
