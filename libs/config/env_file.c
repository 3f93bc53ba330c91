#include "config/env_file.h"

#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* What is left of one line. */
struct cursor {
    const char *at, *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_name_start(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_name_char(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && is_blank(*cursor->at)) {
        cursor->at++;
    }
}

static bool is_at_end_or_comment(const struct cursor *cursor)
{
    return cursor->at == cursor->end || *cursor->at == '#';
}

static bool has_nul(const struct cursor *cursor)
{
    for (const char *at = cursor->at; at < cursor->end; at++) {
        if (*at == '\0') {
            return true;
        }
    }
    return false;
}

static void skip_export(struct cursor *cursor)
{
    static const char word[] = "export";
    size_t length = sizeof(word) - 1;
    if ((size_t)(cursor->end - cursor->at) > length && memcmp(cursor->at, word, length) == 0 &&
        is_blank(cursor->at[length])) {
        cursor->at += length;
        skip_blanks(cursor);
    }
}

/* Takes NAME= and returns NULL, or a problem. */
static const char *take_name(struct cursor *cursor, const char **ret_name, size_t *ret_length)
{
    const char *name = cursor->at;
    if (name == cursor->end || !is_name_start(*name)) {
        return "expected NAME=value; a name is made of letters, digits and _";
    }
    while (cursor->at < cursor->end && is_name_char(*cursor->at)) {
        cursor->at++;
    }
    size_t length = (size_t)(cursor->at - name);
    if (cursor->at == cursor->end || *cursor->at != '=') {
        return "expected = right after the name";
    }
    cursor->at++;
    *ret_name = name;
    *ret_length = length;
    return NULL;
}

static char unescape(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

/* Copies a quoted value without its quotes to value, which has room for the whole line. */
static const char *take_quoted(struct cursor *cursor, char *value)
{
    char quote = *cursor->at++;
    for (; cursor->at < cursor->end && *cursor->at != quote; cursor->at++) {
        if (quote == '"' && *cursor->at == '\\' && cursor->at + 1 < cursor->end &&
            strchr("nrt\"\\$", cursor->at[1]) != NULL) {
            cursor->at++;
            *value++ = unescape(*cursor->at);
        } else {
            *value++ = *cursor->at;
        }
    }
    *value = '\0';
    if (cursor->at == cursor->end) {
        return "the closing quote is missing";
    }
    cursor->at++;
    skip_blanks(cursor);
    return is_at_end_or_comment(cursor) ? NULL : "unexpected text after the closing quote";
}

/* Copies what stands before a comment, without white space at its end. */
static void take_bare(struct cursor *cursor, char *value)
{
    const char *from = cursor->at;
    size_t length = 0;
    for (; cursor->at < cursor->end; cursor->at++) {
        if (*cursor->at == '#' && is_blank(cursor->at[-1])) {
            break;
        }
        if (!is_blank(*cursor->at)) {
            length = (size_t)(cursor->at - from) + 1;
        }
    }
    memcpy(value, from, length);
    value[length] = '\0';
}

/* One line without its newline. Adds at most one entry. Returns 0 or -ENOMEM. */
static int take_line(struct arena *arena, struct cursor cursor, unsigned line,
                     struct env_file *file, const char **ret_problem)
{
    const char *name;
    size_t name_length;
    if (has_nul(&cursor)) {
        *ret_problem = "a NUL byte";
        return 0;
    }
    skip_blanks(&cursor);
    if (is_at_end_or_comment(&cursor)) {
        return 0;
    }
    skip_export(&cursor);
    const char *problem = take_name(&cursor, &name, &name_length);
    if (problem != NULL) {
        *ret_problem = problem;
        return 0;
    }
    char *name_copy = arena_strndup(arena, name, name_length);
    char *value = arena_alloc(arena, (size_t)(cursor.end - cursor.at) + 1);
    if (name_copy == NULL || value == NULL) {
        return -ENOMEM;
    }
    skip_blanks(&cursor);
    if (cursor.at < cursor.end && (*cursor.at == '"' || *cursor.at == '\'')) {
        problem = take_quoted(&cursor, value);
    } else {
        take_bare(&cursor, value);
    }
    if (problem != NULL) {
        *ret_problem = problem;
        return 0;
    }
    file->entries[file->count++] =
        (struct env_file_entry){.name = name_copy, .value = value, .line = line};
    return 0;
}

static size_t count_lines(const char *text, size_t length)
{
    size_t count = 1;
    for (size_t i = 0; i < length; i++) {
        count += text[i] == '\n';
    }
    return count;
}

/* Editors of other systems begin a file with a byte order mark and end lines with \r\n. */
static struct cursor line_at(const char *at, const char *end, bool is_first)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    struct cursor cursor = {.at = at, .end = newline == NULL ? end : newline};
    if (is_first && cursor.end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
        cursor.at += 3;
    }
    if (cursor.end > cursor.at && cursor.end[-1] == '\r') {
        cursor.end--;
    }
    return cursor;
}

int env_file_parse(struct arena *arena, const char *text, size_t length, struct env_file *ret_file,
                   env_file_problem_fn on_problem, void *data)
{
    struct env_file file = {.count = 0};
    file.entries = arena_calloc(arena, count_lines(text, length), sizeof(*file.entries));
    if (file.entries == NULL) {
        return -ENOMEM;
    }
    const char *at = text, *end = text + length;
    for (unsigned line = 1; at < end; line++) {
        const char *problem = NULL;
        int error = take_line(arena, line_at(at, end, line == 1), line, &file, &problem);
        if (error != 0) {
            return error;
        }
        if (problem != NULL) {
            on_problem(line, problem, data);
        }
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline == NULL ? end : newline + 1;
    }
    *ret_file = file;
    return 0;
}

/* Reads to the end of fd, at most capacity bytes. */
static int read_all(int fd, char *buffer, size_t capacity, size_t *ret_length)
{
    size_t length = 0;
    while (length < capacity) {
        ssize_t got = read(fd, buffer + length, capacity - length);
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        if (got == 0) {
            break;
        }
        length += got > 0 ? (size_t)got : 0;
    }
    *ret_length = length;
    return 0;
}

int env_file_read(struct arena *arena, const char *path, struct env_file *ret_file,
                  env_file_problem_fn on_problem, void *data)
{
    size_t length = 0;
    /* Nonblocking, so that a FIFO of that name does not hold up the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno != ENOENT) {
            return -errno;
        }
        *ret_file = (struct env_file){.count = 0};
        return 0;
    }
    char *text = arena_alloc(arena, ENV_FILE_BYTES_MAX + 1);
    int error = text == NULL ? -ENOMEM : read_all(fd, text, ENV_FILE_BYTES_MAX + 1, &length);
    close(fd);
    if (error != 0) {
        return error;
    }
    if (length > ENV_FILE_BYTES_MAX) {
        return -EFBIG;
    }
    return env_file_parse(arena, text, length, ret_file, on_problem, data);
}
