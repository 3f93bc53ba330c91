#include "typedsql/from_clause.h"

#include <stdint.h>

#define NO_JOIN SIZE_MAX

/* Where the reading stands. Depth is bounded, so recursion is. */
struct reader {
    struct from_clause *clause;
    size_t at;
    size_t depth;
};

/* What a parenthesis may hold. */
enum content {
    CONTENT_ANY,    /* an expression, a subquery, a list */
    CONTENT_TABLES, /* stands in a FROM list: a subquery or joined tables */
};

static void read_body(struct reader *reader, enum content content, size_t outer_join);

static bool is_word(const struct reader *reader, size_t ahead, const char *word)
{
    return sql_token_is_word(reader->clause->tokens, reader->at + ahead, word);
}

static bool is_sign(const struct reader *reader, size_t ahead, char sign)
{
    return sql_token_is_sign(reader->clause->tokens, reader->at + ahead, sign);
}

static bool is_any_word(const struct reader *reader, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_word(reader, 0, words[i])) {
            return true;
        }
    }
    return false;
}

static bool at_end(const struct reader *reader)
{
    return reader->at >= reader->clause->tokens->count;
}

static bool is_name(const struct reader *reader, size_t ahead)
{
    size_t index = reader->at + ahead;
    return index < reader->clause->tokens->count &&
           (reader->clause->tokens->list[index].kind == SQL_TOKEN_WORD ||
            reader->clause->tokens->list[index].kind == SQL_TOKEN_NAME);
}

static void doubt(struct reader *reader, const char *why)
{
    if (reader->clause->doubt == NULL) {
        reader->clause->doubt = why;
    }
}

static void add_relation(struct reader *reader, size_t name_token, size_t outer_join)
{
    struct from_clause *clause = reader->clause;
    if (clause->relation_count == FROM_CLAUSE_RELATIONS_MAX) {
        doubt(reader, "more tables than can be told apart");
        return;
    }
    clause->relations[clause->relation_count++] = (struct from_clause_relation){
        .name_token = name_token, .is_outer = outer_join != NO_JOIN, .join_token = outer_join};
}

/* A RIGHT or FULL JOIN: whatever stands to its left may be missing. */
static void mark_outer_since(struct reader *reader, size_t first_relation, size_t join_token)
{
    struct from_clause *clause = reader->clause;
    for (size_t i = first_relation; i < clause->relation_count; i++) {
        if (!clause->relations[i].is_outer) {
            clause->relations[i].is_outer = true;
            clause->relations[i].join_token = join_token;
        }
    }
}

/* Names of tables that stand outside FROM: what is inserted into, updated or, by USING, deleted. */
static bool read_target(struct reader *reader)
{
    size_t ahead = 0;
    if (is_word(reader, 0, "INSERT") && is_word(reader, 1, "INTO")) {
        ahead = 2;
    } else if (is_word(reader, 0, "UPDATE")) {
        ahead = is_word(reader, 1, "ONLY") ? 2 : 1;
    }
    if (ahead == 0 || !is_name(reader, ahead)) {
        return false;
    }
    while (is_sign(reader, ahead + 1, '.') && is_name(reader, ahead + 2)) {
        ahead += 2;
    }
    add_relation(reader, reader->at + ahead, NO_JOIN);
    reader->at += ahead + 1;
    return true;
}

/* The name of the CTE whose body's parenthesis is next, or SIZE_MAX if it is no CTE's. */
static size_t cte_name_token(const struct reader *reader)
{
    const struct sql_tokens *tokens = reader->clause->tokens;
    size_t at = reader->at;
    if (at >= 1 && sql_token_is_word(tokens, at - 1, "MATERIALIZED")) {
        at -= at >= 2 && sql_token_is_word(tokens, at - 2, "NOT") ? 2 : 1;
    }
    if (at < 2 || !sql_token_is_word(tokens, at - 1, "AS")) {
        return SIZE_MAX;
    }
    at -= 2;
    if (sql_token_is_sign(tokens, at, ')')) { /* a list of columns */
        while (at > 0 && !sql_token_is_sign(tokens, at, '(')) {
            at--;
        }
        if (at == 0) {
            return SIZE_MAX;
        }
        at--;
    }
    return at;
}

/* Steps into a parenthesis, reads what is in it and steps out. */
static void read_parenthesis(struct reader *reader, enum content content, size_t outer_join)
{
    struct from_clause *clause = reader->clause;
    size_t cte_name = cte_name_token(reader);
    size_t first_relation = clause->relation_count;
    reader->at++;
    if (reader->depth == FROM_CLAUSE_DEPTH_MAX) {
        doubt(reader, "parentheses too deep");
        reader->at = clause->tokens->count;
        return;
    }
    reader->depth++;
    read_body(reader, content, outer_join);
    reader->depth--;
    if (is_sign(reader, 0, ')')) {
        reader->at++;
    }
    if (cte_name != SIZE_MAX && clause->relation_count > first_relation &&
        clause->cte_count < FROM_CLAUSE_RELATIONS_MAX) {
        clause->ctes[clause->cte_count++] =
            (struct from_clause_cte){.name_token = cte_name,
                                     .first_relation = first_relation,
                                     .end_relation = clause->relation_count};
    }
}

/* Whether the FROM list ends here. These words are reserved, so none is an alias. */
static bool ends_from(const struct reader *reader)
{
    static const char *const words[] = {
        "WHERE", "GROUP",  "HAVING", "WINDOW", "UNION",  "INTERSECT", "EXCEPT",    "ORDER",
        "LIMIT", "OFFSET", "FETCH",  "FOR",    "SELECT", "WITH",      "RETURNING", "WHEN",
    };
    return at_end(reader) || is_sign(reader, 0, ')') ||
           (is_any_word(reader, words, COUNT_OF(words)) && !is_word(reader, 1, "ORDINALITY"));
}

/* The kind of the join that begins here. */
enum join {
    JOIN_NOT,
    JOIN_INNER,
    JOIN_LEFT,
    JOIN_RIGHT,
    JOIN_FULL,
};

/* Recognizes [NATURAL] [INNER|CROSS|LEFT|RIGHT|FULL] [OUTER] JOIN; how many tokens it takes. */
static enum join find_join(const struct reader *reader, size_t *ret_length,
                           bool *ret_needs_condition)
{
    enum join join = JOIN_INNER;
    size_t ahead = 0;
    *ret_needs_condition = true;
    if (is_word(reader, ahead, "NATURAL")) {
        *ret_needs_condition = false;
        ahead++;
    }
    if (is_word(reader, ahead, "CROSS")) {
        *ret_needs_condition = false;
        ahead++;
    } else if (is_word(reader, ahead, "INNER")) {
        ahead++;
    } else if (is_word(reader, ahead, "LEFT")) {
        join = JOIN_LEFT;
        ahead++;
    } else if (is_word(reader, ahead, "RIGHT")) {
        join = JOIN_RIGHT;
        ahead++;
    } else if (is_word(reader, ahead, "FULL")) {
        join = JOIN_FULL;
        ahead++;
    }
    ahead += is_word(reader, ahead, "OUTER") ? 1 : 0;
    *ret_length = ahead + 1;
    return is_word(reader, ahead, "JOIN") ? join : JOIN_NOT;
}

/* One table, function or parenthesis of a FROM list, without its alias. */
static void read_primary(struct reader *reader, size_t outer_join)
{
    while (is_word(reader, 0, "LATERAL") || is_word(reader, 0, "ONLY")) {
        reader->at++;
    }
    if (is_sign(reader, 0, '(')) {
        read_parenthesis(reader, CONTENT_TABLES, outer_join);
        return;
    }
    if (!is_name(reader, 0)) {
        return;
    }
    while (is_sign(reader, 1, '.') && is_name(reader, 2)) {
        reader->at += 2;
    }
    if (is_sign(reader, 1, '(')) { /* a function's result has no table to come from */
        reader->at++;
        read_parenthesis(reader, CONTENT_ANY, outer_join);
        return;
    }
    add_relation(reader, reader->at, outer_join);
    reader->at++;
}

/*
 * One item of a FROM list, up to its comma. A join that begins before the one to its left has got
 * its condition is nested in it, and what it joins belongs to the other side: too rare to follow.
 */
static void read_from_item(struct reader *reader, size_t outer_join)
{
    size_t first_relation = reader->clause->relation_count;
    bool condition_is_due = false;
    read_primary(reader, outer_join);
    while (!ends_from(reader) && !is_sign(reader, 0, ',')) {
        size_t length;
        bool needs_condition;
        enum join join = find_join(reader, &length, &needs_condition);
        if (join == JOIN_NOT) {
            if (is_word(reader, 0, "ON") || is_word(reader, 0, "USING")) {
                condition_is_due = false;
            }
            if (is_sign(reader, 0, '(')) {
                read_parenthesis(reader, CONTENT_ANY, outer_join);
            } else {
                reader->at++;
            }
            continue;
        }
        if (condition_is_due) {
            doubt(reader, "a JOIN inside of another");
        }
        condition_is_due = needs_condition;
        size_t join_token = reader->at;
        reader->at += length;
        reader->clause->has_outer_join = reader->clause->has_outer_join || join != JOIN_INNER;
        if (join == JOIN_RIGHT || join == JOIN_FULL) {
            mark_outer_since(reader, first_relation, join_token);
        }
        bool right_is_outer = join == JOIN_LEFT || join == JOIN_FULL;
        read_primary(reader, right_is_outer ? join_token : outer_join);
    }
}

/* After FROM, and after the USING of a DELETE: items between commas. */
static void read_from_list(struct reader *reader, size_t outer_join)
{
    for (;;) {
        read_from_item(reader, outer_join);
        if (!is_sign(reader, 0, ',')) {
            return;
        }
        reader->at++;
    }
}

/* What makes a NULL of a column that has none, or hides where it comes from. */
static void look_for_doubts(struct reader *reader)
{
    static const char *const words[] = {"UNION", "INTERSECT", "EXCEPT", "ROLLUP", "CUBE"};
    size_t length;
    bool needs_condition;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (is_word(reader, 0, words[i])) {
            doubt(reader, words[i]);
        }
    }
    if (is_word(reader, 0, "GROUPING") && is_word(reader, 1, "SETS")) {
        doubt(reader, "GROUPING SETS");
    }
    if (find_join(reader, &length, &needs_condition) > JOIN_INNER) {
        doubt(reader, "a JOIN where none was expected");
    }
}

static bool begins_command(const struct reader *reader)
{
    static const char *const words[] = {"SELECT", "WITH", "VALUES", "TABLE"};
    return is_any_word(reader, words, COUNT_OF(words));
}

/*
 * Everything up to the closing parenthesis or the end. FROM is also a word inside of functions'
 * parentheses and of IS DISTINCT FROM; what is then taken for a table is none and does no harm,
 * for another mention of a table never makes it less likely to be missing.
 */
static void read_body(struct reader *reader, enum content content, size_t outer_join)
{
    if (content == CONTENT_TABLES && !begins_command(reader)) {
        read_from_list(reader, outer_join);
    }
    while (!at_end(reader) && !is_sign(reader, 0, ')')) {
        look_for_doubts(reader);
        if (is_word(reader, 0, "FROM") || is_word(reader, 0, "USING")) {
            reader->at++;
            read_from_list(reader, outer_join);
        } else if (is_sign(reader, 0, '(')) {
            read_parenthesis(reader, CONTENT_ANY, outer_join);
        } else if (!read_target(reader)) {
            reader->at++;
        }
    }
}

/* Whether the CTE is named on the outer side of a join; that join is in *ret_join_token. */
static bool cte_is_outer(const struct from_clause *clause, const struct from_clause_cte *cte,
                         size_t *ret_join_token)
{
    for (size_t i = 0; i < clause->relation_count; i++) {
        const struct from_clause_relation *use = &clause->relations[i];
        if (use->is_outer &&
            sql_token_same_name(clause->tokens, use->name_token, cte->name_token)) {
            *ret_join_token = use->join_token;
            return true;
        }
    }
    return false;
}

/* A CTE that may be missing takes the tables of its body with it, other CTEs among them. */
static void spread_over_ctes(struct from_clause *clause)
{
    bool changed;
    do {
        changed = false;
        for (size_t i = 0; i < clause->cte_count; i++) {
            const struct from_clause_cte *cte = &clause->ctes[i];
            size_t join_token;
            if (!cte_is_outer(clause, cte, &join_token)) {
                continue;
            }
            for (size_t r = cte->first_relation; r < cte->end_relation; r++) {
                changed = changed || !clause->relations[r].is_outer;
                clause->relations[r].is_outer = true;
                clause->relations[r].join_token = join_token;
            }
        }
    } while (changed);
}

void from_clause_read(const struct sql_tokens *tokens, struct from_clause *ret)
{
    *ret = (struct from_clause){.tokens = tokens};
    struct reader reader = {.clause = ret};
    read_body(&reader, CONTENT_ANY, NO_JOIN);
    if (!at_end(&reader)) {
        doubt(&reader, "parentheses that do not match");
    }
    spread_over_ctes(ret);
}

bool from_clause_may_lack(const struct from_clause *clause, const char *table,
                          size_t *ret_join_token)
{
    bool found = false;
    for (size_t i = 0; i < clause->relation_count; i++) {
        const struct from_clause_relation *relation = &clause->relations[i];
        if (!sql_token_names(clause->tokens, relation->name_token, table)) {
            continue;
        }
        if (relation->is_outer) {
            *ret_join_token = relation->join_token;
            return true;
        }
        found = true;
    }
    if (!found && clause->has_outer_join) {
        *ret_join_token = SIZE_MAX;
        return true;
    }
    return false;
}
