#include "edge/transcode/header.h"

#include "base/text.h"

#include <errno.h>

size_t header_find(const struct headers *headers, const char *name, struct slice *ret_value)
{
    size_t found = 0;
    for (size_t i = 0; i < headers->count; i++) {
        if (!slice_equals(headers->entries[i].name, name)) {
            continue;
        }
        if (found == 0) {
            *ret_value = slice_trimmed(headers->entries[i].value);
        }
        found++;
    }
    return found;
}

/* Undoes the quotes and backslashes of a string that begins with a quotation mark. */
static int unquote(struct slice value, char *ret_text, size_t *ret_length)
{
    size_t length = 0;
    for (size_t at = 1; at < value.length; at++) {
        char character = value.bytes[at];
        if (character == '"') {
            *ret_length = length;
            return at + 1 == value.length ? 0 : -EINVAL;
        }
        if (character == '\\') {
            at++;
            if (at == value.length || (value.bytes[at] != '"' && value.bytes[at] != '\\')) {
                return -EINVAL;
            }
            character = value.bytes[at];
        }
        ret_text[length++] = character;
    }
    return -EINVAL;
}

int header_text(struct slice value, char *ret_text, size_t *ret_length)
{
    size_t length = value.length;
    if (length > 0 && value.bytes[0] == '"') {
        int error = unquote(value, ret_text, &length);
        if (error != 0) {
            return error;
        }
    } else if (length > 0) {
        memcpy(ret_text, value.bytes, length);
    }
    if (length == 0 || !text_is_printable_ascii(ret_text, length)) {
        return -EINVAL;
    }
    *ret_length = length;
    return 0;
}

bool header_is_json(struct slice content_type)
{
    struct slice rest = content_type;
    if (!slice_equals_ignoring_case(slice_trimmed(slice_cut(&rest, ';')), "application/json")) {
        return false;
    }
    while (rest.bytes != NULL) {
        struct slice value = slice_trimmed(slice_cut(&rest, ';'));
        struct slice name = slice_cut(&value, '=');
        if (slice_equals_ignoring_case(name, "charset") &&
            !slice_equals_ignoring_case(value, "utf-8") &&
            !slice_equals_ignoring_case(value, "\"utf-8\"")) {
            return false;
        }
    }
    return true;
}

bool header_matches_etag(struct slice if_none_match, struct slice etag)
{
    struct slice rest = if_none_match;
    while (rest.bytes != NULL) {
        struct slice tag = slice_trimmed(slice_cut(&rest, ','));
        if (slice_equals(tag, "*")) {
            return true;
        }
        if (tag.length > 2 && memcmp(tag.bytes, "W/", 2) == 0) {
            tag.bytes += 2;
            tag.length -= 2;
        }
        if (tag.length == etag.length && memcmp(tag.bytes, etag.bytes, etag.length) == 0) {
            return true;
        }
    }
    return false;
}
