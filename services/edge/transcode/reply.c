#include "edge/transcode/reply.h"

#include "contract/contract.h"
#include "edge/routes/percent.h"
#include "edge/routes/routes.h"
#include "protojson/protojson.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

/* The first size of a body's buffer: an order fits, and libh2o's pool serves it from a chunk. */
#define BODY_BYTES_FIRST 640
/* A Location or ETag; longer ones cannot come from fields that keep their bounds. */
#define HEADER_BYTES_MAX 1024
/* The text of a number, bool or enum. */
#define SCALAR_CHARS_MAX 24

static const void *member(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (const char *)message + field->offset;
}

static const ProtobufCMessage *submessage(const ProtobufCMessage *message,
                                          const ProtobufCFieldDescriptor *field)
{
    CHECK(field->type == PROTOBUF_C_TYPE_MESSAGE && field->label != PROTOBUF_C_LABEL_REPEATED);
    const ProtobufCMessage *found;
    memcpy(&found, member(message, field), sizeof(found));
    return found;
}

static struct slice enum_text(const ProtobufCFieldDescriptor *field, int32_t number, char *scratch)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(field->descriptor, number);
    if (value != NULL) {
        return slice_of(value->name);
    }
    (void)snprintf(scratch, SCALAR_CHARS_MAX, "%" PRId32, number);
    return slice_of(scratch);
}

/* The text of a field as it stands in a path or tag: a string, a whole number or an enum's name. */
static struct slice field_text(const ProtobufCMessage *message,
                               const ProtobufCFieldDescriptor *field,
                               char scratch[SCALAR_CHARS_MAX])
{
    const char *text;
    int64_t wide;
    int32_t narrow;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        memcpy(&text, member(message, field), sizeof(text));
        return slice_of(text == NULL ? "" : text);
    case PROTOBUF_C_TYPE_INT64:
        memcpy(&wide, member(message, field), sizeof(wide));
        (void)snprintf(scratch, SCALAR_CHARS_MAX, "%" PRId64, wide);
        return slice_of(scratch);
    case PROTOBUF_C_TYPE_INT32:
        memcpy(&narrow, member(message, field), sizeof(narrow));
        (void)snprintf(scratch, SCALAR_CHARS_MAX, "%" PRId32, narrow);
        return slice_of(scratch);
    case PROTOBUF_C_TYPE_ENUM:
        memcpy(&narrow, member(message, field), sizeof(narrow));
        return enum_text(field, narrow, scratch);
    default:
        UNREACHABLE("only strings, whole numbers and enums stand in Location and ETag");
    }
}

/* A header's text on its way; what does not fit makes it as long as its bound. */
struct header_line {
    char bytes[HEADER_BYTES_MAX];
    size_t length;
};

static void append(struct header_line *line, struct slice text)
{
    size_t room = sizeof(line->bytes) - line->length;
    size_t taken = text.length < room ? text.length : room;
    memcpy(line->bytes + line->length, text.bytes, taken);
    line->length += taken;
}

static void append_encoded(struct header_line *line, struct slice text)
{
    if (text.length * PERCENT_ENCODED_BYTES > sizeof(line->bytes) - line->length) {
        line->length = sizeof(line->bytes);
        return;
    }
    line->length += percent_encode(text, line->bytes + line->length);
}

/* Keeps a line; one that was cut is left out rather than sent wrong. */
static int keep(const struct header_line *line, ProtobufCAllocator *allocator, struct slice *ret)
{
    if (line->length == sizeof(line->bytes)) {
        *ret = (struct slice){NULL, 0};
        return 0;
    }
    char *copy = allocator->alloc(allocator->allocator_data, line->length);
    if (copy == NULL) {
        return -ENOMEM;
    }
    memcpy(copy, line->bytes, line->length);
    *ret = (struct slice){copy, line->length};
    return 0;
}

static int write_location(const struct contract_method *method, const ProtobufCMessage *message,
                          ProtobufCAllocator *allocator, struct slice *ret)
{
    struct header_line line;
    line.length = 0;
    for (size_t i = 0; i < method->location_count; i++) {
        const struct contract_location_part *part = &method->location[i];
        if (part->text != NULL) {
            append(&line, slice_of(part->text));
            continue;
        }
        const ProtobufCFieldDescriptor *path[CONTRACT_PATH_MAX + 1];
        contract_path_descriptors(&part->path, path);
        const ProtobufCMessage *at = message;
        size_t depth = 0;
        for (; at != NULL && path[depth + 1] != NULL; depth++) {
            at = submessage(at, path[depth]);
        }
        if (at == NULL) {
            return -EPROTO;
        }
        char scratch[SCALAR_CHARS_MAX];
        append_encoded(&line, field_text(at, path[depth], scratch));
    }
    return keep(&line, allocator, ret);
}

static int write_etag(const struct contract_method *method, const ProtobufCMessage *message,
                      ProtobufCAllocator *allocator, struct slice *ret)
{
    struct header_line line;
    line.length = 0;
    for (size_t i = 0; i < method->etag_count; i++) {
        char scratch[SCALAR_CHARS_MAX];
        append(&line, slice_of(i == 0 ? "\"" : "-"));
        append(&line,
               field_text(message, contract_field_descriptor(method->etag_fields[i]), scratch));
    }
    append(&line, slice_of("\""));
    return keep(&line, allocator, ret);
}

static int write_body(const struct protojson_schema *schema, const struct contract_route *binding,
                      const ProtobufCMessage *message, size_t body_bytes_max,
                      ProtobufCAllocator *allocator, struct slice *ret)
{
    const ProtobufCFieldDescriptor *field = contract_field_descriptor(binding->response_body);
    const ProtobufCMessage *body = field == NULL ? message : submessage(message, field);
    if (body == NULL) {
        return -EPROTO;
    }
    struct protojson_output output = {
        .bytes = allocator->alloc(allocator->allocator_data, BODY_BYTES_FIRST),
        .capacity = BODY_BYTES_FIRST,
        .length_max = body_bytes_max,
        .allocator = allocator,
    };
    if (output.bytes == NULL) {
        return -ENOMEM;
    }
    if (protojson_write(schema, body, &output) != PROTOJSON_OK) {
        return -EMSGSIZE;
    }
    *ret = (struct slice){output.bytes, output.length};
    return 0;
}

static bool is_replayed(const struct contract_method *method, const ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *field = contract_field_descriptor(method->replayed_field);
    if (field == NULL) {
        return false;
    }
    protobuf_c_boolean value;
    memcpy(&value, member(message, field), sizeof(value));
    return value != 0;
}

int reply_write(const struct protojson_schema *schema, const struct route *route,
                const ProtobufCMessage *message, size_t body_bytes_max,
                ProtobufCAllocator *allocator, struct reply *ret)
{
    const struct contract_method *method = route->method;
    CHECK(message->descriptor == method->output);
    struct reply reply = {.status = method->success_status,
                          .is_replayed = is_replayed(method, message)};
    int error = write_body(schema, route->binding, message, body_bytes_max, allocator, &reply.body);
    if (error == 0 && method->location_count > 0) {
        error = write_location(method, message, allocator, &reply.location);
    }
    if (error == 0 && method->etag_count > 0) {
        error = write_etag(method, message, allocator, &reply.etag);
    }
    if (error == 0) {
        *ret = reply;
    }
    return error;
}
