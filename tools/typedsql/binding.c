#include "typedsql/binding.h"

#include "base/arena.h"
#include "typedsql/directive.h"
#include "typedsql/select_list.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* One binding in the making. Errors are counted by the report. */
struct binder {
    struct arena *arena;
    struct report *report;
    const struct query_file *file;
    const struct description *description;
    struct binding *binding;
};

bool binding_is_text(const struct binding_field *field)
{
    return !field->is_array && field->c_enum == NULL && field->form->is_text;
}

bool binding_has_null_flag(const struct binding_field *field)
{
    return field->nullable && !field->is_array && !binding_is_text(field);
}

static bool is_array(const char *sql_name)
{
    size_t length = strlen(sql_name);
    return length > 2 && strcmp(sql_name + length - 2, "[]") == 0;
}

/* A name with its unit, unless it has it already. */
static const char *field_name(struct binder *binder, const char *name, const char *unit)
{
    size_t length = strlen(name);
    size_t unit_length = strlen(unit);
    if (unit_length == 0 ||
        (length > unit_length && strcmp(name + length - unit_length, unit) == 0)) {
        return name;
    }
    return arena_printf(binder->arena, "%s%s", name, unit);
}

/* The form of a type; an enum's is text. NULL if it has none in C. */
static const struct type_form *find_form(const struct described_type *type, bool *ret_is_enum)
{
    *ret_is_enum = type->label_count > 0;
    if (*ret_is_enum) {
        return is_array(type->name) ? NULL : type_form_text();
    }
    return is_array(type->name) ? type_form_find_element(type->name) : type_form_find(type->name);
}

/* What to write instead of a type without a form. */
static const char *advice(const struct described_type *type)
{
    if (type->label_count > 0) {
        return "labels of an array travel as text: cast it to text[] and back";
    }
    return is_array(type->name) ? "cast it in the query, to text[] for instance"
                                : "cast it in the query, to text for instance";
}

static bool is_declared_as(const struct query_parameter *said,
                           const struct described_parameter *found)
{
    return type_form_same(said->type, found->type.name) ||
           (found->declared.name != NULL && strcmp(said->type, found->declared.name) == 0);
}

/* Of which labels the parameter is one, by its type or by its declaration; NULL for others. */
static const struct described_type *labels_of(const struct described_parameter *parameter)
{
    const struct described_type *type =
        parameter->declared.name != NULL ? &parameter->declared : &parameter->type;
    return type->label_count > 0 ? type : NULL;
}

static const char *count_name(struct binder *binder, const struct query_parameter *said)
{
    return said->count_name != NULL ? said->count_name
                                    : arena_printf(binder->arena, "%s_count", said->name);
}

/* A constant's name is prefix and label, so labels must be made of what names are made of. */
static void check_labels(struct binder *binder, const struct binding_field *field, size_t at)
{
    for (size_t i = 0;
         field->c_enum != NULL && field->labels != NULL && i < field->labels->label_count; i++) {
        const char *label = field->labels->labels[i];
        for (const char *c = label; *c != '\0'; c++) {
            if (!isalnum((unsigned char)*c) && *c != '_') {
                report_at(binder->report, &binder->file->source, at,
                          "the label \"%s\" of %s cannot be part of a constant's name", label,
                          field->labels->name);
                report_note(binder->report, "without \"enum\" it is text");
                return;
            }
        }
    }
}

static void bind_parameter(struct binder *binder, size_t index)
{
    const struct query_parameter *said = &binder->file->parameters[index];
    const struct described_parameter *found = &binder->description->parameters[index];
    const struct report_source *source = &binder->file->source;
    struct binding_field *field = &binder->binding->parameters[index];

    if (!is_declared_as(said, found)) {
        report_at(binder->report, source, said->type_at,
                  "$%zu %s is %s in the command, and %s here", index + 1, said->name,
                  found->type.name, said->type);
        return;
    }
    field->form = find_form(&found->type, &field->is_enum);
    if (field->form == NULL || !field->form->as_parameter) {
        report_at(binder->report, source, said->type_at, "a parameter of type %s has no form in C",
                  found->type.name);
        report_note(binder->report, "%s", advice(&found->type));
        return;
    }
    field->name = field_name(binder, said->name, field->form->field_unit);
    field->is_array = is_array(found->type.name);
    field->nullable = said->nullable;
    field->null_flag = arena_printf(binder->arena, "%s_is_null", said->name);
    field->c_enum = said->c_enum;
    field->labels = labels_of(found);
    if (field->is_array) {
        field->count_name = count_name(binder, said);
    } else if (said->count_name != NULL) {
        report_at(binder->report, source, said->at, "only an array has a count");
    }
    if (field->c_enum != NULL && field->labels == NULL) {
        report_at(binder->report, source, said->at, "%s is no enum", said->type);
    }
    check_labels(binder, field, said->at);
}

/* Reports something wrong with result column index, where the command writes it. */
#define report_column(binder, index, ...)                                                          \
    query_file_report_sql(                                                                         \
        (binder)->report, (binder)->file,                                                          \
        select_list_offset(&(binder)->file->tokens, (index), (binder)->description->column_count), \
        __VA_ARGS__)

static const struct query_column_override *find_override(const struct binder *binder,
                                                         const char *column)
{
    for (size_t i = 0; i < binder->file->override_count; i++) {
        if (strcmp(binder->file->overrides[i].column, column) == 0) {
            return &binder->file->overrides[i];
        }
    }
    return NULL;
}

/* Whether the field may be NULL, by what is known and by what the author says. */
static bool resolve_nullness(struct binder *binder, const struct described_column *found,
                             const struct query_column_override *said)
{
    enum query_nullness nullness = said != NULL ? said->nullness : QUERY_NULLNESS_INFERRED;
    switch (nullness) {
    case QUERY_NULLNESS_INFERRED:
        return found->nullness != DESCRIBED_NOT_NULL;
    case QUERY_NULLNESS_NULL:
        return true;
    case QUERY_NULLNESS_NOT_NULL_BECAUSE:
        return false;
    case QUERY_NULLNESS_NOT_NULL:
        if (found->nullness == DESCRIBED_NULLABLE) {
            report_at(binder->report, &binder->file->source, said->nullness_at,
                      "column %s can be NULL: %s", found->name, found->because);
            report_note(binder->report, "if you know better, say: not null because <reason>");
        }
        return false;
    }
    UNREACHABLE("every nullness is listed");
}

static void bind_column(struct binder *binder, size_t index)
{
    const struct described_column *found = &binder->description->columns[index];
    const struct query_column_override *said = find_override(binder, found->name);
    struct binding_field *field = &binder->binding->columns[index];

    if (!directive_is_field_name(found->name) || strlen(found->name) > QUERY_FILE_NAME_CHARS_MAX) {
        report_column(binder, index, "column %zu is named \"%s\", which cannot be a field of C",
                      index + 1, found->name);
        report_note(binder->report, "give it a name with AS");
        return;
    }
    field->form = find_form(&found->type, &field->is_enum);
    if (field->form == NULL) {
        report_column(binder, index, "column %s is of type %s, which has no form in C", found->name,
                      found->type.name);
        report_note(binder->report, "%s", advice(&found->type));
        return;
    }
    field->name = field_name(binder, found->name, field->form->field_unit);
    field->is_array = is_array(found->type.name);
    field->nullable = resolve_nullness(binder, found, said);
    field->null_flag = arena_printf(binder->arena, "%s_is_null", found->name);
    field->c_enum = said != NULL ? said->c_enum : NULL;
    field->labels = field->is_enum ? &found->type : NULL;
    if (field->c_enum != NULL && field->labels == NULL) {
        report_at(binder->report, &binder->file->source, said->at, "%s is %s and no enum",
                  found->name, found->type.name);
        field->c_enum = NULL;
    }
    check_labels(binder, field, said != NULL ? said->at : 0);
    if (field->is_array || binding_is_text(field)) {
        binder->binding->has_pointers = true;
    }
}

static void check_overrides(struct binder *binder)
{
    for (size_t i = 0; i < binder->file->override_count; i++) {
        const struct query_column_override *said = &binder->file->overrides[i];
        bool found = false;
        for (size_t c = 0; c < binder->description->column_count; c++) {
            found = found || strcmp(binder->description->columns[c].name, said->column) == 0;
        }
        if (!found) {
            report_at(binder->report, &binder->file->source, said->at,
                      "the query returns no column %s", said->column);
        }
    }
}

static void check_rows(struct binder *binder)
{
    bool has_columns = binder->description->column_count > 0;
    if (has_columns == (binder->file->rows != QUERY_EXEC)) {
        return;
    }
    report_at(binder->report, &binder->file->source, binder->file->name_at,
              has_columns ? "the query returns columns: it is one, optional or many, not %s"
                          : "the query returns no columns: it is exec, not %s",
              query_file_rows_name(binder->file->rows));
}

/* Whether the fields that a has, its count and flag included, share a name with the field b. */
static bool clash(const struct binding_field *a, const struct binding_field *b)
{
    return strcmp(a->name, b->name) == 0 ||
           (a->count_name != NULL && strcmp(a->count_name, b->name) == 0) ||
           (binding_has_null_flag(a) && strcmp(a->null_flag, b->name) == 0);
}

static void check_clashes(struct binder *binder)
{
    const struct binding *binding = binder->binding;
    for (size_t i = 0; i < binding->parameter_count; i++) {
        for (size_t j = 0; j < binding->parameter_count; j++) {
            if (i != j && clash(&binding->parameters[i], &binding->parameters[j])) {
                report_at(binder->report, &binder->file->source, binder->file->parameters[j].at,
                          "two parameter fields would be named alike: %s",
                          binding->parameters[j].name);
                return;
            }
        }
    }
    for (size_t i = 0; i < binding->column_count; i++) {
        for (size_t j = 0; j < binding->column_count; j++) {
            if (i != j && clash(&binding->columns[i], &binding->columns[j])) {
                report_column(binder, i > j ? i : j, "two columns would have the field %s",
                              binding->columns[j].name);
                report_note(binder->report, "give one another name with AS");
                return;
            }
        }
    }
}

int binding_make(struct arena *arena, struct report *report, const struct query_file *file,
                 const struct description *description, struct binding *ret)
{
    size_t errors_before = report->error_count;
    struct binder binder = {
        .arena = arena, .report = report, .file = file, .description = description, .binding = ret};
    *ret = (struct binding){.file = file,
                            .description = description,
                            .parameter_count = description->parameter_count,
                            .column_count = description->column_count};
    if (description->parameter_count != file->parameter_count) {
        report_at(report, &file->source, file->name_at,
                  "the cache knows %zu parameters, the comment block %zu",
                  description->parameter_count, file->parameter_count);
        return -EINVAL;
    }
    for (size_t i = 0; i < ret->parameter_count; i++) {
        bind_parameter(&binder, i);
    }
    for (size_t i = 0; i < ret->column_count; i++) {
        bind_column(&binder, i);
    }
    check_overrides(&binder);
    check_rows(&binder);
    if (report->error_count == errors_before && !arena_overflowed(arena)) {
        check_clashes(&binder);
    }
    if (arena_overflowed(arena)) {
        return -ENOMEM;
    }
    return report->error_count == errors_before ? 0 : -EINVAL;
}
