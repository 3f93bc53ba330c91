#include "orders/board/filter_forecast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct sale sale_of(int32_t total, int32_t units_out, int64_t orders)
{
    return (struct sale){.stock_total = total,
                         .stock_remaining = total - units_out,
                         .orders_count = orders,
                         .version = 2};
}

static void assert_shape_for(const struct sale *sale, uint64_t ids)
{
    struct id_filter_shape shape;
    assert_true(filter_forecast_shape(sale, NULL, &shape));
    assert_int_equal(shape.bytes, id_filter_shape_for(ids).bytes);
    assert_int_equal(shape.hashes, id_filter_shape_for(ids).hashes);
}

static void assert_none(const struct sale *sale)
{
    struct id_filter_shape shape;
    assert_false(filter_forecast_shape(sale, NULL, &shape));
}

/* The usual sale: one unit an order, none comes back. From the eighth on it is known for certain.
 */
static void filter_forecast_single_units_is_the_whole_stock(void **state)
{
    (void)state;
    for (int32_t units_out = 625000; units_out <= 5000000; units_out += 125000) {
        struct sale sale = sale_of(5000000, units_out, units_out);
        assert_shape_for(&sale, 5000000);
    }
}

/* Nothing is begun where there is nothing to gain, or nothing to tell by. */
static void filter_forecast_small_or_young_sale_is_none(void **state)
{
    (void)state;
    struct sale sale = sale_of(99999, 99998, 99998);
    assert_none(&sale);
    sale = sale_of(5000000, 624999, 624999);
    assert_none(&sale);
    sale = sale_of(5000000, 0, 0);
    assert_none(&sale);
    sale = sale_of(5000000, 0, 300000); /* everything came back */
    assert_none(&sale);
}

/* Orders of several units make fewer, units that came back make more. */
static void filter_forecast_counts_orders_a_unit(void **state)
{
    (void)state;
    struct sale sale = sale_of(3000000, 1000000, 400000);
    assert_shape_for(&sale, 1200000);
    sale = sale_of(3000000, 1000000, 1300000);
    assert_shape_for(&sale, 3900000);
    sale.stock_remaining -= 500000;
    sale.stock_returning = 500000;
    assert_shape_for(&sale, 3900000);
}

/* No filter is that large, so none is begun; nor does anything overflow. */
static void filter_forecast_too_many_orders_is_none(void **state)
{
    (void)state;
    struct sale sale = sale_of(10000000, 5000000, 9000000);
    assert_none(&sale);
    sale = sale_of(10000000, 9999999, (int64_t)ID_FILTER_IDS_MAX + 1);
    assert_none(&sale);
    sale = sale_of(10000000, 1250000, INT64_MAX);
    assert_none(&sale);
}

/* 1,048,576 is a border. A forecast that moves over it and back must not throw away what is there,
 * but one that has moved on for good must. */
static void filter_forecast_within_doubt_keeps_the_shape(void **state)
{
    (void)state;
    struct id_filter_shape shape, below = id_filter_shape_for(1048576),
                                  above = id_filter_shape_for(1048577);
    struct sale sale = sale_of(1060000, 500000, 500000);
    assert_true(filter_forecast_shape(&sale, &below, &shape));
    assert_int_equal(shape.bytes, below.bytes);
    sale = sale_of(1060000, 1000000, 1000000);
    assert_true(filter_forecast_shape(&sale, &below, &shape));
    assert_int_equal(shape.bytes, above.bytes);
    sale = sale_of(1040000, 500000, 500000);
    assert_true(filter_forecast_shape(&sale, &above, &shape));
    assert_int_equal(shape.bytes, above.bytes);
    sale = sale_of(1040000, 1000000, 1000000);
    assert_true(filter_forecast_shape(&sale, &above, &shape));
    assert_int_equal(shape.bytes, below.bytes);
}

/* At the very edge of what a filter can hold the doubt reaches no further. */
static void filter_forecast_doubt_at_the_largest_shape_stays_within_it(void **state)
{
    (void)state;
    struct id_filter_shape shape, largest = id_filter_shape_for(ID_FILTER_IDS_MAX);
    struct sale sale = sale_of(10000000, 2000000, 3355443);
    assert_true(filter_forecast_shape(&sale, &largest, &shape));
    assert_int_equal(shape.bytes, largest.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_forecast_single_units_is_the_whole_stock),
        cmocka_unit_test(filter_forecast_small_or_young_sale_is_none),
        cmocka_unit_test(filter_forecast_counts_orders_a_unit),
        cmocka_unit_test(filter_forecast_too_many_orders_is_none),
        cmocka_unit_test(filter_forecast_within_doubt_keeps_the_shape),
        cmocka_unit_test(filter_forecast_doubt_at_the_largest_shape_stays_within_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
