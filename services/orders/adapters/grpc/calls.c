#include "orders/adapters/grpc/calls.h"

#include "base/clock.h"
#include "orders/adapters/grpc/messages.h"
#include "rpc/server.h"
#include "rpc/streams.h"

#include <errno.h>

/* The ready-made refusals: a few hundred bytes for each verdict. */
#define REFUSALS_BLOCK_BYTES 4096
#define REFUSALS_BYTES_MAX   65536

/* What callers are asked to wait where nothing better is known. */
#define RETRY_AFTER_MS 1000

/* What is known without looking at the load. */
static int64_t plain_retry_after_ms(const struct calls *calls, enum verdict verdict)
{
    if (!messages_is_retryable(verdict)) {
        return 0;
    }
    return verdict == VERDICT_OUTCOME_UNKNOWN ? calls->config.unknown_retry_ms : RETRY_AFTER_MS;
}

int calls_init(struct calls *calls, const struct calls_config *config)
{
    *calls = (struct calls){.config = *config};
    arena_init(&calls->_arena, REFUSALS_BLOCK_BYTES, REFUSALS_BYTES_MAX);
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        if (verdict_is_success(verdict)) {
            continue;
        }
        struct rpc_status status = messages_refusal(verdict, plain_retry_after_ms(calls, verdict));
        calls->_refusals[verdict] = rpc_status_to_message(&status, &calls->_arena);
        if (calls->_refusals[verdict] == NULL) {
            calls_fini(calls);
            return -ENOMEM;
        }
    }
    return 0;
}

void calls_fini(struct calls *calls)
{
    arena_fini(&calls->_arena);
    *calls = (struct calls){0};
}

int64_t calls_deadline_ns(const struct calls *calls, const struct rpc_call *call)
{
    return clock_earlier(rpc_call_deadline_ns(call), calls_attempts_end_ns(calls, call));
}

int64_t calls_attempts_end_ns(const struct calls *calls, const struct rpc_call *call)
{
    return rpc_call_arrived_ns(call) + calls->config.call_ns_max;
}

int64_t calls_retry_after_ms(const struct calls *calls, enum verdict verdict)
{
    return verdict == VERDICT_OVERLOADED ? lanes_retry_after_ms(calls->config.lanes)
                                         : plain_retry_after_ms(calls, verdict);
}

struct Google__Rpc__Status *calls_refusal(const struct calls *calls, enum verdict verdict)
{
    CHECK(verdict < VERDICT_COUNT && calls->_refusals[verdict] != NULL);
    return calls->_refusals[verdict];
}

void calls_refuse_status(const struct calls *calls, struct rpc_call *call,
                         const struct rpc_status *status)
{
    calls->config.observer.on_refused(calls->config.observer.data, status->reason);
    rpc_call_fail(call, status);
}

void calls_refuse(const struct calls *calls, struct rpc_call *call, enum verdict verdict)
{
    struct rpc_status status = messages_refusal(verdict, calls_retry_after_ms(calls, verdict));
    calls_refuse_status(calls, call, &status);
}

void calls_refuse_fields(const struct calls *calls, struct rpc_call *call,
                         const struct violations *violations)
{
    struct rpc_violation items[VIOLATIONS_MAX];
    struct rpc_status status = messages_violations(violations, items);
    calls_refuse_status(calls, call, &status);
}

bool calls_hold(const struct calls *calls, struct rpc_call *call, struct rpc_streams *streams,
                struct rpc_stream *stream)
{
    rpc_streams_lock(streams);
    enum rpc_code code = rpc_streams_open_locked(streams, stream, call);
    rpc_streams_unlock(streams);
    if (code != RPC_OK) {
        calls_refuse(calls, call, code == RPC_UNAVAILABLE ? VERDICT_DRAINING : VERDICT_OVERLOADED);
    }
    return code == RPC_OK;
}

/* --- Calls that are answered by a worker ----------------------------------------------------- */

static struct calls_job *calls_job_of(struct lane_job *job)
{
    return LIST_OBJECT(job, struct calls_job, _job);
}

static void run_job(struct lane_job *lane_job, const struct store *store, struct arena *arena)
{
    struct calls_job *job = calls_job_of(lane_job);
    job->_run(job, store, arena);
}

void calls_refuse_job(const struct calls_job *job, enum verdict verdict)
{
    if (verdict != VERDICT_OVERLOADED || job->_job.retry_after_ms == 0) {
        calls_refuse(job->calls, job->call, verdict);
        return;
    }
    struct rpc_status status = messages_refusal(verdict, job->_job.retry_after_ms);
    calls_refuse_status(job->calls, job->call, &status);
}

static void refuse_job(struct lane_job *lane_job, enum verdict verdict)
{
    calls_refuse_job(calls_job_of(lane_job), verdict);
}

static void prepare_job(const struct calls *calls, struct rpc_call *call, struct calls_job *job,
                        calls_run_fn run)
{
    job->calls = calls;
    job->call = call;
    job->_run = run;
    job->_job = (struct lane_job){
        .deadline_ns = calls_deadline_ns(calls, call),
        .run = run_job,
        .refuse = refuse_job,
    };
}

void calls_submit(const struct calls *calls, struct rpc_call *call, struct calls_job *job,
                  calls_run_fn run)
{
    prepare_job(calls, call, job, run);
    lanes_submit_job(calls->config.lanes, &job->_job);
}

void calls_submit_act(const struct calls *calls, struct rpc_call *call, struct calls_job *job,
                      const struct uuid *sale_id, calls_run_fn run)
{
    prepare_job(calls, call, job, run);
    lanes_submit_act(calls->config.lanes, sale_id, &job->_job);
}

int64_t calls_job_deadline_ns(const struct calls_job *job)
{
    const struct calls_config *config = &job->calls->config;
    int64_t now_ns = config->system->monotonic_ns(config->system->data);
    return clock_earlier(job->_job.deadline_ns, now_ns + config->transaction_ns_max);
}
