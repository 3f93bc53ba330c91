#include "protojson/protojson_schema.h"

#include "base/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_BLOCK_BYTES (16u * 1024u)
#define SCHEMA_BYTES_MAX   (16u * 1024u * 1024u)

struct protojson_schema {
    struct arena arena;
    locale_t locale;
    struct protojson_message **slots; /* by descriptor; open addressing, NULL for empty */
    size_t slot_mask;
    size_t count;
};

/* FNV-1a: a multiplication a byte, and names are short. */
static uint32_t hash_name(const char *name, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    }
    return hash ^ hash >> 15;
}

/* Descriptors are static objects, so their low address bits say little. */
static size_t hash_descriptor(const ProtobufCMessageDescriptor *descriptor)
{
    return (size_t)((uintptr_t)descriptor >> 5) * 0x9e3779b1u;
}

static struct protojson_message **find_slot(struct protojson_message **slots, size_t mask,
                                            const ProtobufCMessageDescriptor *descriptor)
{
    size_t i = hash_descriptor(descriptor) & mask;
    while (slots[i] != NULL && slots[i]->descriptor != descriptor) {
        i = (i + 1) & mask;
    }
    return &slots[i];
}

const struct protojson_message *protojson_schema_message(
    const struct protojson_schema *schema, const ProtobufCMessageDescriptor *descriptor)
{
    const struct protojson_message *message =
        *find_slot(schema->slots, schema->slot_mask, descriptor);
    CHECK(message != NULL);
    return message;
}

const struct protojson_spelling *protojson_schema_spelling(const struct protojson_message *message,
                                                           const char *name, size_t length)
{
    const struct protojson_spelling *spellings = message->spellings;
    uint32_t mask = message->spelling_mask;
    for (uint32_t i = hash_name(name, length) & mask;; i = (i + 1) & mask) {
        if (spellings[i].name == NULL) {
            return NULL;
        }
        if (spellings[i].length == length && memcmp(spellings[i].name, name, length) == 0) {
            return &spellings[i];
        }
    }
}

locale_t protojson_schema_locale(const struct protojson_schema *schema)
{
    return schema->locale;
}

/* The smallest power of two that leaves at least half of the slots empty. */
static size_t slots_for(size_t count)
{
    size_t slots = 4;
    while (slots < 2 * count) {
        slots *= 2;
    }
    return slots;
}

/*
 * protoc's rule for json_name: an underscore goes, the letter behind it becomes upper case. (A
 * json_name option is not known at run time; protobuf-c keeps none.)
 */
static char *camel_case(struct arena *arena, const char *name)
{
    char *camel = arena_alloc(arena, strlen(name) + 1);
    if (camel == NULL) {
        return NULL;
    }
    char *out = camel;
    bool raise = false;
    for (; *name != '\0'; name++) {
        if (*name == '_') {
            raise = true;
            continue;
        }
        *out++ = raise && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
        raise = false;
    }
    *out = '\0';
    return camel;
}

static void add_spelling(struct protojson_message *message, const char *name, unsigned field,
                         bool is_json_name)
{
    size_t length = strlen(name);
    uint32_t i = hash_name(name, length) & message->spelling_mask;
    while (message->spellings[i].name != NULL) {
        i = (i + 1) & message->spelling_mask;
    }
    message->spellings[i] =
        (struct protojson_spelling){name, (uint32_t)length, (uint16_t)field, is_json_name};
}

static bool has_fields_of(const ProtobufCMessageDescriptor *descriptor, ProtobufCType first,
                          ProtobufCType second)
{
    return descriptor->n_fields == 2 && descriptor->fields[0].id == 1 &&
           descriptor->fields[0].type == first && descriptor->fields[1].id == 2 &&
           descriptor->fields[1].type == second;
}

/*
 * protobuf-c says of a map field only that it is a list of entry messages; what gives one away is
 * the name that protoc derives for its type from the field's.
 */
static bool is_map(const ProtobufCMessageDescriptor *message, const ProtobufCFieldDescriptor *field)
{
    if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label != PROTOBUF_C_LABEL_REPEATED) {
        return false;
    }
    const ProtobufCMessageDescriptor *entry = field->descriptor;
    size_t length = strlen(message->name);
    if (strncmp(entry->name, message->name, length) != 0 || entry->name[length] != '.') {
        return false;
    }
    const char *type = entry->name + length + 1;
    bool raise = true;
    for (const char *c = field->name; *c != '\0'; c++) {
        if (*c == '_') {
            raise = true;
            continue;
        }
        char wanted = raise && *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
        if (*type++ != wanted) {
            return false;
        }
        raise = false;
    }
    return strcmp(type, "Entry") == 0 && entry->n_fields == 2 && entry->fields[0].id == 1 &&
           entry->fields[1].id == 2;
}

/* Which well-known type a message is; -ENOTSUP for one whose JSON form is not supported. */
static int kind_of(const ProtobufCMessageDescriptor *descriptor, enum protojson_kind *ret)
{
    static const char package[] = "google.protobuf.";
    static const char *const wrappers[] = {"DoubleValue", "FloatValue",  "Int64Value",
                                           "UInt64Value", "Int32Value",  "UInt32Value",
                                           "BoolValue",   "StringValue", "BytesValue"};
    static const char *const unsupported[] = {"Any", "Struct", "Value", "ListValue", "FieldMask"};
    *ret = PROTOJSON_KIND_OBJECT;
    if (strncmp(descriptor->name, package, sizeof(package) - 1) != 0) {
        return 0;
    }
    const char *name = descriptor->name + sizeof(package) - 1;
    for (size_t i = 0; i < COUNT_OF(wrappers); i++) {
        if (strcmp(name, wrappers[i]) == 0) {
            *ret = PROTOJSON_KIND_WRAPPER;
            return descriptor->n_fields == 1 ? 0 : -ENOTSUP;
        }
    }
    for (size_t i = 0; i < COUNT_OF(unsupported); i++) {
        if (strcmp(name, unsupported[i]) == 0) {
            return -ENOTSUP;
        }
    }
    bool is_time = strcmp(name, "Timestamp") == 0;
    if (is_time || strcmp(name, "Duration") == 0) {
        *ret = is_time ? PROTOJSON_KIND_TIMESTAMP : PROTOJSON_KIND_DURATION;
        bool fits = has_fields_of(descriptor, PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_INT32);
        return fits ? 0 : -ENOTSUP;
    }
    return 0;
}

static int add_message(struct protojson_schema *schema,
                       const ProtobufCMessageDescriptor *descriptor,
                       const struct protojson_message **ret);

static int fill_field(struct protojson_schema *schema, struct protojson_message *message,
                      unsigned index)
{
    const ProtobufCFieldDescriptor *descriptor = &message->descriptor->fields[index];
    if (is_map(message->descriptor, descriptor)) {
        return -ENOTSUP;
    }
    struct protojson_field *field = &message->fields[index];
    field->descriptor = descriptor;
    field->json_name = camel_case(&schema->arena, descriptor->name);
    if (field->json_name == NULL) {
        return -ENOMEM;
    }
    field->key = arena_printf(&schema->arena, ",\"%s\":", field->json_name);
    if (field->key == NULL) {
        return -ENOMEM;
    }
    field->key_length = strlen(field->key);
    add_spelling(message, field->json_name, index, true);
    if (strcmp(field->json_name, descriptor->name) != 0) {
        add_spelling(message, descriptor->name, index, false);
    }
    return descriptor->type == PROTOBUF_C_TYPE_MESSAGE
               ? add_message(schema, descriptor->descriptor, &field->message)
               : 0;
}

/* Puts a message into the table of the schema, twice as large when it would be half full. */
static int enter(struct protojson_schema *schema, struct protojson_message *message)
{
    if (2 * (schema->count + 1) > schema->slot_mask + 1) {
        size_t mask = 2 * (schema->slot_mask + 1) - 1;
        struct protojson_message **slots =
            arena_calloc(&schema->arena, mask + 1, sizeof(struct protojson_message *));
        if (slots == NULL) {
            return -ENOMEM;
        }
        for (size_t i = 0; i <= schema->slot_mask; i++) {
            if (schema->slots[i] != NULL) {
                *find_slot(slots, mask, schema->slots[i]->descriptor) = schema->slots[i];
            }
        }
        schema->slots = slots;
        schema->slot_mask = mask;
    }
    *find_slot(schema->slots, schema->slot_mask, message->descriptor) = message;
    schema->count++;
    return 0;
}

/* A message is entered before its fields are looked at, so that a type may contain itself. */
static int add_message(struct protojson_schema *schema,
                       const ProtobufCMessageDescriptor *descriptor,
                       const struct protojson_message **ret)
{
    struct protojson_message *known = *find_slot(schema->slots, schema->slot_mask, descriptor);
    if (known != NULL) {
        *ret = known;
        return 0;
    }
    if (descriptor->n_fields > PROTOJSON_FIELDS_MAX) {
        return -ENOTSUP;
    }
    size_t slots = slots_for(2 * (size_t)descriptor->n_fields);
    struct arena *arena = &schema->arena;
    struct protojson_message *message = arena_calloc(arena, 1, sizeof(*message));
    struct protojson_field *fields = arena_calloc(arena, descriptor->n_fields, sizeof(*fields));
    struct protojson_spelling *spellings = arena_calloc(arena, slots, sizeof(*spellings));
    if (message == NULL || fields == NULL || spellings == NULL) {
        return -ENOMEM;
    }
    *message = (struct protojson_message){.descriptor = descriptor,
                                          .fields = fields,
                                          .spellings = spellings,
                                          .spelling_mask = (uint32_t)slots - 1};
    int error = kind_of(descriptor, &message->kind);
    if (error == 0) {
        error = enter(schema, message);
    }
    for (unsigned i = 0; error == 0 && i < descriptor->n_fields; i++) {
        error = fill_field(schema, message, i);
    }
    if (error == 0) {
        *ret = message;
    }
    return error;
}

static int fill(struct protojson_schema *schema, const ProtobufCMessageDescriptor *const *messages,
                size_t count)
{
    schema->locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (schema->locale == (locale_t)0) {
        return -ENOMEM;
    }
    size_t slots = slots_for(count);
    schema->slots = arena_calloc(&schema->arena, slots, sizeof(struct protojson_message *));
    if (schema->slots == NULL) {
        return -ENOMEM;
    }
    schema->slot_mask = slots - 1;
    int error = 0;
    for (size_t i = 0; error == 0 && i < count; i++) {
        const struct protojson_message *added;
        error = add_message(schema, messages[i], &added);
    }
    return error;
}

int protojson_schema_create(const ProtobufCMessageDescriptor *const *messages, size_t count,
                            struct protojson_schema **ret)
{
    struct protojson_schema *schema = calloc(1, sizeof(*schema));
    if (schema == NULL) {
        return -ENOMEM;
    }
    arena_init(&schema->arena, SCHEMA_BLOCK_BYTES, SCHEMA_BYTES_MAX);
    int error = fill(schema, messages, count);
    if (error != 0) {
        protojson_schema_destroy(schema);
        return error;
    }
    *ret = schema;
    return 0;
}

void protojson_schema_destroy(struct protojson_schema *schema)
{
    if (schema == NULL) {
        return;
    }
    if (schema->locale != (locale_t)0) {
        freelocale(schema->locale);
    }
    arena_fini(&schema->arena);
    free(schema);
}
