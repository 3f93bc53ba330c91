/*
 * proto3 JSON to protobuf-c messages and back, for any descriptor: there is no code per message.
 *
 * A schema holds what protobuf-c's descriptors leave out (the lowerCamelCase names, kept sorted for
 * look-up) for a closed set of messages; it is made once and then constant, so any thread may use
 * it. Field kinds: string, bytes, bool, int32, int64, uint32, uint64, float, double, enum, message,
 * repeated of each, oneof, google.protobuf.Timestamp, Duration and the wrappers.
 *
 * Reading is strict: unknown fields, duplicate fields (in either spelling), wrong types, numbers
 * out of range, invalid UTF-8 are errors that name the field. Both lowerCamelCase and the proto's
 * own names are read. null means "left out" (not inside a list). Writing: lowerCamelCase; fields
 * without presence are always written, absent messages are left out; int64 and uint64 are strings;
 * enums are names; timestamps RFC 3339 with Z and 0, 3, 6 or 9 fraction digits.
 */
#ifndef PROTOJSON_PROTOJSON_H
#define PROTOJSON_PROTOJSON_H

#include "base/check.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct protojson_schema;

/* Fields of one message; a schema of larger ones is not supported. */
#define PROTOJSON_FIELDS_MAX 256

/*
 * Makes the tables for the given messages and everything that they contain. The descriptors must
 * outlive the schema. Errors: -ENOMEM; -ENOTSUP for a map, for google.protobuf.Any, Struct, Value,
 * ListValue or FieldMask, and for more than PROTOJSON_FIELDS_MAX fields in a message.
 */
int protojson_schema_create(const ProtobufCMessageDescriptor *const *messages, size_t count,
                            struct protojson_schema **ret) MUST_CHECK;

/* NULL is fine. */
void protojson_schema_destroy(struct protojson_schema *schema);

/* Nesting of messages and lists that is read or written; more is an error. */
#define PROTOJSON_DEPTH_MAX 32

enum protojson_error {
    PROTOJSON_OK = 0,
    PROTOJSON_MALFORMED,     /* not JSON, or not an object */
    PROTOJSON_INVALID_FIELD, /* a field is unknown, doubled, of the wrong type or out of range */
    PROTOJSON_NO_MEMORY,     /* the allocator or the output's bound is exhausted */
};

#define PROTOJSON_FIELD_CHARS_MAX       96
#define PROTOJSON_DESCRIPTION_CHARS_MAX 192

/* What is wrong, where, and what is allowed. */
struct protojson_failure {
    /* The path in the spelling that was read, e.g. "unitPrice.amountMinor" or "items[2].quantity";
       or "". Cut off at a character when it is longer. */
    char field[PROTOJSON_FIELD_CHARS_MAX];
    char description[PROTOJSON_DESCRIPTION_CHARS_MAX]; /* a sentence for people, in UTF-8 */
    size_t offset;                                     /* the byte where reading ended */
};

/*
 * Reads one JSON object into message, which is initialized and may hold fields already (lists and
 * messages in it are added to, anything else is replaced). Fields in sealed (count of them) belong
 * to path, query or header: finding one in the text is an error that says so. Strings, lists and
 * sub-messages come from allocator and belong to its owner, as must those that message holds
 * already. On failure message may be partly filled, always so that
 * protobuf_c_message_free_unpacked() may free it; with an arena behind the allocator nothing is
 * leaked either way. message's type must be in the schema and look like an object in JSON (no
 * well-known type; asserted). ret_failure is set on failure only; for NO_MEMORY its texts are
 * empty.
 */
enum protojson_error protojson_read(const struct protojson_schema *schema, const char *json,
                                    size_t length, ProtobufCMessage *message,
                                    const ProtobufCFieldDescriptor *const *sealed,
                                    size_t sealed_count, ProtobufCAllocator *allocator,
                                    struct protojson_failure *ret_failure) MUST_CHECK;

/*
 * Sets one field from text, as path, query and header parameters do: the field at the end of path
 * (NULL-ended, not empty, outermost first; sub-messages are made on the way, so only the last may
 * be repeated). Strings are taken as they are; numbers, bools, enums, timestamps in their JSON form
 * without quotes; bytes in base64. A repeated field appends, to a list that this library made;
 * any other replaces what is there. The failure's field is spelled in lowerCamelCase; its offset
 * is 0.
 */
enum protojson_error protojson_set_text(const struct protojson_schema *schema,
                                        ProtobufCMessage *message,
                                        const ProtobufCFieldDescriptor *const *path,
                                        const char *text, size_t length,
                                        ProtobufCAllocator *allocator,
                                        struct protojson_failure *ret_failure) MUST_CHECK;

/*
 * Finds a (possibly nested, dotted) field by either spelling into ret_path (NULL-ended); false if
 * there is none, also when a field before a dot is repeated or no message, or the path is longer
 * than PROTOJSON_PATH_MAX.
 */
#define PROTOJSON_PATH_MAX 8
bool protojson_find_path(const struct protojson_schema *schema,
                         const ProtobufCMessageDescriptor *message, const char *name, size_t length,
                         const ProtobufCFieldDescriptor *ret_path[PROTOJSON_PATH_MAX + 1])
    MUST_CHECK;

/* The lowerCamelCase spelling of a field of a message in the schema (asserted). As the schema
 * lives. */
const char *protojson_name(const struct protojson_schema *schema,
                           const ProtobufCMessageDescriptor *message,
                           const ProtobufCFieldDescriptor *field);

/*
 * A growing text with a maximum; once over it, or once the allocator fails, everything appended is
 * dropped and overflowed is set. Begin with {.length_max = ..., .allocator = ...}; bytes may be
 * given too, as capacity bytes (at most length_max) that allocator can free.
 */
struct protojson_output {
    char *bytes; /* not NUL-terminated; the caller frees it with allocator */
    size_t length, capacity, length_max;
    bool overflowed;
    ProtobufCAllocator *allocator;
};

/*
 * Appends message, whose type is in the schema (asserted), as one JSON object. Text that is not
 * UTF-8 is mended with U+FFFD, an enum number without a name is written as a number. Errors:
 * PROTOJSON_NO_MEMORY when the output overflowed, PROTOJSON_INVALID_FIELD for a timestamp or
 * duration out of range and for messages nested deeper than PROTOJSON_DEPTH_MAX; what was written
 * by then is to be thrown away.
 */
enum protojson_error protojson_write(const struct protojson_schema *schema,
                                     const ProtobufCMessage *message,
                                     struct protojson_output *output) MUST_CHECK;

/* Pieces for JSON that is not a message (a problem document): no separators are added. */
void protojson_append(struct protojson_output *output, const char *text, size_t length);
/* A quoted, escaped string; each byte that is not UTF-8 becomes U+FFFD. */
void protojson_append_string(struct protojson_output *output, const char *text, size_t length);

#endif
