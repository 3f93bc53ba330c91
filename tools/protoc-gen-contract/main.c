/*
 * A protoc plugin (google/protobuf/compiler/plugin.proto): reads a CodeGeneratorRequest on standard
 * input and writes a CodeGeneratorResponse with contract_tables.c and contract_files.c. A contract
 * that is not sound fails the build: the response then carries the one line of problem.h, which
 * protoc prints. Memory is one arena, freed at the end.
 */
#include "protoc-gen-contract/contract_reader.h"
#include "protoc-gen-contract/file_writer.h"
#include "protoc-gen-contract/scratch.h"
#include "protoc-gen-contract/table_writer.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_BYTES_MAX (64u * 1024u * 1024u)
#define READ_BYTES        (64u * 1024u)

static bool read_all(FILE *in, struct arena *arena, uint8_t **ret, size_t *ret_length)
{
    size_t capacity = READ_BYTES;
    size_t length = 0;
    uint8_t *bytes = scratch_calloc(arena, capacity, 1);
    for (;;) {
        length += fread(bytes + length, 1, capacity - length, in);
        if (length < capacity) {
            break;
        }
        if (capacity >= REQUEST_BYTES_MAX) {
            return false;
        }
        uint8_t *larger = scratch_calloc(arena, 2 * capacity, 1);
        memcpy(larger, bytes, length);
        bytes = larger;
        capacity *= 2;
    }
    *ret = bytes;
    *ret_length = length;
    return !ferror(in);
}

static void write_tables(FILE *out, struct arena *arena,
                         const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                         const struct model *model)
{
    (void)arena;
    table_writer_write(out, request, model);
}

static void write_files(FILE *out, struct arena *arena,
                        const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                        const struct model *model)
{
    (void)model;
    file_writer_write(out, arena, request);
}

/* Runs a writer into memory that the arena owns; NULL when the stream failed. */
static char *generate(void (*write)(FILE *, struct arena *,
                                    const Google__Protobuf__Compiler__CodeGeneratorRequest *,
                                    const struct model *),
                      struct arena *arena,
                      const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                      const struct model *model)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) {
        return NULL;
    }
    write(out, arena, request, model);
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    char *copy = failed ? NULL : scratch_strndup(arena, text, length);
    free(text);
    return copy;
}

static int respond(struct arena *arena, Google__Protobuf__Compiler__CodeGeneratorResponse *response)
{
    size_t length = google__protobuf__compiler__code_generator_response__get_packed_size(response);
    uint8_t *bytes = scratch_calloc(arena, length, 1);
    google__protobuf__compiler__code_generator_response__pack(response, bytes);
    bool written = fwrite(bytes, 1, length, stdout) == length && fflush(stdout) == 0;
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(struct arena *arena, const Google__Protobuf__Compiler__CodeGeneratorRequest *request)
{
    Google__Protobuf__Compiler__CodeGeneratorResponse response =
        GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__INIT;
    struct problem problem = {.file = NULL};
    struct model model;
    if (contract_reader_read(request, arena, &problem, &model) != 0) {
        response.error = problem.text;
        return respond(arena, &response);
    }
    Google__Protobuf__Compiler__CodeGeneratorResponse__File tables =
        GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__FILE__INIT;
    Google__Protobuf__Compiler__CodeGeneratorResponse__File files = tables;
    char tables_name[] = "contract_tables.c";
    char files_name[] = "contract_files.c";
    tables.name = tables_name;
    tables.content = generate(write_tables, arena, request, &model);
    files.name = files_name;
    files.content = generate(write_files, arena, request, &model);
    if (tables.content == NULL || files.content == NULL) {
        fputs("protoc-gen-contract: cannot write to memory\n", stderr);
        return EXIT_FAILURE;
    }
    Google__Protobuf__Compiler__CodeGeneratorResponse__File *list[] = {&tables, &files};
    response.file = list;
    response.n_file = COUNT_OF(list);
    return respond(arena, &response);
}

int main(void)
{
    struct arena arena;
    arena_init(&arena, SCRATCH_BLOCK_BYTES, SCRATCH_BYTES_MAX);
    uint8_t *bytes = NULL;
    size_t length = 0;
    int status = EXIT_FAILURE;
    if (read_all(stdin, &arena, &bytes, &length)) {
        ProtobufCAllocator allocator = scratch_allocator(&arena);
        const Google__Protobuf__Compiler__CodeGeneratorRequest *request =
            google__protobuf__compiler__code_generator_request__unpack(&allocator, length, bytes);
        if (request != NULL) {
            status = run(&arena, request);
        } else {
            fputs("protoc-gen-contract: standard input is not a CodeGeneratorRequest\n", stderr);
        }
    } else {
        fprintf(stderr, "protoc-gen-contract: cannot read standard input (at most %u bytes)\n",
                REQUEST_BYTES_MAX);
    }
    arena_fini(&arena);
    return status;
}
