#include "postgres/prepared.h"

#include "base/check.h"
#include "postgres/statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A statement executed without its Parse is an error; one parsed twice is too (42P05). */
static void prepared_of_the_most_statements_keeps_each_state(void **state)
{
    static struct statement statements[PREPARED_STATEMENTS_MAX];
    static struct prepared prepared;
    (void)state;

    prepared_clear(&prepared);
    for (size_t i = 0; i < COUNT_OF(statements); i++) {
        assert_int_equal(prepared_get(&prepared, &statements[i]), PREPARED_NO);
        prepared_set(&prepared, &statements[i], PREPARED_SENT);
    }
    for (size_t i = 0; i < COUNT_OF(statements); i++) {
        prepared_set(&prepared, &statements[i], i % 2 == 0 ? PREPARED_YES : PREPARED_NO);
    }
    for (size_t i = 0; i < COUNT_OF(statements); i++) {
        assert_int_equal(prepared_get(&prepared, &statements[i]),
                         i % 2 == 0 ? PREPARED_YES : PREPARED_NO);
    }
}

/* A new connection knows nothing. */
static void prepared_clear_forgets(void **state)
{
    static const struct statement statement = {.name = "s"};
    static struct prepared prepared;
    (void)state;

    prepared_set(&prepared, &statement, PREPARED_YES);
    prepared_clear(&prepared);
    assert_int_equal(prepared_get(&prepared, &statement), PREPARED_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prepared_of_the_most_statements_keeps_each_state),
        cmocka_unit_test(prepared_clear_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
