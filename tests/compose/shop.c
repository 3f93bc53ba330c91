#include "shop.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
/* cmocka wants these first */
#include <cmocka.h>

#define HEADERS_MAX 6
#define PATH_BYTES  512
#define KEY_BYTES   128
#define VALUE_BYTES 1024

/* More than any call takes by contract: the edge answers within its own time. */
#define PATIENCE_MS 60000

static struct {
    const struct target *target;
    char run[24]; /* tells this run's names from those of all others */
    char sale_id[SHOP_ID_BYTES], order_id[SHOP_ID_BYTES];
    struct http_answer answer;
} shop;

void shop_open(const struct target *target)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    shop.target = target;
    snprintf(shop.run, sizeof(shop.run), "%llx-%lx",
             (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000,
             (unsigned long)getpid());
}

const struct http_answer *shop_answer(void)
{
    return &shop.answer;
}

const char *shop_sale_id(void)
{
    return shop.sale_id;
}

const char *shop_order_id(void)
{
    return shop.order_id;
}

void shop_key(const char *name, char *ret_key, size_t key_bytes)
{
    snprintf(ret_key, key_bytes, "%s-%s", shop.run, name);
}

/* --- Calls ------------------------------------------------------------------------------------ */

void shop_call(const char *method, const char *path, bool as_admin, const char *const *headers,
               const char *body)
{
    const char *all[HEADERS_MAX + 3] = {0};
    char url[TARGET_URL_BYTES + PATH_BYTES], authorization[TARGET_TOKEN_BYTES + 32];
    size_t count = 0;
    bool has_type = false;

    for (; headers != NULL && headers[count] != NULL; count++) {
        CHECK(count < HEADERS_MAX);
        all[count] = headers[count];
        has_type = has_type || strncmp(headers[count], "Content-Type:", 13) == 0;
    }
    if (as_admin) {
        snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s",
                 shop.target->token);
        all[count++] = authorization;
    }
    if (body != NULL && !has_type) {
        all[count++] = "Content-Type: application/json";
    }
    snprintf(url, sizeof(url), "%s%s", shop.target->base_url, path);
    const struct http_call call = {
        .method = method, .url = url, .headers = all, .body = body, .timeout_ms = PATIENCE_MS};
    http_client_call(&call, &shop.answer);
}

void shop_get_url(const char *base_url, const char *path)
{
    char url[TARGET_URL_BYTES + PATH_BYTES];
    snprintf(url, sizeof(url), "%s%s", base_url, path);
    http_client_call(&(struct http_call){.url = url, .timeout_ms = PATIENCE_MS}, &shop.answer);
}

static void call_with_key(const char *path, bool as_admin, const char *key, const char *body)
{
    char header[KEY_BYTES + 32], whole_key[KEY_BYTES];
    const char *headers[] = {header, NULL};
    shop_key(key, whole_key, sizeof(whole_key));
    snprintf(header, sizeof(header), "Idempotency-Key: %s", whole_key);
    shop_call("POST", path, as_admin, headers, body);
}

void shop_make_sale(const char *name, const struct shop_plan *plan)
{
    char body[512], start[64] = "";

    if (plan->start_time != NULL) {
        snprintf(start, sizeof(start), "\"startTime\":\"%s\",", plan->start_time);
    }
    snprintf(body, sizeof(body),
             "{\"sku\":\"sku-1\",\"title\":\"A sale\",\"unitPrice\":{\"currencyCode\":\"EUR\","
             "\"amountMinor\":\"1999\"},%s\"endTime\":\"2999-01-01T00:00:00Z\",\"stockTotal\":%d,"
             "\"perCustomerLimit\":%d,\"holdSeconds\":%d}",
             start, plan->stock, plan->limit, plan->hold_seconds);
    call_with_key("/v1/sales", true, name, body);
    shop_expect_status(201);
    http_client_json(&shop.answer, "saleId", shop.sale_id, sizeof(shop.sale_id));
}

void shop_call_sale(const char *method, const char *suffix, bool as_admin, const char *body)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "/v1/sales/%s%s", shop.sale_id, suffix);
    shop_call(method, path, as_admin, NULL, body);
}

void shop_call_sale_once(const char *suffix, const char *key, const char *body)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "/v1/sales/%s%s", shop.sale_id, suffix);
    call_with_key(path, true, key, body);
}

void shop_place(const char *customer, const char *key, int quantity)
{
    char path[PATH_BYTES], body[256];
    snprintf(path, sizeof(path), "/v1/sales/%s/orders", shop.sale_id);
    snprintf(body, sizeof(body), "{\"customerId\":\"%s\",\"quantity\":%d}", customer, quantity);
    call_with_key(path, false, key, body);
    if (shop.answer.status == 201) {
        http_client_json(&shop.answer, "orderId", shop.order_id, sizeof(shop.order_id));
    }
}

void shop_call_order(const char *suffix, bool as_admin, const char *body)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "/v1/sales/%s/orders/%s%s", shop.sale_id, shop.order_id, suffix);
    shop_call("POST", path, as_admin, NULL, body);
}

void shop_get_order(const char *customer)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "/v1/sales/%s/orders/%s?customerId=%s", shop.sale_id,
             shop.order_id, customer);
    shop_call("GET", path, false, NULL, NULL);
}

/* --- What is expected ------------------------------------------------------------------------- */

void shop_expect_status(long status)
{
    if (shop.answer.status != status) {
        fail_msg("%ld instead of %ld: %s", shop.answer.status, status, shop.answer.body);
    }
}

void shop_expect_json(const char *path, const char *expected)
{
    char value[VALUE_BYTES];
    http_client_json(&shop.answer, path, value, sizeof(value));
    if (strcmp(value, expected) != 0) {
        fail_msg("%s is \"%s\" instead of \"%s\" in %ld %s", path, value, expected,
                 shop.answer.status, shop.answer.body);
    }
}

void shop_expect_header(const char *name, const char *expected)
{
    char value[VALUE_BYTES];
    http_client_header(&shop.answer, name, value, sizeof(value));
    if (strcmp(value, expected) != 0) {
        fail_msg("%s is \"%s\" instead of \"%s\"", name, value, expected);
    }
}

void shop_expect_problem(long status, const char *reason)
{
    char text[128], value[VALUE_BYTES];

    shop_expect_status(status);
    shop_expect_json("reason", reason);
    snprintf(text, sizeof(text), "%ld", status);
    shop_expect_json("status", text);
    snprintf(text, sizeof(text), "/problems/%s", reason);
    shop_expect_json("type", text);
    http_client_json(&shop.answer, "title", value, sizeof(value));
    assert_string_not_equal(value, "");
    http_client_json(&shop.answer, "instance", value, sizeof(value));
    assert_true(value[0] == '/');
    http_client_header(&shop.answer, "content-type", value, sizeof(value));
    assert_string_equal(value, "application/problem+json");
    http_client_header(&shop.answer, "x-request-id", value, sizeof(value));
    shop_expect_json("requestId", value);
}
