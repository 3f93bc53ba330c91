#include "edge_process.h"

#include "base/check.h"
#include "support/patience.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS   60000
#define ANSWER_MS     300000
#define LOG_BYTES_MAX (1024 * 1024)
#define SETTINGS_MAX  16

static char *read_log(const struct edge_process *edge)
{
    char *text = calloc(1, LOG_BYTES_MAX);
    FILE *file = fopen(edge->log_path, "re");
    assert_non_null(text);
    if (file != NULL) {
        (void)!fread(text, 1, LOG_BYTES_MAX - 1, file);
        (void)fclose(file);
    }
    return text;
}

static void look_again(const struct edge_process *edge, struct patience *patience, const char *what)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000000};
    if (patience_is_over(patience)) {
        char *log = read_log(edge);
        (void)fprintf(stderr, "%s\n", log);
        free(log);
        fail_msg("waited in vain: %s", what);
    }
    (void)nanosleep(&pause, NULL);
}

size_t edge_process_count_log(const struct edge_process *edge, const char *text)
{
    char *log = read_log(edge);
    size_t count = 0;
    for (const char *at = log; (at = strstr(at, text)) != NULL; at += strlen(text)) {
        count++;
    }
    free(log);
    return count;
}

static int number_in_log(const struct edge_process *edge, const char *name)
{
    char *log = read_log(edge);
    const char *at = strstr(log, name);
    long number = at == NULL ? 0 : strtol(at + strlen(name), NULL, 10);
    free(log);
    return (int)number;
}

void edge_process_start(struct edge_process *edge, int orders_port, const char *const *settings)
{
    char target[64];
    const char *environment[SETTINGS_MAX + 5] = {
        "EDGE_HTTP_ADDR=127.0.0.1:0", "EDGE_OPS_ADDR=127.0.0.1:0", target, "LOG_FORMAT=json"};
    const char *const argv[] = {EDGE_PROGRAM, NULL};
    size_t count = 4;
    (void)snprintf(target, sizeof(target), "EDGE_ORDERS_TARGET=127.0.0.1:%d", orders_port);
    for (size_t i = 0; settings != NULL && settings[i] != NULL; i++) {
        assert_true(count < COUNT_OF(environment) - 1);
        environment[count++] = settings[i];
    }
    (void)snprintf(edge->log_path, sizeof(edge->log_path), "edge-test-%d.XXXXXX", (int)getpid());
    int fd = mkstemp(edge->log_path);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(process_start(&edge->process, argv, environment, edge->log_path), 0);
    struct patience patience = patience_of_ms(PATIENCE_MS);
    while (edge_process_count_log(edge, "\"event\":\"serving\"") == 0) {
        assert_true(process_is_running(&edge->process));
        look_again(edge, &patience, "the edge serves");
    }
    edge->http_port = number_in_log(edge, "\"http_port\":");
    edge->ops_port = number_in_log(edge, "\"ops_port\":");
}

static long ready_status(const struct edge_process *edge, struct http_answer *scratch)
{
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/readyz", edge->ops_port);
    const struct http_call call = {.url = url};
    http_client_call(&call, scratch);
    return scratch->status;
}

void edge_process_wait_ready(const struct edge_process *edge, bool ready)
{
    struct http_answer *scratch = calloc(1, sizeof(*scratch));
    struct patience patience = patience_of_ms(PATIENCE_MS);
    assert_non_null(scratch);
    while (ready_status(edge, scratch) != (ready ? 200 : 503)) {
        look_again(edge, &patience, ready ? "the edge is ready" : "the edge is not ready");
    }
    free(scratch);
}

long edge_process_metric(const struct edge_process *edge, const char *series)
{
    struct http_answer *scratch = calloc(1, sizeof(*scratch));
    char url[64];
    char line[160];
    assert_non_null(scratch);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/metrics", edge->ops_port);
    (void)snprintf(line, sizeof(line), "\n%s ", series);
    const struct http_call call = {.url = url};
    http_client_call(&call, scratch);
    const char *at = strstr(scratch->body, line);
    if (at == NULL) {
        fail_msg("there is no %s in %ld %.200s", series, scratch->status, scratch->body);
    }
    long value = strtol(at + strlen(line), NULL, 10);
    free(scratch);
    return value;
}

void edge_process_await_metric(const struct edge_process *edge, const char *series, long value)
{
    struct patience patience = patience_of_ms(PATIENCE_MS);
    while (edge_process_metric(edge, series) != value) {
        look_again(edge, &patience, series);
    }
}

void edge_process_stop(struct edge_process *edge)
{
    process_signal(&edge->process, SIGTERM);
    int status = process_wait(&edge->process, PATIENCE_MS);
    if (status != 0) {
        char *log = read_log(edge);
        (void)fprintf(stderr, "%s\n", log);
        free(log);
    }
    (void)unlink(edge->log_path);
    assert_int_equal(status, 0);
}

void edge_process_call(const struct edge_process *edge, const char *method, const char *path,
                       const char *const *headers, const char *body, struct http_answer *ret)
{
    char url[512];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", edge->http_port, path);
    const struct http_call call = {
        .method = method, .url = url, .headers = headers, .body = body, .timeout_ms = ANSWER_MS};
    http_client_call(&call, ret);
}

void edge_process_place(const struct edge_process *edge, const char *key, struct http_answer *ret)
{
    char key_header[128];
    (void)snprintf(key_header, sizeof(key_header), "Idempotency-Key: %s", key);
    const char *const headers[] = {"Content-Type: application/json", key_header, NULL};
    edge_process_call(edge, "POST", EDGE_ORDERS, headers, "{\"customerId\":\"c-1\",\"quantity\":2}",
                      ret);
}

static void *place(void *data)
{
    const struct edge_placing *placing = data;
    edge_process_place(placing->edge, placing->key, placing->answer);
    return NULL;
}

void edge_process_begin_place(struct edge_placing *placing, const struct edge_process *edge,
                              const char *key)
{
    *placing = (struct edge_placing){
        .edge = edge, .key = key, .answer = calloc(1, sizeof(struct http_answer))};
    assert_non_null(placing->answer);
    assert_int_equal(pthread_create(&placing->thread, NULL, place, placing), 0);
}

struct http_answer *edge_process_end_place(struct edge_placing *placing)
{
    assert_int_equal(pthread_join(placing->thread, NULL), 0);
    return placing->answer;
}

void edge_process_assert(const struct http_answer *answer, long status, const char *reason)
{
    char found[64];
    if (answer->status != status) {
        fail_msg("%ld instead of %ld: %.4000s", answer->status, status, answer->body);
    }
    if (reason != NULL) {
        http_client_header(answer, "Content-Type", found, sizeof(found));
        assert_string_equal(found, "application/problem+json");
        http_client_json(answer, "reason", found, sizeof(found));
        if (strcmp(found, reason) != 0) {
            fail_msg("not %s: %ld %.4000s", reason, answer->status, answer->body);
        }
    }
}
