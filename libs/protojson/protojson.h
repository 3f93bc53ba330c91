/*
 * proto3 JSON to protobuf-c messages and back, for any descriptor: there is no code per message.
 *
 * A schema holds what protobuf-c's descriptors leave out (the lowerCamelCase names, kept sorted for
 * look-up) for a closed set of messages; it is made once and then constant, so any thread may use it.
 * Field kinds: string, bytes, bool, int32, int64, uint32, uint64, float, double, enum, message, repeated of each,
 * oneof, google.protobuf.Timestamp, Duration and the wrappers.
 *
 * Reading is strict: unknown fields, duplicate fields (in either spelling), wrong types, numbers out
 * of range, invalid UTF-8 are errors that name the field. Both lowerCamelCase and the proto's own
 * names are read. null means "left out" (not inside a list).
 * Writing: lowerCamelCase; fields without presence are always written, absent messages are left
 * out; int64 and uint64 are strings; enums are names; timestamps RFC 3339 with Z and 0, 3, 6 or 9
 * fraction digits.
 */
#ifndef PROTOJSON_PROTOJSON_H
#define PROTOJSON_PROTOJSON_H

#include "base/check.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct protojson_schema;

/*
 * Makes the tables for the given messages and everything that they contain. Errors: -ENOMEM,
 * -ENOTSUP a field kind that is not supported (map, group).
 */
int protojson_schema_create(const ProtobufCMessageDescriptor *const *messages, size_t count,
                            struct protojson_schema **ret) MUST_CHECK;
void protojson_schema_destroy(struct protojson_schema *schema);

/* Nesting of messages and lists that is read or written; more is an error. */
#define PROTOJSON_DEPTH_MAX 32

enum protojson_error {
    PROTOJSON_OK = 0,
    PROTOJSON_MALFORMED,     /* not JSON, or not an object */
    PROTOJSON_INVALID_FIELD, /* a field is unknown, doubled, of the wrong type or out of range */
    PROTOJSON_NO_MEMORY,     /* the allocator or the output's bound is exhausted */
};

/* What is wrong, where, and what is allowed. */
struct protojson_failure {
    char field[96];        /* path in the spelling that was read, e.g. "unitPrice.amountMinor"; or "" */
    char description[192]; /* a sentence for people */
    size_t offset;         /* byte in the JSON text */
};

/*
 * Reads one JSON object into message, which is initialized and may hold fields already. Fields in
 * sealed (count of them) belong to path, query or header: finding one in the text is an error that
 * says so. Strings, lists and sub-messages come from allocator and belong to its owner. On failure
 * message may be partly filled; with an arena behind the allocator nothing is leaked.
 */
enum protojson_error protojson_read(const struct protojson_schema *schema, const char *json,
                                    size_t length, ProtobufCMessage *message,
                                    const ProtobufCFieldDescriptor *const *sealed, size_t sealed_count,
                                    ProtobufCAllocator *allocator,
                                    struct protojson_failure *ret_failure) MUST_CHECK;

/*
 * Sets one field from text, as path, query and header parameters do: the field at the end of path
 * (NULL-ended, outermost first; sub-messages are made on the way). Strings are taken as they are;
 * numbers, bools, enums, timestamps in their JSON form without quotes. A repeated field appends.
 */
enum protojson_error protojson_set_text(const struct protojson_schema *schema,
                                        ProtobufCMessage *message,
                                        const ProtobufCFieldDescriptor *const *path, const char *text,
                                        size_t length, ProtobufCAllocator *allocator,
                                        struct protojson_failure *ret_failure) MUST_CHECK;

/* Finds a (possibly nested, dotted) field by either spelling into ret_path (NULL-ended); false if none. */
#define PROTOJSON_PATH_MAX 8
bool protojson_find_path(const struct protojson_schema *schema,
                         const ProtobufCMessageDescriptor *message, const char *name, size_t length,
                         const ProtobufCFieldDescriptor *ret_path[PROTOJSON_PATH_MAX + 1]) MUST_CHECK;

/* The lowerCamelCase spelling of a field of a message in the schema. Constant. */
const char *protojson_name(const struct protojson_schema *schema,
                           const ProtobufCMessageDescriptor *message,
                           const ProtobufCFieldDescriptor *field);

/* A growing text with a maximum; once over it, everything appended is dropped and overflowed is set. */
struct protojson_output {
    char *bytes; /* not NUL-terminated */
    size_t length, capacity, length_max;
    bool overflowed;
    ProtobufCAllocator *allocator;
};

/* Appends message as one JSON object. PROTOJSON_NO_MEMORY when the output overflowed. */
enum protojson_error protojson_write(const struct protojson_schema *schema,
                                     const ProtobufCMessage *message,
                                     struct protojson_output *output) MUST_CHECK;

/* Pieces for JSON that is not a message (a problem document): no separators are added. */
void protojson_append(struct protojson_output *output, const char *text, size_t length);
/* A quoted, escaped string; invalid UTF-8 becomes U+FFFD. */
void protojson_append_string(struct protojson_output *output, const char *text, size_t length);

#endif
