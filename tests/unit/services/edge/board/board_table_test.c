#include "edge/board/board_table.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SALES_MAX 3
#define NOW_NS    (INT64_C(1000000) * CLOCK_NS_PER_MS)

static const uint64_t secret[2] = {7, 11};

static struct uuid sale_of(unsigned number)
{
    struct uuid sale_id = {{0x01, 0x90, 0xa5}};
    sale_id.bytes[15] = (uint8_t)number;
    return sale_id;
}

static int set_up(void **state)
{
    static struct board_table table;
    *state = &table;
    return board_table_init(&table, SALES_MAX, secret);
}

static int tear_down(void **state)
{
    board_table_fini(*state);
    return 0;
}

static struct board_sale *order(struct board_table *table, unsigned number, bool *ret_wakes)
{
    struct uuid sale_id = sale_of(number);
    board_table_lock(table);
    struct board_sale *sale =
        board_table_note_traffic_locked(table, &sale_id, NOW_NS + number, ret_wakes);
    board_table_unlock(table);
    return sale;
}

static void vouch(struct board_table *table, struct board_sale *sale)
{
    board_table_lock(table);
    board_table_make_known_locked(table, sale);
    board_table_unlock(table);
}

static bool is_there(struct board_table *table, unsigned number)
{
    struct uuid sale_id = sale_of(number);
    board_table_lock(table);
    bool found = board_table_find_locked(table, &sale_id) != NULL;
    board_table_unlock(table);
    return found;
}

/* The asker sleeps while nobody orders; a signal per order would cost each a system call. */
static void board_table_first_traffic_alone_wakes(void **state)
{
    bool wakes = false;
    const struct board_sale *sale = order(*state, 1, &wakes);
    assert_non_null(sale);
    assert_true(wakes);
    assert_ptr_equal(order(*state, 1, &wakes), sale);
    assert_false(wakes);
    assert_int_equal(board_table_count(*state), 1);
}

/* Made-up ids push out each other, the oldest first, and never a sale that exists. */
static void board_table_newcomers_displace_newcomers_only(void **state)
{
    bool wakes;
    vouch(*state, order(*state, 1, &wakes));
    assert_non_null(order(*state, 2, &wakes));
    assert_non_null(order(*state, 3, &wakes));
    assert_true(board_table_has_newcomers(*state));
    assert_non_null(order(*state, 4, &wakes));
    assert_true(is_there(*state, 1));
    assert_false(is_there(*state, 2));
    assert_true(is_there(*state, 3));
    assert_true(is_there(*state, 4));
}

/* A table full of known sales has no place for another; the order is forwarded without. */
static void board_table_full_of_known_sales_takes_no_other(void **state)
{
    bool wakes;
    for (unsigned i = 1; i <= SALES_MAX; i++) {
        vouch(*state, order(*state, i, &wakes));
    }
    assert_false(board_table_has_newcomers(*state));
    assert_null(order(*state, SALES_MAX + 1, &wakes));
    assert_int_equal(board_table_count(*state), SALES_MAX);
}

/* The place of a sale that was forgotten is another's, and nothing of the old one is left in it. */
static void board_table_removed_sale_gives_its_place_away(void **state)
{
    struct board_table *table = *state;
    bool wakes;
    for (unsigned i = 1; i <= SALES_MAX; i++) {
        struct board_sale *sale = order(table, i, &wakes);
        sale->entry.version = 5;
        sale->no_room_total = 7;
        vouch(table, sale);
    }
    struct uuid sale_id = sale_of(2);
    board_table_lock(table);
    board_table_remove_locked(table, &table->_shared.known,
                              board_table_find_locked(table, &sale_id));
    board_table_unlock(table);
    assert_false(is_there(table, 2));
    const struct board_sale *sale = order(table, 4, &wakes);
    assert_non_null(sale);
    assert_int_equal(sale->entry.version, 0);
    assert_int_equal(sale->no_room_total, 0);
    assert_int_equal(sale->traffic_ns, NOW_NS + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(board_table_first_traffic_alone_wakes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(board_table_newcomers_displace_newcomers_only, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(board_table_full_of_known_sales_takes_no_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(board_table_removed_sale_gives_its_place_away, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
