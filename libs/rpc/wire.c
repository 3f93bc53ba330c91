#include "rpc/wire.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

#define VARINT_BYTES_MAX 10

struct cursor {
    const uint8_t *at, *end;
};

static int read_varint(struct cursor *cursor, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX && cursor->at < cursor->end; i++) {
        uint8_t byte = *cursor->at++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *ret = value;
            return 0;
        }
    }
    return -EBADMSG;
}

static int skip(struct cursor *cursor, uint64_t count)
{
    if (count > (uint64_t)(cursor->end - cursor->at)) {
        return -EBADMSG;
    }
    cursor->at += count;
    return 0;
}

/* A field's number and wire type; 0 and numbers over 2^29 - 1 are no field numbers. */
static int read_tag(struct cursor *cursor, uint32_t *ret_number, unsigned *ret_wire_type)
{
    uint64_t tag;
    int error = read_varint(cursor, &tag);
    if (error != 0 || tag > UINT32_MAX || tag >> 3 == 0) {
        return -EBADMSG;
    }
    *ret_number = (uint32_t)(tag >> 3);
    *ret_wire_type = (unsigned)(tag & 7);
    return 0;
}

static int check_string(const uint8_t *bytes, size_t length)
{
    const char *text = (const char *)bytes;
    return memchr(text, '\0', length) == NULL && text_is_utf8(text, length) ? 0 : -EILSEQ;
}

static int check_delimited(const ProtobufCMessageDescriptor *type, uint32_t number,
                           struct cursor *cursor, unsigned depth_left)
{
    uint64_t length;
    int error = read_varint(cursor, &length);
    if (error != 0) {
        return error;
    }
    const uint8_t *bytes = cursor->at;
    error = skip(cursor, length);
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, number);
    if (error != 0 || field == NULL) {
        return error;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        return check_string(bytes, (size_t)length);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return rpc_wire_check(field->descriptor, bytes, (size_t)length, depth_left - 1);
    }
    return 0;
}

int rpc_wire_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length,
                   unsigned depth_max)
{
    if (depth_max == 0) {
        return -ELOOP;
    }
    struct cursor cursor = {.at = bytes, .end = bytes + length};
    while (cursor.at < cursor.end) {
        uint32_t number;
        unsigned wire_type;
        uint64_t ignored;
        int error = read_tag(&cursor, &number, &wire_type);
        if (error != 0) {
            return error;
        }
        switch (wire_type) {
        case PROTOBUF_C_WIRE_TYPE_VARINT:
            error = read_varint(&cursor, &ignored);
            break;
        case PROTOBUF_C_WIRE_TYPE_64BIT:
            error = skip(&cursor, 8);
            break;
        case PROTOBUF_C_WIRE_TYPE_32BIT:
            error = skip(&cursor, 4);
            break;
        case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
            error = check_delimited(type, number, &cursor, depth_max);
            break;
        default:
            error = -EBADMSG;
        }
        if (error != 0) {
            return error;
        }
    }
    return 0;
}
