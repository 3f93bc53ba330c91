#include "layercheck/target_rules.h"

#include "findings_of.h"

#include <sys/stat.h>
#include <unistd.h>

/* A checkout with one library whose a.c is compiled. */
struct checkout {
    char root[64];
    struct target_rules rules;
};

static void write_file(const struct checkout *checkout, const char *path, const char *text)
{
    char full[256];
    FILE *stream;

    snprintf(full, sizeof(full), "%s/%s", checkout->root, path);
    stream = fopen(full, "we");
    assert_non_null(stream);
    fputs(text, stream);
    assert_int_equal(fclose(stream), 0);
}

static void make_folder(const struct checkout *checkout, const char *path)
{
    char full[256];

    snprintf(full, sizeof(full), "%s/%s", checkout->root, path);
    assert_int_equal(mkdir(full, 0700), 0);
}

static int checkout_init(void **state)
{
    struct checkout *checkout = calloc(1, sizeof(*checkout));
    char json[256];

    assert_non_null(checkout);
    snprintf(checkout->root, sizeof(checkout->root), "/tmp/target-rules-XXXXXX");
    assert_non_null(mkdtemp(checkout->root));
    make_folder(checkout, "libs");
    make_folder(checkout, "libs/x");
    make_folder(checkout, "tests");
    write_file(checkout, "tests/CMakeLists.txt", "stampede_fuzzer(x_fuzz.c)\nplanted(fault)\n");
    write_file(checkout, "libs/x/CMakeLists.txt",
               "stampede_layer(x AS x\n    SOURCES a.c\n    HEADERS named.h)\n");
    snprintf(json, sizeof(json),
             "[\n{\n  \"command\": \"cc \\\"a\\\"\",\n  \"file\": \"%s/libs/x/a.c\"\n},\n"
             "{\n  \"file\": \"/else/where \\\"quoted\\\".c\"\n}\n]\n",
             checkout->root);
    assert_int_equal(target_rules_init(&checkout->rules, json), 0);
    assert_int_equal(checkout->rules.count, 2);
    *state = checkout;
    return 0;
}

static int checkout_fini(void **state)
{
    static const char *const paths[] = {"libs/x/CMakeLists.txt", "libs/x", "libs",
                                        "tests/CMakeLists.txt",  "tests",  ""};
    struct checkout *checkout = *state;
    char full[256];

    target_rules_fini(&checkout->rules);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        snprintf(full, sizeof(full), "%s/%s", checkout->root, paths[i]);
        assert_int_equal(remove(full), 0);
    }
    free(checkout);
    return 0;
}

static size_t count_findings(const struct checkout *checkout, const char *path)
{
    struct findings findings = {.stream = fopen("/dev/null", "we")};
    struct source *source = NULL;

    assert_non_null(findings.stream);
    assert_int_equal(source_create(path, "", 0, &source), 0);
    target_rules_check(&checkout->rules, checkout->root, source, &findings);
    source_destroy(source);
    assert_int_equal(fclose(findings.stream), 0);
    return findings.count;
}

/* A file that nobody compiles rots unseen. */
static void target_rules_source_not_compiled_is_found(void **state)
{
    assert_int_equal(count_findings(*state, "libs/x/a.c"), 0);
    assert_int_equal(count_findings(*state, "libs/x/b.c"), 1);
    assert_int_equal(count_findings(*state, "libs/x/named.c"), 1);
}

/* A preset that compiles no fuzz drivers does not miss them. */
static void target_rules_test_named_but_not_compiled_is_no_finding(void **state)
{
    assert_int_equal(count_findings(*state, "tests/x_fuzz.c"), 0);
    assert_int_equal(count_findings(*state, "tests/fault.c"), 0);
    assert_int_equal(count_findings(*state, "tests/y_fuzz.c"), 1);
}

/* A header compiles alone because a CMakeLists.txt names it or its own source includes it first. */
static void target_rules_header_without_target_is_found(void **state)
{
    assert_int_equal(count_findings(*state, "libs/x/named.h"), 0);
    assert_int_equal(count_findings(*state, "libs/x/a.h"), 0);
    assert_int_equal(count_findings(*state, "libs/x/named.h.h"), 1);
    assert_int_equal(count_findings(*state, "libs/x/unnamed.h"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(target_rules_source_not_compiled_is_found, checkout_init,
                                        checkout_fini),
        cmocka_unit_test_setup_teardown(target_rules_test_named_but_not_compiled_is_no_finding,
                                        checkout_init, checkout_fini),
        cmocka_unit_test_setup_teardown(target_rules_header_without_target_is_found, checkout_init,
                                        checkout_fini),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
