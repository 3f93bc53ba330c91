#include "orders/adapters/grpc/managing.h"

#include "orders/adapters/grpc/messages.h"
#include "rpc/server.h"

struct managing {
    struct calls_job job;
    struct uuid sale_id;
    struct manage_sale_request request;
    int64_t deadline_ns; /* an unknown COMMIT is asked about until then */
};

static void reply(const struct managing *self, const struct store_sale *after, bool replayed)
{
    Stampede__Sales__V1__RestockSaleResponse restocked =
        STAMPEDE__SALES__V1__RESTOCK_SALE_RESPONSE__INIT;
    struct messages_sale sale;
    messages_sale(&after->sale, after->now_us, &sale);
    restocked.sale = &sale.message;
    restocked.replayed = replayed;
    rpc_call_finish(self->job.call, self->request.act == MANAGE_SALE_RESTOCK ? &restocked.base
                                                                             : &sale.message.base);
}

static void run(struct calls_job *job, const struct store *store, struct arena *arena)
{
    const struct managing *self = LIST_OBJECT(job, struct managing, job);
    const struct calls_config *config = &job->calls->config;
    const struct manage_sale use_case = {
        .store = store,
        .system = config->system,
        .transaction_ns_max = config->transaction_ns_max,
    };
    struct violations violations;
    struct store_sale after;

    enum verdict verdict = manage_sale_run(&use_case, &self->sale_id, &self->request,
                                           self->deadline_ns, arena, &after, &violations);
    if (verdict == VERDICT_INVALID_FIELD) {
        calls_refuse_fields(job->calls, job->call, &violations);
    } else if (verdict == VERDICT_DONE || verdict == VERDICT_REPLAYED) {
        reply(self, &after, verdict == VERDICT_REPLAYED);
    } else {
        calls_refuse_job(job, verdict);
    }
}

void managing_start(const struct calls *calls, struct rpc_call *call, const char *sale_id,
                    const struct manage_sale_request *request)
{
    struct violations violations = {0};
    struct managing *self = arena_calloc(rpc_call_arena(call), 1, sizeof(*self));
    if (self == NULL) {
        calls_refuse(calls, call, VERDICT_OVERLOADED);
    } else if (!messages_uuid(sale_id, "sale_id", &self->sale_id, &violations)) {
        calls_refuse_fields(calls, call, &violations);
    } else {
        self->request = *request;
        self->deadline_ns = calls_deadline_ns(calls, call);
        calls_submit_act(calls, call, &self->job, &self->sale_id, run);
    }
}
