#include "rpc/message.h"

#include "base/arena.h"
#include "rpc/server.h"
#include "rpc/wire.h"

#include <errno.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>

static void *allocate(void *data, size_t size)
{
    return arena_alloc(data, size);
}

static void forget(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

ProtobufCAllocator rpc_message_allocator(struct arena *arena)
{
    return (ProtobufCAllocator){.alloc = allocate, .free = forget, .allocator_data = arena};
}

int rpc_message_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length,
                       struct arena *arena, ProtobufCMessage **ret)
{
    int error = rpc_wire_check(type, bytes, length, RPC_MESSAGE_DEPTH_MAX);
    if (error != 0) {
        return error;
    }
    ProtobufCAllocator allocator = rpc_message_allocator(arena);
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, length, bytes);
    if (message == NULL) {
        return arena_overflowed(arena) ? -ENOMEM : -EBADMSG;
    }
    *ret = message;
    return 0;
}

/* Takes the only slice as it is, and joins several by copying. The caller unrefs the result. */
static grpc_slice whole_slice(grpc_byte_buffer *buffer)
{
    const grpc_slice_buffer *slices = &buffer->data.raw.slice_buffer;
    if (slices->count == 1) {
        return grpc_slice_ref(slices->slices[0]);
    }
    grpc_byte_buffer_reader reader;
    CHECK(grpc_byte_buffer_reader_init(&reader, buffer) != 0);
    grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    return slice;
}

int rpc_message_from_buffer(const ProtobufCMessageDescriptor *type, struct grpc_byte_buffer *buffer,
                            struct arena *arena, ProtobufCMessage **ret)
{
    CHECK(buffer->type == GRPC_BB_RAW);
    if (buffer->data.raw.compression != GRPC_COMPRESS_NONE) {
        return -ENOTSUP;
    }
    grpc_slice slice = whole_slice(buffer);
    int error =
        rpc_message_unpack(type, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice), arena, ret);
    grpc_slice_unref(slice);
    return error;
}

struct grpc_byte_buffer *rpc_message_to_buffer(const ProtobufCMessage *message)
{
    size_t length = protobuf_c_message_get_packed_size(message);
    grpc_slice slice = grpc_slice_malloc(length);
    CHECK(protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice)) == length);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

const char *rpc_message_error_text(int error)
{
    switch (error) {
    case -EILSEQ:
        return "the message holds a string that is not UTF-8 or contains U+0000";
    case -ELOOP:
        return "the message is nested too deep";
    case -ENOMEM:
        return "the message takes too much memory";
    case -ENOTSUP:
        return "compressed messages are not accepted";
    default:
        return "the message is malformed";
    }
}
