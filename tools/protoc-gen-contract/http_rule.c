#include "protoc-gen-contract/http_rule.h"

#include "base/check.h"
#include "protoc-gen-contract/field_path.h"
#include "protoc-gen-contract/header_rule.h"
#include "protoc-gen-contract/path_template.h"
#include "protoc-gen-contract/proto_index.h"
#include "protoc-gen-contract/scratch.h"

#include <google/api/http.pb-c.h>
#include <string.h>

#define OPTION_HTTP 72295728

/* What reading one binding needs at hand. */
struct binding {
    const struct proto_index *index;
    struct arena *arena;
    struct problem *problem;
    const struct model_method *method;
    const Google__Api__HttpRule *rule;
};

static int read_custom(const struct binding *binding, struct model_route *route)
{
    const Google__Api__CustomHttpPattern *custom = binding->rule->custom;
    size_t length = strspn(custom->kind, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (length == 0 || custom->kind[length] != '\0') {
        return problem_report(binding->problem,
                              "custom kind \"%s\" is not supported; "
                              "allowed: an HTTP method in upper case",
                              custom->kind);
    }
    route->http_method = custom->kind;
    route->template_text = custom->path;
    return 0;
}

static int read_pattern(const struct binding *binding, struct model_route *route)
{
    const Google__Api__HttpRule *rule = binding->rule;
    switch (rule->pattern_case) {
    case GOOGLE__API__HTTP_RULE__PATTERN_GET:
        route->http_method = "GET";
        route->template_text = rule->get;
        return 0;
    case GOOGLE__API__HTTP_RULE__PATTERN_PUT:
        route->http_method = "PUT";
        route->template_text = rule->put;
        return 0;
    case GOOGLE__API__HTTP_RULE__PATTERN_POST:
        route->http_method = "POST";
        route->template_text = rule->post;
        return 0;
    case GOOGLE__API__HTTP_RULE__PATTERN_DELETE:
        route->http_method = "DELETE";
        route->template_text = rule->delete_;
        return 0;
    case GOOGLE__API__HTTP_RULE__PATTERN_PATCH:
        route->http_method = "PATCH";
        route->template_text = rule->patch;
        return 0;
    case GOOGLE__API__HTTP_RULE__PATTERN_CUSTOM:
        return read_custom(binding, route);
    default:
        return problem_report(binding->problem, "google.api.http names no HTTP method; "
                                                "allowed: get, put, post, delete, patch, custom");
    }
}

static int resolve_variable(const struct binding *binding, const struct model_route *route,
                            const char *text, struct model_path *ret)
{
    int error = field_path_resolve(binding->index, binding->method->input, "path field", text,
                                   strlen(text), binding->problem, ret);
    if (error != 0) {
        return error;
    }
    if (header_rule_covers(binding->method, ret)) {
        return problem_report(binding->problem,
                              "path field \"%s\" is carried by a header; "
                              "allowed: fields without one",
                              text);
    }
    for (size_t i = 0; i < route->segment_count; i++) {
        if (field_path_equal(&route->segments[i].path, ret)) {
            return problem_report(binding->problem,
                                  "template \"%s\" has the field {%s} twice; "
                                  "allowed: each field once",
                                  route->template_text, text);
        }
    }
    return 0;
}

static int read_template(const struct binding *binding, struct model_route *route)
{
    struct path_template template;
    const char *wrong = path_template_parse(binding->arena, route->template_text, &template);
    if (wrong != NULL) {
        return problem_report(binding->problem, "template \"%s\": %s", route->template_text, wrong);
    }
    route->verb = template.verb;
    route->segments =
        scratch_calloc(binding->arena, template.segment_count, sizeof(*route->segments));
    for (size_t i = 0; i < template.segment_count; i++) {
        struct model_segment segment = {.literal = NULL};
        int error = 0;
        if (template.segments[i].is_variable) {
            error = resolve_variable(binding, route, template.segments[i].text, &segment.path);
        } else {
            segment.literal = template.segments[i].text;
        }
        if (error != 0) {
            return error;
        }
        route->segments[route->segment_count++] = segment;
    }
    return 0;
}

/* A field that stands for the body by itself has to be an object, or it would not be one in JSON.
 */
static int resolve_body_field(const struct binding *binding, const struct proto_message *message,
                              const char *what, const char *name, struct model_field *ret)
{
    int error = field_path_resolve_one(binding->index, message, what, name, binding->problem, ret);
    if (error == 0 && !field_path_is_single_object(*ret)) {
        return problem_report(binding->problem,
                              "%s \"%s\" is not a JSON object; allowed: a "
                              "message field, not repeated, not of "
                              "google.protobuf",
                              what, name);
    }
    return error;
}

static int check_body_is_not_in_path(const struct binding *binding, const struct model_route *route)
{
    for (size_t i = 0; i < route->segment_count; i++) {
        const struct model_segment *segment = &route->segments[i];
        if (segment->literal == NULL && segment->path.fields[0].index == route->body_field.index) {
            return problem_report(binding->problem,
                                  "the body \"%s\" is also in the template "
                                  "\"%s\"; allowed: one of them",
                                  route->body, route->template_text);
        }
    }
    return 0;
}

static int read_body(const struct binding *binding, struct model_route *route)
{
    const char *body = binding->rule->body;
    CHECK(route->http_method != NULL);
    if (body[0] == '\0') {
        return 0;
    }
    if (strcmp(route->http_method, "GET") == 0 || strcmp(route->http_method, "DELETE") == 0 ||
        strcmp(route->http_method, "HEAD") == 0) {
        return problem_report(binding->problem, "%s has the body \"%s\"; allowed: none",
                              route->http_method, body);
    }
    if (strcmp(body, "*") == 0) {
        route->body = "";
        return 0;
    }
    route->body = body;
    int error =
        resolve_body_field(binding, binding->method->input, "body", body, &route->body_field);
    return error != 0 ? error : check_body_is_not_in_path(binding, route);
}

static int read_binding(const struct binding *binding, struct model_route *ret)
{
    struct model_route route = {.segment_count = 0};
    int error = read_pattern(binding, &route);
    if (error == 0) {
        error = read_template(binding, &route);
    }
    if (error == 0) {
        error = read_body(binding, &route);
    }
    if (error == 0 && binding->rule->response_body[0] != '\0') {
        error = resolve_body_field(binding, binding->method->output, "response_body",
                                   binding->rule->response_body, &route.response_body);
    }
    if (error == 0) {
        *ret = route;
    }
    return error;
}

static int read_additional(struct binding *binding, struct model_method *method)
{
    const Google__Api__HttpRule *primary = binding->rule;
    for (size_t i = 0; i < primary->n_additional_bindings; i++) {
        binding->rule = primary->additional_bindings[i];
        if (binding->rule->n_additional_bindings > 0) {
            return problem_report(binding->problem, "additional_bindings hold additional_bindings; "
                                                    "allowed: one level");
        }
        int error = read_binding(binding, &method->routes[method->route_count]);
        if (error != 0) {
            return error;
        }
        method->route_count++;
    }
    return 0;
}

int http_rule_read(const struct proto_index *index, struct arena *arena, struct problem *problem,
                   struct model_method *method)
{
    const Google__Protobuf__MethodOptions *options = method->proto->options;
    ProtobufCMessage *option;
    int error = proto_index_option(index, options != NULL ? &options->base : NULL, OPTION_HTTP,
                                   &google__api__http_rule__descriptor, problem, &option);
    if (error != 0 || option == NULL) {
        return error;
    }
    if (method->proto->client_streaming) {
        return problem_report(problem, "a client-streaming method has google.api.http; "
                                       "allowed: unary and server-streaming methods");
    }
    struct binding binding = {index, arena, problem, method, (const void *)option};
    method->routes =
        scratch_calloc(arena, 1 + binding.rule->n_additional_bindings, sizeof(*method->routes));
    error = read_binding(&binding, &method->routes[0]);
    if (error != 0) {
        return error;
    }
    method->route_count = 1;
    return read_additional(&binding, method);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool are_ambiguous(const struct model_route *a, const struct model_route *b)
{
    if (strcmp(a->http_method, b->http_method) != 0 || a->segment_count != b->segment_count ||
        !same_text(a->verb, b->verb)) {
        return false;
    }
    bool a_wins = false;
    bool b_wins = false;
    for (size_t i = 0; i < a->segment_count; i++) {
        const char *left = a->segments[i].literal;
        const char *right = b->segments[i].literal;
        if (left != NULL && right != NULL && strcmp(left, right) != 0) {
            return false; /* no path matches both */
        }
        a_wins = a_wins || (left != NULL && right == NULL);
        b_wins = b_wins || (left == NULL && right != NULL);
    }
    return a_wins == b_wins;
}

/* Compares a route with all that come before it: of earlier methods, then of its own. */
static int check_route(const struct model *model, size_t method_index, size_t route_index,
                       struct problem *problem)
{
    const struct model_method *method = &model->methods[method_index];
    const struct model_route *route = &method->routes[route_index];
    for (size_t i = 0; i <= method_index; i++) {
        const struct model_method *other = &model->methods[i];
        size_t count = i == method_index ? route_index : other->route_count;
        for (size_t j = 0; j < count; j++) {
            if (are_ambiguous(&other->routes[j], route)) {
                return problem_report(
                    problem,
                    "%s %s is ambiguous with %s %s of %s; allowed: routes that differ in "
                    "a literal, or of which one has the literals",
                    route->http_method, route->template_text, other->routes[j].http_method,
                    other->routes[j].template_text, other->subject);
            }
        }
    }
    return 0;
}

int http_rule_check_ambiguous(const struct model *model, struct problem *problem)
{
    for (size_t i = 0; i < model->method_count; i++) {
        problem_locate(problem, model->methods[i].file->name, model->methods[i].subject);
        for (size_t j = 0; j < model->methods[i].route_count; j++) {
            int error = check_route(model, i, j, problem);
            if (error != 0) {
                return error;
            }
        }
    }
    return 0;
}
