#include "typedsql/source_writer.h"

#include "typedsql/c_text.h"
#include "typedsql/signature.h"

#include <string.h>

#define ENUM_CONSTANT "SQL_TYPE_ENUM"
/* Tables keep one line an entry, however many would fit. */
#define TABLE_BEGIN "/* clang-format off */\n"
#define TABLE_END   "/* clang-format on */\n\n"

#define CONSTANT_CHARS 64

/* The constant of enum sql_type that stands for the field. */
static void constant_of(const struct binding_field *field, char ret[CONSTANT_CHARS])
{
    snprintf(ret, CONSTANT_CHARS, "%s%s", field->is_enum ? ENUM_CONSTANT : field->form->constant,
             field->is_array ? "_ARRAY" : "");
}

static void write_statement(FILE *out, const struct binding *binding)
{
    static const char sql_member[] = "    .sql = ";
    char constants[STATEMENT_PARAMETERS_MAX][CONSTANT_CHARS];
    const char *list[STATEMENT_PARAMETERS_MAX];
    const char *name = binding->file->name;
    fprintf(out, "const struct statement %s_statement = {\n    .name = \"%s\",\n", name, name);
    fputs(sql_member, out);
    c_text_string(out, binding->file->sql, strlen(sql_member));
    fputs(",\n", out);
    if (binding->parameter_count > 0) {
        fprintf(out, "    .parameter_count = %zu,\n", binding->parameter_count);
        for (size_t i = 0; i < binding->parameter_count; i++) {
            constant_of(&binding->parameters[i], constants[i]);
            list[i] = constants[i];
        }
        c_text_list(out, "    .parameter_types = {", list, binding->parameter_count, "},");
    }
    fputs("};\n\n", out);
}

static void write_query(FILE *out, const struct binding *binding)
{
    static const char *const rows[] = {[QUERY_ONE] = "QUERY_ONE",
                                       [QUERY_OPTIONAL] = "QUERY_OPTIONAL",
                                       [QUERY_MANY] = "QUERY_MANY",
                                       [QUERY_EXEC] = "QUERY_EXEC"};
    if (binding->column_count > 0) {
        fputs(TABLE_BEGIN "static const struct query_column columns[] = {\n", out);
        for (size_t i = 0; i < binding->column_count; i++) {
            char constant[CONSTANT_CHARS];
            constant_of(&binding->columns[i], constant);
            fprintf(out, "    {\"%s\", %s},\n", binding->description->columns[i].name, constant);
        }
        fputs("};\n" TABLE_END, out);
    }
    fprintf(out,
            "static const struct query query = {\n    .statement = &%s_statement,\n"
            "    .rows = %s,\n",
            binding->file->name, rows[binding->file->rows]);
    if (binding->column_count > 0) {
        fputs("    .columns = columns,\n    .column_count = COUNT_OF(columns),\n", out);
    }
    fputs("};\n\n", out);
}

/* What the code for one C enum has to provide. */
struct enum_use {
    const struct binding_field *field;    /* any that has the enum */
    bool as_enum, as_text, as_text_array; /* parameters of these types */
    bool as_column;
};

#define ENUM_USES_MAX 16

struct enum_uses {
    struct enum_use list[ENUM_USES_MAX];
    size_t count;
};

static struct enum_use *enum_use_of(struct enum_uses *uses, const struct binding_field *field)
{
    for (size_t i = 0; i < uses->count; i++) {
        if (strcmp(uses->list[i].field->c_enum->tag, field->c_enum->tag) == 0) {
            return &uses->list[i];
        }
    }
    CHECK(uses->count < ENUM_USES_MAX);
    uses->list[uses->count] = (struct enum_use){.field = field};
    return &uses->list[uses->count++];
}

static void find_enum_uses(const struct binding *binding, struct enum_uses *ret)
{
    *ret = (struct enum_uses){.count = 0};
    for (size_t i = 0; i < binding->parameter_count; i++) {
        if (binding->parameters[i].c_enum != NULL) {
            struct enum_use *use = enum_use_of(ret, &binding->parameters[i]);
            use->as_enum = use->as_enum || binding->parameters[i].is_enum;
            use->as_text_array = use->as_text_array || binding->parameters[i].is_array;
            use->as_text = use->as_text ||
                           (!binding->parameters[i].is_enum && !binding->parameters[i].is_array);
        }
    }
    for (size_t i = 0; i < binding->column_count; i++) {
        if (binding->columns[i].c_enum != NULL) {
            enum_use_of(ret, &binding->columns[i])->as_column = true;
        }
    }
}

/* Labels and constants side by side; a label without its constant does not compile. */
static void write_enum_table(FILE *out, const struct enum_use *use)
{
    const struct query_enum *c_enum = use->field->c_enum;
    const struct described_type *type = use->field->labels;
    fprintf(out, TABLE_BEGIN "static const struct sql_text %s_labels[] = {\n", c_enum->tag);
    for (size_t i = 0; i < type->label_count; i++) {
        fprintf(out, "    {\"%s\", %zu},\n", type->labels[i], strlen(type->labels[i]));
    }
    fprintf(out, "};\n\nstatic const enum %s %s_values[] = {\n", c_enum->tag, c_enum->tag);
    for (size_t i = 0; i < type->label_count; i++) {
        fprintf(out, "    %s%s,\n", c_enum->prefix, type->labels[i]);
    }
    fputs("};\n" TABLE_END, out);
    if (c_enum->count != NULL) {
        fprintf(out,
                "_Static_assert((int)%s == (int)COUNT_OF(%s_labels),\n"
                "               \"enum %s has constants that %s has no labels for\");\n\n",
                c_enum->count, c_enum->tag, c_enum->tag, type->name);
    }
}

/* A function that adds a constant's label as a value of the type that kind names. */
static void write_enum_adder(FILE *out, const char *tag, const char *kind)
{
    char value[SIGNATURE_ARGUMENT_CHARS], head[SIGNATURE_ARGUMENT_CHARS];
    const char *arguments[] = {"struct params *list", value};
    snprintf(head, sizeof(head), "static void add_%s_%s(", tag, kind);
    snprintf(value, sizeof(value), "enum %s value", tag);
    c_text_list(out, head, arguments, COUNT_OF(arguments), ")");
    fprintf(out, "{\n    struct sql_text label = label_of_%s(value);\n", tag);
    fprintf(out, "    params_add_%s(list, label.bytes, label.length);\n}\n\n",
            strcmp(kind, "enum") == 0 ? "label" : kind);
}

static void write_enum_array_adder(FILE *out, const char *tag)
{
    char values[SIGNATURE_ARGUMENT_CHARS], head[SIGNATURE_ARGUMENT_CHARS];
    const char *arguments[] = {"struct params *list", "struct arena *arena", values,
                               "size_t count"};
    snprintf(head, sizeof(head), "static void add_%s_array(", tag);
    snprintf(values, sizeof(values), "const enum %s *values", tag);
    c_text_list(out, head, arguments, COUNT_OF(arguments), ")");
    fputs("{\n"
          "    struct sql_text *labels = arena_calloc(arena, count, sizeof(*labels));\n"
          "    if (labels == NULL) {\n"
          "        params_add_failure(list, SQL_TYPE_TEXT_ARRAY);\n"
          "        return;\n"
          "    }\n"
          "    for (size_t i = 0; i < count; i++) {\n",
          out);
    fprintf(out, "        labels[i] = label_of_%s(values[i]);\n", tag);
    fputs("    }\n"
          "    params_add_text_array(list, labels, count);\n"
          "}\n\n",
          out);
}

static void write_enum_functions(FILE *out, const struct enum_use *use)
{
    const char *tag = use->field->c_enum->tag;
    if (use->as_column) {
        fprintf(out, "static enum %s %s_of_label(struct fields *fields, int column)\n{\n", tag,
                tag);
        fprintf(out, "    size_t count = COUNT_OF(%s_labels);\n", tag);
        fprintf(out, "    return %s_values[fields_label(fields, column, %s_labels, count)];\n}\n\n",
                tag, tag);
    }
    if (use->as_enum || use->as_text || use->as_text_array) {
        fprintf(out, "static struct sql_text label_of_%s(enum %s value)\n{\n", tag, tag);
        fprintf(out, "    for (size_t i = 0; i < COUNT_OF(%s_values); i++) {\n", tag);
        fprintf(out, "        if (%s_values[i] == value) {\n", tag);
        fprintf(out, "            return %s_labels[i];\n        }\n    }\n", tag);
        fprintf(out, "    UNREACHABLE(\"no constant of enum %s\");\n}\n\n", tag);
    }
    if (use->as_enum) {
        write_enum_adder(out, tag, "enum");
    }
    if (use->as_text) {
        write_enum_adder(out, tag, "text");
    }
    if (use->as_text_array) {
        write_enum_array_adder(out, tag);
    }
}

/* The statement that adds one value that is not NULL, indented. */
static void write_add(FILE *out, const struct binding_field *field, const char *indent)
{
    const char *name = field->name;
    const char *suffix = field->form->suffix;
    if (field->c_enum != NULL && field->is_array) {
        fprintf(out, "%sadd_%s_array(list, arena, params->%s, params->%s);\n", indent,
                field->c_enum->tag, name, field->count_name);
    } else if (field->is_array) {
        fprintf(out, "%sparams_add_%s_array(list, params->%s, params->%s);\n", indent, suffix, name,
                field->count_name);
    } else if (field->c_enum != NULL) {
        fprintf(out, "%sadd_%s_%s(list, params->%s);\n", indent, field->c_enum->tag,
                field->is_enum ? "enum" : "text", name);
    } else if (field->form->is_text) {
        fprintf(out, "%sparams_add_%s(list, params->%s.bytes, params->%s.length);\n", indent,
                field->is_enum ? "label" : suffix, name, name);
    } else {
        fprintf(out, "%sparams_add_%s(list, %sparams->%s);\n", indent, suffix,
                field->form->by_address ? "&" : "", name);
    }
}

static void write_parameter(FILE *out, const struct binding_field *field)
{
    char constant[CONSTANT_CHARS];
    constant_of(field, constant);
    if (!field->nullable) {
        if (binding_is_text(field)) {
            fprintf(out, "    CHECK(params->%s.bytes != NULL);\n", field->name);
        }
        write_add(out, field, "    ");
        return;
    }
    fprintf(out, "    if (params->%s%s) {\n",
            binding_has_null_flag(field) ? field->null_flag : field->name,
            binding_has_null_flag(field) ? ""
            : field->is_array            ? " == NULL"
                                         : ".bytes == NULL");
    fprintf(out, "        params_add_null(list, %s);\n    } else {\n", constant);
    write_add(out, field, "        ");
    fputs("    }\n", out);
}

static void write_fill(FILE *out, const struct binding *binding)
{
    char params[SIGNATURE_ARGUMENT_CHARS];
    const char *arguments[] = {"struct params *list", "struct arena *arena", params};
    if (binding->parameter_count == 0) {
        return;
    }
    snprintf(params, sizeof(params), "const struct %s_params *params", binding->file->name);
    c_text_list(out, "static void fill_list(", arguments, COUNT_OF(arguments), ")");
    fputs("{\n    params_init(list, arena);\n", out);
    for (size_t i = 0; i < binding->parameter_count; i++) {
        write_parameter(out, &binding->parameters[i]);
    }
    fputs("}\n\n", out);
}

/* The expression that reads a column that is not NULL. */
static void write_value(FILE *out, const struct binding_field *field, size_t column)
{
    if (field->c_enum != NULL) {
        fprintf(out, "%s_of_label(&fields, %zu)", field->c_enum->tag, column);
    } else if (field->is_array) {
        fprintf(out, "fields_array(&fields, %zu, %s)", column, field->form->constant);
    } else if (field->form->is_text) {
        fprintf(out, "fields_text(&fields, %zu)", column);
    } else {
        fprintf(out, "fields_%s(&fields, %zu)", field->form->suffix, column);
    }
}

/* The zero of a nullable column's field. */
static const char *zero_of(const struct binding_field *field)
{
    if (field->is_array) {
        return "(struct sql_array){0}";
    }
    if (binding_is_text(field)) {
        return "(struct sql_text){0}";
    }
    return field->form->by_address ? "(struct uuid){0}" : "0";
}

/* Reads one column into its field; what is NULL is zero. */
static void write_column(FILE *out, const struct binding_field *field, size_t column)
{
    if (!field->nullable) {
        fprintf(out, "    row.%s = ", field->name);
        write_value(out, field, column);
        fputs(";\n", out);
        return;
    }
    fprintf(out, "    row.%s = %s;\n", field->name, zero_of(field));
    if (binding_has_null_flag(field)) {
        fprintf(out, "    row.%s = fields_is_null(&fields, %zu);\n", field->null_flag, column);
        fprintf(out, "    if (!row.%s) {\n", field->null_flag);
    } else {
        fprintf(out, "    if (!fields_is_null(&fields, %zu)) {\n", column);
    }
    fprintf(out, "        row.%s = ", field->name);
    write_value(out, field, column);
    fputs(";\n    }\n", out);
}

static void write_read(FILE *out, const struct binding *binding)
{
    char row[SIGNATURE_ARGUMENT_CHARS];
    const char *arguments[] = {"struct session *session", "const struct session_result *result",
                               "size_t index", row};
    if (binding->column_count == 0) {
        return;
    }
    snprintf(row, sizeof(row), "struct %s_row *ret_row", binding->file->name);
    if (binding->file->rows == QUERY_MANY) {
        signature_write(out, binding, SIGNATURE_READ, ")");
    } else {
        c_text_list(out, "static enum db_status read_row(", arguments, COUNT_OF(arguments), ")");
    }
    fprintf(out, "{\n    struct %s_row row;\n    struct fields fields;\n", binding->file->name);
    fputs("    fields_init(&fields, result, index);\n", out);
    for (size_t i = 0; i < binding->column_count; i++) {
        write_column(out, &binding->columns[i], i);
    }
    fputs("    if (fields.fault != ROW_SOUND) {\n"
          "        return query_fail(session, &query, &fields);\n"
          "    }\n"
          "    *ret_row = row;\n"
          "    return DB_OK;\n"
          "}\n\n",
          out);
}

/* For one row or none: hands over what receive and exec got, or gives it back. */
static void write_take(FILE *out, const struct binding *binding)
{
    enum query_rows rows = binding->file->rows;
    const char *name = binding->file->name;
    char row[SIGNATURE_ARGUMENT_CHARS];
    const char *arguments[5] = {"struct session *session", "struct session_result *result"};
    size_t count = 2;
    if (rows != QUERY_ONE && rows != QUERY_OPTIONAL) {
        return;
    }
    if (binding->has_pointers) {
        arguments[count++] = "struct session_result *ret_result";
    }
    if (rows == QUERY_OPTIONAL) {
        arguments[count++] = "bool *ret_found";
    }
    snprintf(row, sizeof(row), "struct %s_row *ret_row", name);
    arguments[count++] = row;
    c_text_list(out, "static enum db_status take_row(", arguments, count, ")");
    fprintf(out, "{\n    struct %s_row row%s;\n", name, rows == QUERY_OPTIONAL ? " = {0}" : "");
    if (rows == QUERY_OPTIONAL) {
        fputs("    bool found = result->row_count > 0;\n"
              "    enum db_status status = found ? read_row(session, result, 0, &row) : DB_OK;\n",
              out);
    } else {
        fputs("    enum db_status status = read_row(session, result, 0, &row);\n", out);
    }
    if (binding->has_pointers) {
        fputs("    if (status != DB_OK) {\n        session_result_fini(result);\n"
              "        return status;\n    }\n    *ret_result = *result;\n",
              out);
    } else {
        fputs("    session_result_fini(result);\n"
              "    if (status != DB_OK) {\n        return status;\n    }\n",
              out);
    }
    fputs(rows == QUERY_OPTIONAL ? "    *ret_found = found;\n" : "", out);
    fputs("    *ret_row = row;\n    return DB_OK;\n}\n\n", out);
}

static void write_send(FILE *out, const struct binding *binding, enum signature_role role)
{
    const char *function = role == SIGNATURE_SEND ? "session_send" : "session_send_streamed";
    signature_write(out, binding, role, ")");
    fputs("{\n", out);
    if (binding->parameter_count > 0) {
        fputs("    struct params list;\n    fill_list(&list, arena, params);\n", out);
    }
    fprintf(out, "    return %s(session, query.statement, %s);\n}\n\n", function,
            binding->parameter_count > 0 ? "&list" : "NULL");
}

/* What receive and exec do with a result that they got. */
static void write_outcome(FILE *out, const struct binding *binding)
{
    if (binding->file->rows == QUERY_EXEC) {
        fputs("    if (ret_affected != NULL) {\n"
              "        *ret_affected = session_result_affected(&result);\n"
              "    }\n"
              "    session_result_fini(&result);\n"
              "    return DB_OK;\n}\n",
              out);
        return;
    }
    fprintf(out, "    return take_row(session, &result%s%s, ret_row);\n}\n",
            binding->has_pointers ? ", ret_result" : "",
            binding->file->rows == QUERY_OPTIONAL ? ", ret_found" : "");
}

static void write_receive(FILE *out, const struct binding *binding, enum signature_role role)
{
    bool is_exec = role == SIGNATURE_EXEC;
    bool has_list = is_exec && binding->parameter_count > 0;
    const char *call = !is_exec   ? "query_receive(session, deadline_ns, &query, "
                       : has_list ? "query_exec(session, &query, &list, deadline_ns, "
                                  : "query_exec(session, &query, NULL, deadline_ns, ";
    signature_write(out, binding, role, ")");
    fputs("{\n", out);
    if (has_list) {
        fputs("    struct params list;\n    fill_list(&list, arena, params);\n", out);
    }
    if (binding->file->rows == QUERY_MANY) {
        fprintf(out, "    return %sret_result);\n}\n", call);
        return;
    }
    fputs("    struct session_result result;\n", out);
    fprintf(out, "    enum db_status status = %s&result);\n", call);
    fputs("    if (status != DB_OK) {\n        return status;\n    }\n", out);
    write_outcome(out, binding);
}

static void write_includes(FILE *out, const struct binding *binding, const char *folder,
                           const struct enum_uses *uses)
{
    bool needs_arena = false;
    for (size_t i = 0; i < uses->count; i++) {
        needs_arena = needs_arena || uses->list[i].as_text_array;
    }
    fputs("/* Generated by typedsql; not to be edited. */\n", out);
    fprintf(out, "#include \"%s/%s.h\"\n\n", folder, binding->file->name);
    fputs(needs_arena ? "#include \"base/arena.h\"\n" : "", out);
    fputs(binding->column_count > 0 ? "#include \"postgres/fields.h\"\n" : "", out);
    fputs(binding->parameter_count > 0 ? "#include \"postgres/params.h\"\n" : "", out);
    fputs("#include \"postgres/query.h\"\n#include \"postgres/session.h\"\n", out);
    fputc('\n', out);
}

void source_writer_write(FILE *out, const struct binding *binding, const char *folder)
{
    struct enum_uses uses;
    find_enum_uses(binding, &uses);
    write_includes(out, binding, folder, &uses);
    write_statement(out, binding);
    write_query(out, binding);
    for (size_t i = 0; i < uses.count; i++) {
        write_enum_table(out, &uses.list[i]);
        write_enum_functions(out, &uses.list[i]);
    }
    write_fill(out, binding);
    write_read(out, binding);
    write_take(out, binding);
    write_send(out, binding, SIGNATURE_SEND);
    if (signature_exists(binding, SIGNATURE_SEND_STREAMED)) {
        write_send(out, binding, SIGNATURE_SEND_STREAMED);
    }
    write_receive(out, binding, SIGNATURE_RECEIVE);
    fputc('\n', out);
    write_receive(out, binding, SIGNATURE_EXEC);
}
