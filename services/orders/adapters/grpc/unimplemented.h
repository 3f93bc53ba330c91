/* Methods that the contract names and this version does not have yet: refused by name. */
#ifndef ORDERS_ADAPTERS_GRPC_UNIMPLEMENTED_H
#define ORDERS_ADAPTERS_GRPC_UNIMPLEMENTED_H

#include "base/check.h"

#include <protobuf-c/protobuf-c.h>

struct calls;
struct rpc_server;

/*
 * Adds every method of service that was not added before; each ends with METHOD_UNIMPLEMENTED.
 * calls must outlive the server. Errors: those of rpc_server_add.
 */
int unimplemented_add(struct rpc_server *server, const ProtobufCServiceDescriptor *service,
                      const struct calls *calls) MUST_CHECK;

#endif
