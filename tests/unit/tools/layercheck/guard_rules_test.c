#include "layercheck/guard_rules.h"

#include "findings_of.h"

/* Two headers with one guard hide each other. */
static void guard_rules_other_guard_than_path_is_found(void **state)
{
    (void)state;
    assert_no_finding(guard_rules_check, "libs/base/check.h", "#ifndef BASE_CHECK_H\n");
    assert_no_finding(guard_rules_check, "tools/a-b/c.h", "/* x */\n#ifndef A_B_C_H\n");
    assert_one_finding(guard_rules_check, "libs/base/check.h", "#ifndef CHECK_H\n",
                       "it should be BASE_CHECK_H");
    assert_one_finding(guard_rules_check, "libs/base/check.h", "int a;\n", "the guard is ''");
}

static void guard_rules_guard_in_tests_is_any_end_of_path(void **state)
{
    const char *path = "tests/unit/a/b.h";

    (void)state;
    assert_no_finding(guard_rules_check, path, "#ifndef TESTS_UNIT_A_B_H\n");
    assert_no_finding(guard_rules_check, path, "#ifndef A_B_H\n");
    assert_no_finding(guard_rules_check, path, "#ifndef B_H\n");
    assert_one_finding(guard_rules_check, path, "#ifndef C_H\n", "it should be UNIT_A_B_H");
}

/* Such files collect what has no place of its own. */
static void guard_rules_name_that_says_nothing_is_found(void **state)
{
    (void)state;
    assert_one_finding(guard_rules_check, "libs/base/utils.c", "", "the one thing it holds");
    assert_no_finding(guard_rules_check, "libs/base/common_sense.c", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guard_rules_other_guard_than_path_is_found),
        cmocka_unit_test(guard_rules_guard_in_tests_is_any_end_of_path),
        cmocka_unit_test(guard_rules_name_that_says_nothing_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
