/* Where in a command its columns are written, so that an error can point there. */
#ifndef TYPEDSQL_SELECT_LIST_H
#define TYPEDSQL_SELECT_LIST_H

#include "typedsql/sql_token.h"

#include <stddef.h>

/*
 * The byte offset of column index (from 0) of column_count, in the list after RETURNING, else after
 * the outermost SELECT. Where the list cannot be told apart (a *, say), the list's first word;
 * where there is none, 0.
 */
size_t select_list_offset(const struct sql_tokens *tokens, size_t index, size_t column_count);

#endif
