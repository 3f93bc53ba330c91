/* Reads the whole contract out of what protoc sent: reasons, then every method of every service. */
#ifndef PROTOC_GEN_CONTRACT_CONTRACT_READER_H
#define PROTOC_GEN_CONTRACT_CONTRACT_READER_H

#include "protoc-gen-contract/model.h"
#include "protoc-gen-contract/problem.h"

#include <google/protobuf/compiler/plugin.pb-c.h>

struct arena;

/*
 * Fills ret from the files that are to be generated and those they import; its pointers lead into
 * arena and request. Errors: -EINVAL, reported in problem.
 */
int contract_reader_read(const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                         struct arena *arena, struct problem *problem,
                         struct model *ret) MUST_CHECK;

#endif
