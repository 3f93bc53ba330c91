#include "protoc-gen-contract/proto_index.h"

#include "protoc-gen-contract/scratch.h"

#include <stdlib.h>
#include <string.h>

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/*
 * The name of the descriptor that protoc-c generates: dots become two underscores, CamelCase parts
 * become snake_case, where a run of capitals counts as one word.
 */
static char *descriptor_name(struct arena *arena, const char *full_name)
{
    static const char suffix[] = "__descriptor";
    char *name = scratch_calloc(arena, 2 * strlen(full_name) + sizeof(suffix), 1);
    char *out = name;
    bool after_upper = true;
    for (const char *c = full_name; *c != '\0'; c++) {
        if (*c == '.') {
            *out++ = '_';
            *out++ = '_';
            after_upper = true;
            continue;
        }
        if (is_upper(*c) && !after_upper) {
            *out++ = '_';
        }
        after_upper = is_upper(*c);
        *out++ = after_upper ? (char)(*c - 'A' + 'a') : *c;
    }
    memcpy(out, suffix, sizeof(suffix));
    return name;
}

static int compare_numbers(const void *a, const void *b)
{
    const Google__Protobuf__FieldDescriptorProto *const *left = a;
    const Google__Protobuf__FieldDescriptorProto *const *right = b;
    return ((*left)->number > (*right)->number) - ((*left)->number < (*right)->number);
}

static void add_messages(struct proto_index *index,
                         const Google__Protobuf__FileDescriptorProto *file, const char *scope,
                         Google__Protobuf__DescriptorProto *const *protos, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Google__Protobuf__DescriptorProto *proto = protos[i];
        struct proto_message *message = scratch_calloc(index->_arena, 1, sizeof(*message));
        message->full_name = scratch_concat(index->_arena, scope, proto->name);
        message->descriptor = descriptor_name(index->_arena, message->full_name);
        message->file = file;
        message->proto = proto;
        message->fields = scratch_calloc(index->_arena, proto->n_field, sizeof(void *));
        for (size_t j = 0; j < proto->n_field; j++) {
            message->fields[j] = proto->field[j];
        }
        qsort(message->fields, proto->n_field, sizeof(void *), compare_numbers);
        message->next = index->messages;
        index->messages = message;
        add_messages(index, file, scratch_concat(index->_arena, message->full_name, "."),
                     proto->nested_type, proto->n_nested_type);
    }
}

void proto_index_init(struct proto_index *index, struct arena *arena,
                      const Google__Protobuf__Compiler__CodeGeneratorRequest *request)
{
    *index = (struct proto_index){._arena = arena};
    for (size_t i = 0; i < request->n_proto_file; i++) {
        const Google__Protobuf__FileDescriptorProto *file = request->proto_file[i];
        const char *scope = file->package == NULL || file->package[0] == '\0'
                                ? ""
                                : scratch_concat(arena, file->package, ".");
        add_messages(index, file, scope, file->message_type, file->n_message_type);
    }
}

const struct proto_message *proto_index_message(const struct proto_index *index, const char *name)
{
    const char *wanted = name[0] == '.' ? name + 1 : name;
    const struct proto_message *message = index->messages;
    while (message != NULL && strcmp(message->full_name, wanted) != 0) {
        message = message->next;
    }
    return message;
}

bool proto_index_field(const struct proto_message *message, const char *name, size_t length,
                       unsigned *ret_index)
{
    for (unsigned i = 0; i < message->proto->n_field; i++) {
        const char *candidate = message->fields[i]->name;
        if (strlen(candidate) == length && memcmp(candidate, name, length) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

const char *proto_index_field_names(const struct proto_index *index,
                                    const struct proto_message *message)
{
    const char *names = message->proto->n_field == 0 ? "(none)" : "";
    for (size_t i = 0; i < message->proto->n_field; i++) {
        names = scratch_concat(index->_arena, names, i == 0 ? "" : ", ");
        names = scratch_concat(index->_arena, names, message->fields[i]->name);
    }
    return names;
}

/* How many bytes the length varint takes that protobuf-c leaves in front of an unknown field. */
static size_t length_prefix(const ProtobufCMessageUnknownField *field)
{
    size_t bytes = 0;
    while (bytes < field->len && (field->data[bytes] & 0x80) != 0) {
        bytes++;
    }
    return bytes < field->len ? bytes + 1 : field->len;
}

int proto_index_option(const struct proto_index *index, const ProtobufCMessage *options,
                       uint32_t number, const ProtobufCMessageDescriptor *descriptor,
                       struct problem *problem, ProtobufCMessage **ret)
{
    size_t total = 0;
    size_t occurrences = 0;
    uint8_t *bytes = NULL;
    for (unsigned i = 0; options != NULL && i < options->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &options->unknown_fields[i];
        if (field->tag != number || field->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
            continue;
        }
        /* Encoded messages that follow each other are, by protobuf's own rule, their merger. */
        size_t prefix = length_prefix(field);
        uint8_t *merged = scratch_calloc(index->_arena, total + field->len, 1);
        if (total > 0) {
            memcpy(merged, bytes, total);
        }
        memcpy(merged + total, field->data + prefix, field->len - prefix);
        total += field->len - prefix;
        bytes = merged;
        occurrences++;
    }
    if (occurrences == 0) {
        *ret = NULL;
        return 0;
    }
    ProtobufCAllocator allocator = scratch_allocator(index->_arena);
    ProtobufCMessage *option = protobuf_c_message_unpack(descriptor, &allocator, total, bytes);
    if (option == NULL) {
        return problem_report(problem, "option %u does not decode as %s", number, descriptor->name);
    }
    *ret = option;
    return 0;
}
