#include "typedsql/report.h"

#include <stdarg.h>
#include <string.h>

/* The line number, counted from 1, is padded to this in front of the source line. */
#define LINE_NUMBER_WIDTH 5

void report_init(struct report *report, FILE *out)
{
    *report = (struct report){.out = out};
}

/* Whether the byte begins a character of UTF-8; columns count characters. */
static int begins_character(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

static void print_source_line(FILE *out, size_t number, const char *line, size_t length,
                              size_t caret_at)
{
    fprintf(out, "%*zu | %.*s\n", LINE_NUMBER_WIDTH, number, (int)length, line);
    fprintf(out, "%*s | ", LINE_NUMBER_WIDTH, "");
    for (size_t i = 0; i < caret_at; i++) {
        if (line[i] == '\t') {
            fputc('\t', out);
        } else if (begins_character(line[i])) {
            fputc(' ', out);
        }
    }
    fputs("^\n", out);
}

void report_at(struct report *report, const struct report_source *source, size_t offset,
               const char *format, ...)
{
    CHECK(offset <= source->length);
    size_t line_number = 1;
    size_t line_start = 0;
    for (size_t i = 0; i < offset; i++) {
        if (source->text[i] == '\n') {
            line_number++;
            line_start = i + 1;
        }
    }
    const char *line = source->text + line_start;
    const char *newline = memchr(line, '\n', source->length - line_start);
    size_t line_length = newline != NULL ? (size_t)(newline - line) : source->length - line_start;
    size_t column = 1;
    for (size_t i = 0; i < offset - line_start; i++) {
        column += begins_character(line[i]) ? 1 : 0;
    }

    va_list arguments;
    va_start(arguments, format);
    fprintf(report->out, "%s:%zu:%zu: error: ", source->path, line_number, column);
    vfprintf(report->out, format, arguments);
    fputc('\n', report->out);
    va_end(arguments);
    print_source_line(report->out, line_number, line, line_length, offset - line_start);
    report->error_count++;
}

void report_file(struct report *report, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(report->out, "%s: error: ", path);
    vfprintf(report->out, format, arguments);
    fputc('\n', report->out);
    va_end(arguments);
    report->error_count++;
}

void report_note(struct report *report, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("    ", report->out);
    vfprintf(report->out, format, arguments);
    fputc('\n', report->out);
    va_end(arguments);
}
