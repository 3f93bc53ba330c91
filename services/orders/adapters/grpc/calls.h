/*
 * What the handlers of every service share: the lanes they hand work to, how long a call may live,
 * how a refusal is sent, and who is told of it.
 */
#ifndef ORDERS_ADAPTERS_GRPC_CALLS_H
#define ORDERS_ADAPTERS_GRPC_CALLS_H

#include "base/arena.h"
#include "orders/lanes/lanes.h"

#include <stdint.h>

struct Google__Rpc__Status;
struct access;
struct rpc_call;
struct rpc_status;
struct rpc_stream;
struct rpc_streams;

/* Who hears of answers, for metrics; any thread, several at once; must not block. */
struct calls_observer {
    void *data;
    /* The orders of one call are answered: how many with each verdict. */
    void (*on_orders)(void *data, const size_t counts[VERDICT_COUNT]);
    /* A call was refused as a whole, for a reason of the contract. */
    void (*on_refused)(void *data, const char *reason);
};

struct calls_config {
    struct lanes *lanes;
    const struct system_port *system;
    const struct access *access; /* for methods that do more for an administrator */
    int64_t call_ns_max;         /* the longest life of a call */
    int64_t transaction_ns_max;  /* of a read or an act of administration */
    int64_t unknown_retry_ms;    /* RetryInfo of OUTCOME_UNKNOWN */
    struct calls_observer observer;
};

struct calls {
    struct calls_config config;
    struct Google__Rpc__Status *_refusals[VERDICT_COUNT]; /* constant once made */
    struct arena _arena;                                  /* holds them */
};

/* Errors: -ENOMEM. What config points at must outlive the calls. */
int calls_init(struct calls *calls, const struct calls_config *config) MUST_CHECK;

/* After the last call has been finished. A zeroed struct is fine. */
void calls_fini(struct calls *calls);

/* Until when a call is worked on: its own deadline, but no later than the longest life allows. */
int64_t calls_deadline_ns(const struct calls *calls, const struct rpc_call *call);

/* The longest life of a call, even where this one's caller gave up earlier: until then what became
 * of a COMMIT is worth finding out. */
int64_t calls_attempts_end_ns(const struct calls *calls, const struct rpc_call *call);

/* How long a caller refused for verdict is asked to wait; 0 when waiting does not help. */
int64_t calls_retry_after_ms(const struct calls *calls, enum verdict verdict);

/*
 * The error of one item of a batch. One message serves every call, so 512 refusals cost nothing and
 * cannot fail; where the wait depends on the load it is the shortest. Not to be written to.
 */
struct Google__Rpc__Status *calls_refusal(const struct calls *calls, enum verdict verdict);

/* Ends a call and tells the observer. The call is gone afterwards. Any thread. */
void calls_refuse(const struct calls *calls, struct rpc_call *call, enum verdict verdict);
void calls_refuse_fields(const struct calls *calls, struct rpc_call *call,
                         const struct violations *violations);
void calls_refuse_status(const struct calls *calls, struct rpc_call *call,
                         const struct rpc_status *status);

/* Makes the call an open one of a service's streams (rpc/streams.h), or refuses it and returns
 * false. */
bool calls_hold(const struct calls *calls, struct rpc_call *call, struct rpc_streams *streams,
                struct rpc_stream *stream) MUST_CHECK;

/* --- Calls that are answered by a worker ----------------------------------------------------- */

struct calls_job;

/* Works on the call with a worker's store and finishes it; arena is the worker's. */
typedef void (*calls_run_fn)(struct calls_job *job, const struct store *store, struct arena *arena);

/* Lives in the call's arena, as the first member of what else the job needs to know. */
struct calls_job {
    struct lane_job _job;
    const struct calls *calls;
    struct rpc_call *call;
    calls_run_fn _run;
};

/* Hands a call to the workers; it is finished by run, or refused. */
void calls_submit(const struct calls *calls, struct rpc_call *call, struct calls_job *job,
                  calls_run_fn run);

/* The same for an act on one sale, which runs when the sale's lane has its turn; refused with
 * SALE_NOT_FOUND where there is no such sale. sale_id lives as long as the job. */
void calls_submit_act(const struct calls *calls, struct rpc_call *call, struct calls_job *job,
                      const struct uuid *sale_id, calls_run_fn run);

/* Ends the job's call as calls_refuse does; an OVERLOADED one is asked to wait for as long as what
 * waits where the job did will take. */
void calls_refuse_job(const struct calls_job *job, enum verdict verdict);

/* Until when run may block: one transaction, but no longer than the call lives. */
int64_t calls_job_deadline_ns(const struct calls_job *job);

#endif
