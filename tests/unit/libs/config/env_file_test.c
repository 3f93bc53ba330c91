#include "config/env_file.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBLEMS_BYTES_MAX 2048

/* What a parse left behind. */
struct parsed {
    struct arena arena;
    struct env_file file;
    char problems[PROBLEMS_BYTES_MAX];
};

static void on_problem(unsigned line, const char *problem, void *data)
{
    struct parsed *parsed = data;
    size_t length = strlen(parsed->problems);
    snprintf(parsed->problems + length, sizeof(parsed->problems) - length, "%u: %s\n", line,
             problem);
}

static int set_up(void **state)
{
    struct parsed *parsed = calloc(1, sizeof(*parsed));
    assert_non_null(parsed);
    arena_init(&parsed->arena, 1024, 1024 * 1024);
    *state = parsed;
    return 0;
}

static int tear_down(void **state)
{
    struct parsed *parsed = *state;
    arena_fini(&parsed->arena);
    free(parsed);
    return 0;
}

/* Parses a copy without a NUL, so that reading past the end is caught. */
static void parse_bytes(struct parsed *parsed, const char *text, size_t length)
{
    char *copy = malloc(length + (length == 0));
    assert_non_null(copy);
    memcpy(copy, text, length);
    assert_int_equal(
        env_file_parse(&parsed->arena, copy, length, &parsed->file, on_problem, parsed), 0);
    free(copy);
}

static void check_entry(const struct parsed *parsed, size_t index, unsigned line, const char *name,
                        const char *value)
{
    assert_true(index < parsed->file.count);
    const struct env_file_entry *entry = &parsed->file.entries[index];
    assert_int_equal(entry->line, line);
    assert_string_equal(entry->name, name);
    assert_string_equal(entry->value, value);
}

/* The forms that people write, as shells and other readers of such files take them. */
static void env_file_parse_usual_forms_are_read(void **state)
{
    static const char text[] = "\xef\xbb\xbf# heading\n"
                               "A=1\n"
                               "\n"
                               "  export\tB=two words  # a comment\n"
                               "C='single \\n # kept' # comment\r\n"
                               "D=\"double \\\"q\\\" \\$x \\\\ \\n\\t. \\z\"\n"
                               "E=\n"
                               "F= # only a comment\n"
                               "G=a#b=c\n"
                               "_h9=\"\"\n"
                               "exported=last line";
    struct parsed *parsed = *state;
    parse_bytes(parsed, text, sizeof(text) - 1);
    assert_string_equal(parsed->problems, "");
    assert_int_equal(parsed->file.count, 9);
    check_entry(parsed, 0, 2, "A", "1");
    check_entry(parsed, 1, 4, "B", "two words");
    check_entry(parsed, 2, 5, "C", "single \\n # kept");
    check_entry(parsed, 3, 6, "D", "double \"q\" $x \\ \n\t. \\z");
    check_entry(parsed, 4, 7, "E", "");
    check_entry(parsed, 5, 8, "F", "");
    check_entry(parsed, 6, 9, "G", "a#b=c");
    check_entry(parsed, 7, 10, "_h9", "");
    check_entry(parsed, 8, 11, "exported", "last line");
}

/* Every mistake is named with its line, and does not hide the lines around it. */
static void env_file_parse_malformed_lines_are_named(void **state)
{
    static const char text[] = "A=1\n"
                               "no equals sign\n"
                               "9X=1\n"
                               "B =1\n"
                               "C='open\n"
                               "D=\"open\\\"\n"
                               "E='x' y\n"
                               "export \n"
                               "=1\n"
                               "F=a\0b\n"
                               "-x=1\n"
                               "NAME\n"
                               "Z=26";
    struct parsed *parsed = *state;
    parse_bytes(parsed, text, sizeof(text) - 1);
    assert_string_equal(parsed->problems,
                        "2: expected = right after the name\n"
                        "3: expected NAME=value; a name is made of letters, digits and _\n"
                        "4: expected = right after the name\n"
                        "5: the closing quote is missing\n"
                        "6: the closing quote is missing\n"
                        "7: unexpected text after the closing quote\n"
                        "8: expected NAME=value; a name is made of letters, digits and _\n"
                        "9: expected NAME=value; a name is made of letters, digits and _\n"
                        "10: a NUL byte\n"
                        "11: expected NAME=value; a name is made of letters, digits and _\n"
                        "12: expected = right after the name\n");
    assert_int_equal(parsed->file.count, 2);
    check_entry(parsed, 0, 1, "A", "1");
    check_entry(parsed, 1, 13, "Z", "26");
}

/* Nothing may be read past the end, wherever a text breaks off. */
static void env_file_parse_every_prefix_is_safe(void **state)
{
    static const char text[] = "\xef\xbb\xbf export AB=\"c\\n d\" # e\r\nF='g' \n#\nH= i #";
    struct parsed *parsed = *state;
    for (size_t length = 0; length < sizeof(text); length++) {
        arena_reset(&parsed->arena);
        parsed->problems[0] = '\0';
        parse_bytes(parsed, text, length);
        assert_in_range(parsed->file.count, 0, 3);
    }
}

/* Memory is bounded; running out is an error and not a half-read file. */
static void env_file_parse_arena_full_is_enomem(void **state)
{
    struct parsed *parsed = *state;
    struct arena small;
    arena_init(&small, 64, 64);
    static const char text[] = "A=1\nB=0123456789012345678901234567890123456789\nC=3\nD=4\n";
    assert_int_equal(
        env_file_parse(&small, text, sizeof(text) - 1, &parsed->file, on_problem, parsed), -ENOMEM);
    arena_fini(&small);
}

/* The file is optional. */
static void env_file_read_missing_gives_no_entries(void **state)
{
    struct parsed *parsed = *state;
    parsed->file.count = 7;
    assert_int_equal(
        env_file_read(&parsed->arena, "no-such-file.env", &parsed->file, on_problem, parsed), 0);
    assert_int_equal(parsed->file.count, 0);
}

/* A file that is there but cannot be used must not be passed over in silence. */
static void env_file_read_unusable_is_an_error(void **state)
{
    char path[] = "env_file_test.XXXXXX";
    struct parsed *parsed = *state;
    assert_int_equal(env_file_read(&parsed->arena, ".", &parsed->file, on_problem, parsed),
                     -EISDIR);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, ENV_FILE_BYTES_MAX + 1), 0);
    assert_int_equal(env_file_read(&parsed->arena, path, &parsed->file, on_problem, parsed),
                     -EFBIG);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, "A=1\n", 4, 0), 4);
    assert_int_equal(env_file_read(&parsed->arena, path, &parsed->file, on_problem, parsed), 0);
    check_entry(parsed, 0, 1, "A", "1");
    unlink(path);
    close(fd);
}

/* A FIFO by that name must not hold up the start for ever. */
static void env_file_read_fifo_does_not_block(void **state)
{
    char folder[] = "env_file_test.XXXXXX", path[64];
    struct parsed *parsed = *state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(env_file_read(&parsed->arena, path, &parsed->file, on_problem, parsed), 0);
    assert_int_equal(parsed->file.count, 0);
    unlink(path);
    rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(env_file_parse_usual_forms_are_read),
        TEST(env_file_parse_malformed_lines_are_named),
        TEST(env_file_parse_every_prefix_is_safe),
        TEST(env_file_parse_arena_full_is_enomem),
        TEST(env_file_read_missing_gives_no_entries),
        TEST(env_file_read_unusable_is_an_error),
        TEST(env_file_read_fifo_does_not_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
