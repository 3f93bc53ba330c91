#include "ops/ops_limits.h"

#include "metrics/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t read_integer(void *data)
{
    const int64_t *integer = data;
    return *integer;
}

/* A bound without its use beside it cannot be watched, and neither can a use without its bound. */
static void ops_limits_register_usage_and_limit_stand_side_by_side(void **state)
{
    (void)state;
    int64_t depth = 12;
    struct ops_limits limits;
    char *text;
    size_t length;
    ops_limits_init(&limits);
    ops_limits_add(&limits, &(struct ops_limit){.name = "lane_depth",
                                                .help = "Orders that wait.",
                                                .unit = "orders",
                                                .setting = "ORDERS_QUEUE_MAX",
                                                .limit = 4096,
                                                .in_use = read_integer,
                                                .data = &depth});
    ops_limits_add(&limits, &(struct ops_limit){.name = "pool_connections",
                                                .help = "Connections by state.",
                                                .unit = "connections",
                                                .setting = "ORDERS_POOL_SIZE",
                                                .limit = 5,
                                                .in_use = read_integer,
                                                .data = &depth,
                                                .has_own_gauge = true});
    ops_limits_add(&limits, &(struct ops_limit){.name = "body_bytes",
                                                .help = "One body.",
                                                .unit = "bytes",
                                                .setting = "",
                                                .limit = 65536});
    struct metrics *metrics = metrics_create();
    assert_non_null(metrics);
    ops_limits_register(&limits, metrics);
    assert_int_equal(metrics_render(metrics, &text, &length), 0);
    assert_string_equal(text,
                        "# HELP stampede_lane_depth Orders that wait.\n"
                        "# TYPE stampede_lane_depth gauge\n"
                        "stampede_lane_depth 12\n"
                        "# HELP stampede_lane_depth_limit The most that is allowed, in orders. "
                        "Orders that wait.\n"
                        "# TYPE stampede_lane_depth_limit gauge\n"
                        "stampede_lane_depth_limit 4096\n"
                        "# HELP stampede_pool_connections_limit The most that is allowed, in "
                        "connections. Connections by state.\n"
                        "# TYPE stampede_pool_connections_limit gauge\n"
                        "stampede_pool_connections_limit 5\n"
                        "# HELP stampede_body_bytes_limit The most that is allowed, in bytes. One "
                        "body.\n"
                        "# TYPE stampede_body_bytes_limit gauge\n"
                        "stampede_body_bytes_limit 65536\n");
    free(text);
    metrics_destroy(metrics);
}

/* A bound per request holds nothing, so nothing is in use. */
static void ops_limits_in_use_without_function_is_zero(void **state)
{
    (void)state;
    int64_t depth = 12;
    struct ops_limit limit = {.limit = 1, .in_use = read_integer, .data = &depth};
    assert_int_equal(ops_limits_in_use(&limit), 12);
    limit.in_use = NULL;
    assert_int_equal(ops_limits_in_use(&limit), 0);
}

static void write_detail(FILE *out, void *data)
{
    const int64_t *integer = data;
    fprintf(out, "{\"idle\":%d}", (int)*integer);
}

/* The members that readers know stay as they are; what there is to add comes behind them, and only
 * where there is something. */
static void ops_limits_write_has_the_detail_of_those_that_have_one(void **state)
{
    (void)state;
    int64_t depth = 12;
    struct ops_limits limits;
    char *text = NULL;
    size_t length = 0;
    ops_limits_init(&limits);
    ops_limits_add(&limits, &(struct ops_limit){.name = "lane_depth",
                                                .help = "Orders that wait.",
                                                .unit = "orders",
                                                .setting = "ORDERS_QUEUE_MAX",
                                                .limit = 4096,
                                                .in_use = read_integer,
                                                .data = &depth});
    ops_limits_add(&limits, &(struct ops_limit){.name = "body_bytes",
                                                .help = "One body.",
                                                .unit = "bytes",
                                                .setting = "",
                                                .limit = 65536});
    ops_limits_add_detail(&limits, "lane_depth", write_detail, &depth);
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    ops_limits_write(&limits, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "[{\"name\":\"lane_depth\",\"limit\":4096,\"inUse\":12,"
                              "\"unit\":\"orders\",\"setting\":\"ORDERS_QUEUE_MAX\","
                              "\"detail\":{\"idle\":12}},"
                              "{\"name\":\"body_bytes\",\"limit\":65536,\"inUse\":0,"
                              "\"unit\":\"bytes\",\"setting\":\"\"}]\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_limits_register_usage_and_limit_stand_side_by_side),
        cmocka_unit_test(ops_limits_write_has_the_detail_of_those_that_have_one),
        cmocka_unit_test(ops_limits_in_use_without_function_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
