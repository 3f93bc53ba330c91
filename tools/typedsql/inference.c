#include "typedsql/inference.h"

#include "base/arena.h"
#include "typedsql/from_clause.h"
#include "typedsql/server.h"
#include "typedsql/type_form.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

struct inference {
    struct server *server;
    struct arena *arena;
    struct report *report;
    const struct query_file *file;
    struct from_clause from;
};

/* What the text says against a column that is declared NOT NULL, in words; NULL if nothing. */
static const char *find_loss(struct inference *inference, const struct server_origin *origin,
                             enum described_nullness *ret_nullness)
{
    struct arena *arena = inference->arena;
    size_t join_token;
    *ret_nullness = DESCRIBED_UNKNOWN;
    if (origin->weakness != NULL) {
        return arena_printf(arena, "%s is NOT NULL, but its table %s", origin->name,
                            origin->weakness);
    }
    if (inference->from.doubt != NULL) {
        return arena_printf(arena, "%s is NOT NULL, but the query has %s", origin->name,
                            inference->from.doubt);
    }
    if (!from_clause_may_lack(&inference->from, origin->table, &join_token)) {
        return NULL;
    }
    if (join_token == SIZE_MAX) {
        return arena_printf(arena, "%s is NOT NULL, but the query has an outer join", origin->name);
    }
    *ret_nullness = DESCRIBED_NULLABLE;
    const struct sql_token *token = &inference->file->tokens.list[join_token];
    return arena_printf(arena, "%s is on the outer side of a %.*s JOIN", origin->table,
                        (int)token->length, inference->file->sql + token->at);
}

static int infer_nullness(struct inference *inference, const struct server_column *column,
                          struct described_column *ret)
{
    struct server_origin origin;
    if (column->table == 0) {
        ret->nullness = DESCRIBED_UNKNOWN;
        ret->because = "it is computed";
        return 0;
    }
    int status = server_origin(inference->server, column->table, column->table_column, &origin);
    if (status < 0) {
        return status;
    }
    ret->origin = origin.name;
    if (!origin.is_not_null) {
        ret->nullness = origin.weakness == NULL ? DESCRIBED_NULLABLE : DESCRIBED_UNKNOWN;
        ret->because = arena_printf(inference->arena, "%s may be NULL", origin.name);
        return 0;
    }
    ret->because = find_loss(inference, &origin, &ret->nullness);
    if (ret->because == NULL) {
        ret->nullness = DESCRIBED_NOT_NULL;
        ret->because = arena_printf(inference->arena, "%s is NOT NULL", origin.name);
    }
    return 0;
}

static const struct query_column_override *find_override(const struct query_file *file,
                                                         const char *column)
{
    for (size_t i = 0; i < file->override_count; i++) {
        if (strcmp(file->overrides[i].column, column) == 0) {
            return &file->overrides[i];
        }
    }
    return NULL;
}

/* What the author says of a column's NULLs, for the cache; whether it holds is judged elsewhere. */
static const char *word_of(struct inference *inference, const struct described_column *column)
{
    const struct query_column_override *override = find_override(inference->file, column->name);
    if (override == NULL) {
        return NULL;
    }
    switch (override->nullness) {
    case QUERY_NULLNESS_INFERRED:
        return NULL;
    case QUERY_NULLNESS_NULL:
        return "nullable, as the author says";
    case QUERY_NULLNESS_NOT_NULL:
        return column->nullness == DESCRIBED_NOT_NULL ? "not null, verified"
                                                      : "not null, not verified";
    case QUERY_NULLNESS_NOT_NULL_BECAUSE:
        return arena_printf(inference->arena, "not null, not verified: %s", override->reason);
    }
    UNREACHABLE("every nullness is listed");
}

/*
 * The name of a declared enum whose labels travel as text: a binary array names its element type by
 * an object id that differs from database to database.
 */
static int find_declared(struct inference *inference, size_t index,
                         struct described_parameter *parameter)
{
    const struct query_parameter *said = &inference->file->parameters[index];
    bool is_text =
        strcmp(parameter->type.name, "text") == 0 || strcmp(parameter->type.name, "text[]") == 0;
    bool both_arrays =
        (strchr(parameter->type.name, '[') != NULL) == (strchr(said->type, '[') != NULL);
    if (!is_text || !both_arrays || type_form_same(said->type, parameter->type.name)) {
        return 0;
    }
    int status = server_enum(inference->server, said->type, &parameter->declared);
    return status == -ENOENT ? 0 : status;
}

static int describe_parameters(struct inference *inference,
                               const struct server_statement *statement, struct description *ret)
{
    int status = 0;
    ret->parameter_count = statement->parameter_count;
    for (size_t i = 0; status == 0 && i < statement->parameter_count; i++) {
        status =
            server_type(inference->server, statement->parameter_types[i], &ret->parameters[i].type);
        if (status == 0) {
            status = find_declared(inference, i, &ret->parameters[i]);
        }
    }
    return status;
}

static int describe_columns(struct inference *inference, const struct server_statement *statement,
                            struct description *ret)
{
    int status = 0;
    if (statement->column_count > QUERY_FILE_COLUMNS_MAX) {
        query_file_report_sql(inference->report, inference->file, 0,
                              "the query returns more than %d columns", QUERY_FILE_COLUMNS_MAX);
        return -EINVAL;
    }
    ret->column_count = statement->column_count;
    for (size_t i = 0; status == 0 && i < statement->column_count; i++) {
        struct described_column *column = &ret->columns[i];
        column->name = statement->columns[i].name;
        status = server_type(inference->server, statement->columns[i].type, &column->type);
        if (status == 0) {
            status = infer_nullness(inference, &statement->columns[i], column);
        }
        column->word = word_of(inference, column);
    }
    return status;
}

int inference_describe(struct server *server, struct arena *arena, struct report *report,
                       const struct query_file *file, struct description *ret)
{
    struct inference inference = {.server = server, .arena = arena, .report = report, .file = file};
    struct server_statement statement;
    *ret = (struct description){.query = file->name, .hash = file->hash};
    int status = server_describe(server, file, &statement);
    if (status < 0) {
        return status;
    }
    from_clause_read(&file->tokens, &inference.from);
    status = describe_parameters(&inference, &statement, ret);
    if (status == 0) {
        status = describe_columns(&inference, &statement, ret);
    }
    return arena_overflowed(arena) ? -ENOMEM : status;
}
