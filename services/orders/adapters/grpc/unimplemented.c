#include "orders/adapters/grpc/unimplemented.h"

#include "contract/contract.h"
#include "orders/adapters/grpc/calls.h"
#include "orders/adapters/grpc/messages.h"
#include "rpc/server.h"

#include <errno.h>
#include <string.h>

/* Nobody waits for these, so few are armed. */
#define SLOTS 2

static void handle(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    (void)request;
    struct rpc_status status =
        messages_reason("METHOD_UNIMPLEMENTED", "this version does not have this method yet");
    calls_refuse_status(data, call, &status);
}

static enum rpc_method_kind kind_of(const struct contract_method *method)
{
    if (method->client_streaming) {
        return RPC_BIDI_STREAM;
    }
    return method->server_streaming ? RPC_SERVER_STREAM : RPC_UNARY;
}

int unimplemented_add(struct rpc_server *server, const ProtobufCServiceDescriptor *service,
                      const struct calls *calls)
{
    for (size_t i = 0; i < contract_method_count; i++) {
        const struct contract_method *known = &contract_methods[i];
        if (strcmp(known->service_name, service->name) != 0) {
            continue;
        }
        struct rpc_method method = {
            .service = service,
            .name = known->name,
            .kind = kind_of(known),
            .handle = handle,
            .data = (void *)(uintptr_t)calls,
            .slots = SLOTS,
        };
        int error = rpc_server_add(server, &method);
        if (error < 0 && error != -EEXIST) {
            return error;
        }
    }
    return 0;
}
