/*
 * How the server runs the service's own statements in the service's own sessions, told by its
 * module auto_explain: with no order in the table, with many, and by plans that were made before
 * there were many. A scan of the table, or of a whole index of it, is what a hot sale cannot
 * afford under its lock.
 */
#include "store_fixture.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ORDERS_MANY 200000

/* Rows that a scan may look at for one batch: far more than it asks for, far less than there are.
 */
#define ROWS_MAX (4 * PLACEMENT_BATCH_MAX)

#define LINE_BYTES 4096

static struct store_fixture_batch batch;
static long log_offset;

static int start(void **state)
{
    if (store_fixture_start(state) != 0) {
        return -1;
    }
    store_fixture_admin("ALTER ROLE stampede SET session_preload_libraries = 'auto_explain';"
                        "ALTER ROLE stampede SET auto_explain.log_min_duration = 0;"
                        "ALTER ROLE stampede SET auto_explain.log_analyze = on");
    return 0;
}

static FILE *open_log(void)
{
    char path[SCRATCH_POSTGRES_PATH_BYTES + 8];
    snprintf(path, sizeof(path), "%s/log", store_fixture_server()->folder);
    FILE *log = fopen(path, "re");
    assert_non_null(log);
    return log;
}

/* Plans that were logged before this moment are not looked at. */
static void mark_log(void)
{
    FILE *log = open_log();
    assert_int_equal(fseek(log, 0, SEEK_END), 0);
    log_offset = ftell(log);
    fclose(log);
}

/* The number behind a label of a plan's line, or 0. */
static long long number_after(const char *line, const char *label)
{
    const char *at = strstr(line, label);
    return at == NULL ? 0 : strtoll(at + strlen(label), NULL, 10);
}

/* The rows that a node really returned: "(actual time=... rows=3 loops=1)". */
static long long actual_rows(const char *line)
{
    const char *actual = strstr(line, "(actual ");
    return actual == NULL ? 0 : number_after(actual, "rows=") * number_after(actual, "loops=");
}

/* Every plan since the mark is free of large scans; there are some that use each of the indexes. */
static void expect_index_scans(bool with_holdings)
{
    static char line[LINE_BYTES];
    unsigned by_id = 0, by_customer = 0, inserts = 0;
    FILE *log = open_log();

    assert_int_equal(fseek(log, log_offset, SEEK_SET), 0);
    while (fgets(line, sizeof(line), log) != NULL) {
        if (strstr(line, "Seq Scan on orders") != NULL ||
            strstr(line, "Seq Scan on sales") != NULL ||
            number_after(line, "Rows Removed by Filter: ") > ROWS_MAX ||
            number_after(line, "Rows Removed by Index Recheck: ") > ROWS_MAX ||
            actual_rows(line) > ROWS_MAX) {
            fclose(log);
            fail_msg("a plan looks at too many rows: %s", line);
        }
        by_id += strstr(line, "using orders_pkey on orders") != NULL ||
                 strstr(line, "Bitmap Index Scan on orders_pkey") != NULL;
        by_customer += strstr(line, "using orders_held_by_customer on orders") != NULL ||
                       strstr(line, "Bitmap Index Scan on orders_held_by_customer") != NULL;
        inserts += strstr(line, "Insert on orders") != NULL;
    }
    fclose(log);
    assert_true(by_id > 0 && inserts > 0);
    assert_true(!with_holdings || by_customer > 0);
}

/* A batch of new orders, the same again as replays, and one order read by its customer. */
static void place_and_read(struct store_fixture_worker *worker, const struct uuid *sale_id,
                           const char *prefix)
{
    struct store_order order;

    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, sale_id, prefix, PLACEMENT_BATCH_MAX);
    store_fixture_place(worker, sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    store_fixture_place(worker, sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_REPLAYED);
    assert_int_equal(worker->store.get_order(worker->store.data, sale_id,
                                             &batch.items[7].in.order_id, batch.customers[7],
                                             store_fixture_deadline(worker), &worker->arena,
                                             &order),
                     STORE_OK);
}

/* Orders of other customers in the same sale, half of them not held any more. */
static void insert_many(const struct uuid *sale_id)
{
    store_fixture_admin(
        "INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, status) "
        "SELECT sale_id, gen_random_uuid(), orders_count + n, 'bulk-' || n, 1, "
        "(CASE n %% 2 WHEN 0 THEN 'CONFIRMED' ELSE 'CANCELLED' END)::order_status "
        "FROM sales, generate_series(1, %d) AS n WHERE sale_id = '%s'",
        ORDERS_MANY, store_fixture_text(sale_id));
    store_fixture_admin("UPDATE sales SET orders_count = orders_count + %d, "
                        "stock_remaining = stock_remaining - %d WHERE sale_id = '%s'",
                        ORDERS_MANY, ORDERS_MANY / 2, store_fixture_text(sale_id));
}

/* From an empty table to a large one, with sessions of both ages, before and after ANALYZE. */
static void scan_free_from_empty_to_many(int32_t limit)
{
    struct uuid sale_id = store_fixture_sale(SALE_STOCK_MAX, limit, 0);
    struct store_fixture_worker old, young;

    store_fixture_admin("TRUNCATE orders");
    store_fixture_worker_start(&old);
    mark_log();
    place_and_read(&old, &sale_id, "a");
    expect_index_scans(limit > 0);
    insert_many(&sale_id);
    mark_log();
    place_and_read(&old, &sale_id, "b");
    expect_index_scans(limit > 0);
    store_fixture_worker_start(&young);
    mark_log();
    place_and_read(&young, &sale_id, "c");
    expect_index_scans(limit > 0);
    store_fixture_admin("ANALYZE orders");
    mark_log();
    place_and_read(&old, &sale_id, "d");
    place_and_read(&young, &sale_id, "e");
    expect_index_scans(limit > 0);
    store_fixture_worker_fini(&young);
    store_fixture_worker_fini(&old);
}

static void plans_of_a_sale_without_a_limit_never_scan(void **state)
{
    (void)state;
    scan_free_from_empty_to_many(0);
}

static void plans_of_a_sale_with_a_limit_never_scan(void **state)
{
    (void)state;
    scan_free_from_empty_to_many(2);
}

/* The sub-select that spares sales without a limit the look at holdings, seen from outside. */
static void plans_of_a_sale_without_a_limit_read_no_holdings(void **state)
{
    static char line[LINE_BYTES];
    struct uuid sale_id = store_fixture_sale(SALE_STOCK_MAX, 0, 0);
    struct store_fixture_worker worker;
    unsigned looked = 0, spared = 0;
    (void)state;

    store_fixture_worker_start(&worker);
    mark_log();
    place_and_read(&worker, &sale_id, "a");
    FILE *log = open_log();
    assert_int_equal(fseek(log, log_offset, SEEK_SET), 0);
    while (fgets(line, sizeof(line), log) != NULL) {
        if (strstr(line, "orders_held_by_customer") != NULL) {
            spared += strstr(line, "(never executed)") != NULL;
            looked += strstr(line, "(actual ") != NULL;
        }
    }
    fclose(log);
    assert_int_equal(looked, 0);
    assert_true(spared > 0);
    store_fixture_worker_fini(&worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_of_a_sale_without_a_limit_never_scan),
        cmocka_unit_test(plans_of_a_sale_with_a_limit_never_scan),
        cmocka_unit_test(plans_of_a_sale_without_a_limit_read_no_holdings),
    };
    return cmocka_run_group_tests(tests, start, store_fixture_stop);
}
