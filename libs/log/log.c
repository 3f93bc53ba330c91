#include "log/log.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* What every cut line still has room for. */
#define TAIL_BYTES_MAX sizeof(",\"truncated\":true}\n")

/* The longest spelling of one character: an escaped surrogate pair never occurs, \u0000 does. */
#define ESCAPE_BYTES_MAX 6

/* A number, and a time like 2024-05-01T10:00:00.123Z for any year that fits an int. */
#define NUMBER_BYTES_MAX 40
#define TIME_BYTES_MAX   64

const char *const log_level_names[] = {"debug", "info", "warn", "error", NULL};
const char *const log_format_names[] = {"auto", "json", "text", NULL};

static struct log_options logger = {
    .program = "stampede", .level = LOG_INFO, .format = LOG_FORMAT_AUTO, .fd = STDERR_FILENO};
static atomic_uint_fast64_t lines_lost;

/* A line under construction. Puts that do not fit leave it as it was and return false. */
struct line {
    size_t length, limit; /* limit keeps room for the tail */
    bool is_text;
    bool is_truncated;
    char bytes[LOG_LINE_BYTES_MAX];
};

void log_init(const struct log_options *options)
{
    CHECK(strlen(options->program) <= LOG_PROGRAM_CHARS_MAX);
    CHECK(options->level >= LOG_DEBUG && options->level <= LOG_ERROR);
    CHECK(options->format >= LOG_FORMAT_AUTO && options->format <= LOG_FORMAT_TEXT);
    logger = *options;
    if (logger.format == LOG_FORMAT_AUTO) {
        logger.format = isatty(logger.fd) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
    }
}

bool log_is_enabled(enum log_level level)
{
    return level >= logger.level;
}

uint64_t log_lines_lost(void)
{
    return atomic_load_explicit(&lines_lost, memory_order_relaxed);
}

static bool put_bytes(struct line *line, const char *bytes, size_t length)
{
    if (length > line->limit - line->length) {
        return false;
    }
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
    return true;
}

static bool put(struct line *line, const char *text)
{
    return put_bytes(line, text, strlen(text));
}

/* The length of the well-formed UTF-8 sequence at text, or 0. */
static size_t sequence_length(const char *text, size_t available)
{
    uint8_t lead = (uint8_t)text[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return length <= available && text_is_utf8(text, length) ? length : 0;
}

/* Whether a sequence is a control character: C0, DEL or C1 (U+0080 to U+009F). */
static bool is_control(const char *text, size_t length)
{
    uint8_t first = (uint8_t)text[0];
    return first < 0x20 || first == 0x7f ||
           (length == 2 && first == 0xc2 && (uint8_t)text[1] < 0xa0);
}

/* Writes one character's spelling inside a JSON string; returns how many bytes of text it took. */
static size_t escape(const char *text, size_t available, char ret_spelling[ESCAPE_BYTES_MAX + 1],
                     size_t *ret_length)
{
    size_t taken = sequence_length(text, available);
    int length;
    if (taken == 0) {
        length = snprintf(ret_spelling, ESCAPE_BYTES_MAX + 1, "\\ufffd");
        taken = 1;
    } else if (text[0] == '"' || text[0] == '\\') {
        length = snprintf(ret_spelling, ESCAPE_BYTES_MAX + 1, "\\%c", text[0]);
    } else if (text[0] == '\n') {
        length = snprintf(ret_spelling, ESCAPE_BYTES_MAX + 1, "\\n");
    } else if (is_control(text, taken)) {
        unsigned code = (uint8_t)text[taken - 1];
        length = snprintf(ret_spelling, ESCAPE_BYTES_MAX + 1, "\\u%04x", code);
    } else {
        memcpy(ret_spelling, text, taken);
        length = (int)taken;
    }
    *ret_length = (size_t)length;
    return taken;
}

/* A quoted JSON string, cut between characters if it does not fit. */
static bool put_quoted(struct line *line, const char *text, size_t length)
{
    if (line->limit - line->length < 2) {
        return false;
    }
    line->bytes[line->length++] = '"';
    for (size_t i = 0; i < length;) {
        char spelling[ESCAPE_BYTES_MAX + 1];
        size_t spelling_length;
        i += escape(text + i, length - i, spelling, &spelling_length);
        if (spelling_length + 1 > line->limit - line->length) {
            line->is_truncated = true;
            break;
        }
        memcpy(line->bytes + line->length, spelling, spelling_length);
        line->length += spelling_length;
    }
    line->bytes[line->length++] = '"';
    return true;
}

/* Whether a value reads well without quotes in a text line. */
static bool is_plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"\\=", text[i]) != NULL) {
            return false;
        }
    }
    return length > 0;
}

static bool put_string(struct line *line, const char *text, size_t length)
{
    if (text == NULL) {
        return put(line, "null");
    }
    if (line->is_text && length < line->limit - line->length && is_plain(text, length)) {
        return put_bytes(line, text, length);
    }
    return put_quoted(line, text, length);
}

static bool put_double(struct line *line, double value)
{
    char number[NUMBER_BYTES_MAX];
    if (!isfinite(value)) {
        return put(line, "null");
    }
    snprintf(number, sizeof(number), "%.12g", value);
    return put(line, number);
}

static bool put_value(struct line *line, const struct log_field *field)
{
    char number[NUMBER_BYTES_MAX];
    switch (field->type) {
    case LOG_FIELD_INT:
        snprintf(number, sizeof(number), "%" PRId64, field->value.integer);
        return put(line, number);
    case LOG_FIELD_UINT:
        snprintf(number, sizeof(number), "%" PRIu64, field->value.natural);
        return put(line, number);
    case LOG_FIELD_DOUBLE:
        return put_double(line, field->value.real);
    case LOG_FIELD_BOOL:
        return put(line, field->value.truth ? "true" : "false");
    case LOG_FIELD_STRING:
        return put_string(line, field->value.text, field->length);
    case LOG_FIELD_END:
        break;
    }
    UNREACHABLE("the caller stops at the end of the fields");
}

static bool is_name(const char *name)
{
    return *name != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

/* One field with what separates it from the one before, or nothing at all. */
static void put_field(struct line *line, const struct log_field *field)
{
    CHECK(is_name(field->name));
    size_t before = line->length;
    bool fits = put(line, line->is_text ? " " : ",\"") && put(line, field->name) &&
                put(line, line->is_text ? "=" : "\":") && put_value(line, field);
    if (!fits) {
        line->length = before;
        line->is_truncated = true;
    }
}

static void format_time(char ret_text[TIME_BYTES_MAX])
{
    int64_t now_us = clock_wall_us();
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    snprintf(ret_text, TIME_BYTES_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
             utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
             (int)(now_us % 1000000 / 1000));
}

/* Time, level, event and program: always there, and always shorter than a line. */
static void put_head(struct line *line, enum log_level level, const char *event)
{
    char time_text[TIME_BYTES_MAX];
    format_time(time_text);
    if (line->is_text) {
        int length = snprintf(line->bytes, line->limit, "%s %-5s %s %s", time_text,
                              log_level_names[level], logger.program, event);
        CHECK(length > 0 && (size_t)length < line->limit);
        line->length = (size_t)length;
        return;
    }
    const struct log_field head[] = {LOG_STR("level", log_level_names[level]),
                                     LOG_STR("event", event), LOG_STR("program", logger.program)};
    put(line, "{\"time\":");
    put_quoted(line, time_text, strlen(time_text));
    for (size_t i = 0; i < COUNT_OF(head); i++) {
        put_field(line, &head[i]);
    }
    CHECK(!line->is_truncated);
}

static void put_tail(struct line *line)
{
    line->limit = sizeof(line->bytes);
    if (line->is_truncated) {
        put(line, line->is_text ? " truncated=true" : ",\"truncated\":true");
    }
    CHECK(put(line, line->is_text ? "\n" : "}\n"));
}

/*
 * A line leaves in one write, so lines of several processes never mix. The lock is for files
 * whose offset the kernel does not guard: there two writes at once may land on each other.
 */
static void send_line(const struct line *line)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    ssize_t written;
    pthread_mutex_lock(&mutex);
    do {
        written = write(logger.fd, line->bytes, line->length);
    } while (written < 0 && errno == EINTR);
    pthread_mutex_unlock(&mutex);
    if (written != (ssize_t)line->length) {
        atomic_fetch_add_explicit(&lines_lost, 1, memory_order_relaxed);
    }
}

void log_write_limited(enum log_level level, const char *event, uint64_t suppressed,
                       const struct log_field *fields)
{
    CHECK(level >= LOG_DEBUG && level <= LOG_ERROR && is_name(event));
    int saved_errno = errno; /* logging in an error path must not change what it reports next */
    struct line line;
    line.length = 0;
    line.limit = sizeof(line.bytes) - TAIL_BYTES_MAX;
    line.is_truncated = false;
    line.is_text =
        logger.format == LOG_FORMAT_TEXT || (logger.format == LOG_FORMAT_AUTO && isatty(logger.fd));
    put_head(&line, level, event);
    if (suppressed > 0) {
        struct log_field field = LOG_UINT("suppressed", suppressed);
        put_field(&line, &field);
    }
    for (; fields->type != LOG_FIELD_END && !line.is_truncated; fields++) {
        put_field(&line, fields);
    }
    put_tail(&line);
    send_line(&line);
    errno = saved_errno;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    log_write_limited(level, event, 0, fields);
}

bool log_limit_admit(struct log_limit *limit, uint64_t *ret_suppressed)
{
    int64_t now_ns = clock_monotonic_ns();
    int_fast64_t open_at_ns = atomic_load_explicit(&limit->_open_at_ns, memory_order_relaxed);
    int64_t next_ns = now_ns + limit->interval_ms * CLOCK_NS_PER_MS;
    /* Of several threads that see the interval over, the one that moves it on writes the line. */
    if (now_ns < open_at_ns ||
        !atomic_compare_exchange_strong_explicit(&limit->_open_at_ns, &open_at_ns, next_ns,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&limit->_suppressed, 1, memory_order_relaxed);
        return false;
    }
    *ret_suppressed = atomic_exchange_explicit(&limit->_suppressed, 0, memory_order_relaxed);
    return true;
}
