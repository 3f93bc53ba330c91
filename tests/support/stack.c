#include "support/stack.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
/* cmocka wants the standard headers first */
#include <cmocka.h>

#define START_MS 20000
#define STOP_MS  30000

/* The programs refuse loudly if somebody was quicker. */
int stack_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    close(fd);
    return ntohs(address.sin_port);
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
    http_client_call(&(struct http_call){.url = url, .timeout_ms = 2000}, ret);
}

long stack_ops_status(int port, const char *path)
{
    static struct http_answer answer;
    stack_ops_get(port, path, &answer);
    return answer.status;
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
    int64_t deadline_ns = clock_deadline_in_ms(timeout_ms);
    while (!is_answering(stack)) {
        if (clock_monotonic_ns() > deadline_ns) {
            stack_print_logs(stack);
            fail_msg("not ready after %lld ms", (long long)timeout_ms);
        }
        nanosleep(&(struct timespec){.tv_nsec = 10 * CLOCK_NS_PER_MS}, NULL);
    }
}

static void take_ports(struct stack *stack)
{
    snprintf(stack->folder, sizeof(stack->folder), "/tmp/stampede-stack-XXXXXX");
    assert_non_null(mkdtemp(stack->folder));
    stack->edge_port = stack_free_port();
    stack->edge_ops_port = stack_free_port();
    stack->orders_port = stack_free_port();
    stack->orders_ops_port = stack_free_port();
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
    stack_wait_ready(stack, START_MS);
}

static void terminate(struct stack *stack, struct process *process)
{
    process_signal(process, SIGTERM);
    int status = process_wait(process, STOP_MS);
    if (status != 0) {
        stack_print_logs(stack);
    }
    assert_int_equal(status, 0);
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
    process_wait(process, STOP_MS);
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
        process_wait(&remover, STOP_MS);
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
    http_client_call(
        &(struct http_call){
            .method = method, .url = url, .headers = headers, .body = body, .timeout_ms = 20000},
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
    if (answer.status != 201) {
        stack_print_logs(stack);
        fail_msg("creating a sale: %ld %s", answer.status, answer.body);
    }
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
    int status = process_wait(&audit, STOP_MS);
    if (status != 0) {
        struct process printer;
        const char *cat[] = {"cat", log, NULL};
        if (process_start(&printer, cat, NULL, "/dev/stderr") == 0) {
            process_wait(&printer, STOP_MS);
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

void stack_print_logs(const struct stack *stack)
{
    char orders[STACK_URL_BYTES], edge[STACK_URL_BYTES];
    struct process printer;
    snprintf(orders, sizeof(orders), "%s/stampede-orders.log", stack->folder);
    snprintf(edge, sizeof(edge), "%s/stampede-edge.log", stack->folder);
    const char *argv[] = {"tail", "-n", "40", orders, edge, NULL};
    if (process_start(&printer, argv, NULL, "/dev/stderr") == 0) {
        process_wait(&printer, STOP_MS);
    }
}
