#include "typedsql/description.h"

#include "base/arena.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_MAX 1000

const char *description_nullness_name(enum described_nullness nullness)
{
    switch (nullness) {
    case DESCRIBED_NOT_NULL:
        return "not null";
    case DESCRIBED_NULLABLE:
        return "nullable";
    case DESCRIBED_UNKNOWN:
        return "unknown";
    }
    UNREACHABLE("every nullness is listed");
}

static json_t *labels_to_json(const struct described_type *type)
{
    json_t *array = json_array();
    for (size_t i = 0; i < type->label_count; i++) {
        json_array_append_new(array, json_string(type->labels[i]));
    }
    return array;
}

static json_t *parameter_to_json(const struct described_parameter *parameter)
{
    json_t *object = json_object();
    json_object_set_new(object, "type", json_string(parameter->type.name));
    if (parameter->type.label_count > 0) {
        json_object_set_new(object, "labels", labels_to_json(&parameter->type));
    }
    if (parameter->declared.name != NULL) {
        json_object_set_new(object, "enum", json_string(parameter->declared.name));
        json_object_set_new(object, "labels", labels_to_json(&parameter->declared));
    }
    return object;
}

static json_t *column_to_json(const struct described_column *column)
{
    json_t *object = json_object();
    json_object_set_new(object, "name", json_string(column->name));
    json_object_set_new(object, "type", json_string(column->type.name));
    if (column->type.label_count > 0) {
        json_object_set_new(object, "labels", labels_to_json(&column->type));
    }
    json_object_set_new(object, "origin",
                        column->origin != NULL ? json_string(column->origin) : json_null());
    json_object_set_new(object, "nullness",
                        json_string(description_nullness_name(column->nullness)));
    json_object_set_new(object, "because", json_string(column->because));
    if (column->word != NULL) {
        json_object_set_new(object, "override", json_string(column->word));
    }
    return object;
}

const char *description_to_json(struct arena *arena, const struct description *description)
{
    json_t *parameters = json_array();
    json_t *columns = json_array();
    for (size_t i = 0; i < description->parameter_count; i++) {
        json_array_append_new(parameters, parameter_to_json(&description->parameters[i]));
    }
    for (size_t i = 0; i < description->column_count; i++) {
        json_array_append_new(columns, column_to_json(&description->columns[i]));
    }
    json_t *root = json_object();
    json_object_set_new(root, "query", json_string(description->query));
    json_object_set_new(root, "sha256", json_string(description->hash));
    json_object_set_new(root, "parameters", parameters);
    json_object_set_new(root, "columns", columns);
    char *text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    const char *copy = text != NULL ? arena_printf(arena, "%s\n", text) : NULL;
    free(text);
    return copy;
}

/* Where a reading of JSON stands: the first thing that is not as it should be. */
struct reading {
    struct arena *arena;
    const char *fault;
};

static void fault(struct reading *reading, const char *what)
{
    if (reading->fault == NULL) {
        reading->fault = what;
    }
}

/* A string member, copied; NULL if it is absent or null, a fault only if it is needed. */
static const char *read_string(struct reading *reading, const json_t *object, const char *key,
                               const char *fault_if_absent)
{
    const json_t *value = json_object_get(object, key);
    const char *copy = NULL;
    if (json_is_string(value)) {
        copy = arena_strndup(reading->arena, json_string_value(value), json_string_length(value));
    } else if (fault_if_absent != NULL || (value != NULL && !json_is_null(value))) {
        fault(reading, fault_if_absent != NULL ? fault_if_absent : "a member is no string");
    }
    return copy;
}

static void read_labels(struct reading *reading, const json_t *object, struct described_type *ret)
{
    const json_t *array = json_object_get(object, "labels");
    size_t count = json_array_size(array);
    if (array == NULL) {
        return;
    }
    const char **labels = arena_calloc(reading->arena, count, sizeof(*labels));
    if (count > LABELS_MAX || labels == NULL) {
        fault(reading, "too many labels");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *label = json_array_get(array, i);
        labels[i] = json_is_string(label) ? arena_strndup(reading->arena, json_string_value(label),
                                                          json_string_length(label))
                                          : NULL;
        if (labels[i] == NULL) {
            fault(reading, "a label is no string");
            return;
        }
    }
    ret->labels = labels;
    ret->label_count = count;
}

static void read_parameter(struct reading *reading, const json_t *object,
                           struct described_parameter *ret)
{
    ret->type.name = read_string(reading, object, "type", "a parameter has no type");
    ret->declared.name = read_string(reading, object, "enum", NULL);
    read_labels(reading, object, ret->declared.name != NULL ? &ret->declared : &ret->type);
}

static void read_column(struct reading *reading, const json_t *object, struct described_column *ret)
{
    static const enum described_nullness all[] = {DESCRIBED_NOT_NULL, DESCRIBED_NULLABLE,
                                                  DESCRIBED_UNKNOWN};
    ret->name = read_string(reading, object, "name", "a column has no name");
    ret->type.name = read_string(reading, object, "type", "a column has no type");
    read_labels(reading, object, &ret->type);
    ret->origin = read_string(reading, object, "origin", NULL);
    ret->because = read_string(reading, object, "because", "a column's nullness has no reason");
    ret->word = read_string(reading, object, "override", NULL);
    const char *nullness = read_string(reading, object, "nullness", "a column has no nullness");
    for (size_t i = 0; nullness != NULL && i < COUNT_OF(all); i++) {
        if (strcmp(nullness, description_nullness_name(all[i])) == 0) {
            ret->nullness = all[i];
            return;
        }
    }
    fault(reading, "a column has an unknown nullness");
}

static void read_root(struct reading *reading, const json_t *root, struct description *ret)
{
    const json_t *parameters = json_object_get(root, "parameters");
    const json_t *columns = json_object_get(root, "columns");
    ret->query = read_string(reading, root, "query", "it names no query");
    ret->hash = read_string(reading, root, "sha256", "it has no sha256");
    ret->parameter_count = json_array_size(parameters);
    ret->column_count = json_array_size(columns);
    if (!json_is_array(parameters) || !json_is_array(columns)) {
        fault(reading, "it has no parameters or no columns");
    }
    if (ret->parameter_count > STATEMENT_PARAMETERS_MAX ||
        ret->column_count > QUERY_FILE_COLUMNS_MAX) {
        fault(reading, "it has too many parameters or columns");
    }
    for (size_t i = 0; reading->fault == NULL && i < ret->parameter_count; i++) {
        read_parameter(reading, json_array_get(parameters, i), &ret->parameters[i]);
    }
    for (size_t i = 0; reading->fault == NULL && i < ret->column_count; i++) {
        read_column(reading, json_array_get(columns, i), &ret->columns[i]);
    }
}

int description_from_json(struct arena *arena, struct report *report, const char *path,
                          const char *text, size_t length, struct description *ret)
{
    struct reading reading = {.arena = arena};
    json_error_t error;
    *ret = (struct description){0};
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        report_file(report, path, "line %d: %s", error.line, error.text);
        return -EINVAL;
    }
    read_root(&reading, root, ret);
    json_decref(root);
    if (arena_overflowed(arena)) {
        return -ENOMEM;
    }
    if (reading.fault != NULL) {
        report_file(report, path, "this is no cache entry: %s", reading.fault);
        return -EINVAL;
    }
    return 0;
}
