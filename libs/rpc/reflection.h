/*
 * gRPC server reflection, v1 and v1alpha, over the files of the contract: what grpcurl, buf and the
 * like ask to call a server without its .proto files.
 *
 * https://github.com/grpc/grpc-proto/blob/master/grpc/reflection/v1/reflection.proto. v1alpha is v1
 * under another name, message by message the same on the wire. Its calls are reserved ones
 * (server.h). When the server stops, streams end by themselves.
 */
#ifndef RPC_REFLECTION_H
#define RPC_REFLECTION_H

#include "base/check.h"

struct rpc_reflection;
struct rpc_server;

#define RPC_REFLECTION_STREAMS_MAX 64 /* further ones are refused with RESOURCE_EXHAUSTED */

/* Errors: -ENOMEM. */
int rpc_reflection_create(struct rpc_reflection **ret) MUST_CHECK;

/* Frees it; the server that it was added to has been stopped before. NULL is fine. */
void rpc_reflection_destroy(struct rpc_reflection *reflection);

/* Adds both versions to a server that has not started; reflection must outlive it. Errors: as
 * rpc_server_add. */
int rpc_reflection_add_to(struct rpc_reflection *reflection, struct rpc_server *server) MUST_CHECK;

#endif
