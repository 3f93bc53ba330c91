#include "postgres/query.h"

#include "postgres/fields.h"
#include "postgres/session.h"
#include "postgres/statement.h"

#include <libpq-fe.h>
#include <stdbool.h>

static bool type_fits(Oid found, enum sql_type wanted)
{
    switch ((int)wanted) {
    case SQL_TYPE_TEXT:
        return found == SQL_TYPE_TEXT || found == SQL_TYPE_VARCHAR || found == SQL_TYPE_BPCHAR ||
               found == SQL_TYPE_NAME;
    case SQL_TYPE_ENUM:
        return found >= SQL_TYPE_FIRST_USER_DEFINED;
    default:
        return found == (Oid)wanted;
    }
}

static enum db_status check_columns(struct session *session, const struct query *query,
                                    const struct pg_result *result)
{
    int count = PQnfields(result);
    if ((size_t)count != query->column_count) {
        return session_error_set(&session->_error, DB_STATEMENT,
                                 "query %s: %d columns came, it was built for %zu",
                                 query->statement->name, count, query->column_count);
    }
    for (int i = 0; i < count; i++) {
        const struct query_column *column = &query->columns[i];
        if (PQfformat(result, i) != 1 || !type_fits(PQftype(result, i), column->type)) {
            return session_error_set(&session->_error, DB_STATEMENT,
                                     "query %s: column \"%s\" came with type %u, it was built "
                                     "for %d",
                                     query->statement->name, column->name, PQftype(result, i),
                                     (int)column->type);
        }
    }
    return DB_OK;
}

static bool row_count_fits(enum query_rows rows, size_t count)
{
    switch (rows) {
    case QUERY_ONE:
        return count == 1;
    case QUERY_OPTIONAL:
        return count <= 1;
    case QUERY_MANY:
        return true;
    case QUERY_EXEC:
        return count == 0;
    }
    UNREACHABLE("every cardinality is listed");
}

static enum db_status check_result(struct session *session, const struct query *query,
                                   struct session_result *result)
{
    enum db_status status = check_columns(session, query, result->_result);
    if (status == DB_OK && !row_count_fits(query->rows, result->row_count)) {
        status = session_error_set(&session->_error, DB_PROTOCOL, "query %s: %zu rows came, not %s",
                                   query->statement->name, result->row_count,
                                   query->rows == QUERY_ONE ? "one" : "at most one");
    }
    if (status != DB_OK) {
        session_result_fini(result);
    }
    return status;
}

enum db_status query_receive(struct session *session, int64_t deadline_ns,
                             const struct query *query, struct session_result *ret)
{
    struct session_result result;
    enum db_status status = session_receive(session, deadline_ns, &result);
    if (status == DB_OK) {
        status = check_result(session, query, &result);
    }
    if (status == DB_OK) {
        *ret = result;
    }
    return status;
}

enum db_status query_exec(struct session *session, const struct query *query,
                          const struct params *params, int64_t deadline_ns,
                          struct session_result *ret)
{
    struct session_result result;
    enum db_status status = session_exec(session, query->statement, params, deadline_ns, &result);
    if (status == DB_OK) {
        status = check_result(session, query, &result);
    }
    if (status == DB_OK) {
        *ret = result;
    }
    return status;
}

enum db_status query_fail(struct session *session, const struct query *query,
                          const struct fields *fields)
{
    CHECK(fields->fault != ROW_SOUND);
    return session_error_set(&session->_error, DB_PROTOCOL, "query %s, column \"%s\": %s",
                             query->statement->name, query->columns[fields->fault_column].name,
                             row_fault_text(fields->fault));
}
