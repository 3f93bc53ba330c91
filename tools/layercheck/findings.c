#include "layercheck/findings.h"

#include <stdarg.h>

void findings_add(struct findings *findings, const char *path, size_t line, const char *format, ...)
{
    va_list arguments;

    findings->count++;
    if (line > 0) {
        fprintf(findings->stream, "%s:%zu: ", path, line);
    } else {
        fprintf(findings->stream, "%s: ", path);
    }
    va_start(arguments, format);
    vfprintf(findings->stream, format, arguments);
    va_end(arguments);
    fputc('\n', findings->stream);
}
