/*
 * Where protobuf-c keeps a field's value inside a message: sizes, presence, list elements, oneofs.
 * Nothing here knows JSON. Functions that allocate return NULL when the allocator does.
 */
#ifndef PROTOJSON_FIELD_SLOT_H
#define PROTOJSON_FIELD_SLOT_H

#include "base/check.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/* The member at an offset of a message. */
static inline void *field_slot_at(const ProtobufCMessage *message, unsigned offset)
{
    return (char *)(uintptr_t)message + offset;
}

/* The size of one value of a type, as a member or as a list's element. */
size_t field_slot_size(ProtobufCType type);

/* Whether a field is the member of a oneof that is set, is a list, or needs no presence. */
bool field_slot_is_present(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

/* The member of field's oneof that is set and is not field; NULL if none, or for no oneof. */
const ProtobufCFieldDescriptor *field_slot_rival(const ProtobufCMessage *message,
                                                 const ProtobufCFieldDescriptor *field);

/* The elements of a list, and how many there are. */
size_t field_slot_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

/*
 * The capacity that lists have which were grown by field_slot_append() alone: what may be assumed
 * of a list of count elements when nothing else is known.
 */
size_t field_slot_capacity_of(size_t count);

/*
 * Room for one more element behind the list's last. *capacity is the list's, in elements, and grows
 * with it; the old array goes back to allocator. The element counts once it is committed.
 */
void *field_slot_append(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                        size_t *capacity, ProtobufCAllocator *allocator) MUST_CHECK;

/* Says that the field's slot, or its list's next element, now holds a value. */
void field_slot_commit(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

/* The message that a single field holds, or NULL. */
ProtobufCMessage *field_slot_message(const ProtobufCMessage *message,
                                     const ProtobufCFieldDescriptor *field);

/* A new, initialized message. */
ProtobufCMessage *field_slot_new_message(const ProtobufCMessageDescriptor *descriptor,
                                         ProtobufCAllocator *allocator) MUST_CHECK;

/* Gives back the string or bytes that a single field holds, if they were allocated. */
void field_slot_release(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                        ProtobufCAllocator *allocator);

#endif
