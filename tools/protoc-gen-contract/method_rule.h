/* Reads stampede.api.v1.method: who may call a method and what its success looks like over HTTP. */
#ifndef PROTOC_GEN_CONTRACT_METHOD_RULE_H
#define PROTOC_GEN_CONTRACT_METHOD_RULE_H

#include "protoc-gen-contract/model.h"
#include "protoc-gen-contract/problem.h"

struct arena;
struct proto_index;

/*
 * Fills access, success status, Location, replayed field and ETag of a method whose routes are read
 * already. Errors: -EINVAL, reported.
 */
int method_rule_read(const struct proto_index *index, struct arena *arena, struct problem *problem,
                     struct model_method *method) MUST_CHECK;

#endif
