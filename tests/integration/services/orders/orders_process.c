#include "orders_process.h"

#include "base/check.h"
#include "support/patience.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LOOK_MS       10
#define LOG_BYTES_MAX ((size_t)1024 * 1024)
#define SETTING_BYTES 512
#define STATUS_LINE   "HTTP/1.1 "

extern char **environ;

static void sleep_ms(long ms)
{
    struct timespec duration = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&duration, NULL);
}

/* --- The log --------------------------------------------------------------------------------- */

/* The whole log so far, to be freed. */
static char *read_log(const struct orders_process *process)
{
    char *text = calloc(1, LOG_BYTES_MAX + 1);
    FILE *file = fopen(process->log_path, "re");
    assert_non_null(text);
    assert_non_null(file);
    size_t length = fread(text, 1, LOG_BYTES_MAX, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

size_t orders_process_count_log(const struct orders_process *process, const char *text)
{
    char *log = read_log(process);
    size_t count = 0;
    for (const char *at = log; (at = strstr(at, text)) != NULL; at += strlen(text)) {
        count++;
    }
    free(log);
    return count;
}

_Noreturn static void give_up(const struct orders_process *process, const char *what)
{
    char *log = read_log(process);
    fprintf(stderr, "%s\n", log);
    free(log);
    fail_msg("gave up waiting: %s", what);
    abort();
}

void orders_process_wait_log(const struct orders_process *process, const char *text)
{
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    while (orders_process_count_log(process, text) == 0) {
        if (patience_is_over(&patience)) {
            give_up(process, text);
        }
        sleep_ms(LOOK_MS);
    }
}

/* The number behind "name": in the log. */
static int find_number(const struct orders_process *process, const char *name)
{
    char *log = read_log(process);
    const char *at = strstr(log, name);
    assert_non_null(at);
    int number = (int)strtol(at + strlen(name), NULL, 10);
    free(log);
    return number;
}

/* --- Life ------------------------------------------------------------------------------------ */

/* Runs in the child: everything it needs was made before the fork. */
_Noreturn static void become_program(int log_fd, char *const *environment)
{
    char *const arguments[] = {(char *)(uintptr_t) "stampede-orders", NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(log_fd, STDERR_FILENO);
    /* A folder without a .env that could interfere. */
    if (chdir("/") == 0) {
        execve(ORDERS_PROGRAM, arguments, environment);
    }
    _exit(126);
}

/* What the sanitizers want to know, and the settings; nothing else of the caller's environment. */
static size_t pass_environment(const char **environment)
{
    size_t count = 0;
    for (char **at = environ; *at != NULL; at++) {
        if (strstr(*at, "SAN_OPTIONS=") != NULL && count < ORDERS_PROCESS_SETTINGS_MAX) {
            environment[count++] = *at;
        }
    }
    return count;
}

static bool is_set(const char *const *settings, const char *assignment)
{
    size_t name_length = strcspn(assignment, "=") + 1;
    for (size_t i = 0; settings != NULL && settings[i] != NULL; i++) {
        if (strncmp(settings[i], assignment, name_length) == 0) {
            return true;
        }
    }
    return false;
}

void orders_process_launch(struct orders_process *process, const char *database_url,
                           const char *const *settings)
{
    static const char *const usual[] = {"ORDERS_GRPC_ADDR=127.0.0.1:0",
                                        "ORDERS_OPS_ADDR=127.0.0.1:0", "LOG_FORMAT=json"};
    char url[SETTING_BYTES];
    const char *environment[2 * ORDERS_PROCESS_SETTINGS_MAX + COUNT_OF(usual) + 2];
    size_t count = pass_environment(environment);

    *process = (struct orders_process){0};
    snprintf(url, sizeof(url), "DATABASE_URL=%s", database_url);
    environment[count++] = url;
    for (size_t i = 0; i < COUNT_OF(usual); i++) {
        if (!is_set(settings, usual[i])) {
            environment[count++] = usual[i];
        }
    }
    for (size_t i = 0; settings != NULL && settings[i] != NULL; i++) {
        assert_true(i < ORDERS_PROCESS_SETTINGS_MAX);
        environment[count++] = settings[i];
    }
    environment[count] = NULL;
    strcpy(process->log_path, "/tmp/stampede-orders-log-XXXXXX");
    int log_fd = mkostemp(process->log_path, O_CLOEXEC);
    assert_true(log_fd >= 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        become_program(log_fd, (char *const *)(uintptr_t)environment);
    }
    close(log_fd);
    process->pid = pid;
}

void orders_process_start(struct orders_process *process, const char *database_url,
                          const char *const *settings)
{
    orders_process_launch(process, database_url, settings);
    orders_process_wait_log(process, "\"event\":\"listening\"");
    process->grpc_port = find_number(process, "\"grpc_port\":");
    process->ops_port = find_number(process, "\"ops_port\":");
}

void orders_process_signal(const struct orders_process *process, int number)
{
    assert_int_equal(kill(process->pid, number), 0);
}

int orders_process_wait(struct orders_process *process)
{
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    int status;
    pid_t ended;

    while ((ended = waitpid(process->pid, &status, WNOHANG)) == 0) {
        if (patience_is_over(&patience)) {
            kill(process->pid, SIGKILL);
            give_up(process, "the end of the program");
        }
        sleep_ms(LOOK_MS);
    }
    assert_int_equal(ended, process->pid);
    process->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void orders_process_forget(struct orders_process *process)
{
    assert_int_equal(process->pid, 0);
    unlink(process->log_path);
}

void orders_process_stop(struct orders_process *process)
{
    orders_process_signal(process, SIGTERM);
    int status = orders_process_wait(process);
    if (status != 0) {
        char *log = read_log(process);
        fprintf(stderr, "%s", log);
        free(log);
    }
    assert_int_equal(status, 0);
    orders_process_forget(process);
}

/* --- The ops listener ------------------------------------------------------------------------ */

static int connect_to(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int orders_process_get(const struct orders_process *process, const char *path, char *ret_body,
                       size_t body_bytes)
{
    static char reply[LOG_BYTES_MAX];
    char request[256];
    size_t used = 0;
    ssize_t length;

    ret_body[0] = '\0';
    int fd = connect_to(process->ops_port);
    if (fd < 0) {
        return -1;
    }
    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        close(fd);
        return -1;
    }
    while (used + 1 < sizeof(reply) &&
           ((length = read(fd, reply + used, sizeof(reply) - 1 - used)) > 0 ||
            (length < 0 && errno == EINTR))) {
        used += length > 0 ? (size_t)length : 0;
    }
    close(fd);
    reply[used] = '\0';
    const char *body = strstr(reply, "\r\n\r\n");
    if (body == NULL || strncmp(reply, STATUS_LINE, strlen(STATUS_LINE)) != 0) {
        return -1;
    }
    snprintf(ret_body, body_bytes, "%s", body + 4);
    return (int)strtol(reply + strlen(STATUS_LINE), NULL, 10);
}

void orders_process_wait_ready(const struct orders_process *process, bool ready)
{
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    char body[512];
    while (orders_process_get(process, "/readyz", body, sizeof(body)) != (ready ? 200 : 503)) {
        if (patience_is_over(&patience)) {
            give_up(process, ready ? "readiness" : "unreadiness");
        }
        sleep_ms(LOOK_MS);
    }
}
