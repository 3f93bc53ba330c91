/*
 * The database that queries are described by: one that has the migrations applied and nothing else.
 * A connection that blocks, for one thread of a tool that people wait for; errors go to a report.
 */
#ifndef TYPEDSQL_SERVER_H
#define TYPEDSQL_SERVER_H

#include "base/check.h"
#include "typedsql/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct described_type;
struct query_file;

struct server {
    struct pg_conn *_connection;
    struct arena *_arena; /* of all that is handed out */
    struct report *_report;
};

/* A result column as the server names it; table 0 has no origin. */
struct server_column {
    const char *name;
    uint32_t type;
    uint32_t table;
    int table_column;
};

/* What the server says of a prepared statement. */
struct server_statement {
    size_t parameter_count, column_count;
    const uint32_t *parameter_types;
    const struct server_column *columns;
};

/* Where a column comes from. */
struct server_origin {
    const char *name; /* "orders.number"; with its schema if search_path does not find it */
    const char *table, *column;
    bool is_not_null;     /* as declared */
    const char *weakness; /* why NOT NULL does not bind every row that is read, or NULL */
};

/* 0, or -ECONNREFUSED after it was reported. The arena and the report must outlive the server. */
int server_open(struct server *server, const char *url, struct arena *arena,
                struct report *report) MUST_CHECK;

/* Only after a successful open. */
void server_close(struct server *server);

/*
 * Prepares and describes the file's command, and has it planned, so that a right that the connected
 * role lacks is found too. 0; -EINVAL after what is wrong with it was reported at its place; -EIO
 * when the connection is of no use any more, reported too; -ENOMEM.
 */
int server_describe(struct server *server, const struct query_file *file,
                    struct server_statement *ret) MUST_CHECK;

/* The type's name and labels, domains looked through. 0; -EIO, reported; -ENOMEM. */
int server_type(struct server *server, uint32_t type, struct described_type *ret) MUST_CHECK;

/* The enum type of this name, or an array of it ("order_status[]"); -ENOENT if there is none. */
int server_enum(struct server *server, const char *name, struct described_type *ret) MUST_CHECK;

/* The origin of a column that has one. 0; -EIO, reported; -ENOMEM. */
int server_origin(struct server *server, uint32_t table, int table_column,
                  struct server_origin *ret) MUST_CHECK;

#endif
