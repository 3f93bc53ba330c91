/* What a client sees of an answer: status, headers, body, for good requests and bad ones. */
#include "base/check.h"
#include "edge_process.h"
#include "fake_orders.h"
#include "raw_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

struct scene {
    struct fake_orders fake;
    struct edge_process edge;
    struct http_answer answer;
};

static int setup(void **state)
{
    static const char *const settings[] = {"EDGE_MAX_BODY_BYTES=1024", "EDGE_CONNECTIONS_MAX=8",
                                           NULL};
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

static void assert_header(const struct http_answer *answer, const char *name, const char *expected)
{
    char value[256];
    http_client_header(answer, name, value, sizeof(value));
    assert_string_equal(value, expected);
}

static void assert_json(const struct http_answer *answer, const char *path, const char *expected)
{
    char value[256];
    http_client_json(answer, path, value, sizeof(value));
    assert_string_equal(value, expected);
}

/* A placed order: the whole answer, and what the service was told about the request. */
static void answers_placement_has_everything(void **state)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "Idempotency-Key: \"k-1\"", "X-Request-Id: r-1",
                                          ("traceparent: " TRACE), NULL};
    struct scene *scene = *state;
    struct http_answer *answer = &scene->answer;
    edge_process_call(&scene->edge, "POST", EDGE_ORDERS, headers,
                      "{\"customerId\":\"c 1\",\"quantity\":2}", answer);
    edge_process_assert(answer, 201, NULL);
    assert_header(answer, "Content-Type", "application/json");
    assert_header(answer, "Cache-Control", "no-store");
    assert_header(answer, "X-Request-Id", "r-1");
    assert_header(answer, "traceparent", TRACE);
    assert_header(answer, "Idempotent-Replayed", "");
    assert_header(answer, "Location",
                  EDGE_ORDERS "/9f1d2c3b-4a5e-8f60-9182-a3b4c5d6e7f8?customerId=c%201");
    assert_json(answer, "customerId", "c 1");
    assert_json(answer, "number", "1");
    assert_json(answer, "status", "CONFIRMED");
    struct fake_seen seen = fake_orders_seen(&scene->fake);
    assert_string_equal(seen.key, "k-1");
    assert_string_equal(seen.request_id, "r-1");
    assert_memory_equal(seen.traceparent, TRACE, 36);
    assert_string_not_equal(seen.traceparent, TRACE);
    assert_true(seen.timeout_ms_max >= 1 && seen.timeout_ms_max <= 5000);
}

/* A sale's tag saves the transfer of what has not changed, and HEAD shows what GET would. */
static void answers_sale_has_a_tag_that_spares_the_body(void **state)
{
    static const char *const same[] = {"If-None-Match: \"7-LIVE\"", NULL};
    static const char *const older[] = {"If-None-Match: \"6-LIVE\"", NULL};
    struct scene *scene = *state;
    struct http_answer *answer = &scene->answer;
    edge_process_call(&scene->edge, "GET", "/v1/sales/" EDGE_SALE, NULL, NULL, answer);
    edge_process_assert(answer, 200, NULL);
    assert_header(answer, "ETag", "\"7-LIVE\"");
    assert_json(answer, "version", "7");
    edge_process_call(&scene->edge, "GET", "/v1/sales/" EDGE_SALE, same, NULL, answer);
    edge_process_assert(answer, 304, NULL);
    assert_int_equal(answer->body_length, 0);
    edge_process_call(&scene->edge, "GET", "/v1/sales/" EDGE_SALE, older, NULL, answer);
    edge_process_assert(answer, 200, NULL);
}

/* Access is decided by the service, so it must get the credentials as they came. */
static void answers_credentials_and_names_are_passed_on(void **state)
{
    static const char *const headers[] = {"Authorization: Bearer secret", "X-Request-Id: r-2",
                                          NULL};
    struct scene *scene = *state;
    edge_process_call(&scene->edge, "POST", "/v1/sales/" EDGE_SALE ":pause", headers, "",
                      &scene->answer);
    edge_process_assert(&scene->answer, 200, NULL);
    struct fake_seen seen = fake_orders_seen(&scene->fake);
    assert_string_equal(seen.authorization, "Bearer secret");
    assert_string_equal(seen.metadata_request_id, "r-2");
}

/* How long to wait is best known where the work waits: what the service says of a read or an act of
 * administration is what the caller gets. */
static void answers_wait_that_the_service_asks_for_is_passed_on(void **state)
{
    static const enum fake_step overloaded[] = {FAKE_OVERLOADED}, placed[] = {FAKE_PLACED};
    struct scene *scene = *state;
    fake_orders_script(&scene->fake, overloaded, COUNT_OF(overloaded));
    edge_process_call(&scene->edge, "POST", "/v1/sales/" EDGE_SALE ":pause", NULL, "",
                      &scene->answer);
    edge_process_assert(&scene->answer, 503, "OVERLOADED");
    assert_header(&scene->answer, "Retry-After", "12");
    edge_process_call(&scene->edge, "GET", "/v1/sales/" EDGE_SALE, NULL, NULL, &scene->answer);
    edge_process_assert(&scene->answer, 503, "OVERLOADED");
    assert_header(&scene->answer, "Retry-After", "12");
    edge_process_place(&scene->edge, "k", &scene->answer);
    edge_process_assert(&scene->answer, 503, "OVERLOADED");
    assert_header(&scene->answer, "Retry-After", "12");
    fake_orders_script(&scene->fake, placed, COUNT_OF(placed));
}

/* Every error is a problem document that names the request. */
static void answers_errors_are_problems(void **state)
{
    static const char *const json[] = {"Content-Type: application/json", "Idempotency-Key: k",
                                       "X-Request-Id: r-3", NULL};
    struct scene *scene = *state;
    struct http_answer *answer = &scene->answer;
    edge_process_call(&scene->edge, "GET", "/nothing", json, NULL, answer);
    edge_process_assert(answer, 404, "ROUTE_NOT_FOUND");
    assert_json(answer, "type", "/problems/ROUTE_NOT_FOUND");
    assert_json(answer, "instance", "/nothing");
    assert_json(answer, "requestId", "r-3");
    assert_header(answer, "X-Request-Id", "r-3");
    assert_header(answer, "Cache-Control", "no-store");
    edge_process_call(&scene->edge, "DELETE", "/v1/sales", json, NULL, answer);
    edge_process_assert(answer, 405, "METHOD_NOT_ALLOWED");
    assert_header(answer, "Allow", "POST, GET, HEAD");
    edge_process_call(&scene->edge, "POST", EDGE_ORDERS, json, "{", answer);
    edge_process_assert(answer, 400, "MALFORMED_JSON");
    edge_process_call(&scene->edge, "POST", EDGE_ORDERS, NULL, "{}", answer);
    edge_process_assert(answer, 415, "UNSUPPORTED_MEDIA_TYPE");
    edge_process_call(&scene->edge, "POST", "/v1/sales/zzz/orders", json, "{}", answer);
    edge_process_assert(answer, 400, "INVALID_FIELD");
    edge_process_call(&scene->edge, "GET", "/v1/sales", json, NULL, answer);
    edge_process_assert(answer, 501, "METHOD_UNIMPLEMENTED");
    assert_int_equal(fake_orders_seen(&scene->fake).calls, 1);
}

/* Too long a body is refused by the edge while it can still be read, by libh2o when it cannot. */
static void answers_long_bodies_are_refused(void **state)
{
    static const char *const json[] = {"Content-Type: application/json", "Idempotency-Key: k",
                                       "Expect:", NULL};
    static const char *const expect[] = {"Content-Type: application/json", "Idempotency-Key: k",
                                         "Expect: 100-continue", NULL};
    struct scene *scene = *state;
    static char body[512 * 1024];
    memset(body, ' ', sizeof(body));
    body[1025] = '\0';
    edge_process_call(&scene->edge, "POST", EDGE_ORDERS, json, body, &scene->answer);
    edge_process_assert(&scene->answer, 413, "BODY_TOO_LARGE");
    body[1025] = ' ';
    body[sizeof(body) - 1] = '\0';
    edge_process_call(&scene->edge, "POST", EDGE_ORDERS, expect, body, &scene->answer);
    edge_process_assert(&scene->answer, 413, "BODY_TOO_LARGE");
}

static void assert_raw(const struct scene *scene, const char *request, const char *status,
                       const char *part)
{
    char answer[4096];
    int fd = raw_http_connect(scene->edge.http_port);
    raw_http_send(fd, request);
    assert_true(raw_http_read(fd, answer, sizeof(answer)) > 0);
    if (strncmp(answer + 9, status, 3) != 0 || strstr(answer, part) == NULL) {
        fail_msg("%s\n-> %s", request, answer);
    }
    (void)close(fd);
}

/* Requests that two servers could read differently are refused, and their connection is closed. */
static void answers_ambiguous_requests_are_refused(void **state)
{
    static const char *const requests[] = {
        "GET /v1/sales HTTP/1.1\r\n\r\n",
        "GET /v1/sales HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /v1/sales HTTP/1.1\nHost: a\n\n",
        "POST /v1/sales HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        ("POST /v1/sales HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n"
         "\r\n2\r\n{}\r\n0\r\n\r\n"),
        "GET /v1/sales HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded: 2\r\n\r\n",
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        assert_raw(scene, requests[i], "400", "\"reason\":\"INVALID_FIELD\"");
        assert_raw(scene, requests[i], "400", "Connection: close");
    }
}

/* libh2o's own errors have our form too, as far as it lets them. */
static void answers_errors_of_the_library_are_problems(void **state)
{
    struct scene *scene = *state;
    assert_raw(scene,
               "POST /v1/sales HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
               "400", "application/problem+json");
    assert_raw(scene,
               "POST /v1/sales HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: magic\r\n\r\n{}",
               "400", "application/problem+json");
    assert_raw(scene, "POST /v1/sales HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n{}",
               "413", "\"reason\":\"BODY_TOO_LARGE\"");
}

/* HTTP/2 is off: the packaged library has no defence against rapid resets. */
static void answers_http2_is_not_spoken(void **state)
{
    struct scene *scene = *state;
    assert_raw(scene, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400", "");
    assert_raw(scene,
               "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
               "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
               "404", "HTTP/1.1 404");
}

/* A pipeline is answered in order, each request by its own answer. */
static void answers_pipelined_requests_come_in_order(void **state)
{
    struct scene *scene = *state;
    char answer[8192];
    int fd = raw_http_connect(scene->edge.http_port);
    raw_http_send(fd, "GET /first HTTP/1.1\r\nHost: a\r\n\r\n"
                      "GET /v1/sales/" EDGE_SALE " HTTP/1.1\r\nHost: a\r\n\r\n"
                      "GET /third HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    size_t length = 0;
    while (strstr(answer, "/third") == NULL || length == 0) {
        ssize_t got = read(fd, answer + length, sizeof(answer) - 1 - length);
        if (got <= 0) {
            break;
        }
        length += (size_t)got;
        answer[length] = '\0';
    }
    const char *first = strstr(answer, "/first");
    const char *second = strstr(answer, "\"version\":\"7\"");
    const char *third = strstr(answer, "/third");
    assert_true(first != NULL && second != NULL && third != NULL);
    assert_true(first < second && second < third);
    (void)close(fd);
}

/* One connection more than allowed hears why instead of waiting for nothing. */
static void answers_too_many_connections_are_refused(void **state)
{
    struct scene *scene = *state;
    int open[8];
    char answer[2048];
    /* Those of the tests before are closed, but it may not have come to know of it. */
    edge_process_await_metric(&scene->edge, "stampede_connections", 0);
    for (size_t i = 0; i < COUNT_OF(open); i++) {
        open[i] = raw_http_connect(scene->edge.http_port);
        raw_http_send(open[i], "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_true(raw_http_read(open[i], answer, sizeof(answer)) > 0);
    }
    int refused = raw_http_connect(scene->edge.http_port);
    assert_true(raw_http_read(refused, answer, sizeof(answer)) > 0);
    assert_non_null(strstr(answer, "HTTP/1.1 503"));
    assert_non_null(strstr(answer, "OVERLOADED"));
    (void)close(refused);
    for (size_t i = 0; i < COUNT_OF(open); i++) {
        (void)close(open[i]);
    }
    edge_process_await_metric(&scene->edge, "stampede_connections", 0);
    edge_process_call(&scene->edge, "GET", "/x", NULL, NULL, &scene->answer);
    edge_process_assert(&scene->answer, 404, "ROUTE_NOT_FOUND");
}

/* What operators read: usage beside limits, and counts of what was refused and why. */
static void answers_ops_shows_limits_and_refusals(void **state)
{
    struct scene *scene = *state;
    struct edge_process ops = scene->edge;
    ops.http_port = scene->edge.ops_port;
    edge_process_call(&scene->edge, "GET", "/x", NULL, NULL, &scene->answer);
    edge_process_call(&ops, "GET", "/limits", NULL, NULL, &scene->answer);
    edge_process_assert(&scene->answer, 200, NULL);
    assert_non_null(strstr(scene->answer.body, "\"setting\":\"EDGE_CONNECTIONS_MAX\""));
    assert_non_null(strstr(scene->answer.body, "\"name\":\"waiting_orders\""));
    assert_non_null(strstr(scene->answer.body, "\"name\":\"waiting_sales\""));
    edge_process_call(&ops, "GET", "/metrics", NULL, NULL, &scene->answer);
    edge_process_assert(&scene->answer, 200, NULL);
    static const char *const parts[] = {
        "stampede_refused_total{reason=\"ROUTE_NOT_FOUND\"}",
        ("stampede_http_request_duration_seconds_count{method=\"POST\","
         "route=\"/v1/sales/{sale_id}/orders\",status=\"2xx\"}"),
        "stampede_calls_in_flight",
        "stampede_connections_limit 8",
        "stampede_build_info",
    };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (strstr(scene->answer.body, parts[i]) == NULL) {
            fail_msg("%s is not in %.3000s", parts[i], scene->answer.body);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_placement_has_everything),
        cmocka_unit_test(answers_sale_has_a_tag_that_spares_the_body),
        cmocka_unit_test(answers_credentials_and_names_are_passed_on),
        cmocka_unit_test(answers_errors_are_problems),
        cmocka_unit_test(answers_long_bodies_are_refused),
        cmocka_unit_test(answers_ambiguous_requests_are_refused),
        cmocka_unit_test(answers_errors_of_the_library_are_problems),
        cmocka_unit_test(answers_http2_is_not_spoken),
        cmocka_unit_test(answers_pipelined_requests_come_in_order),
        cmocka_unit_test(answers_too_many_connections_are_refused),
        cmocka_unit_test(answers_ops_shows_limits_and_refusals),
        cmocka_unit_test(answers_wait_that_the_service_asks_for_is_passed_on),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
