#include "protoc-gen-contract/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void problem_locate(struct problem *problem, const char *file, const char *subject)
{
    problem->file = file;
    problem->subject = subject;
}

int problem_report(struct problem *problem, const char *format, ...)
{
    size_t size = sizeof(problem->text);
    snprintf(problem->text, size, "%s%s%s%s", problem->file != NULL ? problem->file : "",
             problem->file != NULL ? ": " : "", problem->subject != NULL ? problem->subject : "",
             problem->subject != NULL ? ": " : "");
    size_t length = strlen(problem->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->text + length, size - length, format, arguments);
    va_end(arguments);
    return -EINVAL;
}
