/*
 * What a check has to say: one line each, `path:line: message`, as compilers do, so that editors
 * can jump there.
 */
#ifndef LAYERCHECK_FINDINGS_H
#define LAYERCHECK_FINDINGS_H

#include <stddef.h>
#include <stdio.h>

struct findings {
    FILE *stream; /* borrowed */
    size_t count;
};

/* Writes one finding; line counts from 1, 0 stands for the whole file. One thread at a time. */
__attribute__((format(printf, 4, 5))) void findings_add(struct findings *findings, const char *path,
                                                        size_t line, const char *format, ...);

#endif
