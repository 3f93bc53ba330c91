/*
 * Placed, refused or unknown, over the real wire: the orders service loses calls, dies, answers
 * late or nonsense, and the edge must never tell a customer what it cannot know.
 */
#include "base/check.h"
#include "base/clock.h"
#include "edge_process.h"
#include "fake_orders.h"
#include "raw_http.h"
#include "support/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define CROWD       40
#define PATIENCE_MS 60000
#define HASTY_MS    6000

struct scene {
    struct fake_orders fake;
    struct edge_process edge, hasty; /* hasty has the shortest time for a request */
    struct http_answer answer;
};

/* One loop has one call of a sale in flight at most: as many as the scripts of crowds hold. */
static const char *const settings[] = {"EDGE_REQUEST_TIMEOUT_MS=120000",
                                       "EDGE_MAX_BODY_BYTES=1048576", "EDGE_LOOPS=1", NULL};
static const char *const hasty_settings[] = {"EDGE_REQUEST_TIMEOUT_MS=6000", NULL};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    fake_orders_start(&scene->fake);
    edge_process_start(&scene->edge, scene->fake.port, settings);
    edge_process_start(&scene->hasty, scene->fake.port, hasty_settings);
    edge_process_wait_ready(&scene->edge, true);
    edge_process_wait_ready(&scene->hasty, true);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    edge_process_stop(&scene->edge);
    edge_process_stop(&scene->hasty);
    fake_orders_stop(&scene->fake);
    free(scene);
    return 0;
}

static long retry_after(const struct http_answer *answer)
{
    char text[32];
    http_client_header(answer, "Retry-After", text, sizeof(text));
    return strtol(text, NULL, 10);
}

/* Places with this script; asserts the answer and how many calls it took. */
static void assert_outcome(struct scene *scene, const enum fake_step *steps, size_t count,
                           long status, const char *reason, unsigned calls)
{
    fake_orders_script(&scene->fake, steps, count);
    edge_process_place(&scene->edge, "k", &scene->answer);
    edge_process_assert(&scene->answer, status, reason);
    assert_int_equal(fake_orders_seen(&scene->fake).calls, calls);
    assert_string_equal(fake_orders_seen(&scene->fake).key, "k");
}

#define ASSERT_OUTCOME(scene, status, reason, calls, ...)                                          \
    assert_outcome((scene), (const enum fake_step[]){__VA_ARGS__},                                 \
                   COUNT_OF(((const enum fake_step[]){__VA_ARGS__})), (status), (reason), (calls))

/* What is proven is told at once. */
static void attempts_proven_outcomes_are_told(void **state)
{
    struct scene *scene = *state;
    char header[32];
    ASSERT_OUTCOME(scene, 201, NULL, 1, FAKE_PLACED);
    ASSERT_OUTCOME(scene, 409, "SOLD_OUT", 1, FAKE_SOLD_OUT);
    ASSERT_OUTCOME(scene, 503, "OVERLOADED", 1, FAKE_OVERLOADED);
    assert_true(retry_after(&scene->answer) >= 1);
    ASSERT_OUTCOME(scene, 201, NULL, 1, FAKE_REPLAYED);
    http_client_header(&scene->answer, "Idempotent-Replayed", header, sizeof(header));
    assert_string_equal(header, "true");
}

/* Rule A1: no proof, so the same order is sent again, whatever form the silence took. */
static void attempts_lost_then_placed_is_placed(void **state)
{
    struct scene *scene = *state;
    ASSERT_OUTCOME(scene, 201, NULL, 2, FAKE_LOST, FAKE_PLACED);
    ASSERT_OUTCOME(scene, 201, NULL, 3, FAKE_LOST, FAKE_LOST, FAKE_REPLAYED);
    ASSERT_OUTCOME(scene, 201, NULL, 2, FAKE_ITEM_UNKNOWN, FAKE_PLACED);
    ASSERT_OUTCOME(scene, 201, NULL, 2, FAKE_ITEM_EMPTY, FAKE_PLACED);
    ASSERT_OUTCOME(scene, 201, NULL, 2, FAKE_WRONG_COUNT, FAKE_PLACED);
    ASSERT_OUTCOME(scene, 201, NULL, 3, FAKE_LOST, FAKE_OVERLOADED, FAKE_PLACED);
}

/* Rule A2: the lost copy may still be placed, so a refusal is not passed on. */
static void attempts_lost_then_sold_out_is_unknown(void **state)
{
    struct scene *scene = *state;
    ASSERT_OUTCOME(scene, 504, "OUTCOME_UNKNOWN", 2, FAKE_LOST, FAKE_SOLD_OUT);
    assert_true(retry_after(&scene->answer) >= 7);
    ASSERT_OUTCOME(scene, 504, "OUTCOME_UNKNOWN", 2, FAKE_WRONG_COUNT, FAKE_SOLD_OUT);
}

/* A replica that drains costs its orders a pause, not their place. */
static void attempts_draining_then_placed_is_placed(void **state)
{
    struct scene *scene = *state;
    ASSERT_OUTCOME(scene, 201, NULL, 3, FAKE_DRAINING, FAKE_DRAINING, FAKE_PLACED);
    ASSERT_OUTCOME(scene, 503, "DRAINING", 4, FAKE_DRAINING);
}

/* A process that dies in the middle of a call leaves it without a proof; its successor knows. */
static void attempts_service_dies_in_the_middle_and_comes_back(void **state)
{
    static const enum fake_step held[] = {FAKE_HELD, FAKE_PLACED};
    struct scene *scene = *state;
    struct edge_placing placing;
    fake_orders_script(&scene->fake, held, COUNT_OF(held));
    edge_process_begin_place(&placing, &scene->edge, "k-dies");
    fake_orders_wait_held(&scene->fake, 1);
    fake_orders_kill(&scene->fake);
    fake_orders_restart(&scene->fake);
    struct http_answer *answer = edge_process_end_place(&placing);
    edge_process_assert(answer, 201, NULL);
    assert_string_equal(fake_orders_seen(&scene->fake).key, "k-dies");
    free(answer);
}

/* The same without a successor: at the deadline nobody knows. */
static void attempts_service_dies_for_good_is_unknown(void **state)
{
    static const enum fake_step held[] = {FAKE_HELD, FAKE_PLACED};
    struct scene *scene = *state;
    struct edge_placing placing;
    fake_orders_script(&scene->fake, held, COUNT_OF(held));
    edge_process_wait_ready(&scene->hasty, true); /* else it is refused before it is sent */
    edge_process_begin_place(&placing, &scene->hasty, "k");
    fake_orders_wait_held(&scene->fake, 1);
    fake_orders_kill(&scene->fake);
    edge_process_wait_ready(&scene->hasty, false);
    /* What was never sent is surely not placed, and is told so at once. */
    edge_process_place(&scene->hasty, "other", &scene->answer);
    edge_process_assert(&scene->answer, 503, "OVERLOADED");
    struct http_answer *answer = edge_process_end_place(&placing);
    edge_process_assert(answer, 504, "OUTCOME_UNKNOWN");
    assert_true(retry_after(answer) >= 7);
    free(answer);
    fake_orders_restart(&scene->fake);
    edge_process_wait_ready(&scene->hasty, true);
    edge_process_wait_ready(&scene->edge, true);
    ASSERT_OUTCOME(scene, 201, NULL, 1, FAKE_PLACED);
}

/* Rule D2: HTTP is answered in its own time, the call is left alone, its late result is dropped. */
static void attempts_late_service_is_unknown_and_its_call_goes_on(void **state)
{
    static const enum fake_step held[] = {FAKE_HELD, FAKE_PLACED};
    struct scene *scene = *state;
    struct edge_placing placing;
    fake_orders_script(&scene->fake, held, COUNT_OF(held));
    int64_t began_ns = clock_monotonic_ns();
    edge_process_begin_place(&placing, &scene->hasty, "k-late");
    fake_orders_wait_held(&scene->fake, 1);
    struct http_answer *answer = edge_process_end_place(&placing);
    int64_t took_ms = (clock_monotonic_ns() - began_ns) / CLOCK_NS_PER_MS;
    edge_process_assert(answer, 504, "OUTCOME_UNKNOWN");
    assert_true(took_ms >= HASTY_MS - 100); /* and the call is held still: nobody waited for it */
    free(answer);
    (void)fake_orders_release(&scene->fake);
    ASSERT_OUTCOME(scene, 201, NULL, 1, FAKE_PLACED);
}

/* A customer who closes the browser must not take the edge down when the result comes. */
static void attempts_client_that_left_is_forgotten(void **state)
{
    static const enum fake_step held[] = {FAKE_HELD, FAKE_PLACED};
    static const char request[] = "POST " EDGE_ORDERS " HTTP/1.1\r\nHost: a\r\n"
                                  "Content-Type: application/json\r\nIdempotency-Key: left\r\n"
                                  "Content-Length: 33\r\n\r\n"
                                  "{\"customerId\":\"c-1\",\"quantity\":2}";
    struct scene *scene = *state;
    fake_orders_script(&scene->fake, held, COUNT_OF(held));
    int fd = raw_http_connect(scene->edge.http_port);
    raw_http_send(fd, request);
    fake_orders_wait_held(&scene->fake, 1);
    (void)close(fd);
    /* A connection whose request is being served is not read, so there is nothing to see until the
     * answer is written: the call has to outlast a pause, and the answer the writing. */
    const struct timespec pause = {.tv_nsec = 300 * 1000000};
    (void)nanosleep(&pause, NULL);
    assert_false(fake_orders_held_is_cancelled(&scene->fake));
    assert_int_equal(fake_orders_release(&scene->fake), 1);
    edge_process_await_metric(&scene->edge, "stampede_connections", 0);
    ASSERT_OUTCOME(scene, 201, NULL, 1, FAKE_PLACED);
}

/* A client may say at once that it will send no more, or send its next request: it has to get its
 * answers all the same, in order. */
static void attempts_client_that_goes_on_early_is_answered(void **state)
{
    static const enum fake_step held[] = {FAKE_HELD, FAKE_PLACED};
    static const char request[] = "POST " EDGE_ORDERS " HTTP/1.1\r\nHost: a\r\n"
                                  "Content-Type: application/json\r\nIdempotency-Key: early\r\n"
                                  "Content-Length: 33\r\n\r\n"
                                  "{\"customerId\":\"c-1\",\"quantity\":2}";
    struct scene *scene = *state;
    char answer[4096];
    fake_orders_script(&scene->fake, held, COUNT_OF(held));
    int fd = raw_http_connect(scene->edge.http_port);
    raw_http_send(fd, request);
    fake_orders_wait_held(&scene->fake, 1);
    raw_http_send(fd, "GET /v1/sales/" EDGE_SALE " HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(fake_orders_release(&scene->fake), 1);
    assert_true(raw_http_read_all(fd, answer, sizeof(answer)) > 0);
    const char *first = strstr(answer, "HTTP/1.1 201 ");
    const char *second = strstr(answer, "\"version\":\"7\"");
    assert_true(first != NULL && second != NULL && first < second);
    (void)close(fd);
}

/* Everybody has arrived: who is not in a call that is held waits for one to return. */
static void wait_for_crowd(struct scene *scene)
{
    struct patience patience = patience_of_ms(PATIENCE_MS);
    fake_orders_wait_held(&scene->fake, 1);
    while (fake_orders_seen(&scene->fake).items +
               edge_process_metric(&scene->edge, "stampede_waiting_orders") !=
           CROWD) {
        const struct timespec pause = {.tv_nsec = 5 * 1000000};
        assert_false(patience_is_over(&patience));
        (void)nanosleep(&pause, NULL);
    }
}

/* Natural batching: what arrives while calls are in flight leaves together in one. */
static void attempts_crowd_is_combined(void **state)
{
    static const enum fake_step held[] = {FAKE_HELD, FAKE_PLACED};
    struct scene *scene = *state;
    static struct edge_placing placings[CROWD];
    fake_orders_script(&scene->fake, held, COUNT_OF(held));
    for (size_t i = 0; i < CROWD; i++) {
        edge_process_begin_place(&placings[i], &scene->edge, "k");
    }
    wait_for_crowd(scene);
    (void)fake_orders_release(&scene->fake);
    for (size_t i = 0; i < CROWD; i++) {
        struct http_answer *answer = edge_process_end_place(&placings[i]);
        edge_process_assert(answer, 201, NULL);
        free(answer);
    }
    struct fake_seen seen = fake_orders_seen(&scene->fake);
    assert_int_equal(seen.items, CROWD);
    assert_true(seen.calls < CROWD / 2);
    assert_true(seen.items_max > 4);
}

/* The items of a sold-out verdict carry the same error; each customer gets all of it. */
static void attempts_crowd_is_refused_in_full(void **state)
{
    static const enum fake_step steps[] = {FAKE_HELD, FAKE_SOLD_OUT};
    struct scene *scene = *state;
    static struct edge_placing placings[CROWD];
    unsigned refused = 0;
    char detail[64];
    fake_orders_script(&scene->fake, steps, COUNT_OF(steps));
    for (size_t i = 0; i < CROWD; i++) {
        edge_process_begin_place(&placings[i], &scene->edge, "k");
    }
    wait_for_crowd(scene);
    (void)fake_orders_release(&scene->fake);
    for (size_t i = 0; i < CROWD; i++) {
        struct http_answer *answer = edge_process_end_place(&placings[i]);
        if (answer->status != 201) {
            edge_process_assert(answer, 409, "SOLD_OUT");
            http_client_json(answer, "detail", detail, sizeof(detail));
            assert_string_equal(detail, "as the script says");
            refused++;
        }
        free(answer);
    }
    assert_true(refused > 4);
}

/* A message that gRPC refuses for its length would be refused again: nobody may wait for it. */
static void attempts_message_too_long_is_not_sent_for_ever(void **state)
{
    struct scene *scene = *state;
    ASSERT_OUTCOME(scene, 504, "OUTCOME_UNKNOWN", 1, FAKE_TOO_LONG, FAKE_PLACED);
    fake_orders_script(&scene->fake, (const enum fake_step[]){FAKE_TOO_LONG}, 1);
    edge_process_call(&scene->edge, "POST", "/v1/sales/" EDGE_SALE ":pause", NULL, "",
                      &scene->answer);
    edge_process_assert(&scene->answer, 504, "OUTCOME_UNKNOWN");
    assert_int_equal(fake_orders_seen(&scene->fake).reads, 1);
}

/* One customer's long name must not make everybody's call too long: it never leaves the edge. */
static void attempts_long_customer_is_refused_here(void **state)
{
    static const char *const headers[] = {"Content-Type: application/json", "Idempotency-Key: k",
                                          NULL};
    static const size_t lengths[] = {64, 65, 15000};
    static char body[16000];
    static char customer[15001];
    struct scene *scene = *state;
    char field[64];
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        fake_orders_script(&scene->fake, (const enum fake_step[]){FAKE_PLACED}, 1);
        memset(customer, 'c', lengths[i]);
        customer[lengths[i]] = '\0';
        (void)snprintf(body, sizeof(body), "{\"customerId\":\"%s\",\"quantity\":1}", customer);
        edge_process_call(&scene->edge, "POST", EDGE_ORDERS, headers, body, &scene->answer);
        if (lengths[i] <= 64) {
            edge_process_assert(&scene->answer, 201, NULL);
            continue;
        }
        edge_process_assert(&scene->answer, 400, "INVALID_FIELD");
        http_client_json(&scene->answer, "violations.0.field", field, sizeof(field));
        assert_string_equal(field, "customerId");
        assert_int_equal(fake_orders_seen(&scene->fake).calls, 0);
    }
}

/* A body that is just allowed, with a key beside it, is a message that the service cannot take. */
static void attempts_message_longer_than_the_service_takes_is_refused_here(void **state)
{
    static char body[1024 * 1024 + 1];
    static char key[300] = "Idempotency-Key: ";
    const char *const headers[] = {"Content-Type: application/json", key, "Expect:", NULL};
    struct scene *scene = *state;
    memset(key + strlen(key), 'k', 255);
    memset(body, 't', sizeof(body) - 1);
    memcpy(body, "{\"title\":\"", 10);
    memcpy(body + sizeof(body) - 3, "\"}", 2);
    edge_process_call(&scene->edge, "POST", "/v1/sales", headers, body, &scene->answer);
    edge_process_assert(&scene->answer, 413, "BODY_TOO_LARGE");
}

/* A read is tried once more; a write that is safe to repeat until it is known. */
static void attempts_single_calls_follow_the_same_rules(void **state)
{
    static const enum fake_step once[] = {FAKE_LOST, FAKE_PLACED};
    static const enum fake_step twice[] = {FAKE_LOST, FAKE_LOST, FAKE_LOST, FAKE_PLACED};
    struct scene *scene = *state;
    fake_orders_script(&scene->fake, once, COUNT_OF(once));
    edge_process_call(&scene->edge, "GET", "/v1/sales/" EDGE_SALE, NULL, NULL, &scene->answer);
    edge_process_assert(&scene->answer, 200, NULL);
    fake_orders_script(&scene->fake, twice, COUNT_OF(twice));
    edge_process_call(&scene->edge, "GET", "/v1/sales/" EDGE_SALE, NULL, NULL, &scene->answer);
    edge_process_assert(&scene->answer, 503, "OVERLOADED");
    assert_int_equal(fake_orders_seen(&scene->fake).reads, 2);
    fake_orders_script(&scene->fake, twice, COUNT_OF(twice));
    edge_process_call(&scene->edge, "POST", "/v1/sales/" EDGE_SALE ":pause", NULL, "",
                      &scene->answer);
    edge_process_assert(&scene->answer, 200, NULL);
    assert_int_equal(fake_orders_seen(&scene->fake).reads, 4);
}

/* The edge starts before the service it needs, says so, and begins by itself. */
static void attempts_edge_starts_before_its_service(void **state)
{
    struct scene *scene = *state;
    struct edge_process early;
    fake_orders_kill(&scene->fake);
    edge_process_start(&early, scene->fake.port, settings);
    edge_process_wait_ready(&early, false);
    edge_process_place(&early, "k", &scene->answer);
    edge_process_assert(&scene->answer, 503, "OVERLOADED");
    fake_orders_restart(&scene->fake);
    edge_process_wait_ready(&early, true);
    edge_process_place(&early, "k", &scene->answer);
    edge_process_assert(&scene->answer, 201, NULL);
    edge_process_stop(&early);
    edge_process_wait_ready(&scene->edge, true);
    edge_process_wait_ready(&scene->hasty, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_proven_outcomes_are_told),
        cmocka_unit_test(attempts_lost_then_placed_is_placed),
        cmocka_unit_test(attempts_lost_then_sold_out_is_unknown),
        cmocka_unit_test(attempts_draining_then_placed_is_placed),
        cmocka_unit_test(attempts_service_dies_in_the_middle_and_comes_back),
        cmocka_unit_test(attempts_service_dies_for_good_is_unknown),
        cmocka_unit_test(attempts_late_service_is_unknown_and_its_call_goes_on),
        cmocka_unit_test(attempts_client_that_left_is_forgotten),
        cmocka_unit_test(attempts_client_that_goes_on_early_is_answered),
        cmocka_unit_test(attempts_crowd_is_combined),
        cmocka_unit_test(attempts_crowd_is_refused_in_full),
        cmocka_unit_test(attempts_message_too_long_is_not_sent_for_ever),
        cmocka_unit_test(attempts_long_customer_is_refused_here),
        cmocka_unit_test(attempts_message_longer_than_the_service_takes_is_refused_here),
        cmocka_unit_test(attempts_single_calls_follow_the_same_rules),
        cmocka_unit_test(attempts_edge_starts_before_its_service),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
