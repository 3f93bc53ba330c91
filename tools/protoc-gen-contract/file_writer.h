/* Writes contract_files: every .proto file as server reflection hands it out. */
#ifndef PROTOC_GEN_CONTRACT_FILE_WRITER_H
#define PROTOC_GEN_CONTRACT_FILE_WRITER_H

#include <google/protobuf/compiler/plugin.pb-c.h>
#include <stdio.h>

struct arena;

/*
 * Files are serialized without their source code info (comments and positions), which no client of
 * reflection needs. Write errors are left in out (ferror).
 */
void file_writer_write(FILE *out, struct arena *arena,
                       const Google__Protobuf__Compiler__CodeGeneratorRequest *request);

#endif
