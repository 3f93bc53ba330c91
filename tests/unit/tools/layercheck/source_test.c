#include "layercheck/source.h"

#include "findings_of.h"

static void assert_code(const char *text, const char *code)
{
    struct source *source = NULL;

    assert_int_equal(source_create("a.c", text, strlen(text), &source), 0);
    assert_string_equal(source->code, code);
    source_destroy(source);
}

/* A banned word in a comment or a text is no call, and offsets stay what they were. */
static void source_comments_and_texts_are_blank_in_code(void **state)
{
    (void)state;
    assert_code("a /* b */ c", "a         c");
    assert_code("a // b\nc", "a     \nc");
    assert_code("f(\"x\\\"y\", 'z')", "f(      ,    )");
    assert_code("'\\'' b", "     b");
    assert_code("\"/*\" b /*\"*/ c", "     b       c");
    assert_code("a /* b\n c */ d", "a     \n      d");
}

/* A file that ends in the middle of something must not be read past its end. */
static void source_unfinished_text_is_blank_to_its_end(void **state)
{
    (void)state;
    assert_code("\"a\\", "   ");
    assert_code("/*", "  ");
    assert_code("/", "/");
    assert_code("", "");
}

static void source_lines_are_numbered_from_one(void **state)
{
    struct source *source = NULL;
    struct source_line line = {0};

    (void)state;
    assert_int_equal(source_create("a.c", "x\n\nyz", 5, &source), 0);
    assert_true(source_next_line(source, &line));
    assert_int_equal(line.number, 1);
    assert_int_equal(line.end, 1);
    assert_true(source_next_line(source, &line));
    assert_int_equal(line.begin, line.end);
    assert_true(source_next_line(source, &line));
    assert_int_equal(line.number, 3);
    assert_int_equal(line.begin, 3);
    assert_int_equal(line.end, 5);
    assert_false(source_next_line(source, &line));
    source_destroy(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_comments_and_texts_are_blank_in_code),
        cmocka_unit_test(source_unfinished_text_is_blank_to_its_end),
        cmocka_unit_test(source_lines_are_numbered_from_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
