/*
 * What one connection knows of each statement: a small hash table keyed by the statement's address.
 * Part of a session; emptied with each new connection.
 */
#ifndef POSTGRES_PREPARED_H
#define POSTGRES_PREPARED_H

#include <stddef.h>

#define PREPARED_STATEMENTS_MAX 128
#define PREPARED_SLOTS          256 /* a power of two, at most half full */

struct statement;

enum prepared_state {
    PREPARED_NO,
    PREPARED_SENT, /* a Parse is on its way */
    PREPARED_YES,
};

struct prepared {
    size_t _count;
    struct {
        const struct statement *statement;
        enum prepared_state state;
    } _slots[PREPARED_SLOTS];
};

/* Forgets everything: a new connection. */
void prepared_clear(struct prepared *prepared);

enum prepared_state prepared_get(const struct prepared *prepared,
                                 const struct statement *statement);

/* At most PREPARED_STATEMENTS_MAX different statements (asserted: their number is fixed in code).
 */
void prepared_set(struct prepared *prepared, const struct statement *statement,
                  enum prepared_state state);

#endif
