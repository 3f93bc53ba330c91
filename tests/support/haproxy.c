#include "support/haproxy.h"

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

#define PROGRAM     "/usr/sbin/haproxy" /* not on the path of everybody */
#define PATIENCE_MS 60000

/*
 * What a shop would write, with quicker checks: a server is left out when three checks in a row
 * were not answered with 200 (HAPROXY_NOTICE_MS), and a request is never repeated (L7 retries are
 * off by default), so that nothing here hides what an edge does.
 */
static const char head[] = "global\n"
                           "    maxconn 1000\n"
                           "defaults\n"
                           "    mode http\n"
                           "    timeout connect 60s\n"
                           "    timeout client 120s\n"
                           "    timeout server 120s\n"
                           "    timeout check 10s\n"
                           "frontend shop\n"
                           "    bind 127.0.0.1:%d\n"
                           "    default_backend edges\n"
                           "frontend stats\n"
                           "    bind 127.0.0.1:%d\n"
                           "    stats enable\n"
                           "    stats uri /\n"
                           "backend edges\n"
                           "    balance roundrobin\n"
                           "    option httpchk GET /readyz\n"
                           "    http-check expect status 200\n";

static void write_configuration(const struct haproxy *haproxy, const char *path,
                                const struct stack *const *stacks, size_t count)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, head, haproxy->port, haproxy->stats_port);
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "    server edge%zu 127.0.0.1:%d check port %d inter 200ms fall 3 rise 1\n",
                i, stacks[i]->edge_port, stacks[i]->edge_ops_port);
    }
    assert_int_equal(fclose(file), 0);
}

/* What it says of a server: column 18 of its line in the statistics is the status. */
static bool is_ready(const struct haproxy *haproxy, size_t index)
{
    static struct http_answer answer;
    char start[32];

    stack_ops_get(haproxy->stats_port, "/;csv", &answer);
    snprintf(start, sizeof(start), "\nedges,edge%zu,", index);
    const char *at = strstr(answer.body, start);
    for (int column = 0; at != NULL && column < 17; column++) {
        at = strchr(at + 1, ',');
    }
    return at != NULL && strncmp(at, ",UP", 3) == 0;
}

void haproxy_wait(const struct haproxy *haproxy, size_t index, bool ready)
{
    struct patience patience = patience_of_ms(PATIENCE_MS);
    while (is_ready(haproxy, index) != ready) {
        if (patience_is_over(&patience)) {
            fail_msg("HAProxy does not take edge %zu for %s", index, ready ? "ready" : "gone");
        }
        nanosleep(&(struct timespec){.tv_nsec = 10 * CLOCK_NS_PER_MS}, NULL);
    }
}

void haproxy_start(struct haproxy *ret, const struct stack *const *stacks, size_t count)
{
    char path[SCRATCH_POSTGRES_PATH_BYTES + 16], log[SCRATCH_POSTGRES_PATH_BYTES + 16];
    struct haproxy haproxy = {
        .folder = "/tmp/stampede-haproxy-XXXXXX", .port = port_take(), .stats_port = port_take()};

    CHECK(count <= HAPROXY_SERVERS_MAX);
    if (access(PROGRAM, X_OK) != 0) {
        fail_msg("%s is not there: ./dev test installs it", PROGRAM);
    }
    assert_non_null(mkdtemp(haproxy.folder));
    snprintf(path, sizeof(path), "%s/config", haproxy.folder);
    snprintf(log, sizeof(log), "%s/log", haproxy.folder);
    write_configuration(&haproxy, path, stacks, count);
    const char *argv[] = {PROGRAM, "-db", "-f", path, NULL};
    assert_int_equal(process_start(&haproxy.process, argv, NULL, log), 0);
    for (size_t i = 0; i < count; i++) {
        haproxy_wait(&haproxy, i, true);
    }
    *ret = haproxy;
}

void haproxy_stop(struct haproxy *haproxy)
{
    static const char *const names[] = {"config", "log"};
    char path[SCRATCH_POSTGRES_PATH_BYTES + 16];

    process_signal(&haproxy->process, SIGTERM);
    process_wait(&haproxy->process, PATIENCE_MS);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", haproxy->folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(haproxy->folder);
}
