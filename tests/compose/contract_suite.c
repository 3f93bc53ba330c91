/* The public contract over HTTP, as a shop meets it: every outcome has its status and its reason.
 */
#include "contract_suite.h"

#include "base/clock.h"
#include "shop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* cmocka wants these first */
#include <cmocka.h>

#define AS_ADMIN  true
#define AS_ANYONE false

/* For what takes its time by contract (a hold, a lease), on a machine that is busy otherwise. */
#define PATIENCE_MS 60000
#define PAUSE_NS    (50 * CLOCK_NS_PER_MS)
#define HOLD_LONG   3600
#define LEASE_MS    500

/* Longer than the edge takes; its default is 16 KiB. */
#define BODY_TOO_LARGE_BYTES (2 * 1024 * 1024)

static void pause_between_attempts(int64_t deadline_ns)
{
    assert_true(clock_monotonic_ns() < deadline_ns);
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

/* --- Sales ------------------------------------------------------------------------------------ */

/* A sale that was made is shown with every field that the contract names, defaults included. */
static void contract_created_sale_shows_every_field(void **state)
{
    char location[128], expected[128];
    (void)state;

    shop_make_sale("fields", &(struct shop_plan){.stock = 5, .limit = 2, .hold_seconds = 60});
    http_client_header(shop_answer(), "location", location, sizeof(location));
    snprintf(expected, sizeof(expected), "/v1/sales/%s", shop_sale_id());
    assert_string_equal(location, expected);
    shop_call_sale("GET", "", AS_ANYONE, NULL);
    shop_expect_status(200);
    shop_expect_json("saleId", shop_sale_id());
    shop_expect_json("sku", "sku-1");
    shop_expect_json("title", "A sale");
    shop_expect_json("unitPrice", "{\"currencyCode\":\"EUR\",\"amountMinor\":\"1999\"}");
    shop_expect_json("endTime", "2999-01-01T00:00:00Z");
    shop_expect_json("stockTotal", "5");
    shop_expect_json("stockRemaining", "5");
    shop_expect_json("perCustomerLimit", "2");
    shop_expect_json("holdSeconds", "60");
    shop_expect_json("state", "LIVE");
    shop_expect_json("version", "1");
}

/* A shop that did not hear the answer asks again: the same sale, and never a second one. */
static void contract_creation_repeated_is_the_same_sale(void **state)
{
    char first[SHOP_ID_BYTES];
    (void)state;

    shop_make_sale("again", &(struct shop_plan){.stock = 5});
    memcpy(first, shop_sale_id(), sizeof(first));
    shop_expect_header("idempotent-replayed", "");
    shop_make_sale("again", &(struct shop_plan){.stock = 5});
    assert_string_equal(shop_sale_id(), first);
    shop_expect_header("idempotent-replayed", "true");
}

/* Who reads a sale again can see whether anything changed without comparing fields. */
static void contract_etag_follows_version_and_state(void **state)
{
    char before[64], same[64], after[64];
    (void)state;

    shop_make_sale("etag", &(struct shop_plan){.stock = 5});
    shop_call_sale("GET", "", AS_ANYONE, NULL);
    http_client_header(shop_answer(), "etag", before, sizeof(before));
    assert_true(before[0] == '"');
    shop_call_sale("GET", "", AS_ANYONE, NULL);
    http_client_header(shop_answer(), "etag", same, sizeof(same));
    assert_string_equal(same, before);
    shop_place("c-1", "k-1", 1);
    shop_call_sale("GET", "", AS_ANYONE, NULL);
    http_client_header(shop_answer(), "etag", after, sizeof(after));
    assert_string_not_equal(after, before);
}

/* Pages go from the newest sale to the oldest, and each starts after the last one's end. */
static void contract_list_is_newest_first_in_pages(void **state)
{
    char first[SHOP_ID_BYTES], token[128], path[256];
    (void)state;

    shop_make_sale("list-1", &(struct shop_plan){.stock = 1});
    memcpy(first, shop_sale_id(), sizeof(first));
    shop_make_sale("list-2", &(struct shop_plan){.stock = 1});
    shop_call("GET", "/v1/sales?pageSize=1", AS_ANYONE, NULL, NULL);
    shop_expect_status(200);
    shop_expect_json("sales.0.saleId", shop_sale_id());
    shop_expect_json("sales.1", "");
    http_client_json(shop_answer(), "nextPageToken", token, sizeof(token));
    assert_string_not_equal(token, "");
    snprintf(path, sizeof(path), "/v1/sales?pageSize=1&pageToken=%s", token);
    shop_call("GET", path, AS_ANYONE, NULL, NULL);
    shop_expect_json("sales.0.saleId", first);
    shop_call("GET", "/v1/sales?pageToken=made-up", AS_ANYONE, NULL, NULL);
    shop_expect_problem(400, "INVALID_FIELD");
}

/* What is not named stays as it is. */
static void contract_update_changes_what_is_named(void **state)
{
    (void)state;
    shop_make_sale("update", &(struct shop_plan){.stock = 5, .limit = 1});
    shop_call_sale("PATCH", "", AS_ADMIN, "{\"title\":\"Zweites Paar\"}");
    shop_expect_status(200);
    shop_expect_json("title", "Zweites Paar");
    shop_expect_json("perCustomerLimit", "1");
    shop_call_sale("PATCH", "", AS_ADMIN, "{\"perCustomerLimit\":3}");
    shop_expect_json("title", "Zweites Paar");
    shop_expect_json("perCustomerLimit", "3");
    shop_call_sale("PATCH", "", AS_ADMIN, "{\"stockTotal\":7}");
    shop_expect_problem(400, "INVALID_FIELD");
    shop_expect_json("violations.0.field", "stockTotal");
}

/* --- Orders ----------------------------------------------------------------------------------- */

/* An order, the same again, and the reading of it by its customer and by nobody else. */
static void contract_order_is_placed_replayed_and_read(void **state)
{
    char first[SHOP_ID_BYTES], location[256];
    (void)state;

    shop_make_sale("orders", &(struct shop_plan){.stock = 5});
    shop_place("c-1", "k-1", 2);
    shop_expect_status(201);
    shop_expect_header("idempotent-replayed", "");
    shop_expect_json("saleId", shop_sale_id());
    shop_expect_json("number", "1");
    shop_expect_json("customerId", "c-1");
    shop_expect_json("quantity", "2");
    shop_expect_json("status", "CONFIRMED");
    shop_expect_json("unitPrice.amountMinor", "1999");
    memcpy(first, shop_order_id(), sizeof(first));
    http_client_header(shop_answer(), "location", location, sizeof(location));
    shop_place("c-1", "k-1", 2);
    shop_expect_status(201);
    shop_expect_header("idempotent-replayed", "true");
    assert_string_equal(shop_order_id(), first);
    shop_call("GET", location, AS_ANYONE, NULL, NULL);
    shop_expect_status(200);
    shop_expect_json("orderId", first);
    shop_get_order("c-2");
    shop_expect_problem(404, "ORDER_NOT_FOUND");
    shop_call_sale("GET", "", AS_ANYONE, NULL);
    shop_expect_json("stockRemaining", "3");
}

/* A key means one order of one customer; another quantity is a mistake of the shop's. */
static void contract_key_reused_is_refused(void **state)
{
    (void)state;
    shop_make_sale("reuse", &(struct shop_plan){.stock = 5});
    shop_place("c-1", "shared", 1);
    shop_place("c-1", "shared", 2);
    shop_expect_problem(422, "IDEMPOTENCY_KEY_REUSED");
    shop_place("c-2", "shared", 2);
    shop_expect_status(201);
    shop_expect_json("number", "2");
}

/* Too much for one is not too much for the next; a placed order is found also when nothing is left.
 */
static void contract_sold_out_refuses_and_still_replays(void **state)
{
    (void)state;
    shop_make_sale("sold-out", &(struct shop_plan){.stock = 3});
    shop_place("c-1", "k-1", 1);
    shop_place("c-2", "k-1", 3);
    shop_expect_problem(409, "SOLD_OUT");
    shop_place("c-3", "k-1", 2);
    shop_expect_status(201);
    shop_call_sale("GET", "", AS_ANYONE, NULL);
    shop_expect_json("state", "SOLD_OUT");
    /* Until each edge has learned it and refuses by itself, and then. */
    for (int i = 0; i < 40; i++) {
        shop_place("c-4", "k-1", 1);
        shop_expect_problem(409, "SOLD_OUT");
        shop_place("c-1", "k-1", 1);
        shop_expect_status(201);
        shop_expect_header("idempotent-replayed", "true");
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
}

/* What a customer holds counts, whatever keys it came by. */
static void contract_limit_counts_units_of_a_customer(void **state)
{
    (void)state;
    shop_make_sale("limit", &(struct shop_plan){.stock = 9, .limit = 2});
    shop_place("c-1", "k-1", 1);
    shop_place("c-1", "k-2", 2);
    shop_expect_problem(409, "CUSTOMER_LIMIT_REACHED");
    shop_place("c-1", "k-3", 1);
    shop_expect_status(201);
    shop_place("c-2", "k-1", 2);
    shop_expect_status(201);
}

/* The database's clock opens a sale. */
static void contract_scheduled_sale_is_not_started(void **state)
{
    (void)state;
    shop_make_sale("later",
                   &(struct shop_plan){.stock = 3, .start_time = "2998-01-01T00:00:00+01:00"});
    shop_expect_json("state", "SCHEDULED");
    shop_expect_json("startTime", "2997-12-31T23:00:00Z");
    shop_place("c-1", "k-1", 1);
    shop_expect_problem(409, "SALE_NOT_STARTED");
}

/* A pause takes nothing away, and an end stays one. */
static void contract_pause_resume_and_end(void **state)
{
    (void)state;
    shop_make_sale("pause", &(struct shop_plan){.stock = 5});
    shop_call_sale("POST", ":pause", AS_ANYONE, NULL);
    shop_expect_problem(401, "UNAUTHENTICATED");
    shop_call_sale("POST", ":pause", AS_ADMIN, NULL);
    shop_expect_status(200);
    shop_expect_json("state", "PAUSED");
    shop_place("c-1", "k-1", 1);
    shop_expect_problem(409, "SALE_PAUSED");
    shop_call_sale("POST", ":resume", AS_ADMIN, "{}");
    shop_expect_json("state", "LIVE");
    shop_place("c-1", "k-1", 1);
    shop_expect_status(201);
    shop_call_sale("POST", ":end", AS_ADMIN, NULL);
    shop_expect_json("state", "ENDED");
    shop_place("c-2", "k-1", 1);
    shop_expect_problem(409, "SALE_ENDED");
    shop_place("c-1", "k-1", 1);
    shop_expect_status(201);
}

/* --- Holds ------------------------------------------------------------------------------------ */

/* The shop has its money: the unit is sold, and no customer can give it back. */
static void contract_hold_confirmed_is_sold(void **state)
{
    (void)state;
    shop_make_sale("confirm", &(struct shop_plan){.stock = 5, .hold_seconds = HOLD_LONG});
    shop_place("c-1", "k-1", 1);
    shop_expect_json("status", "RESERVED");
    shop_call_order(":confirm", AS_ANYONE, NULL);
    shop_expect_problem(401, "UNAUTHENTICATED");
    for (int i = 0; i < 2; i++) {
        shop_call_order(":confirm", AS_ADMIN, NULL);
        shop_expect_status(200);
        shop_expect_json("status", "CONFIRMED");
    }
    shop_call_order(":cancel", AS_ANYONE, "{\"customerId\":\"c-1\"}");
    shop_expect_problem(409, "ILLEGAL_TRANSITION");
    shop_call_order(":cancel", AS_ADMIN, NULL);
    shop_expect_status(200);
    shop_expect_json("status", "CANCELLED");
}

/* Who changes their mind may buy again; the old key stays the old order. */
static void contract_hold_cancelled_comes_back(void **state)
{
    (void)state;
    shop_make_sale("cancel",
                   &(struct shop_plan){.stock = 1, .limit = 1, .hold_seconds = HOLD_LONG});
    shop_place("c-1", "k-1", 1);
    shop_call_order(":cancel", AS_ANYONE, "{\"customerId\":\"c-2\"}");
    shop_expect_problem(404, "ORDER_NOT_FOUND");
    int64_t cancelled_ns = clock_monotonic_ns();
    for (int i = 0; i < 2; i++) {
        shop_call_order(":cancel", AS_ANYONE, "{\"customerId\":\"c-1\"}");
        shop_expect_status(200);
        shop_expect_json("status", "CANCELLED");
    }
    int64_t deadline_ns = clock_deadline_in_ms(PATIENCE_MS);
    for (shop_place("c-2", "k-1", 1); shop_answer()->status != 201; shop_place("c-2", "k-1", 1)) {
        shop_expect_problem(409, "SOLD_OUT");
        pause_between_attempts(deadline_ns);
    }
    assert_true(clock_monotonic_ns() - cancelled_ns >= LEASE_MS * CLOCK_NS_PER_MS);
    shop_place("c-1", "k-1", 1);
    shop_expect_status(201);
    shop_expect_json("status", "CANCELLED");
}

/* Nobody does anything, and the unit comes back all the same. */
static void contract_hold_runs_out(void **state)
{
    int64_t deadline_ns = clock_deadline_in_ms(PATIENCE_MS);
    char status[16];
    (void)state;

    shop_make_sale("expire", &(struct shop_plan){.stock = 2, .hold_seconds = 1});
    shop_place("c-1", "k-1", 2);
    shop_expect_status(201);
    for (;;) {
        shop_get_order("c-1");
        shop_expect_status(200);
        http_client_json(shop_answer(), "status", status, sizeof(status));
        if (strcmp(status, "EXPIRED") == 0) {
            break;
        }
        assert_string_equal(status, "RESERVED");
        pause_between_attempts(deadline_ns);
    }
    shop_call_order(":confirm", AS_ADMIN, NULL);
    shop_expect_problem(409, "ILLEGAL_TRANSITION");
    for (shop_place("c-2", "k-1", 2); shop_answer()->status != 201; shop_place("c-2", "k-1", 2)) {
        shop_expect_problem(409, "SOLD_OUT");
        pause_between_attempts(deadline_ns);
    }
}

/* --- Administration --------------------------------------------------------------------------- */

/* By number, in pages that stay whole, of one customer where one is named. */
static void contract_orders_are_listed_by_number(void **state)
{
    char token[128], suffix[256];
    (void)state;

    shop_make_sale("order-list", &(struct shop_plan){.stock = 9});
    shop_place("c-1", "k-1", 1);
    shop_place("c-2", "k-1", 1);
    shop_place("c-1", "k-2", 1);
    shop_call_sale("GET", "/orders", AS_ANYONE, NULL);
    shop_expect_problem(401, "UNAUTHENTICATED");
    shop_call_sale("GET", "/orders?pageSize=2", AS_ADMIN, NULL);
    shop_expect_status(200);
    shop_expect_json("orders.0.number", "1");
    shop_expect_json("orders.1.number", "2");
    shop_expect_json("orders.2", "");
    http_client_json(shop_answer(), "nextPageToken", token, sizeof(token));
    snprintf(suffix, sizeof(suffix), "/orders?pageSize=2&pageToken=%s", token);
    shop_call_sale("GET", suffix, AS_ADMIN, NULL);
    shop_expect_json("orders.0.number", "3");
    shop_expect_json("nextPageToken", "");
    shop_call_sale("GET", "/orders?customerId=c-2", AS_ADMIN, NULL);
    shop_expect_json("orders.0.number", "2");
    shop_expect_json("orders.1", "");
}

/* Units come once for a key, also to a sale that had sold out. */
static void contract_restock_is_done_once(void **state)
{
    int64_t deadline_ns = clock_deadline_in_ms(PATIENCE_MS);
    (void)state;

    shop_make_sale("restock", &(struct shop_plan){.stock = 1});
    shop_place("c-1", "k-1", 1);
    shop_call_sale("POST", ":restock", AS_ADMIN, "{\"quantity\":2}");
    shop_expect_problem(400, "IDEMPOTENCY_KEY_MISSING");
    shop_call_sale_once(":restock", "r-1", "{\"quantity\":2}");
    shop_expect_status(200);
    shop_expect_json("stockTotal", "3");
    shop_expect_header("idempotent-replayed", "");
    shop_call_sale_once(":restock", "r-1", "{\"quantity\":2}");
    shop_expect_json("stockTotal", "3");
    shop_expect_header("idempotent-replayed", "true");
    shop_call_sale_once(":restock", "r-1", "{\"quantity\":3}");
    shop_expect_problem(422, "IDEMPOTENCY_KEY_REUSED");
    for (shop_place("c-2", "k-1", 2); shop_answer()->status != 201; shop_place("c-2", "k-1", 2)) {
        shop_expect_problem(409, "SOLD_OUT");
        pause_between_attempts(deadline_ns);
    }
    shop_place("c-3", "k-1", 1);
    shop_expect_problem(409, "SOLD_OUT");
}

/* --- Requests that cannot be answered --------------------------------------------------------- */

/* Each mistake of a client has a reason of its own. */
static void contract_mistakes_have_their_reasons(void **state)
{
    static const char *const text[] = {"Content-Type: text/plain", "Idempotency-Key: k", NULL};
    static const char *const key[] = {"Idempotency-Key: k", NULL};
    static const char order[] = "{\"customerId\":\"c-1\",\"quantity\":1}";
    char path[128];
    (void)state;

    shop_make_sale("mistakes", &(struct shop_plan){.stock = 5});
    snprintf(path, sizeof(path), "/v1/sales/%s/orders", shop_sale_id());
    shop_call("POST", path, AS_ANYONE, NULL, order);
    shop_expect_problem(400, "IDEMPOTENCY_KEY_MISSING");
    shop_call("POST", path, AS_ANYONE, key, "{\"customerId\":");
    shop_expect_problem(400, "MALFORMED_JSON");
    shop_call("POST", path, AS_ANYONE, key, "{\"customerId\":\"c-1\",\"quantity\":0}");
    shop_expect_problem(400, "INVALID_FIELD");
    shop_expect_json("violations.0.field", "quantity");
    shop_call("POST", path, AS_ANYONE, key, "{\"customer\":\"c-1\",\"quantity\":1}");
    shop_expect_problem(400, "INVALID_FIELD");
    shop_call("POST", path, AS_ANYONE, text, order);
    shop_expect_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    shop_call("DELETE", path, AS_ANYONE, NULL, NULL);
    shop_expect_problem(405, "METHOD_NOT_ALLOWED");
    http_client_header(shop_answer(), "allow", path, sizeof(path));
    assert_non_null(strstr(path, "POST"));
    shop_call("GET", "/v1/nothing", AS_ANYONE, NULL, NULL);
    shop_expect_problem(404, "ROUTE_NOT_FOUND");
    shop_call("POST", "/v1/sales", AS_ANYONE, key, "{}");
    shop_expect_problem(401, "UNAUTHENTICATED");
}

/* Nobody's sale, and an order of nobody's. */
static void contract_what_is_not_there_is_not_found(void **state)
{
    static const char *const key[] = {"Idempotency-Key: k", NULL};
    (void)state;

    shop_call("GET", "/v1/sales/01a20442-f9ff-741c-82ac-b4b0aee23415", AS_ANYONE, NULL, NULL);
    shop_expect_problem(404, "SALE_NOT_FOUND");
    shop_call("POST", "/v1/sales/01a20442-f9ff-741c-82ac-b4b0aee23415/orders", AS_ANYONE, key,
              "{\"customerId\":\"c-1\",\"quantity\":1}");
    shop_expect_problem(404, "SALE_NOT_FOUND");
    shop_make_sale("not-found", &(struct shop_plan){.stock = 1});
    shop_call_sale("GET", "/orders/e0a5b318-ae63-8374-831f-4a9f1b3b5b24?customerId=c-1", AS_ANYONE,
                   NULL);
    shop_expect_problem(404, "ORDER_NOT_FOUND");
}

/* A body without an end costs the edge nothing. */
static void contract_large_body_is_refused(void **state)
{
    static const char *const key[] = {"Idempotency-Key: k", NULL};
    char *body = malloc(BODY_TOO_LARGE_BYTES + 1);
    char path[128];
    (void)state;

    assert_non_null(body);
    memset(body, ' ', BODY_TOO_LARGE_BYTES);
    body[BODY_TOO_LARGE_BYTES] = '\0';
    shop_make_sale("large", &(struct shop_plan){.stock = 1});
    snprintf(path, sizeof(path), "/v1/sales/%s/orders", shop_sale_id());
    shop_call("POST", path, AS_ANYONE, key, body);
    free(body);
    shop_expect_problem(413, "BODY_TOO_LARGE");
}

/* Who traces a request finds it again in the answer. */
static void contract_request_id_and_trace_come_back(void **state)
{
    static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    char header[128], value[128];
    (void)state;

    snprintf(header, sizeof(header), "traceparent: %s", trace);
    const char *headers[] = {"X-Request-Id: my-request", header, NULL};
    shop_call("GET", "/v1/sales?pageSize=1", AS_ANYONE, headers, NULL);
    shop_expect_header("x-request-id", "my-request");
    http_client_header(shop_answer(), "traceparent", value, sizeof(value));
    assert_memory_equal(value, trace, strlen("00-0af7651916cd43dd8448eb211c80319c"));
}

/* What probes and Prometheus ask, of both programs. */
static void contract_ops_listeners_answer(void **state)
{
    const struct target *target = *state;
    const char *const bases[] = {target->edge_ops_url, target->orders_ops_url};
    static const char *const paths[] = {"/livez", "/readyz", "/readyz?verbose", "/limits",
                                        "/metrics"};

    for (size_t i = 0; i < COUNT_OF(bases); i++) {
        for (size_t k = 0; k < COUNT_OF(paths); k++) {
            shop_get_url(bases[i], paths[k]);
            shop_expect_status(200);
        }
        assert_non_null(strstr(shop_answer()->body, "stampede_build_info"));
    }
}

int contract_suite_run(const struct target *target)
{
    struct target own = *target;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contract_created_sale_shows_every_field),
        cmocka_unit_test(contract_creation_repeated_is_the_same_sale),
        cmocka_unit_test(contract_etag_follows_version_and_state),
        cmocka_unit_test(contract_list_is_newest_first_in_pages),
        cmocka_unit_test(contract_update_changes_what_is_named),
        cmocka_unit_test(contract_order_is_placed_replayed_and_read),
        cmocka_unit_test(contract_key_reused_is_refused),
        cmocka_unit_test(contract_sold_out_refuses_and_still_replays),
        cmocka_unit_test(contract_limit_counts_units_of_a_customer),
        cmocka_unit_test(contract_scheduled_sale_is_not_started),
        cmocka_unit_test(contract_pause_resume_and_end),
        cmocka_unit_test(contract_hold_confirmed_is_sold),
        cmocka_unit_test(contract_hold_cancelled_comes_back),
        cmocka_unit_test(contract_hold_runs_out),
        cmocka_unit_test(contract_orders_are_listed_by_number),
        cmocka_unit_test(contract_restock_is_done_once),
        cmocka_unit_test(contract_mistakes_have_their_reasons),
        cmocka_unit_test(contract_what_is_not_there_is_not_found),
        cmocka_unit_test(contract_large_body_is_refused),
        cmocka_unit_test(contract_request_id_and_trace_come_back),
        cmocka_unit_test_prestate(contract_ops_listeners_answer, &own),
    };
    shop_open(&own);
    return cmocka_run_group_tests_name("contract", tests, NULL, NULL);
}
