/* The public contract over real HTTP: sales and orders as a shop uses them. */
#include "support/stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

static struct stack stack;
static struct http_answer answer;
static char sale_id[37];

static void expect_status(long expected)
{
    stack_expect_status(&stack, &answer, expected);
}

static void expect_json(const char *path, const char *expected)
{
    stack_expect_json(&stack, &answer, path, expected);
}

static void expect_header(const char *name, const char *expected)
{
    stack_expect_header(&stack, &answer, name, expected);
}

static void get_sale(void)
{
    char path[512];
    snprintf(path, sizeof(path), "/v1/sales/%s", sale_id);
    stack_call(&stack, "GET", path, NULL, NULL, &answer);
}

/* A new sale is shown with every field that the contract names, defaults included. */
static void api_new_sale_shows_every_field(void **state)
{
    (void)state;
    char etag[64];
    stack_make_sale(&stack, "fields", 5, 2, sale_id);
    get_sale();
    expect_status(200);
    expect_json("saleId", sale_id);
    expect_json("sku", "sku");
    expect_json("title", "A sale");
    expect_json("unitPrice", "{\"currencyCode\":\"EUR\",\"amountMinor\":\"1999\"}");
    expect_json("stockTotal", "5");
    expect_json("stockRemaining", "5");
    expect_json("perCustomerLimit", "2");
    expect_json("holdSeconds", "0");
    expect_json("state", "LIVE");
    expect_json("version", "1");
    http_client_header(&answer, "etag", etag, sizeof(etag));
    assert_true(etag[0] == '"');
}

/* Creating again with the same key and fields is the same sale; with other fields it is refused. */
static void api_sale_key_names_one_creation(void **state)
{
    (void)state;
    static const char body[] =
        "{\"sku\":\"s\",\"title\":\"t\",\"unitPrice\":{\"currencyCode\":\"EUR\","
        "\"amountMinor\":100},\"end_time\":\"2999-01-01T00:00:00Z\",\"stockTotal\":3}";
    static const char other[] =
        "{\"sku\":\"s\",\"title\":\"t\",\"unitPrice\":{\"currencyCode\":\"EUR\","
        "\"amountMinor\":100},\"endTime\":\"2999-01-01T00:00:00Z\",\"stockTotal\":4}";
    const char *headers[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN,
                             "Idempotency-Key: \"twice\"", "Content-Type: application/json", NULL};
    const char *bare[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN, "Idempotency-Key: twice",
                          "Content-Type: application/json; charset=utf-8", NULL};
    char first[64], location[128], expected[128];

    stack_call(&stack, "POST", "/v1/sales", headers, body, &answer);
    expect_status(201);
    http_client_json(&answer, "saleId", first, sizeof(first));
    http_client_header(&answer, "location", location, sizeof(location));
    snprintf(expected, sizeof(expected), "/v1/sales/%s", first);
    assert_string_equal(location, expected);
    expect_header("idempotent-replayed", "");

    stack_call(&stack, "POST", "/v1/sales", bare, body, &answer);
    expect_status(201);
    expect_json("saleId", first);
    expect_header("idempotent-replayed", "true");

    stack_call(&stack, "POST", "/v1/sales", bare, other, &answer);
    expect_status(422);
    expect_json("reason", "IDEMPOTENCY_KEY_REUSED");
}

/* An order, its replay, its reading by its customer and by nobody else. */
static void api_order_is_placed_replayed_and_read(void **state)
{
    (void)state;
    char order_id[64], location[256], path[256];
    stack_make_sale(&stack, "orders", 5, 2, sale_id);
    stack_place(&stack, sale_id, "c-1", "k-1", &answer);
    expect_status(201);
    expect_json("saleId", sale_id);
    expect_json("number", "1");
    expect_json("customerId", "c-1");
    expect_json("quantity", "1");
    expect_json("status", "CONFIRMED");
    expect_json("unitPrice.amountMinor", "1999");
    expect_header("idempotent-replayed", "");
    http_client_json(&answer, "orderId", order_id, sizeof(order_id));
    http_client_header(&answer, "location", location, sizeof(location));

    stack_place(&stack, sale_id, "c-1", "\"k-1\"", &answer);
    expect_status(201);
    expect_json("orderId", order_id);
    expect_header("idempotent-replayed", "true");

    stack_call(&stack, "GET", location, NULL, NULL, &answer);
    expect_status(200);
    expect_json("orderId", order_id);

    snprintf(path, sizeof(path), "/v1/sales/%s/orders/%s?customerId=c-2", sale_id, order_id);
    stack_call(&stack, "GET", path, NULL, NULL, &answer);
    expect_status(404);
    expect_json("reason", "ORDER_NOT_FOUND");

    get_sale();
    expect_json("stockRemaining", "4");
    expect_json("version", "2");
}

/* The same key with another quantity is refused; another customer's same key is another order. */
static void api_order_key_is_scoped_to_its_customer(void **state)
{
    (void)state;
    char path[128], first[64], second[64];
    const char *headers[] = {"Idempotency-Key: shared", "Content-Type: application/json", NULL};
    stack_make_sale(&stack, "scope", 9, 0, sale_id);
    snprintf(path, sizeof(path), "/v1/sales/%s/orders", sale_id);
    stack_place(&stack, sale_id, "a", "shared", &answer);
    http_client_json(&answer, "orderId", first, sizeof(first));
    stack_call(&stack, "POST", path, headers, "{\"customerId\":\"a\",\"quantity\":2}", &answer);
    expect_status(422);
    expect_json("reason", "IDEMPOTENCY_KEY_REUSED");
    stack_call(&stack, "POST", path, headers, "{\"customerId\":\"b\",\"quantity\":2}", &answer);
    expect_status(201);
    http_client_json(&answer, "orderId", second, sizeof(second));
    assert_string_not_equal(first, second);
}

/* The limit and the stock refuse with their reasons, and a refusal is not remembered. */
static void api_limit_and_stock_refuse_by_name(void **state)
{
    (void)state;
    stack_make_sale(&stack, "limits", 2, 1, sale_id);
    stack_place(&stack, sale_id, "a", "1", &answer);
    expect_status(201);
    stack_place(&stack, sale_id, "a", "2", &answer);
    expect_status(409);
    expect_json("reason", "CUSTOMER_LIMIT_REACHED");
    expect_json("type", "/problems/CUSTOMER_LIMIT_REACHED");
    stack_place(&stack, sale_id, "b", "1", &answer);
    expect_status(201);
    stack_place(&stack, sale_id, "c", "1", &answer);
    expect_status(409);
    expect_json("reason", "SOLD_OUT");
    get_sale();
    expect_json("state", "SOLD_OUT");
    stack_place(&stack, sale_id, "a", "1", &answer);
    expect_status(201);
    expect_header("idempotent-replayed", "true");
}

/* A sale that has not opened, by the database's clock, says so. */
static void api_scheduled_sale_is_not_started(void **state)
{
    (void)state;
    const char *headers[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN, "Idempotency-Key: later",
                             "Content-Type: application/json", NULL};
    stack_call(&stack, "POST", "/v1/sales", headers,
               "{\"sku\":\"s\",\"title\":\"t\",\"unitPrice\":{\"currencyCode\":\"EUR\"},"
               "\"startTime\":\"2998-01-01T00:00:00+01:00\","
               "\"endTime\":\"2999-01-01T00:00:00.5Z\",\"stockTotal\":3,\"holdSeconds\":60}",
               &answer);
    expect_status(201);
    expect_json("state", "SCHEDULED");
    expect_json("startTime", "2997-12-31T23:00:00Z");
    expect_json("endTime", "2999-01-01T00:00:00.500Z");
    http_client_json(&answer, "saleId", sale_id, sizeof(sale_id));
    stack_place(&stack, sale_id, "a", "1", &answer);
    expect_status(409);
    expect_json("reason", "SALE_NOT_STARTED");
}

/* Pages visit every sale once, newest first. */
static void api_list_pages_visit_every_sale_once(void **state)
{
    (void)state;
    char token[128] = "", path[256], previous[64] = "~", id[64];
    long seen = 0, sales = stack_query_number(&stack, "SELECT count(*) FROM sales");
    do {
        snprintf(path, sizeof(path), "/v1/sales?pageSize=2&pageToken=%s", token);
        stack_call(&stack, "GET", path, NULL, NULL, &answer);
        expect_status(200);
        for (int i = 0; i < 2; i++) {
            snprintf(path, sizeof(path), "sales.%d.saleId", i);
            http_client_json(&answer, path, id, sizeof(id));
            if (id[0] != '\0') {
                assert_true(strcmp(id, previous) < 0);
                memcpy(previous, id, sizeof(previous));
                seen++;
            }
        }
        http_client_json(&answer, "nextPageToken", token, sizeof(token));
    } while (token[0] != '\0');
    assert_int_equal(seen, sales);
}

/* Request ids and trace contexts are taken and returned, or made. */
static void api_request_id_and_trace_are_returned(void **state)
{
    (void)state;
    static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    char value[128], header[128];
    snprintf(header, sizeof(header), "traceparent: %s", trace);
    const char *headers[] = {"X-Request-Id: my-request", header, NULL};
    stack_call(&stack, "GET", "/v1/sales", headers, NULL, &answer);
    expect_header("x-request-id", "my-request");
    http_client_header(&answer, "traceparent", value, sizeof(value));
    assert_memory_equal(value, trace, 35);
    stack_call(&stack, "GET", "/v1/sales", NULL, NULL, &answer);
    http_client_header(&answer, "x-request-id", value, sizeof(value));
    assert_string_not_equal(value, "");
}

/* HEAD is GET without the body. */
static void api_head_is_get_without_body(void **state)
{
    (void)state;
    stack_call(&stack, "HEAD", "/v1/sales", NULL, NULL, &answer);
    expect_status(200);
    assert_int_equal(answer.body_length, 0);
}

/* Both ops listeners answer what probes and people ask. */
static void api_ops_listeners_answer(void **state)
{
    (void)state;
    const int ports[] = {stack.edge_ops_port, stack.orders_ops_port};
    static const char *const paths[] = {"/livez", "/readyz", "/readyz?verbose", "/metrics",
                                        "/limits"};
    for (size_t i = 0; i < COUNT_OF(ports); i++) {
        for (size_t k = 0; k < COUNT_OF(paths); k++) {
            stack_ops_get(ports[i], paths[k], &answer);
            expect_status(200);
        }
    }
}

static int set_up_group(void **state)
{
    (void)state;
    stack_start(&stack);
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    stack_audit(&stack);
    stack_stop(&stack);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(api_new_sale_shows_every_field),
        cmocka_unit_test(api_sale_key_names_one_creation),
        cmocka_unit_test(api_order_is_placed_replayed_and_read),
        cmocka_unit_test(api_order_key_is_scoped_to_its_customer),
        cmocka_unit_test(api_limit_and_stock_refuse_by_name),
        cmocka_unit_test(api_scheduled_sale_is_not_started),
        cmocka_unit_test(api_list_pages_visit_every_sale_once),
        cmocka_unit_test(api_request_id_and_trace_are_returned),
        cmocka_unit_test(api_head_is_get_without_body),
        cmocka_unit_test(api_ops_listeners_answer),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
