#include "typedsql/header_writer.h"

#include "typedsql/signature.h"

#include <ctype.h>
#include <string.h>

#define INCLUDES_MAX (8 + STATEMENT_PARAMETERS_MAX + QUERY_FILE_COLUMNS_MAX)

/* Headers to include, sorted and each once. */
struct includes {
    const char *list[INCLUDES_MAX];
    size_t count;
};

static void include(struct includes *includes, const char *header)
{
    size_t at = 0;
    while (at < includes->count && strcmp(includes->list[at], header) < 0) {
        at++;
    }
    if (at < includes->count && strcmp(includes->list[at], header) == 0) {
        return;
    }
    memmove(&includes->list[at + 1], &includes->list[at],
            (includes->count - at) * sizeof(includes->list[0]));
    includes->list[at] = header;
    includes->count++;
}

static void include_for_field(struct includes *includes, const struct binding_field *field,
                              bool is_column)
{
    if (field->c_enum != NULL) {
        include(includes, field->c_enum->header);
    } else if (field->is_array && is_column) {
        include(includes, "postgres/sql_array.h");
    } else if (field->form->is_text) {
        include(includes, "postgres/sql_type.h");
    } else if (field->form->by_address) {
        include(includes, "base/uuid.h");
    }
}

static void write_includes(FILE *out, const struct binding *binding)
{
    struct includes includes = {.count = 0};
    include(&includes, "base/check.h");
    include(&includes, "postgres/sqlstate.h");
    include(&includes, "postgres/statement.h");
    for (size_t i = 0; i < binding->parameter_count; i++) {
        include_for_field(&includes, &binding->parameters[i], false);
    }
    for (size_t i = 0; i < binding->column_count; i++) {
        include_for_field(&includes, &binding->columns[i], true);
    }
    for (size_t i = 0; i < includes.count; i++) {
        fprintf(out, "#include \"%s\"\n", includes.list[i]);
    }
    fputs("\n#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n", out);
}

static void write_c_type(FILE *out, const struct binding_field *field)
{
    if (field->c_enum != NULL) {
        fprintf(out, "enum %s ", field->c_enum->tag);
    } else {
        fprintf(out, "%s ", field->form->c_type);
    }
}

static bool count_was_written(const struct binding *binding, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (binding->parameters[i].count_name != NULL &&
            strcmp(binding->parameters[i].count_name, binding->parameters[index].count_name) == 0) {
            return true;
        }
    }
    return false;
}

static void write_params(FILE *out, const struct binding *binding)
{
    if (binding->parameter_count == 0) {
        return;
    }
    fprintf(out, "struct %s_params {\n", binding->file->name);
    for (size_t i = 0; i < binding->parameter_count; i++) {
        const struct binding_field *field = &binding->parameters[i];
        if (field->is_array && !count_was_written(binding, i)) {
            fprintf(out, "    size_t %s;\n", field->count_name);
        }
        if (binding_has_null_flag(field)) {
            fprintf(out, "    bool %s;\n", field->null_flag);
        }
        fputs(field->is_array ? "    const " : "    ", out);
        write_c_type(out, field);
        fprintf(out, "%s%s;\n", field->is_array ? "*" : "", field->name);
    }
    fputs("};\n\n", out);
}

static void write_row(FILE *out, const struct binding *binding)
{
    if (binding->column_count == 0) {
        return;
    }
    fprintf(out, "struct %s_row {\n", binding->file->name);
    for (size_t i = 0; i < binding->column_count; i++) {
        const struct binding_field *field = &binding->columns[i];
        if (binding_has_null_flag(field)) {
            fprintf(out, "    bool %s;\n", field->null_flag);
        }
        if (field->is_array) {
            fprintf(out, "    /* Of %s%s. */\n    struct sql_array %s;\n", field->form->sql_name,
                    field->nullable ? "; bytes == NULL is NULL" : "", field->name);
            continue;
        }
        if (field->nullable && binding_is_text(field)) {
            fputs("    /* bytes == NULL is NULL. */\n", out);
        }
        fputs("    ", out);
        write_c_type(out, field);
        fprintf(out, "%s;\n", field->name);
    }
    fputs("};\n\n", out);
}

/* The include guard: the path in capitals. */
static void write_guard(FILE *out, const char *before, const char *folder, const char *name)
{
    fputs(before, out);
    for (const char *c = folder; *c != '\0'; c++) {
        fputc(isalnum((unsigned char)*c) ? toupper((unsigned char)*c) : '_', out);
    }
    fputc('_', out);
    for (const char *c = name; *c != '\0'; c++) {
        fputc(toupper((unsigned char)*c), out);
    }
    fputs("_H\n", out);
}

/* What the author says of the query, carried over from the comment block on top. */
static void write_prose(FILE *out, const struct query_file *file)
{
    fputs(file->prose_count > 0 ? " *\n" : "", out);
    for (size_t i = 0; i < file->prose_count; i++) {
        fprintf(out, " *%s%s\n", file->prose[i][0] != '\0' ? " " : "", file->prose[i]);
    }
}

static void write_functions(FILE *out, const struct binding *binding)
{
    static const struct {
        enum signature_role role;
        const char *comment;
    } functions[] = {
        {SIGNATURE_SEND, "Queues it for the next session_sync()."},
        {SIGNATURE_SEND_STREAMED, "As send, with rows that are received one by one."},
        {SIGNATURE_RECEIVE, "Its result, when it is the next to come; checked."},
        {SIGNATURE_READ, "Row index of a result of this query."},
        {SIGNATURE_EXEC, "Send, sync and receive, with nothing else pending."},
    };
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        if (signature_exists(binding, functions[i].role)) {
            fprintf(out, "\n/* %s */\n", functions[i].comment);
            signature_write(out, binding, functions[i].role, ") MUST_CHECK;");
        }
    }
}

void header_writer_write(FILE *out, const struct binding *binding, const char *folder)
{
    const char *name = binding->file->name;
    fprintf(out, "/*\n * Generated by typedsql, not to be edited, from\n * %s/%s.sql.\n", folder,
            name);
    write_prose(out, binding->file);
    fputs(" */\n", out);
    write_guard(out, "#ifndef ", folder, name);
    write_guard(out, "#define ", folder, name);
    fputc('\n', out);
    write_includes(out, binding);
    fputs("struct arena;\nstruct session;\nstruct session_result;\n\n", out);
    write_params(out, binding);
    write_row(out, binding);
    fputs("/* For session_config.statements. */\n", out);
    fprintf(out, "extern const struct statement %s_statement;\n", name);
    write_functions(out, binding);
    fputs("\n#endif\n", out);
}
