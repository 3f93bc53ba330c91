/*
 * Structured events on standard error: one line, one event, one write(2).
 *
 *     log_event(LOG_INFO, "pool_opened", LOG_INT("size", 5), LOG_STR("state", "idle"));
 *
 * A line is JSON (`{"time":"2024-05-01T10:00:00.123Z","level":"info","event":"pool_opened",
 * "program":"stampede-orders","size":5,"state":"idle"}`) or, on a terminal, the same as text. A
 * request id is a field like any other, named "request_id". Bytes that are not well-formed UTF-8
 * become U+FFFD and control characters are escaped, so whatever a caller passes, a line stays one
 * line of valid JSON. Only programs and their adapters log; libraries return errors.
 *
 * Everything here may be called from any thread, except log_init.
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A line with its newline; what does not fit is cut and the line says "truncated":true. Within
 * PIPE_BUF, so that lines of several processes in one pipe do not mix either. */
#define LOG_LINE_BYTES_MAX 4096

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* The spellings of LOG_LEVEL and LOG_FORMAT in the order of the enums, NULL-terminated: what a
 * setting of type choice takes. */
extern const char *const log_level_names[];
extern const char *const log_format_names[];

enum log_format {
    LOG_FORMAT_AUTO, /* text if the descriptor is a terminal, else JSON */
    LOG_FORMAT_JSON,
    LOG_FORMAT_TEXT,
};

struct log_options {
    const char *program;  /* kept by reference, e.g. a literal; at most LOG_PROGRAM_CHARS_MAX */
    enum log_level level; /* events below it are not written */
    enum log_format format;
    int fd; /* where lines go: 2 for programs */
};

#define LOG_PROGRAM_CHARS_MAX 64

/* Sets the process's logger. Until it is called: program "stampede", LOG_INFO, AUTO, descriptor 2.
 * Before other threads begin to log. */
void log_init(const struct log_options *options);

/* Whether an event of this level is written. */
bool log_is_enabled(enum log_level level);

/* Lines that could not be written since the start (a full disk, a closed or a full nonblocking
 * pipe). Nothing waits or retries for a log line. */
uint64_t log_lines_lost(void);

enum log_field_type {
    LOG_FIELD_END, /* closes an array of fields */
    LOG_FIELD_INT,
    LOG_FIELD_UINT,
    LOG_FIELD_DOUBLE,
    LOG_FIELD_BOOL,
    LOG_FIELD_STRING,
};

/* Made by the macros below; name is a literal of [a-z0-9_]. */
struct log_field {
    const char *name;
    enum log_field_type type;
    size_t length; /* of value.text, in bytes */
    union {
        int64_t integer;
        uint64_t natural;
        double real;
        bool truth;
        const char *text; /* NULL is written as null */
    } value;
};

/* One field each. The text needs to live until the call returns only. */
#define LOG_INT(name, x)    log_field_int((name), (x))
#define LOG_UINT(name, x)   log_field_uint((name), (x))
#define LOG_DOUBLE(name, x) log_field_double((name), (x))
#define LOG_BOOL(name, x)   log_field_bool((name), (x))
#define LOG_STR(name, x)    log_field_text((name), (x))
/* A string of so many bytes, which needs no NUL at its end. */
#define LOG_STRN(name, x, bytes) log_field_bytes((name), (x), (bytes))

/*
 * Writes one event: a level, the event's name (a literal of [a-z0-9_]) and any number of fields.
 * The fields are evaluated only if the level is enabled.
 */
#define log_event(level, ...)                                                                      \
    do {                                                                                           \
        if (log_is_enabled(level)) {                                                               \
            log_write((level), LOG_FIRST_(__VA_ARGS__, 0), LOG_FIELDS_(__VA_ARGS__));              \
        }                                                                                          \
    } while (0)

/*
 * Bounds the lines of one place in the code. Static, one per place:
 *
 *     static struct log_limit limit = LOG_LIMIT_EVERY_MS(1000);
 *     log_event_limited(&limit, LOG_WARN, "lane_full", LOG_STR("sale_id", text));
 *
 * At most one line an interval is written; the line after a silence carries "suppressed", the
 * number of events that were dropped since the line before it.
 */
struct log_limit {
    int64_t interval_ms;
    atomic_int_fast64_t _open_at_ns; /* monotonic; 0 at first */
    atomic_uint_fast64_t _suppressed;
};

#define LOG_LIMIT_EVERY_MS(ms)                                                                     \
    {                                                                                              \
        .interval_ms = (ms)                                                                        \
    }

#define log_event_limited(limit, level, ...)                                                       \
    do {                                                                                           \
        uint64_t log_suppressed_ = 0;                                                              \
        if (log_is_enabled(level) && log_limit_admit((limit), &log_suppressed_)) {                 \
            log_write_limited((level), LOG_FIRST_(__VA_ARGS__, 0), log_suppressed_,                \
                              LOG_FIELDS_(__VA_ARGS__));                                           \
        }                                                                                          \
    } while (0)

/* Whether a line may be written now; if so takes the count of dropped ones. */
bool log_limit_admit(struct log_limit *limit, uint64_t *ret_suppressed);

/* The functions behind the macros; fields end with a LOG_FIELD_END. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);
void log_write_limited(enum log_level level, const char *event, uint64_t suppressed,
                       const struct log_field *fields);

#define LOG_FIRST_(first, ...) first
#define LOG_REST_(first, ...)  __VA_ARGS__
#define LOG_FIELDS_(...)                                                                           \
    ((const struct log_field[]){LOG_REST_(__VA_ARGS__, (struct log_field){.type = LOG_FIELD_END})})

static inline struct log_field log_field_int(const char *name, int64_t x)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_INT, .value.integer = x};
}

static inline struct log_field log_field_uint(const char *name, uint64_t x)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_UINT, .value.natural = x};
}

static inline struct log_field log_field_double(const char *name, double x)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_DOUBLE, .value.real = x};
}

static inline struct log_field log_field_bool(const char *name, bool x)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_BOOL, .value.truth = x};
}

static inline struct log_field log_field_bytes(const char *name, const char *text, size_t length)
{
    return (struct log_field){
        .name = name, .type = LOG_FIELD_STRING, .length = length, .value.text = text};
}

static inline struct log_field log_field_text(const char *name, const char *text)
{
    return log_field_bytes(name, text, text == NULL ? 0 : strlen(text));
}

#endif
