#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLES_MAX 8

struct shop_settings {
    int64_t pool_size, queue_max;
    int64_t deadline_ms, pause_ms;
    int64_t body_bytes;
    const char *title;
    const char *token;
    const char *database_url;
    struct config_address address;
    struct config_address optional_address;
    int format;
    bool http2;
};

static const char *const formats[] = {"json", "text", NULL};

static const struct config_setting settings_table[] = {
    CONFIG_INT(struct shop_settings, pool_size, "SHOP_POOL_SIZE", "5", 1, 1000, "connections",
               "Connections to PostgreSQL."),
    CONFIG_INT(struct shop_settings, queue_max, "SHOP_QUEUE_MAX", "0", INT64_MIN, INT64_MAX,
               "orders", "Orders that may wait."),
    CONFIG_DURATION_MS(struct shop_settings, deadline_ms, "SHOP_DEADLINE_MS", "2s", 100, 60000,
                       "How long a request may take."),
    CONFIG_DURATION_MS(struct shop_settings, pause_ms, "SHOP_PAUSE_MS", "0", 0, 3600000,
                       "How long to pause."),
    CONFIG_BYTES(struct shop_settings, body_bytes, "SHOP_BODY_BYTES", "64KiB", 1024, 1 << 30,
                 "The largest body."),
    CONFIG_STRING(struct shop_settings, title, "SHOP_TITLE", NULL, 2, 10, "What it is called."),
    CONFIG_SECRET(struct shop_settings, token, "STAMPEDE_ADMIN_TOKEN", 8, 100,
                  "What admins carry."),
    CONFIG_URL_REQUIRED(struct shop_settings, database_url, "DATABASE_URL", "Where PostgreSQL is."),
    CONFIG_ADDRESS(struct shop_settings, address, "SHOP_ADDR", "127.0.0.1:8080",
                   "Where to listen."),
    CONFIG_ADDRESS(struct shop_settings, optional_address, "SHOP_OPTIONAL_PORT", NULL,
                   "Where to listen too."),
    CONFIG_CHOICE(struct shop_settings, format, "LOG_FORMAT", "json", formats, "How lines look."),
    CONFIG_BOOL(struct shop_settings, http2, "SHOP_HTTP2", "off", "Whether to speak HTTP/2."),
};

static void check_together(const void *data, struct config_problems *problems)
{
    const struct shop_settings *settings = data;
    if (settings->pause_ms >= settings->deadline_ms) {
        config_problems_add(problems, "SHOP_PAUSE_MS", "must be below SHOP_DEADLINE_MS (%d ms)",
                            (int)settings->deadline_ms);
    }
    if (settings->token != NULL && settings->queue_max == 13) {
        config_problems_add(problems, "STAMPEDE_ADMIN_TOKEN", "brings bad luck");
    }
}

static const struct config_program program = {
    .name = "stampede-shop",
    .version = "1.2.3 (abc)",
    .summary = "Sells things.",
    .prefix = "SHOP_",
    .settings = settings_table,
    .settings_count = COUNT_OF(settings_table),
    .check = check_together,
};

/* One run of config_load and what it printed. */
struct run {
    struct shop_settings settings;
    struct config *config;
    enum config_verdict verdict;
    char *out, *err;
    char env_path[32];
};

static int set_up(void **state)
{
    struct run *run = calloc(1, sizeof(*run));
    assert_non_null(run);
    *state = run;
    return 0;
}

static void reset(struct run *run)
{
    config_destroy(run->config);
    free(run->out);
    free(run->err);
    memset(run, 0, sizeof(*run));
}

static int tear_down(void **state)
{
    struct run *run = *state;
    reset(run);
    free(run);
    return 0;
}

/* Up to VARIABLES_MAX variables and the text of a .env file, each of which may be NULL. */
static void load(struct run *run, const char *argument, const char *const *variables,
                 const char *env_text)
{
    char *environment[VARIABLES_MAX + 1] = {NULL};
    char *argv[] = {(char *)(uintptr_t) "shop", (char *)(uintptr_t)argument, NULL};
    size_t out_length, err_length;
    reset(run);
    for (size_t i = 0; variables != NULL && variables[i] != NULL; i++) {
        assert_true(i < VARIABLES_MAX);
        environment[i] = (char *)(uintptr_t)variables[i];
    }
    if (env_text != NULL) {
        strcpy(run->env_path, "config_test.XXXXXX");
        int fd = mkstemp(run->env_path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, env_text, strlen(env_text)), strlen(env_text));
        close(fd);
    }
    struct config_source source = {.argc = argument == NULL ? 1 : 2,
                                   .argv = argv,
                                   .environment = environment,
                                   .env_file_path = env_text == NULL ? NULL : run->env_path,
                                   .out = open_memstream(&run->out, &out_length),
                                   .err = open_memstream(&run->err, &err_length)};
    run->verdict = config_load(&program, &source, &run->settings, &run->config);
    fclose(source.out);
    fclose(source.err);
    if (env_text != NULL) {
        unlink(run->env_path);
    }
}

#define VARIABLES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define URL            "DATABASE_URL=postgresql://shop:s3cret@db/x"

/* Loads with one variable, expects a refusal and returns the first problem's line. */
static const char *refusal_of(struct run *run, const char *variable)
{
    load(run, NULL, VARIABLES(URL, variable), NULL);
    assert_int_equal(run->verdict, CONFIG_REFUSED);
    assert_null(run->config);
    char *line = strchr(run->err, '\n');
    assert_non_null(line);
    line += 3;
    *strchr(line, '\n') = '\0';
    return line;
}

/* Without anything but what is required, every value is its default. */
static void config_load_defaults_fill_the_struct(void **state)
{
    struct run *run = *state;
    load(run, NULL, VARIABLES(URL), NULL);
    assert_int_equal(run->verdict, CONFIG_RUN);
    assert_string_equal(run->err, "");
    assert_int_equal(run->settings.pool_size, 5);
    assert_int_equal(run->settings.deadline_ms, 2000);
    assert_int_equal(run->settings.body_bytes, 65536);
    assert_null(run->settings.title);
    assert_null(run->settings.token);
    assert_string_equal(run->settings.database_url, "postgresql://shop:s3cret@db/x");
    assert_string_equal(run->settings.address.host, "127.0.0.1");
    assert_int_equal(run->settings.address.port, 8080);
    assert_string_equal(run->settings.address.text, "127.0.0.1:8080");
    assert_string_equal(run->settings.optional_address.text, "");
    assert_int_equal(run->settings.format, 0);
    assert_false(run->settings.http2);
}

/* Each type's spellings. */
static void config_load_values_are_read_by_type(void **state)
{
    struct run *run = *state;
    load(run, NULL,
         VARIABLES(URL, "SHOP_QUEUE_MAX=-9223372036854775808", "SHOP_DEADLINE_MS=1m",
                   "SHOP_BODY_BYTES=1GiB",
                   "SHOP_TITLE=B\xc3\xbc"
                   "cher",
                   "LOG_FORMAT=text", "SHOP_HTTP2=Yes", "SHOP_ADDR=[::1]:0"),
         NULL);
    assert_int_equal(run->verdict, CONFIG_RUN);
    assert_true(run->settings.queue_max == INT64_MIN);
    assert_int_equal(run->settings.deadline_ms, 60000);
    assert_int_equal(run->settings.body_bytes, 1 << 30);
    assert_string_equal(run->settings.title, "B\xc3\xbc"
                                             "cher");
    assert_int_equal(run->settings.format, 1);
    assert_true(run->settings.http2);
    assert_string_equal(run->settings.address.host, "::1");
    assert_string_equal(run->settings.address.text, "[::1]:0");
    assert_int_equal(run->settings.address.port, 0);
}

/* A container's environment overrides the file of a developer; empty values say nothing. */
static void config_load_environment_wins_and_empty_is_unset(void **state)
{
    struct run *run = *state;
    load(run, NULL, VARIABLES(URL, "SHOP_POOL_SIZE=7", "SHOP_QUEUE_MAX=", "SHOP_TITLE="),
         "SHOP_POOL_SIZE=8\nSHOP_QUEUE_MAX=9\nSHOP_TITLE=\nEDGE_ANYTHING=1\n");
    assert_int_equal(run->verdict, CONFIG_RUN);
    assert_int_equal(run->settings.pool_size, 7);
    assert_int_equal(run->settings.queue_max, 9);
    assert_null(run->settings.title);
}

/* The exact lines are what an operator sees at three in the morning. */
static void config_load_bad_value_says_what_where_and_what_is_allowed(void **state)
{
    static const char *const cases[][2] = {
        {"SHOP_POOL_SIZE=abc",
         "SHOP_POOL_SIZE=abc (environment): not a whole number; allowed: 1 to 1000 connections"},
        {"SHOP_POOL_SIZE=0",
         "SHOP_POOL_SIZE=0 (environment): out of range; allowed: 1 to 1000 connections"},
        {"SHOP_POOL_SIZE=99999999999999999999",
         "SHOP_POOL_SIZE=99999999999999999999 (environment): out of range; allowed: 1 to 1000 "
         "connections"},
        {"SHOP_POOL_SIZE=5 ",
         "SHOP_POOL_SIZE=5  (environment): not a whole number; allowed: 1 to 1000 connections"},
        {"SHOP_DEADLINE_MS=5 s",
         "SHOP_DEADLINE_MS=5 s (environment): not a duration; allowed: 100 to 60000 ms"},
        {"SHOP_DEADLINE_MS=9223372036854775807h",
         "SHOP_DEADLINE_MS=9223372036854775807h (environment): out of range; allowed: 100 to "
         "60000 ms"},
        {"SHOP_BODY_BYTES=1MB",
         "SHOP_BODY_BYTES=1MB (environment): not a number of bytes; allowed: 1024 to 1073741824 "
         "bytes"},
        {"SHOP_TITLE=x", "SHOP_TITLE=x (environment): too short; allowed: 2 to 10 bytes"},
        {"SHOP_TITLE=12345678901",
         "SHOP_TITLE=12345678901 (environment): too long; allowed: 2 to 10 bytes"},
        {"SHOP_TITLE=a\nb", "SHOP_TITLE=a?b (environment): control characters are not allowed; "
                            "allowed: 2 to 10 bytes"},
        {"SHOP_TITLE=a\xff",
         "SHOP_TITLE=a? (environment): not valid UTF-8; allowed: 2 to 10 bytes"},
        {"STAMPEDE_ADMIN_TOKEN=hunter2",
         "STAMPEDE_ADMIN_TOKEN=******** (environment): too short; allowed: 8 to 100 bytes"},
        {"LOG_FORMAT=xml",
         "LOG_FORMAT=xml (environment): not one of the choices; allowed: one of json, text"},
        {"SHOP_HTTP2=maybe",
         "SHOP_HTTP2=maybe (environment): neither true nor false; allowed: true or false"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_string_equal(refusal_of(*state, cases[i][0]), cases[i][1]);
    }
}

/* An address has more ways to be wrong than any other value. */
static void config_load_bad_address_says_what_is_wrong(void **state)
{
    static const char *const cases[][2] = {
        {"8080", "no port"},
        {"127.0.0.1", "no port"},
        {"[::1]", "no port"},
        {"[::1", "no port"},
        {"::1:80", "an IPv6 address needs brackets"},
        {":8080", "the host is neither a name nor an address"},
        {"[127.0.0.1]:80", "the host is neither a name nor an address"},
        {"a b:80", "the host is neither a name nor an address"},
        {"host:", "the port is not a number from 0 to 65535"},
        {"host:65536", "the port is not a number from 0 to 65535"},
        {"host:80x", "the port is not a number from 0 to 65535"},
        {"host:-1", "the port is not a number from 0 to 65535"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char variable[64], expected[256];
        snprintf(variable, sizeof(variable), "SHOP_ADDR=%s", cases[i][0]);
        snprintf(expected, sizeof(expected),
                 "SHOP_ADDR=%s (environment): %s; allowed: host:port or [ipv6]:port, port 0 to "
                 "65535",
                 cases[i][0], cases[i][1]);
        assert_string_equal(refusal_of(*state, variable), expected);
    }
}

/* Mending one problem at a time, start by start, is no way to treat people. */
static void config_load_many_problems_are_listed_at_once(void **state)
{
    struct run *run = *state;
    load(run, NULL,
         VARIABLES("SHOP_POOL_SIZE=0", "SHOP_POLL_SIZE=4", "SHOP_XYZ=1", "OTHER_X=1",
                   "SHOP_PORT=tcp://10.0.0.1:1"),
         "SHOP_HTTP2=perhaps\nbroken\nSHOP_TITEL=x\nSHOP_TITLE=ab\nSHOP_TITLE=cd\n");
    char expected[2048];
    snprintf(expected, sizeof(expected),
             "stampede-shop: not starting, 8 problems with the settings:\n"
             "  line 2 of %s: expected = right after the name\n"
             "  SHOP_POOL_SIZE=0 (environment): out of range; allowed: 1 to 1000 connections\n"
             "  DATABASE_URL (not set): must be set; Where PostgreSQL is.\n"
             "  SHOP_HTTP2=perhaps (line 1 of %s): neither true nor false; allowed: true or "
             "false\n"
             "  SHOP_POLL_SIZE (environment): there is no such setting; did you mean "
             "SHOP_POOL_SIZE?\n"
             "  SHOP_XYZ (environment): there is no such setting\n"
             "  SHOP_TITEL (line 3 of %s): there is no such setting; did you mean SHOP_TITLE?\n"
             "  SHOP_TITLE (line 5 of %s): set on line 4 already\n"
             "stampede-shop --help lists every setting.\n",
             run->env_path, run->env_path, run->env_path, run->env_path);
    assert_int_equal(run->verdict, CONFIG_REFUSED);
    assert_string_equal(run->err, expected);
    assert_string_equal(run->out, "");
}

/* A real setting whose name looks like an injected one is still a setting. */
static void config_load_setting_that_looks_injected_is_read(void **state)
{
    struct run *run = *state;
    load(run, NULL, VARIABLES(URL, "SHOP_OPTIONAL_PORT=localhost:99", "SHOP_SERVICE_HOST=x"), NULL);
    assert_int_equal(run->verdict, CONFIG_RUN);
    assert_string_equal(run->settings.optional_address.text, "localhost:99");
    assert_string_equal(refusal_of(run, "SHOP_OPTIONAL_PORT=tcp://10.0.0.1:1"),
                        "SHOP_OPTIONAL_PORT=tcp://10.0.0.1:1 (environment): an IPv6 address needs "
                        "brackets; allowed: host:port or [ipv6]:port, port 0 to 65535");
}

/* Values that are fine alone and senseless together are refused in the same way. */
static void config_load_impossible_combination_is_refused(void **state)
{
    struct run *run = *state;
    assert_string_equal(refusal_of(run, "SHOP_PAUSE_MS=2s"),
                        "SHOP_PAUSE_MS=2000 (environment): must be below SHOP_DEADLINE_MS (2000 "
                        "ms)");
    load(run, NULL, VARIABLES(URL, "SHOP_QUEUE_MAX=13"), "STAMPEDE_ADMIN_TOKEN=hunter2hunter2");
    assert_int_equal(run->verdict, CONFIG_REFUSED);
    assert_non_null(strstr(run->err, "STAMPEDE_ADMIN_TOKEN=******** (line 1 of "));
    assert_null(strstr(run->err, "hunter2"));
}

/* Support asks for this output: it must show what is in force and no secret. */
static void config_load_print_config_masks_secrets(void **state)
{
    struct run *run = *state;
    load(run, "--print-config",
         VARIABLES("DATABASE_URL=host=db password='s3cret' user=shop", "SHOP_DEADLINE_MS=5s",
                   "SHOP_PORT=tcp://10.0.0.1:1"),
         "STAMPEDE_ADMIN_TOKEN=hunter2hunter2\nSHOP_TITLE='a \"b\" $'\n");
    char expected[2048];
    snprintf(expected, sizeof(expected),
             "SHOP_POOL_SIZE=5  # default\n"
             "SHOP_QUEUE_MAX=0  # default\n"
             "SHOP_DEADLINE_MS=5000  # environment\n"
             "SHOP_PAUSE_MS=0  # default\n"
             "SHOP_BODY_BYTES=65536  # default\n"
             "SHOP_TITLE=\"a \\\"b\\\" \\$\"  # line 2 of %s\n"
             "STAMPEDE_ADMIN_TOKEN=********  # line 1 of %s\n"
             "DATABASE_URL=\"host=db password=******** user=shop\"  # environment\n"
             "SHOP_ADDR=127.0.0.1:8080  # default\n"
             "SHOP_OPTIONAL_PORT=  # not set\n"
             "LOG_FORMAT=json  # default\n"
             "SHOP_HTTP2=false  # default\n"
             "# ignored, Kubernetes injects such names: SHOP_PORT\n",
             run->env_path, run->env_path);
    assert_int_equal(run->verdict, CONFIG_DONE);
    assert_string_equal(run->out, expected);
    assert_string_equal(run->err, "");
}

/* Asking what is in force of settings that do not work gets the problems. */
static void config_load_print_config_with_problems_is_refused(void **state)
{
    struct run *run = *state;
    load(run, "--print-config", NULL, NULL);
    assert_int_equal(run->verdict, CONFIG_REFUSED);
    assert_string_equal(run->out, "");
}

/* Help must work before anything is set, and tell all there is about each setting. */
static void config_load_help_lists_every_setting(void **state)
{
    struct run *run = *state;
    load(run, "--help", VARIABLES("SHOP_NONSENSE=1"), NULL);
    assert_int_equal(run->verdict, CONFIG_DONE);
    assert_string_equal(run->err, "");
    assert_non_null(strstr(run->out, "stampede-shop: Sells things.\n"));
    assert_non_null(strstr(run->out, "\n  SHOP_POOL_SIZE\n      Connections to PostgreSQL.\n"
                                     "      type: whole number; range: 1 to 1000; unit: "
                                     "connections; default: 5\n"));
    assert_non_null(strstr(run->out, "type: duration; range: 100 to 60000; unit: ms; default: 2s"));
    assert_non_null(strstr(run->out, "type: URL; range: 1 to 8192; unit: bytes; must be set"));
    assert_non_null(strstr(run->out, "type: choice; range: one of json, text; default: json"));
    for (size_t i = 0; i < COUNT_OF(settings_table); i++) {
        assert_non_null(strstr(run->out, settings_table[i].name));
        assert_non_null(strstr(run->out, settings_table[i].help));
    }
}

/* One line that scripts can read. */
static void config_load_version_prints_name_and_build(void **state)
{
    struct run *run = *state;
    load(run, "--version", NULL, NULL);
    assert_int_equal(run->verdict, CONFIG_DONE);
    assert_string_equal(run->out, "stampede-shop 1.2.3 (abc)\n");
}

/* A program that starts although it was asked something else does harm. */
static void config_load_unknown_argument_is_refused_with_usage(void **state)
{
    struct run *run = *state;
    load(run, "--port=1", VARIABLES(URL), NULL);
    assert_int_equal(run->verdict, CONFIG_REFUSED);
    assert_string_equal(run->err, "stampede-shop: unexpected argument: --port=1\n"
                                  "usage: stampede-shop [--help | --print-config | --version]\n");
}

/* A value that nobody typed by hand must not fill the screen or the memory. */
static void config_load_endless_value_is_refused_and_cut(void **state)
{
    static char variable[CONFIG_TEXT_BYTES_MAX + 100] = "SHOP_TITLE=";
    memset(variable + strlen("SHOP_TITLE="), 'x', CONFIG_TEXT_BYTES_MAX + 1);
    const char *line = refusal_of(*state, variable);
    assert_non_null(strstr(line, "xxx... (environment): too long; allowed: 2 to 10 bytes"));
    assert_true(strlen(line) < 200);
}

/* The log at start shows the same as --print-config. */
static void config_values_after_load_are_masked_and_ordered(void **state)
{
    struct run *run = *state;
    size_t count;
    load(run, NULL, VARIABLES(URL, "STAMPEDE_ADMIN_TOKEN=hunter2hunter2"), NULL);
    assert_int_equal(run->verdict, CONFIG_RUN);
    const struct config_value *values = config_values(run->config, &count);
    assert_int_equal(count, COUNT_OF(settings_table));
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(values[i].name, settings_table[i].name);
        assert_null(strstr(values[i].text, "hunter2"));
        assert_null(strstr(values[i].text, "s3cret"));
    }
    assert_true(values[0].is_default);
    assert_string_equal(values[6].text, "********");
    assert_string_equal(values[6].origin, "environment");
    assert_false(values[6].is_default);
    assert_string_equal(values[7].text, "postgresql://shop:********@db/x");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(config_load_defaults_fill_the_struct),
        TEST(config_load_values_are_read_by_type),
        TEST(config_load_environment_wins_and_empty_is_unset),
        TEST(config_load_bad_value_says_what_where_and_what_is_allowed),
        TEST(config_load_bad_address_says_what_is_wrong),
        TEST(config_load_many_problems_are_listed_at_once),
        TEST(config_load_setting_that_looks_injected_is_read),
        TEST(config_load_impossible_combination_is_refused),
        TEST(config_load_print_config_masks_secrets),
        TEST(config_load_print_config_with_problems_is_refused),
        TEST(config_load_help_lists_every_setting),
        TEST(config_load_version_prints_name_and_build),
        TEST(config_load_unknown_argument_is_refused_with_usage),
        TEST(config_load_endless_value_is_refused_and_cut),
        TEST(config_values_after_load_are_masked_and_ordered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
