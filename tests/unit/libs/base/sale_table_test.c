#include "base/sale_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ENTRIES 200

static const uint64_t secret[2] = {3, 5};

static struct sale_table_entry entry_of(unsigned number)
{
    struct sale_table_entry entry;
    memset(&entry, 0, sizeof(entry));
    entry.sale_id.bytes[15] = (uint8_t)number;
    entry.sale_id.bytes[3] = (uint8_t)(number >> 4);
    return entry;
}

/* Orders of one sale must meet in one queue, also when many sales share few chains. */
static void sale_table_many_entries_are_each_found(void **state)
{
    (void)state;
    struct sale_table table;
    struct sale_table_entry entries[ENTRIES];
    assert_int_equal(sale_table_init(&table, 8, secret), 0);
    for (unsigned i = 0; i < ENTRIES; i++) {
        entries[i] = entry_of(i);
        assert_null(sale_table_find(&table, &entries[i].sale_id));
        sale_table_add(&table, &entries[i]);
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        assert_ptr_equal(sale_table_find(&table, &entries[i].sale_id), &entries[i]);
    }
    sale_table_fini(&table);
}

/* A removed sale must be gone while its neighbours in the chain stay. */
static void sale_table_removed_entries_leave_the_others(void **state)
{
    (void)state;
    struct sale_table table;
    struct sale_table_entry entries[ENTRIES];
    assert_int_equal(sale_table_init(&table, 8, secret), 0);
    for (unsigned i = 0; i < ENTRIES; i++) {
        entries[i] = entry_of(i);
        sale_table_add(&table, &entries[i]);
    }
    for (unsigned i = 0; i < ENTRIES; i += 2) {
        sale_table_remove(&table, &entries[i]);
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct sale_table_entry *expected = i % 2 == 0 ? NULL : &entries[i];
        assert_ptr_equal(sale_table_find(&table, &entries[i].sale_id), expected);
    }
    sale_table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sale_table_many_entries_are_each_found),
        cmocka_unit_test(sale_table_removed_entries_leave_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
