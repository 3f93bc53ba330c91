/* The scanner must cut as PostgreSQL does: a $1 in a string is no parameter, one in code is. */
#include "typedsql/sql_token.h"

#include "base/arena.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 4096, 8 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* Cuts text and compares its tokens, separated by single spaces, with those expected. */
static void assert_tokens(const char *text, const char *expected)
{
    struct sql_tokens tokens;
    size_t error_at = 0;
    char joined[512] = "";
    assert_int_equal(sql_token_cut(&arena, text, strlen(text), &tokens, &error_at), 0);
    for (size_t i = 0; i < tokens.count; i++) {
        size_t used = strlen(joined);
        snprintf(joined + used, sizeof(joined) - used, "%s%.*s", i > 0 ? " " : "",
                 (int)tokens.list[i].length, text + tokens.list[i].at);
    }
    assert_string_equal(joined, expected);
}

static void assert_cut_fails(const char *text, size_t expected_at)
{
    struct sql_tokens tokens;
    size_t error_at = 0;
    assert_int_equal(sql_token_cut(&arena, text, strlen(text), &tokens, &error_at), -EINVAL);
    assert_int_equal(error_at, expected_at);
}

/* The common case. */
static void sql_token_plain_command_is_cut_into_words(void **state)
{
    (void)state;
    assert_tokens("SELECT a.b,count(*)FROM t WHERE x>=$1",
                  "SELECT a . b , count ( * ) FROM t WHERE "
                  "x > = $1");
    assert_tokens("", "");
    assert_tokens(" \t\r\n", "");
}

/* PostgreSQL nests block comments, unlike C: what follows the inner end is still a comment. */
static void sql_token_comments_are_skipped(void **state)
{
    (void)state;
    assert_tokens("a -- b\nc", "a c");
    assert_tokens("a -- b", "a");
    assert_tokens("a /* b /* c */ d */ e", "a e");
    assert_tokens("a/**/b", "a b");
}

/* Every way to write a string that may hold what looks like SQL. */
static void sql_token_strings_are_one_token_each(void **state)
{
    (void)state;
    assert_tokens("'a''$1--b' c", "'a''$1--b' c");
    assert_tokens("E'a\\'b' c", "E'a\\'b' c");
    assert_tokens("e'\\\\' c", "e'\\\\' c");
    assert_tokens("'\\' c", "'\\' c"); /* no escapes without E */
    assert_tokens("B'01' X'ff' N'n' U&'\\0061' u", "B'01' X'ff' N'n' U&'\\0061' u");
    assert_tokens("$$a 'b $1$$ c", "$$a 'b $1$$ c");
    assert_tokens("$t$ $$ $u$ $t$ c", "$t$ $$ $u$ $t$ c");
    assert_tokens("\"a \"\"b\" c", "\"a \"\"b\" c");
    assert_tokens("U&\"a b\" c", "U&\"a b\" c");
}

/* A word may hold a dollar sign, and a number an exponent. */
static void sql_token_words_and_numbers_end_where_they_end(void **state)
{
    (void)state;
    assert_tokens("a$1 b", "a$1 b");
    assert_tokens("1.5e-3+2", "1.5e-3 + 2");
    assert_tokens(".5 t.a", ".5 t . a");
    assert_tokens("gr\xc3\xb6\xc3\x9f"
                  "e b",
                  "gr\xc3\xb6\xc3\x9f"
                  "e b");
}

/* The numbers are what parameters are known by. */
static void sql_token_parameters_have_their_numbers(void **state)
{
    (void)state;
    static const char text[] = "$1 $12::int $65535";
    struct sql_tokens tokens;
    size_t error_at;
    assert_int_equal(sql_token_cut(&arena, text, strlen(text), &tokens, &error_at), 0);
    assert_int_equal(tokens.list[0].parameter, 1);
    assert_int_equal(tokens.list[1].parameter, 12);
    assert_int_equal(tokens.list[tokens.count - 1].parameter, 65535);
}

/* What has no end is told by where it begins. */
static void sql_token_unended_quotes_are_told(void **state)
{
    (void)state;
    assert_cut_fails("a 'b", 2);
    assert_cut_fails("a \"b", 2);
    assert_cut_fails("a /* b /* */", 2);
    assert_cut_fails("a $$b$", 2);
    assert_cut_fails("a $t$b$u$", 2);
    assert_cut_fails("a E'b\\", 2);
    assert_cut_fails("a $0", 2);
    assert_cut_fails("a $65536", 2);
}

/* Every prefix of a text is cut or refused, never read past. */
static void sql_token_every_prefix_is_survived(void **state)
{
    (void)state;
    static const char text[] = "E'a\\'b'$t$x$t$/*a/*b*/*/U&\"q\"$12.5e-3\"\"'x''y'--z\nB'1'";
    for (size_t length = 0; length <= strlen(text); length++) {
        char *copy = test_malloc(length > 0 ? length : 1); /* no byte after the end to read */
        struct sql_tokens tokens;
        size_t error_at;
        memcpy(copy, text, length);
        int status = sql_token_cut(&arena, copy, length, &tokens, &error_at);
        assert_true(status == 0 || status == -EINVAL);
        test_free(copy);
    }
}

/* SQL folds the case of bare names only. */
static void sql_token_names_are_compared_as_the_catalog_does(void **state)
{
    (void)state;
    static const char text[] = "Orders \"orders\" \"Orders\" \"a\"\"b\" U&\"orders\" 'orders'";
    struct sql_tokens tokens;
    size_t error_at;
    assert_int_equal(sql_token_cut(&arena, text, strlen(text), &tokens, &error_at), 0);
    assert_true(sql_token_names(&tokens, 0, "orders"));
    assert_false(sql_token_names(&tokens, 0, "Orders"));
    assert_false(sql_token_names(&tokens, 0, "order"));
    assert_false(sql_token_names(&tokens, 0, "orderss"));
    assert_true(sql_token_names(&tokens, 1, "orders"));
    assert_true(sql_token_names(&tokens, 2, "Orders"));
    assert_false(sql_token_names(&tokens, 2, "orders"));
    assert_true(sql_token_names(&tokens, 3, "a\"b"));
    assert_false(sql_token_names(&tokens, 4, "orders"));
    assert_false(sql_token_names(&tokens, 5, "orders"));
    assert_false(sql_token_names(&tokens, 6, "orders"));
    assert_true(sql_token_same_name(&tokens, 0, 1));
    assert_false(sql_token_same_name(&tokens, 1, 2));
    assert_true(sql_token_is_word(&tokens, 0, "ORDERS"));
    assert_false(sql_token_is_word(&tokens, 1, "orders"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sql_token_plain_command_is_cut_into_words),
        cmocka_unit_test(sql_token_comments_are_skipped),
        cmocka_unit_test(sql_token_strings_are_one_token_each),
        cmocka_unit_test(sql_token_words_and_numbers_end_where_they_end),
        cmocka_unit_test(sql_token_parameters_have_their_numbers),
        cmocka_unit_test(sql_token_unended_quotes_are_told),
        cmocka_unit_test(sql_token_every_prefix_is_survived),
        cmocka_unit_test(sql_token_names_are_compared_as_the_catalog_does),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
