/*
 * Serves protobuf-c services on the gRPC C core.
 *
 * A server owns one completion queue and the threads that wait on it. Each method has slots armed
 * ahead; a slot is one struct rpc_call from arming to the last completion. A handler runs on a
 * completion-queue thread and must not block: it either finishes the call at once or keeps the
 * pointer and finishes it later from any thread, exactly once. Between being handed out and being
 * finished a call cannot disappear, also when the caller has cancelled or its deadline has passed.
 */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H

#include "base/check.h"
#include "rpc/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct rpc_server;
struct rpc_call;

/*
 * A request has arrived. request lives in the call's arena until the call is finished. Completion-
 * queue thread; must not block. Ends in exactly one rpc_call_finish or rpc_call_fail, now or later.
 */
typedef void (*rpc_handler_fn)(struct rpc_call *call, const ProtobufCMessage *request, void *data);

/*
 * Asked for every call before its message is unpacked. Returning true lets the call through; false
 * refuses it with *ret_refusal (strings must be static or live in the call's arena).
 */
typedef bool (*rpc_admit_fn)(struct rpc_call *call, struct rpc_status *ret_refusal, void *data);

/* Told once about every finished call, for metrics. code is what the caller was sent. */
typedef void (*rpc_observe_fn)(const char *full_method, enum rpc_code code, int64_t duration_ns,
                               void *data);

enum rpc_method_kind {
    RPC_UNARY,
    RPC_SERVER_STREAM,
    RPC_BIDI_STREAM, /* the handler is called once a request message; see rpc_call_finish */
};

struct rpc_method {
    const ProtobufCServiceDescriptor *service;
    const char *name; /* the method's name in service */
    enum rpc_method_kind kind;
    rpc_handler_fn handle;
    void *data;
    unsigned slots; /* armed ahead; 0 means RPC_SLOTS_DEFAULT */
};

#define RPC_SLOTS_DEFAULT 16

struct rpc_server_config {
    const char *address; /* host:port; port 0 takes a free one */
    unsigned threads;    /* completion-queue threads, >= 1 */
    unsigned calls_max;  /* calls in flight; one more is refused with RESOURCE_EXHAUSTED */
    size_t message_bytes_max;   /* of a request */
    size_t call_arena_bytes_max; /* scratch of one call: the unpacked request and the reply */
    rpc_admit_fn admit;     /* may be NULL */
    rpc_observe_fn observe; /* may be NULL */
    void *data;             /* for admit and observe */
    const char *error_domain; /* ErrorInfo.domain of refusals by this library and of rpc_call_fail
                                 statuses whose domain is NULL */
    const char *overloaded_reason; /* ErrorInfo.reason when calls_max is reached */
};

/* Makes a server that does not listen yet. Errors: -ENOMEM. */
int rpc_server_create(const struct rpc_server_config *config, struct rpc_server **ret) MUST_CHECK;

/* Before start only. Errors: -ENOENT no such method in the service. */
int rpc_server_add(struct rpc_server *server, const struct rpc_method *method) MUST_CHECK;

/*
 * Binds and begins to serve; methods that nobody added answer UNIMPLEMENTED. Errors: -EADDRINUSE
 * the address is taken or cannot be bound. ret_port is the port in use.
 */
int rpc_server_start(struct rpc_server *server, int *ret_port) MUST_CHECK;

/* Calls handed out and not yet finished. Any thread. */
unsigned rpc_server_calls_in_flight(const struct rpc_server *server);

/*
 * Stops: GOAWAY, no new calls; calls in flight may finish until deadline_ns (monotonic), then they
 * are cancelled (their handlers' later finish is a no-op for the wire, and still owed). Blocks until
 * everything has completed and the threads have ended. Returns the number of calls cancelled. Not
 * from a completion-queue thread; once.
 */
unsigned rpc_server_stop(struct rpc_server *server, int64_t deadline_ns);

/* Frees a server that was never started or has been stopped. NULL is fine. */
void rpc_server_destroy(struct rpc_server *server);

/* --- A call, from its handler until it is finished -------------------------------------------- */

/* Scratch memory that lives until the call is finished; the handler's or its successor's alone. */
struct arena *rpc_call_arena(struct rpc_call *call);

/* "/package.Service/Method". */
const char *rpc_call_method(const struct rpc_call *call);

/* Absolute on CLOCK_MONOTONIC in nanoseconds; CLOCK_DEADLINE_NEVER when the caller gave none. */
int64_t rpc_call_deadline_ns(const struct rpc_call *call);

/* The value of a metadata key (lower case) and its length, or NULL. Lives as long as the call. */
const char *rpc_call_metadata(const struct rpc_call *call, const char *key, size_t *ret_length);

/* Whether the caller has gone or its deadline has passed. A hint; any thread. */
bool rpc_call_is_cancelled(const struct rpc_call *call);

/*
 * Unary: sends reply with OK. Streams: sends OK as the last thing (reply must be NULL); messages
 * still queued by rpc_call_send go first. reply is packed before this returns, so it may live on
 * the stack or in the call's arena. The call is gone afterwards. Any thread.
 */
void rpc_call_finish(struct rpc_call *call, const ProtobufCMessage *reply);

/* Ends the call with a status and its details. The call is gone afterwards. Any thread. */
void rpc_call_fail(struct rpc_call *call, const struct rpc_status *status);

/* --- Streams ---------------------------------------------------------------------------------- */

/*
 * A stream's writer learns that it may write on (cancelled false), or that the caller has gone
 * (cancelled true: finish the call now). Completion-queue thread; must not block.
 */
typedef void (*rpc_stream_fn)(struct rpc_call *call, bool cancelled, void *data);

/*
 * Sends one message of a stream; one at a time: the next only after on_sent. message is packed
 * before this returns. Any thread.
 */
void rpc_call_send(struct rpc_call *call, const ProtobufCMessage *message, rpc_stream_fn on_sent,
                   void *data);

/*
 * Asks to be told once when the caller goes away while nothing is being sent (a Watch with no
 * news). At once if it has gone already. After the call is finished it is never called.
 */
void rpc_call_on_cancel(struct rpc_call *call, rpc_stream_fn on_cancel, void *data);

#endif
