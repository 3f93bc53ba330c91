/* Reads stampede.api.v1.field: which request fields HTTP headers carry. */
#ifndef PROTOC_GEN_CONTRACT_HEADER_RULE_H
#define PROTOC_GEN_CONTRACT_HEADER_RULE_H

#include "protoc-gen-contract/model.h"
#include "protoc-gen-contract/problem.h"

#include <google/protobuf/compiler/plugin.pb-c.h>

struct arena;
struct proto_index;

/*
 * Fills the headers of a method from the fields of its input; the model's reasons are read already.
 * Errors: -EINVAL, reported, for a header on a field that is not one string, an invalid or doubled
 * header name, and a missing_reason that does not exist.
 */
int header_rule_read(const struct proto_index *index, struct arena *arena,
                     const struct model *model, struct problem *problem,
                     struct model_method *method) MUST_CHECK;

/* Whether a header of method carries the field at the end of path. */
bool header_rule_covers(const struct model_method *method, const struct model_path *path);

/*
 * Refuses header options where nothing would read them: on fields of messages that no method takes.
 * Errors: -EINVAL, reported.
 */
int header_rule_check_unused(const struct proto_index *index, const struct model *model,
                             struct problem *problem) MUST_CHECK;

#endif
