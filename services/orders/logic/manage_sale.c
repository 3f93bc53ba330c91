/*
 * Every act is made to be asked for twice, because a COMMIT without an answer is: pausing what is
 * paused, ending what has ended and setting what is set already are done; a restock has its key.
 */
#include "orders/logic/manage_sale.h"

#include "base/arena.h"
#include "base/check.h"
#include "orders/logic/batch.h"

#include <string.h>

struct run {
    const struct manage_sale *use_case;
    const struct uuid *sale_id;
    const struct manage_sale_request *request;
    const char *title; /* the request's, in the arena */
    int64_t deadline_ns;
    struct arena *arena;
    bool in_doubt; /* an earlier attempt's COMMIT was not answered */

    enum verdict verdict; /* out, like the following */
    struct store_sale sale;
    struct violations violations;
};

static struct sale_update update_of(const struct manage_sale_request *request)
{
    return (struct sale_update){
        .title = request->title,
        .has_end = request->has_end,
        .has_limit = request->has_limit,
        .end_us = request->end_us,
        .per_customer_limit = request->per_customer_limit,
    };
}

/* What can be told without the sale. */
static void validate(const struct manage_sale_request *request, struct violations *violations)
{
    if (request->act == MANAGE_SALE_UPDATE) {
        struct sale_update update = update_of(request);
        sale_update_validate(&update, violations);
    }
    if (request->act == MANAGE_SALE_RESTOCK) {
        order_key_validate(request->key, request->key_length, violations);
        sale_restock_validate(request->quantity, violations);
    }
}

/* --- The acts, on the sale as it is under its lock; each sets *changes if it changes it ----------
 */

static enum verdict pause_or_resume(const struct run *run, bool ended, bool paused,
                                    struct sale *sale, bool *changes)
{
    bool is_so = sale->paused == paused;
    /* In doubt it may have been our own doing, before the sale ended. */
    if (ended && !(run->in_doubt && is_so)) {
        return VERDICT_SALE_ENDED;
    }
    sale->paused = paused;
    *changes = !is_so;
    return VERDICT_DONE;
}

/* Also of a sale whose end_time has passed: by a clock that may be set back yet. */
static enum verdict end(int64_t now_us, struct sale *sale, bool *changes)
{
    if (!sale->ended) {
        sale->ended = true;
        sale->end_us = sale->end_us < now_us ? sale->end_us : now_us;
        sale->start_us = sale->start_us < now_us ? sale->start_us : now_us;
        *changes = true;
    }
    return VERDICT_DONE;
}

static enum verdict update(struct run *run, bool ended, int64_t now_us, struct sale *sale,
                           bool *changes)
{
    struct sale_update update = update_of(run->request);
    bool moves_end = update.has_end && update.end_us != sale->end_us;
    bool renames = update.title != NULL && strcmp(update.title, sale->title) != 0;
    bool limits = update.has_limit && update.per_customer_limit != sale->per_customer_limit;

    if (moves_end && ended) {
        return VERDICT_SALE_ENDED;
    }
    sale_update_validate_at(sale, now_us, &update, &run->violations);
    if (run->violations.count > 0) {
        return VERDICT_INVALID_FIELD;
    }
    sale->end_us = moves_end ? update.end_us : sale->end_us;
    sale->title = renames ? run->title : sale->title;
    sale->per_customer_limit = limits ? update.per_customer_limit : sale->per_customer_limit;
    *changes = moves_end || renames || limits;
    return VERDICT_DONE;
}

static enum verdict restock(struct run *run, const struct store_change_facts *facts, bool ended,
                            struct sale *sale, bool *changes)
{
    int32_t quantity = run->request->quantity;
    if (facts->restocked) {
        return facts->restocked_quantity == quantity ? VERDICT_REPLAYED
                                                     : VERDICT_IDEMPOTENCY_KEY_REUSED;
    }
    if (ended) {
        return VERDICT_SALE_ENDED;
    }
    sale_restock_validate_for(sale, quantity, &run->violations);
    if (run->violations.count > 0) {
        return VERDICT_INVALID_FIELD;
    }
    sale->stock_total += quantity;
    sale_give_back(sale, quantity);
    *changes = true;
    return VERDICT_DONE;
}

static enum verdict act_on(struct run *run, const struct store_change_facts *facts,
                           struct sale *sale, bool *changes)
{
    int64_t now_us = facts->settlement.now_us;
    bool ended = sale_state_at(sale, now_us) == SALE_ENDED;
    switch (run->request->act) {
    case MANAGE_SALE_PAUSE:
        return pause_or_resume(run, ended, true, sale, changes);
    case MANAGE_SALE_RESUME:
        return pause_or_resume(run, ended, false, sale, changes);
    case MANAGE_SALE_END:
        return end(now_us, sale, changes);
    case MANAGE_SALE_UPDATE:
        return update(run, ended, now_us, sale, changes);
    case MANAGE_SALE_RESTOCK:
        return restock(run, facts, ended, sale, changes);
    }
    UNREACHABLE("every act is listed");
}

/* --- One transaction -----------------------------------------------------------------------------
 */

/* The sale after what had expired is back and the act is done, and what is stored of it. */
static int decide(struct run *run, const struct store_change_facts *facts, struct store_change *ret)
{
    const struct manage_sale_request *request = run->request;
    bool changes = false;

    *ret = (struct store_change){.sale = facts->settlement.sale};
    int result = settlement_return_expired(facts->settlement.expired,
                                           facts->settlement.expired_count, &ret->sale);
    if (result < 0) {
        return result;
    }
    run->violations = (struct violations){0};
    run->verdict = act_on(run, facts, &ret->sale, &changes);
    if (changes || facts->settlement.expired_count > 0) {
        sale_seal(&facts->settlement.sale, &ret->sale);
    }
    if (changes && request->act == MANAGE_SALE_RESTOCK) {
        ret->restock_key = request->key;
        ret->restock_key_length = request->key_length;
        ret->restock_quantity = request->quantity;
    }
    return 0;
}

/* Refusals are stored too: what expired has expired, and a COMMIT waits for the standby. */
static enum store_result decide_and_store(struct run *run, const struct store_change_facts *facts,
                                          int64_t deadline_ns)
{
    const struct store *store = run->use_case->store;
    struct store_change change;

    if (decide(run, facts, &change) < 0) {
        store->abandon(store->data, deadline_ns);
        return STORE_BROKEN;
    }
    enum store_result result =
        store->store_change(store->data, facts, &change, deadline_ns, run->arena);
    run->in_doubt |= result == STORE_UNKNOWN;
    run->sale = (struct store_sale){.sale = change.sale, .now_us = facts->settlement.now_us};
    return result;
}

static enum store_result attempt(void *data, const size_t *positions, size_t count,
                                 int64_t deadline_ns)
{
    struct run *run = data;
    const struct store *store = run->use_case->store;
    const struct manage_sale_request *request = run->request;
    struct store_change_query query = {0};
    struct store_change_facts facts;

    (void)positions;
    CHECK(count == 1);
    deadline_ns = deadline_ns < run->deadline_ns ? deadline_ns : run->deadline_ns;
    if (request->act == MANAGE_SALE_RESTOCK) {
        query.restock_key = request->key;
        query.restock_key_length = request->key_length;
    }
    enum store_result result =
        store->load_change(store->data, run->sale_id, &query, deadline_ns, run->arena, &facts);
    if (result == STORE_NOT_FOUND) {
        store->abandon(store->data, deadline_ns);
        run->verdict = VERDICT_SALE_NOT_FOUND;
        return STORE_OK;
    }
    return result == STORE_OK ? decide_and_store(run, &facts, deadline_ns) : result;
}

enum verdict manage_sale_run(const struct manage_sale *use_case, const struct uuid *sale_id,
                             const struct manage_sale_request *request, int64_t deadline_ns,
                             struct arena *arena, struct store_sale *ret,
                             struct violations *ret_violations)
{
    struct run run = {
        .use_case = use_case,
        .sale_id = sale_id,
        .request = request,
        .deadline_ns = deadline_ns,
        .arena = arena,
    };
    struct batch batch = {
        .store = use_case->store,
        .system = use_case->system,
        .transaction_ns_max = use_case->transaction_ns_max,
        .deadline_ns = deadline_ns,
        .attempt = attempt,
        .data = &run,
    };
    struct batch_item item = {deadline_ns, deadline_ns, &run.verdict};

    validate(request, &run.violations);
    if (run.violations.count > 0) {
        *ret_violations = run.violations;
        return VERDICT_INVALID_FIELD;
    }
    if (request->title != NULL) {
        run.title = arena_strndup(arena, request->title, strlen(request->title));
    }
    if (arena_overflowed(arena)) {
        return VERDICT_INTERNAL;
    }
    batch_run(&batch, &item, 1);
    if (run.verdict == VERDICT_INVALID_FIELD) {
        *ret_violations = run.violations;
    }
    if (verdict_is_success(run.verdict)) {
        *ret = run.sale;
    }
    return run.verdict;
}
