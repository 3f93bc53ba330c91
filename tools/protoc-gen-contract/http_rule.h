/* Reads google.api.http: the HTTP routes of a method. */
#ifndef PROTOC_GEN_CONTRACT_HTTP_RULE_H
#define PROTOC_GEN_CONTRACT_HTTP_RULE_H

#include "protoc-gen-contract/model.h"
#include "protoc-gen-contract/problem.h"

struct arena;
struct proto_index;

/*
 * Fills the routes of a method, the primary binding first; none without the option. The method's
 * headers are read already. Errors: -EINVAL, reported.
 */
int http_rule_read(const struct proto_index *index, struct arena *arena, struct problem *problem,
                   struct model_method *method) MUST_CHECK;

/*
 * Refuses two routes of one HTTP method that some path matches both of, unless one is the more
 * specific: a literal wins over a variable in every place where they differ, and a verb over none.
 * Errors: -EINVAL, reported for the later method.
 */
int http_rule_check_ambiguous(const struct model *model, struct problem *problem) MUST_CHECK;

#endif
