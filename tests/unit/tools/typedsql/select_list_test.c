/* An error about a column has to point at that column. */
#include "typedsql/select_list.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Column index of count is written at the first "HERE" of the text. */
static void assert_points(const char *text, size_t index, size_t count)
{
    struct arena arena;
    struct sql_tokens tokens;
    size_t error_at;
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(sql_token_cut(&arena, text, strlen(text), &tokens, &error_at), 0);
    size_t found = select_list_offset(&tokens, index, count);
    const char *here = strstr(text, "HERE");
    assert_int_equal(found, here != NULL ? (size_t)(here - text) : 0);
    arena_fini(&arena);
}

/* Commas inside of parentheses and brackets separate no columns. */
static void select_list_items_are_counted_at_the_outermost_level(void **state)
{
    (void)state;
    assert_points("SELECT HERE, b FROM t", 0, 2);
    assert_points("SELECT f(a, b), ARRAY[c, d], HERE AS x FROM t", 2, 3);
    assert_points("SELECT DISTINCT a, HERE", 1, 2);
    assert_points("SELECT a IS DISTINCT FROM b, HERE FROM t", 1, 2);
    assert_points("WITH t AS (SELECT x, y FROM z) SELECT a, HERE FROM t", 1, 2);
}

/* What a changing command returns stands last. */
static void select_list_returning_is_the_list_of_a_changing_command(void **state)
{
    (void)state;
    assert_points("INSERT INTO t SELECT a, b FROM u RETURNING c, HERE", 1, 2);
    assert_points("UPDATE t SET a = 1, b = 2 RETURNING HERE", 0, 1);
}

/* A star stands for any number of columns: the pointer goes to the list. */
static void select_list_star_points_to_the_list(void **state)
{
    (void)state;
    assert_points("SELECT HERE.*, b FROM t", 3, 7);
    assert_points("SHOW timezone", 0, 1);
    assert_points("SELECT", 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(select_list_items_are_counted_at_the_outermost_level),
        cmocka_unit_test(select_list_returning_is_the_list_of_a_changing_command),
        cmocka_unit_test(select_list_star_points_to_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
