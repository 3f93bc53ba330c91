#include "orders/logic/sweep_sale.h"

#include "base/check.h"

/* Gives back what expired and lets mature what has waited long enough; the next version if either
 * was anything. Errors: as of settlement_return_expired. */
static int sweep(const struct settlement_facts *facts, int64_t mature_up_to, struct sale *ret_sale,
                 int32_t *ret_matured)
{
    *ret_sale = facts->sale;
    *ret_matured = 0;
    int result = settlement_return_expired(facts->expired, facts->expired_count, ret_sale);
    if (result < 0) {
        return result;
    }
    if (mature_up_to > 0) {
        *ret_matured = sale_mature(ret_sale, mature_up_to);
    }
    if (facts->expired_count > 0 || *ret_matured > 0) {
        sale_seal(&facts->sale, ret_sale);
    }
    return 0;
}

enum store_result sweep_sale_run(const struct sweep_sale *use_case, const struct uuid *sale_id,
                                 int64_t mature_up_to, struct arena *arena, size_t *ret_expired,
                                 int32_t *ret_matured)
{
    const struct store *store = use_case->store;
    const struct store_change_query query = {0};
    struct store_change_facts facts;
    struct store_change change = {0};
    int32_t matured;

    CHECK(mature_up_to >= 0);
    enum store_result result =
        store->load_change(store->data, sale_id, &query, use_case->deadline_ns, arena, &facts);
    if (result == STORE_NOT_FOUND) {
        store->abandon(store->data, use_case->deadline_ns);
    }
    if (result != STORE_OK) {
        return result;
    }
    if (sweep(&facts.settlement, mature_up_to, &change.sale, &matured) < 0) {
        store->abandon(store->data, use_case->deadline_ns);
        return STORE_BROKEN;
    }
    result = store->store_change(store->data, &facts, &change, use_case->deadline_ns, arena);
    if (result == STORE_OK) {
        *ret_expired = facts.settlement.expired_count;
        *ret_matured = matured;
    }
    return result;
}
