/*
 * What a schema holds, for the sources of this library. Constant once made; everything in it dies
 * with it.
 */
#ifndef PROTOJSON_PROTOJSON_SCHEMA_H
#define PROTOJSON_PROTOJSON_SCHEMA_H

#include "protojson/protojson.h"

#include <locale.h>

/* How a message looks in JSON. */
enum protojson_kind {
    PROTOJSON_KIND_OBJECT,
    PROTOJSON_KIND_TIMESTAMP, /* google.protobuf.Timestamp: an RFC 3339 string */
    PROTOJSON_KIND_DURATION,  /* google.protobuf.Duration: "1.5s" */
    PROTOJSON_KIND_WRAPPER,   /* google.protobuf.Int32Value and its like: the bare value */
};

struct protojson_field {
    const ProtobufCFieldDescriptor *descriptor;
    const struct protojson_message *message; /* of its type; NULL for other kinds */
    const char *json_name;                   /* lowerCamelCase */
    const char *key; /* what a writer puts before the value: ",\"jsonName\":" */
    size_t key_length;
};

/* One spelling of a field in the hash table of its message. */
struct protojson_spelling {
    const char *name; /* NULL: an empty slot */
    uint32_t length;
    uint16_t field; /* its index */
    bool is_json_name;
};

struct protojson_message {
    const ProtobufCMessageDescriptor *descriptor;
    enum protojson_kind kind;
    struct protojson_field *fields;       /* descriptor->n_fields of them, in its order */
    struct protojson_spelling *spellings; /* open addressing */
    uint32_t spelling_mask;               /* slots - 1; a power of two less one */
};

/* The tables of a message, which must be in the schema (asserted). */
const struct protojson_message *protojson_schema_message(
    const struct protojson_schema *schema, const ProtobufCMessageDescriptor *descriptor);

/* A field by either spelling; NULL if there is none. */
const struct protojson_spelling *protojson_schema_spelling(const struct protojson_message *message,
                                                           const char *name, size_t length);

/* The locale in which numbers have a decimal point, whatever the program's locale is. */
locale_t protojson_schema_locale(const struct protojson_schema *schema);

#endif
