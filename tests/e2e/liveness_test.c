/*
 * /livez says that a program's threads turn. Here one of them stops to, as if something had blocked
 * it: it alone is held by ptrace, which the others do not feel.
 */
#include "support/stack.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
/* cmocka wants these first */
#include <cmocka.h>

/* Several times the bound of both programs, for a slow machine. */
#define PATIENCE_MS 90000

static struct stack stack;
static struct http_answer answer;

static int set_up_group(void **state)
{
    (void)state;
    stack_start(&stack);
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    stack_stop(&stack);
    return 0;
}

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * CLOCK_NS_PER_MS},
              NULL);
}

/* The thread of a process that has this name: the oldest, for those that the C core makes in it may
 * inherit the name. */
static pid_t find_thread(pid_t pid, const char *name)
{
    char path[320], comm[32];
    pid_t found = 0;
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    struct dirent *entry;
    assert_non_null(threads);
    while ((entry = readdir(threads)) != NULL) {
        snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", pid, entry->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL) {
            continue;
        }
        if (fgets(comm, sizeof(comm), file) != NULL && strncmp(comm, name, strlen(name)) == 0 &&
            comm[strlen(name)] == '\n') {
            pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
            found = found == 0 || thread < found ? thread : found;
        }
        fclose(file);
    }
    closedir(threads);
    assert_true(found > 0);
    return found;
}

/* Holds one thread of a child; false where this machine does not let anybody do so. */
static bool hold(pid_t thread)
{
    int status;
    if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0) {
        assert_true(errno == EPERM || errno == ENOSYS);
        return false;
    }
    assert_int_equal(ptrace(PTRACE_INTERRUPT, thread, NULL, NULL), 0);
    assert_int_equal(waitpid(thread, &status, __WALL), thread);
    assert_true(WIFSTOPPED(status));
    return true;
}

/* Waits until /livez says this with this status; prints how long it took. */
static void wait_told(int port, long status, const char *text)
{
    int64_t begun_ns = clock_monotonic_ns();
    struct patience patience = patience_of_ms(PATIENCE_MS);
    for (;;) {
        stack_ops_get(port, "/livez?verbose", &answer);
        if (answer.status == status && strstr(answer.body, text) != NULL) {
            break;
        }
        if (patience_is_over(&patience)) {
            fail_msg("not told \"%s\": %ld %s", text, answer.status, answer.body);
        }
        sleep_ms(20);
    }
    print_message("%.*s after %.1f s\n", (int)strcspn(strstr(answer.body, text), "\n"),
                  strstr(answer.body, text), (double)(clock_monotonic_ns() - begun_ns) / 1e9);
}

/* A thread that takes calls in, or replies, and is stuck: the program says so, names it, and is
 * well again when it goes on. */
static void assert_noticed(const struct process *program, int ops_port, const char *thread_name,
                           const char *check)
{
    char well[32], stuck[48];
    snprintf(well, sizeof(well), "[+]%s ok\n", check);
    snprintf(stuck, sizeof(stuck), "[-]%s: no turn for ", check);
    wait_told(ops_port, 200, well);
    pid_t thread = find_thread(program->pid, thread_name);
    if (!hold(thread)) {
        print_message("this machine lets nobody hold a thread\n");
        skip();
    }
    wait_told(ops_port, 503, stuck);
    assert_int_equal(ptrace(PTRACE_DETACH, thread, NULL, NULL), 0);
    wait_told(ops_port, 200, well);
}

static void liveness_stuck_thread_of_the_grpc_server_is_noticed(void **state)
{
    (void)state;
    assert_noticed(&stack.orders, stack.orders_ops_port, "rpc-server", "grpc");
    stack_wait_ready(&stack, PATIENCE_MS);
}

static void liveness_stuck_thread_of_the_channel_is_noticed(void **state)
{
    (void)state;
    assert_noticed(&stack.edge, stack.edge_ops_port, "rpc-channel", "channel");
    stack_wait_ready(&stack, PATIENCE_MS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(liveness_stuck_thread_of_the_grpc_server_is_noticed),
        cmocka_unit_test(liveness_stuck_thread_of_the_channel_is_noticed),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
