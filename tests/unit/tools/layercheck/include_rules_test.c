#include "layercheck/include_rules.h"

#include "findings_of.h"

/* The rule that keeps the decision testable without a database: domain and logic know none. */
static void include_rules_domain_and_logic_know_no_library(void **state)
{
    static const char *const libraries[] = {"<libpq-fe.h>", "<grpc/grpc.h>",
                                            "<protobuf-c/protobuf-c.h>", "<h2o.h>",
                                            "\"stampede/orders/v1/orders.pb-c.h\""};
    char text[100];

    (void)state;
    for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
        snprintf(text, sizeof(text), "#include %s\n", libraries[i]);
        assert_one_finding(include_rules_check, "services/orders/domain/a.c", text,
                           "may use: libc");
        assert_one_finding(include_rules_check, "services/orders/logic/a.c", text, "may use: libc");
    }
}

/* adapters -> logic -> ports -> domain -> base, and never back. */
static void include_rules_arrow_backwards_is_found(void **state)
{
    (void)state;
    assert_no_finding(include_rules_check, "services/orders/logic/a.c",
                      "#include \"orders/ports/b.h\"\n#include \"base/c.h\"\n#include <time.h>\n");
    assert_one_finding(include_rules_check, "services/orders/domain/a.c",
                       "#include \"orders/logic/b.h\"\n", "a.c:1: includes \"orders/logic/b.h\"");
    assert_one_finding(include_rules_check, "services/orders/ports/a.h",
                       "#include \"orders/adapters/postgres/b.h\"\n", "may use of ours");
    assert_one_finding(include_rules_check, "libs/base/a.c", "#include \"log/log.h\"\n",
                       "libs/base/");
}

/* The two programs share libraries and the contract, nothing else. */
static void include_rules_services_know_nothing_of_each_other(void **state)
{
    (void)state;
    assert_one_finding(include_rules_check, "services/edge/http/a.c",
                       "#include \"orders/domain/order.h\"\n", "may use of ours");
    assert_one_finding(include_rules_check, "services/orders/main.c",
                       "#include \"edge/limits.h\"\n", "may use of ours");
    assert_one_finding(include_rules_check, "libs/rpc/a.c", "#include \"edge/limits.h\"\n",
                       "may use of ours");
}

/* orders/limits.h is not orders/limits_of_something.h, and a comment includes nothing. */
static void include_rules_names_match_as_a_whole(void **state)
{
    (void)state;
    assert_no_finding(include_rules_check, "services/orders/lanes/a.c",
                      "#include \"orders/limits.h\"\n/*\n#include \"edge/a.h\"\n*/\n");
    assert_one_finding(include_rules_check, "services/orders/lanes/a.c",
                       "#include \"orders/limits_b.h\"\n", "may use of ours");
}

/* A bare name depends on who includes; beside a main function there is no doubt. */
static void include_rules_bare_name_is_found_in_layers(void **state)
{
    (void)state;
    assert_one_finding(include_rules_check, "libs/base/a.c", "#include \"a.h\"\n", "whole path");
    assert_one_finding(include_rules_check, "libs/base/a.c", "#include \"../b/a.h\"\n",
                       "whole path");
    assert_no_finding(include_rules_check, "services/orders/main.c", "#include \"drain.h\"\n");
}

/* A new folder needs a decision about what it may use. */
static void include_rules_folder_without_layer_is_found(void **state)
{
    (void)state;
    assert_one_finding(include_rules_check, "libs/surprise/a.c", "", "lies in no layer");
    assert_no_finding(include_rules_check, "tests/unit/a.c", "#include \"../b.h\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(include_rules_domain_and_logic_know_no_library),
        cmocka_unit_test(include_rules_arrow_backwards_is_found),
        cmocka_unit_test(include_rules_services_know_nothing_of_each_other),
        cmocka_unit_test(include_rules_names_match_as_a_whole),
        cmocka_unit_test(include_rules_bare_name_is_found_in_layers),
        cmocka_unit_test(include_rules_folder_without_layer_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
