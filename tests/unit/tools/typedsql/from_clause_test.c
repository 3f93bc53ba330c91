/*
 * Which tables a row may lack. The one mistake that must never happen is to call a table present
 * that is not: a NULL would then come where the C has no place for one.
 */
#include "typedsql/from_clause.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct sql_tokens tokens;
static struct from_clause clause;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 4096, 32 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static void read_command(const char *text)
{
    size_t error_at;
    assert_int_equal(sql_token_cut(&arena, text, strlen(text), &tokens, &error_at), 0);
    from_clause_read(&tokens, &clause);
}

static bool is_mentioned(const char *table)
{
    for (size_t i = 0; i < tokens.count; i++) {
        if (sql_token_names(&tokens, i, table)) {
            return true;
        }
    }
    return false;
}

/* The tables, separated by spaces, may be missing; no others of a, b, c, d may. */
static void assert_lacks(const char *text, const char *expected)
{
    static const char *const tables[] = {"a", "b", "c", "d"};
    char found[16] = "";
    read_command(text);
    assert_null(clause.doubt);
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        size_t join_token;
        if (is_mentioned(tables[i]) && from_clause_may_lack(&clause, tables[i], &join_token)) {
            strcat(found, found[0] != '\0' ? " " : "");
            strcat(found, tables[i]);
        }
    }
    if (strcmp(found, expected) != 0) {
        fail_msg("%s: may lack '%s', not '%s'", text, found, expected);
    }
}

static void assert_doubts(const char *text)
{
    read_command(text);
    if (clause.doubt == NULL) {
        fail_msg("%s: is taken to be understood", text);
    }
}

/* Nothing is lost without an outer join. */
static void from_clause_inner_joins_lose_nothing(void **state)
{
    (void)state;
    assert_lacks("SELECT FROM a", "");
    assert_lacks("SELECT FROM a, b WHERE x", "");
    assert_lacks("SELECT FROM a JOIN b USING (x) INNER JOIN c ON y CROSS JOIN d", "");
    assert_lacks("SELECT FROM a NATURAL JOIN b", "");
    assert_lacks("SELECT left(x, 1), right(y, 1) FROM a JOIN b ON left(x, 1) = y", "");
    assert_lacks("INSERT INTO a SELECT FROM b ON CONFLICT (x) DO UPDATE SET y = 1 RETURNING x", "");
    assert_lacks("UPDATE a SET x = b.y FROM b WHERE z RETURNING x", "");
    assert_lacks("DELETE FROM a USING b WHERE x RETURNING y", "");
}

/* Each kind of outer join, with and without its noise word. */
static void from_clause_outer_side_may_be_missing(void **state)
{
    (void)state;
    assert_lacks("SELECT FROM a LEFT JOIN b ON x", "b");
    assert_lacks("SELECT FROM a left outer join b USING (x)", "b");
    assert_lacks("SELECT FROM a RIGHT JOIN b ON x", "a");
    assert_lacks("SELECT FROM a RIGHT OUTER JOIN b ON x WHERE y", "a");
    assert_lacks("SELECT FROM a FULL JOIN b USING (x)", "a b");
    assert_lacks("SELECT FROM a NATURAL LEFT JOIN b", "b");
    assert_lacks("SELECT FROM a LEFT JOIN b ON x JOIN c ON y", "b");
    assert_lacks("SELECT FROM a JOIN b ON x RIGHT JOIN c ON y", "a b");
    assert_lacks("SELECT FROM a LEFT JOIN b ON x LEFT JOIN c ON y", "b c");
    assert_lacks("SELECT FROM a LEFT JOIN b ON x FULL JOIN c ON y", "a b c");
    assert_lacks("SELECT FROM a AS t (x, y) LEFT JOIN s.b AS u ON (x) = (y), c", "b");
    assert_lacks("SELECT FROM a, b RIGHT JOIN c ON x", "b");
    assert_lacks("SELECT FROM f(x) WITH ORDINALITY AS t (a1) LEFT JOIN b ON y", "b");
    assert_lacks("SELECT FROM ONLY a LEFT JOIN LATERAL (SELECT FROM b) AS t ON true", "b");
}

/* What is in parentheses goes missing together. */
static void from_clause_parentheses_are_followed(void **state)
{
    (void)state;
    assert_lacks("SELECT FROM a LEFT JOIN (b JOIN c ON x) ON y", "b c");
    assert_lacks("SELECT FROM (a LEFT JOIN b ON x) JOIN c ON y", "b");
    assert_lacks("SELECT FROM (a JOIN b ON x) RIGHT JOIN c ON y", "a b");
    assert_lacks("SELECT FROM ((a CROSS JOIN b) LEFT JOIN c ON y)", "c");
    assert_lacks("SELECT FROM a LEFT JOIN (SELECT FROM b, (SELECT FROM c) t) u ON y", "b c");
    assert_lacks("SELECT FROM (SELECT FROM a LEFT JOIN b ON x) t JOIN c ON y", "b");
    assert_lacks("SELECT FROM a WHERE x IN (SELECT FROM b LEFT JOIN c ON y)", "c");
    assert_lacks("SELECT (SELECT FROM b LEFT JOIN c ON y) FROM a", "c");
    assert_lacks("SELECT FROM a LEFT JOIN b ON EXISTS (SELECT FROM c) JOIN d ON z", "b");
}

/* A CTE carries its name away from its tables; what happens to the name happens to them. */
static void from_clause_ctes_are_followed(void **state)
{
    (void)state;
    assert_lacks("WITH t AS (SELECT FROM b) SELECT FROM a LEFT JOIN t ON x", "b");
    assert_lacks("WITH t (x) AS MATERIALIZED (SELECT FROM b) SELECT FROM a LEFT JOIN T ON x", "b");
    assert_lacks("WITH t AS NOT MATERIALIZED (SELECT FROM b), u AS (SELECT FROM t, c)"
                 " SELECT FROM a LEFT JOIN u ON x",
                 "b c");
    assert_lacks("WITH t AS (SELECT FROM b), u AS (SELECT FROM t LEFT JOIN c ON y)"
                 " SELECT FROM u JOIN a ON x",
                 "c");
    assert_lacks("WITH t AS (INSERT INTO b SELECT FROM c RETURNING x) SELECT FROM a"
                 " LEFT JOIN t ON x",
                 "b c");
    assert_lacks("WITH t AS (SELECT FROM b) SELECT FROM t LEFT JOIN a ON x", "a");
}

/* The same table twice: known by its name alone, it is as bad as the worse of the two. */
static void from_clause_table_named_twice_counts_as_the_worse(void **state)
{
    (void)state;
    assert_lacks("SELECT FROM a x LEFT JOIN a y ON z", "a");
    assert_lacks("SELECT FROM a JOIN b ON x LEFT JOIN s.a ON z", "a");
}

/* A table that was not found in a query with an outer join might be on its outer side. */
static void from_clause_table_not_found_may_be_missing(void **state)
{
    (void)state;
    size_t join_token = 0;
    read_command("SELECT FROM a LEFT JOIN b ON x");
    assert_true(from_clause_may_lack(&clause, "z", &join_token));
    assert_int_equal(join_token, SIZE_MAX);
    read_command("SELECT FROM a");
    assert_false(from_clause_may_lack(&clause, "z", &join_token));
    assert_lacks("DELETE FROM a USING b LEFT JOIN c ON x RETURNING y", "b c");
}

/* FROM is a word of some functions too; that may not hide an outer join that follows. */
static void from_clause_from_inside_of_functions_does_no_harm(void **state)
{
    (void)state;
    assert_lacks("SELECT extract(epoch FROM x) FROM a LEFT JOIN b ON y", "b");
    assert_lacks("SELECT trim(both FROM x) FROM a LEFT JOIN b ON y IS DISTINCT FROM z", "b");
    assert_lacks("SELECT x IS NOT DISTINCT FROM y FROM a RIGHT JOIN b ON z", "a");
    assert_lacks("SELECT x FROM a LEFT JOIN b ON y ORDER BY x USING < LIMIT 1", "b");
}

/* What makes NULLs in other ways, or is not followed, puts everything in doubt. */
static void from_clause_what_is_not_followed_is_doubted(void **state)
{
    (void)state;
    assert_doubts("SELECT FROM a UNION ALL SELECT FROM b");
    assert_doubts("SELECT FROM (SELECT FROM a EXCEPT SELECT FROM b) t");
    assert_doubts("SELECT FROM a INTERSECT SELECT FROM b");
    assert_doubts("SELECT x FROM a GROUP BY ROLLUP (x)");
    assert_doubts("SELECT x FROM a GROUP BY CUBE (x)");
    assert_doubts("SELECT x FROM a GROUP BY GROUPING SETS ((x), ())");
    assert_doubts("SELECT FROM a LEFT JOIN b JOIN c ON x ON y");
    assert_doubts("MERGE INTO a WHEN b LEFT JOIN c ON x");
    assert_doubts("SELECT FROM a)");
}

/* A table inside of a string or a comment is none. */
static void from_clause_quoted_words_are_no_joins(void **state)
{
    (void)state;
    assert_lacks("SELECT 'LEFT JOIN b' FROM a -- LEFT JOIN b\n", "");
    assert_lacks("SELECT FROM \"a\" LEFT JOIN \"B\" ON x", "");
}

/* Nesting is bounded: a text made of parentheses must not end the process. */
static void from_clause_deep_nesting_is_doubted(void **state)
{
    (void)state;
    char text[20000];
    memset(text, '(', sizeof(text));
    memcpy(text, "SELECT FROM", strlen("SELECT FROM"));
    text[sizeof(text) - 1] = '\0';
    assert_doubts(text);
}

/* More tables than there is room for. */
static void from_clause_too_many_tables_are_doubted(void **state)
{
    (void)state;
    char text[4 * FROM_CLAUSE_RELATIONS_MAX + 64] = "SELECT FROM a";
    for (size_t i = 0; i < FROM_CLAUSE_RELATIONS_MAX; i++) {
        strcat(text, ", a");
    }
    assert_doubts(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_clause_inner_joins_lose_nothing),
        cmocka_unit_test(from_clause_outer_side_may_be_missing),
        cmocka_unit_test(from_clause_parentheses_are_followed),
        cmocka_unit_test(from_clause_ctes_are_followed),
        cmocka_unit_test(from_clause_table_named_twice_counts_as_the_worse),
        cmocka_unit_test(from_clause_table_not_found_may_be_missing),
        cmocka_unit_test(from_clause_from_inside_of_functions_does_no_harm),
        cmocka_unit_test(from_clause_what_is_not_followed_is_doubted),
        cmocka_unit_test(from_clause_quoted_words_are_no_joins),
        cmocka_unit_test(from_clause_deep_nesting_is_doubted),
        cmocka_unit_test(from_clause_too_many_tables_are_doubted),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
