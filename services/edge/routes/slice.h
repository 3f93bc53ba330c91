/* A piece of somebody else's text: not terminated, not owned. Any thread. */
#ifndef EDGE_ROUTES_SLICE_H
#define EDGE_ROUTES_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *bytes; /* may be NULL when length is 0 */
    size_t length;
};

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline bool slice_equals(struct slice slice, const char *text)
{
    size_t length = strlen(text);
    return slice.length == length && memcmp(slice.bytes, text, length) == 0;
}

static inline bool slice_equals_ignoring_case(struct slice slice, const char *text)
{
    size_t length = strlen(text);
    return slice.length == length && strncasecmp(slice.bytes, text, length) == 0;
}

/* Without the spaces and tabs at both ends (OWS of RFC 9110, 5.6.3). */
static inline struct slice slice_trimmed(struct slice slice)
{
    while (slice.length > 0 && (slice.bytes[0] == ' ' || slice.bytes[0] == '\t')) {
        slice.bytes++;
        slice.length--;
    }
    while (slice.length > 0 &&
           (slice.bytes[slice.length - 1] == ' ' || slice.bytes[slice.length - 1] == '\t')) {
        slice.length--;
    }
    return slice;
}

/*
 * Cuts off what comes before the first separator and returns it; *rest becomes what comes after, or
 * an empty slice with NULL bytes when there was no separator.
 */
static inline struct slice slice_cut(struct slice *rest, char separator)
{
    struct slice head = *rest;
    const char *at = rest->length == 0 ? NULL : memchr(rest->bytes, separator, rest->length);
    if (at == NULL) {
        *rest = (struct slice){NULL, 0};
        return head;
    }
    head.length = (size_t)(at - head.bytes);
    *rest = (struct slice){at + 1, rest->length - head.length - 1};
    return head;
}

#endif
