/* Reads stampede.api.v1.Reason: each reason with its gRPC code, HTTP status and title. */
#ifndef PROTOC_GEN_CONTRACT_REASON_RULE_H
#define PROTOC_GEN_CONTRACT_REASON_RULE_H

#include "protoc-gen-contract/model.h"
#include "protoc-gen-contract/problem.h"

#include <google/protobuf/compiler/plugin.pb-c.h>

struct arena;
struct proto_index;

#define REASON_RULE_ENUM    "Reason"
#define REASON_RULE_PACKAGE "stampede.api.v1"

/*
 * Fills the model's reasons, in the enum's order, its zero value left out. Errors: -EINVAL
 * (reported) for a value without a rule, with a code, status or title that is not allowed, and for
 * a request that does not hold the enum.
 */
int reason_rule_read_all(const struct proto_index *index, struct arena *arena,
                         const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                         struct problem *problem, struct model *model) MUST_CHECK;

/* The reason of a name, or NULL. */
const struct model_reason *reason_rule_find(const struct model *model, const char *name);

#endif
