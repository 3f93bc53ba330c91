/*
 * The last word on a request: an outcome of the business, or why the service could not come to one.
 * Each that is no success has one reason under which a caller hears of it.
 */
#ifndef ORDERS_LOGIC_VERDICT_H
#define ORDERS_LOGIC_VERDICT_H

#include "orders/domain/outcome.h"

#include <stdbool.h>

/* X(name, text for people); the name is the reason. All but OUTCOME_UNKNOWN: certainly not done. */
#define VERDICT_FAILURE_TABLE(X)                                                                   \
    X(INVALID_FIELD, "a field is out of bounds")                                                   \
    X(OVERLOADED, "the service has more to do than it can do in time; nothing was changed")        \
    X(DRAINING, "the service is stopping; nothing was changed")                                    \
    X(DATABASE_UNAVAILABLE, "the database cannot be reached; nothing was changed")                 \
    X(OUTCOME_UNKNOWN, "it is not known whether this was done; ask again with the same key")       \
    X(INTERNAL, "an error of the service; nothing was changed")

enum verdict {
#define VERDICT_OUTCOME(name, text) VERDICT_##name,
    OUTCOME_TABLE(VERDICT_OUTCOME)
#undef VERDICT_OUTCOME
#define VERDICT_FAILURE(name, text) VERDICT_##name,
        VERDICT_FAILURE_TABLE(VERDICT_FAILURE)
#undef VERDICT_FAILURE
            VERDICT_COUNT
};

/* "SOLD_OUT", "OVERLOADED". Constant. */
const char *verdict_name(enum verdict verdict);

/* A sentence for people. Constant. */
const char *verdict_text(enum verdict verdict);

/* Whether a caller gets what was asked for, and so no reason. */
static inline bool verdict_is_success(enum verdict verdict)
{
    return verdict == VERDICT_PLACED || verdict == VERDICT_REPLAYED || verdict == VERDICT_DONE;
}

static inline enum verdict verdict_of_outcome(enum outcome outcome)
{
    return (enum verdict)outcome; /* the table of outcomes comes first in both */
}

#endif
