#include "typedsql/select_list.h"

#include <stdbool.h>
#include <stdint.h>

/* Keeps count of parentheses; depth 0 is the command itself. */
static void follow_depth(const struct sql_tokens *tokens, size_t index, size_t *depth)
{
    if (sql_token_is_sign(tokens, index, '(') || sql_token_is_sign(tokens, index, '[')) {
        ++*depth;
    } else if ((sql_token_is_sign(tokens, index, ')') || sql_token_is_sign(tokens, index, ']')) &&
               *depth > 0) {
        --*depth;
    }
}

/* The token after the outermost RETURNING or else SELECT [DISTINCT]; SIZE_MAX without either. */
static size_t list_begin(const struct sql_tokens *tokens)
{
    size_t depth = 0;
    size_t select = SIZE_MAX;
    for (size_t i = 0; i < tokens->count; i++) {
        follow_depth(tokens, i, &depth);
        if (depth == 0 && sql_token_is_word(tokens, i, "RETURNING")) {
            return i + 1;
        }
        if (depth == 0 && select == SIZE_MAX && sql_token_is_word(tokens, i, "SELECT")) {
            select = i + 1;
        }
    }
    bool is_distinct = select != SIZE_MAX && sql_token_is_word(tokens, select, "DISTINCT") &&
                       !sql_token_is_word(tokens, select + 1, "ON");
    return select != SIZE_MAX && is_distinct ? select + 1 : select;
}

/* Whether the list is over at this token of depth 0. */
static bool list_ends(const struct sql_tokens *tokens, size_t index)
{
    static const char *const words[] = {"FROM",  "WHERE", "GROUP",     "HAVING", "WINDOW",
                                        "UNION", "ORDER", "LIMIT",     "OFFSET", "FETCH",
                                        "FOR",   "INTO",  "INTERSECT", "EXCEPT"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (sql_token_is_word(tokens, index, words[i])) {
            return true;
        }
    }
    return false;
}

size_t select_list_offset(const struct sql_tokens *tokens, size_t index, size_t column_count)
{
    size_t begin = list_begin(tokens);
    if (begin >= tokens->count) {
        return 0;
    }
    size_t depth = 0;
    size_t item = 0;
    size_t found = tokens->list[begin].at;
    for (size_t i = begin; i < tokens->count; i++) {
        follow_depth(tokens, i, &depth);
        if (depth == 0 && list_ends(tokens, i) && !sql_token_is_word(tokens, i - 1, "DISTINCT")) {
            break;
        }
        if (depth == 0 && sql_token_is_sign(tokens, i, ',') && i + 1 < tokens->count) {
            item++;
            found = item == index ? tokens->list[i + 1].at : found;
        }
    }
    return item + 1 == column_count ? found : tokens->list[begin].at;
}
