#include "player.h"

#include "base/clock.h"
#include "base/order_id.h"
#include "orders/logic/create_sale.h"
#include "orders/logic/manage_sale.h"
#include "orders/logic/place_orders.h"
#include "orders/logic/settle_orders.h"
#include "orders/logic/sweep_sale.h"

#include <stdio.h>
#include <string.h>

#define ARENA_BLOCK_BYTES (1 << 19)
#define ARENA_BYTES_MAX   (1 << 24)

/* Wide enough for any machine; a late fault goes past all of them. */
#define TRANSACTION_NS (60 * CLOCK_NS_PER_SECOND)
#define PATIENCE_NS    (300 * CLOCK_NS_PER_SECOND)
#define LATE_NS        (1000 * CLOCK_NS_PER_SECOND)

/* Some histories ask for their sale again, and for another one with its key. */
#define ASKED_AGAIN_ONE_IN 4

#define US_PER_SECOND  INT64_C(1000000)
#define SALE_LENGTH_US (3600 * US_PER_SECOND)

/* --- The player's clock: nobody really sleeps -------------------------------------------------*/

static int64_t monotonic_ns(void *data)
{
    const struct player *player = data;
    return player->stage->monotonic_ns(player->stage->data) + player->clock_ahead_ns +
           (player->witness.was_late ? LATE_NS : 0);
}

static void sleep_ns(void *data, int64_t duration_ns)
{
    ((struct player *)data)->clock_ahead_ns += duration_ns;
}

static uint64_t wall_ms(void *data)
{
    (void)data;
    return (uint64_t)(clock_wall_us() / 1000);
}

/* Sales of all players and programs have ids of their own. */
static void random_bytes(void *data, uint8_t *bytes, size_t count)
{
    FILE *random = fopen("/dev/urandom", "rb");
    (void)data;
    CHECK(random != NULL && fread(bytes, 1, count, random) == count);
    fclose(random);
}

void player_init(struct player *player, struct stage *stage)
{
    memset(player, 0, sizeof(*player));
    player->stage = stage;
    player->system = (struct system_port){.data = player,
                                          .monotonic_ns = monotonic_ns,
                                          .sleep_ns = sleep_ns,
                                          .wall_ms = wall_ms,
                                          .random_bytes = random_bytes};
    witness_init(&player->witness, stage->store);
    arena_init(&player->arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
}

void player_fini(struct player *player)
{
    arena_fini(&player->arena);
}

/* --- Names ------------------------------------------------------------------------------------*/

void player_name_customer(int customer, char ret_name[PLAYER_NAME_BYTES])
{
    snprintf(ret_name, PLAYER_NAME_BYTES, "c%d", customer);
}

struct uuid player_order_id(const struct uuid *sale_id, int customer, int key)
{
    char name[PLAYER_NAME_BYTES], text[PLAYER_NAME_BYTES];
    player_name_customer(customer, name);
    snprintf(text, sizeof(text), "k%d", key);
    return order_id_of(sale_id, name, strlen(name), text, strlen(text));
}

/* --- The sale is made -------------------------------------------------------------------------*/

static enum verdict create_once(struct player *player, const struct sale_draft *draft,
                                const char *key, const uint8_t *faults, struct store_sale *ret)
{
    const struct create_sale use_case = {&player->witness.store, &player->system, TRANSACTION_NS};
    const struct create_sale_request request = {key, strlen(key), *draft};
    struct violations violations;

    witness_begin(&player->witness, faults, NULL, 1);
    player->clock_ahead_ns = 0;
    arena_reset(&player->arena);
    return create_sale_run(&use_case, &request, monotonic_ns(player) + PATIENCE_NS, &player->arena,
                           ret, &violations);
}

static bool is_failure(enum verdict verdict)
{
    return verdict == VERDICT_OUTCOME_UNKNOWN || verdict == VERDICT_DATABASE_UNAVAILABLE ||
           verdict == VERDICT_OVERLOADED || verdict == VERDICT_INTERNAL;
}

/* The same again is the same sale, and another draft with its key is refused. */
static bool create_again(struct player *player, const struct sale_draft *draft, const char *key,
                         char problem[MODEL_PROBLEM_CHARS])
{
    struct sale_draft other = *draft;
    struct store_sale again;

    enum verdict second = create_once(player, draft, key, NULL, &again);
    bool is_same = second == VERDICT_REPLAYED && uuid_equal(&again.sale.sale_id, &player->sale_id);
    other.stock_total++;
    enum verdict third = create_once(player, &other, key, NULL, &again);
    if (!is_same || third != VERDICT_IDEMPOTENCY_KEY_REUSED) {
        snprintf(problem, MODEL_PROBLEM_CHARS, "creating again: %s%s, with another draft %s",
                 verdict_name(second), is_same ? "" : " of another sale", verdict_name(third));
        return false;
    }
    return true;
}

bool player_create(struct player *player, const struct history *history, const char *creation_key,
                   struct model_sale *ret_sale, char problem[MODEL_PROBLEM_CHARS])
{
    int64_t now_us = player->stage->now_us(player->stage->data);
    struct sale_draft draft = {
        .sku = "sku",
        .title = "title-0",
        .unit_price = {"EUR", 1234},
        .has_start = true,
        .start_us = now_us + history->starts_in_s * US_PER_SECOND,
        .end_us = now_us + SALE_LENGTH_US,
        .stock_total = history->stock,
        .per_customer_limit = history->limit,
        .hold_seconds = history->hold_seconds,
    };
    struct store_sale made;

    const uint8_t *faults = history->creation_faults;
    enum verdict first = create_once(player, &draft, creation_key, faults, &made);
    if (is_failure(first)) {
        first = create_once(player, &draft, creation_key, NULL, &made);
    }
    player->sale_id = made.sale.sale_id;
    if (!verdict_is_success(first)) {
        snprintf(problem, MODEL_PROBLEM_CHARS, "creating: %s", verdict_name(first));
        return false;
    }
    if (history->seed % ASKED_AGAIN_ONE_IN == 0 &&
        !create_again(player, &draft, creation_key, problem)) {
        return false;
    }
    *ret_sale = (struct model_sale){.start_us = draft.start_us,
                                    .end_us = draft.end_us,
                                    .total = history->stock,
                                    .limit = history->limit,
                                    .hold_seconds = history->hold_seconds};
    player->noted = 0;
    return true;
}

/* --- Steps ------------------------------------------------------------------------------------*/

static void play_place(struct player *player, const struct history_step *step,
                       struct player_result *result)
{
    const struct batch_means means = {&player->witness.store, &player->system, TRANSACTION_NS,
                                      PATIENCE_NS};
    struct place_orders_item items[HISTORY_ITEMS_MAX], *pointers[HISTORY_ITEMS_MAX];
    int64_t end_ns = monotonic_ns(player) + PATIENCE_NS;

    for (size_t i = 0; i < step->item_count; i++) {
        const struct history_item *item = &step->items[i];
        player_name_customer(item->customer, player->names[i]);
        items[i] = (struct place_orders_item){
            .in = {.order_id = player_order_id(&player->sale_id, item->customer, item->key),
                   .customer_id = player->names[i],
                   .customer_length = strlen(player->names[i]),
                   .quantity = item->quantity},
            .deadline_ns = end_ns,
            .attempts_end_ns = end_ns,
            .verdict = VERDICT_COUNT,
        };
        pointers[i] = &items[i];
    }
    place_orders_run(&means, &player->sale_id, pointers, step->item_count, &player->arena);
    for (size_t i = 0; i < step->item_count; i++) {
        result->verdicts[i] = items[i].verdict;
        result->orders[i] = items[i].order;
    }
}

static enum order_act act_of(enum model_act act)
{
    static const enum order_act acts[] = {
        [MODEL_CONFIRM] = ORDER_ACT_CONFIRM,
        [MODEL_CANCEL] = ORDER_ACT_CANCEL,
        [MODEL_CANCEL_SOLD] = ORDER_ACT_CANCEL_SOLD,
    };
    return acts[act];
}

static void play_settle(struct player *player, const struct history_step *step,
                        struct player_result *result)
{
    const struct batch_means means = {&player->witness.store, &player->system, TRANSACTION_NS,
                                      PATIENCE_NS};
    struct settle_orders_item items[HISTORY_ITEMS_MAX], *pointers[HISTORY_ITEMS_MAX];
    int64_t end_ns = monotonic_ns(player) + PATIENCE_NS;

    for (size_t i = 0; i < step->item_count; i++) {
        const struct history_item *item = &step->items[i];
        player->names[i][0] = '\0';
        if (item->by != MODEL_ANYBODY) {
            player_name_customer(item->by, player->names[i]);
        }
        items[i] = (struct settle_orders_item){
            .in = {.order_id = player_order_id(&player->sale_id, item->customer, item->key),
                   .customer_id = player->names[i],
                   .customer_length = strlen(player->names[i]),
                   .act = act_of((enum model_act)item->act)},
            .deadline_ns = end_ns,
            .attempts_end_ns = end_ns,
            .verdict = VERDICT_COUNT,
        };
        pointers[i] = &items[i];
    }
    settle_orders_run(&means, &player->sale_id, pointers, step->item_count, &player->arena);
    for (size_t i = 0; i < step->item_count; i++) {
        result->verdicts[i] = items[i].verdict;
        result->orders[i] = items[i].order.order;
    }
}

static void play_sweep(struct player *player, struct player_result *result)
{
    const struct sweep_sale use_case = {&player->witness.store,
                                        monotonic_ns(player) + TRANSACTION_NS};
    result->mature_up_to = player->noted;
    result->swept = sweep_sale_run(&use_case, &player->sale_id, player->noted, &player->arena,
                                   &result->expired, &result->matured);
}

static void play_note(struct player *player)
{
    const struct store *store = &player->witness.store;
    struct store_sale sale;
    if (store->get_sale(store->data, &player->sale_id, monotonic_ns(player) + TRANSACTION_NS,
                        &player->arena, &sale) == STORE_OK) {
        player->noted = sale.sale.stock_returned;
    }
}

static struct manage_sale_request request_of(struct player *player, const struct history_step *step,
                                             struct player_result *result)
{
    static const enum manage_sale_act acts[HISTORY_ACT_COUNT] = {
        [HISTORY_PAUSE] = MANAGE_SALE_PAUSE,      [HISTORY_RESUME] = MANAGE_SALE_RESUME,
        [HISTORY_END] = MANAGE_SALE_END,          [HISTORY_SET_END] = MANAGE_SALE_UPDATE,
        [HISTORY_SET_LIMIT] = MANAGE_SALE_UPDATE, [HISTORY_SET_TITLE] = MANAGE_SALE_UPDATE,
        [HISTORY_RESTOCK] = MANAGE_SALE_RESTOCK,
    };
    struct manage_sale_request request = {.act = acts[step->act]};

    snprintf(player->names[0], PLAYER_NAME_BYTES, "r%d", step->key);
    snprintf(player->names[1], PLAYER_NAME_BYTES, "title-%d", step->value);
    if (step->act == HISTORY_SET_END) {
        result->end_us = player->stage->now_us(player->stage->data) + step->value * US_PER_SECOND;
        request.has_end = true;
        request.end_us = result->end_us;
    } else if (step->act == HISTORY_SET_LIMIT) {
        request.has_limit = true;
        request.per_customer_limit = step->value;
    } else if (step->act == HISTORY_SET_TITLE) {
        request.title = player->names[1];
    } else if (step->act == HISTORY_RESTOCK) {
        request.key = player->names[0];
        request.key_length = strlen(request.key);
        request.quantity = step->value;
    }
    return request;
}

static void play_manage(struct player *player, const struct history_step *step,
                        struct player_result *result)
{
    const struct manage_sale use_case = {&player->witness.store, &player->system, TRANSACTION_NS};
    struct manage_sale_request request = request_of(player, step, result);
    struct store_sale sale = {0};
    struct violations violations;

    result->verdict =
        manage_sale_run(&use_case, &player->sale_id, &request, monotonic_ns(player) + PATIENCE_NS,
                        &player->arena, &sale, &violations);
    result->sale = sale.sale;
    result->sale.sku = result->sale.title = NULL;
}

int64_t player_leap_us(const struct player *player, const struct history_step *step)
{
    int64_t now_us = player->stage->now_us(player->stage->data), to_us = now_us + US_PER_SECOND;
    switch ((enum history_leap)step->value) {
    case HISTORY_LEAP_TO_EXPIRY:
        to_us = player->next_expiry_us;
        break;
    case HISTORY_LEAP_BEFORE_EXPIRY:
        to_us = player->next_expiry_us - 1;
        break;
    case HISTORY_LEAP_PAST_EXPIRY:
        to_us = player->next_expiry_us + US_PER_SECOND;
        break;
    case HISTORY_LEAP_TO_START:
        to_us = player->start_us;
        break;
    case HISTORY_LEAP_TO_END:
        to_us = player->end_us;
        break;
    default:
        break;
    }
    return to_us > now_us ? to_us - now_us : 0;
}

void player_play(struct player *player, const struct history_step *step,
                 struct player_result *ret_result)
{
    struct witness *witness = &player->witness;

    memset(ret_result, 0, offsetof(struct player_result, transactions));
    witness_begin(witness, step->faults, player->names[0], PLAYER_NAME_BYTES);
    player->clock_ahead_ns = 0;
    arena_reset(&player->arena);
    switch ((enum history_act)step->act) {
    case HISTORY_PLACE:
        play_place(player, step, ret_result);
        break;
    case HISTORY_SETTLE:
        play_settle(player, step, ret_result);
        break;
    case HISTORY_SWEEP:
        play_sweep(player, ret_result);
        break;
    case HISTORY_NOTE:
        play_note(player);
        break;
    case HISTORY_CLOCK:
        break; /* the judge's: the model has to go along */
    default:
        play_manage(player, step, ret_result);
        break;
    }
    ret_result->faults_made = witness->faults_made;
    ret_result->was_late = witness->was_late;
    ret_result->transaction_count = witness->transaction_count;
    memcpy(ret_result->transactions, witness->transactions,
           witness->transaction_count * sizeof(witness->transactions[0]));
}
