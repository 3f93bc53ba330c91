/*
 * Problem documents (RFC 9457): the one form of every error that the edge answers, and the one
 * place where a gRPC status becomes an HTTP one.
 */
#ifndef EDGE_TRANSCODE_PROBLEM_H
#define EDGE_TRANSCODE_PROBLEM_H

#include "base/check.h"
#include "edge/routes/slice.h"
#include "edge/transcode/refusal.h"
#include "rpc/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

struct contract_method;
struct contract_reason;

/* A document has at most so many bytes, of which a path takes at most so many characters. */
#define PROBLEM_BYTES_MAX          65536
#define PROBLEM_INSTANCE_BYTES_MAX 1024

/* What is wrong. Pointers are borrowed until the document is written. */
struct problem {
    const struct contract_reason *reason;
    int status;         /* HTTP */
    const char *detail; /* for people; NULL for none */
    const struct rpc_violation *violations;
    size_t violation_count;
    int64_t retry_after_ms; /* 0: none asked for */
};

/* A reason by its number (Stampede__Api__V1__Reason), with its own HTTP status. */
struct problem problem_of_reason(int reason, const char *detail);

/* A refusal of the edge's own. scratch holds its violation and must live as long as the problem. */
struct problem problem_of_refusal(const struct refusal *refusal, struct rpc_violation *scratch);

/*
 * A status that is not OK. One without an ErrorInfo of ours becomes the nearest reason of ours; a
 * reason that this program does not know keeps its code's HTTP status and is INTERNAL by name.
 * known is the reason of the ErrorInfo if the caller has looked it up already, else NULL.
 */
struct problem problem_of_status(const struct rpc_status *status,
                                 const struct contract_reason *known);

/*
 * The value of Retry-After in whole seconds: rounded up, at least 1 for statuses that ask for a
 * retry (429, 503, 504; with a default for each when the problem names none); 0: no header.
 */
int64_t problem_retry_after_s(const struct problem *problem);

/*
 * Writes the document from allocator. method, or NULL before a route was found, tells which fields
 * headers carry: violations are named as the client spells them, lowerCamelCase or as the header.
 * instance is the request's path. Errors: -ENOMEM. Any thread.
 */
int problem_write(const struct problem *problem, const struct contract_method *method,
                  struct slice instance, const char *request_id, ProtobufCAllocator *allocator,
                  struct slice *ret_body) MUST_CHECK;

#endif
