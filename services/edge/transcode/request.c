#include "edge/transcode/request.h"

#include "contract/contract.h"
#include "edge/routes/percent.h"
#include "edge/routes/routes.h"
#include "edge/transcode/header.h"
#include "protojson/protojson.h"
#include "stampede/api/v1/reason.pb-c.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

/* Fields that a path and the headers of a method may carry. */
#define SEALED_MAX (ROUTES_VARIABLES_MAX + 8)
/* "at byte 123: " */
#define OFFSET_BYTES_MAX 32

static const char TEXT_EXPECTED[] = "must be valid percent-encoded UTF-8 of at most 2048 bytes";
_Static_assert(REQUEST_PARAMETER_BYTES_MAX == 2048, "the sentence says so");

/* One reading: what is fixed for its whole length. */
struct reading {
    const struct protojson_schema *schema;
    const struct request_source *source;
    const struct contract_method *method;
    const struct contract_route *binding;
    ProtobufCAllocator *allocator;
    ProtobufCMessage *message;
    struct refusal *refusal;
    /* Fields of the message that path and headers carry. */
    const ProtobufCFieldDescriptor *sealed[SEALED_MAX];
    size_t sealed_count;
};

/* Cuts what does not fit. */
static void copy_text(char *ret_text, size_t room, const char *text)
{
    size_t length = strnlen(text, room - 1);
    memcpy(ret_text, text, length);
    ret_text[length] = '\0';
}

static int refuse(struct reading *reading, int reason, const char *field, const char *description)
{
    struct refusal *refusal = reading->refusal;
    copy_text(refusal->description, sizeof(refusal->description), description);
    copy_text(refusal->field, sizeof(refusal->field), field);
    refusal->reason = reason;
    return -EINVAL;
}

static int refuse_field(struct reading *reading, const char *field, const char *description)
{
    return refuse(reading, STAMPEDE__API__V1__REASON__INVALID_FIELD, field, description);
}

static int refuse_malformed(struct reading *reading, const struct protojson_failure *failure)
{
    char description[REFUSAL_DESCRIPTION_BYTES_MAX + OFFSET_BYTES_MAX];
    (void)snprintf(description, sizeof(description), "at byte %zu: %s", failure->offset,
                   failure->description);
    return refuse(reading, STAMPEDE__API__V1__REASON__MALFORMED_JSON, failure->field, description);
}

/* Turns what the JSON library says into an errno and a refusal. */
static int refuse_json(struct reading *reading, enum protojson_error error,
                       const struct protojson_failure *failure)
{
    switch (error) {
    case PROTOJSON_OK:
        return 0;
    case PROTOJSON_MALFORMED:
        return refuse_malformed(reading, failure);
    case PROTOJSON_INVALID_FIELD:
        return refuse_field(reading, failure->field, failure->description);
    case PROTOJSON_NO_MEMORY:
        return -ENOMEM;
    }
    UNREACHABLE("every error of protojson is handled");
}

static void seal(struct reading *reading, const ProtobufCFieldDescriptor *field)
{
    CHECK(reading->sealed_count < SEALED_MAX);
    reading->sealed[reading->sealed_count++] = field;
}

static bool is_sealed(const struct reading *reading, const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < reading->sealed_count; i++) {
        if (reading->sealed[i] == field) {
            return true;
        }
    }
    return false;
}

static int set_text(struct reading *reading, const ProtobufCFieldDescriptor *const *path,
                    const char *text, size_t length, const char *spelling)
{
    struct protojson_failure failure;
    enum protojson_error error = protojson_set_text(reading->schema, reading->message, path, text,
                                                    length, reading->allocator, &failure);
    if (error == PROTOJSON_INVALID_FIELD || error == PROTOJSON_MALFORMED) {
        return refuse_field(reading, spelling, failure.description);
    }
    return refuse_json(reading, error, &failure);
}

/* The variable's name as JSON spells it: saleId, unitPrice.amountMinor. */
static void spell_path(const struct reading *reading, const ProtobufCFieldDescriptor *const *path,
                       char ret_text[REFUSAL_FIELD_BYTES_MAX])
{
    const ProtobufCMessageDescriptor *message = reading->method->input;
    size_t length = 0;
    for (size_t i = 0; path[i] != NULL && length < REFUSAL_FIELD_BYTES_MAX; i++) {
        int written =
            snprintf(ret_text + length, REFUSAL_FIELD_BYTES_MAX - length, "%s%s", i == 0 ? "" : ".",
                     protojson_name(reading->schema, message, path[i]));
        length += written < 0 ? 0 : (size_t)written;
        message = path[i]->descriptor;
    }
}

static int refuse_variable(struct reading *reading, const ProtobufCFieldDescriptor *const *path,
                           const char *description)
{
    char spelling[REFUSAL_FIELD_BYTES_MAX] = "";
    spell_path(reading, path, spelling);
    return refuse_field(reading, spelling, description);
}

static int read_variable(struct reading *reading, const struct routes_variable *variable)
{
    const ProtobufCFieldDescriptor *path[CONTRACT_PATH_MAX + 1];
    contract_path_descriptors(variable->path, path);
    seal(reading, path[0]);
    char text[REQUEST_PARAMETER_BYTES_MAX + 1];
    size_t length = 0;
    if (variable->encoded.length > REQUEST_PARAMETER_BYTES_MAX ||
        percent_decode(variable->encoded, false, text, &length) != 0) {
        return refuse_variable(reading, path, TEXT_EXPECTED);
    }
    struct protojson_failure failure;
    enum protojson_error error = protojson_set_text(reading->schema, reading->message, path, text,
                                                    length, reading->allocator, &failure);
    if (error == PROTOJSON_OK || error == PROTOJSON_NO_MEMORY) {
        return refuse_json(reading, error, &failure);
    }
    return refuse_variable(reading, path, failure.description);
}

static int read_variables(struct reading *reading)
{
    const struct routes_match *match = reading->source->match;
    for (size_t i = 0; i < match->variable_count; i++) {
        int error = read_variable(reading, &match->variables[i]);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

/* "idempotency-key" as people write it: Idempotency-Key. */
static void spell_header(const char *name, char ret_text[REFUSAL_FIELD_BYTES_MAX])
{
    bool is_first = true;
    size_t length = 0;
    for (; name[length] != '\0' && length + 1 < REFUSAL_FIELD_BYTES_MAX; length++) {
        char character = name[length];
        ret_text[length] = is_first ? (char)toupper((unsigned char)character) : character;
        is_first = character == '-';
    }
    ret_text[length] = '\0';
}

static int read_header(struct reading *reading, const struct contract_header *header)
{
    const ProtobufCFieldDescriptor *path[] = {contract_field_descriptor(header->field), NULL};
    seal(reading, path[0]);
    char spelling[REFUSAL_FIELD_BYTES_MAX];
    spell_header(header->name, spelling);
    struct slice value;
    size_t found = header_find(&reading->source->headers, header->name, &value);
    if (found == 0 && header->missing_reason == 0) {
        return 0;
    }
    if (found == 0) {
        return refuse(reading, header->missing_reason, spelling, "this header is required");
    }
    if (found > 1) {
        return refuse_field(reading, spelling, "must be given once");
    }
    /* Every character of a quoted key may be escaped, and it has two quotation marks. */
    char text[2 * REQUEST_HEADER_CHARS_MAX + 2];
    size_t length;
    if (value.length > sizeof(text) || header_text(value, text, &length) != 0 ||
        length > REQUEST_HEADER_CHARS_MAX) {
        return refuse_field(reading, spelling,
                            "must be 1 to 255 printable ASCII characters, bare or as a quoted "
                            "string");
    }
    return set_text(reading, path, text, length, spelling);
}

static int read_headers(struct reading *reading)
{
    for (size_t i = 0; i < reading->method->header_count; i++) {
        int error = read_header(reading, &reading->method->headers[i]);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

/* The field at the end of each parameter that was read, to find one given twice. */
struct seen_parameters {
    const ProtobufCFieldDescriptor *fields[REQUEST_QUERY_PARAMETERS_MAX][PROTOJSON_PATH_MAX + 1];
    size_t count;
};

static bool is_same_path(const ProtobufCFieldDescriptor *const *a,
                         const ProtobufCFieldDescriptor *const *b)
{
    size_t i = 0;
    while (a[i] != NULL && a[i] == b[i]) {
        i++;
    }
    return a[i] == b[i];
}

static const ProtobufCFieldDescriptor *last_of(const ProtobufCFieldDescriptor *const *path)
{
    while (path[1] != NULL) {
        path++;
    }
    return path[0];
}

/* Notes a parameter; false when it is a repeated single value or one parameter too many. */
static bool note_parameter(struct seen_parameters *seen,
                           const ProtobufCFieldDescriptor *const *path)
{
    if (seen->count == REQUEST_QUERY_PARAMETERS_MAX) {
        return false;
    }
    bool may_repeat = last_of(path)->label == PROTOBUF_C_LABEL_REPEATED;
    for (size_t i = 0; i < seen->count && !may_repeat; i++) {
        if (is_same_path(seen->fields[i], path)) {
            return false;
        }
    }
    memcpy(seen->fields[seen->count], path, sizeof(seen->fields[0]));
    seen->count++;
    return true;
}

static int set_parameter(struct reading *reading, struct seen_parameters *seen, const char *name,
                         size_t name_length, struct slice value)
{
    const ProtobufCFieldDescriptor *path[PROTOJSON_PATH_MAX + 1] = {NULL};
    bool is_whole_body = reading->binding->body != NULL && reading->binding->body[0] == '\0';
    if (is_whole_body ||
        !protojson_find_path(reading->schema, reading->method->input, name, name_length, path)) {
        return refuse_field(reading, name, "is not a query parameter of this route");
    }
    if (is_sealed(reading, path[0])) {
        return refuse_field(reading, name, "is given by the path, a header or the body");
    }
    if (!note_parameter(seen, path)) {
        return refuse_field(reading, name, "must be given once");
    }
    char text[REQUEST_PARAMETER_BYTES_MAX + 1];
    size_t length;
    if (value.length > REQUEST_PARAMETER_BYTES_MAX ||
        percent_decode(value, true, text, &length) != 0) {
        return refuse_field(reading, name, TEXT_EXPECTED);
    }
    return set_text(reading, path, text, length, name);
}

static int read_query(struct reading *reading)
{
    struct seen_parameters seen;
    seen.count = 0;
    struct slice rest = reading->source->query;
    while (rest.length > 0) {
        struct slice value = slice_cut(&rest, '&');
        struct slice name = slice_cut(&value, '=');
        if (name.length == 0 && value.length == 0) {
            continue;
        }
        char text[REFUSAL_FIELD_BYTES_MAX];
        size_t length;
        if (name.length >= sizeof(text) || percent_decode(name, true, text, &length) != 0) {
            return refuse_field(reading, "", "a query parameter's name cannot be read");
        }
        int error = set_parameter(reading, &seen, text, length, value);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

static int check_media_type(struct reading *reading)
{
    const struct headers *headers = &reading->source->headers;
    struct slice value;
    if (header_find(headers, "content-type", &value) != 1 || !header_is_json(value)) {
        return refuse(reading, STAMPEDE__API__V1__REASON__UNSUPPORTED_MEDIA_TYPE, "",
                      "the body must be application/json in UTF-8");
    }
    if (header_find(headers, "content-encoding", &value) != 0 &&
        !slice_equals_ignoring_case(value, "identity")) {
        return refuse(reading, STAMPEDE__API__V1__REASON__UNSUPPORTED_MEDIA_TYPE, "",
                      "the body must not be compressed");
    }
    return 0;
}

static ProtobufCMessage *create_message(const ProtobufCMessageDescriptor *descriptor,
                                        ProtobufCAllocator *allocator)
{
    ProtobufCMessage *message =
        allocator->alloc(allocator->allocator_data, descriptor->sizeof_message);
    if (message != NULL) {
        protobuf_c_message_init(descriptor, message);
    }
    return message;
}

/* The message that the body fills: the whole one, or the one that a field of it holds. */
static ProtobufCMessage *body_target(struct reading *reading)
{
    const ProtobufCFieldDescriptor *field = contract_field_descriptor(reading->binding->body_field);
    if (field == NULL) {
        return reading->message;
    }
    CHECK(field->type == PROTOBUF_C_TYPE_MESSAGE && field->label != PROTOBUF_C_LABEL_REPEATED);
    seal(reading, field);
    ProtobufCMessage *target = create_message(field->descriptor, reading->allocator);
    memcpy((char *)reading->message + field->offset, &target, sizeof(target));
    return target;
}

static int read_body(struct reading *reading)
{
    struct slice body = reading->source->body;
    if (reading->binding->body == NULL) {
        return 0;
    }
    ProtobufCMessage *target = body_target(reading);
    if (target == NULL) {
        return -ENOMEM;
    }
    if (body.length == 0) {
        return 0;
    }
    bool is_whole = target == reading->message;
    struct protojson_failure failure;
    enum protojson_error error =
        protojson_read(reading->schema, body.bytes, body.length, target, reading->sealed,
                       is_whole ? reading->sealed_count : 0, reading->allocator, &failure);
    return refuse_json(reading, error, &failure);
}

static int read_parts(struct reading *reading)
{
    int error = 0;
    if (reading->binding->body != NULL && reading->source->body.length > 0) {
        error = check_media_type(reading);
    }
    if (error == 0) {
        error = read_variables(reading);
    }
    if (error == 0) {
        error = read_headers(reading);
    }
    if (error == 0) {
        error = read_body(reading);
    }
    /* After the body: a field that the body carries is sealed by then. */
    if (error == 0) {
        error = read_query(reading);
    }
    return error;
}

int request_read(const struct protojson_schema *schema, const struct request_source *source,
                 ProtobufCAllocator *allocator, ProtobufCMessage **ret_message,
                 struct refusal *ret_refusal)
{
    struct reading reading = {
        .schema = schema,
        .source = source,
        .method = source->match->route->method,
        .binding = source->match->route->binding,
        .allocator = allocator,
        .refusal = ret_refusal,
    };
    CHECK(reading.method->header_count + ROUTES_VARIABLES_MAX < SEALED_MAX);
    reading.message = create_message(reading.method->input, allocator);
    if (reading.message == NULL) {
        return -ENOMEM;
    }
    int error = read_parts(&reading);
    if (error == 0) {
        *ret_message = reading.message;
    }
    return error;
}
