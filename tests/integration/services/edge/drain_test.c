/* Stopping: every request that was read is answered, and the process ends in time with 0. */
#include "base/check.h"
#include "base/clock.h"
#include "edge_process.h"
#include "fake_orders.h"
#include "raw_http.h"
#include "support/patience.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 60000
/* So long an idle connection is kept when a drain has begun (EDGE_DRAIN_IDLE_GRACE_MS). */
#define IDLE_GRACE_MS 1000
/* To be quick enough for that, on a machine with other work. */
#define TRIES 10

static const enum fake_step held[] = {FAKE_HELD, FAKE_PLACED};

struct scene {
    struct fake_orders fake;
    struct edge_process edge;
    struct http_answer answer;
};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    fake_orders_start(&scene->fake);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    (void)unlink(scene->edge.log_path);
    fake_orders_stop(&scene->fake);
    free(scene);
    return 0;
}

static void start_edge(struct scene *scene, const char *const *settings)
{
    edge_process_start(&scene->edge, scene->fake.port, settings);
    edge_process_wait_ready(&scene->edge, true);
}

static void begin_drain(struct scene *scene)
{
    struct patience patience = patience_of_ms(PATIENCE_MS);
    process_signal(&scene->edge.process, SIGTERM);
    while (edge_process_count_log(&scene->edge, "\"event\":\"draining\"") == 0) {
        assert_false(patience_is_over(&patience));
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void assert_ends(struct scene *scene, int status)
{
    assert_int_equal(process_wait(&scene->edge.process, PATIENCE_MS), status);
}

/* Ends an edge whose drain this test was too slow for, so that there can be another. */
static void end_in_vain(struct scene *scene, const char *what)
{
    print_message("too slow: %s\n", what);
    assert_ends(scene, 0);
    (void)unlink(scene->edge.log_path);
}

/* The promise of a rolling restart: what was read is answered, placed orders included. */
static void drain_request_in_flight_is_answered(void **state)
{
    static const char *const settings[] = {"EDGE_DRAIN_TIMEOUT_MS=600000",
                                           "EDGE_REQUEST_TIMEOUT_MS=120000", NULL};
    struct scene *scene = *state;
    struct edge_placing placing;
    start_edge(scene, settings);
    fake_orders_script(&scene->fake, held, COUNT_OF(held));
    edge_process_begin_place(&placing, &scene->edge, "k");
    fake_orders_wait_held(&scene->fake, 1);
    begin_drain(scene);
    const struct timespec pause = {.tv_nsec = 300 * 1000000};
    (void)nanosleep(&pause, NULL);
    (void)fake_orders_release(&scene->fake);
    struct http_answer *answer = edge_process_end_place(&placing);
    edge_process_assert(answer, 201, NULL);
    free(answer);
    assert_ends(scene, 0);
    assert_int_equal(edge_process_count_log(&scene->edge, "\"finished\":1,\"refused\":0"), 1);
}

/* A service that never answers must not keep the edge: the deadline answers for it. */
static void drain_deadline_answers_what_is_left(void **state)
{
    static const char *const settings[] = {"EDGE_DRAIN_TIMEOUT_MS=500", NULL};
    struct scene *scene = *state;
    struct edge_placing placing;
    start_edge(scene, settings);
    fake_orders_script(&scene->fake, held, COUNT_OF(held));
    edge_process_begin_place(&placing, &scene->edge, "k");
    fake_orders_wait_held(&scene->fake, 1);
    begin_drain(scene);
    struct http_answer *answer = edge_process_end_place(&placing);
    edge_process_assert(answer, 504, "OUTCOME_UNKNOWN");
    free(answer);
    assert_ends(scene, 0);
    assert_int_equal(edge_process_count_log(&scene->edge, "\"cancelled\":1"), 1);
}

/* Balancers look at /readyz: it must say no while requests are still served as ever. The pause gets
 * longer until it is long enough for this test to look. */
static void drain_pause_serves_while_not_ready(void **state)
{
    struct scene *scene = *state;
    for (int64_t pause_ms = 1500; pause_ms <= 96000; pause_ms *= 4) {
        char setting[64];
        const char *const settings[] = {setting, NULL};
        (void)snprintf(setting, sizeof(setting), "EDGE_DRAIN_PAUSE_MS=%d", (int)pause_ms);
        start_edge(scene, settings);
        int64_t pause_end_ns = clock_deadline_in_ms(pause_ms);
        begin_drain(scene);
        edge_process_wait_ready(&scene->edge, false);
        edge_process_place(&scene->edge, "k", &scene->answer);
        if (scene->answer.status == 201 || clock_monotonic_ns() < pause_end_ns) {
            edge_process_assert(&scene->answer, 201, NULL);
            assert_int_equal(process_wait(&scene->edge.process, 2 * pause_ms + PATIENCE_MS), 0);
            return;
        }
        end_in_vain(scene, setting);
    }
    fail_msg("no pause is long enough to look");
}

/* One connection that asked before, one that did too and asks no more, and one that never did; the
 * drain begins. False when this test was not there in the moment that connections have then. */
static bool are_used_once_more_or_closed(struct scene *scene)
{
    static const char request[] = "GET /v1/sales/" EDGE_SALE " HTTP/1.1\r\nHost: a\r\n\r\n";
    char answer[4096];
    int used = raw_http_connect(scene->edge.http_port);
    int idle = raw_http_connect(scene->edge.http_port);
    int silent = raw_http_connect(scene->edge.http_port);
    raw_http_send(used, request);
    assert_true(raw_http_read(used, answer, sizeof(answer)) > 0);
    raw_http_send(idle, request);
    assert_true(raw_http_read(idle, answer, sizeof(answer)) > 0);
    edge_process_await_metric(&scene->edge, "stampede_connections", 3);
    int64_t moment_end_ns = clock_deadline_in_ms(IDLE_GRACE_MS);
    begin_drain(scene);
    const struct timespec pause = {.tv_nsec = 200 * 1000000};
    (void)nanosleep(&pause, NULL);
    raw_http_send_unless_closed(used, request);
    bool in_time = clock_monotonic_ns() < moment_end_ns;
    size_t length = raw_http_read(used, answer, sizeof(answer));
    if (in_time || length > 0) {
        assert_non_null(strstr(answer, "HTTP/1.1 200"));
        assert_non_null(strstr(answer, "Connection: close"));
    }
    assert_int_equal(raw_http_read(idle, answer, sizeof(answer)), 0);
    assert_int_equal(raw_http_read(silent, answer, sizeof(answer)), 0);
    (void)close(used);
    (void)close(idle);
    (void)close(silent);
    return in_time || length > 0;
}

/* An idle connection gets a moment to use it once more, then it is closed for it. */
static void drain_idle_connections_are_used_once_more_or_closed(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < TRIES; i++) {
        start_edge(scene, NULL);
        if (are_used_once_more_or_closed(scene)) {
            assert_ends(scene, 0);
            assert_int_equal(edge_process_count_log(&scene->edge, "\"connections_cut\":0"), 1);
            return;
        }
        end_in_vain(scene, "nothing was asked in time");
    }
    fail_msg("the moment is always over before anything can be asked");
}

/* A request that is complete only when its time is up has been read: it is answered too. */
static void drain_request_that_ends_at_the_deadline_is_answered(void **state)
{
    static const char *const settings[] = {"EDGE_DRAIN_TIMEOUT_MS=500", NULL};
    static const char head[] = "POST " EDGE_ORDERS " HTTP/1.1\r\nHost: a\r\n"
                               "Content-Type: application/json\r\nIdempotency-Key: last\r\n"
                               "Content-Length: 33\r\n\r\n";
    static const char body[] = "{\"customerId\":\"c-1\",\"quantity\":2}";
    enum { CONNECTIONS = 40 };
    struct scene *scene = *state;
    int fds[CONNECTIONS];
    char answer[4096];
    unsigned refused = 0;
    unsigned unknown = 0;
    start_edge(scene, settings);
    fake_orders_script(&scene->fake, (const enum fake_step[]){FAKE_HELD}, 1);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        fds[i] = raw_http_connect(scene->edge.http_port);
        raw_http_send(fds[i], head);
    }
    begin_drain(scene);
    /* The last bytes arrive around the deadline: some before it, some with it, some too late. */
    const struct timespec most = {.tv_nsec = 480 * 1000000};
    const struct timespec step = {.tv_nsec = 1000000};
    (void)nanosleep(&most, NULL);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        raw_http_send_unless_closed(fds[i], body);
        (void)nanosleep(&step, NULL);
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (raw_http_read(fds[i], answer, sizeof(answer)) > 0) {
            bool is_unknown = strstr(answer, "HTTP/1.1 504 ") != NULL;
            assert_true(is_unknown || strstr(answer, "HTTP/1.1 503 ") != NULL);
            unknown += is_unknown;
            refused += !is_unknown;
        }
        (void)close(fds[i]);
    }
    assert_ends(scene, 0);
    char account[96];
    (void)snprintf(account, sizeof(account), "\"finished\":0,\"refused\":%u,\"cancelled\":%u",
                   refused, unknown);
    assert_int_equal(edge_process_count_log(&scene->edge, account), 1);
}

/* Half a request is not a request that was read: it is waited for, but not beyond the deadline. */
static void drain_half_a_request_does_not_hold_the_end(void **state)
{
    static const char *const settings[] = {"EDGE_DRAIN_TIMEOUT_MS=700", NULL};
    struct scene *scene = *state;
    start_edge(scene, settings);
    int fd = raw_http_connect(scene->edge.http_port);
    raw_http_send(fd, "GET /v1/sales");
    begin_drain(scene);
    assert_ends(scene, 0);
    assert_int_equal(edge_process_count_log(&scene->edge, "\"connections_cut\":1"), 1);
    (void)close(fd);
}

/* An operator who asks twice means it: the first signal alone would wait for the request. */
static void drain_second_signal_ends_at_once(void **state)
{
    static const char *const settings[] = {"EDGE_DRAIN_TIMEOUT_MS=600000",
                                           "EDGE_REQUEST_TIMEOUT_MS=120000", NULL};
    struct scene *scene = *state;
    struct edge_placing placing;
    start_edge(scene, settings);
    fake_orders_script(&scene->fake, held, COUNT_OF(held));
    edge_process_begin_place(&placing, &scene->edge, "k");
    fake_orders_wait_held(&scene->fake, 1);
    begin_drain(scene);
    process_signal(&scene->edge.process, SIGTERM);
    assert_ends(scene, 1);
    free(edge_process_end_place(&placing));
}

/* A taken port is named with its owner, so nobody has to search for it. */
static void drain_taken_port_is_refused_with_its_owner(void **state)
{
    struct scene *scene = *state;
    char setting[64];
    char log_path[] = "edge-taken.XXXXXX";
    const char *const argv[] = {EDGE_PROGRAM, NULL};
    const char *const environment[] = {setting, "EDGE_OPS_ADDR=127.0.0.1:0", NULL};
    struct edge_process second = {.http_port = 0};
    start_edge(scene, NULL);
    (void)snprintf(setting, sizeof(setting), "EDGE_HTTP_ADDR=127.0.0.1:%d", scene->edge.http_port);
    int fd = mkstemp(log_path);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)snprintf(second.log_path, sizeof(second.log_path), "%s", log_path);
    assert_int_equal(process_start(&second.process, argv, environment, log_path), 0);
    assert_int_equal(process_wait(&second.process, PATIENCE_MS), 1);
    assert_int_equal(edge_process_count_log(&second, "taken by stampede-edge"), 1);
    (void)unlink(log_path);
    edge_process_stop(&scene->edge);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(drain_request_in_flight_is_answered),
        TEST(drain_deadline_answers_what_is_left),
        TEST(drain_pause_serves_while_not_ready),
        TEST(drain_idle_connections_are_used_once_more_or_closed),
        TEST(drain_request_that_ends_at_the_deadline_is_answered),
        TEST(drain_half_a_request_does_not_hold_the_end),
        TEST(drain_second_signal_ends_at_once),
        TEST(drain_taken_port_is_refused_with_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
