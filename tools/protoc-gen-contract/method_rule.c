#include "protoc-gen-contract/method_rule.h"

#include "protoc-gen-contract/field_path.h"
#include "protoc-gen-contract/proto_index.h"
#include "protoc-gen-contract/scratch.h"

#include <stampede/api/v1/options.pb-c.h>
#include <string.h>

#define OPTION_METHOD 50100

#define TYPE_BOOL      GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BOOL
#define LABEL_REPEATED GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED

#define SUCCESS_STATUS_DEFAULT 200

/* The statuses of a success that has a body. */
static bool is_success_status(int status)
{
    return status == 200 || status == 201 || status == 202;
}

static int read_status(const Stampede__Api__V1__MethodRule *rule, struct problem *problem,
                       struct model_method *method)
{
    if (rule->success_status == 0) {
        return 0;
    }
    if (!is_success_status(rule->success_status)) {
        return problem_report(problem, "success_status is %d; allowed: 200, 201, 202",
                              rule->success_status);
    }
    method->success_status = rule->success_status;
    return 0;
}

static int read_replayed(const struct proto_index *index, const Stampede__Api__V1__MethodRule *rule,
                         struct problem *problem, struct model_method *method)
{
    if (rule->replayed_field[0] == '\0') {
        return 0;
    }
    struct model_field *field = &method->replayed_field;
    int error = field_path_resolve_one(index, method->output, "replayed_field",
                                       rule->replayed_field, problem, field);
    if (error != 0) {
        return error;
    }
    const Google__Protobuf__FieldDescriptorProto *proto = field->message->fields[field->index];
    if (proto->type != TYPE_BOOL || proto->label == LABEL_REPEATED) {
        return problem_report(problem,
                              "replayed_field \"%s\" is not a bool; "
                              "allowed: one bool, not repeated",
                              rule->replayed_field);
    }
    return 0;
}

static int read_etag(const struct proto_index *index, struct arena *arena,
                     const Stampede__Api__V1__MethodRule *rule, struct problem *problem,
                     struct model_method *method)
{
    method->etag_fields = scratch_calloc(arena, rule->n_etag_fields, sizeof(*method->etag_fields));
    for (size_t i = 0; i < rule->n_etag_fields; i++) {
        struct model_field *field = &method->etag_fields[i];
        int error = field_path_resolve_one(index, method->output, "etag_fields",
                                           rule->etag_fields[i], problem, field);
        if (error == 0 && !field_path_is_single_scalar(*field)) {
            error = problem_report(problem,
                                   "etag_fields \"%s\" cannot be text; "
                                   "allowed: one string, bool, number or enum, not "
                                   "repeated",
                                   rule->etag_fields[i]);
        }
        if (error != 0) {
            return error;
        }
    }
    method->etag_count = rule->n_etag_fields;
    return 0;
}

static void add_text(struct arena *arena, struct model_method *method, const char *text,
                     size_t length)
{
    if (length > 0) {
        method->location[method->location_count++] =
            (struct model_location_part){.text = scratch_strndup(arena, text, length)};
    }
}

/* "/v1/sales/{sale.sale_id}" becomes text, field, text, ... */
static int read_location(const struct proto_index *index, struct arena *arena, const char *text,
                         struct problem *problem, struct model_method *method)
{
    if (text[0] == '\0') {
        return 0;
    }
    if (text[0] != '/') {
        return problem_report(problem,
                              "location \"%s\" is not a path; "
                              "allowed: /text with {field} or {field.field}",
                              text);
    }
    method->location = scratch_calloc(arena, strlen(text), sizeof(*method->location));
    const char *cursor = text;
    const char *open;
    while ((open = strchr(cursor, '{')) != NULL) {
        const char *close = strchr(open, '}');
        if (close == NULL) {
            return problem_report(problem,
                                  "location \"%s\" has a brace without its other half; "
                                  "allowed: /text with {field} or {field.field}",
                                  text);
        }
        add_text(arena, method, cursor, (size_t)(open - cursor));
        struct model_location_part part = {.text = NULL};
        int error = field_path_resolve(index, method->output, "location field", open + 1,
                                       (size_t)(close - open - 1), problem, &part.path);
        if (error != 0) {
            return error;
        }
        method->location[method->location_count++] = part;
        cursor = close + 1;
    }
    add_text(arena, method, cursor, strlen(cursor));
    return 0;
}

/* Options that shape an HTTP reply mean nothing where there is none; a typing error, most likely.
 */
static int check_has_http(const Stampede__Api__V1__MethodRule *rule, struct problem *problem,
                          const struct model_method *method)
{
    bool shapes_http = rule->success_status != 0 || rule->location[0] != '\0' ||
                       rule->replayed_field[0] != '\0' || rule->n_etag_fields > 0;
    if (shapes_http && method->route_count == 0) {
        return problem_report(problem, "success_status, location, replayed_field or etag_fields "
                                       "without google.api.http; allowed: access alone");
    }
    return 0;
}

int method_rule_read(const struct proto_index *index, struct arena *arena, struct problem *problem,
                     struct model_method *method)
{
    method->success_status = SUCCESS_STATUS_DEFAULT;
    const Google__Protobuf__MethodOptions *options = method->proto->options;
    ProtobufCMessage *option;
    int error = proto_index_option(index, options != NULL ? &options->base : NULL, OPTION_METHOD,
                                   &stampede__api__v1__method_rule__descriptor, problem, &option);
    if (error != 0 || option == NULL) {
        return error;
    }
    const Stampede__Api__V1__MethodRule *rule = (const void *)option;
    method->is_public = rule->access == STAMPEDE__API__V1__ACCESS__PUBLIC;
    error = check_has_http(rule, problem, method);
    if (error == 0) {
        error = read_status(rule, problem, method);
    }
    if (error == 0) {
        error = read_replayed(index, rule, problem, method);
    }
    if (error == 0) {
        error = read_etag(index, arena, rule, problem, method);
    }
    if (error == 0) {
        error = read_location(index, arena, rule->location, problem, method);
    }
    return error;
}
