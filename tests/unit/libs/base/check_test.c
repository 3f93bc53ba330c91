#include "base/check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct marked {
    uint32_t magic;
};

/* Runs body(argument) in a child; returns its wait status and what it wrote to stderr. */
static int run_in_child(void (*body)(int), int argument, char *ret_text, size_t text_bytes)
{
    int pipe_ends[2], status;

    assert_int_equal(pipe(pipe_ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(pipe_ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); /* not cmocka's handler */
        body(argument);
        _exit(0);
    }
    close(pipe_ends[1]);
    ssize_t length = read(pipe_ends[0], ret_text, text_bytes - 1);
    ret_text[length > 0 ? length : 0] = '\0';
    close(pipe_ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void check_argument(int argument)
{
    CHECK(argument == 1);
}

static void use_after_clear(int argument)
{
    struct marked object;
    MAGIC_INIT(&object, 7u);
    MAGIC_CHECK(&object, 7u);
    if (argument) {
        MAGIC_CLEAR(&object);
    }
    MAGIC_CHECK(&object, 7u);
}

static void check_implication(int argument)
{
    CHECK_IMPLIES(argument == 1, argument == 2);
}

/* A broken assertion must end the process at once and say where, in release builds too. */
static void check_false_aborts_with_the_text(void **state)
{
    char text[256];
    (void)state;

    int status = run_in_child(check_argument, 0, text, sizeof(text));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "check_test.c:"));
    assert_non_null(strstr(text, "argument == 1"));
}

/* An assertion that holds costs nothing visible. */
static void check_true_goes_on(void **state)
{
    char text[256];
    (void)state;

    assert_int_equal(run_in_child(check_argument, 1, text, sizeof(text)), 0);
    assert_string_equal(text, "");
}

/* An object that was torn down must not be taken for a live one when it comes back as void *. */
static void magic_check_after_clear_aborts(void **state)
{
    char text[256];
    (void)state;

    assert_int_equal(run_in_child(use_after_clear, 0, text, sizeof(text)), 0);
    int status = run_in_child(use_after_clear, 1, text, sizeof(text));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* "a implies b" says nothing when a is false. */
static void check_implies_aborts_only_when_premise_holds(void **state)
{
    char text[256];
    (void)state;

    assert_int_equal(run_in_child(check_implication, 0, text, sizeof(text)), 0);
    int status = run_in_child(check_implication, 1, text, sizeof(text));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_false_aborts_with_the_text),
        cmocka_unit_test(check_true_goes_on),
        cmocka_unit_test(magic_check_after_clear_aborts),
        cmocka_unit_test(check_implies_aborts_only_when_premise_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
