#include "protoc-gen-contract/reason_rule.h"

#include "protoc-gen-contract/proto_index.h"
#include "protoc-gen-contract/scratch.h"

#include <stampede/api/v1/options.pb-c.h>
#include <string.h>

#define OPTION_REASON 50102

/* google.rpc.Code knows 0 (OK, which is no reason to refuse) to 16. */
#define GRPC_CODE_MIN 1
#define GRPC_CODE_MAX 16

static const Google__Protobuf__EnumDescriptorProto *find_enum(
    const Google__Protobuf__Compiler__CodeGeneratorRequest *request, const char **ret_file)
{
    for (size_t i = 0; i < request->n_proto_file; i++) {
        const Google__Protobuf__FileDescriptorProto *file = request->proto_file[i];
        if (file->package == NULL || strcmp(file->package, REASON_RULE_PACKAGE) != 0) {
            continue;
        }
        for (size_t j = 0; j < file->n_enum_type; j++) {
            if (strcmp(file->enum_type[j]->name, REASON_RULE_ENUM) == 0) {
                *ret_file = file->name;
                return file->enum_type[j];
            }
        }
    }
    return NULL;
}

static int read_one(const struct proto_index *index,
                    const Google__Protobuf__EnumValueDescriptorProto *value,
                    struct problem *problem, struct model_reason *ret)
{
    const ProtobufCMessage *options = value->options != NULL ? &value->options->base : NULL;
    ProtobufCMessage *option;
    int error = proto_index_option(index, options, OPTION_REASON,
                                   &stampede__api__v1__reason_rule__descriptor, problem, &option);
    if (error != 0) {
        return error;
    }
    if (option == NULL) {
        return problem_report(problem, "has no reason option; required: grpc_code, http_status "
                                       "and title");
    }
    const Stampede__Api__V1__ReasonRule *rule = (const void *)option;
    if (rule->grpc_code < GRPC_CODE_MIN || rule->grpc_code > GRPC_CODE_MAX) {
        return problem_report(problem, "grpc_code is %d; allowed: %d to %d", rule->grpc_code,
                              GRPC_CODE_MIN, GRPC_CODE_MAX);
    }
    if (rule->http_status < 400 || rule->http_status > 599) {
        return problem_report(problem, "http_status is %d; allowed: 400 to 599", rule->http_status);
    }
    if (rule->title[0] == '\0') {
        return problem_report(problem, "title is empty; required: a short text for people");
    }
    *ret = (struct model_reason){.number = value->number,
                                 .name = value->name,
                                 .grpc_code = rule->grpc_code,
                                 .http_status = rule->http_status,
                                 .title = rule->title};
    return 0;
}

int reason_rule_read_all(const struct proto_index *index, struct arena *arena,
                         const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                         struct problem *problem, struct model *model)
{
    const char *file = NULL;
    const Google__Protobuf__EnumDescriptorProto *reasons = find_enum(request, &file);
    if (reasons == NULL) {
        problem_locate(problem, NULL, NULL);
        return problem_report(problem,
                              "no file defines the enum " REASON_RULE_PACKAGE "." REASON_RULE_ENUM);
    }
    model->reasons = scratch_calloc(arena, reasons->n_value, sizeof(*model->reasons));
    for (size_t i = 0; i < reasons->n_value; i++) {
        const Google__Protobuf__EnumValueDescriptorProto *value = reasons->value[i];
        if (value->number == 0) {
            continue;
        }
        problem_locate(problem, file, scratch_concat(arena, REASON_RULE_ENUM ".", value->name));
        int error = read_one(index, value, problem, &model->reasons[model->reason_count]);
        if (error != 0) {
            return error;
        }
        model->reason_count++;
    }
    return 0;
}

const struct model_reason *reason_rule_find(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->reason_count; i++) {
        if (strcmp(model->reasons[i].name, name) == 0) {
            return &model->reasons[i];
        }
    }
    return NULL;
}
