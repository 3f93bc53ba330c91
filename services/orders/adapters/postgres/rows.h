/*
 * The rows that one statement of a group brought, as an array in an arena. Private to this adapter.
 */
#ifndef ORDERS_ADAPTERS_POSTGRES_ROWS_H
#define ORDERS_ADAPTERS_POSTGRES_ROWS_H

#include "postgres/session.h"

struct arena;

/* What of the statement's is called, and what a row becomes. */
struct rows_kind {
    enum db_status (*receive)(struct session *session, int64_t deadline_ns,
                              struct session_result *ret_result); /* the generated function */
    size_t item_bytes;
    /* Fills one zeroed item from the row at index; what it points at lives in arena. */
    enum db_status (*read)(struct session *session, const struct session_result *result,
                           size_t index, struct arena *arena, void *ret_item);
};

struct rows {
    const void *items; /* count of item_bytes each */
    size_t count;
};

/* Receives all rows of the next statement. Blocks until the deadline (monotonic nanoseconds) at
 * most. Errors: those of receive and read, DB_OUT_OF_MEMORY the arena is full. */
enum db_status rows_receive(const struct rows_kind *kind, struct session *session,
                            int64_t deadline_ns, struct arena *arena, struct rows *ret) MUST_CHECK;

#endif
