#include "plant.h"

static const struct store *inner_of(void *data)
{
    return ((struct plant *)data)->inner->store;
}

static bool is_planted(void *data, enum plant_mistake mistake)
{
    return ((struct plant *)data)->mistake == mistake;
}

static int32_t units_of(const struct order_change *expired, size_t count)
{
    int32_t units = 0;
    for (size_t i = 0; i < count; i++) {
        units += expired[i].quantity;
    }
    return units;
}

/* Takes what expired out of the sale again, from where it went. */
static void lose(struct sale *sale, int32_t units)
{
    int32_t from_remaining = units < sale->stock_remaining ? units : sale->stock_remaining;
    int32_t rest = units - from_remaining;
    sale->stock_remaining -= from_remaining;
    sale->stock_returning -= rest < sale->stock_returning ? rest : sale->stock_returning;
}

/* Moves what returned in this transaction to where it can be sold. */
static void hasten(const struct sale *before, struct sale *after)
{
    int64_t units = after->stock_returned - before->stock_returned;
    if (units > 0 && units <= after->stock_returning) {
        after->stock_returning -= (int32_t)units;
        after->stock_remaining += (int32_t)units;
        after->sold_out_since = 0;
    }
}

static enum store_result load_placement(void *data, const struct uuid *sale_id,
                                        const struct placement_request *requests, size_t count,
                                        int64_t deadline_ns, struct arena *arena,
                                        struct placement_facts *ret)
{
    const struct store *inner = inner_of(data);
    enum store_result result =
        inner->load_placement(inner->data, sale_id, requests, count, deadline_ns, arena, ret);
    if (result != STORE_OK) {
        return result;
    }
    if (is_planted(data, PLANT_ONE_UNIT_TOO_MANY) && ret->sale.stock_remaining == 0 &&
        ret->sale.stock_returning < ret->sale.stock_total) {
        ret->sale.stock_remaining = 1;
        ret->sale.sold_out_since = 0;
    }
    if (is_planted(data, PLANT_LIMIT_FORGETS)) {
        ret->holding_count = 0;
    }
    return result;
}

static enum store_result store_placed(void *data, const struct placement_facts *facts,
                                      const struct placement_request *requests, size_t count,
                                      const struct placement_decision *decision,
                                      int64_t deadline_ns, struct arena *arena)
{
    const struct store *inner = inner_of(data);
    struct placement_decision other = *decision;
    if (is_planted(data, PLANT_EXPIRED_UNITS_LOST)) {
        lose(&other.sale, units_of(facts->expired, facts->expired_count));
    }
    enum store_result result =
        inner->store_placed(inner->data, facts, requests, count, &other, deadline_ns, arena);
    bool is_denied = is_planted(data, PLANT_DONE_CALLED_UNDONE) && decision->placed_count > 1;
    return is_denied ? STORE_UNAVAILABLE : result;
}

static enum store_result load_change(void *data, const struct uuid *sale_id,
                                     const struct store_change_query *query, int64_t deadline_ns,
                                     struct arena *arena, struct store_change_facts *ret)
{
    const struct store *inner = inner_of(data);
    enum store_result result =
        inner->load_change(inner->data, sale_id, query, deadline_ns, arena, ret);
    if (result == STORE_OK && is_planted(data, PLANT_RESTOCK_DOUBLED)) {
        ret->restocked = false;
    }
    return result;
}

static enum store_result store_change(void *data, const struct store_change_facts *facts,
                                      const struct store_change *change, int64_t deadline_ns,
                                      struct arena *arena)
{
    const struct store *inner = inner_of(data);
    const struct settlement_facts *read = &facts->settlement;
    struct store_change other = *change;
    if (is_planted(data, PLANT_EXPIRED_UNITS_LOST)) {
        lose(&other.sale, units_of(read->expired, read->expired_count));
    }
    if (is_planted(data, PLANT_RETURNED_AT_ONCE)) {
        hasten(&read->sale, &other.sale);
    }
    return inner->store_change(inner->data, facts, &other, deadline_ns, arena);
}

static void abandon(void *data, int64_t deadline_ns)
{
    inner_of(data)->abandon(inner_of(data)->data, deadline_ns);
}

static bool is_connected(void *data)
{
    return inner_of(data)->is_connected(inner_of(data)->data);
}

static bool wait_connected(void *data, int64_t deadline_ns)
{
    return inner_of(data)->wait_connected(inner_of(data)->data, deadline_ns);
}

static enum store_result create_sale(void *data, const struct store_creation *creation,
                                     int64_t deadline_ns, struct arena *arena,
                                     enum store_creation_outcome *ret_outcome,
                                     struct store_sale *ret_sale)
{
    const struct store *inner = inner_of(data);
    return inner->create_sale(inner->data, creation, deadline_ns, arena, ret_outcome, ret_sale);
}

static enum store_result get_sale(void *data, const struct uuid *sale_id, int64_t deadline_ns,
                                  struct arena *arena, struct store_sale *ret)
{
    const struct store *inner = inner_of(data);
    return inner->get_sale(inner->data, sale_id, deadline_ns, arena, ret);
}

void plant_init(struct plant *plant, struct stage *inner, enum plant_mistake mistake)
{
    plant->stage = *inner; /* whose data stays inner's */
    plant->stage.store = &plant->store;
    plant->inner = inner;
    plant->mistake = mistake;
    plant->store = (struct store){.data = plant,
                                  .load_placement = load_placement,
                                  .store_placed = store_placed,
                                  .load_change = load_change,
                                  .store_change = store_change,
                                  .abandon = abandon,
                                  .is_connected = is_connected,
                                  .wait_connected = wait_connected,
                                  .create_sale = create_sale,
                                  .get_sale = get_sale};
}

const char *plant_name(enum plant_mistake mistake)
{
    static const char *const names[PLANT_MISTAKE_COUNT] = {
        [PLANT_EXPIRED_UNITS_LOST] = "expired units lost",
        [PLANT_ONE_UNIT_TOO_MANY] = "one unit too many",
        [PLANT_RESTOCK_DOUBLED] = "restock doubled",
        [PLANT_DONE_CALLED_UNDONE] = "done called undone",
        [PLANT_LIMIT_FORGETS] = "limit forgets",
        [PLANT_RETURNED_AT_ONCE] = "returned at once",
    };
    return names[mistake];
}
