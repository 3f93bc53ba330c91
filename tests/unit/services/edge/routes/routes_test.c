#include "edge/routes/routes.h"

#include "contract/contract.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct routes routes;

static int setup(void **state)
{
    (void)state;
    return routes_init(&routes, contract_methods, contract_method_count);
}

static enum routes_verdict find(const char *method, const char *path, struct routes_match *match)
{
    return routes_find(&routes, slice_of(method), slice_of(path), match);
}

static void assert_found(const char *method, const char *path, const char *name,
                         const char *first_variable)
{
    struct routes_match match;
    assert_int_equal(find(method, path, &match), ROUTES_FOUND);
    assert_string_equal(match.route->method->name, name);
    if (first_variable == NULL) {
        assert_int_equal(match.variable_count, 0);
    } else {
        assert_true(slice_equals(match.variables[0].encoded, first_variable));
    }
}

/* The table of the contract, route by route, as clients call it. */
static void routes_find_contract_paths_lead_to_their_methods(void **state)
{
    (void)state;
    assert_found("POST", "/v1/sales", "CreateSale", NULL);
    assert_found("GET", "/v1/sales", "ListSales", NULL);
    assert_found("GET", "/v1/sales/s1", "GetSale", "s1");
    assert_found("HEAD", "/v1/sales/s1", "GetSale", "s1");
    assert_found("PATCH", "/v1/sales/s1", "UpdateSale", "s1");
    assert_found("POST", "/v1/sales/s1:pause", "PauseSale", "s1");
    assert_found("POST", "/v1/sales/s1:restock", "RestockSale", "s1");
    assert_found("POST", "/v1/sales/s1/orders", "PlaceOrder", "s1");
    assert_found("GET", "/v1/sales/s1/orders", "ListOrders", "s1");
    assert_found("GET", "/v1/sales/s1/orders/o1", "GetOrder", "s1");
    assert_found("POST", "/v1/sales/s1/orders/o1:confirm", "ConfirmOrder", "s1");
    assert_found("GET", "/v1/sales/s1/events", "WatchSales", "s1");
}

/* Splitting comes before decoding: an escaped slash or colon is data. */
static void routes_find_escaped_separators_stay_in_the_segment(void **state)
{
    (void)state;
    assert_found("GET", "/v1/sales/a%2Fb", "GetSale", "a%2Fb");
    assert_found("GET", "/v1/%73ales/s1", "GetSale", "s1");
    assert_found("GET", "/v1/sales/s1%3Apause", "GetSale", "s1%3Apause");
}

/* A colon is a verb only where such a verb exists; then the path is known with its method alone. */
static void routes_find_verbs_are_taken_where_they_exist(void **state)
{
    struct routes_match match;
    (void)state;
    assert_found("GET", "/v1/sales/s1:nothing", "GetSale", "s1:nothing");
    assert_found("POST", "/v1/sales/a:b:pause", "PauseSale", "a:b");
    assert_int_equal(find("GET", "/v1/sales/s1:pause", &match), ROUTES_OTHER_METHOD);
    assert_string_equal(match.allow, "POST");
    assert_int_equal(find("POST", "/v1/sales/:pause", &match), ROUTES_OTHER_METHOD);
    assert_int_equal(find("POST", "/v1/sales:pause", &match), ROUTES_UNKNOWN_PATH);
}

/* 404 and 405 tell a client different things, and 405 says what would work. */
static void routes_find_other_method_lists_what_is_allowed(void **state)
{
    struct routes_match match;
    (void)state;
    assert_int_equal(find("DELETE", "/v1/sales/s1", &match), ROUTES_OTHER_METHOD);
    assert_string_equal(match.allow, "GET, HEAD, PATCH");
    assert_int_equal(find("get", "/v1/sales/s1", &match), ROUTES_OTHER_METHOD);
    assert_int_equal(find("PUT", "/v1/sales", &match), ROUTES_OTHER_METHOD);
    assert_non_null(strstr(match.allow, "POST"));
    assert_non_null(strstr(match.allow, "HEAD"));
}

/* Near misses are other paths; guessing what was meant would hide mistakes. */
static void routes_find_unknown_paths_are_unknown(void **state)
{
    static const char *const paths[] = {
        "",
        "/",
        "*",
        "v1/sales",
        "/v1",
        "/v1/sales/",
        "/v1/Sales",
        "//v1/sales",
        "/v1//sales",
        "/v1/sales/s1/",
        "/v2/sales",
        "/v1/sales/s1/orders/o1/x",
        "/v1/sales/s1/../s2",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p",
    };
    struct routes_match match;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        assert_int_equal(find("GET", paths[i], &match), ROUTES_UNKNOWN_PATH);
    }
}

static void assert_split(const char *target, const char *path, const char *query)
{
    struct slice ret_path;
    struct slice ret_query;
    routes_split_target(slice_of(target), &ret_path, &ret_query);
    assert_true(slice_equals(ret_path, path));
    assert_true(ret_query.length == strlen(query) &&
                (query[0] == '\0' || slice_equals(ret_query, query)));
}

/* RFC 9112, 3.2.2: a server must take the absolute form too. */
static void routes_split_target_both_forms_give_path_and_query(void **state)
{
    (void)state;
    assert_split("/v1/sales?a=1?b", "/v1/sales", "a=1?b");
    assert_split("/v1/sales", "/v1/sales", "");
    assert_split("/v1/sales?", "/v1/sales", "");
    assert_split("http://host:8080/v1/sales?a", "/v1/sales", "a");
    assert_split("HTTP://host", "/", "");
    assert_split("http://host?x", "", "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_find_contract_paths_lead_to_their_methods),
        cmocka_unit_test(routes_find_escaped_separators_stay_in_the_segment),
        cmocka_unit_test(routes_find_verbs_are_taken_where_they_exist),
        cmocka_unit_test(routes_find_other_method_lists_what_is_allowed),
        cmocka_unit_test(routes_find_unknown_paths_are_unknown),
        cmocka_unit_test(routes_split_target_both_forms_give_path_and_query),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
