#include "typedsql/server.h"

#include "base/arena.h"
#include "typedsql/description.h"
#include "typedsql/query_file.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENT_NAME   "typedsql"
#define OID_CHARS        11
#define PARAMETERS_CHARS 256

#define SQLSTATE_PRIVILEGE "42501"

/* An enum's labels are told in one text, each followed by this character. */
#define LABEL_END '\1'

static void ignore_notice(void *data, const PGresult *result)
{
    (void)data;
    (void)result;
}

int server_open(struct server *server, const char *url, struct arena *arena, struct report *report)
{
    PGconn *connection = PQconnectdb(url);
    if (PQstatus(connection) != CONNECTION_OK) {
        report_file(report, "database", "%s", PQerrorMessage(connection));
        PQfinish(connection);
        return -ECONNREFUSED;
    }
    PQsetNoticeReceiver(connection, ignore_notice, NULL);
    PQsetClientEncoding(connection, "UTF8");
    *server = (struct server){._connection = connection, ._arena = arena, ._report = report};
    return 0;
}

void server_close(struct server *server)
{
    PQfinish(server->_connection);
    *server = (struct server){0};
}

static const char *copy(struct server *server, const char *text)
{
    return arena_strndup(server->_arena, text, strlen(text));
}

/* The byte offset of a character, both counted from 0. */
static size_t byte_of_character(const char *text, long character)
{
    size_t at = 0;
    while (text[at] != '\0' && character > 0) {
        do {
            at++;
        } while (((unsigned char)text[at] & 0xc0) == 0x80);
        character--;
    }
    return at;
}

/* Where the command has the parameter that a message without a position names; 0 for none. */
static size_t parameter_offset(const struct query_file *file, const char *message)
{
    const char *dollar = message != NULL ? strchr(message, '$') : NULL;
    long number = dollar != NULL ? strtol(dollar + 1, NULL, 10) : 0;
    for (size_t i = 0; i < file->tokens.count; i++) {
        if (file->tokens.list[i].kind == SQL_TOKEN_PARAMETER &&
            file->tokens.list[i].parameter == number) {
            return file->tokens.list[i].at;
        }
    }
    return 0;
}

/* The server's words for what is wrong with the command, at the place that it names. */
static void report_failure(struct server *server, const struct query_file *file,
                           const PGresult *result)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    size_t offset = position != NULL ? byte_of_character(file->sql, strtol(position, NULL, 10) - 1)
                                     : parameter_offset(file, message);
    query_file_report_sql(server->_report, file, offset, "%s",
                          message != NULL ? message : PQresultErrorMessage(result));
    if (detail != NULL) {
        report_note(server->_report, "%s", detail);
    }
    if (hint != NULL) {
        report_note(server->_report, "%s", hint);
    }
}

static int fail_connection(struct server *server)
{
    report_file(server->_report, "database", "%s", PQerrorMessage(server->_connection));
    return -EIO;
}

/* Whether the result is one that carries rows or ends a command; else the failure, told apart. */
static int judge(struct server *server, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        return 0;
    }
    bool is_alive = PQstatus(server->_connection) == CONNECTION_OK;
    return is_alive && PQresultErrorField(result, PG_DIAG_SQLSTATE) != NULL ? -EINVAL : -EIO;
}

static int prepare(struct server *server, const struct query_file *file)
{
    PGresult *result = PQexec(server->_connection, "DEALLOCATE ALL");
    int status = judge(server, result);
    PQclear(result);
    if (status < 0) {
        return fail_connection(server);
    }
    result = PQprepare(server->_connection, STATEMENT_NAME, file->sql, 0, NULL);
    status = judge(server, result);
    if (status == -EINVAL) {
        report_failure(server, file, result);
    } else if (status < 0) {
        fail_connection(server);
    }
    PQclear(result);
    return status;
}

static int take_description(struct server *server, const PGresult *result,
                            struct server_statement *ret)
{
    int parameter_count = PQnparams(result);
    int column_count = PQnfields(result);
    uint32_t *types = arena_calloc(server->_arena, (size_t)parameter_count, sizeof(*types));
    struct server_column *columns =
        arena_calloc(server->_arena, (size_t)column_count, sizeof(*columns));
    if (types == NULL || columns == NULL) {
        return -ENOMEM;
    }
    for (int i = 0; i < parameter_count; i++) {
        types[i] = PQparamtype(result, i);
    }
    for (int i = 0; i < column_count; i++) {
        columns[i] = (struct server_column){.name = copy(server, PQfname(result, i)),
                                            .type = PQftype(result, i),
                                            .table = PQftable(result, i),
                                            .table_column = PQftablecol(result, i)};
    }
    *ret = (struct server_statement){.parameter_count = (size_t)parameter_count,
                                     .column_count = (size_t)column_count,
                                     .parameter_types = types,
                                     .columns = columns};
    return 0;
}

/*
 * Preparing asks for no privilege, executing does, and so does explaining: what the connected role
 * may not do is found here. Whatever else goes wrong with NULLs for parameters is no fault.
 */
static int check_privileges(struct server *server, const struct query_file *file,
                            size_t parameter_count)
{
    static const char *const plannable[] = {"SELECT", "INSERT", "UPDATE", "DELETE",
                                            "WITH",   "VALUES", "MERGE",  "TABLE"};
    bool is_plannable = false;
    char command[PARAMETERS_CHARS];
    int length = snprintf(command, sizeof(command), "EXPLAIN EXECUTE " STATEMENT_NAME);
    for (size_t i = 0; i < COUNT_OF(plannable); i++) {
        is_plannable = is_plannable || sql_token_is_word(&file->tokens, 0, plannable[i]);
    }
    for (size_t i = 0; i < parameter_count; i++) {
        length += snprintf(command + length, sizeof(command) - (size_t)length, "%s",
                           i == 0 ? "(NULL" : ",NULL");
    }
    snprintf(command + length, sizeof(command) - (size_t)length, "%s",
             parameter_count > 0 ? ")" : "");
    if (!is_plannable) {
        return 0;
    }
    PGresult *result = PQexec(server->_connection, command);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    int status = 0;
    if (sqlstate != NULL && strcmp(sqlstate, SQLSTATE_PRIVILEGE) == 0) {
        query_file_report_sql(server->_report, file, 0, "%s, and its role is %s",
                              PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
                              PQuser(server->_connection));
        status = -EINVAL;
    } else if (judge(server, result) == -EIO) {
        status = fail_connection(server);
    }
    PQclear(result);
    return status;
}

int server_describe(struct server *server, const struct query_file *file,
                    struct server_statement *ret)
{
    struct server_statement statement = {0};
    int status = prepare(server, file);
    if (status < 0) {
        return status;
    }
    PGresult *result = PQdescribePrepared(server->_connection, STATEMENT_NAME);
    status = judge(server, result) < 0 ? fail_connection(server)
                                       : take_description(server, result, &statement);
    PQclear(result);
    if (status == 0 && statement.parameter_count != file->parameter_count) {
        query_file_report_sql(server->_report, file, 0,
                              "the server counts %zu parameters, the comment block %zu",
                              statement.parameter_count, file->parameter_count);
        status = -EINVAL;
    }
    if (status == 0) {
        status = check_privileges(server, file, statement.parameter_count);
    }
    if (status == 0) {
        *ret = statement;
    }
    return arena_overflowed(server->_arena) ? -ENOMEM : status;
}

/* Runs one of the catalog queries below; *ret is to be cleared. */
static int ask(struct server *server, const char *sql, const char *const *values, int count,
               PGresult **ret)
{
    PGresult *result = PQexecParams(server->_connection, sql, count, NULL, values, NULL, NULL, 0);
    if (judge(server, result) < 0) {
        PQclear(result);
        return fail_connection(server);
    }
    *ret = result;
    return 0;
}

static int take_labels(struct server *server, const char *joined, struct described_type *ret)
{
    size_t count = 0;
    for (const char *c = joined; *c != '\0'; c++) {
        count += *c == LABEL_END ? 1 : 0;
    }
    const char **labels = arena_calloc(server->_arena, count, sizeof(*labels));
    if (labels == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(joined, "\1");
        labels[i] = arena_strndup(server->_arena, joined, length);
        joined += length + 1;
    }
    ret->labels = labels;
    ret->label_count = count;
    return 0;
}

/* A domain counts as what it is made of; of an array the labels are its elements'. */
#define TYPE_SQL                                                                                   \
    "WITH RECURSIVE base AS (SELECT oid, typtype, typbasetype, typelem FROM pg_catalog.pg_type"    \
    " WHERE oid = $1::pg_catalog.oid UNION ALL SELECT t.oid, t.typtype, t.typbasetype, t.typelem"  \
    " FROM pg_catalog.pg_type t JOIN base b ON b.typtype = 'd' AND t.oid = b.typbasetype)"         \
    " SELECT pg_catalog.format_type(base.oid, NULL),"                                              \
    " coalesce((SELECT pg_catalog.string_agg(enumlabel || E'\\x01', '' ORDER BY enumsortorder)"    \
    " FROM pg_catalog.pg_enum WHERE enumtypid IN (base.oid, base.typelem)), '')"                   \
    " FROM base WHERE typtype <> 'd'"

int server_type(struct server *server, uint32_t type, struct described_type *ret)
{
    char oid[OID_CHARS];
    const char *values[] = {oid};
    PGresult *result;
    snprintf(oid, sizeof(oid), "%u", type);
    int status = ask(server, TYPE_SQL, values, 1, &result);
    if (status < 0) {
        return status;
    }
    *ret = (struct described_type){.name = "unknown"};
    if (PQntuples(result) == 1) {
        ret->name = copy(server, PQgetvalue(result, 0, 0));
        status = take_labels(server, PQgetvalue(result, 0, 1), ret);
    }
    PQclear(result);
    return status < 0 || ret->name == NULL ? -ENOMEM : 0;
}

int server_enum(struct server *server, const char *name, struct described_type *ret)
{
    const char *values[] = {name};
    PGresult *result;
    int status = ask(server,
                     "SELECT t.oid FROM pg_catalog.pg_type t WHERE t.oid ="
                     " pg_catalog.to_regtype($1) AND EXISTS (SELECT FROM pg_catalog.pg_enum"
                     " WHERE enumtypid IN (t.oid, t.typelem))",
                     values, 1, &result);
    if (status < 0) {
        return status;
    }
    unsigned long oid = PQntuples(result) == 1 ? strtoul(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    return oid != 0 ? server_type(server, (uint32_t)oid, ret) : -ENOENT;
}

/*
 * NOT NULL binds the rows of an ordinary table. It does not bind those of a table that inherits
 * from it by hand or that another server keeps, nor what a rule puts in the place of a command.
 */
#define ORIGIN_SQL                                                                                 \
    "SELECT c.oid::pg_catalog.regclass::text, c.relname, a.attname, a.attnotnull,"                 \
    " CASE WHEN c.relkind NOT IN ('r', 'p') THEN 'is no ordinary table'"                           \
    " WHEN c.relhasrules THEN 'has rules'"                                                         \
    " WHEN c.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits"                         \
    " WHERE inhparent = c.oid) THEN 'is inherited from'"                                           \
    " WHEN EXISTS (SELECT FROM pg_catalog.pg_partition_tree(c.oid) p JOIN pg_catalog.pg_class f"   \
    " ON f.oid = p.relid WHERE f.relkind = 'f') THEN 'has foreign partitions' END"                 \
    " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"             \
    " WHERE a.attrelid = $1::pg_catalog.oid AND a.attnum = $2::pg_catalog.int2"

int server_origin(struct server *server, uint32_t table, int table_column,
                  struct server_origin *ret)
{
    char oid[OID_CHARS], number[OID_CHARS + 1];
    const char *values[] = {oid, number};
    PGresult *result;
    snprintf(oid, sizeof(oid), "%u", table);
    snprintf(number, sizeof(number), "%d", table_column);
    int status = ask(server, ORIGIN_SQL, values, 2, &result);
    if (status < 0) {
        return status;
    }
    if (PQntuples(result) != 1) {
        report_file(server->_report, "database", "column %d of table %u is gone", table_column,
                    table);
        status = -EIO;
    } else {
        *ret = (struct server_origin){
            .name = arena_printf(server->_arena, "%s.%s", PQgetvalue(result, 0, 0),
                                 PQgetvalue(result, 0, 2)),
            .table = copy(server, PQgetvalue(result, 0, 1)),
            .column = copy(server, PQgetvalue(result, 0, 2)),
            .is_not_null = PQgetvalue(result, 0, 3)[0] == 't',
            .weakness = PQgetisnull(result, 0, 4) ? NULL : copy(server, PQgetvalue(result, 0, 4)),
        };
    }
    PQclear(result);
    return arena_overflowed(server->_arena) ? -ENOMEM : status;
}
