/*
 * Two replicas of the orders service, each behind an edge of its own, sell one hot sale together:
 * buyers place, retry at the other edge, confirm, give back and let run out; an administrator adds
 * stock; and one replica is killed in the middle and comes back. Whatever each of them was told is
 * compared with the database afterwards.
 */
#include "support/stack.h"

#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* cmocka wants these first */
#include <cmocka.h>

#define PATIENCE_MS STACK_PATIENCE_MS
#define EDGES       2

#define STOCK         40
#define LIMIT         3
#define HOLD_SECONDS  1
#define CUSTOMERS     30
#define KEYS          60 /* of each customer */
#define BUYERS        6
#define RESTOCKS      12
#define RESTOCK_UNITS 3

/* The crowd's time before, and after, a replica is killed; more where the machine has less. */
#define HALF_MS    2500
#define RESTOCK_MS 250

#define SQL_BYTES 2048

/* stacks[0] is whole; stacks[1] is a second edge and a second replica on the same database. */
static struct stack stacks[EDGES];
static char sale_id[37];
static atomic_bool is_over;

/* What was told about one (customer, key), by whichever buyer asked. */
static struct told {
    char order_id[37]; /* of the first 201 */
    int quantity;
    unsigned placed, unknown, confirmed, cancelled;
    bool orders_differ;
} told[CUSTOMERS][KEYS];
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;

/* How often each HTTP status was answered to an order. */
static atomic_uint placements_of[600];

struct buyer {
    pthread_t thread;
    unsigned seed;
    struct http_answer answer;
};
static struct buyer buyers[BUYERS];

/* --- Two of everything ------------------------------------------------------------------------ */

static int set_up_group(void **state)
{
    (void)state;
    stack_start(&stacks[0]);
    stack_join(&stacks[1], &stacks[0]);
    stack_start_orders(&stacks[1]);
    stack_start_edge(&stacks[1]);
    stack_wait_ready(&stacks[1], PATIENCE_MS);
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    stack_leave(&stacks[1]);
    stack_stop(&stacks[0]);
    return 0;
}

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * CLOCK_NS_PER_MS},
              NULL);
}

static void make_sale(void)
{
    static struct http_answer answer;
    char body[512];
    const char *headers[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN, "Idempotency-Key: hot",
                             "Content-Type: application/json", NULL};
    snprintf(body, sizeof(body),
             "{\"sku\":\"sku\",\"title\":\"A hot sale\",\"unitPrice\":{\"currencyCode\":\"EUR\"},"
             "\"endTime\":\"2999-01-01T00:00:00Z\",\"stockTotal\":%d,\"perCustomerLimit\":%d,"
             "\"holdSeconds\":%d}",
             STOCK, LIMIT, HOLD_SECONDS);
    stack_call(&stacks[0], "POST", "/v1/sales", headers, body, &answer);
    stack_expect_status(&stacks[0], &answer, 201);
    http_client_json(&answer, "saleId", sale_id, sizeof(sale_id));
}

/* --- Buyers: on threads, where nothing may be asserted ---------------------------------------- */

static bool is_unknown(long status)
{
    return status == 504 || status == 0;
}

static void call_place(const struct stack *stack, int customer, int key, int quantity,
                       struct http_answer *ret)
{
    char path[96], key_header[64], body[96];
    const char *headers[] = {key_header, "Content-Type: application/json", NULL};
    snprintf(path, sizeof(path), "/v1/sales/%s/orders", sale_id);
    snprintf(key_header, sizeof(key_header), "Idempotency-Key: k-%d", key);
    snprintf(body, sizeof(body), "{\"customerId\":\"c-%d\",\"quantity\":%d}", customer, quantity);
    stack_call(stack, "POST", path, headers, body, ret);
}

/* Places and takes down what was told; true when it was 201 and the order is RESERVED. */
static bool place(const struct stack *stack, int customer, int key, struct http_answer *answer,
                  char ret_order_id[37])
{
    char status[16];
    struct told *about = &told[customer][key];
    int quantity = 1 + (customer + key) % 2;

    call_place(stack, customer, key, quantity, answer);
    atomic_fetch_add(
        &placements_of[answer->status >= 0 && answer->status < 600 ? answer->status : 599], 1);
    http_client_json(answer, "orderId", ret_order_id, 37);
    http_client_json(answer, "status", status, sizeof(status));
    pthread_mutex_lock(&told_lock);
    about->quantity = quantity;
    about->unknown += is_unknown(answer->status);
    if (answer->status == 201) {
        about->orders_differ |= about->placed > 0 && strcmp(about->order_id, ret_order_id) != 0;
        memcpy(about->order_id, ret_order_id, sizeof(about->order_id));
        about->placed++;
    }
    pthread_mutex_unlock(&told_lock);
    return answer->status == 201 && strcmp(status, "RESERVED") == 0;
}

static void confirm(const struct stack *stack, struct told *about, const char *order_id,
                    struct http_answer *answer)
{
    static const char *const headers[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN, NULL};
    char path[160];
    snprintf(path, sizeof(path), "/v1/sales/%s/orders/%s:confirm", sale_id, order_id);
    stack_call(stack, "POST", path, headers, NULL, answer);
    pthread_mutex_lock(&told_lock);
    about->confirmed += answer->status == 200;
    pthread_mutex_unlock(&told_lock);
}

static void cancel(const struct stack *stack, struct told *about, int customer,
                   const char *order_id, struct http_answer *answer)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    char path[160], body[64];
    snprintf(path, sizeof(path), "/v1/sales/%s/orders/%s:cancel", sale_id, order_id);
    snprintf(body, sizeof(body), "{\"customerId\":\"c-%d\"}", customer);
    stack_call(stack, "POST", path, headers, body, answer);
    pthread_mutex_lock(&told_lock);
    about->cancelled += answer->status == 200;
    pthread_mutex_unlock(&told_lock);
}

static void *buy(void *data)
{
    struct buyer *buyer = data;
    char order_id[37];

    while (!atomic_load(&is_over)) {
        int customer = rand_r(&buyer->seed) % CUSTOMERS, key = rand_r(&buyer->seed) % KEYS;
        int edge = rand_r(&buyer->seed) % EDGES, wish = rand_r(&buyer->seed) % 16;
        struct told *about = &told[customer][key];
        bool is_held = place(&stacks[edge], customer, key, &buyer->answer, order_id);
        if (wish < 3) { /* again, through the other edge and replica */
            place(&stacks[1 - edge], customer, key, &buyer->answer, order_id);
        } else if (is_held && wish == 3) {
            confirm(&stacks[1 - edge], about, order_id, &buyer->answer);
        } else if (is_held && wish < 12) {
            cancel(&stacks[1 - edge], about, customer, order_id, &buyer->answer);
        } /* else it runs out */
    }
    return NULL;
}

/* Adds stock with a key for each, at both edges, until both have said 200. */
static void *restock(void *data)
{
    char path[96], key_header[64], body[32];
    const char *headers[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN, key_header,
                             "Content-Type: application/json", NULL};
    struct http_answer *answer = data;

    snprintf(path, sizeof(path), "/v1/sales/%s:restock", sale_id);
    snprintf(body, sizeof(body), "{\"quantity\":%d}", RESTOCK_UNITS);
    for (int i = 0; i < RESTOCKS; i++) {
        snprintf(key_header, sizeof(key_header), "Idempotency-Key: restock-%d", i);
        for (int edge = 0; edge < EDGES; edge++) {
            int64_t deadline_ns = clock_deadline_in_ms(PATIENCE_MS);
            do {
                stack_call(&stacks[edge], "POST", path, headers, body, answer);
            } while (answer->status != 200 && clock_monotonic_ns() < deadline_ns);
        }
        sleep_ms(RESTOCK_MS);
    }
    return NULL;
}

/* --- The database ----------------------------------------------------------------------------- */

static long PRINTF_LIKE(1, 2) number_of(const char *format, ...)
{
    char sql[SQL_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sql, sizeof(sql), format, arguments);
    va_end(arguments);
    return stack_query_number(&stacks[0], sql);
}

/* The order of a (customer, key) as "STATUS", by the id that was told; else by nothing. */
static bool has_order(const char *order_id, const char *status)
{
    return number_of("SELECT count(*) FROM orders WHERE sale_id = '%s' AND order_id = '%s' "
                     "AND '%s' IN ('', status::text)",
                     sale_id, order_id, status) == 1;
}

static void check_one(int customer, int key)
{
    const struct told *about = &told[customer][key];

    if (about->placed == 0) {
        return;
    }
    if (about->orders_differ) {
        fail_msg("c-%d with k-%d was told of two orders", customer, key);
    }
    if (about->confirmed > 0 && about->cancelled > 0) {
        fail_msg("order %s was both confirmed and cancelled", about->order_id);
    }
    const char *status = about->confirmed > 0   ? "CONFIRMED"
                         : about->cancelled > 0 ? "CANCELLED"
                                                : "";
    if (!has_order(about->order_id, status)) {
        fail_msg("order %s of c-%d with k-%d was told, and is not there as told", about->order_id,
                 customer, key);
    }
}

/* Every 201 is an order as it was told, and every order a 201, but for those of whom it was said
 * that nobody knows. */
static void check_what_was_told(void)
{
    long placed = 0, unknown = 0;
    for (int customer = 0; customer < CUSTOMERS; customer++) {
        for (int key = 0; key < KEYS; key++) {
            check_one(customer, key);
            placed += told[customer][key].placed > 0;
            unknown += told[customer][key].placed == 0 && told[customer][key].unknown > 0;
        }
    }
    long orders = number_of("SELECT count(*) FROM orders WHERE sale_id = '%s'", sale_id);
    print_message("%ld orders, %ld told, %ld unknown; 201 %u, 409 %u, 503 %u, 504 %u\n", orders,
                  placed, unknown, placements_of[201], placements_of[409], placements_of[503],
                  placements_of[504]);
    assert_in_range(orders, placed, placed + unknown);
    for (size_t status = 0; status < COUNT_OF(placements_of); status++) {
        bool expected = status == 201 || status == 409 || status == 503 || status == 504;
        if (!expected && placements_of[status] > 0) {
            stack_fail(&stacks[0], "%u orders were answered %zu", placements_of[status], status);
        }
    }
}

/* One event for each version. */
static void check_events(void)
{
    assert_int_equal(number_of("SELECT abs((SELECT version FROM sales WHERE sale_id = '%s') - "
                               "count(*)) + abs(min(sequence) - 1) + abs(max(sequence) - count(*)) "
                               "FROM order_events WHERE sale_id = '%s'",
                               sale_id, sale_id),
                     0);
}

/* They tell of every order's placing once, and of its last status last. */
static void check_events_of_orders(void)
{
    assert_int_equal(
        number_of("WITH told AS ("
                  "SELECT sequence, number, placed_status AS status, true AS is_placed "
                  "FROM order_events, generate_series(placed_from, placed_from + placed_count - 1) "
                  "AS number WHERE sale_id = '%s' AND placed_count > 0 UNION ALL "
                  "SELECT sequence, changed.number, changed.status, false FROM order_events, "
                  "unnest(changed_numbers, changed_statuses) AS changed (number, status) "
                  "WHERE sale_id = '%s'), last AS ("
                  "SELECT number, count(*) FILTER (WHERE is_placed) AS placed, "
                  "(array_agg(status ORDER BY sequence DESC))[1] AS status FROM told "
                  "GROUP BY number) "
                  "SELECT count(*) FROM (SELECT * FROM orders WHERE sale_id = '%s') AS o "
                  "FULL JOIN last USING (number) "
                  "WHERE o.status IS DISTINCT FROM last.status OR last.placed <> 1",
                  sale_id, sale_id, sale_id),
        0);
}

/* --- The test --------------------------------------------------------------------------------- */

/* Of the (customer, key)s, those that have an order. */
static long count_placed(void)
{
    long placed = 0;
    pthread_mutex_lock(&told_lock);
    for (int customer = 0; customer < CUSTOMERS; customer++) {
        for (int key = 0; key < KEYS; key++) {
            placed += told[customer][key].placed > 0;
        }
    }
    pthread_mutex_unlock(&told_lock);
    return placed;
}

/* Lets the crowd buy for its time, and until it has so many orders. */
static void let_buy(long orders)
{
    sleep_ms(HALF_MS);
    struct stack_wait wait = stack_wait_for(&stacks[0], "the crowd to buy enough");
    while (count_placed() < orders) {
        stack_wait_on(&wait, 20);
    }
}

static void kill_and_revive(struct stack *stack)
{
    stack_kill_orders(stack);
    sleep_ms(300);
    stack_start_orders(stack);
    stack_wait_ready(stack, PATIENCE_MS);
}

/* What is held, on its way back or for sale. */
static long count_unsold(void)
{
    return number_of("SELECT (SELECT count(*) FROM orders WHERE sale_id = '%s' AND "
                     "status = 'RESERVED') + stock_returning + stock_remaining FROM sales "
                     "WHERE sale_id = '%s'",
                     sale_id, sale_id);
}

/* Sells unit by unit, at one edge and the other, until all units are: each exactly once. A hold
 * that runs out before it is confirmed, on a slow machine, comes back and is sold to somebody else.
 */
static void sell_the_rest(void)
{
    static struct http_answer answer;
    struct told late = {0};
    char customer[32], order_id[37];
    struct stack_wait wait = stack_wait_for(&stacks[0], "all units to be sold");

    for (long i = 0; count_unsold() > 0; i++) {
        const struct stack *stack = &stacks[i % EDGES];
        stack_wait_on(&wait, 0);
        snprintf(customer, sizeof(customer), "late-%ld", i);
        stack_place(stack, sale_id, customer, "k", &answer);
        if (answer.status == 201) {
            http_client_json(&answer, "orderId", order_id, sizeof(order_id));
            confirm(stack, &late, order_id, &answer);
        } else { /* what is held runs out, what returns matures */
            stack_expect_status(stack, &answer, 409);
            sleep_ms(20);
        }
    }
    for (size_t i = 0; i < EDGES; i++) {
        stack_place(&stacks[i], sale_id, "too-late", "k", &answer);
        stack_expect_status(&stacks[i], &answer, 409);
    }
    assert_int_equal(number_of("SELECT sum(quantity) FROM orders WHERE sale_id = '%s' AND status "
                               "= 'CONFIRMED'",
                               sale_id),
                     STOCK + RESTOCKS * RESTOCK_UNITS);
}

/* Two replicas, two edges, one sale, and a kill -9 in the middle: the invariants of one. */
static void replicas_of_one_hot_sale_keep_every_promise(void **state)
{
    static struct http_answer restock_answer;
    pthread_t restocker;
    (void)state;

    make_sale();
    for (int i = 0; i < BUYERS; i++) {
        buyers[i].seed = (unsigned)i + 1;
        assert_int_equal(pthread_create(&buyers[i].thread, NULL, buy, &buyers[i]), 0);
    }
    assert_int_equal(pthread_create(&restocker, NULL, restock, &restock_answer), 0);
    let_buy(STOCK / 4);
    kill_and_revive(&stacks[1]);
    let_buy(STOCK + 1); /* units came back and were sold again */
    atomic_store(&is_over, true);
    for (int i = 0; i < BUYERS; i++) {
        assert_int_equal(pthread_join(buyers[i].thread, NULL), 0);
    }
    assert_int_equal(pthread_join(restocker, NULL), 0);
    check_what_was_told();
    assert_int_equal(number_of("SELECT stock_total FROM sales WHERE sale_id = '%s'", sale_id),
                     STOCK + RESTOCKS * RESTOCK_UNITS);
    sell_the_rest();
    check_events();
    check_events_of_orders();
    stack_audit(&stacks[0]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicas_of_one_hot_sale_keep_every_promise),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
