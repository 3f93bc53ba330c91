#include "protojson/field_slot.h"

#include <string.h>

#define LIST_CAPACITY_MIN 4

size_t field_slot_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_ENUM:
        return sizeof(uint32_t);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_FLOAT:
        return sizeof(float);
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(double);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    }
    UNREACHABLE("protobuf-c has no other types");
}

static bool is_oneof_member(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

static uint32_t *oneof_case(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return field_slot_at(message, field->quantifier_offset);
}

static bool holds_pointer(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING;
}

bool field_slot_is_present(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (is_oneof_member(field)) {
        return *oneof_case(message, field) == field->id;
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return true;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return field_slot_message(message, field) != NULL;
    }
    if (field->label != PROTOBUF_C_LABEL_OPTIONAL) {
        return true;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char **)field_slot_at(message, field->offset);
        return text != NULL && text != field->default_value;
    }
    return *(protobuf_c_boolean *)field_slot_at(message, field->quantifier_offset) != 0;
}

const ProtobufCFieldDescriptor *field_slot_rival(const ProtobufCMessage *message,
                                                 const ProtobufCFieldDescriptor *field)
{
    if (!is_oneof_member(field)) {
        return NULL;
    }
    uint32_t id = *oneof_case(message, field);
    return id == 0 || id == field->id
               ? NULL
               : protobuf_c_message_descriptor_get_field(message->descriptor, id);
}

size_t field_slot_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    CHECK(field->label == PROTOBUF_C_LABEL_REPEATED);
    return *(size_t *)field_slot_at(message, field->quantifier_offset);
}

size_t field_slot_capacity_of(size_t count)
{
    size_t capacity = count == 0 ? 0 : LIST_CAPACITY_MIN;
    while (capacity < count) {
        capacity *= 2;
    }
    return capacity;
}

void *field_slot_append(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                        size_t *capacity, ProtobufCAllocator *allocator)
{
    size_t count = field_slot_count(message, field);
    size_t size = field_slot_size(field->type);
    char **elements = field_slot_at(message, field->offset);
    if (count >= *capacity) {
        size_t larger = field_slot_capacity_of(count + 1);
        char *grown = allocator->alloc(allocator->allocator_data, larger * size);
        if (grown == NULL) {
            return NULL;
        }
        if (count > 0) {
            memcpy(grown, *elements, count * size);
            allocator->free(allocator->allocator_data, *elements);
        }
        *elements = grown;
        *capacity = larger;
    }
    return *elements + count * size;
}

void field_slot_commit(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        ++*(size_t *)field_slot_at(message, field->quantifier_offset);
    } else if (is_oneof_member(field)) {
        *oneof_case(message, field) = field->id;
    } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && !holds_pointer(field)) {
        *(protobuf_c_boolean *)field_slot_at(message, field->quantifier_offset) = 1;
    }
}

ProtobufCMessage *field_slot_message(const ProtobufCMessage *message,
                                     const ProtobufCFieldDescriptor *field)
{
    if (is_oneof_member(field) && *oneof_case(message, field) != field->id) {
        return NULL;
    }
    ProtobufCMessage *held = *(ProtobufCMessage **)field_slot_at(message, field->offset);
    return held == field->default_value ? NULL : held;
}

ProtobufCMessage *field_slot_new_message(const ProtobufCMessageDescriptor *descriptor,
                                         ProtobufCAllocator *allocator)
{
    ProtobufCMessage *message =
        allocator->alloc(allocator->allocator_data, descriptor->sizeof_message);
    if (message != NULL) {
        protobuf_c_message_init(descriptor, message);
    }
    return message;
}

void field_slot_release(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                        ProtobufCAllocator *allocator)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED ||
        (is_oneof_member(field) && *oneof_case(message, field) != field->id)) {
        return;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        char **text = field_slot_at(message, field->offset);
        if (*text != NULL && *text != field->default_value && *text != protobuf_c_empty_string) {
            allocator->free(allocator->allocator_data, *text);
            *text = NULL;
        }
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData *bytes = field_slot_at(message, field->offset);
        const ProtobufCBinaryData *given = field->default_value;
        if (bytes->data != NULL && (given == NULL || bytes->data != given->data)) {
            allocator->free(allocator->allocator_data, bytes->data);
        }
        *bytes = (ProtobufCBinaryData){0, NULL};
    }
}
