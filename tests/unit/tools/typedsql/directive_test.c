/* Directives and prose share the comment block: one must never be taken for the other. */
#include "typedsql/directive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool is(const char *line)
{
    return directive_is(line, strlen(line));
}

/* Spaces are free; an @ within prose is prose. */
static void directive_comment_that_begins_with_at_is_one(void **state)
{
    (void)state;
    assert_true(is("-- @query a one"));
    assert_true(is("  --@param"));
    assert_true(is("--\t@"));
    assert_false(is("-- mail me @home"));
    assert_false(is("- @query"));
    assert_false(is("@query"));
    assert_false(is("SELECT 1 -- @query"));
    assert_false(is("--"));
    assert_false(is(""));
}

/* A field's name has to compile. */
static void directive_field_names_are_identifiers_of_c(void **state)
{
    (void)state;
    assert_true(directive_is_field_name("sale_id"));
    assert_true(directive_is_field_name("a1"));
    assert_false(directive_is_field_name("int"));
    assert_false(directive_is_field_name("default"));
    assert_false(directive_is_field_name("1a"));
    assert_false(directive_is_field_name("_a"));
    assert_false(directive_is_field_name("A"));
    assert_false(directive_is_field_name("a-b"));
    assert_false(directive_is_field_name("?column?"));
    assert_false(directive_is_field_name(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directive_comment_that_begins_with_at_is_one),
        cmocka_unit_test(directive_field_names_are_identifiers_of_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
