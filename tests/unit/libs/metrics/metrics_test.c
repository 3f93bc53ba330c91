#include "metrics/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITERS           4
#define ADDS_A_WRITER     20000
#define RENDERS_MEANWHILE 20

static int set_up(void **state)
{
    *state = metrics_create();
    assert_non_null(*state);
    return 0;
}

static int tear_down(void **state)
{
    metrics_destroy(*state);
    return 0;
}

static void check_text(struct metrics *metrics, const char *expected)
{
    char *text;
    size_t length;
    assert_int_equal(metrics_render(metrics, &text, &length), 0);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text, expected);
    free(text);
}

static double read_number(void *data)
{
    const double *number = data;
    return *number;
}

/* What Prometheus reads, to the byte: families together, in the order of registration. */
static void metrics_render_all_kinds_is_exact(void **state)
{
    static const double values[] = {0.1, 1, 2.5};
    static const struct metrics_bounds bounds = {COUNT_OF(values), values};
    struct metrics *metrics = *state;
    double fraction = 0.1, many = 12345678901.0;
    struct metrics_counter *placed = metrics_counter(metrics, "stampede_orders_total", "Orders.",
                                                     METRICS_LABELS({"outcome", "placed"}));
    struct metrics_gauge *depth = metrics_gauge(metrics, "stampede_lane_depth", "Depth.", NULL);
    metrics_counter(metrics, "stampede_orders_total", "Orders.",
                    METRICS_LABELS({"outcome", "sold_out"}));
    struct metrics_histogram *histogram = metrics_histogram(
        metrics, "stampede_seconds", "Time.", METRICS_LABELS({"route", "r"}), &bounds);
    metrics_gauge_callback(metrics, "stampede_fraction", "A part.", NULL, read_number, &fraction);
    metrics_counter_callback(metrics, "stampede_reads_total", "Reads.", NULL, read_number, &many);
    metrics_counter_add(placed, 3);
    metrics_gauge_set(depth, 7);
    metrics_gauge_add(depth, -9);
    metrics_histogram_observe(histogram, 0.1);
    metrics_histogram_observe(histogram, 0.5);
    metrics_histogram_observe(histogram, 99);
    metrics_histogram_observe(histogram, (double)NAN);
    assert_int_equal(metrics_counter_value(placed), 3);
    assert_int_equal(metrics_gauge_value(depth), -2);
    assert_true(metrics_is_complete(metrics));
    check_text(metrics, "# HELP stampede_orders_total Orders.\n"
                        "# TYPE stampede_orders_total counter\n"
                        "stampede_orders_total{outcome=\"placed\"} 3\n"
                        "stampede_orders_total{outcome=\"sold_out\"} 0\n"
                        "# HELP stampede_lane_depth Depth.\n"
                        "# TYPE stampede_lane_depth gauge\n"
                        "stampede_lane_depth -2\n"
                        "# HELP stampede_seconds Time.\n"
                        "# TYPE stampede_seconds histogram\n"
                        "stampede_seconds_bucket{route=\"r\",le=\"0.1\"} 1\n"
                        "stampede_seconds_bucket{route=\"r\",le=\"1\"} 2\n"
                        "stampede_seconds_bucket{route=\"r\",le=\"2.5\"} 2\n"
                        "stampede_seconds_bucket{route=\"r\",le=\"+Inf\"} 3\n"
                        "stampede_seconds_sum{route=\"r\"} 99.6\n"
                        "stampede_seconds_count{route=\"r\"} 3\n"
                        "# HELP stampede_fraction A part.\n"
                        "# TYPE stampede_fraction gauge\n"
                        "stampede_fraction 0.1\n"
                        "# HELP stampede_reads_total Reads.\n"
                        "# TYPE stampede_reads_total counter\n"
                        "stampede_reads_total 12345678901\n");
}

/* The text format's own characters in a label or a help must not break the scrape. */
static void metrics_render_special_characters_are_escaped(void **state)
{
    struct metrics *metrics = *state;
    metrics_gauge(metrics, "build_info", "A \\ and\na \"quote\".",
                  METRICS_LABELS({"version", "1 \"a\\b\"\n\xc3\xbc"}, {"commit", ""}));
    check_text(metrics, "# HELP build_info A \\\\ and\\na \"quote\".\n"
                        "# TYPE build_info gauge\n"
                        "build_info{version=\"1 \\\"a\\\\b\\\"\\n\xc3\xbc\",commit=\"\"} 0\n");
}

/* An untouched registry is a valid, empty text. */
static void metrics_render_empty_registry_is_empty(void **state)
{
    check_text(*state, "");
}

/* Values that are no plain numbers have their own spelling. */
static void metrics_render_infinities_are_spelled(void **state)
{
    struct metrics *metrics = *state;
    double up = HUGE_VAL, down = -HUGE_VAL, none = (double)NAN;
    metrics_gauge_callback(metrics, "a", "A.", NULL, read_number, &up);
    metrics_gauge_callback(metrics, "b", "B.", NULL, read_number, &down);
    metrics_gauge_callback(metrics, "c", "C.", NULL, read_number, &none);
    check_text(metrics, "# HELP a A.\n# TYPE a gauge\na +Inf\n"
                        "# HELP b B.\n# TYPE b gauge\nb -Inf\n"
                        "# HELP c C.\n# TYPE c gauge\nc NaN\n");
}

/* Dashboards rely on these bounds. */
static void metrics_bounds_seconds_is_half_a_millisecond_to_ten_seconds(void **state)
{
    struct metrics *metrics = *state;
    char *text;
    size_t length;
    metrics_histogram(metrics, "s", "S.", NULL, &metrics_bounds_seconds);
    metrics_histogram(metrics, "n", "N.", NULL, &metrics_bounds_sizes);
    assert_int_equal(metrics_render(metrics, &text, &length), 0);
    assert_non_null(strstr(text, "s_bucket{le=\"0.0005\"} 0\ns_bucket{le=\"0.001\"} 0\n"));
    assert_non_null(strstr(text, "s_bucket{le=\"5\"} 0\ns_bucket{le=\"10\"} 0\n"
                                 "s_bucket{le=\"+Inf\"} 0\n"));
    assert_non_null(strstr(text, "n_bucket{le=\"512\"} 0\nn_bucket{le=\"1024\"} 0\n"));
    free(text);
}

/* What several threads write at once. */
struct contended {
    struct metrics_counter *counter;
    struct metrics_gauge *gauge;
    struct metrics_histogram *histogram;
};

static void *write_all(void *data)
{
    const struct contended *contended = data;
    for (int i = 0; i < ADDS_A_WRITER; i++) {
        metrics_counter_add(contended->counter, 2);
        metrics_gauge_add(contended->gauge, 1);
        metrics_histogram_observe(contended->histogram, 0.25);
    }
    return NULL;
}

/* Counts must be exact whatever the threads, also while somebody scrapes. */
static void metrics_counter_add_many_threads_loses_nothing(void **state)
{
    struct metrics *metrics = *state;
    pthread_t threads[WRITERS];
    char *text, expected[64];
    size_t length;
    struct contended contended = {
        .counter = metrics_counter(metrics, "c_total", "C.", NULL),
        .gauge = metrics_gauge(metrics, "g", "G.", NULL),
        .histogram = metrics_histogram(metrics, "h", "H.", NULL, &metrics_bounds_seconds)};
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_all, &contended), 0);
    }
    for (int i = 0; i < RENDERS_MEANWHILE; i++) {
        assert_int_equal(metrics_render(metrics, &text, &length), 0);
        free(text);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(metrics_counter_value(contended.counter), 2 * WRITERS * ADDS_A_WRITER);
    assert_int_equal(metrics_gauge_value(contended.gauge), WRITERS * ADDS_A_WRITER);
    assert_int_equal(metrics_render(metrics, &text, &length), 0);
    snprintf(expected, sizeof(expected), "h_sum %d\nh_count %d\n", WRITERS * ADDS_A_WRITER / 4,
             WRITERS * ADDS_A_WRITER);
    assert_non_null(strstr(text, expected));
    free(text);
}

/* A registry has a bound; past it a series still works and the gap can be seen. */
static void metrics_gauge_registry_full_works_unlisted(void **state)
{
    struct metrics *metrics = *state;
    char name[32];
    for (int i = 0; i < METRICS_SERIES_MAX; i++) {
        snprintf(name, sizeof(name), "g%d", i);
        metrics_gauge(metrics, name, "G.", NULL);
    }
    assert_true(metrics_is_complete(metrics));
    metrics_gauge_set(metrics_gauge(metrics, "over", "G.", NULL), 5);
    metrics_counter_add(metrics_counter(metrics, "over_total", "G.", NULL), 5);
    metrics_histogram_observe(metrics_histogram(metrics, "h", "G.", NULL, &metrics_bounds_sizes),
                              5);
    assert_false(metrics_is_complete(metrics));
}

static void register_bad_name(struct metrics *metrics)
{
    metrics_gauge(metrics, "stampede-depth", "D.", NULL);
}

static void register_counter_without_total(struct metrics *metrics)
{
    metrics_counter(metrics, "stampede_orders", "O.", NULL);
}

static void register_reserved_label(struct metrics *metrics)
{
    metrics_gauge(metrics, "a", "A.", METRICS_LABELS({"le", "1"}));
}

static void register_twice(struct metrics *metrics)
{
    metrics_gauge(metrics, "a", "A.", METRICS_LABELS({"b", "1"}));
    metrics_gauge(metrics, "a", "A.", METRICS_LABELS({"b", "1"}));
}

static void register_as_two_types(struct metrics *metrics)
{
    metrics_gauge(metrics, "a", "A.", NULL);
    metrics_histogram(metrics, "a", "A.", METRICS_LABELS({"b", "1"}), &metrics_bounds_sizes);
}

static void register_falling_bounds(struct metrics *metrics)
{
    static const double values[] = {2, 1};
    static const struct metrics_bounds bounds = {COUNT_OF(values), values};
    metrics_histogram(metrics, "a", "A.", NULL, &bounds);
}

/* A wrong name would be refused by Prometheus in production; here it ends the program at start. */
static void metrics_register_programmer_errors_are_asserted(void **state)
{
    static void (*const cases[])(struct metrics *) = {
        register_bad_name, register_counter_without_total, register_reserved_label,
        register_twice,    register_as_two_types,          register_falling_bounds};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            signal(SIGABRT, SIG_DFL);
            close(STDERR_FILENO);
            cases[i](*state);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* What is told elsewhere must be what /metrics tells: cumulative, with the largest in the count
 * alone. */
static void metrics_histogram_read_is_what_is_rendered(void **state)
{
    (void)state;
    static const double values[] = {1, 10};
    const struct metrics_bounds bounds = {COUNT_OF(values), values};
    struct metrics_histogram_reading reading;
    char *text;
    size_t length;
    struct metrics *metrics = metrics_create();
    assert_non_null(metrics);
    struct metrics_histogram *histogram =
        metrics_histogram(metrics, "wait_seconds", "Waits.", NULL, &bounds);
    metrics_histogram_read(histogram, &reading);
    assert_int_equal(reading.count, 0);
    for (int i = 0; i < 3; i++) {
        metrics_histogram_observe(histogram, 1); /* a bound is within its bucket */
    }
    metrics_histogram_observe(histogram, 4);
    metrics_histogram_observe(histogram, 100);
    metrics_histogram_read(histogram, &reading);
    assert_int_equal(reading.bounds_count, 2);
    assert_true(reading.bounds[0] == 1.0 && reading.bounds[1] == 10.0);
    assert_int_equal(reading.up_to[0], 3);
    assert_int_equal(reading.up_to[1], 4);
    assert_int_equal(reading.count, 5);
    assert_true(reading.sum == 107.0);
    assert_int_equal(metrics_render(metrics, &text, &length), 0);
    assert_non_null(strstr(text, "wait_seconds_bucket{le=\"1\"} 3\n"
                                 "wait_seconds_bucket{le=\"10\"} 4\n"
                                 "wait_seconds_bucket{le=\"+Inf\"} 5\n"
                                 "wait_seconds_sum 107\n"
                                 "wait_seconds_count 5\n"));
    free(text);
    metrics_destroy(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(metrics_render_all_kinds_is_exact),
        TEST(metrics_render_special_characters_are_escaped),
        TEST(metrics_render_empty_registry_is_empty),
        TEST(metrics_render_infinities_are_spelled),
        TEST(metrics_bounds_seconds_is_half_a_millisecond_to_ten_seconds),
        TEST(metrics_histogram_read_is_what_is_rendered),
        TEST(metrics_counter_add_many_threads_loses_nothing),
        TEST(metrics_gauge_registry_full_works_unlisted),
        TEST(metrics_register_programmer_errors_are_asserted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
