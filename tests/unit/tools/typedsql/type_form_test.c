/* Types and their names: "int8" in a file and "bigint" of the server are one. */
#include "typedsql/type_form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* People write the short names. */
static void type_form_aliases_name_the_same_type(void **state)
{
    (void)state;
    assert_true(type_form_same("int8", "bigint"));
    assert_true(type_form_same("timestamptz[]", "timestamp with time zone[]"));
    assert_true(type_form_same("varchar", "character varying"));
    assert_true(type_form_same("order_status", "order_status"));
    assert_true(type_form_same("order_status[]", "order_status[]"));
}

/* What differs must not pass for the same. */
static void type_form_other_types_differ(void **state)
{
    (void)state;
    assert_false(type_form_same("integer", "bigint"));
    assert_false(type_form_same("integer", "integer[]"));
    assert_false(type_form_same("text", "character varying"));
    assert_false(type_form_same("order_status", "order_state"));
    assert_false(type_form_same("numeric", "integer"));
}

/* The element of an array decides how it is read. */
static void type_form_arrays_have_the_form_of_their_elements(void **state)
{
    (void)state;
    assert_ptr_equal(type_form_find_element("int4[]"), type_form_find("integer"));
    assert_null(type_form_find("integer[]"));
    assert_null(type_form_find_element("integer"));
    assert_null(type_form_find_element("bytea[]"));
    assert_null(type_form_find_element("numeric[]"));
}

/* Without a form there is no C for it, and the author is told so. */
static void type_form_types_without_a_form_are_not_found(void **state)
{
    (void)state;
    assert_null(type_form_find("numeric"));
    assert_null(type_form_find("timestamp without time zone"));
    assert_null(type_form_find(""));
    assert_null(type_form_find("[]"));
    assert_null(type_form_find_element("[]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type_form_aliases_name_the_same_type),
        cmocka_unit_test(type_form_other_types_differ),
        cmocka_unit_test(type_form_arrays_have_the_form_of_their_elements),
        cmocka_unit_test(type_form_types_without_a_form_are_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
