#include "typedsql/type_form.h"

#include "base/check.h"

#include <stddef.h>
#include <string.h>

static const struct type_form forms[] = {
    {.sql_name = "boolean",
     .constant = "SQL_TYPE_BOOL",
     .c_type = "bool",
     .suffix = "bool",
     .field_unit = "",
     .as_parameter = true},
    {.sql_name = "smallint",
     .constant = "SQL_TYPE_INT2",
     .c_type = "int16_t",
     .suffix = "int2",
     .field_unit = "",
     .array = "smallint[]",
     .as_parameter = true},
    {.sql_name = "integer",
     .constant = "SQL_TYPE_INT4",
     .c_type = "int32_t",
     .suffix = "int4",
     .field_unit = "",
     .array = "integer[]",
     .as_parameter = true},
    {.sql_name = "bigint",
     .constant = "SQL_TYPE_INT8",
     .c_type = "int64_t",
     .suffix = "int8",
     .field_unit = "",
     .array = "bigint[]",
     .as_parameter = true},
    {.sql_name = "text",
     .constant = "SQL_TYPE_TEXT",
     .c_type = "struct sql_text",
     .suffix = "text",
     .field_unit = "",
     .array = "text[]",
     .is_text = true,
     .as_parameter = true},
    {.sql_name = "character varying",
     .constant = "SQL_TYPE_TEXT",
     .c_type = "struct sql_text",
     .suffix = "text",
     .field_unit = "",
     .is_text = true,
     .as_parameter = true},
    /* As parameters these two would be compared as text, with other rules and no index. */
    {.sql_name = "character",
     .constant = "SQL_TYPE_TEXT",
     .c_type = "struct sql_text",
     .suffix = "text",
     .field_unit = "",
     .is_text = true},
    {.sql_name = "name",
     .constant = "SQL_TYPE_TEXT",
     .c_type = "struct sql_text",
     .suffix = "text",
     .field_unit = "",
     .is_text = true},
    {.sql_name = "bytea",
     .constant = "SQL_TYPE_BYTEA",
     .c_type = "struct sql_text",
     .suffix = "bytea",
     .field_unit = "",
     .is_text = true,
     .as_parameter = true},
    {.sql_name = "uuid",
     .constant = "SQL_TYPE_UUID",
     .c_type = "struct uuid",
     .suffix = "uuid",
     .field_unit = "",
     .array = "uuid[]",
     .by_address = true,
     .as_parameter = true},
    {.sql_name = "timestamp with time zone",
     .constant = "SQL_TYPE_TIMESTAMPTZ",
     .c_type = "int64_t",
     .suffix = "timestamptz",
     .field_unit = "_us",
     .array = "timestamp with time zone[]",
     .as_parameter = true},
};

static const struct {
    const char *alias, *sql_name;
} aliases[] = {
    {"bool", "boolean"},   {"int2", "smallint"},    {"int", "integer"},
    {"int4", "integer"},   {"int8", "bigint"},      {"varchar", "character varying"},
    {"char", "character"}, {"bpchar", "character"}, {"timestamptz", "timestamp with time zone"},
};

/* The length of the name without a final [], and whether it had one. */
static size_t element_length(const char *sql_name, bool *ret_is_array)
{
    size_t length = strlen(sql_name);
    *ret_is_array = length > 2 && strcmp(sql_name + length - 2, "[]") == 0;
    return *ret_is_array ? length - 2 : length;
}

static bool is_span(const char *text, const char *span, size_t length)
{
    return strlen(text) == length && memcmp(text, span, length) == 0;
}

static const struct type_form *find_span(const char *sql_name, size_t length)
{
    for (size_t i = 0; i < COUNT_OF(aliases); i++) {
        if (is_span(aliases[i].alias, sql_name, length)) {
            return type_form_find(aliases[i].sql_name);
        }
    }
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        if (is_span(forms[i].sql_name, sql_name, length)) {
            return &forms[i];
        }
    }
    return NULL;
}

const struct type_form *type_form_find(const char *sql_name)
{
    bool is_array;
    size_t length = element_length(sql_name, &is_array);
    return is_array ? NULL : find_span(sql_name, length);
}

const struct type_form *type_form_find_element(const char *sql_name)
{
    bool is_array;
    size_t length = element_length(sql_name, &is_array);
    const struct type_form *form = is_array ? find_span(sql_name, length) : NULL;
    return form != NULL && form->array != NULL ? form : NULL;
}

const struct type_form *type_form_text(void)
{
    return type_form_find("text");
}

bool type_form_same(const char *sql_name, const char *other)
{
    bool is_array, other_is_array;
    size_t length = element_length(sql_name, &is_array);
    size_t other_length = element_length(other, &other_is_array);
    const struct type_form *form = find_span(sql_name, length);
    if (is_array != other_is_array) {
        return false;
    }
    if (form != NULL) {
        return form == find_span(other, other_length);
    }
    return length == other_length && memcmp(sql_name, other, length) == 0;
}
