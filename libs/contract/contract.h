/*
 * The contract as data: every method with its HTTP route, access and shapes, and every reason with
 * its gRPC code, HTTP status and title. The tables are generated at build time from the options in
 * proto/ by tools/protoc-gen-contract; this file says what they hold and looks things up in them.
 * All of it is constant; any thread.
 */
#ifndef CONTRACT_CONTRACT_H
#define CONTRACT_CONTRACT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum contract_access {
    CONTRACT_ACCESS_ADMIN,
    CONTRACT_ACCESS_PUBLIC,
};

/* A part of a path template: literal text of one segment, or a variable that takes one segment. */
struct contract_segment {
    const char *literal;                         /* NULL for a variable */
    const ProtobufCFieldDescriptor *const *path; /* the variable's fields, outermost first; NULL-ended */
};

/* One google.api.http binding of a method. */
struct contract_route {
    const char *http_method; /* upper case, e.g. "POST" */
    const char *template_text; /* as written, e.g. "/v1/sales/{sale_id}:pause" */
    const struct contract_segment *segments;
    size_t segment_count;
    const char *verb; /* custom verb after the colon, e.g. "pause"; NULL for none */
    /* Which field the body is: NULL none; the empty string the whole message ("*"). */
    const char *body;
    const ProtobufCFieldDescriptor *body_field; /* when body names one field */
    /* The reply field that is the HTTP body by itself; NULL for the whole reply. */
    const ProtobufCFieldDescriptor *response_body;
};

/* A request field that an HTTP header carries. */
struct contract_header {
    const char *name; /* lower case */
    const ProtobufCFieldDescriptor *field;
    int missing_reason; /* a Reason number; 0: the header is optional */
};

/* A piece of a Location template: text, or a field of the reply. */
struct contract_location_part {
    const char *text;                            /* NULL for a field */
    const ProtobufCFieldDescriptor *const *path; /* NULL-ended, outermost first */
};

struct contract_method {
    const char *full_name; /* "/stampede.sales.v1.SaleService/GetSale" */
    const char *service_name; /* "stampede.sales.v1.SaleService" */
    const char *name; /* "GetSale" */
    const ProtobufCMessageDescriptor *input, *output;
    bool client_streaming, server_streaming;
    enum contract_access access;
    int success_status; /* HTTP; 200 unless the options say otherwise */
    const ProtobufCFieldDescriptor *replayed_field; /* a bool of output, or NULL */
    const struct contract_location_part *location; /* NULL for none */
    size_t location_count;
    const ProtobufCFieldDescriptor *const *etag_fields; /* of output; NULL-ended, or NULL */
    const struct contract_header *headers;
    size_t header_count;
    const struct contract_route *routes; /* the primary binding first, then additional_bindings */
    size_t route_count; /* 0 for methods without HTTP */
};

struct contract_reason {
    int number;       /* Stampede__Api__V1__Reason */
    const char *name; /* "SOLD_OUT" */
    int grpc_code;    /* google.rpc.Code */
    int http_status;
    const char *title;
};

/* A .proto file of the contract or one that it imports, for server reflection. */
struct contract_file {
    const char *name; /* "stampede/sales/v1/sales.proto" */
    const uint8_t *bytes; /* a serialized FileDescriptorProto, options included */
    size_t length;
    const char *const *dependencies; /* NULL-ended file names */
    const char *const *symbols; /* full names of messages, enums, services, methods; NULL-ended */
};

extern const struct contract_method contract_methods[];
extern const size_t contract_method_count;
extern const struct contract_reason contract_reasons[];
extern const size_t contract_reason_count;
extern const struct contract_file contract_files[];
extern const size_t contract_file_count;

/* The method of "/package.Service/Method", or NULL. */
const struct contract_method *contract_method_by_full_name(const char *full_name);

/* The reason of a number; NULL for a number that is not in the table. */
const struct contract_reason *contract_reason_by_number(int number);

/* The reason of a name such as "SOLD_OUT", or NULL. */
const struct contract_reason *contract_reason_by_name(const char *name);

/* The HTTP status of a google.rpc.Code that came without one of our reasons. */
int contract_http_status_of_code(int grpc_code);

#endif
