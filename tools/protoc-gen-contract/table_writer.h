/* Writes contract_methods and contract_reasons as C tables that a person can read. */
#ifndef PROTOC_GEN_CONTRACT_TABLE_WRITER_H
#define PROTOC_GEN_CONTRACT_TABLE_WRITER_H

#include "protoc-gen-contract/model.h"

#include <google/protobuf/compiler/plugin.pb-c.h>
#include <stdio.h>

/* Write errors are left in out (ferror). */
void table_writer_write(FILE *out, const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                        const struct model *model);

#endif
