#include "typedsql/signature.h"

#include "typedsql/c_text.h"

#include <stdarg.h>

struct arguments {
    char texts[SIGNATURE_ARGUMENTS_MAX][SIGNATURE_ARGUMENT_CHARS];
    const char *list[SIGNATURE_ARGUMENTS_MAX];
    size_t count;
};

static void add(struct arguments *arguments, const char *format, ...) PRINTF_LIKE(2, 3);

static void add(struct arguments *arguments, const char *format, ...)
{
    CHECK(arguments->count < SIGNATURE_ARGUMENTS_MAX);
    char *text = arguments->texts[arguments->count];
    va_list values;
    va_start(values, format);
    vsnprintf(text, SIGNATURE_ARGUMENT_CHARS, format, values);
    va_end(values);
    arguments->list[arguments->count++] = text;
}

bool signature_exists(const struct binding *binding, enum signature_role role)
{
    bool has_many = binding->file->rows == QUERY_MANY;
    return (role != SIGNATURE_SEND_STREAMED && role != SIGNATURE_READ) || has_many;
}

static void add_inputs(struct arguments *arguments, const struct binding *binding)
{
    if (binding->parameter_count > 0) {
        add(arguments, "struct arena *arena");
        add(arguments, "const struct %s_params *params", binding->file->name);
    }
}

static void add_outputs(struct arguments *arguments, const struct binding *binding)
{
    enum query_rows rows = binding->file->rows;
    if (rows == QUERY_EXEC) {
        add(arguments, "int64_t *ret_affected");
        return;
    }
    if (rows == QUERY_MANY || binding->has_pointers) {
        add(arguments, "struct session_result *ret_result");
    }
    if (rows == QUERY_OPTIONAL) {
        add(arguments, "bool *ret_found");
    }
    if (rows != QUERY_MANY) {
        add(arguments, "struct %s_row *ret_row", binding->file->name);
    }
}

void signature_write(FILE *out, const struct binding *binding, enum signature_role role,
                     const char *tail)
{
    static const char *const suffixes[] = {
        [SIGNATURE_SEND] = "send",       [SIGNATURE_SEND_STREAMED] = "send_streamed",
        [SIGNATURE_RECEIVE] = "receive", [SIGNATURE_EXEC] = "exec",
        [SIGNATURE_READ] = "read",
    };
    struct arguments arguments = {.count = 0};
    char head[SIGNATURE_ARGUMENT_CHARS];
    snprintf(head, sizeof(head), "enum db_status %s_%s(", binding->file->name, suffixes[role]);
    add(&arguments, "struct session *session");
    if (role == SIGNATURE_READ) {
        add(&arguments, "const struct session_result *result");
        add(&arguments, "size_t index");
        add(&arguments, "struct %s_row *ret_row", binding->file->name);
    } else {
        if (role != SIGNATURE_RECEIVE) {
            add_inputs(&arguments, binding);
        }
        if (role == SIGNATURE_RECEIVE || role == SIGNATURE_EXEC) {
            add(&arguments, "int64_t deadline_ns");
            add_outputs(&arguments, binding);
        }
    }
    c_text_list(out, head, arguments.list, arguments.count, tail);
}
