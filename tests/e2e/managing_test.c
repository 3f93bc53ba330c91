/* What an administrator does to a running sale over real HTTP, and what is said when nobody knows.
 */
#include "told_stack.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

static char sale_id[37];

static const char *const admin_headers[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN, NULL};
static const char *const admin_json[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN,
                                         "Content-Type: application/json", NULL};

static void expect_replayed(const char *expected)
{
    char value[16];
    http_client_header(&told_stack.answer, "idempotent-replayed", value, sizeof(value));
    if (strcmp(value, expected) != 0) {
        stack_fail(&told_stack.stack, "replayed \"%s\" instead of \"%s\": %s", value, expected,
                   told_stack.answer.body);
    }
}

static void call_sale(const char *method, const char *suffix, const char *const *headers,
                      const char *body)
{
    char path[128];
    snprintf(path, sizeof(path), "/v1/sales/%s%s", sale_id, suffix);
    stack_call(&told_stack.stack, method, path, headers, body, &told_stack.answer);
}

static void place(const char *customer, const char *key)
{
    stack_place(&told_stack.stack, sale_id, customer, key, &told_stack.answer);
}

static void restock(const char *key, const char *body)
{
    char key_header[64];
    const char *headers[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN,
                             "Content-Type: application/json", key_header, NULL};
    snprintf(key_header, sizeof(key_header), "Idempotency-Key: %s", key);
    call_sale("POST", ":restock", headers, body);
}

/* --- Pause, resume, end ---------------------------------------------------------------------- */

/* With the path alone, as curl -X POST sends it, and with an empty object all the same. */
static void managing_pause_resume_and_end(void **state)
{
    (void)state;
    stack_make_sale(&told_stack.stack, "pause", 5, 0, sale_id);
    call_sale("POST", ":pause", NULL, NULL);
    told_stack_expect_refusal(401, "UNAUTHENTICATED");
    call_sale("POST", ":pause", admin_headers, NULL);
    told_stack_expect_status(200);
    told_stack_expect_json("saleId", sale_id);
    told_stack_expect_json("state", "PAUSED");
    place("a", "1");
    told_stack_expect_refusal(409, "SALE_PAUSED");
    call_sale("POST", ":pause", admin_json, "{}");
    told_stack_expect_status(200);
    told_stack_expect_json("version", "2");
    call_sale("POST", ":resume", admin_json, "{}");
    told_stack_expect_status(200);
    told_stack_expect_json("state", "LIVE");
    place("a", "1");
    told_stack_expect_status(201);
    call_sale("POST", ":end", admin_headers, NULL);
    told_stack_expect_status(200);
    told_stack_expect_json("state", "ENDED");
    place("b", "1");
    told_stack_expect_refusal(409, "SALE_ENDED");
    call_sale("POST", ":resume", admin_headers, NULL);
    told_stack_expect_refusal(409, "SALE_ENDED");
    call_sale("POST", ":pause", admin_json, "{\"reason\":\"why\"}");
    told_stack_expect_refusal(400, "INVALID_FIELD");
    call_sale("GET", ":pause", admin_headers, NULL);
    assert_true(told_stack.answer.status == 400 || told_stack.answer.status == 404 ||
                told_stack.answer.status == 405);
}

/* --- Update ---------------------------------------------------------------------------------- */

/* Wrapped fields are plain JSON values; null and absence both mean that a field stays. */
static void managing_update_sets_what_is_there(void **state)
{
    (void)state;
    stack_make_sale(&told_stack.stack, "update", 5, 1, sale_id);
    place("a", "1");
    told_stack_expect_status(201);
    place("a", "2");
    told_stack_expect_refusal(409, "CUSTOMER_LIMIT_REACHED");
    call_sale("PATCH", "", admin_json,
              "{\"title\":\"Zweites Paar\",\"endTime\":null,\"perCustomerLimit\":null}");
    told_stack_expect_status(200);
    told_stack_expect_json("title", "Zweites Paar");
    told_stack_expect_json("perCustomerLimit", "1");
    call_sale("PATCH", "", admin_json,
              "{\"per_customer_limit\":2,\"endTime\":\"2999-01-01T00:00:00+01:00\"}");
    told_stack_expect_status(200);
    told_stack_expect_json("title", "Zweites Paar");
    told_stack_expect_json("perCustomerLimit", "2");
    told_stack_expect_json("endTime", "2998-12-31T23:00:00Z");
    place("a", "2");
    told_stack_expect_status(201);
    call_sale("PATCH", "", admin_json, "{\"perCustomerLimit\":0}");
    told_stack_expect_status(200);
    told_stack_expect_json("perCustomerLimit", "0");
    place("a", "3");
    told_stack_expect_status(201);
}

static void managing_update_refuses_by_field(void **state)
{
    static const struct {
        const char *body, *field;
    } rows[] = {
        {"{\"title\":\"\"}", "title"},
        {"{\"endTime\":\"2001-01-01T00:00:00Z\"}", "endTime"},
        {"{\"perCustomerLimit\":-1}", "perCustomerLimit"},
        {"{\"perCustomerLimit\":{\"value\":1}}", "perCustomerLimit"},
        {"{\"title\":7}", "title"},
        {"{\"stockTotal\":7}", "stockTotal"},
        {"{\"saleId\":\"x\"}", "saleId"},
    };
    (void)state;

    stack_make_sale(&told_stack.stack, "update-bad", 5, 1, sale_id);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        call_sale("PATCH", "", admin_json, rows[i].body);
        told_stack_expect_refusal(400, "INVALID_FIELD");
        told_stack_expect_json("violations.0.field", rows[i].field);
    }
    call_sale("PATCH", "", admin_json, "{\"title\":");
    told_stack_expect_refusal(400, "MALFORMED_JSON");
    call_sale("PATCH", "", NULL, NULL);
    told_stack_expect_refusal(401, "UNAUTHENTICATED");
    call_sale("GET", "", NULL, NULL);
    told_stack_expect_json("version", "1");
}

/* --- Restock --------------------------------------------------------------------------------- */

/* The units come once for a key, also to a sale that had sold out, and all of them can be sold. */
static void managing_restock_is_done_once(void **state)
{
    (void)state;

    stack_make_sale(&told_stack.stack, "restock", 1, 0, sale_id);
    call_sale("POST", ":restock", admin_json, "{\"quantity\":2}");
    told_stack_expect_refusal(400, "IDEMPOTENCY_KEY_MISSING");
    place("a", "1");
    told_stack_expect_status(201);
    restock("r-1", "{\"quantity\":2}");
    told_stack_expect_status(200);
    told_stack_expect_json("saleId", sale_id);
    told_stack_expect_json("stockTotal", "3");
    expect_replayed("");
    for (int i = 0; i < 2; i++) {
        restock("\"r-1\"", "{\"quantity\":2}");
        told_stack_expect_status(200);
        told_stack_expect_json("stockTotal", "3");
        expect_replayed("true");
    }
    restock("r-1", "{\"quantity\":3}");
    told_stack_expect_refusal(422, "IDEMPOTENCY_KEY_REUSED");
    restock("r-2", "{\"quantity\":0}");
    told_stack_expect_refusal(400, "INVALID_FIELD");
    struct stack_wait wait = stack_wait_for(&told_stack.stack, "the new units");
    do {
        place("b", "1");
        stack_wait_on(&wait, 0);
    } while (told_stack.answer.status == 409);
    told_stack_expect_status(201);
    place("c", "1");
    told_stack_expect_status(201);
    place("d", "1");
    told_stack_expect_refusal(409, "SOLD_OUT");
}

/* --- When nobody knows ------------------------------------------------------------------------ */

/* A call that is made while the test does something else. */
struct aside {
    pthread_t thread;
    char path[160];
    const char *headers[4];
    const char *body;
    struct http_answer answer;
    atomic_bool is_answered;
};

static void *call_aside(void *data)
{
    struct aside *aside = data;
    stack_call(&told_stack.stack, "POST", aside->path, aside->headers, aside->body, &aside->answer);
    atomic_store(&aside->is_answered, true);
    return NULL;
}

static void start_aside(struct aside *aside, const char *key_header, const char *body)
{
    const char *headers[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN,
                             "Content-Type: application/json", key_header, NULL};
    memcpy(aside->headers, headers, sizeof(headers));
    aside->body = body;
    atomic_store(&aside->is_answered, false);
    assert_int_equal(pthread_create(&aside->thread, NULL, call_aside, aside), 0);
}

/* Keeps the sale's row locked until its connection is told to stop. */
static void *hold_lock(void *data)
{
    char sql[160];
    (void)data;
    snprintf(
        sql, sizeof(sql),
        "BEGIN; SELECT sale_id FROM sales WHERE sale_id = '%s' FOR UPDATE; SELECT pg_sleep(600)",
        sale_id);
    (void)!scratch_postgres_execute(told_stack.stack.postgres.admin_url, sql);
    return NULL;
}

static void wait_for(const char *sql, long at_least)
{
    struct stack_wait wait = stack_wait_for(&told_stack.stack, sql);
    while (stack_query_number(&told_stack.stack, sql) < at_least) {
        stack_wait_on(&wait, 10);
    }
}

/* How many calls the edge has sent that are not answered. */
static long calls_in_flight(void)
{
    return stack_metric(&told_stack.stack, told_stack.stack.edge_ops_port, "stampede_unary_calls");
}

#define LOCKERS                                                                                    \
    "FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"

static void expect_unknown(struct aside *aside)
{
    char retry_after[16];
    pthread_join(aside->thread, NULL);
    told_stack.answer = aside->answer;
    told_stack_expect_refusal(504, "OUTCOME_UNKNOWN");
    http_client_header(&told_stack.answer, "retry-after", retry_after, sizeof(retry_after));
    assert_true(strtol(retry_after, NULL, 10) >= 1);
}

static struct aside confirming, restocking, pausing;

static bool is_any_answered(void)
{
    return atomic_load(&confirming.is_answered) || atomic_load(&restocking.is_answered) ||
           atomic_load(&pausing.is_answered);
}

/* Calls for all three and stops orders in the middle of it. False when one of them was refused for
 * the lock before that, which is as if it had never been called for. */
static bool begin_and_freeze(void)
{
    start_aside(&confirming, NULL, NULL);
    start_aside(&restocking, "Idempotency-Key: r-1", "{\"quantity\":2}");
    start_aside(&pausing, NULL, "{}");
    wait_for("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", 1);
    process_freeze(&told_stack.stack.orders);
    struct stack_wait wait = stack_wait_for(&told_stack.stack, "the calls to be sent");
    while (calls_in_flight() < 3 && !is_any_answered()) {
        stack_wait_on(&wait, 10);
    }
    if (!is_any_answered()) {
        return true;
    }
    process_signal(&told_stack.stack.orders, SIGCONT);
    pthread_join(confirming.thread, NULL);
    pthread_join(restocking.thread, NULL);
    pthread_join(pausing.thread, NULL);
    return false;
}

/* Orders dies with the calls in its hands: perhaps they were done, so nobody may be told that they
 * were not; and asking again with the same key does each once. */
static void managing_cut_off_is_unknown_and_done_once_when_repeated(void **state)
{
    char order_id[37];
    pthread_t locker;
    (void)state;

    stack_make_sale(&told_stack.stack, "unknown", 5, 0, sale_id);
    place("a", "1");
    http_client_json(&told_stack.answer, "orderId", order_id, sizeof(order_id));
    assert_int_equal(pthread_create(&locker, NULL, hold_lock, NULL), 0);
    wait_for("SELECT count(*) " LOCKERS " AND wait_event = 'PgSleep'", 1);
    snprintf(confirming.path, sizeof(confirming.path), "/v1/sales/%s/orders/%s:confirm", sale_id,
             order_id);
    snprintf(restocking.path, sizeof(restocking.path), "/v1/sales/%s:restock", sale_id);
    snprintf(pausing.path, sizeof(pausing.path), "/v1/sales/%s:pause", sale_id);
    struct stack_wait wait = stack_wait_for(&told_stack.stack, "all three at once");
    while (!begin_and_freeze()) {
        stack_wait_on(&wait, 0);
    }
    stack_kill_orders(&told_stack.stack);
    expect_unknown(&confirming);
    expect_unknown(&restocking);
    expect_unknown(&pausing);

    stack_query_number(&told_stack.stack, "SELECT count(pg_terminate_backend(pid)) " LOCKERS);
    pthread_join(locker, NULL);
    stack_start_orders(&told_stack.stack);
    stack_wait_ready(&told_stack.stack, STACK_PATIENCE_MS);
    call_sale("POST", ":pause", admin_headers, NULL);
    told_stack_expect_status(200);
    told_stack_expect_json("state", "PAUSED");
    for (int i = 0; i < 2; i++) {
        restock("r-1", "{\"quantity\":2}");
        told_stack_expect_status(200);
        told_stack_expect_json("stockTotal", "7");
    }
    stack_call(&told_stack.stack, "POST", confirming.path, admin_headers, NULL, &told_stack.answer);
    told_stack_expect_status(200);
    told_stack_expect_json("status", "CONFIRMED");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(managing_pause_resume_and_end, told_stack_audit),
        cmocka_unit_test_teardown(managing_update_sets_what_is_there, told_stack_audit),
        cmocka_unit_test_teardown(managing_update_refuses_by_field, told_stack_audit),
        cmocka_unit_test_teardown(managing_restock_is_done_once, told_stack_audit),
        cmocka_unit_test_teardown(managing_cut_off_is_unknown_and_done_once_when_repeated,
                                  told_stack_audit),
    };
    return cmocka_run_group_tests(tests, told_stack_set_up, told_stack_tear_down);
}
