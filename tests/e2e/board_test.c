/*
 * Sold out at the edge, on the whole system: two edges, each with its own replica of the orders
 * service, on one database. What an edge refuses by itself must be true, whatever stands still in
 * between: no refused order exists.
 */
#include "support/stack.h"

#include "base/clock.h"

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* cmocka wants these first */
#include <cmocka.h>

#define PATIENCE_MS  60000
#define STOCK        20
#define HOLD_SECONDS 600
#define FREEZE_MS    2000
#define REFUSALS_MAX 100000
#define SQL_BYTES    (8 * 1024 * 1024)
#define EDGES        2
/* Orders that a sale had before the test: enough for a filter to be begun ahead of the sell-out. */
#define ORDERS_BEFORE 105000

/* stacks[0] is whole; stacks[1] is a second edge and a second replica on the same database. */
static struct stack stacks[EDGES];
static char sale_id[37];
static unsigned keys_used;

/* Every 409 SOLD_OUT or SALE_NOT_STARTED of a test: whose it was, and when it was asked for. */
static struct {
    pthread_mutex_t lock;
    struct {
        unsigned key;
        int64_t sent_us;
    } items[REFUSALS_MAX];
    size_t count;
} refusals = {.lock = PTHREAD_MUTEX_INITIALIZER};

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
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * CLOCK_NS_PER_MS},
                    NULL);
}

/* A row of /metrics; 0 while there is none. */
static long metric_of(int ops_port, const char *series)
{
    struct http_answer *answer = malloc(sizeof(*answer));
    char url[64], line[160];
    assert_non_null(answer);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/metrics", ops_port);
    (void)snprintf(line, sizeof(line), "\n%s ", series);
    http_client_call(&(struct http_call){.url = url}, answer);
    assert_int_equal(answer->status, 200);
    const char *at = strstr(answer->body, line);
    long value = at == NULL ? 0 : strtol(at + strlen(line), NULL, 10);
    free(answer);
    return value;
}

static long refused_by_edge(unsigned edge, const char *reason)
{
    char series[128];
    (void)snprintf(series, sizeof(series), "stampede_board_refused_total{reason=\"%s\"}", reason);
    return metric_of(stacks[edge].edge_ops_port, series);
}

static long refused_by_orders(const char *outcome)
{
    char series[128];
    (void)snprintf(series, sizeof(series), "stampede_orders_total{outcome=\"%s\"}", outcome);
    return metric_of(stacks[0].orders_ops_port, series) +
           metric_of(stacks[1].orders_ops_port, series);
}

/* --- Sales and orders ------------------------------------------------------------------------- */

static void write_time(int64_t wall_us, char *ret_text, size_t bytes)
{
    struct tm utc;
    char seconds[32];
    time_t time = wall_us / 1000000;
    (void)gmtime_r(&time, &utc);
    (void)strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(ret_text, bytes, "%s.%06dZ", seconds, (int)(wall_us % 1000000));
}

static void make_sale(int hold_seconds, int64_t start_us)
{
    static unsigned sales;
    struct http_answer *answer = malloc(sizeof(*answer));
    char key[64], body[640], start[48], end[48];
    assert_non_null(answer);
    write_time(start_us, start, sizeof(start));
    write_time(start_us + INT64_C(3600) * 1000000, end, sizeof(end));
    (void)snprintf(key, sizeof(key), "Idempotency-Key: board-%u", sales++);
    (void)snprintf(body, sizeof(body),
                   "{\"sku\":\"sku\",\"title\":\"A sale\",\"unitPrice\":{\"currencyCode\":\"EUR\","
                   "\"amountMinor\":\"1999\"},\"startTime\":\"%s\",\"endTime\":\"%s\","
                   "\"stockTotal\":%d,\"perCustomerLimit\":0,\"holdSeconds\":%d}",
                   start, end, STOCK, hold_seconds);
    const char *headers[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN, key,
                             "Content-Type: application/json", NULL};
    stack_call(&stacks[0], "POST", "/v1/sales", headers, body, answer);
    if (answer->status != 201) {
        fail_msg("creating a sale: %ld %s", answer->status, answer->body);
    }
    http_client_json(answer, "saleId", sale_id, sizeof(sale_id));
    free(answer);
    refusals.count = 0;
}

struct attempt {
    long status;
    char reason[32], order_id[37], detail[128], type[64], title[64], instance[128], replayed[8];
};

static void note_refusal(unsigned key, int64_t sent_us)
{
    (void)pthread_mutex_lock(&refusals.lock);
    assert_true(refusals.count < REFUSALS_MAX);
    refusals.items[refusals.count].key = key;
    refusals.items[refusals.count].sent_us = sent_us;
    refusals.count++;
    (void)pthread_mutex_unlock(&refusals.lock);
}

/* One order of a customer of its own. Any thread. */
static struct attempt place(unsigned edge, unsigned key)
{
    struct attempt attempt = {.status = 0};
    struct http_answer *answer = malloc(sizeof(*answer));
    char customer[32], key_text[32];
    assert_non_null(answer);
    (void)snprintf(customer, sizeof(customer), "c-%u", key);
    (void)snprintf(key_text, sizeof(key_text), "k-%u", key);
    int64_t sent_us = clock_wall_us();
    stack_place(&stacks[edge], sale_id, customer, key_text, answer);
    attempt.status = answer->status;
    http_client_json(answer, "reason", attempt.reason, sizeof(attempt.reason));
    http_client_json(answer, "orderId", attempt.order_id, sizeof(attempt.order_id));
    http_client_json(answer, "detail", attempt.detail, sizeof(attempt.detail));
    http_client_json(answer, "type", attempt.type, sizeof(attempt.type));
    http_client_json(answer, "title", attempt.title, sizeof(attempt.title));
    http_client_json(answer, "instance", attempt.instance, sizeof(attempt.instance));
    http_client_header(answer, "Idempotent-Replayed", attempt.replayed, sizeof(attempt.replayed));
    if (answer->status == 409) {
        note_refusal(key, sent_us);
    }
    free(answer);
    return attempt;
}

static bool is_definite(long status)
{
    return status != 503 && status != 504;
}

/* The same, again until there is an answer: a machine with other work misses the database's bounds,
 * and whoever is told so asks again with the same key. */
static struct attempt place_surely(unsigned edge, unsigned key)
{
    struct stack_wait wait = stack_wait_for(&stacks[edge], "an order to be decided");
    struct attempt attempt = place(edge, key);
    while (!is_definite(attempt.status)) {
        stack_wait_on(&wait, 100);
        attempt = place(edge, key);
    }
    return attempt;
}

static void cancel(unsigned edge, unsigned key, const char *order_id)
{
    struct stack_wait wait = stack_wait_for(&stacks[edge], "a hold to be given back");
    struct http_answer *answer = malloc(sizeof(*answer));
    char path[160], body[64];
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    assert_non_null(answer);
    (void)snprintf(path, sizeof(path), "/v1/sales/%s/orders/%s:cancel", sale_id, order_id);
    (void)snprintf(body, sizeof(body), "{\"customerId\":\"c-%u\"}", key);
    stack_call(&stacks[edge], "POST", path, headers, body, answer);
    while (!is_definite(answer->status)) {
        stack_wait_on(&wait, 100);
        stack_call(&stacks[edge], "POST", path, headers, body, answer);
    }
    stack_expect_status(&stacks[edge], answer, 200);
    free(answer);
}

/* The orders that fill a sale. */
struct sold {
    unsigned first_key;
    char order_ids[STOCK][37];
};

static struct sold sell_everything(void)
{
    struct sold sold = {.first_key = keys_used};
    for (unsigned i = 0; i < STOCK; i++) {
        struct attempt attempt = place_surely(i % EDGES, keys_used++);
        assert_int_equal(attempt.status, 201);
        memcpy(sold.order_ids[i], attempt.order_id, sizeof(sold.order_ids[i]));
    }
    return sold;
}

/* Tries new orders at an edge until it refuses one by itself; asserts that none is placed. */
static struct attempt wait_until_refused_by(unsigned edge, const char *reason)
{
    struct stack_wait wait = stack_wait_for(&stacks[edge], reason);
    struct attempt attempt;
    long before;
    do {
        stack_wait_on(&wait, 0);
        before = refused_by_edge(edge, reason);
        attempt = place_surely(edge, keys_used++);
        assert_int_equal(attempt.status, 409);
        assert_string_equal(attempt.reason, reason);
    } while (refused_by_edge(edge, reason) == before);
    return attempt;
}

/* Tries new orders at both edges in turn until one is placed; its key. */
static unsigned wait_until_one_is_placed(struct attempt *ret)
{
    struct stack_wait wait = stack_wait_for(&stacks[0], "a unit that came back to be sold");
    for (unsigned i = 0;; i++) {
        unsigned key = keys_used++;
        *ret = place_surely(i % EDGES, key);
        if (ret->status == 201) {
            return key;
        }
        assert_int_equal(ret->status, 409);
        stack_wait_on(&wait, 5);
    }
}

/* --- What must hold after each test ----------------------------------------------------------- */

static long lies(void)
{
    char *sql = malloc(SQL_BYTES);
    size_t length = 0;
    assert_non_null(sql);
    length += (size_t)snprintf(sql, SQL_BYTES, "SELECT count(*) FROM (VALUES ('', 0::bigint)");
    for (size_t i = 0; i < refusals.count; i++) {
        length += (size_t)snprintf(sql + length, SQL_BYTES - length, ",('c-%u',%" PRId64 ")",
                                   refusals.items[i].key, refusals.items[i].sent_us);
        assert_true(length < SQL_BYTES - 1024);
    }
    (void)snprintf(sql + length, SQL_BYTES - length,
                   ") AS refused (customer, sent_us) JOIN orders ON sale_id = '%s' AND "
                   "customer_id = refused.customer AND "
                   "create_time < to_timestamp(0) + refused.sent_us * interval '1 microsecond'",
                   sale_id);
    long count = stack_query_number(&stacks[0], sql);
    free(sql);
    return count;
}

/* No order that was refused existed when it was asked for, and nothing was sold twice. */
static void assert_no_refused_order_exists(void)
{
    print_message("%zu refusals compared\n", refusals.count);
    assert_int_equal(lies(), 0);
    stack_audit(&stacks[0]);
}

static long held_units(void)
{
    char sql[192];
    (void)snprintf(sql, sizeof(sql),
                   "SELECT coalesce(sum(quantity), 0) FROM orders WHERE sale_id = '%s' AND "
                   "status IN ('RESERVED', 'CONFIRMED')",
                   sale_id);
    return stack_query_number(&stacks[0], sql);
}

/* --- Tests ------------------------------------------------------------------------------------ */

/* Refusals of a sold-out sale are the hot path: they must cost the orders service nothing, and read
 * like its own. */
static void board_sold_out_sale_is_refused_by_every_edge(void **state)
{
    (void)state;
    make_sale(HOLD_SECONDS, clock_wall_us());
    (void)sell_everything();
    struct attempt by_orders = place_surely(0, keys_used++);
    int64_t sold_out_ns = clock_monotonic_ns();
    for (unsigned edge = 0; edge < EDGES; edge++) {
        struct attempt by_edge = wait_until_refused_by(edge, "SOLD_OUT");
        print_message("edge %u refuses %" PRId64 " ms after the last unit\n", edge,
                      (clock_monotonic_ns() - sold_out_ns) / CLOCK_NS_PER_MS);
        assert_string_equal(by_edge.reason, by_orders.reason);
        assert_string_equal(by_edge.detail, by_orders.detail);
        assert_string_equal(by_edge.type, by_orders.type);
        assert_string_equal(by_edge.title, by_orders.title);
        assert_string_equal(by_edge.instance, by_orders.instance);
    }
    long edge_before = refused_by_edge(0, "SOLD_OUT");
    long orders_before = refused_by_orders("SOLD_OUT");
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(place_surely(0, keys_used++).status, 409);
    }
    long by_edge = refused_by_edge(0, "SOLD_OUT") - edge_before;
    long forwarded = refused_by_orders("SOLD_OUT") - orders_before;
    print_message("of 200 the edge refused %ld and orders %ld\n", by_edge, forwarded);
    assert_int_equal(by_edge + forwarded, 200);
    assert_true(by_edge > forwarded);
    assert_no_refused_order_exists();
}

/* Whoever was placed and lost the reply gets the order, through any edge, long after. */
static void board_placed_orders_are_replayed_after_sell_out(void **state)
{
    (void)state;
    make_sale(HOLD_SECONDS, clock_wall_us());
    struct sold sold = sell_everything();
    for (unsigned edge = 0; edge < EDGES; edge++) {
        (void)wait_until_refused_by(edge, "SOLD_OUT");
        for (unsigned i = 0; i < STOCK; i++) {
            struct attempt attempt = place_surely(edge, sold.first_key + i);
            assert_int_equal(attempt.status, 201);
            assert_string_equal(attempt.replayed, "true");
            assert_string_equal(attempt.order_id, sold.order_ids[i]);
        }
    }
    assert_no_refused_order_exists();
}

/* A cancelled unit is sold again, once, while both edges refuse as hard as they can; who got it is
 * never refused at the other edge. */
static void board_returned_unit_is_sold_once_more(void **state)
{
    enum { CYCLES = 6 };
    (void)state;
    make_sale(HOLD_SECONDS, clock_wall_us());
    struct sold sold = sell_everything();
    for (unsigned i = 0; i < CYCLES; i++) {
        struct attempt attempt;
        (void)wait_until_refused_by(i % EDGES, "SOLD_OUT");
        cancel(i % EDGES, sold.first_key + i, sold.order_ids[i]);
        int64_t cancelled_ns = clock_monotonic_ns();
        unsigned key = wait_until_one_is_placed(&attempt);
        print_message("sold again after %" PRId64 " ms\n",
                      (clock_monotonic_ns() - cancelled_ns) / CLOCK_NS_PER_MS);
        for (unsigned edge = 0; edge < EDGES; edge++) {
            struct attempt again = place_surely(edge, key);
            assert_int_equal(again.status, 201);
            assert_string_equal(again.order_id, attempt.order_id);
        }
        assert_int_equal(held_units(), STOCK);
    }
    assert_no_refused_order_exists();
}

/* Holds that nobody pays for come back by themselves. */
static void board_expired_unit_is_sold_once_more(void **state)
{
    (void)state;
    make_sale(2, clock_wall_us());
    (void)sell_everything();
    for (unsigned i = 0; i < STOCK; i++) {
        struct attempt attempt;
        unsigned key = wait_until_one_is_placed(&attempt);
        assert_int_equal(place_surely(i % EDGES, key).status, 201);
        assert_true(held_units() <= STOCK);
    }
    assert_no_refused_order_exists();
}

/* --- A sale that sold for long -----------------------------------------------------------------
 */

/* As if so many customers before-1, before-2, ... had bought one unit each, with keys of these
 * names. Their ids are made here as libs/base/order_id.c makes them: a replay finds its order. */
static void add_orders_before(void)
{
    static const char sql[] =
        "WITH given AS ("
        " SELECT '%s'::uuid AS sale, %d AS orders"
        "), moved AS ("
        " UPDATE sales SET stock_total = stock_total + orders, orders_count = orders,"
        "  version = version + 1 FROM given WHERE sale_id = sale RETURNING version"
        "), told AS ("
        " INSERT INTO order_events (sale_id, sequence, event_time, placed_from, placed_count,"
        "  placed_status)"
        " SELECT sale, version, clock_timestamp(), 1, orders, 'CONFIRMED' FROM given, moved"
        "), named AS ("
        " SELECT sale, number, 'before-' || number AS name"
        " FROM given, generate_series(1, orders) AS number"
        "), digested AS ("
        " SELECT *, substring(sha256('\\x01' || uuid_send(sale)"
        "   || set_byte('\\x00', 0, length(name)) || convert_to(name, 'UTF8')"
        "   || set_byte('\\x0000', 1, length(name)) || convert_to(name, 'UTF8')) FOR 16) AS digest"
        " FROM named"
        "), placed AS ("
        " INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, status)"
        " SELECT sale, encode(set_byte(set_byte(digest, 6, get_byte(digest, 6) & 15 | 128),"
        "   8, get_byte(digest, 8) & 63 | 128), 'hex')::uuid, number, name, 1, 'CONFIRMED'"
        " FROM digested RETURNING 1"
        ") SELECT count(*) FROM placed";
    char text[sizeof(sql) + 128];
    (void)snprintf(text, sizeof(text), sql, sale_id, ORDERS_BEFORE);
    assert_int_equal(stack_query_number(&stacks[0], text), ORDERS_BEFORE);
}

/* One of those customers asks again: the order exists, whoever answers. */
static void assert_replayed(unsigned edge, unsigned number)
{
    struct http_answer *answer = malloc(sizeof(*answer));
    char name[32], replayed[8];
    assert_non_null(answer);
    (void)snprintf(name, sizeof(name), "before-%u", number);
    stack_place(&stacks[edge], sale_id, name, name, answer);
    if (answer->status != 201) {
        fail_msg("%s at edge %u: %ld %s", name, edge, answer->status, answer->body);
    }
    http_client_header(answer, "Idempotent-Replayed", replayed, sizeof(replayed));
    assert_string_equal(replayed, "true");
    free(answer);
}

/* While the sale still sells each replica begins its filter: edges ask for it as long as somebody
 * places. */
static void wait_until_begun_ahead(void)
{
    static const char series[] = "stampede_board_filter_bytes";
    struct stack_wait wait = stack_wait_for(&stacks[0], "filters to be begun");
    long before[EDGES];
    for (unsigned i = 0; i < EDGES; i++) {
        before[i] = metric_of(stacks[i].orders_ops_port, series);
    }
    add_orders_before();
    for (unsigned i = 0; i < EDGES;) {
        stack_wait_on(&wait, 0);
        for (unsigned edge = 0; edge < EDGES; edge++) {
            assert_replayed(edge, 1 + keys_used++ % ORDERS_BEFORE);
        }
        i += metric_of(stacks[i].orders_ops_port, series) > before[i] ? 1 : 0;
    }
}

/* A filter that is put together partly before the sell-out and partly after lacks nobody: not the
 * early ones, not those who bought at the last moment. */
static void board_filter_begun_ahead_refuses_no_order(void **state)
{
    (void)state;
    make_sale(HOLD_SECONDS, clock_wall_us());
    wait_until_begun_ahead();
    struct sold sold = sell_everything();
    for (unsigned edge = 0; edge < EDGES; edge++) {
        (void)wait_until_refused_by(edge, "SOLD_OUT");
        for (unsigned number = 1; number <= ORDERS_BEFORE; number += 499) {
            assert_replayed(edge, number);
        }
        for (unsigned i = 0; i < STOCK; i++) {
            struct attempt attempt = place_surely(edge, sold.first_key + i);
            assert_int_equal(attempt.status, 201);
            assert_string_equal(attempt.order_id, sold.order_ids[i]);
        }
    }
    assert_no_refused_order_exists();
}

/* --- Standing still --------------------------------------------------------------------------- */

struct late_attempt {
    pthread_t thread;
    unsigned edge, key;
    struct attempt attempt;
};

static void *place_late(void *data)
{
    struct late_attempt *late = data;
    late->attempt = place(late->edge, late->key);
    return NULL;
}

static void begin_late(struct late_attempt *late, unsigned edge, unsigned key)
{
    *late = (struct late_attempt){.edge = edge, .key = key};
    assert_int_equal(pthread_create(&late->thread, NULL, place_late, late), 0);
}

/* Returns a unit and sells it, through the second edge alone; its key. */
static unsigned resell(const struct sold *sold, unsigned index, struct attempt *ret)
{
    struct stack_wait wait = stack_wait_for(&stacks[1], "a unit that came back to be sold");
    cancel(1, sold->first_key + index, sold->order_ids[index]);
    for (;;) {
        unsigned key = keys_used++;
        *ret = place_surely(1, key);
        if (ret->status == 201) {
            return key;
        }
        assert_int_equal(ret->status, 409);
        stack_wait_on(&wait, 5);
    }
}

/* While process stands still a unit returns and is sold; who bought it asks at the first edge
 * meanwhile and afterwards, and is not refused. */
static void check_freeze(const struct process *process, struct sold *sold, unsigned index)
{
    struct late_attempt late;
    struct attempt attempt;
    int64_t frozen_ns = clock_monotonic_ns();
    (void)wait_until_refused_by(0, "SOLD_OUT");
    (void)wait_until_refused_by(1, "SOLD_OUT");
    process_signal(process, SIGSTOP);
    unsigned key = resell(sold, index, &attempt);
    begin_late(&late, 0, key);
    while (clock_monotonic_ns() < frozen_ns + FREEZE_MS * CLOCK_NS_PER_MS) {
        sleep_ms(10);
    }
    process_signal(process, SIGCONT);
    /* What orders could not say for certain is asked again; it is never refused. */
    for (unsigned i = 0; i < 50; i++) {
        struct attempt again = place(0, key);
        assert_int_not_equal(again.status, 409);
        if (again.status == 201) {
            assert_string_equal(again.order_id, attempt.order_id);
        }
    }
    assert_int_equal(pthread_join(late.thread, NULL), 0);
    assert_int_not_equal(late.attempt.status, 409);
    assert_int_equal(held_units(), STOCK);
}

static void board_edge_that_stood_still_refuses_nothing_that_exists(void **state)
{
    (void)state;
    make_sale(HOLD_SECONDS, clock_wall_us());
    struct sold sold = sell_everything();
    for (unsigned i = 0; i < 3; i++) {
        check_freeze(&stacks[0].edge, &sold, i);
    }
    assert_no_refused_order_exists();
}

static void board_replica_that_stood_still_tells_nothing_old(void **state)
{
    (void)state;
    make_sale(HOLD_SECONDS, clock_wall_us());
    struct sold sold = sell_everything();
    for (unsigned i = 0; i < 3; i++) {
        check_freeze(&stacks[0].orders, &sold, i);
    }
    assert_no_refused_order_exists();
}

/* --- A crowd ---------------------------------------------------------------------------------- */

#define CROWD 6

struct member {
    pthread_t thread;
    unsigned number;
    int64_t until_ns;
    unsigned placed, refused, liars;
};

/* Each order is tried at one edge and, when it was refused, at the other; once it is placed, both
 * must know it. */
static void *try_on(void *data)
{
    struct member *member = data;
    for (unsigned i = 0; clock_monotonic_ns() < member->until_ns; i++) {
        unsigned key = (member->number + 1) * 1000000 + i;
        struct attempt first = place(member->number % EDGES, key);
        struct attempt second = place((member->number + 1) % EDGES, key);
        bool is_placed = first.status == 201 || second.status == 201;
        member->placed += is_placed;
        member->refused += first.status == 409;
        member->liars += first.status == 201 && second.status == 409;
        if (is_placed) {
            member->liars += place(member->number % EDGES, key).status == 409;
        }
        sleep_ms(5);
    }
    return NULL;
}

/* Returns and placements everywhere at once. */
static void board_crowd_at_both_edges_is_told_the_truth(void **state)
{
    struct member members[CROWD];
    unsigned placed = 0;
    (void)state;
    make_sale(HOLD_SECONDS, clock_wall_us());
    struct sold sold = sell_everything();
    int64_t until_ns = clock_deadline_in_ms(15000);
    for (unsigned i = 0; i < CROWD; i++) {
        members[i] = (struct member){.number = i, .until_ns = until_ns};
        assert_int_equal(pthread_create(&members[i].thread, NULL, try_on, &members[i]), 0);
    }
    for (unsigned i = 0; i < 10; i++) {
        sleep_ms(1000);
        cancel(i % EDGES, sold.first_key + i, sold.order_ids[i]);
    }
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(pthread_join(members[i].thread, NULL), 0);
        placed += members[i].placed;
        assert_int_equal(members[i].liars, 0);
    }
    print_message("%u of 10 returned units sold again\n", placed);
    assert_true(placed <= 10);
    assert_true(held_units() <= STOCK);
    assert_no_refused_order_exists();
}

/* --- Opening ---------------------------------------------------------------------------------- */

/* The crowd before the doors is turned away at the edge; they open by the database's clock. */
static void board_sale_that_is_not_open_opens_on_time(void **state)
{
    char sql[192];
    struct attempt attempt;
    (void)state;
    int64_t start_us = clock_wall_us() + 10000000;
    make_sale(HOLD_SECONDS, start_us);
    (void)wait_until_refused_by(0, "SALE_NOT_STARTED");
    do {
        attempt = place_surely(0, keys_used++);
        if (attempt.status == 409) {
            assert_string_equal(attempt.reason, "SALE_NOT_STARTED");
        }
        sleep_ms(5);
    } while (attempt.status == 409 && clock_wall_us() < start_us + PATIENCE_MS * 1000);
    assert_int_equal(attempt.status, 201);
    (void)snprintf(sql, sizeof(sql),
                   "SELECT extract(epoch FROM min(o.create_time) - s.start_time) * 1000 "
                   "FROM orders o JOIN sales s USING (sale_id) WHERE sale_id = '%s' "
                   "GROUP BY s.start_time",
                   sale_id);
    long late_ms = stack_query_number(&stacks[0], sql);
    print_message("the first order came %ld ms after the opening\n", late_ms);
    assert_true(late_ms >= 0 && late_ms < PATIENCE_MS);
    assert_no_refused_order_exists();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(board_sold_out_sale_is_refused_by_every_edge),
        cmocka_unit_test(board_placed_orders_are_replayed_after_sell_out),
        cmocka_unit_test(board_returned_unit_is_sold_once_more),
        cmocka_unit_test(board_expired_unit_is_sold_once_more),
        cmocka_unit_test(board_filter_begun_ahead_refuses_no_order),
        cmocka_unit_test(board_edge_that_stood_still_refuses_nothing_that_exists),
        cmocka_unit_test(board_replica_that_stood_still_tells_nothing_old),
        cmocka_unit_test(board_crowd_at_both_edges_is_told_the_truth),
        cmocka_unit_test(board_sale_that_is_not_open_opens_on_time),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
