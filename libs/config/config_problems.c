#include "config/config_problems.h"

#include "base/arena.h"

#include <stdarg.h>

#define LINE_BYTES_MAX 1024

static void keep(struct config_problems *problems, const char *line)
{
    size_t index = problems->count++;
    if (index < CONFIG_PROBLEMS_MAX) {
        problems->lines[index] = arena_printf(problems->arena, "%s", line);
    }
}

void config_problems_add_line(struct config_problems *problems, const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    keep(problems, line);
}

void config_problems_add(struct config_problems *problems, const char *setting_name,
                         const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    const char *subject = problems->subject(setting_name, problems->data);
    int length = snprintf(line, sizeof(line), "%s: ", subject == NULL ? setting_name : subject);
    CHECK(length > 0 && (size_t)length < sizeof(line));
    va_list args;
    va_start(args, format);
    vsnprintf(line + length, sizeof(line) - (size_t)length, format, args);
    va_end(args);
    keep(problems, line);
}

void config_problems_print(const struct config_problems *problems, const char *program, FILE *out)
{
    fprintf(out, "%s: not starting, %zu problem%s with the settings:\n", program, problems->count,
            problems->count == 1 ? "" : "s");
    for (size_t i = 0; i < problems->count && i < CONFIG_PROBLEMS_MAX; i++) {
        const char *line = problems->lines[i];
        fprintf(out, "  %s\n", line == NULL ? "out of memory" : line);
    }
    if (problems->count > CONFIG_PROBLEMS_MAX) {
        fprintf(out, "  and %zu more\n", problems->count - CONFIG_PROBLEMS_MAX);
    }
    fprintf(out, "%s --help lists every setting.\n", program);
}
