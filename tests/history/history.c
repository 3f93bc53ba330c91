#include "history.h"

#include <inttypes.h>
#include <string.h>

/* --- Chance -----------------------------------------------------------------------------------*/

/* Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (2014), SplitMix64. */
uint64_t history_roll(struct history_dice *dice)
{
    dice->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = dice->state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

int history_roll_of(struct history_dice *dice, int sides)
{
    return (int)(history_roll(dice) % (uint64_t)sides);
}

static bool comes_up(struct history_dice *dice, int one_in)
{
    return history_roll_of(dice, one_in) == 0;
}

/* --- Making -----------------------------------------------------------------------------------*/

/* Acts as often as they are named. */
static const uint8_t usual_acts[] = {
    HISTORY_PLACE,     HISTORY_PLACE,   HISTORY_PLACE,     HISTORY_PLACE,  HISTORY_PLACE,
    HISTORY_PLACE,     HISTORY_PLACE,   HISTORY_PLACE,     HISTORY_SETTLE, HISTORY_SETTLE,
    HISTORY_SETTLE,    HISTORY_SETTLE,  HISTORY_SWEEP,     HISTORY_SWEEP,  HISTORY_SWEEP,
    HISTORY_NOTE,      HISTORY_NOTE,    HISTORY_CLOCK,     HISTORY_CLOCK,  HISTORY_CLOCK,
    HISTORY_RESTOCK,   HISTORY_RESTOCK, HISTORY_PAUSE,     HISTORY_RESUME, HISTORY_RESUME,
    HISTORY_SET_LIMIT, HISTORY_SET_END, HISTORY_SET_TITLE,
};

static const uint8_t peaceful_acts[] = {
    HISTORY_PLACE,     HISTORY_PLACE,  HISTORY_PLACE,  HISTORY_PLACE,  HISTORY_PLACE,
    HISTORY_PLACE,     HISTORY_PLACE,  HISTORY_PLACE,  HISTORY_SETTLE, HISTORY_SETTLE,
    HISTORY_SETTLE,    HISTORY_SETTLE, HISTORY_SWEEP,  HISTORY_SWEEP,  HISTORY_SWEEP,
    HISTORY_SWEEP,     HISTORY_NOTE,   HISTORY_NOTE,   HISTORY_NOTE,   HISTORY_RESTOCK,
    HISTORY_PAUSE,     HISTORY_RESUME, HISTORY_RESUME, HISTORY_RESUME, HISTORY_SET_TITLE,
    HISTORY_SET_LIMIT,
};

static void generate_faults(uint8_t faults[HISTORY_FAULTS_MAX], struct history_dice *dice)
{
    /* Some steps fail again and again. */
    int one_in = comes_up(dice, 4) ? 2 : 8;
    for (size_t i = 0; i < HISTORY_FAULTS_MAX; i++) {
        faults[i] = comes_up(dice, one_in) ? (uint8_t)history_roll_of(dice, HISTORY_FAULT_COUNT)
                                           : HISTORY_FAULT_NONE;
    }
}

static void generate_item(struct history_item *item, struct history_dice *dice,
                          const struct history *history)
{
    item->customer = (int8_t)history_roll_of(dice, history->customers);
    item->key = (int8_t)history_roll_of(dice, history->keys);
    /* A key mostly means the same quantity, so that retries are retries. */
    item->quantity = (int8_t)(1 + (item->customer + item->key) % 3);
    if (comes_up(dice, 10)) {
        item->quantity = (int8_t)(1 + history_roll_of(dice, 5));
    }
    item->act = (int8_t)history_roll_of(dice, 3);
    item->by = item->customer;
    if (comes_up(dice, 3)) {
        item->by = MODEL_ANYBODY;
    } else if (comes_up(dice, 10)) {
        item->by = (int8_t)history_roll_of(dice, history->customers);
    }
}

static void generate_items(struct history_step *step, struct history_dice *dice,
                           const struct history *history)
{
    int most = comes_up(dice, 3) ? HISTORY_ITEMS_MAX : 2;
    step->item_count = (uint8_t)(1 + history_roll_of(dice, most));
    for (size_t i = 0; i < step->item_count; i++) {
        generate_item(&step->items[i], dice, history);
        if (i > 0 && comes_up(dice, 6)) { /* a copy of an earlier one */
            step->items[i] = step->items[history_roll_of(dice, (int)i)];
        }
    }
}

static int16_t generate_value(struct history_dice *dice, const struct history_step *step)
{
    switch ((enum history_act)step->act) {
    case HISTORY_SET_END:
        return (int16_t)(20 + history_roll_of(dice, 600));
    case HISTORY_SET_LIMIT:
        return (int16_t)history_roll_of(dice, 8);
    case HISTORY_SET_TITLE:
        return (int16_t)history_roll_of(dice, 4);
    case HISTORY_RESTOCK:
        return (int16_t)(1 + (comes_up(dice, 6) ? history_roll_of(dice, 4) : step->key % 3));
    case HISTORY_CLOCK:
        return (int16_t)(comes_up(dice, 8) ? history_roll_of(dice, HISTORY_LEAP_COUNT)
                                           : history_roll_of(dice, HISTORY_LEAP_TO_START));
    default:
        return 0;
    }
}

void history_generate_step(struct history_step *ret, struct history_dice *dice,
                           const struct history *history, const struct history_shape *shape)
{
    *ret = (struct history_step){0};
    ret->act = shape->is_peaceful ? peaceful_acts[history_roll_of(dice, (int)sizeof(peaceful_acts))]
                                  : usual_acts[history_roll_of(dice, (int)sizeof(usual_acts))];
    if (!shape->is_peaceful && comes_up(dice, 60)) {
        ret->act = HISTORY_END;
    }
    if (ret->act == HISTORY_PLACE || ret->act == HISTORY_SETTLE) {
        generate_items(ret, dice, history);
    }
    ret->key = (int8_t)history_roll_of(dice, 5);
    ret->value = generate_value(dice, ret);
    if (shape->has_faults && comes_up(dice, 3)) {
        generate_faults(ret->faults, dice);
    }
}

void history_generate(struct history *ret, uint64_t seed, const struct history_shape *shape)
{
    struct history_dice dice = {seed};

    *ret = (struct history){.seed = seed};
    ret->stock = 1 + history_roll_of(&dice, shape->stock_max);
    ret->limit = comes_up(&dice, 2) ? 0 : 1 + history_roll_of(&dice, 6);
    ret->hold_seconds = comes_up(&dice, 4) ? 0 : 1 + history_roll_of(&dice, 30);
    ret->starts_in_s = !shape->is_peaceful && comes_up(&dice, 8) ? 10 : -1;
    ret->customers = 1 + history_roll_of(&dice, shape->customers);
    ret->keys = 1 + history_roll_of(&dice, shape->keys);
    if (shape->has_faults && comes_up(&dice, 3)) {
        generate_faults(ret->creation_faults, &dice);
    }
    ret->step_count = 1 + (size_t)history_roll_of(&dice, (int)shape->steps_max);
    CHECK(ret->step_count <= HISTORY_STEPS_MAX);
    for (size_t i = 0; i < ret->step_count; i++) {
        history_generate_step(&ret->steps[i], &dice, ret, shape);
    }
}

/* --- Printing ---------------------------------------------------------------------------------*/

static const char *const act_names[HISTORY_ACT_COUNT] = {
    [HISTORY_PLACE] = "place",
    [HISTORY_SETTLE] = "settle",
    [HISTORY_SWEEP] = "sweep",
    [HISTORY_NOTE] = "note what has returned",
    [HISTORY_PAUSE] = "pause",
    [HISTORY_RESUME] = "resume",
    [HISTORY_END] = "end",
    [HISTORY_SET_END] = "set end in seconds",
    [HISTORY_SET_LIMIT] = "set limit",
    [HISTORY_SET_TITLE] = "set title",
    [HISTORY_RESTOCK] = "restock",
    [HISTORY_CLOCK] = "clock",
};

static const char *const fault_names[HISTORY_FAULT_COUNT] = {
    [HISTORY_FAULT_NONE] = "-",
    [HISTORY_FAULT_UNAVAILABLE] = "unavailable",
    [HISTORY_FAULT_BUSY] = "busy",
    [HISTORY_FAULT_CONFLICT] = "conflict",
    [HISTORY_FAULT_REJECTED] = "rejected",
    [HISTORY_FAULT_UNKNOWN] = "unknown(not done)",
    [HISTORY_FAULT_UNKNOWN_DONE] = "unknown(done)",
    [HISTORY_FAULT_UNKNOWN_LATE] = "unknown(not done, late)",
    [HISTORY_FAULT_UNKNOWN_DONE_LATE] = "unknown(done, late)",
};

static const char *const leap_names[HISTORY_LEAP_COUNT] = {
    [HISTORY_LEAP_SECOND] = "a second",
    [HISTORY_LEAP_TO_EXPIRY] = "to the next expiry",
    [HISTORY_LEAP_BEFORE_EXPIRY] = "just before the next expiry",
    [HISTORY_LEAP_PAST_EXPIRY] = "past the next expiry",
    [HISTORY_LEAP_TO_START] = "to the start",
    [HISTORY_LEAP_TO_END] = "to the end",
};

static const char *const settlement_names[] = {
    [MODEL_CONFIRM] = "confirm",
    [MODEL_CANCEL] = "cancel",
    [MODEL_CANCEL_SOLD] = "cancel-sold",
};

static void print_faults(FILE *file, const uint8_t faults[HISTORY_FAULTS_MAX])
{
    size_t last = 0;
    for (size_t i = 0; i < HISTORY_FAULTS_MAX; i++) {
        last = faults[i] != HISTORY_FAULT_NONE ? i + 1 : last;
    }
    for (size_t i = 0; i < last; i++) {
        fprintf(file, "%s%s", i == 0 ? "   store answers: " : ", ", fault_names[faults[i]]);
    }
    fputc('\n', file);
}

static void print_item(FILE *file, const struct history_step *step, const struct history_item *item)
{
    if (step->act == HISTORY_PLACE) {
        fprintf(file, " c%d/k%d:%d", item->customer, item->key, item->quantity);
        return;
    }
    fprintf(file, " %s c%d/k%d", settlement_names[item->act], item->customer, item->key);
    if (item->by == MODEL_ANYBODY) {
        fputs(" by anybody", file);
    } else if (item->by != item->customer) {
        fprintf(file, " by c%d", item->by);
    }
}

static void print_step(FILE *file, const struct history_step *step)
{
    fputs(act_names[step->act], file);
    for (size_t i = 0; i < step->item_count; i++) {
        print_item(file, step, &step->items[i]);
    }
    if (step->act == HISTORY_CLOCK) {
        fprintf(file, " %s", leap_names[step->value]);
    } else if (step->act == HISTORY_RESTOCK) {
        fprintf(file, " %d units by key r%d", step->value, step->key);
    } else if (step->act >= HISTORY_SET_END) {
        fprintf(file, " %d", step->value);
    }
    print_faults(file, step->faults);
}

void history_print(FILE *file, const struct history *history)
{
    fprintf(file,
            "history of seed %" PRIu64 ": stock %d, limit %d, holds of %d s, starts in %d s", //
            history->seed, history->stock, history->limit, history->hold_seconds,
            history->starts_in_s);
    print_faults(file, history->creation_faults);
    for (size_t i = 0; i < history->step_count; i++) {
        fprintf(file, "  %2zu. ", i + 1);
        print_step(file, &history->steps[i]);
    }
}
