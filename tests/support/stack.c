#include "support/stack.h"

#include "base/clock.h"
#include "support/port.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
/* cmocka wants the standard headers first */
#include <cmocka.h>

/* Of a program's log, when something has failed: its last events, and what it wrote that is no
 * event, which is what a sanitizer had to say. */
#define TOLD_EVENTS       15
#define TOLD_OTHER_LINES  120
#define TOLD_STACKS       8
#define TOLD_STATUS_BYTES 4000

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * CLOCK_NS_PER_MS},
              NULL);
}

static const char *program_path(const char *name, char *path, size_t path_bytes)
{
    const char *folder = getenv("STAMPEDE_BIN");
    CHECK(folder != NULL);
    snprintf(path, path_bytes, "%s/%s", folder, name);
    return path;
}

struct environment {
    char texts[8][STACK_URL_BYTES];
    const char *all[8 + STACK_ENVIRONMENT_MAX + 1];
    size_t count;
};

__attribute__((format(printf, 2, 3))) static void set(struct environment *environment,
                                                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(environment->texts[environment->count], STACK_URL_BYTES, format, arguments);
    va_end(arguments);
    environment->all[environment->count] = environment->texts[environment->count];
    environment->count++;
}

static void start_program(struct process *process, const char *name, const char *log_folder,
                          struct environment *environment, const char *const *more)
{
    char program[STACK_URL_BYTES], log[STACK_URL_BYTES];
    size_t count = environment->count;

    for (size_t i = 0; i < STACK_ENVIRONMENT_MAX && more[i] != NULL; i++) {
        environment->all[count++] = more[i];
    }
    environment->all[count] = NULL;
    snprintf(log, sizeof(log), "%s/%s.log", log_folder, name);
    const char *argv[] = {program_path(name, program, sizeof(program)), NULL};
    assert_int_equal(process_start(process, argv, environment->all, log), 0);
}

void stack_start_orders(struct stack *stack)
{
    struct environment environment = {.count = 0};
    set(&environment, "DATABASE_URL=%s", stack->postgres.service_url);
    set(&environment, "STAMPEDE_ADMIN_TOKEN=%s", STACK_ADMIN_TOKEN);
    set(&environment, "ORDERS_GRPC_ADDR=127.0.0.1:%d", stack->orders_port);
    set(&environment, "ORDERS_OPS_ADDR=127.0.0.1:%d", stack->orders_ops_port);
    start_program(&stack->orders, "stampede-orders", stack->folder, &environment,
                  stack->orders_environment);
}

void stack_start_edge(struct stack *stack)
{
    struct environment environment = {.count = 0};
    set(&environment, "EDGE_HTTP_ADDR=127.0.0.1:%d", stack->edge_port);
    set(&environment, "EDGE_OPS_ADDR=127.0.0.1:%d", stack->edge_ops_port);
    set(&environment, "EDGE_ORDERS_TARGET=127.0.0.1:%d", stack->orders_port);
    start_program(&stack->edge, "stampede-edge", stack->folder, &environment,
                  stack->edge_environment);
}

void stack_ops_get(int port, const char *path, struct http_answer *ret)
{
    char url[STACK_URL_BYTES];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", port, path);
    http_client_call(&(struct http_call){.url = url, .timeout_ms = STACK_ANSWER_MS}, ret);
}

long stack_ops_status(int port, const char *path)
{
    static struct http_answer answer;
    stack_ops_get(port, path, &answer);
    return answer.status;
}

long stack_metric(const struct stack *stack, int port, const char *series)
{
    static struct http_answer answer;
    char line[160];
    stack_ops_get(port, "/metrics", &answer);
    stack_expect_status(stack, &answer, 200);
    snprintf(line, sizeof(line), "\n%s ", series);
    const char *at = strstr(answer.body, line);
    return at == NULL ? -1 : strtol(at + strlen(line), NULL, 10);
}

/* Whether a call through the edge comes to the database and back. An edge says that it is ready
 * while it still waits for orders to come back, so its /readyz alone does not tell. */
static bool is_answering(const struct stack *stack)
{
    return stack_ops_status(stack->orders_ops_port, "/readyz") == 200 &&
           stack_ops_status(stack->edge_ops_port, "/readyz") == 200 &&
           stack_ops_status(stack->edge_port, "/v1/sales?pageSize=1") == 200;
}

void stack_wait_ready(struct stack *stack, int64_t timeout_ms)
{
    struct patience patience = patience_of_ms(timeout_ms);
    while (!is_answering(stack)) {
        if (patience_is_over(&patience)) {
            stack_fail(stack, "not ready after %lld ms", (long long)timeout_ms);
        }
        sleep_ms(10);
    }
}

static void take_ports(struct stack *stack)
{
    snprintf(stack->folder, sizeof(stack->folder), "/tmp/stampede-stack-XXXXXX");
    assert_non_null(mkdtemp(stack->folder));
    stack->edge_port = port_take();
    stack->edge_ops_port = port_take();
    stack->orders_port = port_take();
    stack->orders_ops_port = port_take();
}

void stack_prepare(struct stack *stack)
{
    take_ports(stack);
    assert_int_equal(scratch_postgres_start(&stack->postgres, true, stack->postgres_by_tcp), 0);
}

void stack_join(struct stack *stack, const struct stack *first)
{
    stack->postgres = first->postgres;
    take_ports(stack);
}

void stack_start(struct stack *stack)
{
    stack_prepare(stack);
    stack_start_orders(stack);
    stack_start_edge(stack);
    stack_wait_ready(stack, STACK_PATIENCE_MS);
}

static void terminate(struct stack *stack, struct process *process)
{
    process_signal(process, SIGTERM);
    int status = process_wait(process, STACK_PATIENCE_MS);
    if (status != 0) {
        stack_fail(stack, "a program ended with %d", status);
    }
}

void stack_terminate_orders(struct stack *stack)
{
    terminate(stack, &stack->orders);
}

void stack_terminate_edge(struct stack *stack)
{
    terminate(stack, &stack->edge);
}

static void kill_hard(struct process *process)
{
    process_signal(process, SIGKILL);
    process_wait(process, STACK_PATIENCE_MS);
}

void stack_kill_orders(struct stack *stack)
{
    kill_hard(&stack->orders);
}

void stack_kill_edge(struct stack *stack)
{
    kill_hard(&stack->edge);
}

static void remove_folder(const char *path)
{
    struct process remover;
    const char *argv[] = {"rm", "-rf", "--", path, NULL};
    if (process_start(&remover, argv, NULL, "/dev/null") == 0) {
        process_wait(&remover, STACK_PATIENCE_MS);
    }
}

void stack_leave(struct stack *stack)
{
    if (stack->edge.pid != 0) {
        terminate(stack, &stack->edge);
    }
    if (stack->orders.pid != 0) {
        terminate(stack, &stack->orders);
    }
    remove_folder(stack->folder);
}

void stack_stop(struct stack *stack)
{
    stack_leave(stack);
    scratch_postgres_stop(&stack->postgres);
}

void stack_call(const struct stack *stack, const char *method, const char *path,
                const char *const *headers, const char *body, struct http_answer *ret)
{
    char url[2048];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", stack->edge_port, path);
    http_client_call(&(struct http_call){.method = method,
                                         .url = url,
                                         .headers = headers,
                                         .body = body,
                                         .timeout_ms = STACK_ANSWER_MS},
                     ret);
}

void stack_make_sale(const struct stack *stack, const char *key, int stock, int limit,
                     char *ret_sale_id)
{
    static struct http_answer answer;
    char key_header[300], body[512], end_time[32];
    time_t end = time(NULL) + 3600;
    struct tm utc;

    gmtime_r(&end, &utc);
    strftime(end_time, sizeof(end_time), "%Y-%m-%dT%H:%M:%SZ", &utc);
    snprintf(key_header, sizeof(key_header), "Idempotency-Key: %s", key);
    snprintf(body, sizeof(body),
             "{\"sku\":\"sku\",\"title\":\"A sale\",\"unitPrice\":{\"currencyCode\":\"EUR\","
             "\"amountMinor\":\"1999\"},\"endTime\":\"%s\",\"stockTotal\":%d,"
             "\"perCustomerLimit\":%d}",
             end_time, stock, limit);
    const char *headers[] = {"Authorization: Bearer " STACK_ADMIN_TOKEN, key_header,
                             "Content-Type: application/json", NULL};
    stack_call(stack, "POST", "/v1/sales", headers, body, &answer);
    stack_expect_status(stack, &answer, 201);
    http_client_json(&answer, "saleId", ret_sale_id, 37);
    assert_int_equal(strlen(ret_sale_id), 36);
}

void stack_place(const struct stack *stack, const char *sale_id, const char *customer,
                 const char *key, struct http_answer *ret)
{
    char path[128], key_header[300], body[256];
    snprintf(path, sizeof(path), "/v1/sales/%s/orders", sale_id);
    snprintf(key_header, sizeof(key_header), "Idempotency-Key: %s", key);
    snprintf(body, sizeof(body), "{\"customerId\":\"%s\",\"quantity\":1}", customer);
    const char *headers[] = {key_header, "Content-Type: application/json", NULL};
    stack_call(stack, "POST", path, headers, body, ret);
}

void stack_audit(const struct stack *stack)
{
    char script[STACK_URL_BYTES], url[STACK_URL_BYTES], log[STACK_URL_BYTES];
    const char *root = getenv("STAMPEDE_SOURCE");
    struct process audit;

    CHECK(root != NULL);
    snprintf(script, sizeof(script), "%s/dev", root);
    snprintf(url, sizeof(url), "DATABASE_URL=%s", stack->postgres.admin_url);
    snprintf(log, sizeof(log), "%s/audit.log", stack->folder);
    const char *argv[] = {script, "audit", NULL};
    const char *environment[] = {url, NULL};
    assert_int_equal(process_start(&audit, argv, environment, log), 0);
    int status = process_wait(&audit, STACK_PATIENCE_MS);
    if (status != 0) {
        struct process printer;
        const char *cat[] = {"cat", log, NULL};
        if (process_start(&printer, cat, NULL, "/dev/stderr") == 0) {
            process_wait(&printer, STACK_PATIENCE_MS);
        }
    }
    assert_int_equal(status, 0);
}

long stack_query_number(const struct stack *stack, const char *sql)
{
    char value[64];
    assert_int_equal(scratch_postgres_query(stack->postgres.admin_url, sql, value, sizeof(value)),
                     0);
    return strtol(value, NULL, 10);
}

int stack_count_log(const struct stack *stack, const char *program, const char *text)
{
    char path[STACK_URL_BYTES];
    char *line = NULL;
    size_t bytes = 0;
    int count = 0;

    snprintf(path, sizeof(path), "%s/%s.log", stack->folder, program);
    FILE *log = fopen(path, "re");
    while (log != NULL && getline(&line, &bytes, log) >= 0) {
        count += strstr(line, text) != NULL;
    }
    if (log != NULL) {
        fclose(log);
    }
    free(line);
    return count;
}

int stack_count_slow(const struct stack *stack)
{
    return stack_count_log(stack, "stampede-orders", "\"kind\":\"timeout_client\"") +
           stack_count_log(stack, "stampede-orders", "\"kind\":\"timeout\"");
}

void stack_await_log(const struct stack *stack, const char *program, const char *text,
                     int more_than)
{
    char what[STACK_URL_BYTES];
    snprintf(what, sizeof(what), "%s in the log of %s", text, program);
    struct stack_wait wait = stack_wait_for(stack, what);
    while (stack_count_log(stack, program, text) <= more_than) {
        stack_wait_on(&wait, 10);
    }
}

/* --- When something is not as it must be -------------------------------------------------------*/

/* Every program says its limits and settings when it starts; they are no news. */
static bool is_event(const char *line)
{
    return line[0] == '{' && strstr(line, "\"event\":\"limit\"") == NULL &&
           strstr(line, "\"event\":\"setting\"") == NULL;
}

/* Prints what there is to say of a log. */
static void print_log(const struct stack *stack, const char *program)
{
    char path[STACK_URL_BYTES];
    char *events[TOLD_EVENTS] = {NULL}, *line = NULL;
    size_t bytes = 0, count = 0, others = 0;

    snprintf(path, sizeof(path), "%s/%s.log", stack->folder, program);
    FILE *log = fopen(path, "re");
    fprintf(stderr, "--- the log of %s%s\n", program, log == NULL ? ": there is none" : "");
    while (log != NULL && getline(&line, &bytes, log) >= 0) {
        if (is_event(line)) {
            free(events[count % TOLD_EVENTS]);
            events[count++ % TOLD_EVENTS] = strdup(line);
        } else if (line[0] != '{' && others++ < TOLD_OTHER_LINES) {
            fputs(line, stderr);
        }
    }
    for (size_t i = 0; i < TOLD_EVENTS; i++) {
        char *event = events[(count + i) % TOLD_EVENTS];
        fputs(event == NULL ? "" : event, stderr);
        free(event);
    }
    free(line);
    if (log != NULL) {
        fclose(log);
    }
}

static void print_logs_once(const struct stack *stack)
{
    static const struct stack *told[TOLD_STACKS];
    size_t i = 0;
    while (i < TOLD_STACKS && told[i] != NULL && told[i] != stack) {
        i++;
    }
    if (i < TOLD_STACKS && told[i] == NULL) {
        told[i] = stack;
        print_log(stack, "stampede-orders");
        print_log(stack, "stampede-edge");
    }
}

void stack_fail(const struct stack *stack, const char *format, ...)
{
    char words[2 * TOLD_STATUS_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    print_logs_once(stack);
    fail_msg("%s", words);
    abort(); /* which the line above never comes back to */
}

void stack_expect_status(const struct stack *stack, const struct http_answer *answer, long status)
{
    if (answer->status != status) {
        stack_fail(stack, "%ld instead of %ld: %.*s", answer->status, status, TOLD_STATUS_BYTES,
                   answer->body);
    }
}

void stack_expect_json(const struct stack *stack, const struct http_answer *answer,
                       const char *path, const char *value)
{
    char found[STACK_URL_BYTES];
    http_client_json(answer, path, found, sizeof(found));
    if (strcmp(found, value) != 0) {
        stack_fail(stack, "%s is \"%s\" instead of \"%s\" in %ld %.*s", path, found, value,
                   answer->status, TOLD_STATUS_BYTES, answer->body);
    }
}

void stack_expect_header(const struct stack *stack, const struct http_answer *answer,
                         const char *name, const char *value)
{
    char found[STACK_URL_BYTES];
    http_client_header(answer, name, found, sizeof(found));
    if (strcmp(found, value) != 0) {
        stack_fail(stack, "%s is \"%s\" instead of \"%s\" in %ld %.*s", name, found, value,
                   answer->status, TOLD_STATUS_BYTES, answer->body);
    }
}

struct stack_wait stack_wait_for(const struct stack *stack, const char *what)
{
    return (struct stack_wait){
        .stack = stack, .what = what, .patience = patience_of_ms(STACK_PATIENCE_MS)};
}

void stack_wait_on(struct stack_wait *wait, int64_t pause_ms)
{
    if (patience_is_over(&wait->patience)) {
        stack_fail(wait->stack, "waited in vain for %s", wait->what);
    }
    sleep_ms(pause_ms);
}
