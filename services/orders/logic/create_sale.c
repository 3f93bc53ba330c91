#include "orders/logic/create_sale.h"

#include "base/arena.h"
#include "base/digest.h"
#include "orders/domain/order.h"
#include "orders/logic/repeat_pause.h"

#include <inttypes.h>
#include <string.h>

/*
 * What makes two requests the same: every field of the draft, each text with its length before it.
 * A start that was left out is the text "now", so that a retry a minute later is still the same.
 */
static int fingerprint_of(const struct sale_draft *draft, struct arena *arena,
                          uint8_t ret_fingerprint[DIGEST_BYTES])
{
    char *start = draft->has_start ? arena_printf(arena, "%" PRId64, draft->start_us)
                                   : arena_strndup(arena, "now", 3);
    if (start == NULL) {
        return -1;
    }
    char *text = arena_printf(
        arena, "%zu:%s|%zu:%s|%s|%" PRId64 "|%s|%" PRId64 "|%" PRId32 "|%" PRId32 "|%" PRId32,
        strlen(draft->sku), draft->sku, strlen(draft->title), draft->title,
        draft->unit_price.currency_code, draft->unit_price.amount_minor, start, draft->end_us,
        draft->stock_total, draft->per_customer_limit, draft->hold_seconds);
    if (text == NULL) {
        return -1;
    }
    digest_sha256(text, strlen(text), ret_fingerprint);
    return 0;
}

static struct uuid new_sale_id(const struct system_port *system)
{
    uint8_t random[10];
    system->random_bytes(system->data, random, sizeof(random));
    return uuid_v7(system->wall_ms(system->data), random);
}

static enum verdict verdict_of_creation(enum store_creation_outcome outcome,
                                        struct violations *violations)
{
    switch (outcome) {
    case STORE_CREATED:
        return VERDICT_PLACED;
    case STORE_CREATED_BEFORE:
        return VERDICT_REPLAYED;
    case STORE_CREATION_KEY_REUSED:
        return VERDICT_IDEMPOTENCY_KEY_REUSED;
    case STORE_CREATION_END_PASSED:
        violations_add(violations, "end_time", "must be after start_time and in the future");
        return VERDICT_INVALID_FIELD;
    }
    UNREACHABLE("every outcome is listed");
}

static enum verdict verdict_of_failure(enum store_result result, bool in_doubt)
{
    if (in_doubt) {
        return VERDICT_OUTCOME_UNKNOWN;
    }
    switch (result) {
    case STORE_UNAVAILABLE:
        return VERDICT_DATABASE_UNAVAILABLE;
    case STORE_BUSY:
    case STORE_CONFLICT:
        return VERDICT_OVERLOADED;
    default:
        return VERDICT_INTERNAL;
    }
}

/* One transaction after the other, with pauses, until there is an answer; the key makes repeating
 * safe. */
static enum verdict create(const struct create_sale *use_case,
                           const struct store_creation *creation, int64_t deadline_ns,
                           struct arena *arena, struct store_sale *ret,
                           struct violations *violations)
{
    const struct store *store = use_case->store;
    const struct system_port *system = use_case->system;
    struct repeat_pause pause = {0};
    bool in_doubt = false;

    for (;;) {
        enum store_creation_outcome outcome;
        int64_t attempt_ns = system->monotonic_ns(system->data) + use_case->transaction_ns_max;
        enum store_result result = store->create_sale(
            store->data, creation, attempt_ns < deadline_ns ? attempt_ns : deadline_ns, arena,
            &outcome, ret);
        if (result == STORE_OK) {
            return verdict_of_creation(outcome, violations);
        }
        in_doubt |= result == STORE_UNKNOWN;
        bool repeats = result == STORE_CONFLICT ||
                       (in_doubt && result != STORE_BROKEN && result != STORE_REJECTED);
        if (!repeats || !repeat_pause_take(&pause, system, deadline_ns) ||
            !store_wait_connected(store, deadline_ns)) {
            return verdict_of_failure(result, in_doubt);
        }
    }
}

enum verdict create_sale_run(const struct create_sale *use_case,
                             const struct create_sale_request *request, int64_t deadline_ns,
                             struct arena *arena, struct store_sale *ret,
                             struct violations *ret_violations)
{
    struct store_creation creation = {
        .key = request->key,
        .key_length = request->key_length,
        .sale_id = new_sale_id(use_case->system),
        .draft = &request->draft,
    };

    *ret_violations = (struct violations){0};
    order_key_validate(request->key, request->key_length, ret_violations);
    sale_draft_validate(&request->draft, ret_violations);
    if (ret_violations->count > 0) {
        return VERDICT_INVALID_FIELD;
    }
    if (fingerprint_of(&request->draft, arena, creation.fingerprint) < 0) {
        return VERDICT_INTERNAL;
    }
    return create(use_case, &creation, deadline_ns, arena, ret, ret_violations);
}
