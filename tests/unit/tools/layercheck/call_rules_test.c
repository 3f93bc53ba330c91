#include "layercheck/call_rules.h"

#include "findings_of.h"

/* Each of these has cost somebody a night. */
static void call_rules_banned_call_is_found(void **state)
{
    (void)state;
    assert_one_finding(call_rules_check, "libs/a/a.c", "\n  strcpy(a, b);\n",
                       "a.c:2: calls strcpy");
    assert_one_finding(call_rules_check, "libs/a/a.c", "x = atoi(y);\n", "calls atoi");
    assert_one_finding(call_rules_check, "libs/a/a.c", "assert(a);\n", "CHECK of base/check.h");
    assert_one_finding(call_rules_check, "libs/a/a.c", "cJSON_Parse(a);\n", "doubles");
}

/* A check that cries wolf is switched off. */
static void call_rules_lookalike_is_not_found(void **state)
{
    (void)state;
    assert_no_finding(call_rules_check, "libs/a/a.c", "static_assert(a, b); my_gets(a);\n");
    assert_no_finding(call_rules_check, "libs/a/a.c", "/* strcpy(a) */ f(\"atoi(b)\");\n");
    assert_no_finding(call_rules_check, "libs/a/a.c", "port->system(a); port.rand(b);\n");
    assert_no_finding(call_rules_check, "libs/a/a.c", "int gets;\n");
}

/* libpq's blocking calls have no deadline; one folder may wrap them, none may cancel. */
static void call_rules_libpq_outside_its_wrapper_is_found(void **state)
{
    (void)state;
    assert_no_finding(call_rules_check, "libs/postgres/a.c", "PQexec(a, b);\n");
    assert_one_finding(call_rules_check, "services/orders/a.c", "PQexec(a, b);\n", "deadline");
    assert_one_finding(call_rules_check, "services/orders/a.c", "PQsendQueryParams(a);\n",
                       "typed-sql");
    assert_one_finding(call_rules_check, "services/orders/a.c", "PQprepare(a);\n", "typed-sql");
    assert_one_finding(call_rules_check, "services/orders/a.c", "session_exec(a);\n", "typed-sql");
    assert_one_finding(call_rules_check, "libs/postgres/a.c", "PQcancel(a);\n", "without a bound");
}

/* In a test only the test can come to harm. */
static void call_rules_tests_may_be_blunt(void **state)
{
    (void)state;
    assert_no_finding(call_rules_check, "tests/unit/a.c", "strcpy(a, b); PQexec(a, b);\n");
    assert_one_finding(call_rules_check, "tests/unit/a.c", "gets(a);\n", "calls gets");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_rules_banned_call_is_found),
        cmocka_unit_test(call_rules_lookalike_is_not_found),
        cmocka_unit_test(call_rules_libpq_outside_its_wrapper_is_found),
        cmocka_unit_test(call_rules_tests_may_be_blunt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
