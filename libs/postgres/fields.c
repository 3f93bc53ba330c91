#include "postgres/fields.h"

void fields_fail(struct fields *fields, int column, enum row_fault fault)
{
    if (fields->fault == ROW_SOUND) {
        fields->fault = fault;
        fields->fault_column = column;
    }
}

void fields_fail_length(struct fields *fields, int column)
{
    fields_fail(fields, column,
                fields_is_null(fields, column) ? ROW_UNEXPECTED_NULL : ROW_WRONG_LENGTH);
}

struct sql_array fields_array(struct fields *fields, int column, enum sql_type element)
{
    struct sql_array array = {0};
    struct sql_text value = fields_text(fields, column);
    if (value.bytes != NULL) {
        enum row_fault fault = sql_array_init(&array, value.bytes, value.length, element);
        if (fault != ROW_SOUND) {
            fields_fail(fields, column, fault);
        }
    }
    return array;
}
