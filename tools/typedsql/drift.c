#include "typedsql/drift.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define SUBJECT_CHARS 256

struct drift {
    FILE *out;
    size_t count;
};

static void say(struct drift *drift, const char *format, ...) PRINTF_LIKE(2, 3);

static void say(struct drift *drift, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("    ", drift->out);
    vfprintf(drift->out, format, arguments);
    fputc('\n', drift->out);
    va_end(arguments);
    drift->count++;
}

/* Whether both are the same text or both are none. */
static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool has_label(const struct described_type *type, const char *label)
{
    for (size_t i = 0; i < type->label_count; i++) {
        if (strcmp(type->labels[i], label) == 0) {
            return true;
        }
    }
    return false;
}

static bool same_labels(const struct described_type *a, const struct described_type *b)
{
    for (size_t i = 0; i < a->label_count && i < b->label_count; i++) {
        if (strcmp(a->labels[i], b->labels[i]) != 0) {
            return false;
        }
    }
    return a->label_count == b->label_count;
}

static void compare_labels(struct drift *drift, const char *subject,
                           const struct described_type *was, const struct described_type *now)
{
    size_t count_before = drift->count;
    for (size_t i = 0; i < was->label_count; i++) {
        if (!has_label(now, was->labels[i])) {
            say(drift, "%s: the enum %s has lost the label %s", subject, now->name, was->labels[i]);
        }
    }
    for (size_t i = 0; i < now->label_count; i++) {
        if (!has_label(was, now->labels[i])) {
            say(drift, "%s: the enum %s has the new label %s", subject, now->name, now->labels[i]);
        }
    }
    if (drift->count == count_before && !same_labels(was, now)) {
        say(drift, "%s: the labels of the enum %s stand in another order", subject, now->name);
    }
}

static void compare_types(struct drift *drift, const char *subject,
                          const struct described_type *was, const struct described_type *now)
{
    if (!same(was->name, now->name)) {
        say(drift, "%s is now %s, was %s", subject, now->name != NULL ? now->name : "no enum",
            was->name != NULL ? was->name : "no enum");
    } else if (now->name != NULL) {
        compare_labels(drift, subject, was, now);
    }
}

static void compare_parameters(struct drift *drift, const struct query_file *file,
                               const struct description *was, const struct description *now)
{
    if (was->parameter_count != now->parameter_count) {
        say(drift, "the query has %zu parameters now, had %zu", now->parameter_count,
            was->parameter_count);
        return;
    }
    for (size_t i = 0; i < now->parameter_count; i++) {
        char subject[SUBJECT_CHARS];
        snprintf(subject, sizeof(subject), "parameter $%zu %s", i + 1, file->parameters[i].name);
        compare_types(drift, subject, &was->parameters[i].type, &now->parameters[i].type);
        compare_types(drift, subject, &was->parameters[i].declared, &now->parameters[i].declared);
    }
}

static void compare_nullness(struct drift *drift, const char *subject,
                             const struct described_column *was, const struct described_column *now)
{
    if (was->nullness != now->nullness) {
        say(drift, "%s %s: %s; it was %s before", subject,
            now->nullness == DESCRIBED_NOT_NULL ? "cannot be NULL any more" : "can be NULL now",
            now->because, description_nullness_name(was->nullness));
    } else if (!same(was->because, now->because)) {
        say(drift, "%s: %s; before: %s", subject, now->because, was->because);
    }
    if (!same(was->word, now->word)) {
        say(drift, "%s: the override is \"%s\" now, was \"%s\"", subject,
            now->word != NULL ? now->word : "none", was->word != NULL ? was->word : "none");
    }
}

static void compare_column(struct drift *drift, const struct described_column *was,
                           const struct described_column *now)
{
    char subject[SUBJECT_CHARS];
    if (now->origin != NULL) {
        snprintf(subject, sizeof(subject), "%s", now->origin);
    } else {
        snprintf(subject, sizeof(subject), "column %s", now->name);
    }
    if (!same(was->origin, now->origin)) {
        say(drift, "column %s comes from %s now, came from %s", now->name,
            now->origin != NULL ? now->origin : "an expression",
            was->origin != NULL ? was->origin : "an expression");
    }
    compare_types(drift, subject, &was->type, &now->type);
    compare_nullness(drift, subject, was, now);
}

static const struct described_column *find_column(const struct description *description,
                                                  const char *name)
{
    for (size_t i = 0; i < description->column_count; i++) {
        if (strcmp(description->columns[i].name, name) == 0) {
            return &description->columns[i];
        }
    }
    return NULL;
}

/* Columns are told apart by name; one that only moved is said to have moved. */
static void compare_columns(struct drift *drift, const struct description *was,
                            const struct description *now)
{
    size_t count_before = drift->count;
    for (size_t i = 0; i < was->column_count; i++) {
        if (find_column(now, was->columns[i].name) == NULL) {
            say(drift, "column %s is gone", was->columns[i].name);
        }
    }
    for (size_t i = 0; i < now->column_count; i++) {
        const struct described_column *old = find_column(was, now->columns[i].name);
        if (old == NULL) {
            say(drift, "column %s is new, of type %s", now->columns[i].name,
                now->columns[i].type.name);
        } else {
            compare_column(drift, old, &now->columns[i]);
        }
    }
    for (size_t i = 0; drift->count == count_before && i < now->column_count; i++) {
        if (!same(was->columns[i].name, now->columns[i].name)) {
            say(drift, "column %zu is now %s, was %s", i + 1, now->columns[i].name,
                was->columns[i].name);
        }
    }
}

size_t drift_write(FILE *out, const struct query_file *file, const struct description *was,
                   const struct description *now)
{
    struct drift drift = {.out = out};
    if (!same(was->query, now->query)) {
        say(&drift, "the entry is that of the query %s", was->query);
    }
    compare_parameters(&drift, file, was, now);
    compare_columns(&drift, was, now);
    return drift.count;
}
