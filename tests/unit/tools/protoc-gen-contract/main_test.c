/*
 * The plugin as protoc runs it. Each file of refused/ holds one thing that a contract may not say;
 * its first line tells the one line that the build must fail with.
 */
#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_CHARS_MAX 8192
#define REFUSED_MIN      50

struct command {
    char *arguments[32];
    size_t count;
};

static void add(struct command *command, const char *argument)
{
    assert_true(command->count + 1 < COUNT_OF(command->arguments));
    command->arguments[command->count] = strdup(argument);
    assert_non_null(command->arguments[command->count]);
    command->count++;
}

static void free_command(struct command *command)
{
    for (size_t i = 0; i < command->count; i++) {
        free(command->arguments[i]);
    }
}

/* Runs a program with both its outputs in ret_output and input, if there is one, for its input. */
static int run(const struct command *command, const char *input, char ret_output[OUTPUT_CHARS_MAX])
{
    int output[2];
    assert_int_equal(pipe(output), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (freopen(input, "r", stdin) == NULL || dup2(output[1], STDOUT_FILENO) < 0 ||
            dup2(output[1], STDERR_FILENO) < 0) {
            _exit(126);
        }
        close(output[0]);
        close(output[1]);
        execv(command->arguments[0], command->arguments);
        _exit(127);
    }
    close(output[1]);
    size_t length = 0;
    ssize_t got;
    while (length < OUTPUT_CHARS_MAX - 1 &&
           (got = read(output[0], ret_output + length, OUTPUT_CHARS_MAX - 1 - length)) > 0) {
        length += (size_t)got;
    }
    ret_output[length] = '\0';
    close(output[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void start_protoc(struct command *command)
{
    *command = (struct command){.count = 0};
    add(command, TEST_PROTOC);
    add(command, "--plugin=protoc-gen-contract=" TEST_PLUGIN);
    add(command, "-I" TEST_PROTO_FOLDERS); /* separated by colons */
    add(command, "-I" TEST_REFUSED);
    add(command, "--contract_out=" TEST_OUTPUT);
}

/* The text behind "// expect: " in the first line of a file. */
static void read_expectation(const char *path, char *ret_line, size_t size)
{
    static const char mark[] = "// expect: ";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(ret_line, (int)size, file));
    fclose(file);
    assert_memory_equal(ret_line, mark, sizeof(mark) - 1);
    memmove(ret_line, ret_line + sizeof(mark) - 1, strlen(ret_line) - sizeof(mark) + 2);
}

static void check_refused(const char *path)
{
    char copy[1024];
    char expected[OUTPUT_CHARS_MAX] = "--contract_out: ";
    char output[OUTPUT_CHARS_MAX];
    assert_true(strlen(path) < sizeof(copy));
    const char *name = basename(strcpy(copy, path));
    size_t prefix = strlen(expected);
    read_expectation(path, expected + prefix, sizeof(expected) - prefix);
    struct command command;
    start_protoc(&command);
    /* Those about the reasons define reasons of their own. */
    if (strncmp(name, "reason_", strlen("reason_")) != 0) {
        add(&command, TEST_REASONS);
    }
    add(&command, path);
    int status = run(&command, "/dev/null", output);
    free_command(&command);
    if (status != 1 || strcmp(output, expected) != 0) {
        fail_msg("%s: status %d, %s", name, status, output);
    }
}

/* Whoever writes a proto finds out when building, from one line, and not from a 404 in the shop. */
static void main_unsound_contract_fails_with_its_line(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob(TEST_REFUSED "/*.proto", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= REFUSED_MIN);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        check_refused(found.gl_pathv[i]);
    }
    globfree(&found);
}

/* Started by hand, or by a protoc of another make, it says what it wants and fails. */
static void main_input_that_is_no_request_fails(void **state)
{
    (void)state;
    char output[OUTPUT_CHARS_MAX];
    struct command command = {.arguments = {NULL}};
    add(&command, TEST_PLUGIN);
    assert_int_equal(run(&command, TEST_REASONS, output), 1);
    assert_string_equal(output, "protoc-gen-contract: standard input is not a "
                                "CodeGeneratorRequest\n");
    free_command(&command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(main_unsound_contract_fails_with_its_line),
        cmocka_unit_test(main_input_that_is_no_request_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
