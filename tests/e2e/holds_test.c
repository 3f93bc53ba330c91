/* The life of held orders over real HTTP: bought, confirmed, given back, run out, bought again. */
#include "base/clock.h"
#include "told_stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

/* Stock that returns to a sold-out sale matures for so long before it can be sold. */
#define LEASE_MS 500

#define HOLD_LONG 3600

static char sale_id[37], order_id[37];

static const char *const admin_headers[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN, NULL};
static const char *const json_headers[] = {"Content-Type: application/json", NULL};

static void make_sale(const char *key, int stock, int limit, int hold_seconds)
{
    char key_header[64], body[512];
    const char *headers[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN, key_header,
                             "Content-Type: application/json", NULL};
    snprintf(key_header, sizeof(key_header), "Idempotency-Key: %s", key);
    snprintf(body, sizeof(body),
             "{\"sku\":\"sku\",\"title\":\"A sale\",\"unitPrice\":{\"currencyCode\":\"EUR\"},"
             "\"endTime\":\"2999-01-01T00:00:00Z\",\"stockTotal\":%d,\"perCustomerLimit\":%d,"
             "\"holdSeconds\":%d}",
             stock, limit, hold_seconds);
    stack_call(&told_stack.stack, "POST", "/v1/sales", headers, body, &told_stack.answer);
    told_stack_expect_status(201);
    http_client_json(&told_stack.answer, "saleId", sale_id, sizeof(sale_id));
}

/* Places an order that must work and keeps its id. */
static void hold(const char *customer, const char *key)
{
    stack_place(&told_stack.stack, sale_id, customer, key, &told_stack.answer);
    told_stack_expect_status(201);
    http_client_json(&told_stack.answer, "orderId", order_id, sizeof(order_id));
}

static void call_order(const char *verb, const char *const *headers, const char *body)
{
    char path[160];
    snprintf(path, sizeof(path), "/v1/sales/%s/orders/%s:%s", sale_id, order_id, verb);
    stack_call(&told_stack.stack, "POST", path, headers, body, &told_stack.answer);
}

static void cancel(const char *customer)
{
    char body[128];
    snprintf(body, sizeof(body), "{\"customerId\":\"%s\"}", customer);
    call_order("cancel", json_headers, body);
}

static void get_order(const char *customer)
{
    char path[160];
    snprintf(path, sizeof(path), "/v1/sales/%s/orders/%s?customerId=%s", sale_id, order_id,
             customer);
    stack_call(&told_stack.stack, "GET", path, NULL, NULL, &told_stack.answer);
}

static void get_sale(void)
{
    char path[64];
    snprintf(path, sizeof(path), "/v1/sales/%s", sale_id);
    stack_call(&told_stack.stack, "GET", path, NULL, NULL, &told_stack.answer);
    told_stack_expect_status(200);
}

/* Asks for a unit until it is had, or for too long; SOLD_OUT alone is worth asking again. */
static void place_until_sold(const char *customer)
{
    struct stack_wait wait = stack_wait_for(&told_stack.stack, "the unit that comes back");
    for (;;) {
        stack_place(&told_stack.stack, sale_id, customer, "again", &told_stack.answer);
        if (told_stack.answer.status == 201) {
            return;
        }
        told_stack_expect_refusal(409, "SOLD_OUT");
        stack_wait_on(&wait, 10);
    }
}

static int64_t ms_since(int64_t from_ns)
{
    return (clock_monotonic_ns() - from_ns) / CLOCK_NS_PER_MS;
}

/* --- Confirm --------------------------------------------------------------------------------- */

/* A shop confirms with the path alone, as curl -X POST does: no body, no content type. */
static void holds_confirmed_is_sold(void **state)
{
    (void)state;
    make_sale("confirm", 5, 0, HOLD_LONG);
    hold("c-1", "k-1");
    told_stack_expect_json("status", "RESERVED");
    call_order("confirm", NULL, NULL);
    told_stack_expect_refusal(401, "UNAUTHENTICATED");
    for (int i = 0; i < 2; i++) {
        call_order("confirm", admin_headers, NULL);
        told_stack_expect_status(200);
        told_stack_expect_json("status", "CONFIRMED");
        told_stack_expect_json("orderId", order_id);
        told_stack_expect_json("customerId", "c-1");
        told_stack_expect_json("number", "1");
    }
    get_sale();
    told_stack_expect_json("stockRemaining", "4");
    told_stack_expect_json("version", "3");
    cancel("c-1");
    told_stack_expect_refusal(409, "ILLEGAL_TRANSITION");
    told_stack_expect_json("detail", "a CONFIRMED order can be cancelled by an administrator only");
    call_order("cancel", admin_headers, NULL);
    told_stack_expect_status(200);
    told_stack_expect_json("status", "CANCELLED");
    get_sale();
    told_stack_expect_json("stockRemaining", "5");
}

/* --- Cancel ---------------------------------------------------------------------------------- */

/* The limit counts what a customer holds now: who gives a hold back may buy again. */
static void holds_cancelled_lets_its_customer_buy_again(void **state)
{
    (void)state;
    make_sale("cancel", 5, 1, HOLD_LONG);
    hold("c-1", "k-1");
    stack_place(&told_stack.stack, sale_id, "c-1", "k-2", &told_stack.answer);
    told_stack_expect_refusal(409, "CUSTOMER_LIMIT_REACHED");
    cancel("c-2");
    told_stack_expect_refusal(404, "ORDER_NOT_FOUND");
    for (int i = 0; i < 2; i++) {
        cancel("c-1");
        told_stack_expect_status(200);
        told_stack_expect_json("status", "CANCELLED");
    }
    call_order("confirm", admin_headers, NULL);
    told_stack_expect_refusal(409, "ILLEGAL_TRANSITION");
    told_stack_expect_json("detail", "a CANCELLED order cannot be confirmed");
    /* The old key is the old order, as it is now; another one is another order. */
    stack_place(&told_stack.stack, sale_id, "c-1", "k-1", &told_stack.answer);
    told_stack_expect_status(201);
    told_stack_expect_json("status", "CANCELLED");
    hold("c-1", "k-2");
    told_stack_expect_json("number", "2");
    told_stack_expect_json("status", "RESERVED");
}

/* Whose order it is must be said, in the body and nowhere else. */
static void holds_cancel_wants_its_customer(void **state)
{
    char path[200];
    const char *wrong[] = {"Authorization: Bearer wrong", "Content-Type: application/json", NULL};
    (void)state;

    make_sale("cancel-fields", 5, 0, HOLD_LONG);
    hold("c-1", "k-1");
    call_order("cancel", NULL, NULL);
    told_stack_expect_refusal(400, "INVALID_FIELD");
    told_stack_expect_json("violations.0.field", "customerId");
    call_order("cancel", json_headers, "{\"customerId\":null}");
    told_stack_expect_refusal(400, "INVALID_FIELD");
    call_order("cancel", json_headers, "{\"customer\":\"c-1\"}");
    told_stack_expect_refusal(400, "INVALID_FIELD");
    call_order("cancel", json_headers, "{\"customerId\":\"c-1\",\"orderId\":\"x\"}");
    told_stack_expect_refusal(400, "INVALID_FIELD");
    call_order("cancel", wrong, "{}");
    told_stack_expect_refusal(401, "UNAUTHENTICATED");
    snprintf(path, sizeof(path), "/v1/sales/%s/orders/%s:cancel?customerId=c-1", sale_id, order_id);
    stack_call(&told_stack.stack, "POST", path, NULL, NULL, &told_stack.answer);
    told_stack_expect_refusal(400, "INVALID_FIELD");
    get_order("c-1");
    told_stack_expect_json("status", "RESERVED");
    call_order("cancel", wrong, "{\"customer_id\":\"c-1\"}");
    told_stack_expect_status(200);
    told_stack_expect_json("status", "CANCELLED");
}

/* A unit that comes back to a sold-out sale is sold once more, one lease later, and only once. */
static void holds_cancelled_of_a_sold_out_sale_is_sold_again_once(void **state)
{
    (void)state;
    make_sale("returning", 2, 0, HOLD_LONG);
    hold("c-1", "k-1");
    hold("c-2", "k-1");
    stack_place(&told_stack.stack, sale_id, "c-3", "again", &told_stack.answer);
    told_stack_expect_refusal(409, "SOLD_OUT");
    int64_t began_ns = clock_monotonic_ns();
    cancel("c-2");
    told_stack_expect_status(200);
    place_until_sold("c-3");
    print_message("cancelled and sold again after %lld ms\n", (long long)ms_since(began_ns));
    assert_true(ms_since(began_ns) >= LEASE_MS);
    stack_place(&told_stack.stack, sale_id, "c-4", "k-1", &told_stack.answer);
    told_stack_expect_refusal(409, "SOLD_OUT");
    get_sale();
    told_stack_expect_json("stockRemaining", "0");
    told_stack_expect_json("stockTotal", "2");
}

/* --- Expire ---------------------------------------------------------------------------------- */

/* Nobody asks for the order that ran out: its unit is somebody else's within a second all the same.
 */
static void holds_run_out_and_the_next_customer_buys(void **state)
{
    (void)state;
    make_sale("expire", 1, 1, 1);
    hold("c-1", "k-1");
    int64_t held_ns = clock_monotonic_ns();
    stack_place(&told_stack.stack, sale_id, "c-2", "again", &told_stack.answer);
    if (told_stack.answer.status != 201) { /* 201: the machine slept for longer than the hold */
        told_stack_expect_refusal(409, "SOLD_OUT");
    }
    place_until_sold("c-2");
    print_message("held for 1000 ms, sold again %lld ms after that\n",
                  (long long)ms_since(held_ns) - 1000);
    get_order("c-1");
    told_stack_expect_status(200);
    told_stack_expect_json("status", "EXPIRED");
    call_order("confirm", admin_headers, NULL);
    told_stack_expect_refusal(409, "ILLEGAL_TRANSITION");
    told_stack_expect_json("detail", "an EXPIRED order cannot be confirmed");
    cancel("c-1");
    told_stack_expect_refusal(409, "ILLEGAL_TRANSITION");
}

/* --- List ------------------------------------------------------------------------------------ */

static void list_orders(const char *query, const char *const *headers)
{
    char path[512];
    snprintf(path, sizeof(path), "/v1/sales/%s/orders%s", sale_id, query);
    stack_call(&told_stack.stack, "GET", path, headers, NULL, &told_stack.answer);
}

/* The list is the administrator's, in pages, by number, of one customer where one is named. */
static void holds_are_listed_by_number(void **state)
{
    char token[128], query[256];
    (void)state;

    make_sale("list", 9, 0, HOLD_LONG);
    list_orders("", admin_headers);
    told_stack_expect_status(200);
    assert_string_equal(told_stack.answer.body, "{\"orders\":[],\"nextPageToken\":\"\"}");
    hold("c-1", "k-1");
    hold("c-2", "k-1");
    hold("c-1", "k-2");
    list_orders("", NULL);
    told_stack_expect_refusal(401, "UNAUTHENTICATED");
    list_orders("?pageSize=2", admin_headers);
    told_stack_expect_status(200);
    told_stack_expect_json("orders.0.number", "1");
    told_stack_expect_json("orders.0.customerId", "c-1");
    told_stack_expect_json("orders.0.status", "RESERVED");
    told_stack_expect_json("orders.1.number", "2");
    told_stack_expect_json("orders.2.number", "");
    http_client_json(&told_stack.answer, "nextPageToken", token, sizeof(token));
    assert_string_not_equal(token, "");
    snprintf(query, sizeof(query), "?pageSize=2&pageToken=%s", token);
    list_orders(query, admin_headers);
    told_stack_expect_json("orders.0.number", "3");
    told_stack_expect_json("orders.1.number", "");
    told_stack_expect_json("nextPageToken", "");
    list_orders("?customerId=c-2", admin_headers);
    told_stack_expect_json("orders.0.number", "2");
    told_stack_expect_json("orders.1.number", "");
    list_orders("?pageToken=made-up", admin_headers);
    told_stack_expect_refusal(400, "INVALID_FIELD");
    list_orders("?pageSize=many", admin_headers);
    told_stack_expect_refusal(400, "INVALID_FIELD");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(holds_confirmed_is_sold, told_stack_audit),
        cmocka_unit_test_teardown(holds_cancelled_lets_its_customer_buy_again, told_stack_audit),
        cmocka_unit_test_teardown(holds_cancel_wants_its_customer, told_stack_audit),
        cmocka_unit_test_teardown(holds_cancelled_of_a_sold_out_sale_is_sold_again_once,
                                  told_stack_audit),
        cmocka_unit_test_teardown(holds_run_out_and_the_next_customer_buys, told_stack_audit),
        cmocka_unit_test_teardown(holds_are_listed_by_number, told_stack_audit),
    };
    return cmocka_run_group_tests(tests, told_stack_set_up, told_stack_tear_down);
}
