/*
 * The descriptors that protoc hands over, made searchable: messages by full name, fields by name
 * and by the index that protobuf-c gives them, custom options by number.
 */
#ifndef PROTOC_GEN_CONTRACT_PROTO_INDEX_H
#define PROTOC_GEN_CONTRACT_PROTO_INDEX_H

#include "protoc-gen-contract/problem.h"

#include <google/protobuf/compiler/plugin.pb-c.h>
#include <google/protobuf/descriptor.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct proto_message {
    struct proto_message *next;
    const char *full_name;  /* "stampede.sales.v1.Sale" */
    const char *descriptor; /* protobuf-c's variable: "stampede__sales__v1__sale__descriptor" */
    const Google__Protobuf__FileDescriptorProto *file;
    const Google__Protobuf__DescriptorProto *proto;
    /* All fields, sorted by number: how protobuf-c indexes them. proto->n_field of them. */
    const Google__Protobuf__FieldDescriptorProto **fields;
};

struct proto_index {
    struct arena *_arena;
    struct proto_message *messages; /* of every file, imported ones included */
};

/* Indexes every message of the request, which must outlive the index. */
void proto_index_init(struct proto_index *index, struct arena *arena,
                      const Google__Protobuf__Compiler__CodeGeneratorRequest *request);

/* The message of a name as descriptors write it, with or without the leading dot; NULL if none. */
const struct proto_message *proto_index_message(const struct proto_index *index, const char *name);

/* Finds a field of length bytes of name; false if the message has none. */
bool proto_index_field(const struct proto_message *message, const char *name, size_t length,
                       unsigned *ret_index) MUST_CHECK;

/* The names of a message's fields, "a, b, c", for an error. */
const char *proto_index_field_names(const struct proto_index *index,
                                    const struct proto_message *message);

/*
 * Reads the custom option of a number from an options message, which may be NULL. Several
 * occurrences are merged, as any message field is. *ret is NULL when the option is not set.
 * Errors: -EINVAL (reported) for an option that does not decode.
 */
int proto_index_option(const struct proto_index *index, const ProtobufCMessage *options,
                       uint32_t number, const ProtobufCMessageDescriptor *descriptor,
                       struct problem *problem, ProtobufCMessage **ret) MUST_CHECK;

#endif
