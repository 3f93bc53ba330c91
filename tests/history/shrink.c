#include "shrink.h"

#include <string.h>

struct shrinking {
    struct history *history; /* the smallest so far that fails */
    size_t runs, runs_max;
    shrink_test *fails;
    void *data;
};

/* Whether the smaller one fails too; then it is the one to go on with. */
static bool is_taken(struct shrinking *shrinking, const struct history *smaller)
{
    if (shrinking->runs >= shrinking->runs_max) {
        return false;
    }
    shrinking->runs++;
    if (!shrinking->fails(smaller, shrinking->data)) {
        return false;
    }
    *shrinking->history = *smaller;
    return true;
}

/* Leaves out runs of steps, long ones first. */
static bool drop_steps(struct shrinking *shrinking)
{
    bool shrank = false;
    for (size_t length = shrinking->history->step_count; length > 0; length /= 2) {
        for (size_t first = 0; first + length <= shrinking->history->step_count;) {
            struct history smaller = *shrinking->history;
            memmove(&smaller.steps[first], &smaller.steps[first + length],
                    (smaller.step_count - first - length) * sizeof(smaller.steps[0]));
            smaller.step_count -= length;
            if (smaller.step_count > 0 && is_taken(shrinking, &smaller)) {
                shrank = true;
            } else {
                first += length;
            }
        }
    }
    return shrank;
}

static bool drop_items(struct shrinking *shrinking, size_t step)
{
    bool shrank = false;
    for (size_t i = shrinking->history->steps[step].item_count; i-- > 0;) {
        struct history smaller = *shrinking->history;
        struct history_step *small = &smaller.steps[step];
        if (small->item_count == 1) {
            break;
        }
        memmove(&small->items[i], &small->items[i + 1],
                (small->item_count - i - 1) * sizeof(small->items[0]));
        small->item_count--;
        shrank |= is_taken(shrinking, &smaller);
    }
    return shrank;
}

/* Sets what lies at a place in the history to a plainer value. */
static bool set_bytes(struct shrinking *shrinking, const void *place, const void *value,
                      size_t bytes)
{
    struct history smaller = *shrinking->history;
    char *copy = (char *)&smaller + ((const char *)place - (const char *)shrinking->history);
    if (memcmp(copy, value, bytes) == 0) {
        return false;
    }
    memcpy(copy, value, bytes);
    return is_taken(shrinking, &smaller);
}

static bool drop_faults(struct shrinking *shrinking, const uint8_t *faults)
{
    static const uint8_t none[HISTORY_FAULTS_MAX];
    bool shrank = set_bytes(shrinking, faults, none, sizeof(none));
    for (size_t i = 0; i < HISTORY_FAULTS_MAX; i++) {
        shrank |= set_bytes(shrinking, &faults[i], none, 1);
    }
    return shrank;
}

static bool plain_item(struct shrinking *shrinking, const struct history_item *item)
{
    static const int8_t zero = 0, one = 1;
    bool shrank = set_bytes(shrinking, &item->quantity, &one, 1);
    shrank |= set_bytes(shrinking, &item->customer, &zero, 1);
    shrank |= set_bytes(shrinking, &item->key, &zero, 1);
    return shrank;
}

static bool plain_sale(struct shrinking *shrinking)
{
    static const int32_t zero = 0, one = 1, started = -1;
    const struct history *history = shrinking->history;
    bool shrank = set_bytes(shrinking, &history->limit, &zero, sizeof(zero));
    shrank |= set_bytes(shrinking, &history->hold_seconds, &zero, sizeof(zero));
    shrank |= set_bytes(shrinking, &history->stock, &one, sizeof(one));
    if (history->starts_in_s > 0) {
        shrank |= set_bytes(shrinking, &history->starts_in_s, &started, sizeof(started));
    }
    return shrank;
}

size_t shrink_history(struct history *history, size_t runs_max, shrink_test *fails, void *data)
{
    struct shrinking shrinking = {history, 0, runs_max, fails, data};
    bool shrank = true;

    while (shrank && shrinking.runs < runs_max) {
        shrank = drop_steps(&shrinking);
        shrank |= drop_faults(&shrinking, history->creation_faults);
        shrank |= plain_sale(&shrinking);
        for (size_t i = 0; i < history->step_count; i++) {
            shrank |= drop_faults(&shrinking, history->steps[i].faults);
            shrank |= drop_items(&shrinking, i);
            for (size_t k = 0; k < history->steps[i].item_count; k++) {
                shrank |= plain_item(&shrinking, &history->steps[i].items[k]);
            }
        }
    }
    return shrinking.runs;
}
