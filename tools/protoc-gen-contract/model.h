/*
 * The contract as the generator understood it, ready to be written as tables: the same shapes as in
 * contract/contract.h, with descriptors of protoc in the place of protobuf-c's.
 */
#ifndef PROTOC_GEN_CONTRACT_MODEL_H
#define PROTOC_GEN_CONTRACT_MODEL_H

#include <google/protobuf/descriptor.pb-c.h>
#include <stdbool.h>
#include <stddef.h>

struct proto_message;

/* The same bound as CONTRACT_PATH_MAX. */
#define MODEL_PATH_MAX 8

struct model_field {
    const struct proto_message *message; /* NULL: no field */
    unsigned index;                      /* into message->fields */
};

struct model_path {
    struct model_field fields[MODEL_PATH_MAX];
    size_t count;
};

struct model_segment {
    const char *literal; /* NULL for a variable */
    struct model_path path;
};

struct model_route {
    const char *http_method;
    const char *template_text;
    struct model_segment *segments;
    size_t segment_count;
    const char *verb; /* NULL for none */
    const char *body; /* NULL none, "" the whole message, else a field */
    struct model_field body_field;
    struct model_field response_body;
};

struct model_header {
    const char *name; /* lower case */
    struct model_field field;
    int missing_reason;
    const char *missing_reason_name; /* NULL when the header is optional */
};

struct model_location_part {
    const char *text; /* NULL for a field */
    struct model_path path;
};

struct model_method {
    const Google__Protobuf__FileDescriptorProto *file;
    const char *service_name; /* full */
    const char *subject;      /* "SaleService.GetSale", for errors */
    const Google__Protobuf__MethodDescriptorProto *proto;
    const struct proto_message *input, *output;
    bool is_public;
    int success_status;
    struct model_field replayed_field;
    struct model_location_part *location;
    size_t location_count;
    struct model_field *etag_fields;
    size_t etag_count;
    struct model_header *headers;
    size_t header_count;
    struct model_route *routes;
    size_t route_count;
};

struct model_reason {
    int number;
    const char *name;
    int grpc_code;
    int http_status;
    const char *title;
};

struct model {
    struct model_method *methods;
    size_t method_count;
    struct model_reason *reasons;
    size_t reason_count;
};

#endif
