#include "support/steady.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
/* cmocka wants the standard headers first */
#include <cmocka.h>

#define ANSWER_BYTES 16384
#define PATIENCE_S   300 /* for one answer; the edge's own bounds are far below */
/* A connection that nothing was asked on for so long is not asked on any more: the server may be
 * about to close it. */
#define IDLE_NS_MAX (2 * CLOCK_NS_PER_SECOND)
#define NAP_NS      (20 * CLOCK_NS_PER_MS)

struct answer {
    uint16_t status;
    uint32_t took_us;
};

struct steady {
    struct steady_plan plan;
    int64_t begun_ns;
    atomic_uint next, answered, connected;
    atomic_bool ends;
    pthread_t threads[STEADY_CONNECTIONS_MAX];
    pthread_mutex_t failure_lock;
    char first_failure[512];
    struct answer answers[STEADY_REQUESTS_MAX];
};

/* --- One request ------------------------------------------------------------------------------ */

/* A connected socket, or -1. */
static int open_connection(struct steady *steady)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)steady->plan.port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    atomic_fetch_add(&steady->connected, 1);
    return fd;
}

/* Whether the answer is whole, and how it says that the connection goes on. */
static bool is_whole(const char *text, size_t length, bool *ret_closes)
{
    const char *end = strstr(text, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    const char *body_length = strcasestr(text, "\r\ncontent-length:");
    const char *closes = strcasestr(text, "\r\nconnection: close");
    CHECK(body_length != NULL && body_length < end); /* every answer of ours says its length */
    *ret_closes = closes != NULL && closes < end;
    size_t whole = (size_t)(end + 4 - text) + strtoul(body_length + 17, NULL, 10);
    CHECK(whole < ANSWER_BYTES);
    return length >= whole;
}

/* Reads one answer; 0, or the error that came in its place, ECONNRESET for a closed connection. */
static int read_answer(int fd, char text[ANSWER_BYTES], bool *ret_closes)
{
    size_t length = 0;
    text[0] = '\0';
    while (!is_whole(text, length, ret_closes)) {
        ssize_t got = recv(fd, text + length, ANSWER_BYTES - 1 - length, 0);
        if (got < 0 && errno == EINTR) {
            continue; /* a stop of the machine interrupts waits that have an end */
        }
        if (got <= 0) {
            return got == 0 ? ECONNRESET : errno;
        }
        length += (size_t)got;
        text[length] = '\0';
    }
    return 0;
}

static void note_failure(struct steady *steady, unsigned number, const char *text)
{
    pthread_mutex_lock(&steady->failure_lock);
    if (steady->first_failure[0] == '\0') {
        snprintf(steady->first_failure, sizeof(steady->first_failure), "%.3f s, request %u: %s",
                 (double)(clock_monotonic_ns() - steady->begun_ns) / 1e9, number, text);
    }
    pthread_mutex_unlock(&steady->failure_lock);
}

static uint16_t lose(struct steady *steady, unsigned number, int *fd, const char *when, int error)
{
    char text[128];
    snprintf(text, sizeof(text), "lost in %s: %s", when, strerrordesc_np(error));
    note_failure(steady, number, text);
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return STEADY_LOST;
}

/* Sends a request and reads its answer on *fd, which is opened and closed as need be. */
static uint16_t exchange(struct steady *steady, unsigned number, int *fd)
{
    char request[STEADY_REQUEST_BYTES], text[ANSWER_BYTES];
    bool closes = false;

    if (*fd < 0 && (*fd = open_connection(steady)) < 0) {
        return lose(steady, number, fd, "connecting", errno);
    }
    steady->plan.write_request(number, request, steady->plan.data);
    ssize_t length = (ssize_t)strlen(request);
    if (send(*fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
        return lose(steady, number, fd, "sending", errno);
    }
    int error = read_answer(*fd, text, &closes);
    if (error != 0) {
        return lose(steady, number, fd, "receiving", error);
    }
    if (closes) {
        close(*fd);
        *fd = -1;
    }
    int status = atoi(text + strlen("HTTP/1.1 "));
    if (status >= 500) {
        note_failure(steady, number, text);
    }
    return (uint16_t)status;
}

/* --- The load --------------------------------------------------------------------------------- */

/* Sleeps until the request is due; false when the load ends before. */
static bool wait_until(struct steady *steady, int64_t due_ns)
{
    for (;;) {
        if (atomic_load(&steady->ends)) {
            return false;
        }
        int64_t left_ns = due_ns - clock_monotonic_ns();
        if (left_ns <= 0) {
            return true;
        }
        nanosleep(&(struct timespec){.tv_nsec = left_ns < NAP_NS ? left_ns : NAP_NS}, NULL);
    }
}

static void *run_connection(void *data)
{
    struct steady *steady = data;
    int64_t used_ns = 0; /* when the connection was last */
    int fd = -1;
    for (;;) {
        unsigned number = atomic_fetch_add(&steady->next, 1);
        CHECK(number < STEADY_REQUESTS_MAX);
        int64_t due_ns =
            steady->begun_ns + (int64_t)number * CLOCK_NS_PER_SECOND / steady->plan.per_second;
        if (!wait_until(steady, due_ns)) {
            break;
        }
        struct answer *answer = &steady->answers[number];
        int64_t sent_ns = clock_monotonic_ns();
        if (fd >= 0 && sent_ns - used_ns > IDLE_NS_MAX) {
            close(fd);
            fd = -1;
        }
        answer->status = exchange(steady, number, &fd);
        used_ns = clock_monotonic_ns();
        answer->took_us = (uint32_t)((used_ns - sent_ns) / 1000);
        atomic_fetch_add(&steady->answered, 1);
    }
    if (fd >= 0) {
        close(fd);
    }
    return NULL;
}

struct steady *steady_start(const struct steady_plan *plan)
{
    CHECK(plan->connections >= 1 && plan->connections <= STEADY_CONNECTIONS_MAX);
    CHECK(plan->per_second >= 1);
    struct steady *steady = calloc(1, sizeof(*steady));
    assert_non_null(steady);
    steady->plan = *plan;
    steady->begun_ns = clock_monotonic_ns();
    pthread_mutex_init(&steady->failure_lock, NULL);
    for (unsigned i = 0; i < plan->connections; i++) {
        assert_int_equal(pthread_create(&steady->threads[i], NULL, run_connection, steady), 0);
    }
    return steady;
}

unsigned steady_answered(const struct steady *steady)
{
    return atomic_load(&steady->answered);
}

/* --- The report ------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const uint32_t *left = a;
    const uint32_t *right = b;
    return (*left > *right) - (*left < *right);
}

static void count_answer(const struct answer *answer, struct steady_report *report)
{
    report->succeeded += answer->status >= 200 && answer->status < 300;
    report->refused += answer->status >= 400 && answer->status < 500;
    report->failed += answer->status >= 500;
    report->lost += answer->status == STEADY_LOST;
}

static void measure(const struct steady *steady, struct steady_report *report)
{
    uint32_t *times = malloc((report->numbers + 1) * sizeof(*times));
    unsigned count = 0;
    assert_non_null(times);
    for (unsigned i = 0; i < report->numbers; i++) {
        if (steady->answers[i].status > STEADY_LOST) {
            times[count++] = steady->answers[i].took_us;
        }
    }
    if (count > 0) {
        qsort(times, count, sizeof(*times), compare);
        report->p50_us = times[count / 2];
        report->p99_us = times[(uint64_t)count * 99 / 100];
        report->max_us = times[count - 1];
    }
    free(times);
}

void steady_stop(struct steady *steady, struct steady_report *ret)
{
    struct steady_report report = {.numbers = 0};
    atomic_store(&steady->ends, true);
    for (unsigned i = 0; i < steady->plan.connections; i++) {
        pthread_join(steady->threads[i], NULL);
    }
    report.numbers = atomic_load(&steady->next);
    report.connected = atomic_load(&steady->connected);
    report.statuses = calloc(report.numbers, sizeof(*report.statuses));
    assert_non_null(report.statuses);
    for (unsigned i = 0; i < report.numbers; i++) {
        report.statuses[i] = steady->answers[i].status;
        count_answer(&steady->answers[i], &report);
    }
    measure(steady, &report);
    memcpy(report.first_failure, steady->first_failure, sizeof(report.first_failure));
    pthread_mutex_destroy(&steady->failure_lock);
    free(steady);
    *ret = report;
}

void steady_report_fini(struct steady_report *report)
{
    free(report->statuses);
    report->statuses = NULL;
}

void steady_report_print(const struct steady_report *report, const char *what)
{
    print_message("%s: %u succeeded, %u refused, %u 5xx, %u lost; p50 %.1f ms, p99 %.1f ms, max "
                  "%.1f ms; %u connections opened\n",
                  what, report->succeeded, report->refused, report->failed, report->lost,
                  report->p50_us / 1e3, report->p99_us / 1e3, report->max_us / 1e3,
                  report->connected);
    if (report->first_failure[0] != '\0') {
        print_message("first failure after %s\n", report->first_failure);
    }
}

/* --- Orders ----------------------------------------------------------------------------------- */

static bool is_read(const struct steady_orders *orders, unsigned number)
{
    return orders->reads_every > 0 && number % orders->reads_every == orders->reads_every - 1;
}

void steady_write_order(unsigned number, char text[STEADY_REQUEST_BYTES], const void *data)
{
    const struct steady_orders *orders = data;
    char body[96];
    if (is_read(orders, number)) {
        snprintf(text, STEADY_REQUEST_BYTES, "GET /v1/sales/%s HTTP/1.1\r\nHost: a\r\n\r\n",
                 orders->sale_id);
        return;
    }
    int length = snprintf(body, sizeof(body), "{\"customerId\":\"%s-%u\",\"quantity\":1}",
                          orders->name, number);
    snprintf(text, STEADY_REQUEST_BYTES,
             "POST /v1/sales/%s/orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
             "Idempotency-Key: %s-%u\r\nContent-Length: %d\r\n\r\n%s",
             orders->sale_id, orders->name, number, length, body);
}

/* How many orders each request's customer has, by number. */
static uint8_t *count_orders(const struct steady_report *report, const struct steady_orders *orders,
                             const struct stack *stack)
{
    size_t bytes = (size_t)(report->numbers + 1) * 8;
    char sql[512], *numbers = malloc(bytes);
    uint8_t *counts = calloc(report->numbers + 1, 1);

    assert_true(numbers != NULL && counts != NULL);
    snprintf(sql, sizeof(sql),
             "SELECT coalesce(string_agg(split_part(customer_id, '-', 2), ','), '') FROM orders "
             "WHERE sale_id = '%s' AND split_part(customer_id, '-', 1) = '%s'",
             orders->sale_id, orders->name);
    assert_int_equal(scratch_postgres_query(stack->postgres.admin_url, sql, numbers, bytes), 0);
    for (const char *at = numbers; *at != '\0';) {
        char *end;
        unsigned long number = strtoul(at, &end, 10);
        assert_true(end > at && number < report->numbers);
        counts[number]++;
        at = end + (*end == ',');
    }
    free(numbers);
    return counts;
}

unsigned steady_assert_told_the_truth(const struct steady_report *report,
                                      const struct steady_orders *orders, const struct stack *stack)
{
    uint8_t *counts = count_orders(report, orders, stack);
    unsigned unknown = 0;
    for (unsigned i = 0; i < report->numbers; i++) {
        unsigned status = report->statuses[i];
        if (status == 201 ? counts[i] != 1 : counts[i] > 1) {
            fail_msg("request %u was told %u and has %u orders", i, status, counts[i]);
        }
        bool may_exist = status == 201 || status == 504 || status == STEADY_LOST;
        if (!may_exist && counts[i] > 0) {
            fail_msg("request %u was told %u, but its order exists", i, status);
        }
        unknown += status != 201 && counts[i] > 0;
    }
    free(counts);
    return unknown;
}
