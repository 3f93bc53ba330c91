#include "config/setting_mask.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void check(const char *text, const char *expected)
{
    struct arena arena;
    arena_init(&arena, 1024, 65536);
    const char *masked = setting_mask_url(&arena, text);
    assert_non_null(masked);
    assert_string_equal(masked, expected);
    arena_fini(&arena);
}

/* The usual form of DATABASE_URL; the rest stays readable, for it is what people look for. */
static void setting_mask_url_password_of_user_is_masked(void **state)
{
    (void)state;
    check("postgresql://shop:s3cret@db:5432/stampede",
          "postgresql://shop:********@db:5432/stampede");
    check("postgres://shop:@db/x", "postgres://shop:********@db/x");
    check("https://user:p:w@collector:4318/v1", "https://user:********@collector:4318/v1");
}

/* People paste passwords unescaped; guessing too short would print the end of one. */
static void setting_mask_url_unescaped_password_is_masked_whole(void **state)
{
    (void)state;
    check("postgresql://shop:p@ss/w?rd@db/x", "postgresql://shop:********@db/x");
    check("shop:s3cret@db/x?sslmode=require", "shop:********@db/x?sslmode=require");
    check("postgresql://u:p@h/x?options=a@b&password=s",
          "postgresql://u:********@b&password=********");
}

/* libpq takes the password as a parameter too, with its name in any spelling. */
static void setting_mask_url_secret_parameters_are_masked(void **state)
{
    (void)state;
    check("postgresql://db/x?user=shop&password=s3cret&sslmode=require",
          "postgresql://db/x?user=shop&password=********&sslmode=require");
    check("postgresql://db/x?sslpassword=a&PassWord=b&flag",
          "postgresql://db/x?sslpassword=********&PassWord=********&flag");
    check("postgresql://db/x?pass%77ord=s3cret", "postgresql://db/x?pass%77ord=********");
}

/* Nothing to hide: nothing changes. */
static void setting_mask_url_without_secret_is_unchanged(void **state)
{
    static const char *const texts[] = {"",
                                        "postgresql://shop@db:5432/x?sslmode=require",
                                        "http://127.0.0.1:4318",
                                        "collector:4317",
                                        "host=db port=5432 dbname=x user=shop",
                                        "host=db passfile=/etc/pass",
                                        "postgresql://h1:1,h2:2/x?target_session_attrs=read-write",
                                        "nonsense"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        check(texts[i], texts[i]);
    }
}

/* The key=value form, with libpq's quotes, escapes and white space around the equals sign. */
static void setting_mask_url_pairs_password_is_masked(void **state)
{
    (void)state;
    check("host=db password=s3cret dbname=x", "host=db password=******** dbname=x");
    check("password = 'two words \\' more' host=db", "password = ******** host=db");
    check("host=db password=a\\ b user=u", "host=db password=******** user=u");
    check("host=db password='open", "host=db password=********");
    check("password=", "password=********");
}

/* A full arena is an error of the caller's, not a crash. */
static void setting_mask_url_arena_full_gives_null(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 16, 16);
    assert_null(setting_mask_url(&arena, "postgresql://shop:s3cret@db:5432/stampede"));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_mask_url_password_of_user_is_masked),
        cmocka_unit_test(setting_mask_url_unescaped_password_is_masked_whole),
        cmocka_unit_test(setting_mask_url_secret_parameters_are_masked),
        cmocka_unit_test(setting_mask_url_without_secret_is_unchanged),
        cmocka_unit_test(setting_mask_url_pairs_password_is_masked),
        cmocka_unit_test(setting_mask_url_arena_full_gives_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
