/*
 * What is wrong with the fields of a request: which field, and what is allowed. Texts are constant,
 * so a list of violations owns nothing.
 */
#ifndef ORDERS_DOMAIN_VIOLATION_H
#define ORDERS_DOMAIN_VIOLATION_H

#include <stddef.h>

/* More than any one request has fields. */
#define VIOLATIONS_MAX 16

struct violation {
    const char *field; /* the proto's name, dots for nested ones */
    const char *description;
};

struct violations {
    struct violation items[VIOLATIONS_MAX];
    size_t count;
};

/* Adds one; both texts must be string constants. */
static inline void violations_add(struct violations *violations, const char *field,
                                  const char *description)
{
    if (violations->count < VIOLATIONS_MAX) {
        violations->items[violations->count++] = (struct violation){field, description};
    }
}

#endif
