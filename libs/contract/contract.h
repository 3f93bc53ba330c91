/*
 * The contract as data: every method with its HTTP routes, access and shapes, every reason with its
 * gRPC code, HTTP status and title, and the descriptors themselves. The tables are generated at
 * build time from the options in proto/ by tools/protoc-gen-contract, which refuses to build a
 * contract that is ambiguous or names a field that does not exist; this file says what they hold
 * and looks things up in them. All of it is constant and lives as long as the program; any thread.
 */
#ifndef CONTRACT_CONTRACT_H
#define CONTRACT_CONTRACT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ErrorInfo.domain of every refusal of Stampede's own; only such a refusal proves anything. */
#define CONTRACT_ERROR_DOMAIN "stampede"

enum contract_access {
    CONTRACT_ACCESS_ADMIN,
    CONTRACT_ACCESS_PUBLIC,
};

/*
 * A field of a message. protobuf-c's field descriptors have no address that a constant table could
 * hold, so a field is its message's descriptor and its index therein; contract_field_descriptor()
 * turns it into a pointer. message is NULL where a table says "no field".
 */
struct contract_field {
    const ProtobufCMessageDescriptor *message;
    unsigned index; /* into message->fields */
};

/* Fields of nested messages, outermost first: a.b.c. The generator refuses longer ones. */
#define CONTRACT_PATH_MAX 8
struct contract_path {
    const struct contract_field *fields;
    size_t count; /* 0 where a table says "no path"; at most CONTRACT_PATH_MAX */
};

/* A part of a path template: literal text of one segment, or a variable that takes one segment. */
struct contract_segment {
    const char *literal;       /* percent-decoded; NULL for a variable */
    struct contract_path path; /* the variable's field: a string, bool, number or enum */
};

/*
 * One google.api.http binding of a method. Where several routes of one HTTP method match a path,
 * one of them is the most specific: it has a literal wherever another has one, or a verb where the
 * other has none. The generator refuses routes for which this does not decide.
 */
struct contract_route {
    const char *http_method;   /* upper case, e.g. "POST" */
    const char *template_text; /* as written, e.g. "/v1/sales/{sale_id}:pause" */
    const struct contract_segment *segments;
    size_t segment_count;
    const char *verb; /* custom verb after the colon, e.g. "pause"; NULL for none */
    /* Which field the body is: NULL none; the empty string the whole message ("*"). */
    const char *body;
    struct contract_field body_field; /* when body names one field */
    /* The reply field that is the HTTP body by itself; none for the whole reply. */
    struct contract_field response_body;
};

/* A request field that an HTTP header carries. */
struct contract_header {
    const char *name; /* lower case */
    struct contract_field field;
    int missing_reason; /* a Reason number; 0: the header is optional */
};

/* A piece of a Location template: text, or a field of the reply. */
struct contract_location_part {
    const char *text; /* NULL for a field */
    struct contract_path path;
};

struct contract_method {
    const char *full_name;    /* "/stampede.sales.v1.SaleService/GetSale" */
    const char *service_name; /* "stampede.sales.v1.SaleService" */
    const char *name;         /* "GetSale" */
    const ProtobufCMessageDescriptor *input, *output;
    bool client_streaming, server_streaming;
    enum contract_access access;
    int success_status;                            /* HTTP; 200 unless the options say otherwise */
    struct contract_field replayed_field;          /* a bool of output, or none */
    const struct contract_location_part *location; /* NULL for none */
    size_t location_count;
    const struct contract_field *etag_fields; /* of output, in this order */
    size_t etag_count;
    const struct contract_header *headers;
    size_t header_count;
    const struct contract_route *routes; /* the primary binding first, then additional_bindings */
    size_t route_count;                  /* 0 for methods without HTTP */
};

struct contract_reason {
    int number;       /* Stampede__Api__V1__Reason */
    const char *name; /* "SOLD_OUT" */
    int grpc_code;    /* google.rpc.Code */
    int http_status;
    const char *title;
};

/* A field that a file adds to another file's message. */
struct contract_extension {
    const char *extendee; /* full name, e.g. "google.protobuf.MethodOptions" */
    int number;
};

/* A .proto file of the contract or one that it imports, for server reflection. */
struct contract_file {
    const char *name;     /* "stampede/sales/v1/sales.proto" */
    const uint8_t *bytes; /* a serialized FileDescriptorProto, options included, comments not */
    size_t length;
    const char *const *dependencies; /* NULL-ended file names */
    /* Full names of messages, enums, services, methods, extensions; NULL-ended. */
    const char *const *symbols;
    const struct contract_extension *extensions;
    size_t extension_count;
};

extern const struct contract_method contract_methods[];
extern const size_t contract_method_count;
extern const struct contract_reason contract_reasons[];
extern const size_t contract_reason_count;
extern const struct contract_file contract_files[];
extern const size_t contract_file_count;

/* The descriptor of a field; NULL where the table says "no field". */
static inline const ProtobufCFieldDescriptor *contract_field_descriptor(struct contract_field field)
{
    return field.message == NULL ? NULL : &field.message->fields[field.index];
}

/* Writes the descriptors of a path, outermost first, and a NULL after them. */
void contract_path_descriptors(const struct contract_path *path,
                               const ProtobufCFieldDescriptor *ret[CONTRACT_PATH_MAX + 1]);

/* The method of "/package.Service/Method", or NULL. A hashed look-up: fit for every call. */
const struct contract_method *contract_method_by_full_name(const char *full_name);

/* The reason of a number; NULL for a number that is not in the table. */
const struct contract_reason *contract_reason_by_number(int number);

/* The reason of a name such as "SOLD_OUT", or NULL. */
const struct contract_reason *contract_reason_by_name(const char *name);

/* The file of a name such as "stampede/sales/v1/sales.proto", or NULL. */
const struct contract_file *contract_file_by_name(const char *name);

/* The file that defines a symbol such as "stampede.sales.v1.SaleService", or NULL. */
const struct contract_file *contract_file_by_symbol(const char *symbol);

/* The HTTP status of a google.rpc.Code that came without one of our reasons; 500 for any other. */
int contract_http_status_of_code(int grpc_code);

#endif
