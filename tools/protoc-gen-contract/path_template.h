/*
 * The text of a google.api.http path template, taken apart: segments of literal text or of one
 * {field}, and a custom verb. The part of the syntax that takes several segments at once (*, **,
 * {field=...}) is refused: one variable is one segment. (google/api/http.proto describes the
 * syntax.)
 */
#ifndef PROTOC_GEN_CONTRACT_PATH_TEMPLATE_H
#define PROTOC_GEN_CONTRACT_PATH_TEMPLATE_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;

#define PATH_TEMPLATE_SEGMENTS_MAX 16

struct path_template_segment {
    bool is_variable;
    const char *text; /* the literal, or the variable's dotted field path */
};

struct path_template {
    struct path_template_segment segments[PATH_TEMPLATE_SEGMENTS_MAX];
    size_t segment_count;
    const char *verb; /* NULL for none */
};

/*
 * Parses text into ret, whose strings come from arena. Returns NULL, or a constant sentence that
 * says what is wrong and what is allowed; ret is then untouched.
 */
const char *path_template_parse(struct arena *arena, const char *text,
                                struct path_template *ret) MUST_CHECK;

#endif
