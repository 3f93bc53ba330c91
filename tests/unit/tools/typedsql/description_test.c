/* The cache is read by every build: what is written comes back, what was damaged is refused. */
#include "typedsql/description.h"

#include "base/arena.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const labels[] = {"GOOD", "BAD"};

static struct {
    struct arena arena;
    struct report report;
    char *said;
    size_t said_length;
    struct description in, out;
} world;

static int set_up(void **state)
{
    (void)state;
    arena_init(&world.arena, 4096, 16 << 20);
    report_init(&world.report, open_memstream(&world.said, &world.said_length));
    world.in = (struct description){.query = "find", .hash = "00ff"};
    world.in.parameter_count = 2;
    world.in.parameters[0].type = (struct described_type){.name = "uuid"};
    world.in.parameters[1].type = (struct described_type){.name = "text[]"};
    world.in.parameters[1].declared =
        (struct described_type){.name = "mood[]", .label_count = 2, .labels = labels};
    world.in.column_count = 2;
    world.in.columns[0] = (struct described_column){.name = "mood",
                                                    .type = {"mood", 2, labels},
                                                    .origin = "things.mood",
                                                    .nullness = DESCRIBED_NULLABLE,
                                                    .because = "things.mood may be NULL"};
    world.in.columns[1] = (struct described_column){.name = "n",
                                                    .type = {.name = "bigint"},
                                                    .nullness = DESCRIBED_UNKNOWN,
                                                    .because = "it is computed",
                                                    .word = "not null, not verified: \"x\" \\ y"};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fclose(world.report.out);
    free(world.said);
    arena_fini(&world.arena);
    return 0;
}

static int read_entry(const char *text, size_t length)
{
    return description_from_json(&world.arena, &world.report, "entry.json", text, length,
                                 &world.out);
}

/* Preparing twice must give the same bytes, or every check would find a difference. */
static void description_written_and_read_is_the_same(void **state)
{
    (void)state;
    const char *text = description_to_json(&world.arena, &world.in);
    assert_non_null(text);
    assert_int_equal(read_entry(text, strlen(text)), 0);
    assert_string_equal(world.out.columns[1].word, world.in.columns[1].word);
    assert_null(world.out.columns[1].origin);
    assert_string_equal(world.out.parameters[1].declared.labels[1], "BAD");
    assert_int_equal(world.out.parameters[1].type.label_count, 0);
    const char *again = description_to_json(&world.arena, &world.out);
    assert_string_equal(text, again);
}

/* A merge conflict, an editor's accident: each byte that goes missing must be survived. */
static void description_damaged_entry_is_refused(void **state)
{
    (void)state;
    const char *text = description_to_json(&world.arena, &world.in);
    size_t length = strlen(text);
    for (size_t cut = 0; cut + 1 < length; cut++) { /* the last byte is a newline */
        assert_int_equal(read_entry(text, cut), -EINVAL);
    }
    char *copy = test_malloc(length);
    for (size_t at = 0; at < length; at++) {
        memcpy(copy, text, length);
        copy[at] = '"';
        int status = read_entry(copy, length);
        assert_true(status == 0 || status == -EINVAL);
    }
    test_free(copy);
}

/* Sound JSON that says something else. */
static void description_other_json_is_refused(void **state)
{
    (void)state;
    static const char *const others[] = {
        "{}",
        "[]",
        "{\"query\":\"a\",\"sha256\":\"b\"}",
        "{\"query\":\"a\",\"sha256\":\"b\",\"parameters\":{},\"columns\":[]}",
        "{\"query\":7,\"sha256\":\"b\",\"parameters\":[],\"columns\":[]}",
        "{\"query\":\"a\",\"sha256\":\"b\",\"parameters\":[7],\"columns\":[]}",
        "{\"query\":\"a\",\"sha256\":\"b\",\"parameters\":[{\"type\":\"x\",\"labels\":[7]}],"
        "\"columns\":[]}",
        "{\"query\":\"a\",\"sha256\":\"b\",\"parameters\":[],\"columns\":[{\"name\":\"x\","
        "\"type\":\"y\",\"nullness\":\"perhaps\",\"because\":\"z\"}]}",
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_int_equal(read_entry(others[i], strlen(others[i])), -EINVAL);
    }
    assert_int_equal(world.report.error_count, COUNT_OF(others));
}

/* More than there is room for. */
static void description_too_many_columns_are_refused(void **state)
{
    (void)state;
    char text[4096] = "{\"query\":\"a\",\"sha256\":\"b\",\"parameters\":[],\"columns\":[0";
    for (size_t i = 0; i < QUERY_FILE_COLUMNS_MAX; i++) {
        strcat(text, ",0");
    }
    strcat(text, "]}");
    assert_int_equal(read_entry(text, strlen(text)), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(description_written_and_read_is_the_same, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(description_damaged_entry_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(description_other_json_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(description_too_many_columns_are_refused, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
