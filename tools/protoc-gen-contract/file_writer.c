#include "protoc-gen-contract/file_writer.h"

#include "protoc-gen-contract/c_text.h"
#include "protoc-gen-contract/scratch.h"

#include <google/protobuf/descriptor.pb-c.h>

#define BYTES_PER_LINE 16
#define IN_FILE        "        "
#define IN_LIST        "            "

static void write_bytes(FILE *out, struct arena *arena, size_t index,
                        const Google__Protobuf__FileDescriptorProto *file)
{
    Google__Protobuf__FileDescriptorProto stripped = *file;
    stripped.source_code_info = NULL;
    size_t length = google__protobuf__file_descriptor_proto__get_packed_size(&stripped);
    uint8_t *bytes = scratch_calloc(arena, length, 1);
    google__protobuf__file_descriptor_proto__pack(&stripped, bytes);
    fprintf(out, "/* %s */\nstatic const uint8_t file_%zu_bytes[%zu] = {", file->name, index,
            length);
    for (size_t i = 0; i < length; i++) {
        fprintf(out, "%s0x%02x,", i % BYTES_PER_LINE == 0 ? "\n    " : " ", bytes[i]);
    }
    fputs("\n};\n\n", out);
}

static void write_symbol(FILE *out, const char *symbol)
{
    fputs(IN_LIST, out);
    c_text_string(out, symbol);
    fputs(",\n", out);
}

static void write_enums(FILE *out, struct arena *arena, const char *scope,
                        Google__Protobuf__EnumDescriptorProto *const *enums, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        write_symbol(out, scratch_concat(arena, scope, enums[i]->name));
    }
}

static void write_extensions(FILE *out, struct arena *arena, const char *scope,
                             Google__Protobuf__FieldDescriptorProto *const *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        write_symbol(out, scratch_concat(arena, scope, fields[i]->name));
    }
}

static void write_messages(FILE *out, struct arena *arena, const char *scope,
                           Google__Protobuf__DescriptorProto *const *messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Google__Protobuf__DescriptorProto *message = messages[i];
        const char *name = scratch_concat(arena, scope, message->name);
        const char *inner = scratch_concat(arena, name, ".");
        write_symbol(out, name);
        write_enums(out, arena, inner, message->enum_type, message->n_enum_type);
        write_extensions(out, arena, inner, message->extension, message->n_extension);
        write_messages(out, arena, inner, message->nested_type, message->n_nested_type);
    }
}

static void write_services(FILE *out, struct arena *arena, const char *scope,
                           const Google__Protobuf__FileDescriptorProto *file)
{
    for (size_t i = 0; i < file->n_service; i++) {
        const Google__Protobuf__ServiceDescriptorProto *service = file->service[i];
        const char *name = scratch_concat(arena, scope, service->name);
        const char *inner = scratch_concat(arena, name, ".");
        write_symbol(out, name);
        for (size_t j = 0; j < service->n_method; j++) {
            write_symbol(out, scratch_concat(arena, inner, service->method[j]->name));
        }
    }
}

static void write_symbols(FILE *out, struct arena *arena,
                          const Google__Protobuf__FileDescriptorProto *file)
{
    const char *scope = file->package == NULL || file->package[0] == '\0'
                            ? ""
                            : scratch_concat(arena, file->package, ".");
    fputs(IN_FILE ".symbols = (const char *const[]){\n", out);
    write_messages(out, arena, scope, file->message_type, file->n_message_type);
    write_enums(out, arena, scope, file->enum_type, file->n_enum_type);
    write_extensions(out, arena, scope, file->extension, file->n_extension);
    write_services(out, arena, scope, file);
    fputs(IN_LIST "NULL,\n" IN_FILE "},\n", out);
}

static size_t write_extension_numbers(FILE *out,
                                      Google__Protobuf__FieldDescriptorProto *const *fields,
                                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        /* The extendee is fully qualified, with a dot in front. */
        fprintf(out, IN_LIST "{\"%s\", %d}, /* %s */\n", fields[i]->extendee + 1, fields[i]->number,
                fields[i]->name);
    }
    return count;
}

static size_t write_nested_numbers(FILE *out, Google__Protobuf__DescriptorProto *const *messages,
                                   size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += write_extension_numbers(out, messages[i]->extension, messages[i]->n_extension);
        total += write_nested_numbers(out, messages[i]->nested_type, messages[i]->n_nested_type);
    }
    return total;
}

static size_t count_nested_extensions(Google__Protobuf__DescriptorProto *const *messages,
                                      size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += messages[i]->n_extension +
                 count_nested_extensions(messages[i]->nested_type, messages[i]->n_nested_type);
    }
    return total;
}

static void write_file_extensions(FILE *out, const Google__Protobuf__FileDescriptorProto *file)
{
    size_t expected =
        file->n_extension + count_nested_extensions(file->message_type, file->n_message_type);
    if (expected == 0) {
        return; /* an empty array is not C */
    }
    fputs(IN_FILE ".extensions = (const struct contract_extension[]){\n", out);
    size_t count = write_extension_numbers(out, file->extension, file->n_extension);
    count += write_nested_numbers(out, file->message_type, file->n_message_type);
    CHECK(count == expected);
    fprintf(out, IN_FILE "},\n" IN_FILE ".extension_count = %zu,\n", count);
}

static void write_file(FILE *out, struct arena *arena, size_t index,
                       const Google__Protobuf__FileDescriptorProto *file)
{
    fputs("    {\n", out);
    c_text_member(out, IN_FILE, "name", file->name);
    fprintf(out, IN_FILE ".bytes = file_%zu_bytes,\n", index);
    fprintf(out, IN_FILE ".length = sizeof(file_%zu_bytes),\n", index);
    fputs(IN_FILE ".dependencies = (const char *const[]){\n", out);
    for (size_t i = 0; i < file->n_dependency; i++) {
        write_symbol(out, file->dependency[i]);
    }
    fputs(IN_LIST "NULL,\n" IN_FILE "},\n", out);
    write_symbols(out, arena, file);
    write_file_extensions(out, file);
    fputs("    },\n", out);
}

void file_writer_write(FILE *out, struct arena *arena,
                       const Google__Protobuf__Compiler__CodeGeneratorRequest *request)
{
    c_text_head(out, "The .proto files of the contract and all that they import");
    for (size_t i = 0; i < request->n_proto_file; i++) {
        write_bytes(out, arena, i, request->proto_file[i]);
    }
    fputs("const struct contract_file contract_files[] = {\n", out);
    for (size_t i = 0; i < request->n_proto_file; i++) {
        write_file(out, arena, i, request->proto_file[i]);
    }
    fprintf(out, "};\nconst size_t contract_file_count = %zu;\n", request->n_proto_file);
}
