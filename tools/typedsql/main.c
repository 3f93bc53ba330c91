/*
 * typedsql: queries in files of their own, checked against a real schema, called as typed C.
 * docs/typed-sql.md tells how to use it.
 *
 * Exit status: 0 all is well; 1 something is wrong and was reported; 2 it was called wrongly.
 */
#include "base/arena.h"
#include "typedsql/folder.h"
#include "typedsql/generator.h"
#include "typedsql/list_writer.h"
#include "typedsql/report.h"
#include "typedsql/schema_check.h"
#include "typedsql/server.h"
#include "typedsql/text_file.h"
#include "typedsql/usage_check.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define EXIT_WRONG 1
#define EXIT_USAGE 2

#define FOLDERS_MAX       64
#define ARENA_BLOCK_BYTES (UINT64_C(1) << 20)
#define ARENA_BYTES_MAX   (UINT64_C(1) << 30)

static const char usage_text[] =
    "usage:\n"
    "  typedsql prepare DATABASE_URL FOLDER...\n"
    "      describe every query FOLDER/*.sql by the database and write FOLDER/cache/*.json\n"
    "  typedsql check DATABASE_URL FOLDER...\n"
    "      fail where the cache is not what prepare would write\n"
    "  typedsql generate QUERY.sql ENTRY.json INCLUDE_FOLDER OUT_FOLDER\n"
    "      write the query's header and source, from the cache alone\n"
    "  typedsql list NAME INCLUDE_FOLDER OUT_FOLDER QUERY...\n"
    "      write NAME.h and NAME.c with the list of the queries' statements\n"
    "  typedsql used STAMP FOLDER SOURCE.c...\n"
    "      fail if no source uses one of the queries; write the file STAMP if all is well\n"
    "A FOLDER may be written FOLDER:CACHE where its cache is elsewhere.\n";

struct tool {
    struct arena arena;
    struct report report;
    char **arguments;
    size_t argument_count;
};

/* FOLDER or FOLDER:CACHE. */
static int read_folder(struct tool *tool, const char *argument, struct folder *ret)
{
    size_t length = strcspn(argument, ":");
    const char *queries = arena_strndup(&tool->arena, argument, length);
    const char *cache = argument[length] == ':' ? argument + length + 1
                                                : arena_printf(&tool->arena, "%s/cache", argument);
    if (queries == NULL || cache == NULL) {
        return EXIT_WRONG;
    }
    return folder_read(&tool->arena, &tool->report, queries, cache, ret) < 0 ? EXIT_WRONG : 0;
}

static int run_with_server(struct tool *tool, const struct folder *folders, size_t folder_count,
                           bool writing)
{
    struct server server;
    struct schema_check_account account;
    if (server_open(&server, tool->arguments[0], &tool->arena, &tool->report) < 0) {
        return EXIT_WRONG;
    }
    int status = schema_check_run(&server, &tool->arena, &tool->report, folders, folder_count,
                                  writing, &account);
    server_close(&server);
    if (writing) {
        printf("%zu queries, %zu cache entries written, %zu deleted\n", account.queries,
               account.written, account.deleted);
    } else {
        printf("%zu queries, %zu errors\n", account.queries, tool->report.error_count);
    }
    return status < 0 ? EXIT_WRONG : 0;
}

/* prepare and check */
static int run_schema(struct tool *tool, bool writing)
{
    struct folder folders[FOLDERS_MAX];
    if (tool->argument_count < 2 || tool->argument_count - 1 > FOLDERS_MAX) {
        return EXIT_USAGE;
    }
    for (size_t i = 1; i < tool->argument_count; i++) {
        int status = read_folder(tool, tool->arguments[i], &folders[i - 1]);
        if (status != 0) {
            return status;
        }
    }
    return run_with_server(tool, folders, tool->argument_count - 1, writing);
}

static int run_generate(struct tool *tool)
{
    if (tool->argument_count != 4) {
        return EXIT_USAGE;
    }
    const struct generator_job job = {
        .sql_path = tool->arguments[0],
        .json_path = tool->arguments[1],
        .folder = tool->arguments[2],
        .out_folder = tool->arguments[3],
    };
    return generator_run(&tool->arena, &tool->report, &job) < 0 ? EXIT_WRONG : 0;
}

static int run_list(struct tool *tool)
{
    if (tool->argument_count < 3) {
        return EXIT_USAGE;
    }
    const struct list_writer_job job = {
        .name = tool->arguments[0],
        .folder = tool->arguments[1],
        .queries = (const char *const *)tool->arguments + 3,
        .query_count = tool->argument_count - 3,
    };
    return generator_run_list(&tool->arena, &tool->report, &job, tool->arguments[2]) < 0
               ? EXIT_WRONG
               : 0;
}

static int run_used(struct tool *tool)
{
    struct folder folder;
    if (tool->argument_count < 2) {
        return EXIT_USAGE;
    }
    int status = read_folder(tool, tool->arguments[1], &folder);
    if (status != 0) {
        return status;
    }
    if (usage_check_run(&tool->arena, &tool->report, &folder,
                        (const char *const *)tool->arguments + 2, tool->argument_count - 2) < 0) {
        return EXIT_WRONG;
    }
    FILE *stamp = fopen(tool->arguments[0], "we");
    if (stamp == NULL || fclose(stamp) != 0) {
        report_file(&tool->report, tool->arguments[0], "it cannot be written");
        return EXIT_WRONG;
    }
    return 0;
}

static int run(struct tool *tool, const char *command)
{
    if (strcmp(command, "prepare") == 0) {
        return run_schema(tool, true);
    }
    if (strcmp(command, "check") == 0) {
        return run_schema(tool, false);
    }
    if (strcmp(command, "generate") == 0) {
        return run_generate(tool);
    }
    if (strcmp(command, "list") == 0) {
        return run_list(tool);
    }
    if (strcmp(command, "used") == 0) {
        return run_used(tool);
    }
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs(usage_text, stderr);
        return EXIT_USAGE;
    }
    struct tool tool = {.arguments = argv + 2, .argument_count = (size_t)argc - 2};
    arena_init(&tool.arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    report_init(&tool.report, stderr);
    int status = run(&tool, argv[1]);
    if (status == EXIT_USAGE) {
        fputs(usage_text, stderr);
    } else if (status == EXIT_WRONG && tool.report.error_count == 0) {
        fputs("typedsql: error: no memory is left\n", stderr);
    }
    arena_fini(&tool.arena);
    return status;
}
