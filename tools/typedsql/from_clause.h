/*
 * Which relations of a query may be missing from a row, read from its text: those on the outer side
 * of a LEFT, RIGHT or FULL JOIN, directly, in parentheses, in a subquery or by the name of a CTE.
 *
 * The text and not the plan, for the planner turns joins around. It errs to one side only: where it
 * is not sure it says that the relation may be missing. A relation is known by its table's name
 * alone, so of one that is named twice the worse is told.
 */
#ifndef TYPEDSQL_FROM_CLAUSE_H
#define TYPEDSQL_FROM_CLAUSE_H

#include "base/check.h"
#include "typedsql/sql_token.h"

#include <stdbool.h>
#include <stddef.h>

#define FROM_CLAUSE_RELATIONS_MAX 256
#define FROM_CLAUSE_DEPTH_MAX     64

struct from_clause_relation {
    size_t name_token;
    bool is_outer;     /* may be missing */
    size_t join_token; /* the LEFT, RIGHT or FULL that says so */
};

/* The name of a CTE, and which relations its body names. */
struct from_clause_cte {
    size_t name_token;
    size_t first_relation, end_relation;
};

struct from_clause {
    const struct sql_tokens *tokens;
    bool has_outer_join;
    /* A word that puts every column in doubt (UNION, ROLLUP, a nested join), or NULL. */
    const char *doubt;
    size_t relation_count, cte_count;
    struct from_clause_relation relations[FROM_CLAUSE_RELATIONS_MAX];
    struct from_clause_cte ctes[FROM_CLAUSE_RELATIONS_MAX];
};

/* Reads the command; the tokens must outlive *ret. */
void from_clause_read(const struct sql_tokens *tokens, struct from_clause *ret);

/*
 * Whether a row may lack the table. True and *ret_join_token is the join's token, or SIZE_MAX when
 * the table was not found in a query that has outer joins.
 */
bool from_clause_may_lack(const struct from_clause *clause, const char *table,
                          size_t *ret_join_token) MUST_CHECK;

#endif
