#include "postgres/row.h"

#include "base/check.h"
#include "postgres/session.h"

#include <endian.h>
#include <libpq-fe.h>
#include <limits.h>
#include <string.h>

void row_init(struct row *row, const struct session_result *result, size_t index)
{
    CHECK(index < result->row_count);
    *row = (struct row){._result = result->_result, ._index = (int)index};
}

static void fail(struct row *row, enum row_fault fault)
{
    if (row->_fault == ROW_SOUND) {
        row->_fault = fault;
    }
}

static bool column_exists(struct row *row, size_t column)
{
    if (column >= (size_t)PQnfields(row->_result)) {
        fail(row, ROW_NO_SUCH_COLUMN);
        return false;
    }
    return true;
}

bool row_is_null(struct row *row, size_t column)
{
    return column_exists(row, column) && PQgetisnull(row->_result, row->_index, (int)column) != 0;
}

/* Whether the column's type is readable as the wanted one, in binary. */
static bool type_fits(const struct row *row, int column, enum sql_type wanted)
{
    Oid type = PQftype(row->_result, column);
    if (PQfformat(row->_result, column) != 1) {
        return false;
    }
    if (wanted == SQL_TYPE_TEXT) {
        return type == SQL_TYPE_TEXT || type == SQL_TYPE_VARCHAR || type == SQL_TYPE_BPCHAR ||
               type == SQL_TYPE_NAME;
    }
    if (wanted == SQL_TYPE_ENUM) {
        return type >= SQL_TYPE_FIRST_USER_DEFINED;
    }
    return type == (Oid)wanted;
}

/* The value's bytes after every check, or NULL and a fault. */
static const char *value_of(struct row *row, size_t column, enum sql_type type)
{
    if (!column_exists(row, column)) {
        return NULL;
    }
    if (!type_fits(row, (int)column, type)) {
        fail(row, ROW_WRONG_TYPE);
        return NULL;
    }
    if (PQgetisnull(row->_result, row->_index, (int)column)) {
        fail(row, ROW_UNEXPECTED_NULL);
        return NULL;
    }
    return PQgetvalue(row->_result, row->_index, (int)column);
}

/* Copies a value of exactly width bytes; leaves *ret_value alone on a fault. */
static bool read_fixed(struct row *row, size_t column, enum sql_type type, void *ret_value,
                       size_t width)
{
    const char *bytes = value_of(row, column, type);
    if (bytes == NULL) {
        return false;
    }
    if ((size_t)PQgetlength(row->_result, row->_index, (int)column) != width) {
        fail(row, ROW_WRONG_LENGTH);
        return false;
    }
    memcpy(ret_value, bytes, width);
    return true;
}

bool row_bool(struct row *row, size_t column)
{
    uint8_t wire = 0;
    return read_fixed(row, column, SQL_TYPE_BOOL, &wire, sizeof(wire)) && wire != 0;
}

int16_t row_int2(struct row *row, size_t column)
{
    uint16_t wire = 0;
    read_fixed(row, column, SQL_TYPE_INT2, &wire, sizeof(wire));
    return (int16_t)be16toh(wire);
}

int32_t row_int4(struct row *row, size_t column)
{
    uint32_t wire = 0;
    read_fixed(row, column, SQL_TYPE_INT4, &wire, sizeof(wire));
    return (int32_t)be32toh(wire);
}

int64_t row_int8(struct row *row, size_t column)
{
    uint64_t wire = 0;
    read_fixed(row, column, SQL_TYPE_INT8, &wire, sizeof(wire));
    return (int64_t)be64toh(wire);
}

struct uuid row_uuid(struct row *row, size_t column)
{
    struct uuid uuid = {0};
    read_fixed(row, column, SQL_TYPE_UUID, uuid.bytes, UUID_BYTES);
    return uuid;
}

int64_t row_timestamptz(struct row *row, size_t column)
{
    uint64_t wire = 0;
    int64_t unix_us = 0;
    if (!read_fixed(row, column, SQL_TYPE_TIMESTAMPTZ, &wire, sizeof(wire))) {
        return 0;
    }
    int64_t since_2000_us = (int64_t)be64toh(wire);
    if (since_2000_us == INT64_MIN || /* -infinity */
        __builtin_add_overflow(since_2000_us, SQL_TYPE_EPOCH_UNIX_US, &unix_us)) {
        fail(row, ROW_OUT_OF_RANGE);
        return 0;
    }
    return unix_us;
}

static struct sql_text read_bytes(struct row *row, size_t column, enum sql_type type)
{
    const char *bytes = value_of(row, column, type);
    if (bytes == NULL) {
        return (struct sql_text){0};
    }
    int length = PQgetlength(row->_result, row->_index, (int)column);
    return (struct sql_text){.bytes = bytes, .length = (size_t)length};
}

struct sql_text row_text(struct row *row, size_t column)
{
    return read_bytes(row, column, SQL_TYPE_TEXT);
}

struct sql_text row_bytea(struct row *row, size_t column)
{
    return read_bytes(row, column, SQL_TYPE_BYTEA);
}

struct sql_text row_enum(struct row *row, size_t column)
{
    return read_bytes(row, column, SQL_TYPE_ENUM);
}

bool row_failed(const struct row *row)
{
    return row->_fault != ROW_SOUND;
}

enum row_fault row_fault(const struct row *row)
{
    return row->_fault;
}

const char *row_fault_text(enum row_fault fault)
{
    static const char *const texts[] = {
        [ROW_SOUND] = "sound",
        [ROW_NO_SUCH_COLUMN] = "the result has no such column",
        [ROW_WRONG_TYPE] = "a column has another type",
        [ROW_WRONG_LENGTH] = "a value has a wrong length",
        [ROW_UNEXPECTED_NULL] = "a value is NULL that may not be",
        [ROW_OUT_OF_RANGE] = "a time is infinite",
        [ROW_UNKNOWN_LABEL] = "an enum has a label that is unknown here",
    };
    CHECK((size_t)fault < COUNT_OF(texts));
    return texts[fault];
}
