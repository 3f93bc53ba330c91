#include "layercheck/source.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the blanking is in the middle of. */
enum blank_state { IN_CODE, IN_LINE_COMMENT, IN_BLOCK_COMMENT, IN_STRING, IN_CHARACTER };

static enum blank_state state_entered_at(const char *at)
{
    if (at[0] == '/' && at[1] == '/') {
        return IN_LINE_COMMENT;
    }
    if (at[0] == '/' && at[1] == '*') {
        return IN_BLOCK_COMMENT;
    }
    if (at[0] == '"') {
        return IN_STRING;
    }
    return at[0] == '\'' ? IN_CHARACTER : IN_CODE;
}

/* How many bytes at `at` end the state; 0 if it goes on. */
static size_t state_ended_by(enum blank_state state, const char *at)
{
    switch (state) {
    case IN_LINE_COMMENT:
        return at[0] == '\n' ? 1 : 0;
    case IN_BLOCK_COMMENT:
        return at[0] == '*' && at[1] == '/' ? 2 : 0;
    case IN_STRING:
        return at[0] == '"' || at[0] == '\n' ? 1 : 0;
    case IN_CHARACTER:
        return at[0] == '\'' || at[0] == '\n' ? 1 : 0;
    case IN_CODE:
        return 0;
    }
    return 0;
}

static void blank_bytes(char *code, size_t at, size_t count)
{
    for (size_t i = at; i < at + count; i++) {
        if (code[i] != '\n') {
            code[i] = ' ';
        }
    }
}

/* How many bytes at `at` belong together inside a state: two for an escape and an opening. */
static size_t blank_step(enum blank_state state, const char *at)
{
    bool escape = (state == IN_STRING || state == IN_CHARACTER) && at[0] == '\\' && at[1] != '\0';

    return escape ? 2 : 1;
}

static void blank_all(struct source *source)
{
    enum blank_state state = IN_CODE;
    size_t at = 0;

    while (at < source->size) {
        size_t step;

        if (state == IN_CODE) {
            state = state_entered_at(source->text + at);
            step = state == IN_LINE_COMMENT || state == IN_BLOCK_COMMENT ? 2 : 1;
            blank_bytes(source->code, at, state == IN_CODE ? 0 : step);
        } else {
            step = state_ended_by(state, source->text + at);
            state = step > 0 ? IN_CODE : state;
            step = step > 0 ? step : blank_step(state, source->text + at);
            blank_bytes(source->code, at, step);
        }
        at += step;
    }
}

int source_create(const char *path, const char *text, size_t size, struct source **ret_source)
{
    struct source *source = calloc(1, sizeof(*source));

    if (source == NULL) {
        return -ENOMEM;
    }
    source->path = strdup(path);
    source->text = calloc(1, size + 1);
    source->code = calloc(1, size + 1);
    source->size = size;
    if (source->path == NULL || source->text == NULL || source->code == NULL) {
        source_destroy(source);
        return -ENOMEM;
    }
    memcpy(source->text, text, size);
    memcpy(source->code, text, size);
    blank_all(source);
    *ret_source = source;
    return 0;
}

static int read_stream(FILE *stream, char **ret_text, size_t *ret_size)
{
    char *text = malloc(SOURCE_BYTES_MAX + 1);
    size_t size;

    if (text == NULL) {
        return -ENOMEM;
    }
    size = fread(text, 1, SOURCE_BYTES_MAX + 1, stream);
    if (ferror(stream) || size > SOURCE_BYTES_MAX) {
        free(text);
        return ferror(stream) ? -EIO : -EFBIG;
    }
    *ret_text = text;
    *ret_size = size;
    return 0;
}

int source_load(const char *root, const char *path, struct source **ret_source)
{
    char full[PATH_MAX];
    char *text = NULL;
    size_t size = 0;
    FILE *stream;
    int rc;

    if (snprintf(full, sizeof(full), "%s/%s", root, path) >= (int)sizeof(full)) {
        return -ENAMETOOLONG;
    }
    stream = fopen(full, "re");
    if (stream == NULL) {
        return -errno;
    }
    rc = read_stream(stream, &text, &size);
    fclose(stream);
    if (rc == 0) {
        rc = source_create(path, text, size, ret_source);
    }
    free(text);
    return rc;
}

void source_destroy(struct source *source)
{
    if (source == NULL) {
        return;
    }
    free(source->path);
    free(source->text);
    free(source->code);
    free(source);
}

bool source_next_line(const struct source *source, struct source_line *line)
{
    size_t begin = line->number == 0 ? 0 : line->end + 1;
    const char *newline;

    if (begin >= source->size) {
        return false;
    }
    newline = memchr(source->text + begin, '\n', source->size - begin);
    line->number++;
    line->begin = begin;
    line->end = newline == NULL ? source->size : (size_t)(newline - source->text);
    return true;
}

bool source_has_suffix(const struct source *source, const char *suffix)
{
    size_t length = strlen(source->path), suffix_length = strlen(suffix);

    return length >= suffix_length && strcmp(source->path + length - suffix_length, suffix) == 0;
}

bool source_is_below(const struct source *source, const char *prefix)
{
    return strncmp(source->path, prefix, strlen(prefix)) == 0;
}

bool source_is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
