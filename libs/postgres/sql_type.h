/*
 * The PostgreSQL types that this library speaks in their binary form, by object id (constant since
 * PostgreSQL 8; src/include/catalog/pg_type.dat), and the C form of a text value.
 */
#ifndef POSTGRES_SQL_TYPE_H
#define POSTGRES_SQL_TYPE_H

#include <stddef.h>
#include <stdint.h>

/* PostgreSQL counts time in microseconds from 2000-01-01 UTC; this is that moment in Unix time. */
#define SQL_TYPE_EPOCH_UNIX_US INT64_C(946684800000000)

/* Types made by CREATE TYPE have object ids from here on, different in every database. */
#define SQL_TYPE_FIRST_USER_DEFINED 16384

enum sql_type {
    SQL_TYPE_ENUM = 0, /* any CREATE TYPE ... AS ENUM: the server infers which; sent as its label */
    SQL_TYPE_BOOL = 16,
    SQL_TYPE_BYTEA = 17,
    SQL_TYPE_NAME = 19,
    SQL_TYPE_INT8 = 20,
    SQL_TYPE_INT2 = 21,
    SQL_TYPE_INT4 = 23,
    SQL_TYPE_TEXT = 25,
    SQL_TYPE_BPCHAR = 1042,
    SQL_TYPE_VARCHAR = 1043,
    SQL_TYPE_TIMESTAMPTZ = 1184,
    SQL_TYPE_UUID = 2950,

    SQL_TYPE_INT2_ARRAY = 1005,
    SQL_TYPE_INT4_ARRAY = 1007,
    SQL_TYPE_TEXT_ARRAY = 1009,
    SQL_TYPE_INT8_ARRAY = 1016,
    SQL_TYPE_TIMESTAMPTZ_ARRAY = 1185,
    SQL_TYPE_UUID_ARRAY = 2951,
};

/* Text or bytes, not NUL-terminated. bytes == NULL is SQL NULL; "" is an empty value. */
struct sql_text {
    const char *bytes;
    size_t length;
};

#endif
