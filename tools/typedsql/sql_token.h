/*
 * The words of an SQL text as PostgreSQL's scanner cuts them (documentation, 4.1 "Lexical
 * Structure"), without comments and white space. The server judges whether they make sense; what is
 * read here is read to find a place in the text and to see which words it has.
 */
#ifndef TYPEDSQL_SQL_TOKEN_H
#define TYPEDSQL_SQL_TOKEN_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

#define SQL_TOKEN_COUNT_MAX     100000
#define SQL_TOKEN_PARAMETER_MAX 65535

struct arena;

enum sql_token_kind {
    SQL_TOKEN_WORD,      /* a keyword or a bare name; SQL folds its case */
    SQL_TOKEN_NAME,      /* a "quoted" name */
    SQL_TOKEN_PARAMETER, /* $1 */
    SQL_TOKEN_CONSTANT,  /* a string of any form, a number */
    SQL_TOKEN_SIGN,      /* any other single character */
};

struct sql_token {
    enum sql_token_kind kind;
    size_t at, length; /* bytes, in the text that was cut */
    int parameter;     /* the number of $n */
};

struct sql_tokens {
    const char *text;
    const struct sql_token *list;
    size_t count;
};

/*
 * Cuts length bytes. 0; -EINVAL: a quote or comment is not ended, or $n is out of range, where
 * *ret_error_at tells; -E2BIG above SQL_TOKEN_COUNT_MAX; -ENOMEM.
 */
int sql_token_cut(struct arena *arena, const char *text, size_t length, struct sql_tokens *ret,
                  size_t *ret_error_at) MUST_CHECK;

/* Whether token index exists and is this bare word, in any case. */
bool sql_token_is_word(const struct sql_tokens *tokens, size_t index, const char *word);

/* Whether token index exists and is this character. */
bool sql_token_is_sign(const struct sql_tokens *tokens, size_t index, char sign);

/* Whether token index is a name, bare or quoted, that means this identifier of the catalog. */
bool sql_token_names(const struct sql_tokens *tokens, size_t index, const char *identifier);

/* Whether both are names that mean the same identifier. */
bool sql_token_same_name(const struct sql_tokens *tokens, size_t index, size_t other);

#endif
