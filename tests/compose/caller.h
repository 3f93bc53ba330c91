/*
 * Another service of the house, which calls by gRPC: one call at a time, waited for. What goes
 * wrong on this side fails the cmocka test that called.
 */
#ifndef COMPOSE_CALLER_H
#define COMPOSE_CALLER_H

#include "rpc/channel.h"

#include <stdbool.h>
#include <stddef.h>

struct caller {
    struct rpc_channel *channel;
    char authorization[600]; /* "Bearer <token>" */
};

/* Connects to a gRPC target and waits for it; returns 0, or -ETIMEDOUT. Owed a caller_close. */
int caller_open(struct caller *caller, const char *target, const char *token) MUST_CHECK;
void caller_close(struct caller *caller);

/* A unary call, as an administrator or not; the reply is owed a rpc_reply_free. */
struct rpc_reply *caller_call(const struct caller *caller, const char *full_method, bool as_admin,
                              const ProtobufCMessageDescriptor *reply_type,
                              const ProtobufCMessage *message);

/* Looks at a message of a stream; true once it has seen enough. */
typedef bool (*caller_look_fn)(const ProtobufCMessage *message, void *data);

/* Opens a stream, looks at its messages until one is enough, and leaves. Whether one was. */
bool caller_watch(const struct caller *caller, const char *full_method, bool as_admin,
                  const ProtobufCMessageDescriptor *reply_type, const ProtobufCMessage *message,
                  caller_look_fn look, void *data);

#endif
