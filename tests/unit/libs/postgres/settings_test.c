#include "postgres/settings.h"

#include "postgres/session.h"
#include "postgres/sql_type.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct session_config config = {.conninfo = "",
                                             .application_name = "settings_test",
                                             .lock_timeout_ms = 250,
                                             .statement_timeout_ms = 1000,
                                             .idle_in_transaction_timeout_ms = 1500,
                                             .tcp_user_timeout_ms = 2000};

/* The settings as a server with them in force answers, from the options themselves. */
static struct session_result answer_of_options(void)
{
    char options[SETTINGS_OPTIONS_BYTES];
    char column_name[] = "c";
    PGresAttDesc columns[2] = {
        {.name = column_name, .typid = SQL_TYPE_TEXT, .format = 1, .typlen = -1},
        {.name = column_name, .typid = SQL_TYPE_TEXT, .format = 1, .typlen = -1}};
    PGresult *answer = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    int count = 0;

    assert_true(PQsetResultAttrs(answer, 2, columns));
    settings_write_options(&config, options);
    for (char *save, *word = strtok_r(options, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(word, '=');
        if (equals != NULL) {
            assert_true(PQsetvalue(answer, count, 0, word, (int)(equals - word)));
            assert_true(PQsetvalue(answer, count, 1, equals + 1, (int)strlen(equals + 1)));
            count++;
        }
    }
    return (struct session_result){._result = answer, .row_count = (size_t)count};
}

/* Rule A6 by its letter. */
static void settings_write_options_demands_rule_a6(void **state)
{
    static const char *const demanded[] = {"-c synchronous_commit=on ",
                                           "-c lock_timeout=250 ",
                                           "-c statement_timeout=1000 ",
                                           "-c idle_in_transaction_session_timeout=1500 ",
                                           "-c client_connection_check_interval=500 ",
                                           "-c plan_cache_mode=force_generic_plan ",
                                           "-c enable_seqscan=off ",
                                           "-c jit=off ",
                                           "-c TimeZone=UTC ",
                                           "-c tcp_user_timeout=2000"};
    char options[SETTINGS_OPTIONS_BYTES];
    (void)state;

    settings_write_options(&config, options);
    for (size_t i = 0; i < COUNT_OF(demanded); i++) {
        assert_non_null(strstr(options, demanded[i]));
        if (i + 1 < COUNT_OF(demanded)) { /* the last is not verified: a Unix socket shows 0 */
            char quoted[64] = "'";
            strncat(quoted, demanded[i] + 3, strcspn(demanded[i], "=") - 3);
            assert_non_null(strstr(settings_statement.sql, quoted));
        }
    }
}

/* Everything as demanded is no override. */
static void settings_find_override_of_the_demanded_is_none(void **state)
{
    struct session_result answer = answer_of_options();
    struct settings_override override;
    (void)state;

    assert_false(settings_find_override(&config, &answer, &override));
    session_result_fini(&answer);
}

/* Each single setting counts, changed or untold. */
static void settings_find_override_of_any_other_value_names_it(void **state)
{
    struct session_result answer = answer_of_options();
    struct settings_override override;
    char name[64], empty[] = "", other[] = "other";
    int verified = 0;
    (void)state;

    for (int i = 0; i < (int)answer.row_count; i++) {
        char kept[64];
        strcpy(name, PQgetvalue(answer._result, i, 0));
        strcpy(kept, PQgetvalue(answer._result, i, 1));
        if (strncmp(name, "tcp_", 4) == 0) {
            continue; /* no use on a Unix socket, where the server shows 0 */
        }
        verified++;
        assert_true(PQsetvalue(answer._result, i, 1, other, (int)strlen(other)));
        assert_true(settings_find_override(&config, &answer, &override));
        assert_string_equal(override.name, name);
        assert_string_equal(override.demanded, kept);
        assert_string_equal(override.found, "other");
        assert_true(PQsetvalue(answer._result, i, 0, empty, 0));
        assert_true(settings_find_override(&config, &answer, &override));
        assert_string_equal(override.name, name);
        assert_string_equal(override.found, "");
        assert_true(PQsetvalue(answer._result, i, 0, name, (int)strlen(name)));
        assert_true(PQsetvalue(answer._result, i, 1, kept, (int)strlen(kept)));
    }
    assert_int_equal(verified, 10);
    session_result_fini(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_write_options_demands_rule_a6),
        cmocka_unit_test(settings_find_override_of_the_demanded_is_none),
        cmocka_unit_test(settings_find_override_of_any_other_value_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
