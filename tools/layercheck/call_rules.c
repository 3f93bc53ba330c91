#include "layercheck/call_rules.h"

#include <string.h>

struct banned_call {
    const char *name;      /* of the function; with a '*' at its end all that begin so */
    const char *instead;   /* for people */
    const char *except_in; /* folders where it may be called, separated by spaces, or NULL */
};

/* Tests may be blunt where only the test itself could come to harm. */
static const struct banned_call banned_calls[] = {
    {"strcpy", "snprintf, or memcpy with a length that was checked", "tests/"},
    {"stpcpy", "snprintf, or memcpy with a length that was checked", "tests/"},
    {"strcat", "snprintf", "tests/"},
    {"strncpy", "memcpy with a length that was checked; it may leave out the NUL", "tests/"},
    {"strncat", "snprintf", "tests/"},
    {"sprintf", "snprintf, and look at the result", NULL},
    {"vsprintf", "vsnprintf, and look at the result", NULL},
    {"gets", "getline with a bound, or fread", NULL},
    {"atoi", "text_to_int64 of base/text.h, or strtoll with its errors", "tests/"},
    {"atol", "text_to_int64 of base/text.h, or strtoll with its errors", "tests/"},
    {"atoll", "text_to_int64 of base/text.h, or strtoll with its errors", "tests/"},
    {"atof", "strtod with its errors", NULL},
    {"strtok", "strcspn and strspn; it keeps a state of its own", NULL},
    {"alloca", "an arena or an array with a named bound", NULL},
    {"assert", "CHECK of base/check.h, which stays on in release", NULL},
    {"localtime", "localtime_r", NULL},
    {"gmtime", "gmtime_r", NULL},
    {"asctime", "strftime", NULL},
    {"ctime", "strftime", NULL},
    {"tmpnam", "mkstemp", NULL},
    {"mktemp", "mkstemp", NULL},
    {"rand", "the random port, or getrandom", "tests/"},
    {"srand", "the random port, or getrandom", "tests/"},
    {"vfork", "posix_spawn", NULL},
    {"system", "posix_spawn or fork and exec: no shell in between", "tests/"},
    {"popen", "a pipe, fork and exec: no shell in between", "tests/"},
    {"PQexec", "postgres/session.h: every wait has a deadline there",
     "libs/postgres/ tests/ tools/"},
    {"PQexecParams", "postgres/session.h: every wait has a deadline there",
     "libs/postgres/ tests/ tools/"},
    {"PQexecPrepared", "postgres/session.h: every wait has a deadline there",
     "libs/postgres/ tests/ tools/"},
    {"PQprepare", "a .sql file: docs/typed-sql.md", "libs/postgres/ tests/ tools/"},
    {"PQsend*", "a .sql file: docs/typed-sql.md", "libs/postgres/ tests/ tools/"},
    {"session_send", "a .sql file: docs/typed-sql.md", "libs/postgres/ tests/"},
    {"session_send_streamed", "a .sql file: docs/typed-sql.md", "libs/postgres/ tests/"},
    {"session_exec", "a .sql file: docs/typed-sql.md", "libs/postgres/ tests/"},
    {"PQcancel", "closing the connection; it blocks without a bound in libpq 15", NULL},
    {"cJSON*", "libs/protojson: cJSON's numbers are doubles", NULL},
};

static bool name_matches(const char *name, size_t length, const char *pattern)
{
    size_t pattern_length = strlen(pattern);

    if (pattern[pattern_length - 1] == '*') {
        return length >= pattern_length - 1 && strncmp(name, pattern, pattern_length - 1) == 0;
    }
    return length == pattern_length && strncmp(name, pattern, length) == 0;
}

static bool is_excepted(const struct source *source, const struct banned_call *banned)
{
    const char *folder = banned->except_in;

    while (folder != NULL && *folder != '\0') {
        size_t length = strcspn(folder, " ");

        if (strncmp(source->path, folder, length) == 0) {
            return true;
        }
        folder += length + strspn(folder + length, " ");
    }
    return false;
}

static void check_call(const struct source *source, size_t line, const char *name, size_t length,
                       struct findings *findings)
{
    for (size_t i = 0; i < sizeof(banned_calls) / sizeof(banned_calls[0]); i++) {
        const struct banned_call *banned = &banned_calls[i];

        if (name_matches(name, length, banned->name) && !is_excepted(source, banned)) {
            findings_add(findings, source->path, line, "calls %.*s; instead: %s", (int)length, name,
                         banned->instead);
        }
    }
}

/* A member of that name, as in store->signal(), is something else. */
static bool is_member(const char *code, size_t at)
{
    return at > 0 &&
           (code[at - 1] == '.' || (code[at - 1] == '>' && at > 1 && code[at - 2] == '-'));
}

static void check_line(const struct source *source, const struct source_line *line,
                       struct findings *findings)
{
    size_t at = line->begin;

    while (at < line->end) {
        size_t length = 0;

        while (at + length < line->end && source_is_word(source->code[at + length])) {
            length++;
        }
        if (length > 0 && source->code[at + length] == '(' && !is_member(source->code, at)) {
            check_call(source, line->number, source->code + at, length, findings);
        }
        at += length > 0 ? length : 1;
    }
}

void call_rules_check(const struct source *source, struct findings *findings)
{
    struct source_line line = {0};

    while (source_next_line(source, &line)) {
        check_line(source, &line, findings);
    }
}
