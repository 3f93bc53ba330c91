#include "protojson/protojson_failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* The path reads as a client would write it in its own program. */
static void protojson_failure_path_has_dots_and_indices(void **state)
{
    (void)state;
    struct protojson_failure failure;
    protojson_failure_init(&failure);
    protojson_failure_say(&failure, "The text is short");
    assert_string_equal(failure.description, "The text is short");
    protojson_failure_add_field(&failure, "items", 5);
    protojson_failure_add_index(&failure, 12);
    protojson_failure_add_field(&failure, "quantity", 8);
    protojson_failure_say(&failure, "must be a number");
    assert_string_equal(failure.field, "items[12].quantity");
    assert_string_equal(failure.description, "items[12].quantity must be a number");
}

/* A name from outside breaks no line, ends no text early and fills no more than there is. */
static void protojson_failure_hostile_name_is_made_harmless(void **state)
{
    (void)state;
    char name[500];
    memset(name, 'x', sizeof(name));
    memcpy(name, "a\0b\nc\x7f\xff\xc3\xa9", 9);
    struct protojson_failure failure;
    protojson_failure_init(&failure);
    protojson_failure_add_field(&failure, name, sizeof(name));
    assert_memory_equal(failure.field, "a?b?c??\xc3\xa9x", 10);
    assert_int_equal(strlen(failure.field), PROTOJSON_FIELD_CHARS_MAX - 1);
    memset(name, 'y', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    protojson_failure_say(&failure, name);
    assert_int_equal(strlen(failure.description), PROTOJSON_DESCRIPTION_CHARS_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protojson_failure_path_has_dots_and_indices),
        cmocka_unit_test(protojson_failure_hostile_name_is_made_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
