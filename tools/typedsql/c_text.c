#include "typedsql/c_text.h"

#include <stdbool.h>
#include <string.h>

/* What an item is indented by where it does not fit behind the bracket. */
#define CONTINUATION_INDENT 4

static void put_spaces(FILE *out, size_t count)
{
    fprintf(out, "%*s", (int)count, "");
}

static bool fits_behind(size_t indent, const char *const *items, size_t count, size_t tail_length)
{
    for (size_t i = 0; i < count; i++) {
        if (indent + strlen(items[i]) + (i + 1 < count ? 1 : tail_length) > C_TEXT_COLUMNS) {
            return false;
        }
    }
    return true;
}

void c_text_list(FILE *out, const char *head, const char *const *items, size_t count,
                 const char *tail)
{
    size_t tail_length = strlen(tail);
    size_t indent = strlen(head);
    fputs(head, out);
    if (!fits_behind(indent, items, count, tail_length)) {
        indent = CONTINUATION_INDENT;
        fputc('\n', out);
        put_spaces(out, indent);
    }
    size_t column = indent;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(items[i]) + (i + 1 < count ? 1 : tail_length);
        if (i > 0 && column + 1 + length > C_TEXT_COLUMNS) {
            fputc('\n', out);
            put_spaces(out, indent);
            column = indent;
        } else if (i > 0) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%s%s", items[i], i + 1 < count ? "," : "");
        column += length;
    }
    fprintf(out, "%s\n", tail);
}

/* How a byte is written inside of a literal; a second ? must not make a trigraph. */
static size_t put_escaped(FILE *out, char c, char before)
{
    const char *escaped = NULL;
    switch (c) {
    case '\n':
        escaped = "\\n";
        break;
    case '\t':
        escaped = "\\t";
        break;
    case '\r':
        escaped = "\\r";
        break;
    case '"':
        escaped = "\\\"";
        break;
    case '\\':
        escaped = "\\\\";
        break;
    case '?':
        escaped = before == '?' ? "\\?" : NULL;
        break;
    default:
        break;
    }
    if (escaped != NULL) {
        fputs(escaped, out);
        return strlen(escaped);
    }
    fputc(c, out);
    return 1;
}

/* The bytes up to the next place where a literal may end: after a space or a newline. */
static size_t piece_length(const char *text)
{
    size_t length = strcspn(text, " \n");
    return text[length] == '\0' ? length : length + 1;
}

/* At most this many columns a piece takes when written. */
static size_t piece_columns(const char *piece, size_t length)
{
    size_t columns = 0;
    for (size_t i = 0; i < length; i++) {
        columns += strchr("\n\t\r\"\\?", piece[i]) != NULL ? 2 : 1;
    }
    return columns;
}

void c_text_string(FILE *out, const char *text, size_t indent)
{
    const size_t room = C_TEXT_COLUMNS - indent - sizeof("\"\",") + 1;
    size_t used = 0;
    char before = '\0';
    fputc('"', out);
    while (*text != '\0') {
        size_t length = piece_length(text);
        if (before == '\n' || (used > 0 && used + piece_columns(text, length) > room)) {
            fputs("\"\n", out);
            put_spaces(out, indent);
            fputc('"', out);
            used = 0;
        }
        for (size_t i = 0; i < length; i++) {
            used += put_escaped(out, text[i], before);
            before = text[i];
        }
        text += length;
    }
    fputc('"', out);
}
