#include "protoc-gen-contract/table_writer.h"

#include "protoc-gen-contract/c_text.h"
#include "protoc-gen-contract/proto_index.h"

#include <string.h>

/* Indentation of the nested tables: methods, their lists, what is in these. */
#define IN_METHOD "        "
#define IN_LIST   "            "
#define IN_ITEM   "                "
#define IN_NESTED "                    "

/* {&stampede__sales__v1__sale__descriptor, 0} and the field's name behind it. */
static void write_field(FILE *out, struct model_field field)
{
    if (field.message == NULL) {
        fputs("{NULL, 0}", out);
        return;
    }
    fprintf(out, "{&%s, %u /* %s */}", field.message->descriptor, field.index,
            field.message->fields[field.index]->name);
}

static void write_field_list(FILE *out, const struct model_field *fields, size_t count)
{
    fputs("(const struct contract_field[]){", out);
    for (size_t i = 0; i < count; i++) {
        fputs(i == 0 ? "" : ", ", out);
        write_field(out, fields[i]);
    }
    fputs("}", out);
}

static void write_path(FILE *out, const struct model_path *path)
{
    fputs("{.path = {", out);
    write_field_list(out, path->fields, path->count);
    fprintf(out, ", %zu}},\n", path->count);
}

static void write_segment(FILE *out, const struct model_segment *segment)
{
    fputs(IN_NESTED, out);
    if (segment->literal == NULL) {
        write_path(out, &segment->path);
        return;
    }
    fputs("{.literal = ", out);
    c_text_string(out, segment->literal);
    fputs("},\n", out);
}

static void write_route(FILE *out, const struct model_route *route)
{
    fputs(IN_LIST "{\n", out);
    c_text_member(out, IN_ITEM, "http_method", route->http_method);
    c_text_member(out, IN_ITEM, "template_text", route->template_text);
    fputs(IN_ITEM ".segments = (const struct contract_segment[]){\n", out);
    for (size_t i = 0; i < route->segment_count; i++) {
        write_segment(out, &route->segments[i]);
    }
    fprintf(out, IN_ITEM "},\n" IN_ITEM ".segment_count = %zu,\n", route->segment_count);
    c_text_member(out, IN_ITEM, "verb", route->verb);
    c_text_member(out, IN_ITEM, "body", route->body);
    fputs(IN_ITEM ".body_field = ", out);
    write_field(out, route->body_field);
    fputs(",\n" IN_ITEM ".response_body = ", out);
    write_field(out, route->response_body);
    fputs(",\n" IN_LIST "},\n", out);
}

static void write_routes(FILE *out, const struct model_method *method)
{
    if (method->route_count == 0) {
        return;
    }
    fputs(IN_METHOD ".routes = (const struct contract_route[]){\n", out);
    for (size_t i = 0; i < method->route_count; i++) {
        write_route(out, &method->routes[i]);
    }
    fprintf(out, IN_METHOD "},\n" IN_METHOD ".route_count = %zu,\n", method->route_count);
}

static void write_headers(FILE *out, const struct model_method *method)
{
    if (method->header_count == 0) {
        return;
    }
    fputs(IN_METHOD ".headers = (const struct contract_header[]){\n", out);
    for (size_t i = 0; i < method->header_count; i++) {
        const struct model_header *header = &method->headers[i];
        fputs(IN_LIST "{", out);
        c_text_string(out, header->name);
        fputs(", ", out);
        write_field(out, header->field);
        fprintf(out, ", %d /* %s */},\n", header->missing_reason,
                header->missing_reason_name != NULL ? header->missing_reason_name : "optional");
    }
    fprintf(out, IN_METHOD "},\n" IN_METHOD ".header_count = %zu,\n", method->header_count);
}

static void write_location(FILE *out, const struct model_method *method)
{
    if (method->location_count == 0) {
        return;
    }
    fputs(IN_METHOD ".location = (const struct contract_location_part[]){\n", out);
    for (size_t i = 0; i < method->location_count; i++) {
        const struct model_location_part *part = &method->location[i];
        fputs(IN_LIST, out);
        if (part->text == NULL) {
            write_path(out, &part->path);
            continue;
        }
        fputs("{.text = ", out);
        c_text_string(out, part->text);
        fputs("},\n", out);
    }
    fprintf(out, IN_METHOD "},\n" IN_METHOD ".location_count = %zu,\n", method->location_count);
}

static void write_reply_rules(FILE *out, const struct model_method *method)
{
    fprintf(out, IN_METHOD ".success_status = %d,\n", method->success_status);
    if (method->replayed_field.message != NULL) {
        fputs(IN_METHOD ".replayed_field = ", out);
        write_field(out, method->replayed_field);
        fputs(",\n", out);
    }
    write_location(out, method);
    if (method->etag_count > 0) {
        fputs(IN_METHOD ".etag_fields = ", out);
        write_field_list(out, method->etag_fields, method->etag_count);
        fprintf(out, ",\n" IN_METHOD ".etag_count = %zu,\n", method->etag_count);
    }
}

static void write_method(FILE *out, const struct model_method *method)
{
    fputs("    {\n", out);
    fprintf(out, IN_METHOD ".full_name = \"/%s/%s\",\n", method->service_name, method->proto->name);
    c_text_member(out, IN_METHOD, "service_name", method->service_name);
    c_text_member(out, IN_METHOD, "name", method->proto->name);
    fprintf(out, IN_METHOD ".input = &%s,\n", method->input->descriptor);
    fprintf(out, IN_METHOD ".output = &%s,\n", method->output->descriptor);
    fprintf(out, IN_METHOD ".client_streaming = %s,\n",
            method->proto->client_streaming ? "true" : "false");
    fprintf(out, IN_METHOD ".server_streaming = %s,\n",
            method->proto->server_streaming ? "true" : "false");
    fprintf(out, IN_METHOD ".access = %s,\n",
            method->is_public ? "CONTRACT_ACCESS_PUBLIC" : "CONTRACT_ACCESS_ADMIN");
    write_reply_rules(out, method);
    write_headers(out, method);
    write_routes(out, method);
    fputs("    },\n", out);
}

/* Every file's header declares the descriptors that a method's fields may lie in. */
static void write_includes(FILE *out,
                           const Google__Protobuf__Compiler__CodeGeneratorRequest *request)
{
    static const char suffix[] = ".proto";
    for (size_t i = 0; i < request->n_proto_file; i++) {
        const char *name = request->proto_file[i]->name;
        size_t length = strlen(name);
        size_t stem = length > sizeof(suffix) - 1 ? length - (sizeof(suffix) - 1) : 0;
        if (strcmp(name + stem, suffix) != 0) {
            stem = length;
        }
        fprintf(out, "#include <%.*s.pb-c.h>\n", (int)stem, name);
    }
    fputs("\n", out);
}

static void write_reasons(FILE *out, const struct model *model)
{
    fputs("const struct contract_reason contract_reasons[] = {\n", out);
    for (size_t i = 0; i < model->reason_count; i++) {
        const struct model_reason *reason = &model->reasons[i];
        fprintf(out, "    {%d, \"%s\", %d, %d, ", reason->number, reason->name, reason->grpc_code,
                reason->http_status);
        c_text_string(out, reason->title);
        fputs("},\n", out);
    }
    fprintf(out, "};\nconst size_t contract_reason_count = %zu;\n", model->reason_count);
}

void table_writer_write(FILE *out, const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                        const struct model *model)
{
    c_text_head(out, "Every method and every reason of the contract");
    write_includes(out, request);
    fputs("const struct contract_method contract_methods[] = {\n", out);
    for (size_t i = 0; i < model->method_count; i++) {
        write_method(out, &model->methods[i]);
    }
    fprintf(out, "};\nconst size_t contract_method_count = %zu;\n\n", model->method_count);
    write_reasons(out, model);
}
