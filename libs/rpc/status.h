/*
 * The outcome of a call: a gRPC code, a message for people, and the details of google.rpc.Status
 * that a program acts on (ErrorInfo, RetryInfo, BadRequest).
 */
#ifndef RPC_STATUS_H
#define RPC_STATUS_H

#include "base/check.h"

#include <stddef.h>
#include <stdint.h>

struct arena;
struct Google__Rpc__Status;

/* google.rpc.Code; the same numbers as grpc_status_code. */
enum rpc_code {
    RPC_OK = 0,
    RPC_CANCELLED = 1,
    RPC_UNKNOWN = 2,
    RPC_INVALID_ARGUMENT = 3,
    RPC_DEADLINE_EXCEEDED = 4,
    RPC_NOT_FOUND = 5,
    RPC_ALREADY_EXISTS = 6,
    RPC_PERMISSION_DENIED = 7,
    RPC_RESOURCE_EXHAUSTED = 8,
    RPC_FAILED_PRECONDITION = 9,
    RPC_ABORTED = 10,
    RPC_OUT_OF_RANGE = 11,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13,
    RPC_UNAVAILABLE = 14,
    RPC_DATA_LOSS = 15,
    RPC_UNAUTHENTICATED = 16,
};

/* At most this many field violations travel with a status; further ones are dropped. */
#define RPC_VIOLATIONS_MAX 16
/* Encoded details are at most this long: gRPC refuses metadata of 8,000 bytes. */
#define RPC_DETAILS_BYTES_MAX 4096
/* A longer message is cut, at the start of a character. */
#define RPC_STATUS_MESSAGE_BYTES_MAX 1024
/* A longer retry delay that a peer asks for is cut. */
#define RPC_RETRY_SECONDS_MAX 86400

struct rpc_violation {
    const char *field;       /* proto path of the field, e.g. "unit_price.amount_minor" */
    const char *description; /* what is wrong and what is allowed */
};

/*
 * The pointers are borrowed. For a status given to this library they must live until the function
 * returns; a status that the library gives lives as long as the reply or arena it came with.
 */
struct rpc_status {
    enum rpc_code code;
    const char *message;                    /* may be NULL */
    const char *reason;                     /* ErrorInfo.reason; NULL when there was no ErrorInfo */
    const char *domain;                     /* ErrorInfo.domain; NULL when there was no ErrorInfo */
    int64_t retry_after_ms;                 /* RetryInfo.retry_delay; 0 when there was none */
    const struct rpc_violation *violations; /* BadRequest.field_violations */
    size_t violation_count;
};

/*
 * Builds the google.rpc.Status message of status in arena: how one item of a batch carries its
 * error. NULL when the arena is full. Details that would pass RPC_DETAILS_BYTES_MAX are dropped,
 * violations first.
 */
struct Google__Rpc__Status *rpc_status_to_message(const struct rpc_status *status,
                                                  struct arena *arena) MUST_CHECK;

/*
 * Reads a google.rpc.Status; details of unknown types are skipped, malformed ones too. The result
 * points into message and arena.
 */
struct rpc_status rpc_status_from_message(const struct Google__Rpc__Status *message,
                                          struct arena *arena);

#endif
