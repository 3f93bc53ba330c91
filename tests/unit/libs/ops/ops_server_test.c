#include "ops/ops_server.h"

#include "base/clock.h"
#include "metrics/metrics.h"
#include "ops/ops_limits.h"
#include "ops/port_owner.h"
#include "support/patience.h"
#include "support/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4
#define REPLY_BYTES_MAX 65536
#define PATIENCE_MS     60000
/* For a request: of servers that wait for slow clients as good as for ever, and of those that soon
 * give up, which a client of this test may be too slow for, too. */
#define LONG_TIMEOUT_MS  600000
#define SHORT_TIMEOUT_MS 300
/* How often what must be quick is tried, on a machine with other work. */
#define QUICK_TRIES 10

/* A server with one check of each kind, one limit and one metric. */
struct fixture {
    struct metrics *metrics;
    struct ops_limits limits;
    struct ops_server *server;
    atomic_bool database_is_ready;
    atomic_bool is_stuck;
    uint16_t port;
};

/* What curl got. */
struct reply {
    long status;
    char type[128];
    char body[REPLY_BYTES_MAX];
    size_t length;
};

static bool is_database_ready(void *data, char *ret_reason, size_t reason_bytes)
{
    struct fixture *fixture = data;
    if (!atomic_load(&fixture->database_is_ready)) {
        snprintf(ret_reason, reason_bytes, "no connection\nfor 12 s");
        return false;
    }
    return true;
}

static bool is_always_ready(void *data, char *ret_reason, size_t reason_bytes)
{
    (void)data, (void)ret_reason, (void)reason_bytes;
    return true;
}

static bool is_turning(void *data, char *ret_reason, size_t reason_bytes)
{
    struct fixture *fixture = data;
    snprintf(ret_reason, reason_bytes, "no turn for 99 s");
    return !atomic_load(&fixture->is_stuck);
}

static int64_t three(void *data)
{
    (void)data;
    return 3;
}

static int make_server(struct fixture *fixture, const char *host, uint16_t port,
                       int64_t request_timeout_ms, struct ops_server **ret_server)
{
    const struct ops_check checks[] = {{"database", is_database_ready, fixture},
                                       {"drain", is_always_ready, NULL}};
    const struct ops_check live_checks[] = {{"loop", is_turning, fixture}};
    const struct ops_server_config config = {.host = host,
                                             .port = port,
                                             .metrics = fixture->metrics,
                                             .limits = &fixture->limits,
                                             .checks = checks,
                                             .checks_count = COUNT_OF(checks),
                                             .live_checks = live_checks,
                                             .live_checks_count = COUNT_OF(live_checks),
                                             .connections_max = CONNECTIONS_MAX,
                                             .request_timeout_ms = request_timeout_ms};
    return ops_server_create(&config, ret_server);
}

static int set_up_with(void **state, int64_t request_timeout_ms)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->metrics = metrics_create();
    assert_non_null(fixture->metrics);
    ops_limits_init(&fixture->limits);
    ops_limits_add(&fixture->limits, &(struct ops_limit){.name = "pool_connections",
                                                         .help = "Connections.",
                                                         .unit = "connections",
                                                         .setting = "ORDERS_POOL_SIZE",
                                                         .limit = 5,
                                                         .in_use = three});
    ops_limits_add(&fixture->limits, &(struct ops_limit){.name = "body_bytes",
                                                         .help = "One body.",
                                                         .unit = "bytes",
                                                         .setting = "",
                                                         .limit = 65536});
    ops_limits_register(&fixture->limits, fixture->metrics);
    atomic_store(&fixture->database_is_ready, true);
    assert_int_equal(make_server(fixture, "127.0.0.1", 0, request_timeout_ms, &fixture->server), 0);
    assert_int_equal(ops_server_start(fixture->server, &fixture->port), 0);
    assert_true(fixture->port > 0);
    *state = fixture;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, LONG_TIMEOUT_MS);
}

static int set_up_hasty(void **state)
{
    return set_up_with(state, SHORT_TIMEOUT_MS);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    ops_server_destroy(fixture->server);
    metrics_destroy(fixture->metrics);
    free(fixture);
    return 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    struct reply *reply = data;
    assert_true(reply->length + size * count < sizeof(reply->body));
    memcpy(reply->body + reply->length, bytes, size * count);
    reply->length += size * count;
    return size * count;
}

/* One request over a connection of its own. */
static void ask(const struct fixture *fixture, const char *method, const char *path,
                struct reply *ret_reply)
{
    char url[256];
    const char *type = NULL;
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    memset(ret_reply, 0, sizeof(*ret_reply));
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", fixture->port, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_NOBODY, (long)(strcmp(method, "HEAD") == 0));
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret_reply);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret_reply->status);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    snprintf(ret_reply->type, sizeof(ret_reply->type), "%s", type == NULL ? "" : type);
    curl_easy_cleanup(curl);
}

static void check(const struct fixture *fixture, const char *method, const char *path, long status,
                  const char *body)
{
    struct reply reply;
    ask(fixture, method, path, &reply);
    assert_int_equal(reply.status, status);
    assert_string_equal(reply.body, body);
}

static int connect_raw(const struct fixture *fixture)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(fixture->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void send_raw(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until the server closes; false if it has not within PATIENCE_MS. */
static bool read_to_end(int fd, char *text, size_t capacity)
{
    struct patience patience = patience_of_ms(PATIENCE_MS);
    size_t length = 0;
    text[0] = '\0';
    while (!patience_is_over(&patience)) {
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        if (poll(&poller, 1, 100) <= 0) {
            continue;
        }
        ssize_t got = recv(fd, text + length, capacity - length - 1, 0);
        if (got <= 0) {
            return true;
        }
        length += (size_t)got;
        text[length] = '\0';
    }
    return false;
}

/* Asks a hasty server, which may think a slow client silent, until it answers. */
static void check_lives(const struct fixture *fixture)
{
    struct patience patience = patience_of_ms(PATIENCE_MS);
    char text[4096] = "";
    while (strstr(text, " 200 ") == NULL) {
        assert_false(patience_is_over(&patience));
        int fd = connect_raw(fixture);
        ssize_t sent = send(fd, "GET /livez HTTP/1.0\r\n\r\n", 23, MSG_NOSIGNAL);
        (void)sent;
        assert_true(read_to_end(fd, text, sizeof(text)));
        close(fd);
        usleep(20 * 1000);
    }
}

/* The probe that restarts a container must depend on nothing but the process. */
static void ops_server_livez_database_away_is_200(void **state)
{
    struct fixture *fixture = *state;
    atomic_store(&fixture->database_is_ready, false);
    check(fixture, "GET", "/livez", 200, "ok");
    check(fixture, "GET", "/livez?x=1", 200, "ok");
}

/* A program whose threads are stuck is restarted, though its listener still answers; and whoever
 * looks is told which. */
static void ops_server_livez_stuck_is_503(void **state)
{
    struct fixture *fixture = *state;
    check(fixture, "GET", "/livez?verbose", 200, "[+]loop ok\n");
    atomic_store(&fixture->is_stuck, true);
    check(fixture, "GET", "/livez", 503, "stuck");
    check(fixture, "GET", "/livez?verbose", 503, "[-]loop: no turn for 99 s\n");
    check(fixture, "GET", "/readyz", 200, "ok");
}

/* Balancers read the status, people read the lines. */
static void ops_server_readyz_follows_the_checks(void **state)
{
    struct fixture *fixture = *state;
    check(fixture, "GET", "/readyz", 200, "ok");
    check(fixture, "GET", "/readyz?verbose", 200, "[+]database ok\n[+]drain ok\n");
    atomic_store(&fixture->database_is_ready, false);
    check(fixture, "GET", "/readyz", 503, "not ready");
    check(fixture, "GET", "/readyz?verbose", 503,
          "[-]database: no connection for 12 s\n[+]drain ok\n");
    check(fixture, "GET", "/readyz?a=b&verbose=1", 503,
          "[-]database: no connection for 12 s\n[+]drain ok\n");
    check(fixture, "GET", "/readyz?verboser&notverbose", 503, "not ready");
}

/* An alert on replicas that run but take no work has nothing else to look at. */
static void ops_server_register_ready_follows_readyz(void **state)
{
    struct fixture *fixture = *state;
    struct reply reply;
    ops_server_register(fixture->server);
    ask(fixture, "GET", "/metrics", &reply);
    assert_non_null(strstr(reply.body, "\nstampede_ready 1\n"));
    atomic_store(&fixture->database_is_ready, false);
    ask(fixture, "GET", "/metrics", &reply);
    assert_non_null(strstr(reply.body, "\nstampede_ready 0\n"));
}

/* The scrape: content type and text as Prometheus wants them. */
static void ops_server_metrics_is_prometheus_text(void **state)
{
    struct reply reply;
    ask(*state, "GET", "/metrics", &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.type, "text/plain; version=0.0.4; charset=utf-8");
    assert_non_null(strstr(reply.body, "\nstampede_pool_connections 3\n"));
    assert_non_null(strstr(reply.body, "\nstampede_pool_connections_limit 5\n"));
}

/* Outside checks parse this array by these very names. */
static void ops_server_limits_is_a_json_array(void **state)
{
    struct reply reply;
    ask(*state, "GET", "/limits", &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.type, "application/json");
    assert_string_equal(reply.body,
                        "[{\"name\":\"pool_connections\",\"limit\":5,\"inUse\":3,\"unit\":"
                        "\"connections\",\"setting\":\"ORDERS_POOL_SIZE\"},{\"name\":"
                        "\"body_bytes\",\"limit\":65536,\"inUse\":0,\"unit\":\"bytes\","
                        "\"setting\":\"\"}]\n");
    json_t *json = json_loads(reply.body, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(json), 2);
    json_decref(json);
}

/* Anything else is refused in the terms of HTTP. */
static void ops_server_other_requests_are_404_or_405(void **state)
{
    struct fixture *fixture = *state;
    struct reply reply;
    char text[4096];
    ask(fixture, "GET", "/", &reply);
    assert_int_equal(reply.status, 404);
    ask(fixture, "GET", "/livezz", &reply);
    assert_int_equal(reply.status, 404);
    ask(fixture, "GET", "/livez/x", &reply);
    assert_int_equal(reply.status, 404);
    ask(fixture, "POST", "/readyz", &reply);
    assert_int_equal(reply.status, 405);
    ask(fixture, "HEAD", "/readyz", &reply);
    assert_int_equal(reply.status, 405);
    int fd = connect_raw(fixture);
    send_raw(fd, "DELETE /limits HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(read_to_end(fd, text, sizeof(text)));
    assert_non_null(strstr(text, "HTTP/1.1 405 "));
    assert_non_null(strcasestr(text, "\r\nallow: GET\r\n"));
    close(fd);
}

/* A connection is one request, so that slots always come back. */
static void ops_server_response_closes_the_connection(void **state)
{
    char text[4096];
    int fd = connect_raw(*state);
    send_raw(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(read_to_end(fd, text, sizeof(text)));
    assert_non_null(strcasestr(text, "\r\nconnection: close\r\n"));
    close(fd);
}

/* HTTP/2 is not spoken here, neither by upgrade nor by prior knowledge. */
static void ops_server_http2_is_not_spoken(void **state)
{
    struct fixture *fixture = *state;
    char text[4096];
    int fd = connect_raw(fixture);
    send_raw(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_true(read_to_end(fd, text, sizeof(text)));
    assert_null(memchr(text, '\x04', 6)); /* no SETTINGS frame */
    close(fd);
    fd = connect_raw(fixture);
    send_raw(fd, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                 "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
    assert_true(read_to_end(fd, text, sizeof(text)));
    assert_non_null(strstr(text, "HTTP/1.1 200 "));
    close(fd);
    check(fixture, "GET", "/livez", 200, "ok");
}

/* Garbage, halves of requests and large bodies end the connection, never the listener. */
static void ops_server_malformed_requests_leave_it_serving(void **state)
{
    static const char *const requests[] = {
        "\r\n\r\n",
        "\x16\x03\x01\x02\x05\x01 hello",
        "GET\r\n\r\n",
        "GET /livez HTTP/9.9\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost",
        "GET /readyz?verbose",
        "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n",
        "POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /%2e%2e/%00/livez?%%% HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    struct fixture *fixture = *state;
    char text[4096];
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        int fd = connect_raw(fixture);
        send_raw(fd, requests[i]);
        assert_true(read_to_end(fd, text, sizeof(text)));
        close(fd);
    }
    check_lives(fixture);
}

/* One connection too many is closed at once: those that are open may stay for as good as ever. */
static void ops_server_one_connection_too_many_is_closed_at_once(void **state)
{
    struct fixture *fixture = *state;
    int fds[CONNECTIONS_MAX + 1];
    char text[4096];
    for (int i = 0; i < CONNECTIONS_MAX + 1; i++) {
        fds[i] = connect_raw(fixture);
    }
    assert_true(read_to_end(fds[CONNECTIONS_MAX], text, sizeof(text)));
    assert_string_equal(text, "");
    for (int i = 0; i < CONNECTIONS_MAX + 1; i++) {
        close(fds[i]);
    }
}

/* Clients that hold connections open must not keep the probes out for longer than the timeout. */
static void ops_server_silent_clients_are_closed_and_slots_return(void **state)
{
    struct fixture *fixture = *state;
    int fds[CONNECTIONS_MAX];
    char text[4096];
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        fds[i] = connect_raw(fixture);
    }
    ssize_t sent = send(fds[0], "GET /livez HT", 13, MSG_NOSIGNAL);
    (void)sent; /* it may have given this one up already */
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        assert_true(read_to_end(fds[i], text, sizeof(text)));
        close(fds[i]);
    }
    check_lives(fixture);
}

/* Who asks for much and reads nothing has its own deadline. */
static void ops_server_client_that_does_not_read_is_closed(void **state)
{
    struct fixture *fixture = *state;
    static char value[8192];
    int fds[CONNECTIONS_MAX], small = 1024;
    memset(value, 'x', sizeof(value) - 1);
    for (int i = 0; i < 900; i++) {
        char name[32];
        snprintf(name, sizeof(name), "filler%d", i);
        metrics_gauge(fixture->metrics, name, "F.", METRICS_LABELS({"value", value}));
    }
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        fds[i] = connect_raw(fixture);
        assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
        send_raw(fds[i], "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    check_lives(fixture);
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        close(fds[i]);
    }
}

/* A program that cannot bind must say so at start, and can say who is in its way. */
static void ops_server_start_taken_port_is_eaddrinuse_with_owner(void **state)
{
    struct fixture *fixture = *state;
    struct ops_server *second;
    struct port_owner owner;
    uint16_t port = 1;
    assert_int_equal(make_server(fixture, "127.0.0.1", fixture->port, LONG_TIMEOUT_MS, &second), 0);
    assert_int_equal(ops_server_start(second, &port), -EADDRINUSE);
    assert_int_equal(port, 1);
    ops_server_destroy(second);
    assert_int_equal(port_owner_find(fixture->port, &owner), 0);
    assert_int_equal(owner.pid, getpid());
}

/* A host that is not this machine's is another mistake than a taken port. */
static void ops_server_start_foreign_address_is_eaddrnotavail(void **state)
{
    static const char *const hosts[] = {"192.0.2.1", "no such host"};
    uint16_t port;
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        struct ops_server *server;
        assert_int_equal(make_server(*state, hosts[i], 0, LONG_TIMEOUT_MS, &server), 0);
        assert_int_equal(ops_server_start(server, &port), -EADDRNOTAVAIL);
        ops_server_destroy(server);
    }
}

/* Stops a server with clients still connected and starts another on its port; how long the stop
 * took. */
static int64_t time_restart(struct fixture *fixture)
{
    uint16_t port;
    int idle = connect_raw(fixture), half = connect_raw(fixture);
    send_raw(half, "GET /livez HTTP/1.1\r\nHo");
    check(fixture, "GET", "/livez", 200, "ok");
    int64_t start_ns = clock_monotonic_ns();
    ops_server_stop(fixture->server);
    ops_server_stop(fixture->server);
    int64_t took_ns = clock_monotonic_ns() - start_ns;
    close(idle);
    close(half);
    ops_server_destroy(fixture->server);
    assert_int_equal(
        make_server(fixture, "127.0.0.1", fixture->port, LONG_TIMEOUT_MS, &fixture->server), 0);
    assert_int_equal(ops_server_start(fixture->server, &port), 0);
    assert_int_equal(port, fixture->port);
    check(fixture, "GET", "/livez", 200, "ok");
    return took_ns;
}

/* The port is free again at once, also with clients still connected: restarts depend on it. */
static void ops_server_stop_with_open_connections_is_quick(void **state)
{
    struct fixture *fixture = *state;
    bool is_quick = false;
    ops_server_destroy(fixture->server); /* on to a port that nobody else is given meanwhile */
    fixture->port = (uint16_t)port_take();
    assert_int_equal(
        make_server(fixture, "127.0.0.1", fixture->port, LONG_TIMEOUT_MS, &fixture->server), 0);
    assert_int_equal(ops_server_start(fixture->server, &fixture->port), 0);
    for (int i = 0; i < QUICK_TRIES && !is_quick; i++) {
        is_quick = time_restart(fixture) < CLOCK_NS_PER_SECOND;
    }
    assert_true(is_quick);
}

/* A server that never ran, or none at all, is destroyed like any other. */
static void ops_server_destroy_not_started_is_fine(void **state)
{
    struct ops_server *server;
    assert_int_equal(make_server(*state, "127.0.0.1", 0, LONG_TIMEOUT_MS, &server), 0);
    ops_server_stop(server);
    ops_server_destroy(server);
    ops_server_destroy(NULL);
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define HASTY(name) cmocka_unit_test_setup_teardown(name, set_up_hasty, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ops_server_livez_database_away_is_200),
        TEST(ops_server_livez_stuck_is_503),
        TEST(ops_server_readyz_follows_the_checks),
        TEST(ops_server_register_ready_follows_readyz),
        TEST(ops_server_metrics_is_prometheus_text),
        TEST(ops_server_limits_is_a_json_array),
        TEST(ops_server_other_requests_are_404_or_405),
        TEST(ops_server_response_closes_the_connection),
        TEST(ops_server_http2_is_not_spoken),
        HASTY(ops_server_malformed_requests_leave_it_serving),
        TEST(ops_server_one_connection_too_many_is_closed_at_once),
        HASTY(ops_server_silent_clients_are_closed_and_slots_return),
        HASTY(ops_server_client_that_does_not_read_is_closed),
        TEST(ops_server_start_taken_port_is_eaddrinuse_with_owner),
        TEST(ops_server_start_foreign_address_is_eaddrnotavail),
        TEST(ops_server_stop_with_open_connections_is_quick),
        TEST(ops_server_destroy_not_started_is_fine),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failures;
}
