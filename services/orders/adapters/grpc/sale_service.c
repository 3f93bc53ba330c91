#include "orders/adapters/grpc/sale_service.h"

#include "orders/adapters/grpc/calls.h"
#include "orders/adapters/grpc/managing.h"
#include "orders/adapters/grpc/messages.h"
#include "orders/logic/create_sale.h"
#include "orders/logic/queries.h"
#include "rpc/server.h"

#include <errno.h>

/* Calls that are taken off the wire without waiting for a slot to be armed anew. */
#define SLOTS_READING 32
#define SLOTS_ADMIN   2

/* --- CreateSale ------------------------------------------------------------------------------ */

struct create_sale_job {
    struct calls_job job;
    struct create_sale_request request;
    int64_t deadline_ns; /* an unknown COMMIT is asked about until then */
};

static void run_create_sale(struct calls_job *job, const struct store *store, struct arena *arena)
{
    const struct create_sale_job *self = LIST_OBJECT(job, struct create_sale_job, job);
    const struct calls_config *config = &job->calls->config;
    struct create_sale use_case = {
        .store = store,
        .system = config->system,
        .transaction_ns_max = config->transaction_ns_max,
    };
    Stampede__Sales__V1__CreateSaleResponse reply = STAMPEDE__SALES__V1__CREATE_SALE_RESPONSE__INIT;
    struct violations violations;
    struct messages_sale sale;
    struct store_sale made;

    enum verdict verdict =
        create_sale_run(&use_case, &self->request, self->deadline_ns, arena, &made, &violations);
    if (verdict == VERDICT_INVALID_FIELD) {
        calls_refuse_fields(job->calls, job->call, &violations);
    } else if (!verdict_is_success(verdict)) {
        calls_refuse_job(job, verdict);
    } else {
        messages_sale(&made.sale, made.now_us, &sale);
        reply.sale = &sale.message;
        reply.replayed = verdict == VERDICT_REPLAYED;
        rpc_call_finish(job->call, &reply.base);
    }
}

static void handle_create_sale(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    const struct calls *calls = data;
    struct create_sale_job *self = arena_calloc(rpc_call_arena(call), 1, sizeof(*self));
    if (self == NULL) {
        calls_refuse(calls, call, VERDICT_OVERLOADED);
        return;
    }
    self->request = messages_create_sale_request((const void *)request);
    self->deadline_ns = calls_deadline_ns(calls, call);
    calls_submit(calls, call, &self->job, run_create_sale);
}

/* --- Acts on a sale that exists -------------------------------------------------------------- */

static void handle_update_sale(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    const Stampede__Sales__V1__UpdateSaleRequest *request = (const void *)message;
    struct manage_sale_request update = messages_update_sale_request(request);
    managing_start(data, call, request->sale_id, &update);
}

static void handle_restock_sale(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    const Stampede__Sales__V1__RestockSaleRequest *request = (const void *)message;
    struct manage_sale_request restock = messages_restock_sale_request(request);
    managing_start(data, call, request->sale_id, &restock);
}

static void handle_pause_sale(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    const Stampede__Sales__V1__PauseSaleRequest *request = (const void *)message;
    const struct manage_sale_request pause = {.act = MANAGE_SALE_PAUSE};
    managing_start(data, call, request->sale_id, &pause);
}

static void handle_resume_sale(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    const Stampede__Sales__V1__ResumeSaleRequest *request = (const void *)message;
    const struct manage_sale_request resume = {.act = MANAGE_SALE_RESUME};
    managing_start(data, call, request->sale_id, &resume);
}

static void handle_end_sale(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    const Stampede__Sales__V1__EndSaleRequest *request = (const void *)message;
    const struct manage_sale_request end = {.act = MANAGE_SALE_END};
    managing_start(data, call, request->sale_id, &end);
}

/* --- GetSale --------------------------------------------------------------------------------- */

struct get_sale {
    struct calls_job job;
    struct uuid sale_id;
};

static void run_get_sale(struct calls_job *job, const struct store *store, struct arena *arena)
{
    const struct get_sale *self = LIST_OBJECT(job, struct get_sale, job);
    struct messages_sale reply;
    struct store_sale found;

    enum verdict verdict =
        queries_get_sale(store, &self->sale_id, calls_job_deadline_ns(job), arena, &found);
    if (!verdict_is_success(verdict)) {
        calls_refuse_job(job, verdict);
        return;
    }
    messages_sale(&found.sale, found.now_us, &reply);
    rpc_call_finish(job->call, &reply.message.base);
}

static void handle_get_sale(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    const Stampede__Sales__V1__GetSaleRequest *request = (const void *)message;
    const struct calls *calls = data;
    struct violations violations = {0};

    struct get_sale *self = arena_calloc(rpc_call_arena(call), 1, sizeof(*self));
    if (self == NULL) {
        calls_refuse(calls, call, VERDICT_OVERLOADED);
    } else if (!messages_uuid(request->sale_id, "sale_id", &self->sale_id, &violations)) {
        calls_refuse_fields(calls, call, &violations);
    } else {
        calls_submit(calls, call, &self->job, run_get_sale);
    }
}

/* --- ListSales ------------------------------------------------------------------------------- */

struct list_sales {
    struct calls_job job;
    int32_t page_size;
    const char *token;
};

static void reply_with_page(struct calls_job *job, struct queries_sale_page *found,
                            struct arena *arena)
{
    size_t count = found->page.count;
    struct messages_sale *sales = arena_alloc(arena, count * sizeof(*sales));
    Stampede__Sales__V1__Sale **messages =
        arena_alloc(arena, count * sizeof(Stampede__Sales__V1__Sale *));
    Stampede__Sales__V1__ListSalesResponse reply = STAMPEDE__SALES__V1__LIST_SALES_RESPONSE__INIT;

    if (sales == NULL || messages == NULL) {
        calls_refuse_job(job, VERDICT_OVERLOADED);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        messages_sale(&found->page.sales[i].sale, found->page.sales[i].now_us, &sales[i]);
        messages[i] = &sales[i].message;
    }
    reply.n_sales = count;
    reply.sales = messages;
    reply.next_page_token = found->next_token;
    rpc_call_finish(job->call, &reply.base);
}

static void run_list_sales(struct calls_job *job, const struct store *store, struct arena *arena)
{
    const struct list_sales *self = LIST_OBJECT(job, struct list_sales, job);
    struct queries_sale_page found;
    struct violations violations;

    enum verdict verdict =
        queries_list_sales(store, self->page_size, self->token, calls_job_deadline_ns(job), arena,
                           &found, &violations);
    if (verdict == VERDICT_INVALID_FIELD) {
        calls_refuse_fields(job->calls, job->call, &violations);
    } else if (!verdict_is_success(verdict)) {
        calls_refuse_job(job, verdict);
    } else {
        reply_with_page(job, &found, arena);
    }
}

static void handle_list_sales(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    const Stampede__Sales__V1__ListSalesRequest *request = (const void *)message;
    const struct calls *calls = data;
    struct list_sales *self = arena_calloc(rpc_call_arena(call), 1, sizeof(*self));
    if (self == NULL) {
        calls_refuse(calls, call, VERDICT_OVERLOADED);
        return;
    }
    self->page_size = request->page_size;
    self->token = request->page_token;
    calls_submit(calls, call, &self->job, run_list_sales);
}

/* --- The service ----------------------------------------------------------------------------- */

int sale_service_add(struct rpc_server *server, const struct calls *calls)
{
    const ProtobufCServiceDescriptor *service = &stampede__sales__v1__sale_service__descriptor;
    const struct rpc_method methods[] = {
        {.name = "CreateSale", .handle = handle_create_sale, .slots = SLOTS_ADMIN},
        {.name = "UpdateSale", .handle = handle_update_sale, .slots = SLOTS_ADMIN},
        {.name = "PauseSale", .handle = handle_pause_sale, .slots = SLOTS_ADMIN},
        {.name = "ResumeSale", .handle = handle_resume_sale, .slots = SLOTS_ADMIN},
        {.name = "EndSale", .handle = handle_end_sale, .slots = SLOTS_ADMIN},
        {.name = "RestockSale", .handle = handle_restock_sale, .slots = SLOTS_ADMIN},
        {.name = "GetSale", .handle = handle_get_sale, .slots = SLOTS_READING},
        {.name = "ListSales", .handle = handle_list_sales, .slots = SLOTS_READING},
    };
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        struct rpc_method method = methods[i];
        method.service = service;
        method.kind = RPC_UNARY;
        method.data = (void *)(uintptr_t)calls;
        int error = rpc_server_add(server, &method);
        if (error < 0) {
            return error;
        }
    }
    return 0;
}
