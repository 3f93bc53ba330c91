/*
 * The PostgreSQL types that have a form in C, and what that form is: the one table that generated
 * code is written from. Constant data; any thread.
 */
#ifndef TYPEDSQL_TYPE_FORM_H
#define TYPEDSQL_TYPE_FORM_H

#include <stdbool.h>

struct type_form {
    const char *sql_name;   /* as format_type() writes it */
    const char *constant;   /* of enum sql_type: "SQL_TYPE_INT8" */
    const char *c_type;     /* of one value or element: "int64_t" */
    const char *suffix;     /* of params_add_, fields_ and sql_array_next_: "int8" */
    const char *field_unit; /* what a field's name ends with: "_us", or "" */
    const char *array;      /* sql_name of its array, or NULL if arrays have no form */
    bool is_text;           /* a struct sql_text, which points into the result */
    bool by_address;        /* params_add_ takes a pointer */
    bool as_parameter;      /* false: in rows only */
};

/* The form of a type by format_type()'s name or an alias of it ("int8"); NULL if it has none. */
const struct type_form *type_form_find(const char *sql_name);

/* The form of the elements, if sql_name is such an array; NULL if not. */
const struct type_form *type_form_find_element(const char *sql_name);

/* The form of text, which enum labels have as well. */
const struct type_form *type_form_text(void);

/* Whether both name the same type: "int8" and "bigint", "timestamptz[]" and the long way. */
bool type_form_same(const char *sql_name, const char *other);

#endif
