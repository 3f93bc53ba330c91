#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define US_PER_SECOND INT64_C(1000000)

void model_init(struct model *model, const struct model_sale *sale, int64_t now_us)
{
    memset(model, 0, offsetof(struct model, orders));
    model->start_us = sale->start_us;
    model->end_us = sale->end_us;
    model->total = model->remaining = sale->total;
    model->limit = sale->limit;
    model->hold_seconds = sale->hold_seconds;
    model->events[0] = (struct model_event){.time_us = now_us};
    model->version = 1;
}

/* --- What moves -------------------------------------------------------------------------------*/

static bool holds_units(const struct model_order *order)
{
    return order->status == ORDER_RESERVED || order->status == ORDER_CONFIRMED;
}

/* Units come back: for sale at once while some remain, else one lease of the boards later. */
static void give_back(struct model *model, int32_t units)
{
    if (model->remaining > 0) {
        model->remaining += units;
    } else {
        model->returning += units;
        model->returned += units;
    }
}

/* An order that moves twice in one transaction is told of once. */
static void tell_change(struct model *model, int64_t number, enum order_status to)
{
    struct model_event *event = &model->turn.event;
    for (size_t i = 0; i < event->change_count; i++) {
        struct model_change *told = &model->changes[event->change_first + i];
        if (told->number == number) {
            told->to = to;
            return;
        }
    }
    CHECK(model->change_count < MODEL_CHANGES_MAX);
    model->changes[model->change_count++] = (struct model_change){number, to};
    event->change_count++;
}

static void move_order(struct model *model, struct model_order *order, enum order_status to)
{
    bool held = holds_units(order);
    order->status = to;
    tell_change(model, model_number(model, order), to);
    if (held && !holds_units(order)) {
        give_back(model, order->quantity);
    }
    model->turn.moved = true;
}

void model_begin(struct model *model, int64_t now_us, int64_t expire_us)
{
    memset(&model->turn, 0, sizeof(model->turn));
    model->turn.remaining = model->remaining;
    model->turn.event.change_first = model->change_count;
    if (expire_us < now_us) {
        expire_us = now_us;
    }
    for (int i = 0; i < model->order_count; i++) {
        struct model_order *order = &model->orders[i];
        if (order->status == ORDER_RESERVED && order->expire_us <= expire_us) {
            move_order(model, order, ORDER_EXPIRED);
        }
    }
}

bool model_finish(struct model *model, int64_t now_us)
{
    if (!model->turn.moved) {
        return false;
    }
    CHECK(model->version < MODEL_EVENTS_MAX);
    model->turn.event.time_us = now_us;
    model->events[model->version++] = model->turn.event;
    if (model->remaining > 0) {
        model->sold_out_since = 0;
    } else if (model->turn.remaining > 0) {
        model->sold_out_since = model->version;
    }
    return true;
}

/* --- Orders -----------------------------------------------------------------------------------*/

const struct model_order *model_find(const struct model *model, int customer, int key)
{
    for (int i = 0; i < model->order_count; i++) {
        if (model->orders[i].customer == customer && model->orders[i].key == key) {
            return &model->orders[i];
        }
    }
    return NULL;
}

int64_t model_number(const struct model *model, const struct model_order *order)
{
    return order - model->orders + 1;
}

static int64_t units_of(const struct model *model, int customer)
{
    int64_t units = 0;
    for (int i = 0; i < model->order_count; i++) {
        if (model->orders[i].customer == customer && holds_units(&model->orders[i])) {
            units += model->orders[i].quantity;
        }
    }
    return units;
}

/* Why there is no new order, or PLACED. */
static enum verdict judge_new(const struct model *model, int64_t now_us,
                              const struct model_placement *placement)
{
    if (model->ended || now_us >= model->end_us) {
        return VERDICT_SALE_ENDED;
    }
    if (now_us < model->start_us) {
        return VERDICT_SALE_NOT_STARTED;
    }
    if (model->paused) {
        return VERDICT_SALE_PAUSED;
    }
    if (placement->quantity > model->remaining) {
        return VERDICT_SOLD_OUT;
    }
    if (model->limit > 0 &&
        units_of(model, placement->customer) + placement->quantity > model->limit) {
        return VERDICT_CUSTOMER_LIMIT_REACHED;
    }
    return VERDICT_PLACED;
}

enum verdict model_place(struct model *model, int64_t now_us,
                         const struct model_placement *placement)
{
    const struct model_order *earlier = model_find(model, placement->customer, placement->key);
    if (earlier != NULL) {
        return earlier->quantity == placement->quantity ? VERDICT_REPLAYED
                                                        : VERDICT_IDEMPOTENCY_KEY_REUSED;
    }
    enum verdict verdict = judge_new(model, now_us, placement);
    if (verdict != VERDICT_PLACED) {
        return verdict;
    }
    bool is_held = model->hold_seconds > 0;
    CHECK(model->order_count < MODEL_ORDERS_MAX);
    model->orders[model->order_count++] = (struct model_order){
        .customer = placement->customer,
        .key = placement->key,
        .quantity = placement->quantity,
        .status = is_held ? ORDER_RESERVED : ORDER_CONFIRMED,
        .create_us = now_us,
        .expire_us = is_held ? now_us + model->hold_seconds * US_PER_SECOND : 0,
    };
    model->remaining -= placement->quantity;
    model->turn.moved = true;
    struct model_event *event = &model->turn.event;
    if (event->placed_count++ == 0) {
        event->placed_from = model->order_count;
        event->placed_status = is_held ? ORDER_RESERVED : ORDER_CONFIRMED;
    }
    return verdict;
}

/* The table of section 4, line by line; ORDER_STATUS_COUNT is illegal. */
static enum order_status status_after(enum order_status from, enum model_act act)
{
    if (from == ORDER_RESERVED) {
        return act == MODEL_CONFIRM ? ORDER_CONFIRMED : ORDER_CANCELLED;
    }
    if (from == ORDER_CONFIRMED && act == MODEL_CONFIRM) {
        return ORDER_CONFIRMED;
    }
    if (from == ORDER_CONFIRMED && act == MODEL_CANCEL_SOLD) {
        return ORDER_CANCELLED;
    }
    if (from == ORDER_CANCELLED && act != MODEL_CONFIRM) {
        return ORDER_CANCELLED;
    }
    return ORDER_STATUS_COUNT;
}

enum verdict model_settle(struct model *model, const struct model_settlement *settlement)
{
    const struct model_order *found = model_find(model, settlement->customer, settlement->key);
    if (found == NULL ||
        (settlement->by != MODEL_ANYBODY && settlement->by != settlement->customer)) {
        return VERDICT_ORDER_NOT_FOUND;
    }
    struct model_order *order = &model->orders[found - model->orders];
    enum order_status to = status_after(order->status, settlement->act);
    if (to == ORDER_STATUS_COUNT) {
        return VERDICT_ILLEGAL_TRANSITION;
    }
    if (to != order->status) {
        move_order(model, order, to);
    }
    return VERDICT_DONE;
}

/* --- The sale ---------------------------------------------------------------------------------*/

enum verdict model_pause(struct model *model, int64_t now_us, bool paused)
{
    if (model->ended || now_us >= model->end_us) {
        return VERDICT_SALE_ENDED;
    }
    model->turn.moved |= model->paused != paused;
    model->paused = paused;
    return VERDICT_DONE;
}

enum verdict model_end(struct model *model, int64_t now_us)
{
    if (!model->ended) {
        model->ended = true;
        model->end_us = model->end_us < now_us ? model->end_us : now_us;
        model->start_us = model->start_us < now_us ? model->start_us : now_us;
        model->turn.moved = true;
    }
    return VERDICT_DONE;
}

enum verdict model_set_end(struct model *model, int64_t now_us, int64_t end_us)
{
    if (end_us == model->end_us) {
        return VERDICT_DONE;
    }
    if (model->ended || now_us >= model->end_us) {
        return VERDICT_SALE_ENDED;
    }
    model->end_us = end_us;
    model->turn.moved = true;
    return VERDICT_DONE;
}

enum verdict model_set_limit(struct model *model, int32_t limit)
{
    if (limit != model->limit) {
        bool lowers = limit > 0 && (model->limit == 0 || limit < model->limit);
        model->limit_lowered |= lowers;
        model->limit = limit;
        model->turn.moved = true;
    }
    return VERDICT_DONE;
}

enum verdict model_set_title(struct model *model, int title)
{
    model->turn.moved |= model->title != title;
    model->title = title;
    return VERDICT_DONE;
}

enum verdict model_restock(struct model *model, int64_t now_us, int key, int32_t units)
{
    CHECK(key >= 0 && key < MODEL_RESTOCKS_MAX);
    if (model->restocks[key] != 0) {
        return model->restocks[key] == units ? VERDICT_REPLAYED : VERDICT_IDEMPOTENCY_KEY_REUSED;
    }
    if (model->ended || now_us >= model->end_us) {
        return VERDICT_SALE_ENDED;
    }
    model->restocks[key] = units;
    model->total += units;
    give_back(model, units);
    model->turn.moved = true;
    return VERDICT_DONE;
}

int32_t model_mature(struct model *model, int64_t returned)
{
    int64_t not_yet = model->returned - returned;
    int64_t ready = model->returning - not_yet;
    if (returned == 0 || ready <= 0) {
        return 0;
    }
    CHECK(ready <= model->returning);
    model->returning -= (int32_t)ready;
    model->remaining += (int32_t)ready;
    model->turn.moved = true;
    return (int32_t)ready;
}

/* --- Looking ----------------------------------------------------------------------------------*/

int64_t model_next_expiry(const struct model *model)
{
    int64_t next = 0;
    for (int i = 0; i < model->order_count; i++) {
        const struct model_order *order = &model->orders[i];
        if (order->status == ORDER_RESERVED && (next == 0 || order->expire_us < next)) {
            next = order->expire_us;
        }
    }
    return next;
}

void model_shift(struct model *model, int64_t us)
{
    model->start_us -= us;
    model->end_us -= us;
    for (int i = 0; i < model->order_count; i++) {
        model->orders[i].create_us -= us;
        model->orders[i].expire_us -= model->orders[i].expire_us == 0 ? 0 : us;
    }
    for (int64_t i = 0; i < model->version; i++) {
        model->events[i].time_us -= us;
    }
}

static bool limits_hold(const struct model *model)
{
    for (int customer = 0; customer < MODEL_CUSTOMERS_MAX; customer++) {
        if (units_of(model, customer) > model->limit) {
            return false;
        }
    }
    return true;
}

bool model_is_sound(const struct model *model, char problem[MODEL_PROBLEM_CHARS])
{
    int64_t held = 0, told = 0;
    for (int i = 0; i < model->order_count; i++) {
        held += holds_units(&model->orders[i]) ? model->orders[i].quantity : 0;
    }
    for (int64_t i = 0; i < model->version; i++) {
        told += model->events[i].placed_count;
    }
    const char *wrong = NULL;
    if (model->remaining < 0 || model->returning < 0 || model->returning > model->returned) {
        wrong = "negative stock";
    } else if (model->total != model->remaining + model->returning + held) {
        wrong = "stock does not add up";
    } else if (told != model->order_count) {
        wrong = "not every order was told of once";
    } else if ((model->remaining > 0) != (model->sold_out_since == 0)) {
        wrong = "sold out since when";
    } else if (model->limit > 0 && !model->limit_lowered && !limits_hold(model)) {
        wrong = "a customer over the limit";
    }
    if (wrong != NULL) {
        snprintf(problem, MODEL_PROBLEM_CHARS,
                 "the model itself: %s (total %d remaining %d returning %d held %" PRId64 ")",
                 wrong, model->total, model->remaining, model->returning, held);
    }
    return wrong == NULL;
}
