#include "typedsql/directive.h"

#include "base/arena.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* What a directive looks like, for whoever got it wrong. */
#define QUERY_FORM  "-- @query <name> one|optional|many|exec"
#define PARAM_FORM  "-- @param $<n> <name> <type> [null] [count <name>] [" ENUM_FORM "]"
#define COLUMN_FORM "-- @column <name> [null | not null [because <reason>]] [" ENUM_FORM "]"
#define ENUM_FORM   "enum <tag> <PREFIX> \"<header>\" [<count>]"

/* The rest of one directive's line. */
struct words {
    struct arena *arena;
    struct report *report;
    struct query_file *file;
    const char *form;
    size_t at, end;           /* offsets in the source */
    size_t word_at, word_end; /* the word that was read last */
};

bool directive_is(const char *line, size_t length)
{
    size_t at = 0;
    while (at < length && isspace((unsigned char)line[at])) {
        at++;
    }
    if (length - at < 2 || line[at] != '-' || line[at + 1] != '-') {
        return false;
    }
    at += 2;
    while (at < length && isspace((unsigned char)line[at])) {
        at++;
    }
    return at < length && line[at] == '@';
}

bool directive_is_field_name(const char *name)
{
    static const char *const keywords[] = {
        "auto",   "break",    "case",   "char",   "const",    "continue", "default", "do",
        "double", "else",     "enum",   "extern", "float",    "for",      "goto",    "if",
        "inline", "int",      "long",   "return", "register", "restrict", "short",   "signed",
        "sizeof", "static",   "struct", "switch", "typedef",  "typeof",   "union",   "unsigned",
        "void",   "volatile", "while",  "asm",    "bool",     "true",     "false",
    };
    if (!islower((unsigned char)*name)) {
        return false;
    }
    for (const char *c = name; *c != '\0'; c++) {
        if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_') {
            return false;
        }
    }
    for (size_t i = 0; i < COUNT_OF(keywords); i++) {
        if (strcmp(name, keywords[i]) == 0) {
            return false;
        }
    }
    return true;
}

static bool is_identifier(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && *c != '_') {
            return false;
        }
    }
    return *name != '\0' && !isdigit((unsigned char)*name);
}

static int fail(struct words *words, size_t at, const char *what)
{
    report_at(words->report, &words->file->source, at, "%s", what);
    report_note(words->report, "allowed here: %s", words->form);
    return -EINVAL;
}

static void skip_spaces(struct words *words)
{
    while (words->at < words->end && isspace((unsigned char)words->file->source.text[words->at])) {
        words->at++;
    }
}

/* Finds the next word without taking it; false at the end of the line. A "quoted" one is one. */
static bool find_word(struct words *words)
{
    skip_spaces(words);
    const char *text = words->file->source.text;
    size_t at = words->at;
    words->word_at = at;
    if (at < words->end && text[at] == '"') {
        do {
            at++;
        } while (at < words->end && text[at] != '"');
        at += at < words->end ? 1 : 0;
    } else {
        while (at < words->end && !isspace((unsigned char)text[at])) {
            at++;
        }
    }
    words->word_end = at;
    return at > words->word_at;
}

/* Takes the next word if it is this one. */
static bool take(struct words *words, const char *word)
{
    if (!find_word(words) || words->word_end - words->word_at != strlen(word) ||
        memcmp(words->file->source.text + words->word_at, word, strlen(word)) != 0) {
        return false;
    }
    words->at = words->word_end;
    return true;
}

/* Takes the next word whatever it is; what names it when there is none. */
static int take_any(struct words *words, const char *what, const char **ret)
{
    if (!find_word(words)) {
        return fail(words, words->word_at, what);
    }
    *ret = arena_strndup(words->arena, words->file->source.text + words->word_at,
                         words->word_end - words->word_at);
    words->at = words->word_end;
    return *ret != NULL ? 0 : -ENOMEM;
}

static int take_field_name(struct words *words, const char *what, const char **ret)
{
    int status = take_any(words, what, ret);
    if (status == 0 && !directive_is_field_name(*ret)) {
        status = fail(words, words->word_at,
                      "a name is lower-case letters, digits and _, begins with a letter and is no "
                      "keyword of C");
    }
    return status;
}

static int take_identifier(struct words *words, const char *what, const char **ret)
{
    int status = take_any(words, what, ret);
    if (status == 0 && !is_identifier(*ret)) {
        status = fail(words, words->word_at, "this is no identifier of C");
    }
    return status;
}

static int take_end(struct words *words)
{
    return find_word(words) ? fail(words, words->word_at, "this is one word too many") : 0;
}

/* What follows the word enum. */
static int parse_enum(struct words *words, const struct query_enum **ret)
{
    struct query_enum *c_enum = arena_calloc(words->arena, 1, sizeof(*c_enum));
    const char *header;
    int status;
    if (c_enum == NULL) {
        return -ENOMEM;
    }
    if ((status = take_identifier(words, "the tag of the C enum is missing", &c_enum->tag)) < 0 ||
        (status = take_identifier(words, "the prefix of its constants is missing",
                                  &c_enum->prefix)) < 0 ||
        (status = take_any(words, "the \"header\" that has the enum is missing", &header)) < 0) {
        return status;
    }
    size_t length = strlen(header);
    if (length < 3 || header[0] != '"' || header[length - 1] != '"') {
        return fail(words, words->word_at, "the header stands in \"quotes\"");
    }
    c_enum->header = arena_strndup(words->arena, header + 1, length - 2);
    if (c_enum->header == NULL) {
        return -ENOMEM;
    }
    if (find_word(words)) {
        status = take_identifier(words, "", &c_enum->count);
    }
    *ret = c_enum;
    return status;
}

static int parse_query(struct words *words)
{
    static const enum query_rows all_rows[] = {QUERY_ONE, QUERY_OPTIONAL, QUERY_MANY, QUERY_EXEC};
    struct query_file *file = words->file;
    if (file->name != NULL) {
        return fail(words, words->word_at, "a file has one @query");
    }
    int status = take_field_name(words, "the name of the query is missing", &file->name);
    file->name_at = words->word_at;
    if (status < 0) {
        return status;
    }
    if (strlen(file->name) > QUERY_FILE_NAME_CHARS_MAX) {
        return fail(words, words->word_at, "a name has at most 63 characters");
    }
    for (size_t i = 0; i < COUNT_OF(all_rows); i++) {
        if (take(words, query_file_rows_name(all_rows[i]))) {
            file->rows = all_rows[i];
            return take_end(words);
        }
    }
    return fail(words, words->word_at, "how many rows come back is missing or unknown");
}

/* The words after a parameter's type, in any order. */
static int parse_parameter_options(struct words *words, struct query_parameter *parameter)
{
    int status = 0;
    while (status == 0 && find_word(words)) {
        if (!parameter->nullable && take(words, "null")) {
            parameter->nullable = true;
        } else if (parameter->count_name == NULL && take(words, "count")) {
            status =
                take_field_name(words, "the name of the count is missing", &parameter->count_name);
        } else if (parameter->c_enum == NULL && take(words, "enum")) {
            status = parse_enum(words, &parameter->c_enum);
        } else {
            return take_end(words);
        }
    }
    return status;
}

static int parse_parameter(struct words *words)
{
    struct query_file *file = words->file;
    char expected[16];
    const char *number;
    int status = take_any(words, "the parameter's $number is missing", &number);
    if (status < 0) {
        return status;
    }
    if (file->parameter_count == STATEMENT_PARAMETERS_MAX) {
        return fail(words, words->word_at, "a query has at most 32 parameters");
    }
    snprintf(expected, sizeof(expected), "$%zu", file->parameter_count + 1);
    if (strcmp(number, expected) != 0) {
        char what[64];
        snprintf(what, sizeof(what), "parameters stand in order: %s comes next", expected);
        return fail(words, words->word_at, what);
    }
    struct query_parameter *parameter = &file->parameters[file->parameter_count];
    parameter->at = words->word_at;
    status = take_field_name(words, "the parameter's name is missing", &parameter->name);
    if (status == 0) {
        status = take_any(words, "the parameter's type is missing", &parameter->type);
    }
    parameter->type_at = words->word_at;
    if (status == 0) {
        status = parse_parameter_options(words, parameter);
    }
    file->parameter_count += status == 0 ? 1 : 0;
    return status;
}

/* What stands after "because": the rest of the line. */
static int parse_reason(struct words *words, const char **ret)
{
    skip_spaces(words);
    size_t end = words->end;
    while (end > words->at && isspace((unsigned char)words->file->source.text[end - 1])) {
        end--;
    }
    if (end == words->at) {
        return fail(words, words->at, "the reason is missing");
    }
    *ret = arena_strndup(words->arena, words->file->source.text + words->at, end - words->at);
    words->at = words->end;
    return *ret != NULL ? 0 : -ENOMEM;
}

static int parse_not_null(struct words *words, struct query_column_override *override)
{
    if (!take(words, "null")) {
        return fail(words, words->word_at, "only \"null\" comes after \"not\"");
    }
    override->nullness = QUERY_NULLNESS_NOT_NULL;
    if (!take(words, "because")) {
        return 0;
    }
    override->nullness = QUERY_NULLNESS_NOT_NULL_BECAUSE;
    return parse_reason(words, &override->reason);
}

static int parse_override_options(struct words *words, struct query_column_override *override)
{
    int status = 0;
    while (status == 0 && find_word(words)) {
        size_t at = words->word_at;
        bool is_open = override->nullness == QUERY_NULLNESS_INFERRED;
        if (is_open && take(words, "null")) {
            override->nullness = QUERY_NULLNESS_NULL;
            override->nullness_at = at;
        } else if (is_open && take(words, "not")) {
            override->nullness_at = at;
            status = parse_not_null(words, override);
        } else if (override->c_enum == NULL && take(words, "enum")) {
            status = parse_enum(words, &override->c_enum);
        } else {
            return take_end(words);
        }
    }
    return status;
}

static int parse_column(struct words *words)
{
    struct query_file *file = words->file;
    if (file->override_count == QUERY_FILE_COLUMNS_MAX) {
        return fail(words, words->word_at, "there are too many @column");
    }
    struct query_column_override *override = &file->overrides[file->override_count];
    int status = take_field_name(words, "the column's name is missing", &override->column);
    override->at = words->word_at;
    for (size_t i = 0; status == 0 && i < file->override_count; i++) {
        if (strcmp(file->overrides[i].column, override->column) == 0) {
            return fail(words, override->at, "this column has a @column already");
        }
    }
    if (status == 0 && !find_word(words)) {
        return fail(words, words->word_at, "what is special about the column is missing");
    }
    if (status == 0) {
        status = parse_override_options(words, override);
    }
    file->override_count += status == 0 ? 1 : 0;
    return status;
}

int directive_parse(struct arena *arena, struct report *report, struct query_file *file,
                    size_t offset, size_t length)
{
    struct words words = {
        .arena = arena,
        .report = report,
        .file = file,
        .form = QUERY_FORM ", -- @param ... and -- @column ...",
        .at = offset,
        .end = offset + length,
    };
    while (file->source.text[words.at] != '@') {
        words.at++;
    }
    if (take(&words, "@query")) {
        words.form = QUERY_FORM;
        return parse_query(&words);
    }
    if (take(&words, "@param")) {
        words.form = PARAM_FORM;
        return parse_parameter(&words);
    }
    if (take(&words, "@column")) {
        words.form = COLUMN_FORM;
        return parse_column(&words);
    }
    return fail(&words, words.word_at, "there is no such directive");
}
