/*
 * The one line that a contract is refused with: which file, which method or field, what is wrong
 * and what is allowed. The first problem ends the run, so there is never more than one.
 */
#ifndef PROTOC_GEN_CONTRACT_PROBLEM_H
#define PROTOC_GEN_CONTRACT_PROBLEM_H

#include "base/check.h"

#define PROBLEM_CHARS_MAX 1024

struct problem {
    /* Where the generator is; set by whoever walks over files, methods, fields. */
    const char *file;             /* "stampede/sales/v1/sales.proto"; NULL for no file */
    const char *subject;          /* "SaleService.GetSale"; NULL for the file itself */
    char text[PROBLEM_CHARS_MAX]; /* empty until problem_report() */
};

/* Says where the following problems are. Both are borrowed; subject may be NULL. */
void problem_locate(struct problem *problem, const char *file, const char *subject);

/* Writes "file: subject: " and the formatted text, cut off at the bound. Always returns -EINVAL. */
int problem_report(struct problem *problem, const char *format, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

#endif
