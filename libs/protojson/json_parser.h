/*
 * yajl, made strict and safe. yajl by itself takes form feeds for white space, ill-formed UTF-8 and
 * surrogates without a partner, and writes through the NULL of a failed allocation; all of that is
 * dealt with here, so that nobody else has to know.
 */
#ifndef PROTOJSON_JSON_PARSER_H
#define PROTOJSON_JSON_PARSER_H

#include "base/check.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <yajl/yajl_parse.h>

enum json_parser_result {
    JSON_PARSER_OK,
    JSON_PARSER_STOPPED, /* a callback returned 0 */
    JSON_PARSER_MALFORMED,
    JSON_PARSER_NO_MEMORY,
};

#define JSON_PARSER_PROBLEM_CHARS_MAX 128

struct json_parser_problem {
    size_t offset;                            /* the byte at which parsing ended */
    char text[JSON_PARSER_PROBLEM_CHARS_MAX]; /* set when MALFORMED */
};

/*
 * Parses length bytes of one JSON text and calls back for each token with context. Text that a
 * callback is given is borrowed until it returns. What yajl needs beyond a few KiB on the stack
 * comes from allocator and is given back. problem is set on every result but OK. Callbacks must
 * not keep resources that only their return would free: running out of memory leaves them by a jump
 * from within yajl (never from within a callback).
 */
enum json_parser_result json_parser_parse(const char *text, size_t length,
                                          const yajl_callbacks *callbacks, void *context,
                                          ProtobufCAllocator *allocator,
                                          struct json_parser_problem *ret_problem) MUST_CHECK;

#endif
