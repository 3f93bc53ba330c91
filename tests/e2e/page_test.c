/*
 * The page of one sale, reloaded by a thousand while it sells: everyone is served, nobody sees it
 * go back in time, and who has just placed an order sees that it is gone from the stock.
 */
#include "support/steady.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka wants these first */
#include <cmocka.h>

#define READERS           1000
#define FILES             (READERS + 512) /* descriptors: theirs, and what a test has otherwise */
#define RELOADS_MS        10000
#define ROUNDS_MIN        5
#define PATIENCE_S        300
#define TRIES             4 /* until all are served, on a machine with other work */
#define STOCK             1000000
#define ORDERS_A_SEC      100
#define ANSWER_BYTES_MAX  4096
#define CUSTOMER_KEYS_MAX 100000

static struct stack stack;
static char sale_id[37];

/* One connection of the crowd. */
struct reader {
    int fd;
    long version;  /* that it saw last */
    bool is_fresh; /* nothing was asked on the connection yet */
};

/* Somebody who looks, orders and looks again, for as long as the crowd reloads. */
struct customer {
    pthread_t thread;
    atomic_bool is_over;
    unsigned orders, unserved,
        stale; /* placed; calls without their 2xx; orders that were not seen */
    struct http_answer answer;
};

static int set_up_group(void **state)
{
    (void)state;
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    assert_true(files.rlim_max >= FILES);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    /* The bound on what one request may take is not what this is about. */
    stack.edge_environment[0] = "EDGE_REQUEST_TIMEOUT_MS=120000";
    stack_start(&stack);
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    stack_stop(&stack);
    return 0;
}

/* --- The crowd -------------------------------------------------------------------------------- */

static void open_reader(struct reader *reader)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)stack.edge_port),
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    reader->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    reader->is_fresh = true;
    assert_true(reader->fd >= 0);
    assert_int_equal(setsockopt(reader->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
                     0);
    assert_int_equal(connect(reader->fd, (const void *)&address, sizeof(address)), 0);
}

/* False when the connection is gone. */
static bool ask(struct reader *reader)
{
    char request[128];
    int length =
        snprintf(request, sizeof(request), "GET /v1/sales/%s HTTP/1.1\r\nHost: a\r\n\r\n", sale_id);
    return send(reader->fd, request, (size_t)length, MSG_NOSIGNAL) == length;
}

static void ask_anew(struct reader *reader)
{
    close(reader->fd);
    open_reader(reader);
    assert_true(ask(reader));
}

/* Whether text holds a whole answer with a Content-Length. */
static bool is_whole(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n");
    const char *length = strcasestr(text, "\r\ncontent-length: ");
    return end != NULL && length != NULL && length < end &&
           strlen(end + 4) >= strtoul(length + strlen("\r\ncontent-length: "), NULL, 10);
}

/* Whoever finds a connection closed that was idle, before any byte of an answer, asks on another:
 * the edge keeps none for ever, and on a slow machine a round takes long. */
static void receive(struct reader *reader, char text[ANSWER_BYTES_MAX])
{
    size_t length = 0;
    text[0] = '\0';
    while (!is_whole(text)) {
        assert_true(length < ANSWER_BYTES_MAX - 1);
        ssize_t got = recv(reader->fd, text + length, ANSWER_BYTES_MAX - 1 - length, 0);
        if (got < 0 && errno == EINTR) {
            continue; /* a stop of the machine interrupts waits that have an end */
        }
        if (got <= 0 && length == 0 && !reader->is_fresh) {
            ask_anew(reader);
            continue;
        }
        if (got <= 0) {
            stack_fail(&stack, "no whole answer: %s", text);
        }
        length += (size_t)got;
        text[length] = '\0';
    }
    reader->is_fresh = false;
}

/* Takes the answer in: a version that is not below the one before. False when it is no 200. */
static bool look(struct reader *reader)
{
    static const char member[] = "\"version\":\"";
    char text[ANSWER_BYTES_MAX];
    receive(reader, text);
    if (strncmp(text, "HTTP/1.1 503 ", 13) == 0) {
        print_message("not served: %s\n", text);
        return false;
    }
    const char *at = strstr(text, member);
    if (strncmp(text, "HTTP/1.1 200 ", 13) != 0 || at == NULL) {
        stack_fail(&stack, "not served: %s", text);
    }
    long version = strtol(at + strlen(member), NULL, 10);
    if (version < reader->version) {
        stack_fail(&stack, "version %ld after version %ld", version, reader->version);
    }
    reader->version = version;
    return true;
}

/* --- The customer ----------------------------------------------------------------------------- */

/* What remains of the sale, or -1 when it could not be read. */
static long remaining(struct customer *customer)
{
    char path[64];
    char found[32];
    snprintf(path, sizeof(path), "/v1/sales/%s", sale_id);
    stack_call(&stack, "GET", path, NULL, NULL, &customer->answer);
    if (customer->answer.status != 200) {
        return -1;
    }
    http_client_json(&customer->answer, "stockRemaining", found, sizeof(found));
    return strtol(found, NULL, 10);
}

static void *look_order_look(void *data)
{
    struct customer *customer = data;
    char key[32];
    for (unsigned i = 0; i < CUSTOMER_KEYS_MAX && !atomic_load(&customer->is_over); i++) {
        long before = remaining(customer);
        snprintf(key, sizeof(key), "page-%u", i);
        stack_place(&stack, sale_id, "customer", key, &customer->answer);
        bool is_placed = customer->answer.status == 201;
        long after = remaining(customer);
        customer->unserved += !is_placed || before < 0 || after < 0;
        customer->orders += is_placed;
        customer->stale += is_placed && after >= 0 && after > before - 1;
    }
    return NULL;
}

/* --- The test --------------------------------------------------------------------------------- */

/* The whole crowd reloads, over and over; returns how often, and how many were refused. */
static unsigned reload_for_a_while(struct reader readers[READERS], unsigned *ret_unserved)
{
    int64_t ends_ns = clock_deadline_in_ms(RELOADS_MS);
    unsigned rounds = 0;
    *ret_unserved = 0;
    while (rounds < ROUNDS_MIN || clock_monotonic_ns() < ends_ns) {
        for (size_t i = 0; i < READERS; i++) {
            if (!ask(&readers[i])) {
                assert_false(readers[i].is_fresh);
                ask_anew(&readers[i]);
            }
        }
        for (size_t i = 0; i < READERS; i++) {
            *ret_unserved += !look(&readers[i]);
        }
        rounds++;
    }
    return rounds;
}

/* Sells a new sale's page to a crowd. Nobody may be told what is not so; whether everybody was
 * served is returned. */
static bool is_all_served(unsigned number)
{
    static struct reader readers[READERS];
    static struct customer customer;
    struct steady_orders orders = {.name = "steady"};
    struct steady_report report;
    unsigned unserved;
    char key[16];
    snprintf(key, sizeof(key), "page-%u", number);
    stack_make_sale(&stack, key, STOCK, 0, sale_id);
    snprintf(orders.sale_id, sizeof(orders.sale_id), "%s", sale_id);
    memset(&customer, 0, sizeof(customer));
    for (size_t i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.fd = -1};
        open_reader(&readers[i]);
    }
    struct steady *steady = steady_start(&(struct steady_plan){
        .port = stack.edge_port,
        .connections = 8,
        .per_second = ORDERS_A_SEC,
        .write_request = steady_write_order,
        .data = &orders,
    });
    assert_int_equal(pthread_create(&customer.thread, NULL, look_order_look, &customer), 0);
    unsigned rounds = reload_for_a_while(readers, &unserved);
    atomic_store(&customer.is_over, true);
    assert_int_equal(pthread_join(customer.thread, NULL), 0);
    steady_stop(steady, &report);
    print_message("%u reads by %d, %u orders placed meanwhile, versions up to %ld\n",
                  rounds * READERS, READERS, report.succeeded + customer.orders,
                  readers[0].version);
    steady_report_print(&report, "orders beside them");
    assert_true(report.succeeded > 0 && customer.orders > 0);
    assert_int_equal(customer.stale, 0);
    assert_int_equal(report.lost + report.refused, 0);
    unserved += report.failed + customer.unserved;
    (void)steady_assert_told_the_truth(&report, &orders, &stack);
    steady_report_fini(&report);
    for (size_t i = 0; i < READERS; i++) {
        close(readers[i].fd);
    }
    return unserved == 0;
}

/* 1,000 connections read one sale while orders are placed: each read was a call of its own once,
 * and from the 257th on they were refused. */
static void page_is_served_to_a_crowd_while_it_sells(void **state)
{
    (void)state;
    unsigned tries = 0;
    while (!is_all_served(tries)) {
        if (++tries == TRIES) {
            stack_fail(&stack, "some of the crowd are not served, however often it comes");
        }
    }
    stack_audit(&stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_is_served_to_a_crowd_while_it_sells),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
