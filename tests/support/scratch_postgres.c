#include "support/scratch_postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_ATTEMPTS 3
#define ARGUMENTS_MAX  10
#define OUTPUT_BYTES   2048
#define FOLDER_PATTERN "/tmp/stampede-test-XXXXXX"

extern char **environ;

/* Starts the program with its stdout in a pipe; returns its pid or -1. */
static pid_t spawn(const char *const *arguments, int *ret_output)
{
    posix_spawn_file_actions_t actions;
    int ends[2];
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    /* The program only reads its arguments; the type predates const. */
    int error = posix_spawn(&child, SCRATCH_POSTGRES_PROGRAM, &actions, NULL,
                            (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) {
        fprintf(stderr, "cannot run %s: %s\n", SCRATCH_POSTGRES_PROGRAM, strerror(error));
        close(ends[0]);
        return -1;
    }
    *ret_output = ends[0];
    return child;
}

/* Runs the program to its end and collects what it prints. 0 or -1. */
static int run(const char *const *arguments, char output[OUTPUT_BYTES])
{
    size_t used = 0;
    ssize_t length;
    int from_child, status;
    pid_t child = spawn(arguments, &from_child);

    if (child < 0) {
        return -1;
    }
    while (used + 1 < OUTPUT_BYTES &&
           ((length = read(from_child, output + used, OUTPUT_BYTES - 1 - used)) > 0 ||
            (length < 0 && errno == EINTR))) {
        used += length > 0 ? (size_t)length : 0;
    }
    output[used] = '\0';
    close(from_child);
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int run_command(const struct scratch_postgres *server, const char *command)
{
    const char *arguments[] = {"scratch-postgres", command, server->folder, NULL};
    char output[OUTPUT_BYTES];
    return run(arguments, output);
}

/* Copies the value of a line "name=value". 0, or -1 if there is none or it does not fit. */
static int find_line(const char *output, const char *name, char *ret_value, size_t value_bytes)
{
    size_t name_length = strlen(name);
    for (const char *line = output; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, name_length) == 0 && line[name_length] == '=') {
            const char *value = line + name_length + 1;
            size_t length = strcspn(value, "\n");
            if (length >= value_bytes) {
                return -1;
            }
            memcpy(ret_value, value, length);
            ret_value[length] = '\0';
            return 0;
        }
    }
    return -1;
}

/* Runs a command that starts the server in server->folder and takes over what it tells. */
static int run_starter(struct scratch_postgres *server, const char *command, const char *primary)
{
    char output[OUTPUT_BYTES], own_pid[16], server_pid[16];
    const char *arguments[ARGUMENTS_MAX] = {"scratch-postgres", command, server->folder,
                                            "--owner-pid", own_pid};
    size_t count = 5;

    snprintf(own_pid, sizeof(own_pid), "%d", getpid());
    if (primary != NULL) {
        arguments[count++] = "--of";
        arguments[count++] = primary;
    } else if (server->with_schema) {
        arguments[count++] = "--migrate";
    }
    if (server->by_tcp) {
        arguments[count++] = "--tcp";
    }
    arguments[count] = NULL;
    if (run(arguments, output) < 0 ||
        find_line(output, "DATABASE_URL", server->service_url, sizeof(server->service_url)) < 0 ||
        find_line(output, "OWNER_URL", server->owner_url, sizeof(server->owner_url)) < 0 ||
        find_line(output, "ADMIN_URL", server->admin_url, sizeof(server->admin_url)) < 0 ||
        find_line(output, "SERVER_PID", server_pid, sizeof(server_pid)) < 0) {
        return -1;
    }
    server->server_pid = (pid_t)strtol(server_pid, NULL, 10);
    return 0;
}

static int start_in_new_folder(struct scratch_postgres *server, const char *command,
                               const char *primary)
{
    /* The server's own user must be able to pass. */
    if (mkdtemp(server->folder) == NULL || chmod(server->folder, 0755) != 0) {
        perror(server->folder);
        return -1;
    }
    for (int attempt = 1; run_starter(server, command, primary) < 0; attempt++) {
        /* Somebody may have taken the port since it was chosen; the next one is another. */
        if (primary != NULL || !server->by_tcp || attempt == START_ATTEMPTS) {
            (void)run_command(server, "stop");
            return -1;
        }
    }
    return 0;
}

int scratch_postgres_start(struct scratch_postgres *ret, bool with_schema, bool by_tcp)
{
    struct scratch_postgres server = {
        .folder = FOLDER_PATTERN, .with_schema = with_schema, .by_tcp = by_tcp};
    if (start_in_new_folder(&server, "start", NULL) < 0) {
        return -1;
    }
    *ret = server;
    return 0;
}

int scratch_postgres_start_standby(struct scratch_postgres *ret,
                                   const struct scratch_postgres *primary)
{
    struct scratch_postgres server = {
        .folder = FOLDER_PATTERN, .with_schema = primary->with_schema, .by_tcp = primary->by_tcp};
    if (start_in_new_folder(&server, "standby", primary->folder) < 0) {
        return -1;
    }
    *ret = server;
    return 0;
}

void scratch_postgres_stop(struct scratch_postgres *server)
{
    if (run_command(server, "stop") < 0) {
        fprintf(stderr, "cannot remove the server in %s\n", server->folder);
    }
}

int scratch_postgres_halt(struct scratch_postgres *server)
{
    return run_command(server, "halt");
}

int scratch_postgres_kill(struct scratch_postgres *server)
{
    return run_command(server, "kill");
}

int scratch_postgres_restart(struct scratch_postgres *server)
{
    return run_starter(server, "start", NULL);
}

/* Where the port's digits stand in a URL with one. */
static const char *find_port(const char *url)
{
    const char *at = strchr(url, '@');
    CHECK(at != NULL);
    const char *colon = strchr(at, ':');
    CHECK(colon != NULL);
    return colon + 1;
}

int scratch_postgres_port(const struct scratch_postgres *server)
{
    return (int)strtol(find_port(server->service_url), NULL, 10);
}

void scratch_postgres_url_with_port(const char *url, int port,
                                    char ret_url[SCRATCH_POSTGRES_URL_BYTES])
{
    const char *digits = find_port(url);
    int length = snprintf(ret_url, SCRATCH_POSTGRES_URL_BYTES, "%.*s%d%s", (int)(digits - url), url,
                          port, digits + strspn(digits, "0123456789"));
    CHECK(length > 0 && length < SCRATCH_POSTGRES_URL_BYTES);
}

int scratch_postgres_query(const char *url, const char *sql, char *ret_value, size_t value_bytes)
{
    PGconn *connection = PQconnectdb(url);
    PGresult *result = NULL;
    int outcome = -1;

    if (PQstatus(connection) == CONNECTION_OK) {
        result = PQexec(connection, sql);
    }
    if (PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK) {
        bool has_value = PQntuples(result) > 0 && PQnfields(result) > 0;
        snprintf(ret_value, value_bytes, "%s", has_value ? PQgetvalue(result, 0, 0) : "");
        outcome = 0;
    } else {
        fprintf(stderr, "%s: %s", sql, PQerrorMessage(connection));
    }
    PQclear(result);
    PQfinish(connection);
    return outcome;
}

int scratch_postgres_execute(const char *url, const char *sql)
{
    char value[2];
    return scratch_postgres_query(url, sql, value, sizeof(value));
}
