#include "edge/board/board.h"

#include "base/order_id.h"
#include "edge/board/board_entry.h"
#include "edge/board/board_filters.h"
#include "edge/board/board_rounds.h"
#include "edge/board/board_table.h"
#include "metrics/metrics.h"

#include <errno.h>
#include <stdlib.h>

struct board {
    struct board_table table;
    struct board_filters filters;
    struct metrics_counter *refused[BOARD_VERDICTS]; /* NULL where nothing is counted */
    board_awake_fn on_awake;
    void *on_awake_data;
};

/* --- Life ------------------------------------------------------------------------------------- */

static void count_refusals(struct board *board, struct metrics *metrics)
{
    static const char *const reasons[BOARD_VERDICTS] = {
        [BOARD_SOLD_OUT] = "SOLD_OUT",
        [BOARD_NOT_STARTED] = "SALE_NOT_STARTED",
    };
    for (size_t i = 0; i < BOARD_VERDICTS; i++) {
        if (metrics != NULL && reasons[i] != NULL) {
            board->refused[i] = metrics_counter(
                metrics, "stampede_board_refused_total",
                "Orders refused by the edge alone, without a call to the orders service.",
                METRICS_LABELS({"reason", reasons[i]}));
        }
    }
}

int board_create(const struct board_config *config, struct board **ret)
{
    struct board *board = calloc(1, sizeof(*board));
    if (board == NULL) {
        return -ENOMEM;
    }
    int error = board_table_init(&board->table, config->sales_max, config->secret);
    if (error != 0) {
        free(board);
        return error;
    }
    board_filters_init(&board->filters, &board->table, config->filter_bytes_max);
    count_refusals(board, config->metrics);
    *ret = board;
    return 0;
}

void board_destroy(struct board *board)
{
    if (board == NULL) {
        return;
    }
    board_table_fini(&board->table);
    free(board);
}

void board_on_awake(struct board *board, board_awake_fn on_awake, void *data)
{
    board->on_awake = on_awake;
    board->on_awake_data = data;
}

/* Without the lock: the asker takes it. */
static void wake(const struct board *board)
{
    if (board->on_awake != NULL) {
        board->on_awake(board->on_awake_data);
    }
}

/* --- Judging: any thread ---------------------------------------------------------------------- */

/* What the sale's entry says of any order; SOLD_OUT still has to ask *ret_filter, of which the
 * caller has a reference then. */
static enum board_verdict judge_sale_locked(const struct board_sale *sale, int64_t now_ns,
                                            struct board_filter **ret_filter)
{
    if (board_entry_is_not_started(&sale->entry, now_ns)) {
        return BOARD_NOT_STARTED;
    }
    if (!board_entry_is_sold_out(&sale->entry, now_ns) || !board_filters_is_current(sale)) {
        return BOARD_FORWARD;
    }
    *ret_filter = board_filter_ref(sale->filter);
    return BOARD_SOLD_OUT;
}

static bool may_exist(const struct board_filter *filter, const struct board_question *question)
{
    struct uuid order_id =
        order_id_of(&question->sale_id, question->customer_id, question->customer_length,
                    question->key, question->key_length);
    return id_filter_may_contain(&filter->ids, &order_id);
}

enum board_verdict board_judge(struct board *board, const struct board_question *question,
                               int64_t now_ns)
{
    struct board_filter *filter = NULL;
    enum board_verdict verdict = BOARD_FORWARD;
    bool wakes = false;
    board_table_lock(&board->table);
    const struct board_sale *sale =
        board_table_note_traffic_locked(&board->table, &question->sale_id, now_ns, &wakes);
    if (sale != NULL) {
        verdict = judge_sale_locked(sale, now_ns, &filter);
    }
    board_table_unlock(&board->table);
    if (filter != NULL && may_exist(filter, question)) {
        verdict = BOARD_FORWARD;
    }
    board_filter_unref(filter);
    if (wakes) {
        wake(board);
    }
    if (board->refused[verdict] != NULL) {
        metrics_counter_add(board->refused[verdict], 1);
    }
    return verdict;
}

/* Where there are no newcomers nobody can have pushed the sale out, and it will be asked for next.
 */
void board_vouch(struct board *board, const struct uuid *sale_id, int64_t now_ns)
{
    if (!board_table_has_newcomers(&board->table)) {
        return;
    }
    bool wakes = false;
    board_table_lock(&board->table);
    struct board_sale *sale =
        board_table_note_traffic_locked(&board->table, sale_id, now_ns, &wakes);
    if (sale != NULL) {
        board_table_make_known_locked(&board->table, sale);
    }
    board_table_unlock(&board->table);
    if (wakes) {
        wake(board);
    }
}

/* --- Asking: the asker's thread --------------------------------------------------------------- */

/* The sale that news are about, with the news in its entry; NULL when it has left the table. */
static struct board_sale *take_entry(struct board_table *table, const struct board_news *news,
                                     int64_t asked_ns)
{
    board_table_lock(table);
    struct board_sale *sale = board_table_find_locked(table, &news->sale_id);
    if (sale != NULL) {
        board_table_make_known_locked(table, sale);
        board_entry_take(&sale->entry, news, asked_ns);
        CHECK(sale->entry.version > 0);
    }
    board_table_unlock(table);
    return sale;
}

bool board_take(struct board *board, const struct board_news *news, int64_t asked_ns)
{
    struct board_sale *sale =
        board_entry_is_plausible(news) ? take_entry(&board->table, news, asked_ns) : NULL;
    if (sale == NULL) {
        return false;
    }
    board_filters_drop_outdated(&board->filters, sale);
    return news->has_chunk && board_filters_take(&board->filters, sale, &news->chunk, asked_ns);
}

size_t board_positions(struct board *board, int64_t now_ns, struct board_position *positions,
                       bool *ret_has_more)
{
    return board_rounds_begin(&board->table, &board->filters, now_ns, positions, ret_has_more);
}

void board_end_round(struct board *board, int64_t asked_ns, bool goes_on)
{
    board_rounds_end(&board->table, asked_ns, goes_on);
}

int64_t board_next_due_ns(struct board *board)
{
    return board_rounds_next_due_ns(&board->table);
}

/* --- For gauges: any thread ------------------------------------------------------------------- */

size_t board_sales(struct board *board)
{
    return board_table_count(&board->table);
}

size_t board_filter_bytes(const struct board *board)
{
    return board_filters_bytes(&board->filters);
}
