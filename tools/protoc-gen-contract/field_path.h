/* Turns a dotted field path of an option, "order.sale_id", into the fields that it names. */
#ifndef PROTOC_GEN_CONTRACT_FIELD_PATH_H
#define PROTOC_GEN_CONTRACT_FIELD_PATH_H

#include "protoc-gen-contract/model.h"
#include "protoc-gen-contract/problem.h"

struct proto_index;

/*
 * Resolves length bytes of text from message on. Every field but the last must be a single message,
 * the last one a single string, bool, number or enum. what names the option in the error, e.g.
 * "path field". Errors: -EINVAL, reported.
 */
int field_path_resolve(const struct proto_index *index, const struct proto_message *message,
                       const char *what, const char *text, size_t length, struct problem *problem,
                       struct model_path *ret) MUST_CHECK;

/* Finds one field of message by name. Errors: -EINVAL, reported. */
int field_path_resolve_one(const struct proto_index *index, const struct proto_message *message,
                           const char *what, const char *name, struct problem *problem,
                           struct model_field *ret) MUST_CHECK;

/* Whether a field is one value that text can hold: not repeated, not bytes, not a message. */
bool field_path_is_single_scalar(struct model_field field);

/* Whether a field is one message that JSON writes as an object. */
bool field_path_is_single_object(struct model_field field);

/* Whether two paths name the same field. */
bool field_path_equal(const struct model_path *a, const struct model_path *b);

#endif
