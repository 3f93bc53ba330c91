/*
 * A statement together with what its result must look like: generated code declares them, and the
 * functions here check a result against its query once, so that row readers need not.
 *
 * What is added to session_receive()'s answers: DB_STATEMENT, the result has other columns than the
 * query was built for, so that this is another schema than the one it was checked against;
 * DB_PROTOCOL, a number of rows or a NULL that the query rules out. Both leave the session open and
 * their words in session_error(). One thread at a time, as the session.
 */
#ifndef POSTGRES_QUERY_H
#define POSTGRES_QUERY_H

#include "base/check.h"
#include "postgres/sql_type.h"
#include "postgres/sqlstate.h"

#include <stddef.h>
#include <stdint.h>

struct fields;
struct params;
struct session;
struct session_result;
struct statement;

enum query_rows {
    QUERY_ONE,      /* exactly one row */
    QUERY_OPTIONAL, /* none or one */
    QUERY_MANY,
    QUERY_EXEC, /* no columns, no rows */
};

struct query_column {
    const char *name;
    enum sql_type type; /* SQL_TYPE_ENUM stands for any enum */
};

struct query {
    const struct statement *statement;
    enum query_rows rows;
    const struct query_column *columns;
    size_t column_count;
};

/*
 * session_receive() of this query's result, checked; it must be the query sent first of those still
 * pending. *ret is set on DB_OK only and must be given to session_result_fini().
 */
enum db_status query_receive(struct session *session, int64_t deadline_ns,
                             const struct query *query, struct session_result *ret) MUST_CHECK;

/* session_exec() of this query, checked. params may be NULL for none. */
enum db_status query_exec(struct session *session, const struct query *query,
                          const struct params *params, int64_t deadline_ns,
                          struct session_result *ret) MUST_CHECK;

/*
 * What a row reader returns when it met a fault: DB_PROTOCOL, with words for the fault of fields,
 * which were read from a result of this query.
 */
enum db_status query_fail(struct session *session, const struct query *query,
                          const struct fields *fields);

#endif
