#include "layercheck/text_rules.h"

#include "findings_of.h"

/* What reviewers would otherwise have to look for line by line. */
static void text_rules_untidy_line_is_found(void **state)
{
    (void)state;
    assert_one_finding(text_rules_check, "a.c", "int a;\n\tint b;\n", "a.c:2: a tab");
    assert_one_finding(text_rules_check, "a.c", "int a; \n", "white space at the end");
    assert_one_finding(text_rules_check, "a.c", "int a;\r\n", "white space at the end");
    assert_one_finding(text_rules_check, "a.c", "int a;", "no newline");
    assert_one_finding(text_rules_check, "a.c", "", "no newline");
}

/* Columns are characters: a comment in another script is no longer than it looks. */
static void text_rules_line_length_counts_characters(void **state)
{
    char line[256];

    (void)state;
    memset(line, 'x', 100);
    memcpy(line + 100, "\n", 2);
    assert_no_finding(text_rules_check, "a.c", line);
    memcpy(line + 98, "\xc3\xa4\xc3\xa4\n", 6);
    assert_no_finding(text_rules_check, "a.c", line);
    memset(line, 'x', 101);
    memcpy(line + 101, "\n", 2);
    assert_one_finding(text_rules_check, "a.c", line, "101 columns");
}

/* A leftover is a promise that somebody forgets; a word that contains one is not. */
static void text_rules_leftover_word_is_found(void **state)
{
    (void)state;
    assert_one_finding(text_rules_check, "a.c",
                       "/* TO"
                       "DO later */\n",
                       "a leftover");
    assert_one_finding(text_rules_check, "a.c",
                       "/* FIX"
                       "ME */\n",
                       "a leftover");
    assert_no_finding(text_rules_check, "a.c",
                      "int xTO"
                      "DO, TO"
                      "DOs, XX"
                      "XX;\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_rules_untidy_line_is_found),
        cmocka_unit_test(text_rules_line_length_counts_characters),
        cmocka_unit_test(text_rules_leftover_word_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
