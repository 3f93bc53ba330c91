/*
 * Bad input gets the documented status and reason, over real HTTP, and the system goes on. One row,
 * one mistake.
 */
#include "support/stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

#define PLACE "/v1/sales/%s/orders" /* %s: the sale of this test */
#define KEY_300                                                                                    \
    "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"   \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"  \
    "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"  \
    "23456789012345678901234567"
#define GOOD_BODY "{\"customerId\":\"c\",\"quantity\":1}"

static struct stack stack;
static struct http_answer answer;
static char sale_id[37];

struct mistake {
    const char *what;
    const char *method, *path, *key, *content_type, *body;
    long status;
    const char *reason;
    const char *field; /* of the first violation; NULL: not looked at */
};

/* NULL for key or content_type leaves the header out. */
static const struct mistake mistakes[] = {
    {"broken JSON", "POST", PLACE, "k", "application/json", "{\"customerId\":", 400,
     "MALFORMED_JSON", NULL},
    {"text behind the JSON", "POST", PLACE, "k", "application/json", GOOD_BODY "x", 400,
     "MALFORMED_JSON", NULL},
    {"a list instead of an object", "POST", PLACE, "k", "application/json", "[1]", 400,
     "MALFORMED_JSON", NULL},
    {"a number as text", "POST", PLACE, "k", "application/json",
     "{\"customerId\":\"c\",\"quantity\":\"many\"}", 400, "INVALID_FIELD", "quantity"},
    {"a number instead of text", "POST", PLACE, "k", "application/json",
     "{\"customerId\":5,\"quantity\":1}", 400, "INVALID_FIELD", "customerId"},
    {"an unknown field", "POST", PLACE, "k", "application/json",
     "{\"customerId\":\"c\",\"quantity\":1,\"gift\":true}", 400, "INVALID_FIELD", "gift"},
    {"a field twice", "POST", PLACE, "k", "application/json",
     "{\"customerId\":\"c\",\"quantity\":1,\"customer_id\":\"d\"}", 400, "INVALID_FIELD", NULL},
    {"a field that the path has", "POST", PLACE, "k", "application/json",
     "{\"customerId\":\"c\",\"quantity\":1,\"saleId\":\"x\"}", 400, "INVALID_FIELD", "saleId"},
    {"no key", "POST", PLACE, NULL, "application/json", GOOD_BODY, 400, "IDEMPOTENCY_KEY_MISSING",
     NULL},
    {"a key of 300 characters", "POST", PLACE, KEY_300, "application/json", GOOD_BODY, 400,
     "INVALID_FIELD", NULL},
    {"quantity 0", "POST", PLACE, "k", "application/json", "{\"customerId\":\"c\",\"quantity\":0}",
     400, "INVALID_FIELD", "quantity"},
    {"no quantity", "POST", PLACE, "k", "application/json", "{\"customerId\":\"c\"}", 400,
     "INVALID_FIELD", "quantity"},
    {"quantity -1", "POST", PLACE, "k", "application/json",
     "{\"customerId\":\"c\",\"quantity\":-1}", 400, "INVALID_FIELD", "quantity"},
    {"quantity 1001", "POST", PLACE, "k", "application/json",
     "{\"customerId\":\"c\",\"quantity\":1001}", 400, "INVALID_FIELD", "quantity"},
    {"quantity 2^31", "POST", PLACE, "k", "application/json",
     "{\"customerId\":\"c\",\"quantity\":2147483648}", 400, "INVALID_FIELD", "quantity"},
    {"quantity 1.5", "POST", PLACE, "k", "application/json",
     "{\"customerId\":\"c\",\"quantity\":1.5}", 400, "INVALID_FIELD", "quantity"},
    {"no customer", "POST", PLACE, "k", "application/json", "{\"quantity\":1}", 400,
     "INVALID_FIELD", "customerId"},
    {"a customer that is not ASCII", "POST", PLACE, "k", "application/json",
     "{\"customerId\":\"\xc3\xa4\",\"quantity\":1}", 400, "INVALID_FIELD", "customerId"},
    {"invalid UTF-8 in the body", "POST", PLACE, "k", "application/json",
     "{\"customerId\":\"\xff\",\"quantity\":1}", 400, NULL, NULL},
    {"a NUL in a text", "POST", PLACE, "k", "application/json",
     "{\"customerId\":\"a\\u0000b\",\"quantity\":1}", 400, "INVALID_FIELD", "customerId"},
    {"another content type", "POST", PLACE, "k", "text/plain", GOOD_BODY, 415,
     "UNSUPPORTED_MEDIA_TYPE", NULL},
    {"an unknown sale", "POST", "/v1/sales/0190b3a4-0000-7000-8000-000000000001/orders", "k",
     "application/json", GOOD_BODY, 404, "SALE_NOT_FOUND", NULL},
    {"an unknown sale, read", "GET", "/v1/sales/0190b3a4-0000-7000-8000-000000000001", NULL, NULL,
     NULL, 404, "SALE_NOT_FOUND", NULL},
    {"a sale id that is none", "POST", "/v1/sales/abc/orders", "k", "application/json", GOOD_BODY,
     400, "INVALID_FIELD", "saleId"},
    {"a sale id that is none, read", "GET", "/v1/sales/abc", NULL, NULL, NULL, 400, "INVALID_FIELD",
     "saleId"},
    {"a slash inside a segment", "GET", "/v1/sales/a%2Fb", NULL, NULL, NULL, 400, "INVALID_FIELD",
     "saleId"},
    {"invalid UTF-8 in the path", "GET", "/v1/sales/%ff%fe", NULL, NULL, NULL, 400, "INVALID_FIELD",
     "saleId"},
    {"a broken escape in the path", "GET", "/v1/sales/%zz", NULL, NULL, NULL, 400, "INVALID_FIELD",
     "saleId"},
    {"a NUL in the path", "GET", "/v1/sales/%00", NULL, NULL, NULL, 400, "INVALID_FIELD", "saleId"},
    {"an unknown path", "GET", "/v2/sales", NULL, NULL, NULL, 404, "ROUTE_NOT_FOUND", NULL},
    {"the root", "GET", "/", NULL, NULL, NULL, 404, "ROUTE_NOT_FOUND", NULL},
    {"a trailing slash", "GET", "/v1/sales/", NULL, NULL, NULL, 404, "ROUTE_NOT_FOUND", NULL},
    {"another method", "DELETE", "/v1/sales", NULL, NULL, NULL, 405, "METHOD_NOT_ALLOWED", NULL},
    {"an unknown verb", "POST", "/v1/sales/x:explode", "k", "application/json", "{}", 405,
     "METHOD_NOT_ALLOWED", NULL},
    {"an unknown query parameter", "GET", "/v1/sales?color=red", NULL, NULL, NULL, 400,
     "INVALID_FIELD", "color"},
    {"a page size that is no number", "GET", "/v1/sales?pageSize=ten", NULL, NULL, NULL, 400,
     "INVALID_FIELD", "pageSize"},
    {"a negative page size", "GET", "/v1/sales?pageSize=-1", NULL, NULL, NULL, 400, "INVALID_FIELD",
     "pageSize"},
    {"a page token of nobody", "GET", "/v1/sales?pageToken=x", NULL, NULL, NULL, 400,
     "INVALID_FIELD", "pageToken"},
    {"a sale without the admin's token", "POST", "/v1/sales", "k", "application/json", "{}", 401,
     "UNAUTHENTICATED", NULL},
};

static void make_call(const struct mistake *mistake)
{
    char path[512], key[400], type[100];
    const char *headers[3] = {NULL};
    size_t count = 0;

    const char *hole = strstr(mistake->path, "%s/");
    if (hole != NULL) {
        snprintf(path, sizeof(path), "/v1/sales/%s/orders", sale_id);
    } else {
        snprintf(path, sizeof(path), "%s", mistake->path);
    }
    if (mistake->key != NULL) {
        snprintf(key, sizeof(key), "Idempotency-Key: %s", mistake->key);
        headers[count++] = key;
    }
    if (mistake->content_type != NULL) {
        snprintf(type, sizeof(type), "Content-Type: %s", mistake->content_type);
        headers[count++] = type;
    }
    stack_call(&stack, mistake->method, path, headers, mistake->body, &answer);
}

/* What every problem document says, whatever its reason (RFC 9457). */
static void assert_is_a_problem(long status)
{
    char value[256];
    stack_expect_header(&stack, &answer, "content-type", "application/problem+json");
    snprintf(value, sizeof(value), "%ld", status);
    stack_expect_json(&stack, &answer, "status", value);
    static const char *const members[] = {"type",     "title",  "detail",
                                          "instance", "reason", "requestId"};
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        http_client_json(&answer, members[i], value, sizeof(value));
        if (value[0] == '\0') {
            stack_fail(&stack, "no %s in %s", members[i], answer.body);
        }
    }
}

/* Every mistake of the table gets its status, its reason, and names the field at fault. */
static void bad_input_gets_its_status_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        const struct mistake *mistake = &mistakes[i];
        char reason[64], field[96];
        make_call(mistake);
        http_client_json(&answer, "reason", reason, sizeof(reason));
        http_client_json(&answer, "violations.0.field", field, sizeof(field));
        if (answer.status != mistake->status ||
            (mistake->reason != NULL && strcmp(reason, mistake->reason) != 0) ||
            (mistake->field != NULL && strcmp(field, mistake->field) != 0)) {
            stack_fail(&stack, "%s: %ld %s", mistake->what, answer.status, answer.body);
        }
        assert_is_a_problem(mistake->status);
    }
}

/* A body over the limit is refused, declared or not, and costs no memory. */
static void bad_input_large_body_is_too_large(void **state)
{
    (void)state;
    size_t length = 200000;
    char *body = malloc(length + 1);
    assert_non_null(body);
    memset(body, ' ', length);
    body[length] = '\0';
    struct mistake large = {"large", "POST",           PLACE, "k", "application/json", body,
                            413,     "BODY_TOO_LARGE", NULL};
    make_call(&large);
    stack_expect_status(&stack, &answer, 413);
    stack_expect_json(&stack, &answer, "reason", "BODY_TOO_LARGE");
    assert_is_a_problem(413);
    free(body);
}

/* 405 says what is allowed. */
static void bad_input_other_method_names_the_allowed_ones(void **state)
{
    (void)state;
    char allow[64];
    stack_call(&stack, "DELETE", "/v1/sales", NULL, NULL, &answer);
    http_client_header(&answer, "allow", allow, sizeof(allow));
    assert_non_null(strstr(allow, "GET"));
    assert_non_null(strstr(allow, "POST"));
}

/* An admin's request names every field at fault at once. */
static void bad_input_new_sale_names_all_fields(void **state)
{
    (void)state;
    char value[64];
    const char *headers[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN, "Idempotency-Key: k2",
                             "Content-Type: application/json", NULL};
    stack_call(&stack, "POST", "/v1/sales", headers, "{\"stockTotal\":0}", &answer);
    stack_expect_status(&stack, &answer, 400);
    http_client_json(&answer, "violations.3.field", value, sizeof(value));
    assert_string_not_equal(value, "");
}

/* After all of it the system sells as before: one unit, exactly once. */
static void bad_input_leaves_the_system_working(void **state)
{
    (void)state;
    stack_place(&stack, sale_id, "c", "after", &answer);
    stack_expect_status(&stack, &answer, 201);
    assert_int_equal(stack_query_number(&stack, "SELECT count(*) FROM orders"), 1);
    stack_audit(&stack);
}

static int set_up_group(void **state)
{
    (void)state;
    stack_start(&stack);
    stack_make_sale(&stack, "bad-input", 10, 0, sale_id);
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    stack_stop(&stack);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_input_gets_its_status_and_reason),
        cmocka_unit_test(bad_input_large_body_is_too_large),
        cmocka_unit_test(bad_input_other_method_names_the_allowed_ones),
        cmocka_unit_test(bad_input_new_sale_names_all_fields),
        cmocka_unit_test(bad_input_leaves_the_system_working),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
