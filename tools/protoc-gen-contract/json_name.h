/*
 * The JSON names of fields. protobuf-c keeps no json_name, so whoever reads and writes JSON derives
 * the names again (libs/protojson); an option that says otherwise would be ignored there.
 */
#ifndef PROTOC_GEN_CONTRACT_JSON_NAME_H
#define PROTOC_GEN_CONTRACT_JSON_NAME_H

#include "base/check.h"

struct problem;
struct proto_index;

/* Refuses a field whose json_name is not the one that its name gives. -EINVAL, reported. */
int json_name_check_all(const struct proto_index *index, struct problem *problem) MUST_CHECK;

#endif
