#include "log/log.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define WRITERS           4
#define LINES_A_WRITER    500
#define BURST_INTERVAL_MS 1000
#define OUTPUT_BYTES_MAX  (4 * 1024 * 1024)

/* Where the lines of a test go, and what was read of them. */
struct output {
    int fd;
    char *text;
};

static void logger_to(int fd, enum log_level level, enum log_format format)
{
    const struct log_options options = {
        .program = "stampede-test", .level = level, .format = format, .fd = fd};
    log_init(&options);
}

static int set_up(void **state)
{
    struct output *output = calloc(1, sizeof(*output));
    assert_non_null(output);
    output->fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(output->fd >= 0);
    logger_to(output->fd, LOG_INFO, LOG_FORMAT_JSON);
    *state = output;
    return 0;
}

static int tear_down(void **state)
{
    struct output *output = *state;
    close(output->fd);
    free(output->text);
    free(output);
    return 0;
}

static const char *read_output(struct output *output)
{
    off_t length = lseek(output->fd, 0, SEEK_END);
    assert_in_range(length, 0, OUTPUT_BYTES_MAX);
    free(output->text);
    output->text = calloc(1, (size_t)length + 1);
    assert_non_null(output->text);
    assert_int_equal(pread(output->fd, output->text, (size_t)length, 0), length);
    return output->text;
}

/* The only line as JSON; the caller's to release. */
static json_t *read_line(struct output *output)
{
    json_error_t error;
    const char *text = read_output(output);
    size_t length = strlen(text);
    assert_true(length > 0 && length <= LOG_LINE_BYTES_MAX);
    assert_ptr_equal(strchr(text, '\n'), text + length - 1);
    json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (line == NULL) {
        fail_msg("%s in %s", error.text, text);
    }
    return line;
}

static const char *text_of(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));
    assert_non_null(text);
    return text;
}

/* Every consumer of the log relies on these four. */
static void log_event_without_fields_has_time_level_event_program(void **state)
{
    log_event(LOG_WARN, "pool_empty");
    json_t *line = read_line(*state);
    assert_int_equal(json_object_size(line), 4);
    assert_string_equal(text_of(line, "level"), "warn");
    assert_string_equal(text_of(line, "event"), "pool_empty");
    assert_string_equal(text_of(line, "program"), "stampede-test");
    const char *time = text_of(line, "time");
    int year, month, day, hour, minute, second, ms, length = 0;
    assert_int_equal(sscanf(time, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month, &day, &hour,
                            &minute, &second, &ms, &length),
                     7);
    assert_int_equal(length, strlen("2024-05-01T10:00:00.123Z"));
    assert_true(year >= 2024);
    json_decref(line);
}

/* Numbers must stay numbers, at the ends of their ranges too. */
static void log_event_every_type_is_json_of_that_type(void **state)
{
    log_event(LOG_INFO, "types", LOG_INT("least", INT64_MIN), LOG_UINT("most", INT64_MAX),
              LOG_DOUBLE("real", 0.25), LOG_DOUBLE("none", (double)NAN), LOG_BOOL("yes", true),
              LOG_BOOL("no", false), LOG_STR("null", NULL), LOG_STRN("cut", "abcdef", 3));
    json_t *line = read_line(*state);
    assert_true(json_integer_value(json_object_get(line, "least")) == INT64_MIN);
    assert_true(json_integer_value(json_object_get(line, "most")) == INT64_MAX);
    assert_true(json_real_value(json_object_get(line, "real")) == 0.25);
    assert_true(json_is_null(json_object_get(line, "none")));
    assert_true(json_is_true(json_object_get(line, "yes")));
    assert_true(json_is_false(json_object_get(line, "no")));
    assert_true(json_is_null(json_object_get(line, "null")));
    assert_string_equal(text_of(line, "cut"), "abc");
    json_decref(line);
}

/* Clients choose ids and paths: nothing that they send may forge or break a line. */
static void log_event_hostile_text_stays_one_valid_line(void **state)
{
    static const char hostile[] = "a\"b\\c\nd\x01\x7f\xc2\x9b"
                                  "e\xff\xc0\xaf\xed\xa0\x80\xe2\x82";
    log_event(LOG_INFO, "hostile", LOG_STR("text", hostile));
    json_t *line = read_line(*state);
    assert_string_equal(text_of(line, "text"),
                        "a\"b\\c\nd\x01\x7f\xc2\x9b"
                        "e\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                        "\xef\xbf\xbd\xef\xbf\xbd");
    json_decref(line);
    const char *raw = read_output(*state);
    assert_non_null(strstr(raw, "\\u0001\\u007f\\u009be"));
}

/* Text in other scripts is text. */
static void log_event_valid_utf8_is_kept(void **state)
{
    log_event(LOG_INFO, "utf8", LOG_STR("title", "Schuhe \xc3\xbc \xe2\x82\xac \xf0\x9f\x91\x9f"));
    json_t *line = read_line(*state);
    assert_string_equal(text_of(line, "title"), "Schuhe \xc3\xbc \xe2\x82\xac \xf0\x9f\x91\x9f");
    json_decref(line);
}

/* Every length around the bound: the cut must never fall inside a character or lose the brace. */
static void log_event_too_long_is_cut_and_valid(void **state)
{
    struct output *output = *state;
    static char text[LOG_LINE_BYTES_MAX * 2];
    for (size_t length = LOG_LINE_BYTES_MAX - 200; length < LOG_LINE_BYTES_MAX + 50; length++) {
        for (size_t i = 0; i < length; i++) {
            text[i] = "\xe2\x82\xac"[i % 3];
        }
        assert_int_equal(ftruncate(output->fd, 0), 0);
        lseek(output->fd, 0, SEEK_SET);
        log_event(LOG_INFO, "long", LOG_STRN("text", text, length), LOG_INT("after", 1));
        json_t *line = read_line(output);
        bool is_cut = json_is_true(json_object_get(line, "truncated"));
        assert_int_equal(is_cut, json_object_get(line, "after") == NULL);
        json_decref(line);
    }
}

/* A field that does not fit goes as a whole, with those behind it. */
static void log_event_too_many_fields_ends_with_truncated(void **state)
{
    struct log_field fields[600];
    for (size_t i = 0; i < 599; i++) {
        static const char *const names[] = {"alpha", "beta", "gamma"};
        fields[i] = LOG_INT(names[i % 3], 1234567890123456789);
    }
    fields[599] = (struct log_field){.type = LOG_FIELD_END};
    log_write(LOG_INFO, "many", fields);
    const char *raw = read_output(*state);
    json_t *line = json_loads(raw, 0, NULL);
    assert_non_null(line);
    assert_true(json_is_true(json_object_get(line, "truncated")));
    assert_true(strlen(raw) <= LOG_LINE_BYTES_MAX);
    json_decref(line);
}

/* Debug lines are written in hot places; disabled ones must cost nothing, not even the fields. */
static void log_event_below_level_evaluates_nothing(void **state)
{
    int evaluated = 0;
    log_event(LOG_DEBUG, "hidden", LOG_INT("n", ++evaluated));
    assert_int_equal(evaluated, 0);
    assert_string_equal(read_output(*state), "");
    logger_to(((struct output *)*state)->fd, LOG_DEBUG, LOG_FORMAT_JSON);
    log_event(LOG_DEBUG, "shown", LOG_INT("n", ++evaluated));
    assert_int_equal(evaluated, 1);
}

/* People read these; a value with a space must still be one value. */
static void log_event_text_format_quotes_where_needed(void **state)
{
    logger_to(((struct output *)*state)->fd, LOG_INFO, LOG_FORMAT_TEXT);
    log_event(LOG_INFO, "pool", LOG_INT("size", 5), LOG_STR("state", "idle"),
              LOG_STR("reason", "two words\n"), LOG_STR("empty", ""));
    const char *raw = read_output(*state);
    const char *rest = strchr(raw, ' ');
    assert_non_null(rest);
    assert_string_equal(rest, " info  stampede-test pool size=5 state=idle "
                              "reason=\"two words\\n\" empty=\"\"\n");
}

/* The default: what a collector reads from a pipe or a file is JSON. */
static void log_init_auto_without_terminal_is_json(void **state)
{
    logger_to(((struct output *)*state)->fd, LOG_INFO, LOG_FORMAT_AUTO);
    log_event(LOG_INFO, "started");
    json_decref(read_line(*state));
}

/* The default on a terminal is for people. */
static void log_init_auto_on_terminal_is_text(void **state)
{
    char seen[256];
    (void)state;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    assert_int_equal(grantpt(terminal) | unlockpt(terminal), 0);
    int fd = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    assert_true(fd >= 0);
    logger_to(fd, LOG_INFO, LOG_FORMAT_AUTO);
    log_event(LOG_INFO, "started");
    ssize_t length = read(terminal, seen, sizeof(seen) - 1);
    assert_true(length > 0);
    seen[length] = '\0';
    assert_non_null(strstr(seen, " info  stampede-test started"));
    close(fd);
    close(terminal);
}

/* A full pipe must not stop the service, and the loss must be countable. */
static void log_event_full_pipe_counts_lost_lines(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    logger_to(fds[1], LOG_INFO, LOG_FORMAT_JSON);
    uint64_t before = log_lines_lost();
    errno = ENOTTY;
    for (int i = 0; i < 2000; i++) {
        log_event(LOG_INFO, "flood", LOG_INT("i", i));
    }
    assert_true(log_lines_lost() > before);
    assert_int_equal(errno, ENOTTY);
    close(fds[0]);
    close(fds[1]);
}

static void *write_lines(void *data)
{
    const int *writer = data;
    for (int i = 0; i < LINES_A_WRITER; i++) {
        log_event(LOG_INFO, "line", LOG_INT("writer", *writer), LOG_INT("i", i));
    }
    return NULL;
}

/* Threads share the descriptor: no line may be torn or lost. */
static void log_event_many_threads_lines_stay_whole(void **state)
{
    struct output *output = *state;
    pthread_t threads[WRITERS];
    int numbers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    int count = 0;
    read_output(output);
    for (char *save, *at = strtok_r(output->text, "\n", &save); at != NULL;
         at = strtok_r(NULL, "\n", &save)) {
        json_t *line = json_loads(at, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(line);
        json_decref(line);
        count++;
    }
    assert_int_equal(count, WRITERS * LINES_A_WRITER);
}

/* Ten events at once, of which one may be written; false when that took longer than the interval.
 */
static bool log_burst(struct output *output, struct log_limit *limit)
{
    assert_int_equal(ftruncate(output->fd, 0), 0);
    lseek(output->fd, 0, SEEK_SET);
    int64_t end_ns = clock_deadline_in_ms(BURST_INTERVAL_MS);
    for (int i = 0; i < 10; i++) {
        log_event_limited(limit, LOG_WARN, "lane_full", LOG_STR("sale_id", "s"));
    }
    return clock_monotonic_ns() < end_ns;
}

/* An outage logs once an interval and tells how much it kept to itself. */
static void log_event_limited_burst_writes_one_and_counts_the_rest(void **state)
{
    struct output *output = *state;
    struct log_limit limit = LOG_LIMIT_EVERY_MS(BURST_INTERVAL_MS);
    while (!log_burst(output, &limit)) {
        limit = (struct log_limit)LOG_LIMIT_EVERY_MS(BURST_INTERVAL_MS);
    }
    json_t *line = read_line(output);
    assert_null(json_object_get(line, "suppressed"));
    json_decref(line);
    usleep((BURST_INTERVAL_MS + 50) * 1000);
    assert_int_equal(ftruncate(output->fd, 0), 0);
    lseek(output->fd, 0, SEEK_SET);
    log_event_limited(&limit, LOG_WARN, "lane_full");
    line = read_line(output);
    assert_int_equal(json_integer_value(json_object_get(line, "suppressed")), 9);
    json_decref(line);
}

static void *admit_all(void *data)
{
    uint64_t suppressed = 0, admitted = 0;
    struct log_limit *limit = data;
    for (int i = 0; i < LINES_A_WRITER; i++) {
        admitted += log_limit_admit(limit, &suppressed);
    }
    return (void *)(uintptr_t)admitted;
}

/* The limit is shared by the threads that run through one place. */
static void log_limit_admit_many_threads_admits_one(void **state)
{
    (void)state;
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(60000);
    pthread_t threads[WRITERS];
    uintptr_t admitted = 0;
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, admit_all, &limit), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        admitted += (uintptr_t)result;
    }
    assert_int_equal(admitted, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(log_event_without_fields_has_time_level_event_program),
        TEST(log_event_every_type_is_json_of_that_type),
        TEST(log_event_hostile_text_stays_one_valid_line),
        TEST(log_event_valid_utf8_is_kept),
        TEST(log_event_too_long_is_cut_and_valid),
        TEST(log_event_too_many_fields_ends_with_truncated),
        TEST(log_event_below_level_evaluates_nothing),
        TEST(log_event_text_format_quotes_where_needed),
        TEST(log_init_auto_without_terminal_is_json),
        TEST(log_init_auto_on_terminal_is_text),
        TEST(log_event_full_pipe_counts_lost_lines),
        TEST(log_event_many_threads_lines_stay_whole),
        TEST(log_event_limited_burst_writes_one_and_counts_the_rest),
        TEST(log_limit_admit_many_threads_admits_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
