#include "typedsql/query_file.h"

#include "base/arena.h"
#include "base/digest.h"
#include "typedsql/directive.h"
#include "typedsql/text_file.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

const char *query_file_rows_name(enum query_rows rows)
{
    switch (rows) {
    case QUERY_ONE:
        return "one";
    case QUERY_OPTIONAL:
        return "optional";
    case QUERY_MANY:
        return "many";
    case QUERY_EXEC:
        return "exec";
    }
    UNREACHABLE("every cardinality is listed");
}

static bool is_blank(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!isspace((unsigned char)line[i])) {
            return false;
        }
    }
    return true;
}

static bool is_comment(const char *line, size_t length)
{
    while (length > 0 && isspace((unsigned char)*line)) {
        line++;
        length--;
    }
    return length >= 2 && line[0] == '-' && line[1] == '-';
}

static size_t line_length_at(const struct report_source *source, size_t at)
{
    const char *newline = memchr(source->text + at, '\n', source->length - at);
    return newline != NULL ? (size_t)(newline - source->text) - at : source->length - at;
}

/* What is hashed: the directives and the command, a line each; comments in between may change. */
struct hashed {
    char *text;
    size_t length;
};

static void hashed_add(struct hashed *hashed, const char *text, size_t length)
{
    memcpy(hashed->text + hashed->length, text, length);
    hashed->length += length;
    hashed->text[hashed->length++] = '\n';
}

/* Keeps a line of prose for the generated header, unless it would end or begin a comment there. */
static int add_prose(struct arena *arena, struct query_file *file, const char *line, size_t length)
{
    while (length > 0 && (isspace((unsigned char)*line) || *line == '-')) {
        line++;
        length--;
    }
    while (length > 0 && isspace((unsigned char)line[length - 1])) {
        length--;
    }
    bool is_leading_blank = length == 0 && file->prose_count == 0;
    if (is_leading_blank || file->prose_count == QUERY_FILE_PROSE_MAX ||
        memmem(line, length, "*/", 2) != NULL || memmem(line, length, "/*", 2) != NULL) {
        return 0;
    }
    const char *copy = arena_strndup(arena, line, length);
    file->prose[file->prose_count++] = copy;
    return copy != NULL ? 0 : -ENOMEM;
}

static void drop_trailing_prose_blanks(struct query_file *file)
{
    while (file->prose_count > 0 && file->prose[file->prose_count - 1][0] == '\0') {
        file->prose_count--;
    }
}

/* Reads the directives on top; sets file->sql_at to the first line that is no comment. */
static int read_header(struct arena *arena, struct report *report, struct query_file *file,
                       struct hashed *hashed)
{
    const struct report_source *source = &file->source;
    int result = 0;
    size_t at = 0;
    while (at < source->length) {
        size_t length = line_length_at(source, at);
        if (!is_blank(source->text + at, length) && !is_comment(source->text + at, length)) {
            break;
        }
        if (directive_is(source->text + at, length)) {
            hashed_add(hashed, source->text + at, length);
            int status = directive_parse(arena, report, file, at, length);
            if (status == -ENOMEM) {
                return status;
            }
            result = status < 0 ? status : result;
        } else if (add_prose(arena, file, source->text + at, length) < 0) {
            return -ENOMEM;
        }
        at += length + (at + length < source->length ? 1 : 0);
    }
    drop_trailing_prose_blanks(file);
    file->sql_at = at;
    if (file->name == NULL && result == 0) {
        report_at(report, source, 0, "the comment block on top has no @query");
        report_note(report, "allowed here: -- @query <name> one|optional|many|exec");
        return -EINVAL;
    }
    return result;
}

/* A directive below the block on top would be taken for a comment. */
static int refuse_late_directives(struct report *report, const struct query_file *file)
{
    const struct report_source *source = &file->source;
    int result = 0;
    for (size_t at = file->sql_at; at < source->length;) {
        size_t length = line_length_at(source, at);
        if (directive_is(source->text + at, length)) {
            size_t sign =
                (size_t)((const char *)memchr(source->text + at, '@', length) - source->text);
            report_at(report, source, sign, "directives stand above the command");
            result = -EINVAL;
        }
        at += length + (at + length < source->length ? 1 : 0);
    }
    return result;
}

/* Cuts the command and takes what follows its last word off. */
static int read_command(struct arena *arena, struct report *report, struct query_file *file)
{
    const struct report_source *source = &file->source;
    size_t length = source->length - file->sql_at;
    size_t error_at = 0;
    int status =
        sql_token_cut(arena, source->text + file->sql_at, length, &file->tokens, &error_at);
    if (status == -EINVAL) {
        report_at(report, source, file->sql_at + error_at,
                  source->text[file->sql_at + error_at] == '$'
                      ? "there is no such parameter, or this quote has no end"
                      : "this quote or comment has no end");
    } else if (status == -E2BIG) {
        report_file(report, source->path, "the command is too long");
    }
    if (status < 0) {
        return status;
    }
    struct sql_tokens *tokens = &file->tokens;
    if (tokens->count > 0 && sql_token_is_sign(tokens, tokens->count - 1, ';')) {
        tokens->count--;
    }
    if (tokens->count == 0) {
        report_at(report, source, source->length, "the command is missing");
        return -EINVAL;
    }
    for (size_t i = 0; i < tokens->count; i++) {
        if (sql_token_is_sign(tokens, i, ';')) {
            query_file_report_sql(report, file, tokens->list[i].at,
                                  "a file has one command: this one ends here");
            return -EINVAL;
        }
    }
    const struct sql_token *last = &tokens->list[tokens->count - 1];
    file->sql = arena_strndup(arena, source->text + file->sql_at, last->at + last->length);
    return file->sql != NULL ? 0 : -ENOMEM;
}

/* Every $n has its @param, every @param its $n. */
static int check_parameters(struct report *report, const struct query_file *file)
{
    bool used[STATEMENT_PARAMETERS_MAX] = {false};
    int result = 0;
    for (size_t i = 0; i < file->tokens.count; i++) {
        const struct sql_token *token = &file->tokens.list[i];
        if (token->kind != SQL_TOKEN_PARAMETER) {
            continue;
        }
        if ((size_t)token->parameter > file->parameter_count) {
            query_file_report_sql(report, file, token->at, "$%d has no @param", token->parameter);
            report_note(report, "the comment block on top declares %zu", file->parameter_count);
            return -EINVAL;
        }
        used[token->parameter - 1] = true;
    }
    for (size_t i = 0; i < file->parameter_count; i++) {
        if (!used[i]) {
            report_at(report, &file->source, file->parameters[i].at,
                      "the command does not use $%zu %s", i + 1, file->parameters[i].name);
            result = -EINVAL;
        }
    }
    return result;
}

/* The build knows what a file generates by the file's name alone. */
static int check_name(struct report *report, const struct query_file *file)
{
    const char *slash = strrchr(file->source.path, '/');
    const char *base = slash != NULL ? slash + 1 : file->source.path;
    size_t length = strlen(file->name);
    if (strncmp(base, file->name, length) == 0 && strcmp(base + length, ".sql") == 0) {
        return 0;
    }
    report_at(report, &file->source, file->name_at,
              "the query is named %s, so its file is %s.sql and not %s", file->name, file->name,
              base);
    return -EINVAL;
}

static void finish_hash(struct query_file *file, struct hashed *hashed)
{
    uint8_t digest[DIGEST_BYTES];
    hashed_add(hashed, file->sql, strlen(file->sql));
    digest_sha256(hashed->text, hashed->length, digest);
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        file->hash[2 * i] = hex_digits[digest[i] >> 4];
        file->hash[2 * i + 1] = hex_digits[digest[i] & 15];
    }
    file->hash[QUERY_FILE_HASH_CHARS] = '\0';
}

static int parse(struct arena *arena, struct report *report, struct query_file *file)
{
    /* Each byte of the file is hashed at most once, with a newline a line and one at the end. */
    struct hashed hashed = {.text = arena_alloc(arena, file->source.length + 2)};
    if (hashed.text == NULL) {
        return -ENOMEM;
    }
    int header_status = read_header(arena, report, file, &hashed);
    if (header_status == -ENOMEM) {
        return header_status;
    }
    int status = read_command(arena, report, file);
    if (status < 0 || header_status < 0) {
        return status < 0 ? status : header_status;
    }
    int late_status = refuse_late_directives(report, file);
    int name_status = check_name(report, file);
    status = check_parameters(report, file);
    if (status < 0 || late_status < 0 || name_status < 0) {
        return -EINVAL;
    }
    finish_hash(file, &hashed);
    return 0;
}

int query_file_read(struct arena *arena, struct report *report, const char *path,
                    struct query_file *ret)
{
    *ret = (struct query_file){.source.path = path};
    int status = text_file_read(arena, path, &ret->source.text, &ret->source.length);
    if (status < 0) {
        report_file(report, path, "%s",
                    status == -EILSEQ ? "this is no UTF-8 text" : strerror(-status));
        return status;
    }
    status = parse(arena, report, ret);
    if (status == -ENOMEM) {
        report_file(report, path, "no memory is left");
    }
    return status;
}
