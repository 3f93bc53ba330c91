#include "protoc-gen-contract/path_template.h"

#include "protoc-gen-contract/scratch.h"

#include <string.h>

/* What a path segment may hold without escapes (RFC 3986, 3.3), less ':' and '*', which are syntax.
 */
static bool is_literal_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!$&'()+,;=@", c) != NULL);
}

static size_t literal_length(const char *text)
{
    size_t length = 0;
    while (is_literal_char(text[length])) {
        length++;
    }
    return length;
}

/* A dotted path of field names; whether they exist is for others to say. */
static size_t field_path_length(const char *text)
{
    size_t length = 0;
    while ((text[length] >= 'a' && text[length] <= 'z') ||
           (text[length] >= 'A' && text[length] <= 'Z') ||
           (text[length] >= '0' && text[length] <= '9') || text[length] == '_' ||
           text[length] == '.') {
        length++;
    }
    return length;
}

static const char *parse_variable(struct arena *arena, const char **cursor,
                                  struct path_template_segment *ret)
{
    const char *name = *cursor + 1;
    size_t length = field_path_length(name);
    if (name[length] == '=') {
        return "{field=...} is not supported; allowed: {field}, which takes one segment";
    }
    if (length == 0 || name[length] != '}') {
        return "a variable is {field} or {field.field}, with the proto's field names";
    }
    *ret = (struct path_template_segment){true, scratch_strndup(arena, name, length)};
    *cursor = name + length + 1;
    return NULL;
}

static const char *parse_segment(struct arena *arena, const char **cursor,
                                 struct path_template_segment *ret)
{
    if (**cursor == '*') {
        return "* and ** are not supported; allowed: /literal, /{field} and a final :verb";
    }
    if (**cursor == '{') {
        return parse_variable(arena, cursor, ret);
    }
    size_t length = literal_length(*cursor);
    if (length == 0) {
        return "a segment is empty; allowed: /literal, /{field} and a final :verb";
    }
    *ret = (struct path_template_segment){false, scratch_strndup(arena, *cursor, length)};
    *cursor += length;
    return NULL;
}

/* What follows the last segment: nothing, or a colon and a verb. */
static const char *parse_end(struct arena *arena, const char *text, const char **ret_verb)
{
    if (*text == '\0') {
        *ret_verb = NULL;
        return NULL;
    }
    if (*text != ':') {
        return "a character is not allowed there; allowed: /literal, /{field} and a final :verb";
    }
    size_t length = literal_length(text + 1);
    if (length == 0 || text[1 + length] != '\0') {
        return "a verb is one word at the end of the template, after one colon";
    }
    *ret_verb = scratch_strndup(arena, text + 1, length);
    return NULL;
}

const char *path_template_parse(struct arena *arena, const char *text, struct path_template *ret)
{
    struct path_template result = {.segment_count = 0};
    const char *cursor = text;
    if (*cursor != '/') {
        return "a template begins with a slash";
    }
    while (*cursor == '/') {
        cursor++;
        if (result.segment_count == PATH_TEMPLATE_SEGMENTS_MAX) {
            return "a template has at most 16 segments";
        }
        const char *wrong = parse_segment(arena, &cursor, &result.segments[result.segment_count++]);
        if (wrong != NULL) {
            return wrong;
        }
    }
    const char *wrong = parse_end(arena, cursor, &result.verb);
    if (wrong != NULL) {
        return wrong;
    }
    *ret = result;
    return NULL;
}
