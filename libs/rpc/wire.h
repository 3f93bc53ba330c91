/*
 * Looks over an encoded message before protobuf-c unpacks it, because protobuf-c neither limits how
 * deep messages nest (its recursion would take the stack) nor checks that strings are UTF-8 (what
 * proto3 demands), and it keeps strings as C strings, which a U+0000 would cut. Any thread.
 */
#ifndef RPC_WIRE_H
#define RPC_WIRE_H

#include "base/check.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Walks length bytes as a message of type. Errors: -EBADMSG not the wire format (groups are not
 * read either), -EILSEQ a string that is not UTF-8 or holds U+0000, -ELOOP nested deeper than
 * depth_max messages.
 */
int rpc_wire_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length,
                   unsigned depth_max) MUST_CHECK;

#endif
