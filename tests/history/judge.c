#include "judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* A hold may run out between the reading of the clock and the statement that lets holds expire. */
#define EXPIRY_SLACK_US INT64_C(30000000)

static bool PRINTF_LIKE(2, 3) find_fault(char problem[MODEL_PROBLEM_CHARS], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, MODEL_PROBLEM_CHARS, format, arguments);
    va_end(arguments);
    return false;
}

static const char *name_of(enum verdict verdict)
{
    return verdict < VERDICT_COUNT ? verdict_name(verdict) : "(none)";
}

/* --- The sale's row ---------------------------------------------------------------------------*/

static bool judge_sale(const struct model *model, const struct sale *sale,
                       char problem[MODEL_PROBLEM_CHARS])
{
    const struct {
        const char *name;
        int64_t is, should_be;
    } fields[] = {
        {"stock_total", sale->stock_total, model->total},
        {"stock_remaining", sale->stock_remaining, model->remaining},
        {"stock_returning", sale->stock_returning, model->returning},
        {"stock_returned", sale->stock_returned, model->returned},
        {"sold_out_since", sale->sold_out_since, model->sold_out_since},
        {"version", sale->version, model->version},
        {"per_customer_limit", sale->per_customer_limit, model->limit},
        {"hold_seconds", sale->hold_seconds, model->hold_seconds},
        {"paused", sale->paused, model->paused},
        {"ended", sale->ended, model->ended},
        {"start_time", sale->start_us, model->start_us},
        {"end_time", sale->end_us, model->end_us},
        {"orders_count", sale->orders_count, model->order_count},
    };
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (fields[i].is != fields[i].should_be) {
            return find_fault(problem, "%s is %" PRId64 " instead of %" PRId64, fields[i].name,
                              fields[i].is, fields[i].should_be);
        }
    }
    return true;
}

/* --- Transactions -----------------------------------------------------------------------------*/

/* Until when the transaction let holds expire: what it took must have been due. */
static bool find_expiry(const struct model *model, const struct witness_transaction *transaction,
                        int64_t *ret_expire_us, char problem[MODEL_PROBLEM_CHARS])
{
    *ret_expire_us = transaction->now_us;
    for (size_t i = 0; i < transaction->expired_count; i++) {
        int64_t number = transaction->expired[i];
        if (number < 1 || number > model->order_count ||
            model->orders[number - 1].status != ORDER_RESERVED ||
            model->orders[number - 1].expire_us > transaction->now_us + EXPIRY_SLACK_US) {
            return find_fault(problem, "order %" PRId64 " expired without being due", number);
        }
        if (model->orders[number - 1].expire_us > *ret_expire_us) {
            *ret_expire_us = model->orders[number - 1].expire_us;
        }
    }
    return true;
}

static void remember_order(struct witness_judgement *judgement, size_t position,
                           const struct model *model, const struct history_item *item)
{
    const struct model_order *order = model_find(model, item->customer, item->key);
    if (order != NULL) {
        judgement->orders[position] = *order;
        judgement->numbers[position] = model_number(model, order);
    }
}

static void turn_place(struct model *model, const struct history_step *step,
                       struct witness_transaction *transaction)
{
    struct witness_judgement *judgement = &transaction->judgement;
    for (size_t i = 0; i < transaction->item_count; i++) {
        size_t position = transaction->items[i];
        const struct history_item *item = &step->items[position];
        const struct model_placement placement = {item->customer, item->key, item->quantity};
        judgement->verdicts[position] = model_place(model, transaction->now_us, &placement);
        remember_order(judgement, position, model, item);
    }
}

static void turn_settle(struct model *model, const struct history_step *step,
                        struct witness_transaction *transaction)
{
    struct witness_judgement *judgement = &transaction->judgement;
    for (size_t i = 0; i < step->item_count; i++) {
        const struct history_item *item = &step->items[i];
        const struct model_settlement settlement = {item->customer, item->key, item->by,
                                                    (enum model_act)item->act};
        judgement->verdicts[i] = model_settle(model, &settlement);
        remember_order(judgement, i, model, item);
    }
}

static void turn(struct model *model, const struct history_step *step,
                 const struct player_result *result, struct witness_transaction *transaction)
{
    struct witness_judgement *judgement = &transaction->judgement;
    int64_t now_us = transaction->now_us;
    switch ((enum history_act)step->act) {
    case HISTORY_PLACE:
        turn_place(model, step, transaction);
        break;
    case HISTORY_SETTLE:
        turn_settle(model, step, transaction);
        break;
    case HISTORY_SWEEP:
        judgement->matured = model_mature(model, result->mature_up_to);
        break;
    case HISTORY_PAUSE:
    case HISTORY_RESUME:
        judgement->verdict = model_pause(model, now_us, step->act == HISTORY_PAUSE);
        break;
    case HISTORY_END:
        judgement->verdict = model_end(model, now_us);
        break;
    case HISTORY_SET_END:
        judgement->verdict = model_set_end(model, now_us, result->end_us);
        break;
    case HISTORY_SET_LIMIT:
        judgement->verdict = model_set_limit(model, step->value);
        break;
    case HISTORY_SET_TITLE:
        judgement->verdict = model_set_title(model, step->value);
        break;
    case HISTORY_RESTOCK:
        judgement->verdict = model_restock(model, now_us, step->key, step->value);
        break;
    default:
        UNREACHABLE("the other acts make no transaction");
    }
}

bool judge_transaction(struct model *model, const struct history_step *step,
                       const struct player_result *result, struct witness_transaction *transaction,
                       char problem[MODEL_PROBLEM_CHARS])
{
    int64_t expire_us;
    char what[MODEL_PROBLEM_CHARS - 64];

    if (transaction->version_before != model->version) {
        return find_fault(problem, "version %" PRId64 " was read instead of %" PRId64,
                          transaction->version_before, model->version);
    }
    if (transaction->is_placement != (step->act == HISTORY_PLACE) ||
        (step->act == HISTORY_SETTLE && transaction->item_count != step->item_count)) {
        return find_fault(problem, "the step made another transaction than it should");
    }
    if (!find_expiry(model, transaction, &expire_us, problem)) {
        return false;
    }
    memset(&transaction->judgement, 0, sizeof(transaction->judgement));
    model_begin(model, transaction->now_us, expire_us);
    if (model->turn.event.change_count != transaction->expired_count) {
        return find_fault(problem, "%zu holds expired instead of %zu", transaction->expired_count,
                          model->turn.event.change_count);
    }
    turn(model, step, result, transaction);
    model_finish(model, transaction->now_us);
    transaction->judgement.is_made = true;
    if (!judge_sale(model, &transaction->after, problem)) {
        snprintf(what, sizeof(what), "%s", problem);
        return find_fault(problem, "it was decided that %s", what);
    }
    return model_is_sound(model, problem);
}

/* --- What callers were told -------------------------------------------------------------------*/

static bool covers(const struct witness_transaction *transaction, size_t position)
{
    if (!transaction->is_placement) {
        return true;
    }
    for (size_t i = 0; i < transaction->item_count; i++) {
        if (transaction->items[i] == position) {
            return true;
        }
    }
    return false;
}

/* What is known of one item of a step, or of the whole of it. */
struct account {
    const struct witness_transaction *last;     /* about it; NULL: none was begun */
    const struct witness_transaction *answered; /* the last one that was told to be committed */
    bool is_done;                               /* some transaction about it was committed */
    bool is_unknown;                            /* of some it was told that nobody knows */
    unsigned unavailable;                       /* so often the store was */
};

static struct account account_of(const struct player_result *result, size_t position)
{
    struct account account = {0};
    for (size_t i = 0; i < result->transaction_count; i++) {
        const struct witness_transaction *transaction = &result->transactions[i];
        if (!covers(transaction, position)) {
            continue;
        }
        account.last = transaction;
        account.is_done |= transaction->end == WITNESS_COMMITTED;
        account.is_unknown |= transaction->told == STORE_UNKNOWN;
        account.unavailable += transaction->told == STORE_UNAVAILABLE;
        if (transaction->end == WITNESS_COMMITTED && transaction->told == STORE_OK) {
            account.answered = transaction;
        }
    }
    return account;
}

/*
 * Whether an answer that decides nothing is right: what is in doubt is asked about until time is
 * up; a lost connection is worth one more; a conflict is repeated; a value that is refused is
 * nobody's fault but its own order's; and whatever certainly did not happen may be said so.
 */
static bool is_justified(const struct player_result *result, const struct account *account,
                         enum verdict verdict)
{
    enum store_result told = account->last != NULL ? account->last->told : STORE_OK;
    switch (verdict) {
    case VERDICT_OUTCOME_UNKNOWN:
        return account->is_unknown && result->was_late;
    case VERDICT_OVERLOADED:
        return !account->is_done && (told == STORE_BUSY || result->was_late);
    case VERDICT_DATABASE_UNAVAILABLE:
        return !account->is_done && told == STORE_UNAVAILABLE &&
               (account->unavailable > 1 || result->was_late);
    case VERDICT_INTERNAL:
        return !account->is_done && told == STORE_REJECTED && account->last->item_count == 1;
    default:
        return false;
    }
}

static bool judge_unanswered(const struct player_result *result, const struct account *account,
                             enum verdict verdict, char problem[MODEL_PROBLEM_CHARS])
{
    if (result->faults_made == 0) {
        return find_fault(problem, "%s though nothing went wrong", name_of(verdict));
    }
    return is_justified(result, account, verdict) ||
           find_fault(problem, "%s though the store last said %d of it, %u times unavailable, %s%s",
                      name_of(verdict), account->last != NULL ? (int)account->last->told : -1,
                      account->unavailable, account->is_done ? "and it is done" : "it is not done",
                      result->was_late ? ", and time was up" : "");
}

static bool judge_order(const struct order *told, const struct model_order *order, int64_t number,
                        char problem[MODEL_PROBLEM_CHARS])
{
    if (told->number != number || told->quantity != order->quantity ||
        told->status != order->status || told->create_us != order->create_us ||
        told->expire_us != order->expire_us) {
        return find_fault(problem,
                          "order %" PRId64 " of %d, %s, made %" PRId64 ", until %" PRId64
                          " instead of %" PRId64 " of %d, %s, made %" PRId64 ", until %" PRId64,
                          told->number, told->quantity,
                          told->status < ORDER_STATUS_COUNT ? order_status_name(told->status) : "?",
                          told->create_us, told->expire_us, number, order->quantity,
                          order_status_name(order->status), order->create_us, order->expire_us);
    }
    return true;
}

static bool judge_item(const struct history_step *step, const struct player_result *result,
                       size_t i, char problem[MODEL_PROBLEM_CHARS])
{
    struct account account = account_of(result, i);
    enum verdict verdict = result->verdicts[i];

    if (account.answered == NULL) {
        return judge_unanswered(result, &account, verdict, problem);
    }
    const struct witness_judgement *judgement = &account.answered->judgement;
    CHECK(judgement->is_made);
    if (verdict != judgement->verdicts[i]) {
        return find_fault(problem, "%s instead of %s", name_of(verdict),
                          name_of(judgement->verdicts[i]));
    }
    bool has_order = verdict == VERDICT_PLACED || verdict == VERDICT_REPLAYED ||
                     (step->act == HISTORY_SETTLE && verdict != VERDICT_ORDER_NOT_FOUND);
    return !has_order ||
           judge_order(&result->orders[i], &judgement->orders[i], judgement->numbers[i], problem);
}

static bool judge_act(const struct history_step *step, const struct player_result *result,
                      char problem[MODEL_PROBLEM_CHARS])
{
    struct account account = account_of(result, 0);
    if (account.answered == NULL) {
        return judge_unanswered(result, &account, result->verdict, problem);
    }
    enum verdict expected = account.answered->judgement.verdict;
    /* Asked again after a doubt, a sale that is paused and has ended was perhaps paused by us. */
    bool is_perhaps_ours = (step->act == HISTORY_PAUSE || step->act == HISTORY_RESUME) &&
                           account.is_unknown && expected == VERDICT_SALE_ENDED &&
                           result->verdict == VERDICT_DONE &&
                           account.answered->after.paused == (step->act == HISTORY_PAUSE);
    if (result->verdict != expected && !is_perhaps_ours) {
        return find_fault(problem, "%s instead of %s", name_of(result->verdict), name_of(expected));
    }
    if (verdict_is_success(result->verdict) &&
        result->sale.version != account.answered->after.version) {
        return find_fault(problem, "the sale of version %" PRId64 " was told instead of %" PRId64,
                          result->sale.version, account.answered->after.version);
    }
    return true;
}

static bool judge_sweep(const struct player_result *result, char problem[MODEL_PROBLEM_CHARS])
{
    struct account account = account_of(result, 0);
    if ((result->swept == STORE_OK) != (account.answered != NULL)) {
        return find_fault(problem, "the sweep was told %d by the store", (int)result->swept);
    }
    if (account.answered == NULL) {
        return result->faults_made > 0 ||
               find_fault(problem, "a sweep failed (%d) though nothing went wrong",
                          (int)result->swept);
    }
    if (result->expired != account.answered->expired_count ||
        result->matured != account.answered->judgement.matured) {
        return find_fault(problem, "a sweep told of %zu expired and %d matured, not %zu and %d",
                          result->expired, result->matured, account.answered->expired_count,
                          account.answered->judgement.matured);
    }
    return true;
}

bool judge_step(const struct history_step *step, const struct player_result *result,
                char problem[MODEL_PROBLEM_CHARS])
{
    char what[MODEL_PROBLEM_CHARS - 64];

    switch ((enum history_act)step->act) {
    case HISTORY_PLACE:
    case HISTORY_SETTLE:
        for (size_t i = 0; i < step->item_count; i++) {
            if (!judge_item(step, result, i, problem)) {
                snprintf(what, sizeof(what), "%s", problem);
                return find_fault(problem, "item %zu was told %s", i + 1, what);
            }
        }
        return true;
    case HISTORY_SWEEP:
        return judge_sweep(result, problem);
    case HISTORY_NOTE:
    case HISTORY_CLOCK:
        return true;
    default:
        return judge_act(step, result, problem);
    }
}

/* --- What the database holds ------------------------------------------------------------------*/

static bool judge_order_row(const struct model *model, int at, const struct stage_order *row,
                            const struct uuid *sale_id, char problem[MODEL_PROBLEM_CHARS])
{
    const struct model_order *order = &model->orders[at];
    struct uuid order_id = player_order_id(sale_id, order->customer, order->key);
    char name[PLAYER_NAME_BYTES];

    player_name_customer(order->customer, name);
    if (!uuid_equal(&row->order.order_id, &order_id) || strcmp(row->customer, name) != 0) {
        return find_fault(problem, "order %d is not that of c%d with k%d", at + 1, order->customer,
                          order->key);
    }
    return judge_order(&row->order, order, at + 1, problem);
}

static bool has_change(const struct stage_view *view, const struct stage_event *event,
                       const struct model_change *change)
{
    for (size_t i = 0; i < event->change_count; i++) {
        const struct model_change *told = &view->changes[event->change_first + i];
        if (told->number == change->number) {
            return told->to == change->to;
        }
    }
    return false;
}

static bool judge_event(const struct model *model, size_t at, const struct stage_view *view,
                        char problem[MODEL_PROBLEM_CHARS])
{
    const struct model_event *event = &model->events[at];
    const struct stage_event *row = &view->events[at];

    if (row->sequence != (int64_t)at + 1) {
        return find_fault(problem, "after event %zu comes event %" PRId64, at, row->sequence);
    }
    /* When the sale was made is its database's secret. */
    if (at > 0 && row->time_us != event->time_us) {
        return find_fault(problem, "event %zu is of %" PRId64 " instead of %" PRId64, at + 1,
                          row->time_us, event->time_us);
    }
    if (row->placed_from != event->placed_from || row->placed_count != event->placed_count ||
        (row->placed_count > 0 && row->placed_status != event->placed_status)) {
        return find_fault(problem,
                          "event %zu tells of %d orders from %" PRId64 " on instead of %d from "
                          "%" PRId64 " on",
                          at + 1, row->placed_count, row->placed_from, event->placed_count,
                          event->placed_from);
    }
    if (row->change_count != event->change_count) {
        return find_fault(problem, "event %zu tells of %zu changes instead of %zu", at + 1,
                          row->change_count, event->change_count);
    }
    for (size_t i = 0; i < event->change_count; i++) {
        const struct model_change *change = &model->changes[event->change_first + i];
        if (!has_change(view, row, change)) {
            return find_fault(problem, "event %zu does not tell that order %" PRId64 " is %s",
                              at + 1, change->number, order_status_name(change->to));
        }
    }
    return true;
}

static bool judge_rest(const struct model *model, const struct stage_view *view,
                       const struct uuid *sale_id, char problem[MODEL_PROBLEM_CHARS])
{
    char title[STAGE_TITLE_BYTES];

    snprintf(title, sizeof(title), "title-%d", model->title);
    if (strcmp(view->title, title) != 0 || view->limit_lowered != model->limit_lowered) {
        return find_fault(problem, "the title is %s, limit %s lowered; instead of %s, %s",
                          view->title, view->limit_lowered ? "was" : "never", title,
                          model->limit_lowered ? "was" : "never");
    }
    if (view->order_count != (size_t)model->order_count ||
        view->event_count != (size_t)model->version) {
        return find_fault(problem, "%zu orders and %zu events instead of %d and %" PRId64,
                          view->order_count, view->event_count, model->order_count, model->version);
    }
    for (int i = 0; i < model->order_count; i++) {
        if (!judge_order_row(model, i, &view->orders[i], sale_id, problem)) {
            return false;
        }
    }
    for (size_t i = 0; i < (size_t)model->version; i++) {
        if (!judge_event(model, i, view, problem)) {
            return false;
        }
    }
    return true;
}

bool judge_view(const struct model *model, const struct stage_view *view,
                const struct uuid *sale_id, bool whole, char problem[MODEL_PROBLEM_CHARS])
{
    char what[MODEL_PROBLEM_CHARS - 64];
    if (judge_sale(model, &view->sale, problem) &&
        (!whole || judge_rest(model, view, sale_id, problem))) {
        return true;
    }
    snprintf(what, sizeof(what), "%s", problem);
    return find_fault(problem, "in the database %s", what);
}
