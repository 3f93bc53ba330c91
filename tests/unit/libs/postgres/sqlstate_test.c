#include "postgres/sqlstate.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What a worker does next depends on this table alone. */
static void sqlstate_classify_of_each_kind_is_its_status(void **state)
{
    static const struct {
        const char *sqlstate;
        enum db_status status;
    } cases[] = {
        {"00000", DB_OK},
        {"08006", DB_CONNECTION_LOST},
        {"08P01", DB_CONNECTION_LOST},
        {"25P03", DB_CONNECTION_LOST},
        {"22021", DB_DATA},
        {"23505", DB_CONSTRAINT},
        {"23514", DB_CONSTRAINT},
        {"40001", DB_ROLLBACK},
        {"40P01", DB_ROLLBACK},
        {"25006", DB_READ_ONLY},
        {"25P02", DB_OTHER},
        {"55P03", DB_TIMEOUT},
        {"57014", DB_TIMEOUT},
        {"57P01", DB_SHUTDOWN},
        {"57P02", DB_SHUTDOWN},
        {"57P03", DB_SHUTDOWN},
        {"57P05", DB_SHUTDOWN},
        {"57P04", DB_OTHER},
        {"53300", DB_TOO_MANY},
        {"53100", DB_RESOURCES},
        {"54000", DB_RESOURCES},
        {"28P01", DB_ACCESS},
        {"3D000", DB_ACCESS},
        {"42501", DB_ACCESS},
        {"42P01", DB_STATEMENT},
        {"26000", DB_STATEMENT},
        {"0A000", DB_STATEMENT},
        {"XX000", DB_OTHER},
        {"P0001", DB_OTHER},
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(sqlstate_classify(cases[i].sqlstate), cases[i].status);
    }
}

/* libpq gives no SQLSTATE when the connection breaks: that must never look harmless. */
static void sqlstate_classify_of_none_is_a_loss(void **state)
{
    (void)state;
    assert_int_equal(sqlstate_classify(NULL), DB_CONNECTION_LOST);
    assert_int_equal(sqlstate_classify(""), DB_CONNECTION_LOST);
    assert_int_equal(sqlstate_classify("2"), DB_OTHER);
}

/* Rule A3: after COMMIT was sent only these prove that nothing was committed. */
static void sqlstate_proves_rollback_of_two_classes_only(void **state)
{
    (void)state;
    assert_true(sqlstate_proves_rollback("23505"));
    assert_true(sqlstate_proves_rollback("40001"));
    assert_true(sqlstate_proves_rollback("40P01"));
    assert_false(sqlstate_proves_rollback("40003")); /* statement completion unknown */
    assert_false(sqlstate_proves_rollback("57014"));
    assert_false(sqlstate_proves_rollback("57P01"));
    assert_false(sqlstate_proves_rollback("XX000"));
    assert_false(sqlstate_proves_rollback("00000"));
    assert_false(sqlstate_proves_rollback(""));
    assert_false(sqlstate_proves_rollback(NULL));
}

/* Labels are metric names: one each, none shared. */
static void sqlstate_status_labels_are_distinct(void **state)
{
    (void)state;
    for (int i = 0; i < DB_STATUS_COUNT; i++) {
        const char *label = sqlstate_status_label((enum db_status)i);
        assert_true(strlen(label) > 0);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(label, sqlstate_status_label((enum db_status)j));
        }
    }
    assert_string_equal(sqlstate_status_label(DB_CONNECTION_LOST), "connection_lost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlstate_classify_of_each_kind_is_its_status),
        cmocka_unit_test(sqlstate_classify_of_none_is_a_loss),
        cmocka_unit_test(sqlstate_proves_rollback_of_two_classes_only),
        cmocka_unit_test(sqlstate_status_labels_are_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
