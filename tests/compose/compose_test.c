/* The system from outside: the suites, and what the script around them needs. */
#include "callers_suite.h"
#include "contract_suite.h"
#include "load.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

static void print_usage(FILE *file)
{
    fputs(
        "usage: compose-test <command>\n"
        "\n"
        "  suite       the public contract over HTTP and what internal callers do by gRPC\n"
        "  contract    the first of the two\n"
        "  callers     the second\n"
        "  load [--seconds <n>] [--per-second <n>] [--connections <n>] [<base URL>...]\n"
        "              a steady load of orders until time is up or SIGTERM; fails if one is not\n"
        "              placed\n"
        "  drain <gRPC target>\n"
        "              asks one replica of the orders service to drain\n"
        "  help        this\n"
        "\n"
        "Where the system is, in the environment:\n"
        "  STAMPEDE_BASE_URL        http://host:port of the edge; default http://$EDGE_HTTP_ADDR\n"
        "  STAMPEDE_GRPC_TARGET     of the orders service; default $EDGE_ORDERS_TARGET\n"
        "  STAMPEDE_EDGE_OPS_URL    default http://$EDGE_OPS_ADDR\n"
        "  STAMPEDE_ORDERS_OPS_URL  default http://$ORDERS_OPS_ADDR\n"
        "  STAMPEDE_ADMIN_TOKEN\n"
        "What ./dev up runs is found with: set -a; . .stampede/env; compose-test suite\n",
        file);
}

/* A whole number from 1 to max; ends the program on anything else. */
static unsigned read_number(const char *name, const char *text, unsigned long max)
{
    char *end = NULL;
    unsigned long value = text != NULL ? strtoul(text, &end, 10) : 0;
    if (text == NULL || *end != '\0' || value < 1 || value > max) {
        fprintf(stderr, "%s takes a number from 1 to %lu\n", name, max);
        exit(EXIT_USAGE);
    }
    return (unsigned)value;
}

static int run_load(const struct target *target, char **arguments)
{
    struct load_plan plan = {.seconds = 30, .per_second = 200, .connections = 32};
    const char *urls[LOAD_URLS_MAX];

    for (; *arguments != NULL; arguments++) {
        if (strcmp(*arguments, "--seconds") == 0) {
            plan.seconds = read_number("--seconds", *++arguments, 86400);
        } else if (strcmp(*arguments, "--per-second") == 0) {
            plan.per_second = read_number("--per-second", *++arguments, 100000);
        } else if (strcmp(*arguments, "--connections") == 0) {
            plan.connections = read_number("--connections", *++arguments, LOAD_CONNECTIONS_MAX);
        } else if (plan.url_count < LOAD_URLS_MAX) {
            urls[plan.url_count++] = *arguments;
        }
    }
    plan.urls = urls;
    return load_run(target, &plan);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "help";
    struct target target;

    if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0) {
        print_usage(stdout);
        return EXIT_SUCCESS;
    }
    if (target_read(&target) != 0) {
        return EXIT_USAGE;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    bool contract = strcmp(command, "contract") == 0 || strcmp(command, "suite") == 0;
    bool callers = strcmp(command, "callers") == 0 || strcmp(command, "suite") == 0;
    if (contract || callers) {
        int failed = contract ? contract_suite_run(&target) : 0;
        failed += callers ? callers_suite_run(&target) : 0;
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (strcmp(command, "load") == 0) {
        return run_load(&target, argv + 2);
    }
    if (strcmp(command, "drain") == 0 && argc == 3) {
        return callers_suite_drain(&target, argv[2]);
    }
    print_usage(stderr);
    return EXIT_USAGE;
}
