/*
 * Reads that wait together share a call, over the real wire: each client still gets an answer of
 * its own, and nobody gets one that was read before the request came.
 */
#include "base/check.h"
#include "base/clock.h"
#include "edge_process.h"
#include "fake_orders.h"
#include "support/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define PAGE        "/v1/sales/" EDGE_SALE
#define CROWD       24
#define PATIENCE_MS 60000
#define HASTY_MS    6000
#define TRIES       10

struct scene {
    struct fake_orders fake;
    struct edge_process edge;
    struct http_answer answer;
};

/* A client on a thread of its own. */
struct reader {
    const struct edge_process *edge;
    const char *headers[4];
    struct http_answer *answer;
    pthread_t thread;
};

static const char *const settings[] = {"EDGE_REQUEST_TIMEOUT_MS=120000", "EDGE_LOOPS=1", NULL};
static const char *const hasty_settings[] = {"EDGE_REQUEST_TIMEOUT_MS=6000", "EDGE_LOOPS=1", NULL};
static const enum fake_step held[] = {FAKE_HELD};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    fake_orders_start(&scene->fake);
    edge_process_start(&scene->edge, scene->fake.port, settings);
    edge_process_wait_ready(&scene->edge, true);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    edge_process_stop(&scene->edge);
    fake_orders_stop(&scene->fake);
    free(scene);
    return 0;
}

static void sleep_ms(long ms)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = ms * CLOCK_NS_PER_MS}, NULL);
}

static void *read_page(void *data)
{
    const struct reader *reader = data;
    edge_process_call(reader->edge, "GET", PAGE, reader->headers, NULL, reader->answer);
    return NULL;
}

static void begin_read_at(struct reader *reader, const struct edge_process *edge,
                          const char *header)
{
    *reader = (struct reader){
        .edge = edge, .headers = {header}, .answer = calloc(1, sizeof(struct http_answer))};
    assert_non_null(reader->answer);
    assert_int_equal(pthread_create(&reader->thread, NULL, read_page, reader), 0);
}

static void begin_read(struct reader *reader, const struct scene *scene, const char *header)
{
    begin_read_at(reader, &scene->edge, header);
}

static void end_read(struct reader *reader)
{
    assert_int_equal(pthread_join(reader->thread, NULL), 0);
}

/* What a gauge of /metrics says now. */
static long gauge(const struct scene *scene, const char *name)
{
    return edge_process_metric(&scene->edge, name);
}

static void wait_for_reads(struct scene *scene, long reads)
{
    edge_process_await_metric(&scene->edge, "stampede_waiting_reads", reads);
}

/* Releases what is held until nobody waits any more. */
static void release_all(struct scene *scene)
{
    struct patience patience = patience_of_ms(PATIENCE_MS);
    do {
        (void)fake_orders_release(&scene->fake);
        assert_false(patience_is_over(&patience));
    } while (gauge(scene, "stampede_waiting_reads") > 0);
}

static void assert_version(const struct http_answer *answer, const char *version)
{
    char found[32];
    edge_process_assert(answer, 200, NULL);
    http_client_json(answer, "version", found, sizeof(found));
    assert_string_equal(found, version);
}

static void assert_header(const struct http_answer *answer, const char *name, const char *value)
{
    char found[64];
    http_client_header(answer, name, found, sizeof(found));
    assert_string_equal(found, value);
}

/* Calls that a crowd may take: the first, the one for all who came during it, and one more each
 * time that a machine so slow lets one be overtaken. */
static unsigned calls_allowed(int64_t began_ns)
{
    return 2 + (unsigned)((clock_monotonic_ns() - began_ns) / (450 * CLOCK_NS_PER_MS));
}

/* What it is for: a crowd on one page costs two calls, and everyone gets an answer with the own
 * request id; the call has that of the first who waits for it. */
static void reads_of_many_clients_share_a_call(void **state)
{
    struct scene *scene = *state;
    struct reader readers[CROWD];
    char names[CROWD][40];
    char name[40];
    fake_orders_script(&scene->fake, held, COUNT_OF(held));
    int64_t began_ns = clock_monotonic_ns();
    for (int i = 0; i < CROWD; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "X-Request-Id: reader-%d", i);
        begin_read(&readers[i], scene, names[i]);
    }
    wait_for_reads(scene, CROWD);
    assert_true(gauge(scene, "stampede_read_calls") <= (long)calls_allowed(began_ns));
    release_all(scene);
    for (int i = 0; i < CROWD; i++) {
        end_read(&readers[i]);
        assert_version(readers[i].answer, "7");
        (void)snprintf(name, sizeof(name), "reader-%d", i);
        assert_header(readers[i].answer, "X-Request-Id", name);
        free(readers[i].answer);
    }
    struct fake_seen seen = fake_orders_seen(&scene->fake);
    assert_true(seen.reads >= 2 && seen.reads <= calls_allowed(began_ns));
    assert_int_equal(strncmp(seen.metadata_request_id, "reader-", strlen("reader-")), 0);
    assert_int_equal(gauge(scene, "stampede_read_calls"), 0);
}

/* The rule of joiner.h: the sale is read for the first client, then changed, then the second client
 * asks, and only then the first answer comes back. The second must see the change. */
static void reads_after_a_write_see_it(void **state)
{
    struct scene *scene = *state;
    struct reader before, after;
    fake_orders_script(&scene->fake, held, COUNT_OF(held));
    fake_orders_set_sale_version(&scene->fake, 7);
    begin_read(&before, scene, NULL);
    fake_orders_wait_held(&scene->fake, 1);
    fake_orders_set_sale_version(&scene->fake, 8);
    begin_read(&after, scene, NULL);
    wait_for_reads(scene, 2);
    release_all(scene);
    end_read(&before);
    end_read(&after);
    assert_version(before.answer, "7");
    assert_version(after.answer, "8");
    free(before.answer);
    free(after.answer);
    fake_orders_set_sale_version(&scene->fake, 7);
}

/* An answer that is written once is still each client's own: who has the page already gets 304. */
static void reads_that_share_a_call_have_their_own_conditions(void **state)
{
    struct scene *scene = *state;
    struct reader first, fresh, known;
    char tag[64];
    char condition[96];
    fake_orders_script(&scene->fake, (const enum fake_step[]){FAKE_PLACED}, 1);
    edge_process_call(&scene->edge, "GET", PAGE, NULL, NULL, &scene->answer);
    http_client_header(&scene->answer, "ETag", tag, sizeof(tag));
    (void)snprintf(condition, sizeof(condition), "If-None-Match: %s", tag);
    fake_orders_script(&scene->fake, held, COUNT_OF(held));
    begin_read(&first, scene, NULL);
    fake_orders_wait_held(&scene->fake, 1);
    begin_read(&known, scene, condition);
    begin_read(&fresh, scene, NULL);
    wait_for_reads(scene, 3);
    release_all(scene);
    end_read(&first);
    end_read(&known);
    end_read(&fresh);
    assert_int_equal(known.answer->status, 304);
    assert_int_equal(known.answer->body_length, 0);
    assert_version(fresh.answer, "7");
    assert_header(fresh.answer, "ETag", tag);
    assert_header(known.answer, "ETag", tag);
    assert_string_equal(fresh.answer->body, first.answer->body);
    free(first.answer);
    free(known.answer);
    free(fresh.answer);
}

/* What one caller's credentials may see is not for another's. */
static void reads_with_other_credentials_go_apart(void **state)
{
    struct scene *scene = *state;
    struct reader readers[3];
    fake_orders_script(&scene->fake, held, COUNT_OF(held));
    begin_read(&readers[0], scene, NULL);
    begin_read(&readers[1], scene, "Authorization: Bearer a");
    begin_read(&readers[2], scene, "Authorization: Bearer b");
    fake_orders_wait_held(&scene->fake, 3);
    release_all(scene);
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        end_read(&readers[i]);
        assert_version(readers[i].answer, "7");
        free(readers[i].answer);
    }
    assert_int_equal(fake_orders_seen(&scene->fake).reads, 3);
}

/* A call that fails without a word is tried once more for all who wait for it; nobody is refused
 * for having shared. */
static void reads_of_a_lost_call_are_tried_again(void **state)
{
    static const enum fake_step steps[] = {FAKE_HELD, FAKE_LOST, FAKE_PLACED};
    struct scene *scene = *state;
    struct reader readers[5];
    fake_orders_script(&scene->fake, steps, COUNT_OF(steps));
    begin_read(&readers[0], scene, NULL);
    fake_orders_wait_held(&scene->fake, 1);
    for (size_t i = 1; i < COUNT_OF(readers); i++) {
        begin_read(&readers[i], scene, NULL);
    }
    sleep_ms(200);
    release_all(scene);
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        end_read(&readers[i]);
        assert_version(readers[i].answer, "7");
        free(readers[i].answer);
    }
    assert_true(fake_orders_seen(&scene->fake).reads >= 3);
}

/* A call gets stuck, and somebody comes later. False when the first one's time was over before this
 * test could look at both. */
static bool is_stuck_call_overtaken(struct scene *scene, const struct edge_process *hasty)
{
    static const enum fake_step steps[] = {FAKE_HELD, FAKE_PLACED};
    struct reader stuck, later;
    char wait[16];
    fake_orders_script(&scene->fake, steps, COUNT_OF(steps));
    int64_t stuck_end_ns = clock_deadline_in_ms(HASTY_MS);
    begin_read_at(&stuck, hasty, NULL);
    fake_orders_wait_held(&scene->fake, 1);
    begin_read_at(&later, hasty, NULL);
    end_read(&later);
    assert_version(later.answer, "7");
    long waiting = edge_process_metric(hasty, "stampede_waiting_reads");
    bool in_time = clock_monotonic_ns() < stuck_end_ns;
    assert_true(waiting == 1 || !in_time);
    end_read(&stuck);
    edge_process_assert(stuck.answer, 503, "OVERLOADED");
    http_client_header(stuck.answer, "Retry-After", wait, sizeof(wait));
    assert_true(strtol(wait, NULL, 10) >= 1);
    (void)fake_orders_release(&scene->fake);
    free(stuck.answer);
    free(later.answer);
    return in_time;
}

/* A replica that never answers keeps the client that it got, until that one's time is over, and
 * nobody else: who comes later waits a moment and is served by another call. */
static void reads_behind_a_stuck_call_overtake_it(void **state)
{
    struct scene *scene = *state;
    struct edge_process hasty;
    int tries = 0;
    edge_process_start(&hasty, scene->fake.port, hasty_settings);
    edge_process_wait_ready(&hasty, true);
    while (!is_stuck_call_overtaken(scene, &hasty)) {
        assert_true(++tries < TRIES);
    }
    edge_process_stop(&hasty);
}

/* Operators see how many wait and what the bounds are. */
static void reads_have_their_bounds_on_the_ops_port(void **state)
{
    static const char *const names[] = {"\"name\":\"read_calls\"", "\"name\":\"waiting_reads\"",
                                        "\"name\":\"reads_per_call\""};
    struct scene *scene = *state;
    struct edge_process ops = scene->edge;
    ops.http_port = scene->edge.ops_port;
    edge_process_call(&ops, "GET", "/limits", NULL, NULL, &scene->answer);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_non_null(strstr(scene->answer.body, names[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_of_many_clients_share_a_call),
        cmocka_unit_test(reads_after_a_write_see_it),
        cmocka_unit_test(reads_that_share_a_call_have_their_own_conditions),
        cmocka_unit_test(reads_with_other_credentials_go_apart),
        cmocka_unit_test(reads_of_a_lost_call_are_tried_again),
        cmocka_unit_test(reads_behind_a_stuck_call_overtake_it),
        cmocka_unit_test(reads_have_their_bounds_on_the_ops_port),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
