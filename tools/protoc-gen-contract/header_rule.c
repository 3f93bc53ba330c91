#include "protoc-gen-contract/header_rule.h"

#include "protoc-gen-contract/proto_index.h"
#include "protoc-gen-contract/reason_rule.h"
#include "protoc-gen-contract/scratch.h"

#include <stampede/api/v1/options.pb-c.h>
#include <string.h>

#define OPTION_FIELD 50101

#define TYPE_STRING    GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING
#define LABEL_REPEATED GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED

/* A field name of RFC 9110, 5.1: one token. */
static bool is_token(const char *text)
{
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return text[0] != '\0' && text[strspn(text, allowed)] == '\0';
}

static int read_rule(const struct proto_index *index,
                     const Google__Protobuf__FieldDescriptorProto *field, struct problem *problem,
                     const Stampede__Api__V1__FieldRule **ret)
{
    const ProtobufCMessage *options = field->options != NULL ? &field->options->base : NULL;
    ProtobufCMessage *option;
    int error = proto_index_option(index, options, OPTION_FIELD,
                                   &stampede__api__v1__field_rule__descriptor, problem, &option);
    if (error == 0) {
        *ret = (const void *)option;
    }
    return error;
}

static int resolve_missing_reason(const struct model *model, const char *name,
                                  struct problem *problem, struct model_header *header)
{
    if (name[0] == '\0') {
        return 0;
    }
    const struct model_reason *reason = reason_rule_find(model, name);
    if (reason == NULL) {
        return problem_report(problem,
                              "missing_reason \"%s\" is not a reason; allowed: a value "
                              "of " REASON_RULE_PACKAGE "." REASON_RULE_ENUM,
                              name);
    }
    header->missing_reason = reason->number;
    header->missing_reason_name = reason->name;
    return 0;
}

static int read_header(struct arena *arena, const struct model *model, struct model_field field,
                       const Stampede__Api__V1__FieldRule *rule, struct problem *problem,
                       struct model_method *method)
{
    const Google__Protobuf__FieldDescriptorProto *proto = field.message->fields[field.index];
    if (!is_token(rule->header)) {
        return problem_report(problem,
                              "header \"%s\" of field %s is not a header name; "
                              "allowed: letters, digits and hyphens",
                              rule->header, proto->name);
    }
    if (proto->type != TYPE_STRING || proto->label == LABEL_REPEATED) {
        return problem_report(problem,
                              "field %s cannot be the header %s; "
                              "allowed: one string, not repeated",
                              proto->name, rule->header);
    }
    struct model_header header = {.name = scratch_lower(arena, rule->header, strlen(rule->header)),
                                  .field = field};
    for (size_t i = 0; i < method->header_count; i++) {
        if (strcmp(method->headers[i].name, header.name) == 0) {
            return problem_report(problem, "two fields are the header %s; allowed: one",
                                  rule->header);
        }
    }
    int error = resolve_missing_reason(model, rule->missing_reason, problem, &header);
    if (error == 0) {
        method->headers[method->header_count++] = header;
    }
    return error;
}

int header_rule_read(const struct proto_index *index, struct arena *arena,
                     const struct model *model, struct problem *problem,
                     struct model_method *method)
{
    const struct proto_message *input = method->input;
    method->headers = scratch_calloc(arena, input->proto->n_field, sizeof(*method->headers));
    for (unsigned i = 0; i < input->proto->n_field; i++) {
        const Stampede__Api__V1__FieldRule *rule;
        int error = read_rule(index, input->fields[i], problem, &rule);
        if (error == 0 && rule != NULL) {
            error =
                read_header(arena, model, (struct model_field){input, i}, rule, problem, method);
        }
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

bool header_rule_covers(const struct model_method *method, const struct model_path *path)
{
    for (size_t i = 0; i < method->header_count; i++) {
        if (path->count == 1 && path->fields[0].index == method->headers[i].field.index) {
            return true;
        }
    }
    return false;
}

static bool is_input(const struct model *model, const struct proto_message *message)
{
    for (size_t i = 0; i < model->method_count; i++) {
        if (model->methods[i].input == message) {
            return true;
        }
    }
    return false;
}

int header_rule_check_unused(const struct proto_index *index, const struct model *model,
                             struct problem *problem)
{
    for (const struct proto_message *message = index->messages; message != NULL;
         message = message->next) {
        problem_locate(problem, message->file->name, message->full_name);
        for (size_t i = 0; i < message->proto->n_field && !is_input(model, message); i++) {
            const Stampede__Api__V1__FieldRule *rule;
            int error = read_rule(index, message->fields[i], problem, &rule);
            if (error == 0 && rule != NULL) {
                error = problem_report(problem,
                                       "field %s has a header, but no method takes this "
                                       "message; allowed: fields of a method's request",
                                       message->fields[i]->name);
            }
            if (error != 0) {
                return error;
            }
        }
    }
    return 0;
}
