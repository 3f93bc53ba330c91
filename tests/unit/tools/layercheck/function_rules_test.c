#include "layercheck/function_rules.h"

#include "findings_of.h"

/* A function with a body of so many lines, after an array that is longer than any function. */
static char *make_text(size_t body_lines)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    assert_non_null(stream);
    fputs("int array[] = {\n", stream);
    for (size_t i = 0; i < 100; i++) {
        fputs("    1,\n", stream);
    }
    fputs("};\n\nvoid f(void)\n{\n", stream);
    for (size_t i = 0; i < body_lines; i++) {
        fputs("    g(\"}\");\n", stream);
    }
    fputs("}\n", stream);
    assert_int_equal(fclose(stream), 0);
    return text;
}

/* The bound, from both sides. */
static void function_rules_body_over_seventy_lines_is_found(void **state)
{
    char *longest = make_text(70), *too_long = make_text(71);

    (void)state;
    assert_no_finding(function_rules_check, "a.c", longest);
    assert_one_finding(function_rules_check, "a.c", too_long, "a function of 71 lines");
    free(longest);
    free(too_long);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(function_rules_body_over_seventy_lines_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
