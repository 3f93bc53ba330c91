/* A query file as people write it: what is read from it, and what its hash depends on. */
#include "typedsql/query_file.h"

#include "base/arena.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    char folder[64], path[128];
    struct arena arena;
    struct report report;
    char *said;
    size_t said_length;
    struct query_file file;
} world;

static int set_up(void **state)
{
    (void)state;
    strcpy(world.folder, "/tmp/query_file_test-XXXXXX");
    if (mkdtemp(world.folder) == NULL) {
        return -1;
    }
    snprintf(world.path, sizeof(world.path), "%s/find.sql", world.folder);
    arena_init(&world.arena, 4096, 16 << 20);
    report_init(&world.report, open_memstream(&world.said, &world.said_length));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fclose(world.report.out);
    free(world.said);
    unlink(world.path);
    rmdir(world.folder);
    arena_fini(&world.arena);
    return 0;
}

static int read_bytes(const char *text, size_t length)
{
    FILE *file = fopen(world.path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    return query_file_read(&world.arena, &world.report, world.path, &world.file);
}

static void read_well(const char *text)
{
    if (read_bytes(text, strlen(text)) != 0) {
        fflush(world.report.out);
        fail_msg("%s", world.said);
    }
}

/* Everything that a header can say. */
static void query_file_full_header_is_read(void **state)
{
    (void)state;
    read_well("\n-- @query find optional\n"
              "-- @param $1 id uuid\n"
              "--   @param   $2 sizes int[] null count size_count\n"
              "-- @param $3 mood mood enum mood MOOD_ \"a/mood.h\" MOOD_COUNT\n"
              "-- @column x not null because it is\n"
              "-- @column y null enum mood MOOD_ \"a/mood.h\"\n"
              "-- Prose, with an @ in it.\n"
              "--\n"
              "SELECT 1 -- $9\n WHERE $1 = $2 AND $3 = '$8' ; -- end\n");
    const struct query_file *file = &world.file;
    assert_string_equal(file->name, "find");
    assert_int_equal(file->rows, QUERY_OPTIONAL);
    assert_int_equal(file->parameter_count, 3);
    assert_string_equal(file->parameters[1].name, "sizes");
    assert_string_equal(file->parameters[1].type, "int[]");
    assert_string_equal(file->parameters[1].count_name, "size_count");
    assert_true(file->parameters[1].nullable);
    assert_false(file->parameters[0].nullable);
    assert_string_equal(file->parameters[2].c_enum->prefix, "MOOD_");
    assert_string_equal(file->parameters[2].c_enum->header, "a/mood.h");
    assert_string_equal(file->parameters[2].c_enum->count, "MOOD_COUNT");
    assert_int_equal(file->override_count, 2);
    assert_int_equal(file->overrides[0].nullness, QUERY_NULLNESS_NOT_NULL_BECAUSE);
    assert_string_equal(file->overrides[0].reason, "it is");
    assert_int_equal(file->overrides[1].nullness, QUERY_NULLNESS_NULL);
    assert_null(file->overrides[1].c_enum->count);
    assert_int_equal(file->prose_count, 1);
    assert_string_equal(file->prose[0], "Prose, with an @ in it.");
    assert_string_equal(file->sql, "SELECT 1 -- $9\n WHERE $1 = $2 AND $3 = '$8'");
}

static void hash_of(const char *text, char ret[QUERY_FILE_HASH_CHARS + 1])
{
    read_well(text);
    memcpy(ret, world.file.hash, QUERY_FILE_HASH_CHARS + 1);
}

/* What changes a query makes the cache stale; what explains it does not. */
static void query_file_hash_covers_all_but_prose(void **state)
{
    (void)state;
    char first[QUERY_FILE_HASH_CHARS + 1], other[QUERY_FILE_HASH_CHARS + 1];
    hash_of("-- @query find one\n-- Prose.\nSELECT 1 AS a", first);
    assert_int_equal(strlen(first), QUERY_FILE_HASH_CHARS);
    hash_of("-- Other prose.\n\n-- @query find one\nSELECT 1 AS a;\n\n", other);
    assert_string_equal(first, other);
    hash_of("-- @query find many\nSELECT 1 AS a", other);
    assert_string_not_equal(first, other);
    hash_of("-- @query find one\nSELECT 2 AS a", other);
    assert_string_not_equal(first, other);
    hash_of("-- @query find one\n-- @column a null\nSELECT 1 AS a", other);
    assert_string_not_equal(first, other);
}

/* A file that is no text at all must be refused, not walked through. */
static void query_file_what_is_no_text_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_bytes("-- @query find one\nSELECT '\xff'", 28), -EILSEQ);
    assert_int_equal(read_bytes("-- @query find one\nSELECT 1\0 2", 30), -EILSEQ);
    assert_int_equal(read_bytes("", 0), -EINVAL);
    unlink(world.path);
    assert_int_equal(query_file_read(&world.arena, &world.report, world.path, &world.file),
                     -ENOENT);
}

/* All that is wrong with a header is told in one go. */
static void query_file_every_wrong_directive_is_reported(void **state)
{
    (void)state;
    static const char text[] = "-- @query find one\n-- @param $2 a text\n-- @column\n-- @what\n"
                               "SELECT 1 AS a";
    assert_int_equal(read_bytes(text, strlen(text)), -EINVAL);
    assert_int_equal(world.report.error_count, 3);
}

/* Every prefix of a file is read or refused. */
static void query_file_every_prefix_is_survived(void **state)
{
    (void)state;
    static const char text[] =
        "-- @query find many\n-- @param $1 a text[] null count n enum e E_ \"h\" C\n"
        "-- @column x not null because y\n-- p\nSELECT $1::text[] AS x, 'q' /* c */;\n";
    for (size_t length = 0; length <= strlen(text); length++) {
        int status = read_bytes(text, length);
        assert_true(status == 0 || status == -EINVAL);
    }
}

/* No memory is an error like any other, wherever it happens. */
static void query_file_without_memory_is_an_error(void **state)
{
    (void)state;
    static const char text[] = "-- @query find many\n-- @param $1 a text[] count n\n-- p\n"
                               "SELECT $1::text[] AS x\n";
    bool succeeded = false;
    for (size_t bytes = 16; !succeeded; bytes += 16) {
        arena_fini(&world.arena);
        arena_init(&world.arena, 16, bytes);
        int status = read_bytes(text, strlen(text));
        assert_true(status == 0 || status == -ENOMEM);
        succeeded = status == 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(query_file_full_header_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(query_file_hash_covers_all_but_prose, set_up, tear_down),
        cmocka_unit_test_setup_teardown(query_file_what_is_no_text_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(query_file_every_wrong_directive_is_reported, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(query_file_every_prefix_is_survived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(query_file_without_memory_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
