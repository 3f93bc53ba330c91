/* Runs one rule on a text and keeps what it says. */
#ifndef FINDINGS_OF_H
#define FINDINGS_OF_H

#include "layercheck/findings.h"
#include "layercheck/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The findings' text, to be freed; ret_count may be NULL. */
static inline char *findings_of(void (*check)(const struct source *, struct findings *),
                                const char *path, const char *text, size_t *ret_count)
{
    struct findings findings = {0};
    struct source *source = NULL;
    char *said = NULL;
    size_t said_size = 0;

    findings.stream = open_memstream(&said, &said_size);
    assert_non_null(findings.stream);
    assert_int_equal(source_create(path, text, strlen(text), &source), 0);
    check(source, &findings);
    source_destroy(source);
    assert_int_equal(fclose(findings.stream), 0);
    if (ret_count != NULL) {
        *ret_count = findings.count;
    }
    return said;
}

/* Asserts that a rule finds one thing, and that it says so in these words. */
static inline void assert_one_finding(void (*check)(const struct source *, struct findings *),
                                      const char *path, const char *text, const char *words)
{
    size_t count;
    char *said = findings_of(check, path, text, &count);

    if (count != 1 || strstr(said, words) == NULL) {
        fail_msg("%zu findings in '%s', wanted one with '%s': %s", count, text, words, said);
    }
    free(said);
}

static inline void assert_no_finding(void (*check)(const struct source *, struct findings *),
                                     const char *path, const char *text)
{
    size_t count;
    char *said = findings_of(check, path, text, &count);

    if (count != 0) {
        fail_msg("unexpected: %s", said);
    }
    free(said);
}

#endif
