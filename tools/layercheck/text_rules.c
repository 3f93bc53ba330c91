#include "layercheck/text_rules.h"

#include <string.h>

/* Spelled in halves, for this file is checked too. */
static const char *const leftovers[] = {"FIX"
                                        "ME",
                                        "TO"
                                        "DO",
                                        "XX"
                                        "X"};

static size_t count_columns(const char *text, size_t length)
{
    size_t columns = 0;

    for (size_t i = 0; i < length; i++) {
        /* Bytes 10xxxxxx continue a character of UTF-8. */
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return columns;
}

static bool has_word(const char *line, size_t length, const char *word)
{
    size_t word_length = strlen(word);

    for (size_t i = 0; i + word_length <= length; i++) {
        bool begins = i == 0 || !source_is_word(line[i - 1]);
        bool ends = i + word_length == length || !source_is_word(line[i + word_length]);

        if (begins && ends && strncmp(line + i, word, word_length) == 0) {
            return true;
        }
    }
    return false;
}

static void check_line(const struct source *source, const struct source_line *line,
                       struct findings *findings)
{
    const char *text = source->text + line->begin;
    size_t length = line->end - line->begin;
    size_t columns = count_columns(text, length);

    if (columns > TEXT_RULES_COLUMNS_MAX) {
        findings_add(findings, source->path, line->number, "%zu columns, at most %d", columns,
                     TEXT_RULES_COLUMNS_MAX);
    }
    if (memchr(text, '\t', length) != NULL) {
        findings_add(findings, source->path, line->number, "a tab; indent by four spaces");
    }
    if (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\r')) {
        findings_add(findings, source->path, line->number, "white space at the end of the line");
    }
    for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
        if (has_word(text, length, leftovers[i])) {
            findings_add(findings, source->path, line->number, "a leftover %s; finish it",
                         leftovers[i]);
        }
    }
}

void text_rules_check(const struct source *source, struct findings *findings)
{
    struct source_line line = {0};

    while (source_next_line(source, &line)) {
        check_line(source, &line, findings);
    }
    if (source->size == 0 || source->text[source->size - 1] != '\n') {
        findings_add(findings, source->path, 0, "no newline at the end");
    }
}
