#include "ops/ops_process.h"

#include "metrics/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The figure of that name in a rendering. */
static double figure(struct metrics *metrics, const char *name)
{
    char line[128], *text;
    size_t length;
    assert_int_equal(metrics_render(metrics, &text, &length), 0);
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(text, line);
    assert_non_null(at);
    double value = strtod(at + strlen(line), NULL);
    free(text);
    return value;
}

/* A figure of the wrong field or unit looks like any other until a night it is needed. */
static void ops_process_register_tells_what_the_process_takes(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_create();
    assert_non_null(metrics);
    ops_process_register(metrics);
    assert_true(metrics_is_complete(metrics));

    double start = figure(metrics, "process_start_time_seconds");
    assert_true(start > (double)time(NULL) - 600 && start < (double)time(NULL) + 5);

    double memory = figure(metrics, "process_resident_memory_bytes");
    assert_true(memory > 256 * 1024.0 && memory < 64 * 1024.0 * 1024.0 * 1024.0);

    double cpu = figure(metrics, "process_cpu_seconds_total");
    clock_t until = clock() + CLOCKS_PER_SEC / 10;
    while (clock() < until) {
    }
    assert_true(figure(metrics, "process_cpu_seconds_total") >= cpu + 0.05);

    double files = figure(metrics, "process_open_fds");
    int one_more = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(one_more >= 0);
    assert_true(figure(metrics, "process_open_fds") == files + 1);
    close(one_more);
    assert_true(figure(metrics, "process_max_fds") > files);
    metrics_destroy(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_process_register_tells_what_the_process_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
