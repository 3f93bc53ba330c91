#include "orders/adapters/grpc/access.h"

#include "contract/contract.h"
#include "rpc/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TOKEN "correct-horse-battery"

#define CREATE_SALE "/stampede.sales.v1.SaleService/CreateSale"
#define PLACE_BATCH "/stampede.orders.v1.OrderService/BatchPlaceOrders"

static bool decide(const char *token, const char *method, const char *authorization,
                   struct rpc_status *ret_refusal)
{
    struct access access;
    access_init(&access, token);
    return access_decide(&access, method, authorization,
                         authorization == NULL ? 0 : strlen(authorization), ret_refusal);
}

static void assert_refused(const char *token, const char *method, const char *authorization,
                           enum rpc_code code, const char *reason)
{
    struct rpc_status refusal = {0};
    assert_false(decide(token, method, authorization, &refusal));
    assert_int_equal(refusal.code, code);
    assert_string_equal(refusal.reason, reason);
    assert_string_equal(refusal.domain, "stampede");
}

/* Shoppers buy without a token, whether one is set or not. */
static void access_public_method_needs_nothing(void **state)
{
    struct rpc_status refusal;
    (void)state;

    assert_true(decide(NULL, PLACE_BATCH, NULL, &refusal));
    assert_true(decide(TOKEN, PLACE_BATCH, NULL, &refusal));
    assert_true(decide(TOKEN, PLACE_BATCH, "Bearer wrong", &refusal));
    assert_true(decide(TOKEN, "/grpc.health.v1.Health/Check", NULL, &refusal));
}

/* A forgotten token must close administration, never open it. */
static void access_admin_method_without_a_set_token_is_closed(void **state)
{
    (void)state;
    assert_refused(NULL, CREATE_SALE, NULL, RPC_PERMISSION_DENIED, "ADMIN_CLOSED");
    assert_refused(NULL, CREATE_SALE, "Bearer ", RPC_PERMISSION_DENIED, "ADMIN_CLOSED");
    assert_refused(NULL, CREATE_SALE, "Bearer " TOKEN, RPC_PERMISSION_DENIED, "ADMIN_CLOSED");
}

/* Only the whole token opens; what is nearly it does not. */
static void access_admin_method_with_a_wrong_token_is_unauthenticated(void **state)
{
    static const char *const wrong[] = {
        "Bearer wrong",   "Bearer " TOKEN "x", "Bearer correct-horse-batter",
        "Bearer  " TOKEN, "Basic " TOKEN,      TOKEN,
        "Bearer",         "Bearer ",           "",
    };
    (void)state;

    assert_refused(TOKEN, CREATE_SALE, NULL, RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_refused(TOKEN, CREATE_SALE, wrong[i], RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
    }
}

/* Metadata is not NUL-terminated: bytes behind the value are not part of it. */
static void access_authorization_is_bounded_by_its_length(void **state)
{
    const char *longer = "Bearer " TOKEN "and-more";
    struct rpc_status refusal;
    struct access access;
    (void)state;

    access_init(&access, TOKEN);
    assert_true(access_decide(&access, CREATE_SALE, longer, strlen("Bearer " TOKEN), &refusal));
    assert_false(
        access_decide(&access, CREATE_SALE, longer, strlen("Bearer " TOKEN) - 1, &refusal));
}

/* Schemes have no case (RFC 9110, 11.1), tokens do. */
static void access_admin_method_with_the_token_is_open(void **state)
{
    struct rpc_status refusal;
    (void)state;

    assert_true(decide(TOKEN, CREATE_SALE, "Bearer " TOKEN, &refusal));
    assert_true(decide(TOKEN, CREATE_SALE, "bearer " TOKEN, &refusal));
    assert_refused(TOKEN, CREATE_SALE, "Bearer Correct-Horse-Battery", RPC_UNAUTHENTICATED,
                   "UNAUTHENTICATED");
}

/* What the contract does not know is closed, so a forgotten entry cannot open anything. */
static void access_unknown_method_is_for_administrators(void **state)
{
    (void)state;
    assert_refused(TOKEN, "/some.Other/Method", NULL, RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
    assert_refused(NULL, "", NULL, RPC_PERMISSION_DENIED, "ADMIN_CLOSED");
}

/* The list of public methods is short and part of the contract; a new one is a decision. */
static void access_public_methods_are_those_of_the_contract(void **state)
{
    static const char *const expected[] = {
        "/stampede.sales.v1.SaleService/GetSale",
        "/stampede.sales.v1.SaleService/ListSales",
        "/stampede.sales.v1.SaleService/WatchSales",
        "/stampede.sales.v1.SaleService/ReadBoard",
        "/stampede.orders.v1.OrderService/PlaceOrder",
        "/stampede.orders.v1.OrderService/BatchPlaceOrders",
        "/stampede.orders.v1.OrderService/GetOrder",
        "/stampede.orders.v1.OrderService/CancelOrder",
    };
    size_t found = 0;
    (void)state;

    for (size_t i = 0; i < contract_method_count; i++) {
        const char *name = contract_methods[i].full_name;
        struct rpc_status refusal;
        bool open = decide(TOKEN, name, NULL, &refusal);
        bool listed = strncmp(name, "/grpc.", strlen("/grpc.")) == 0;
        for (size_t j = 0; j < COUNT_OF(expected); j++) {
            if (strcmp(name, expected[j]) == 0) {
                listed = true;
                found++;
            }
        }
        assert_int_equal(open, listed);
    }
    assert_int_equal(found, COUNT_OF(expected));
}

/* CancelOrder is public, and more for an administrator: who asks is judged apart from the method.
 */
static void access_administrator_is_known_on_any_method(void **state)
{
    static const char right[] = "Bearer " TOKEN;
    static const char wrong[] = "Bearer " TOKEN "x";
    struct access set, unset;
    struct rpc_status refusal = {0};
    (void)state;

    access_init(&set, TOKEN);
    access_init(&unset, NULL);
    assert_true(access_decide_admin(&set, right, sizeof(right) - 1, &refusal));
    assert_false(access_decide_admin(&set, wrong, sizeof(wrong) - 1, &refusal));
    assert_string_equal(refusal.reason, "UNAUTHENTICATED");
    assert_false(access_decide_admin(&set, NULL, 0, &refusal));
    assert_string_equal(refusal.reason, "UNAUTHENTICATED");
    assert_false(access_decide_admin(&unset, right, sizeof(right) - 1, &refusal));
    assert_string_equal(refusal.reason, "ADMIN_CLOSED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(access_public_method_needs_nothing),
        cmocka_unit_test(access_admin_method_without_a_set_token_is_closed),
        cmocka_unit_test(access_admin_method_with_a_wrong_token_is_unauthenticated),
        cmocka_unit_test(access_authorization_is_bounded_by_its_length),
        cmocka_unit_test(access_admin_method_with_the_token_is_open),
        cmocka_unit_test(access_unknown_method_is_for_administrators),
        cmocka_unit_test(access_public_methods_are_those_of_the_contract),
        cmocka_unit_test(access_administrator_is_known_on_any_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
