#include "protojson/protojson.h"

#include "protojson/field_slot.h"
#include "protojson/field_value.h"
#include "protojson/protojson_failure.h"
#include "protojson/protojson_schema.h"

#include <stdio.h>
#include <string.h>

/* The tables of a field of a message. */
static const struct protojson_field *field_of(const struct protojson_message *message,
                                              const ProtobufCFieldDescriptor *field)
{
    CHECK(field >= message->descriptor->fields &&
          field < message->descriptor->fields + message->descriptor->n_fields);
    return &message->fields[field - message->descriptor->fields];
}

const char *protojson_name(const struct protojson_schema *schema,
                           const ProtobufCMessageDescriptor *message,
                           const ProtobufCFieldDescriptor *field)
{
    return field_of(protojson_schema_message(schema, message), field)->json_name;
}

bool protojson_find_path(const struct protojson_schema *schema,
                         const ProtobufCMessageDescriptor *message, const char *name, size_t length,
                         const ProtobufCFieldDescriptor *ret_path[PROTOJSON_PATH_MAX + 1])
{
    const struct protojson_message *type = protojson_schema_message(schema, message);
    const ProtobufCFieldDescriptor *path[PROTOJSON_PATH_MAX + 1];
    const char *end = name + length;
    for (size_t count = 0; count < PROTOJSON_PATH_MAX && type != NULL; count++) {
        const char *dot = memchr(name, '.', (size_t)(end - name));
        const char *name_end = dot != NULL ? dot : end;
        const struct protojson_spelling *spelling =
            protojson_schema_spelling(type, name, (size_t)(name_end - name));
        if (spelling == NULL) {
            return false;
        }
        const struct protojson_field *field = &type->fields[spelling->field];
        path[count] = field->descriptor;
        if (dot == NULL) {
            path[count + 1] = NULL;
            memcpy(ret_path, path, (count + 2) * sizeof(path[0]));
            return true;
        }
        bool is_object = field->message != NULL && field->message->kind == PROTOJSON_KIND_OBJECT &&
                         field->descriptor->label != PROTOBUF_C_LABEL_REPEATED;
        type = is_object ? field->message : NULL;
        name = dot + 1;
    }
    return false;
}

/* What stops one step of a path; the failure names the fields up to this one. */
static enum protojson_error check_step(const struct protojson_message *type,
                                       const struct protojson_field *field,
                                       const ProtobufCMessage *message,
                                       struct protojson_failure *failure)
{
    const ProtobufCFieldDescriptor *rival = field_slot_rival(message, field->descriptor);
    if (rival == NULL) {
        return PROTOJSON_OK;
    }
    char predicate[FIELD_VALUE_PREDICATE_CHARS_MAX];
    snprintf(predicate, sizeof(predicate), "must not be set together with %.64s",
             field_of(type, rival)->json_name);
    protojson_failure_say(failure, predicate);
    return PROTOJSON_INVALID_FIELD;
}

/* The message that a field of message holds, made if it is not there; NULL without memory. */
static ProtobufCMessage *step_into(ProtobufCMessage *message, const struct protojson_field *field,
                                   ProtobufCAllocator *allocator)
{
    CHECK(field->message != NULL && field->descriptor->label != PROTOBUF_C_LABEL_REPEATED);
    ProtobufCMessage *held = field_slot_message(message, field->descriptor);
    if (held != NULL) {
        return held;
    }
    held = field_slot_new_message(field->message->descriptor, allocator);
    if (held != NULL) {
        *(ProtobufCMessage **)field_slot_at(message, field->descriptor->offset) = held;
        field_slot_commit(message, field->descriptor);
    }
    return held;
}

static enum protojson_error store(const struct protojson_schema *schema,
                                  const struct protojson_field *field,
                                  const struct field_value *value, ProtobufCMessage *message,
                                  ProtobufCAllocator *allocator, struct protojson_failure *failure)
{
    char predicate[FIELD_VALUE_PREDICATE_CHARS_MAX];
    size_t capacity = field->descriptor->label == PROTOBUF_C_LABEL_REPEATED
                          ? field_slot_capacity_of(field_slot_count(message, field->descriptor))
                          : 0;
    enum protojson_error error =
        field_value_store(schema, field, value, message, &capacity, allocator, predicate);
    if (error == PROTOJSON_INVALID_FIELD) {
        protojson_failure_say(failure, predicate);
    }
    return error;
}

enum protojson_error protojson_set_text(const struct protojson_schema *schema,
                                        ProtobufCMessage *message,
                                        const ProtobufCFieldDescriptor *const *path,
                                        const char *text, size_t length,
                                        ProtobufCAllocator *allocator,
                                        struct protojson_failure *ret_failure)
{
    CHECK(path[0] != NULL);
    const struct field_value value = {.kind = FIELD_VALUE_TEXT, .text = text, .length = length};
    const struct protojson_message *type = protojson_schema_message(schema, message->descriptor);
    struct protojson_failure failure;
    protojson_failure_init(&failure);
    enum protojson_error error = PROTOJSON_OK;
    for (;; path++) {
        const struct protojson_field *field = field_of(type, path[0]);
        protojson_failure_add_field(&failure, field->json_name, strlen(field->json_name));
        error = check_step(type, field, message, &failure);
        if (error == PROTOJSON_OK && path[1] == NULL) {
            error = store(schema, field, &value, message, allocator, &failure);
        }
        if (error != PROTOJSON_OK || path[1] == NULL) {
            break;
        }
        message = step_into(message, field, allocator);
        if (message == NULL) {
            error = PROTOJSON_NO_MEMORY;
            break;
        }
        type = field->message;
    }
    if (error == PROTOJSON_NO_MEMORY) {
        protojson_failure_init(&failure);
    }
    if (error != PROTOJSON_OK) {
        *ret_failure = failure;
    }
    return error;
}
