#include "typedsql/sql_token.h"

#include "base/arena.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* Where the cutting stands. */
struct cutter {
    const char *text;
    size_t length, at;
    struct sql_token *list;
    size_t count;
};

static char peek(const struct cutter *cutter, size_t ahead)
{
    return cutter->at + ahead < cutter->length ? cutter->text[cutter->at + ahead] : '\0';
}

static bool begins_word(char c)
{
    return isalpha((unsigned char)c) || c == '_' || ((unsigned char)c & 0x80) != 0;
}

static bool continues_word(char c)
{
    return begins_word(c) || isdigit((unsigned char)c) || c == '$';
}

static int skip_block_comment(struct cutter *cutter)
{
    size_t depth = 0;
    do {
        if (peek(cutter, 0) == '/' && peek(cutter, 1) == '*') {
            depth++;
            cutter->at += 2;
        } else if (peek(cutter, 0) == '*' && peek(cutter, 1) == '/') {
            depth--;
            cutter->at += 2;
        } else if (cutter->at >= cutter->length) {
            return -EINVAL;
        } else {
            cutter->at++;
        }
    } while (depth > 0);
    return 0;
}

/* White space and comments. */
static int skip_blank(struct cutter *cutter, size_t *ret_error_at)
{
    while (cutter->at < cutter->length) {
        char c = peek(cutter, 0);
        size_t start = cutter->at;
        if (isspace((unsigned char)c)) {
            cutter->at++;
        } else if (c == '-' && peek(cutter, 1) == '-') {
            const char *newline =
                memchr(cutter->text + cutter->at, '\n', cutter->length - cutter->at);
            cutter->at = newline != NULL ? (size_t)(newline - cutter->text) : cutter->length;
        } else if (c == '/' && peek(cutter, 1) == '*') {
            if (skip_block_comment(cutter) < 0) {
                *ret_error_at = start;
                return -EINVAL;
            }
        } else {
            return 0;
        }
    }
    return 0;
}

/* Steps over a quoted thing, at its opening quote; a doubled quote stands for itself. */
static int skip_quoted(struct cutter *cutter, char quote, bool has_escapes)
{
    cutter->at++;
    while (cutter->at < cutter->length) {
        char c = cutter->text[cutter->at];
        if (has_escapes && c == '\\') {
            cutter->at += cutter->at + 1 < cutter->length ? 2 : 1;
        } else if (c == quote && peek(cutter, 1) == quote) {
            cutter->at += 2;
        } else if (c == quote) {
            cutter->at++;
            return 0;
        } else {
            cutter->at++;
        }
    }
    return -EINVAL;
}

/* The length of a dollar quote's tag ($$ or $name$) here, or 0. */
static size_t dollar_tag_length(const struct cutter *cutter)
{
    size_t ahead = 1;
    if (begins_word(peek(cutter, ahead))) {
        while (continues_word(peek(cutter, ahead)) && peek(cutter, ahead) != '$') {
            ahead++;
        }
    }
    return peek(cutter, ahead) == '$' ? ahead + 1 : 0;
}

static int skip_dollar_quoted(struct cutter *cutter, size_t tag_length)
{
    const char *tag = cutter->text + cutter->at;
    const char *from = tag + tag_length;
    const char *end = memmem(from, (size_t)(cutter->text + cutter->length - from), tag, tag_length);
    if (end == NULL) {
        return -EINVAL;
    }
    cutter->at = (size_t)(end - cutter->text) + tag_length;
    return 0;
}

/* $n, at the dollar. */
static int cut_parameter(struct cutter *cutter, struct sql_token *token)
{
    token->kind = SQL_TOKEN_PARAMETER;
    cutter->at++;
    while (isdigit((unsigned char)peek(cutter, 0))) {
        token->parameter = token->parameter * 10 + (peek(cutter, 0) - '0');
        if (token->parameter > SQL_TOKEN_PARAMETER_MAX) {
            return -EINVAL;
        }
        cutter->at++;
    }
    return token->parameter >= 1 ? 0 : -EINVAL;
}

static void cut_number(struct cutter *cutter)
{
    while (isalnum((unsigned char)peek(cutter, 0)) || peek(cutter, 0) == '.' ||
           peek(cutter, 0) == '_') {
        bool is_exponent = tolower((unsigned char)peek(cutter, 0)) == 'e' &&
                           (peek(cutter, 1) == '+' || peek(cutter, 1) == '-');
        cutter->at += is_exponent ? 2 : 1;
    }
}

/* A word, or a string whose form the word in front of the quote says: E'', B'', X'', N'', U&''. */
static int cut_word(struct cutter *cutter, struct sql_token *token)
{
    bool one_letter = !continues_word(peek(cutter, 1));
    char first = (char)tolower((unsigned char)peek(cutter, 0));
    if (one_letter && peek(cutter, 1) == '\'' && strchr("ebxn", first) != NULL) {
        token->kind = SQL_TOKEN_CONSTANT;
        cutter->at++;
        return skip_quoted(cutter, '\'', first == 'e');
    }
    if (one_letter && first == 'u' && peek(cutter, 1) == '&' &&
        (peek(cutter, 2) == '\'' || peek(cutter, 2) == '"')) {
        token->kind = peek(cutter, 2) == '"' ? SQL_TOKEN_NAME : SQL_TOKEN_CONSTANT;
        cutter->at += 2;
        return skip_quoted(cutter, peek(cutter, 0), false);
    }
    token->kind = SQL_TOKEN_WORD;
    while (continues_word(peek(cutter, 0))) {
        cutter->at++;
    }
    return 0;
}

/* Cuts the one that begins here. */
static int cut_token(struct cutter *cutter, struct sql_token *token)
{
    char c = peek(cutter, 0);
    if (begins_word(c)) {
        return cut_word(cutter, token);
    }
    if (c == '"') {
        token->kind = SQL_TOKEN_NAME;
        return skip_quoted(cutter, c, false);
    }
    if (c == '\'') {
        token->kind = SQL_TOKEN_CONSTANT;
        return skip_quoted(cutter, c, false);
    }
    if (c == '$' && isdigit((unsigned char)peek(cutter, 1))) {
        return cut_parameter(cutter, token);
    }
    size_t tag_length = c == '$' ? dollar_tag_length(cutter) : 0;
    if (tag_length > 0) {
        token->kind = SQL_TOKEN_CONSTANT;
        return skip_dollar_quoted(cutter, tag_length);
    }
    if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)peek(cutter, 1)))) {
        token->kind = SQL_TOKEN_CONSTANT;
        cut_number(cutter);
        return 0;
    }
    token->kind = SQL_TOKEN_SIGN;
    cutter->at++;
    return 0;
}

int sql_token_cut(struct arena *arena, const char *text, size_t length, struct sql_tokens *ret,
                  size_t *ret_error_at)
{
    struct cutter cutter = {.text = text, .length = length};
    size_t count_max = length < SQL_TOKEN_COUNT_MAX ? length : SQL_TOKEN_COUNT_MAX;
    cutter.list = arena_calloc(arena, count_max, sizeof(*cutter.list));
    if (cutter.list == NULL) {
        return -ENOMEM;
    }
    for (;;) {
        int status = skip_blank(&cutter, ret_error_at);
        if (status < 0) {
            return status;
        }
        if (cutter.at >= length) {
            break;
        }
        if (cutter.count == count_max) {
            return -E2BIG;
        }
        struct sql_token *token = &cutter.list[cutter.count++];
        token->at = cutter.at;
        status = cut_token(&cutter, token);
        if (status < 0) {
            *ret_error_at = token->at;
            return status;
        }
        token->length = cutter.at - token->at;
    }
    *ret = (struct sql_tokens){.text = text, .list = cutter.list, .count = cutter.count};
    return 0;
}

bool sql_token_is_word(const struct sql_tokens *tokens, size_t index, const char *word)
{
    return index < tokens->count && tokens->list[index].kind == SQL_TOKEN_WORD &&
           tokens->list[index].length == strlen(word) &&
           strncasecmp(tokens->text + tokens->list[index].at, word, strlen(word)) == 0;
}

bool sql_token_is_sign(const struct sql_tokens *tokens, size_t index, char sign)
{
    return index < tokens->count && tokens->list[index].kind == SQL_TOKEN_SIGN &&
           tokens->text[tokens->list[index].at] == sign;
}

/* A name's identifier, read byte by byte: bare ones are folded, quoted ones lose their quotes. */
struct identifier {
    const char *at, *end;
    bool quoted;
};

/* False if token index is no name. U&"" names are none here: what they mean is not worked out. */
static bool identifier_begin(const struct sql_tokens *tokens, size_t index, struct identifier *ret)
{
    if (index >= tokens->count) {
        return false;
    }
    const struct sql_token *token = &tokens->list[index];
    const char *bytes = tokens->text + token->at;
    if (token->kind == SQL_TOKEN_WORD) {
        *ret = (struct identifier){.at = bytes, .end = bytes + token->length};
        return true;
    }
    if (token->kind == SQL_TOKEN_NAME && *bytes == '"') {
        *ret =
            (struct identifier){.at = bytes + 1, .end = bytes + token->length - 1, .quoted = true};
        return true;
    }
    return false;
}

/* The next byte, or NUL after the last. */
static char identifier_next(struct identifier *identifier)
{
    if (identifier->at == identifier->end) {
        return '\0';
    }
    char c = *identifier->at++;
    if (!identifier->quoted) {
        return (char)tolower((unsigned char)c);
    }
    identifier->at += c == '"' ? 1 : 0; /* it is doubled */
    return c;
}

bool sql_token_names(const struct sql_tokens *tokens, size_t index, const char *identifier)
{
    struct identifier name;
    if (!identifier_begin(tokens, index, &name)) {
        return false;
    }
    for (; *identifier != '\0'; identifier++) {
        if (identifier_next(&name) != *identifier) {
            return false;
        }
    }
    return identifier_next(&name) == '\0';
}

bool sql_token_same_name(const struct sql_tokens *tokens, size_t index, size_t other)
{
    struct identifier a, b;
    char c;
    if (!identifier_begin(tokens, index, &a) || !identifier_begin(tokens, other, &b)) {
        return false;
    }
    do {
        c = identifier_next(&a);
        if (c != identifier_next(&b)) {
            return false;
        }
    } while (c != '\0');
    return true;
}
