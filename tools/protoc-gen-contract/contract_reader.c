#include "protoc-gen-contract/contract_reader.h"

#include "protoc-gen-contract/header_rule.h"
#include "protoc-gen-contract/http_rule.h"
#include "protoc-gen-contract/json_name.h"
#include "protoc-gen-contract/method_rule.h"
#include "protoc-gen-contract/proto_index.h"
#include "protoc-gen-contract/reason_rule.h"
#include "protoc-gen-contract/scratch.h"

#include <string.h>

struct reader {
    const Google__Protobuf__Compiler__CodeGeneratorRequest *request;
    struct arena *arena;
    struct problem *problem;
    struct proto_index index;
    struct model model;
};

static bool is_to_generate(const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                           const Google__Protobuf__FileDescriptorProto *file)
{
    for (size_t i = 0; i < request->n_file_to_generate; i++) {
        if (strcmp(request->file_to_generate[i], file->name) == 0) {
            return true;
        }
    }
    return false;
}

static size_t count_methods(const Google__Protobuf__Compiler__CodeGeneratorRequest *request)
{
    size_t count = 0;
    for (size_t i = 0; i < request->n_proto_file; i++) {
        for (size_t j = 0; j < request->proto_file[i]->n_service; j++) {
            count += request->proto_file[i]->service[j]->n_method;
        }
    }
    return count;
}

/* Headers come first: a route may not take a field that a header carries. */
static int read_method(struct reader *reader, struct model_method *method)
{
    problem_locate(reader->problem, method->file->name, method->subject);
    int error =
        header_rule_read(&reader->index, reader->arena, &reader->model, reader->problem, method);
    if (error == 0) {
        error = http_rule_read(&reader->index, reader->arena, reader->problem, method);
    }
    if (error == 0) {
        error = method_rule_read(&reader->index, reader->arena, reader->problem, method);
    }
    return error;
}

static int read_service(struct reader *reader, const Google__Protobuf__FileDescriptorProto *file,
                        const Google__Protobuf__ServiceDescriptorProto *service)
{
    struct arena *arena = reader->arena;
    const char *scope = file->package == NULL || file->package[0] == '\0'
                            ? ""
                            : scratch_concat(arena, file->package, ".");
    const char *subject_scope = scratch_concat(arena, service->name, ".");
    for (size_t i = 0; i < service->n_method; i++) {
        const Google__Protobuf__MethodDescriptorProto *proto = service->method[i];
        struct model_method *method = &reader->model.methods[reader->model.method_count];
        *method = (struct model_method){
            .file = file,
            .service_name = scratch_concat(arena, scope, service->name),
            .subject = scratch_concat(arena, subject_scope, proto->name),
            .proto = proto,
            .input = proto_index_message(&reader->index, proto->input_type),
            .output = proto_index_message(&reader->index, proto->output_type)};
        CHECK(method->input != NULL && method->output != NULL); /* protoc resolved them */
        int error = read_method(reader, method);
        if (error != 0) {
            return error;
        }
        reader->model.method_count++;
    }
    return 0;
}

static int read_services(struct reader *reader)
{
    const Google__Protobuf__Compiler__CodeGeneratorRequest *request = reader->request;
    reader->model.methods =
        scratch_calloc(reader->arena, count_methods(request), sizeof(*reader->model.methods));
    for (size_t i = 0; i < request->n_proto_file; i++) {
        const Google__Protobuf__FileDescriptorProto *file = request->proto_file[i];
        for (size_t j = 0; j < file->n_service && is_to_generate(request, file); j++) {
            int error = read_service(reader, file, file->service[j]);
            if (error != 0) {
                return error;
            }
        }
    }
    if (reader->model.method_count == 0) {
        problem_locate(reader->problem, NULL, NULL);
        return problem_report(reader->problem, "no file defines a method");
    }
    return 0;
}

int contract_reader_read(const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                         struct arena *arena, struct problem *problem, struct model *ret)
{
    struct reader reader = {.request = request, .arena = arena, .problem = problem};
    proto_index_init(&reader.index, arena, request);
    int error = reason_rule_read_all(&reader.index, arena, request, problem, &reader.model);
    if (error == 0) {
        error = read_services(&reader);
    }
    if (error == 0) {
        error = header_rule_check_unused(&reader.index, &reader.model, problem);
    }
    if (error == 0) {
        error = http_rule_check_ambiguous(&reader.model, problem);
    }
    if (error == 0) {
        error = json_name_check_all(&reader.index, problem);
    }
    if (error == 0) {
        *ret = reader.model;
    }
    return error;
}
