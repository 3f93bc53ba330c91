/*
 * Serves protobuf-c services on the gRPC C core.
 *
 * A server owns one completion queue and the threads that wait on it. Each method has slots armed
 * ahead; a slot is one struct rpc_call from arming to the last completion. A handler runs on a
 * completion-queue thread and must not block: it either finishes the call at once or keeps the
 * pointer and finishes it later from any thread, exactly once. Between being handed out and being
 * finished a call cannot disappear, also when the caller has cancelled or its deadline has passed.
 *
 * What the server refuses by itself, without a handler: unknown methods (UNIMPLEMENTED), calls over
 * calls_max (RESOURCE_EXHAUSTED with RetryInfo), calls whose deadline has passed already, messages
 * that are malformed, nested deeper than RPC_MESSAGE_DEPTH_MAX, or hold a string that is not UTF-8
 * or contains U+0000, which a C string cannot carry (INVALID_ARGUMENT), messages that do not fit
 * the call's arena (RESOURCE_EXHAUSTED), compressed messages (UNIMPLEMENTED).
 *
 * A caller who does not read its reply keeps it from leaving. Replies that wait so are bounded, in
 * number and in bytes (replies.h): the oldest is cancelled then, and the server serves on.
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
 * queue thread, several at once; must not block. Ends in exactly one rpc_call_finish or
 * rpc_call_fail, now or later. For RPC_BIDI_STREAM see rpc_call_receive.
 */
typedef void (*rpc_handler_fn)(struct rpc_call *call, const ProtobufCMessage *request, void *data);

/*
 * Asked for every call of a known method before its message is unpacked. Returning true lets the
 * call through; false refuses it with *ret_refusal (strings must be static or live in the call's
 * arena). It may read the call's method, metadata and deadline, and must not finish or keep it.
 * Completion-queue thread, several at once; must not block.
 */
typedef bool (*rpc_admit_fn)(struct rpc_call *call, struct rpc_status *ret_refusal, void *data);

/*
 * Told once about every finished call, refused ones included, for metrics. code is what the caller
 * was sent; a reply that could not be sent any more counts as RPC_CANCELLED, or as
 * RPC_DEADLINE_EXCEEDED when its deadline had passed. The duration runs from arrival to
 * rpc_call_finish. Methods that nobody added are all called RPC_METHOD_UNKNOWN. Completion-queue
 * thread, several at once; must not block.
 */
typedef void (*rpc_observe_fn)(const char *full_method, enum rpc_code code, int64_t duration_ns,
                               void *data);

enum rpc_method_kind {
    RPC_UNARY,
    RPC_SERVER_STREAM,
    RPC_BIDI_STREAM, /* the handler is called once a request message; see rpc_call_receive */
};

struct rpc_method {
    const ProtobufCServiceDescriptor *service;
    const char *name; /* the method's name in service */
    enum rpc_method_kind kind;
    rpc_handler_fn handle;
    void *data;
    unsigned slots; /* armed ahead; 0 means RPC_SLOTS_DEFAULT */
    /* Counts against RPC_RESERVED_CALLS_MAX instead of calls_max: health checks and the like get
     * through a full server. */
    bool reserved;
};

#define RPC_METHODS_MAX        64     /* of a server */
#define RPC_CALLS_MAX          100000 /* highest calls_max */
#define RPC_SLOTS_DEFAULT      16
#define RPC_SLOTS_UNKNOWN      8    /* armed for methods that nobody added */
#define RPC_RESERVED_CALLS_MAX 256  /* calls of reserved methods in flight */
#define RPC_OVERLOAD_RETRY_MS  1000 /* RetryInfo of a call over its bound where nothing is known */
#define RPC_MESSAGE_DEPTH_MAX  64   /* nesting of a message that is unpacked */
#define RPC_METHOD_UNKNOWN     "unknown"

struct rpc_server_config {
    const char *address;         /* host:port; port 0 takes a free one */
    unsigned threads;            /* completion-queue threads, >= 1 */
    unsigned calls_max;          /* calls in flight; one more is refused with RESOURCE_EXHAUSTED */
    size_t message_bytes_max;    /* of a request */
    size_t call_arena_bytes_max; /* scratch of one call: the unpacked request and the reply */
    rpc_admit_fn admit;          /* may be NULL */
    rpc_observe_fn observe;      /* may be NULL */
    /* How long a call over calls_max is asked to wait, in milliseconds; NULL:
     * RPC_OVERLOAD_RETRY_MS. Completion-queue thread, several at once; must not block. */
    int64_t (*overload_retry_ms)(void *data);
    void *data;               /* for the three */
    const char *error_domain; /* ErrorInfo.domain of refusals by this library and of rpc_call_fail
                                 statuses whose domain is NULL */
    /* ErrorInfo.reason of what the server refuses by itself; NULL sends no ErrorInfo. */
    const char *overloaded_reason;    /* calls_max is reached, or the arena is full */
    const char *malformed_reason;     /* the message cannot be read */
    const char *unimplemented_reason; /* there is no such method */
    /* Connections are asked to reconnect at this age, so that clients meet new replicas; 0: never.
     * Streams that outlive it by RPC_CONNECTION_GRACE_MS are cut. */
    int64_t connection_age_max_ms;
};

#define RPC_CONNECTION_GRACE_MS 60000

/*
 * Makes a server that does not listen yet. The config is copied, its strings too. Errors: -ENOMEM.
 */
int rpc_server_create(const struct rpc_server_config *config, struct rpc_server **ret) MUST_CHECK;

/*
 * Serves one more method; before start only. The service descriptor is borrowed until destroy.
 * Errors: -ENOENT no such method in the service, -EEXIST it was added before, -ENOSPC more than
 * RPC_METHODS_MAX, -ENOMEM.
 */
int rpc_server_add(struct rpc_server *server, const struct rpc_method *method) MUST_CHECK;

/*
 * Binds and begins to serve; methods that nobody added answer UNIMPLEMENTED. Errors: -EADDRINUSE
 * the address is taken or cannot be bound, -ENOMEM, -EAGAIN no thread could be made; the server is
 * then as before and may be started again. ret_port is the port in use.
 */
int rpc_server_start(struct rpc_server *server, int *ret_port) MUST_CHECK;

/* Calls handed out and not yet finished, those of reserved methods left out. Any thread. */
unsigned rpc_server_calls_in_flight(const struct rpc_server *server);

/* The same of each method, in the order in which they were added, reserved ones left out; returns
 * how many there are. Each is read by itself. After the last rpc_server_add; any thread. */
struct rpc_method_calls {
    const char *full_name; /* "/package.Service/Method", the server's */
    unsigned in_flight;
};
size_t rpc_server_calls_by_method(const struct rpc_server *server,
                                  struct rpc_method_calls ret[RPC_METHODS_MAX]);

/*
 * How long ago the one of its completion-queue threads last turned for which that is the longest: a
 * thread turns when it takes something up, and every RPC_TURN_MS while there is nothing. So what is
 * much longer is a thread that a handler, a callback or the core itself keeps. 0 while the server
 * does not serve. Any thread.
 */
#define RPC_TURN_MS 1000
int64_t rpc_server_turn_ns(const struct rpc_server *server);

/*
 * Asks to be told when rpc_server_stop begins, so that whoever holds long-lived streams ends them
 * instead of letting them run into the deadline. Calls that had arrived already may still be handed
 * out afterwards. Runs on the thread that stops. Before start only, at most RPC_STOP_HOOKS_MAX.
 */
#define RPC_STOP_HOOKS_MAX 8
typedef void (*rpc_stop_fn)(void *data);
void rpc_server_on_stop(struct rpc_server *server, rpc_stop_fn on_stop, void *data);

/*
 * Stops: GOAWAY, no new calls; calls in flight may finish until deadline_ns (monotonic), and their
 * callers take the replies for RPC_UNREAD_MS after the last of them has; then they are cancelled
 * (their handlers' later finish is a no-op for the wire, and still owed). Blocks until every call
 * that was handed out has been finished by its holder, everything has completed and the threads
 * have ended; rpc_server_calls_in_flight tells other threads how far it is. Returns the number of
 * calls cancelled, reserved ones included. Not from a completion-queue thread; once.
 */
#define RPC_UNREAD_MS 1000
unsigned rpc_server_stop(struct rpc_server *server, int64_t deadline_ns);

/* Frees a server that was never started or has been stopped. NULL is fine. */
void rpc_server_destroy(struct rpc_server *server);

/* --- A call, from its handler until it is finished -------------------------------------------- */

/*
 * Scratch memory that lives until the call is finished and none of its callbacks is running any
 * more; the handler's or its successor's alone. State that on_sent and on_cancel look at belongs
 * here: they may run on one thread while another finishes the call.
 */
struct arena *rpc_call_arena(struct rpc_call *call);

/* "/package.Service/Method". */
const char *rpc_call_method(const struct rpc_call *call);

/* Absolute on CLOCK_MONOTONIC in nanoseconds; CLOCK_DEADLINE_NEVER when the caller gave none. */
int64_t rpc_call_deadline_ns(const struct rpc_call *call);

/* When the call arrived, on CLOCK_MONOTONIC in nanoseconds. */
int64_t rpc_call_arrived_ns(const struct rpc_call *call);

/* The value of a metadata key (lower case) and its length, or NULL. Not NUL-terminated. Lives as
 * long as the call. */
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
 * Sends one message of a stream; one at a time: the next only after on_sent, which comes exactly
 * once unless the call is finished before, and comes late when the caller reads slowly. message is
 * packed before this returns. Any thread.
 */
void rpc_call_send(struct rpc_call *call, const ProtobufCMessage *message, rpc_stream_fn on_sent,
                   void *data);

/*
 * Asks to be told once when the caller goes away while nothing is being sent (a Watch with no
 * news); also for unary calls that are held. Always on a completion-queue thread, never inside this
 * function; soon if the caller has gone already. A call that is finished first is not told, unless
 * the callback was under way on another thread: whoever else may finish the call decides it with
 * the callback under a lock of its own, on state in the call's arena. Once a call. Any thread.
 */
void rpc_call_on_cancel(struct rpc_call *call, rpc_stream_fn on_cancel, void *data);

/*
 * RPC_BIDI_STREAM: reads the next request message. The first is read without asking. Each is handed
 * to the method's handler; request NULL means that none follows because the caller has finished
 * sending, has gone, or sent what cannot be read: the call is then to be finished. A request lives
 * until the next rpc_call_receive, in memory of its own beside the call's arena. Like on_cancel the
 * handler may be under way while another thread finishes the call. Any thread.
 */
void rpc_call_receive(struct rpc_call *call);

/*
 * RPC_BIDI_STREAM: what the handler keeps of a call between its requests, in the call's arena; NULL
 * until it is set. The handler's thread.
 */
void rpc_call_set_stream(struct rpc_call *call, void *stream);
void *rpc_call_stream(const struct rpc_call *call);

#endif
