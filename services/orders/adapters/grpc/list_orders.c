#include "orders/adapters/grpc/list_orders.h"

#include "orders/adapters/grpc/messages.h"
#include "orders/logic/queries.h"
#include "rpc/server.h"

struct list_orders {
    struct calls_job job;
    struct uuid sale_id;
    const char *customer_id;
    int32_t page_size;
    const char *token;
};

/* The page's messages and the list of them live in the worker's arena. */
static void reply(const struct list_orders *self, struct queries_order_page *found,
                  struct arena *arena)
{
    Stampede__Orders__V1__ListOrdersResponse response =
        STAMPEDE__ORDERS__V1__LIST_ORDERS_RESPONSE__INIT;
    size_t count = found->page.count;
    struct messages_order *orders = arena_alloc(arena, count * sizeof(*orders));
    Stampede__Orders__V1__Order **messages =
        arena_alloc(arena, count * sizeof(Stampede__Orders__V1__Order *));
    char sale_id[UUID_TEXT_CHARS + 1];

    if (orders == NULL || messages == NULL) {
        calls_refuse_job(&self->job, VERDICT_OVERLOADED);
        return;
    }
    uuid_format(&self->sale_id, sale_id);
    for (size_t i = 0; i < count; i++) {
        const struct store_order *order = &found->page.orders[i];
        messages_order(&order->order, sale_id, order->customer_id, &order->unit_price, &orders[i]);
        messages[i] = &orders[i].message;
    }
    response.n_orders = count;
    response.orders = messages;
    response.next_page_token = found->next_token;
    rpc_call_finish(self->job.call, &response.base);
}

static void run(struct calls_job *job, const struct store *store, struct arena *arena)
{
    const struct list_orders *self = LIST_OBJECT(job, struct list_orders, job);
    struct queries_order_page found;
    struct violations violations;

    enum verdict verdict =
        queries_list_orders(store, &self->sale_id, self->customer_id, self->page_size, self->token,
                            calls_job_deadline_ns(job), arena, &found, &violations);
    if (verdict == VERDICT_INVALID_FIELD) {
        calls_refuse_fields(job->calls, job->call, &violations);
    } else if (!verdict_is_success(verdict)) {
        calls_refuse_job(job, verdict);
    } else {
        reply(self, &found, arena);
    }
}

void list_orders_start(const struct calls *calls, struct rpc_call *call,
                       const Stampede__Orders__V1__ListOrdersRequest *request)
{
    struct violations violations = {0};
    struct list_orders *self = arena_calloc(rpc_call_arena(call), 1, sizeof(*self));
    if (self == NULL) {
        calls_refuse(calls, call, VERDICT_OVERLOADED);
    } else if (!messages_uuid(request->sale_id, "sale_id", &self->sale_id, &violations)) {
        calls_refuse_fields(calls, call, &violations);
    } else {
        self->customer_id = request->customer_id;
        self->page_size = request->page_size;
        self->token = request->page_token;
        calls_submit(calls, call, &self->job, run);
    }
}
