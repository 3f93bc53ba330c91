#include "protoc-gen-contract/path_template.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ARENA_BYTES 65536

static int set_up(void **state)
{
    static struct arena arena;
    arena_init(&arena, 1024, ARENA_BYTES);
    *state = &arena;
    return 0;
}

static int tear_down(void **state)
{
    arena_fini(*state);
    return 0;
}

/* Literals, variables and the verb, each where it stands. */
static void path_template_sound_text_is_taken_apart(void **state)
{
    struct path_template template;
    assert_null(
        path_template_parse(*state, "/v1/sales/{sale_id}/orders/{order.id}:cancel", &template));
    assert_int_equal(template.segment_count, 5);
    assert_false(template.segments[0].is_variable);
    assert_string_equal(template.segments[0].text, "v1");
    assert_true(template.segments[2].is_variable);
    assert_string_equal(template.segments[2].text, "sale_id");
    assert_string_equal(template.segments[4].text, "order.id");
    assert_string_equal(template.verb, "cancel");
    assert_null(path_template_parse(*state, "/v1/a-b_c.d~e", &template));
    assert_null(template.verb);
}

/* What is refused says why, and the result stays as it was. */
static void path_template_unsound_text_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "v1",
        "/",
        "//",
        "/v1/",
        "/*",
        "/**",
        "/v1/*",
        "/{a=*}",
        "/{a=**}",
        "/{",
        "/{}",
        "/{a",
        "/a}",
        "/x{a}",
        "/{a}x",
        "/{a}{b}",
        "/a:",
        "/a:b:c",
        "/a:b/c",
        "/a:{b}",
        "/a b",
        "/a%20b",
        "/a?b",
        "/a#b",
        "/\xc3\xa9",
        "/{a b}",
        "/:a",
        "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct path_template template = {.segment_count = 99};
        assert_non_null(path_template_parse(*state, bad[i], &template));
        assert_int_equal(template.segment_count, 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(path_template_sound_text_is_taken_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(path_template_unsound_text_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
