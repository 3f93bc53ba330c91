/*
 * Messages to bytes and back, safely: what comes from outside is unpacked into a bounded arena
 * after it has been looked over (wire.h). Any thread; nothing is kept.
 */
#ifndef RPC_MESSAGE_H
#define RPC_MESSAGE_H

#include "base/check.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct grpc_byte_buffer;

/*
 * Unpacks into arena; the message points at nothing outside of it and is never freed by itself.
 * Errors: those of rpc_wire_check with RPC_MESSAGE_DEPTH_MAX, -ENOMEM the arena is full.
 */
int rpc_message_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length,
                       struct arena *arena, ProtobufCMessage **ret) MUST_CHECK;

/*
 * The same for what the core has received, which stays the caller's. Further error: -ENOTSUP it is
 * compressed.
 */
int rpc_message_from_buffer(const ProtobufCMessageDescriptor *type, struct grpc_byte_buffer *buffer,
                            struct arena *arena, ProtobufCMessage **ret) MUST_CHECK;

/* Packs message into a byte buffer of the core's; the caller destroys it. */
struct grpc_byte_buffer *rpc_message_to_buffer(const ProtobufCMessage *message);

/* A sentence for the sender about an error of the functions above. Constant. */
const char *rpc_message_error_text(int error);

/* Protobuf-c's allocator over an arena: nothing is freed before the arena is. */
ProtobufCAllocator rpc_message_allocator(struct arena *arena);

#endif
