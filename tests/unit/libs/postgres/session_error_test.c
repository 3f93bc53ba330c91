#include "postgres/session_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A message becomes one line of a log: no line breaks, no trailing space. */
static void session_error_copy_line_makes_one_line(void **state)
{
    char line[64];
    (void)state;

    session_error_copy_line(line, sizeof(line), "connection failed\n\tIs it running?\n");
    assert_string_equal(line, "connection failed  Is it running?");
    session_error_copy_line(line, sizeof(line), "");
    assert_string_equal(line, "");
}

/* A cut in the middle of a character would make the log line invalid JSON. */
static void session_error_copy_line_cuts_between_characters(void **state)
{
    char line[8];
    (void)state;

    session_error_copy_line(line, sizeof(line), "1234567");
    assert_string_equal(line, "1234567");
    session_error_copy_line(line, sizeof(line), "12345678");
    assert_string_equal(line, "1234567");
    session_error_copy_line(line, sizeof(line), "12345\xe2\x82\xac");
    assert_string_equal(line, "12345");
    session_error_copy_line(line, sizeof(line), "1234\xe2\x82\xac");
    assert_string_equal(line, "1234\xe2\x82\xac");
}

/* Before the encoding is agreed on, a server may speak in any. */
static void session_error_copy_line_of_other_encodings_masks_bytes(void **state)
{
    char line[32];
    (void)state;

    session_error_copy_line(line, sizeof(line), "Rolle \xbbx\xab fehlt");
    assert_string_equal(line, "Rolle ?x? fehlt");
}

/* An operator must see which of the prepared statements does not fit the schema. */
static void session_error_name_statement_keeps_code_and_cause(void **state)
{
    struct session_error error;
    (void)state;

    memset(&error, 0x7f, sizeof(error));
    assert_int_equal(session_error_set(&error, DB_STATEMENT, "relation \"%s\" is missing", "sales"),
                     DB_STATEMENT);
    session_error_name_statement(&error, "lock_sale");
    assert_string_equal(error.message, "statement lock_sale: relation \"sales\" is missing");
    assert_int_equal(error.status, DB_STATEMENT);
    assert_string_equal(error.sqlstate, "");
    assert_string_equal(error.constraint, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_error_copy_line_makes_one_line),
        cmocka_unit_test(session_error_copy_line_cuts_between_characters),
        cmocka_unit_test(session_error_copy_line_of_other_encodings_masks_bytes),
        cmocka_unit_test(session_error_name_statement_keeps_code_and_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
