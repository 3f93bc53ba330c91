/*
 * The board's lock, its jobs and its ticks. The sales stand in a table (board_table.h); what one
 * read is for and what it brings is board_reading.h, and the filter under way board_building.h.
 *
 * One lock guards everything. Under it nothing is called that could come back here: jobs are
 * submitted and listeners called after it is given back.
 */
#include "orders/board/board.h"

#include "base/clock.h"
#include "orders/board/board_building.h"
#include "orders/board/board_reading.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const int64_t period_ns = BOARD_PERIOD_MS * CLOCK_NS_PER_MS;

struct board {
    struct board_config config;
    struct board_listener *listeners[BOARD_LISTENERS_MAX];
    size_t listener_count;

    struct lane_job read_job, build_job;
    struct board_reading reading;   /* while a job is out, its sale ids are the job's */
    struct board_building building; /* likewise its build */

    struct {
        pthread_mutex_t lock;
        struct board_table table;
        bool read_is_out, build_is_out;
    } _shared;
};

static int64_t now_of(const struct board *board)
{
    return board->config.system->monotonic_ns(board->config.system->data);
}

static void lock(struct board *board)
{
    pthread_mutex_lock(&board->_shared.lock);
}

static void unlock(struct board *board)
{
    pthread_mutex_unlock(&board->_shared.lock);
}

/* --- Jobs ---------------------------------------------------------------------------------- */

static void work(struct board *board, int64_t now_ns, bool strangers);

static void run_read(struct lane_job *job, const struct store *store, struct arena *arena)
{
    struct board *board = LIST_OBJECT(job, struct board, read_job);
    int64_t begun_ns = now_of(board); /* before the read: an entry is never younger than it says */
    struct store_sale_page page;

    enum store_result result =
        store->read_sales(store->data, board->reading.sale_ids, board->reading.count,
                          begun_ns + board->config.transaction_ns_max, arena, &page);
    lock(board);
    if (result == STORE_OK) {
        board_reading_take(&board->reading, &board->_shared.table, &page, begun_ns);
    }
    unlock(board);
    for (size_t i = 0; result == STORE_OK && i < board->listener_count; i++) {
        board->listeners[i]->on_read(board->listeners[i]->data);
    }
    lock(board);
    board->_shared.read_is_out = false;
    unlock(board);
    work(board, now_of(board), false);
}

/* The next tick tries again. */
static void refuse_read(struct lane_job *job, enum verdict verdict)
{
    struct board *board = LIST_OBJECT(job, struct board, read_job);
    (void)verdict;
    lock(board);
    board->_shared.read_is_out = false;
    unlock(board);
}

static void run_build(struct lane_job *job, const struct store *store, struct arena *arena)
{
    struct board *board = LIST_OBJECT(job, struct board, build_job);
    int64_t begun_ns = now_of(board);
    enum filter_build_step step = filter_build_step(
        &board->building.build, store, begun_ns + board->config.transaction_ns_max, arena);
    int64_t now_ns = now_of(board);

    lock(board);
    board->_shared.build_is_out = false;
    board_building_take(&board->building, &board->_shared.table, step, begun_ns, now_ns);
    unlock(board);
    work(board, now_ns, false);
}

static void refuse_build(struct lane_job *job, enum verdict verdict)
{
    struct board *board = LIST_OBJECT(job, struct board, build_job);
    (void)verdict;
    lock(board);
    board->_shared.build_is_out = false;
    board_building_wait(&board->building, &board->_shared.table, now_of(board));
    unlock(board);
}

/* --- Ticks --------------------------------------------------------------------------------- */

static void submit(struct board *board, struct lane_job *job, int64_t now_ns,
                   void (*submit_to)(struct lanes *, struct lane_job *),
                   void (*run)(struct lane_job *, const struct store *, struct arena *),
                   void (*refuse)(struct lane_job *, enum verdict))
{
    *job = (struct lane_job){
        .deadline_ns = now_ns + board->config.transaction_ns_max,
        .run = run,
        .refuse = refuse,
    };
    submit_to(board->config.lanes, job);
}

/* Fills the read job where it is free and something is due; true when it is to be submitted. */
static bool prepare_read_locked(struct board *board, int64_t now_ns, bool strangers)
{
    if (board->_shared.read_is_out) {
        return false;
    }
    board->_shared.read_is_out =
        board_reading_pick(&board->reading, &board->_shared.table, now_ns, strangers);
    return board->_shared.read_is_out;
}

static bool prepare_build_locked(struct board *board, int64_t now_ns)
{
    if (board->_shared.build_is_out) {
        return false;
    }
    board->_shared.build_is_out =
        board_building_pick(&board->building, &board->_shared.table, now_ns);
    return board->_shared.build_is_out;
}

/* Submits what is due. */
static void work(struct board *board, int64_t now_ns, bool strangers)
{
    lock(board);
    bool reads = prepare_read_locked(board, now_ns, strangers);
    bool builds = prepare_build_locked(board, now_ns);
    unlock(board);
    if (reads) {
        submit(board, &board->read_job, now_ns, lanes_submit_urgent_job, run_read, refuse_read);
    }
    if (builds) {
        submit(board, &board->build_job, now_ns, lanes_submit_job, run_build, refuse_build);
    }
}

static int64_t next_due_locked(struct board *board, int64_t now_ns)
{
    const struct board_table *table = &board->_shared.table;
    int64_t due_ns = now_ns + period_ns;
    if (!board->_shared.read_is_out) {
        due_ns = clock_earlier(due_ns, board_reading_due_ns(table, now_ns));
    }
    if (!board->_shared.build_is_out) {
        due_ns = clock_earlier(due_ns, board_building_due_ns(&board->building, table, now_ns));
    }
    return due_ns > now_ns ? due_ns : now_ns + CLOCK_NS_PER_MS;
}

int64_t board_tick(void *data, int64_t now_ns)
{
    struct board *board = data;
    lock(board);
    board_table_forget(&board->_shared.table, now_ns);
    unlock(board);
    work(board, now_ns, true);
    lock(board);
    int64_t due_ns = next_due_locked(board, now_ns);
    unlock(board);
    return due_ns;
}

/* --- What edges ask ------------------------------------------------------------------------ */

/* Of the time between the database's reading of its clock and now, age is the most. A sale that has
 * orders was open before the database's clock was set back: an edge must not refuse their retries.
 */
static int64_t starts_in_ms(const struct store_sale *seen, int64_t age_ms)
{
    if (seen->sale.orders_count > 0) {
        return 0;
    }
    int64_t left_us = seen->sale.start_us - seen->now_us;
    int64_t left_ms = left_us > 0 ? left_us / 1000 - age_ms : 0;
    return left_ms > 0 ? left_ms : 0;
}

static struct board_entry tell(const struct board_table_entry *entry, int64_t now_ns)
{
    const struct sale *sale = &entry->seen.sale;
    int64_t age_ms = (now_ns - entry->read_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
    bool has_filter = board_table_is_sold_out(entry) && board_table_is_in_force(entry);
    return (struct board_entry){
        .state = board_table_state(entry),
        .version = sale->version,
        .stock_remaining = sale->stock_remaining,
        .stock_returning = sale->stock_returning,
        .starts_in_ms = starts_in_ms(&entry->seen, age_ms),
        .age_ms = age_ms,
        .sold_out_since = sale->sold_out_since,
        .filter = has_filter ? board_filter_ref(entry->filter) : NULL,
    };
}

/* The entry of a sale that is asked for, or NULL when there is no room for it. */
static const struct board_table_entry *ask_locked(struct board *board, const struct uuid *sale_id,
                                                  int64_t now_ns)
{
    struct board_table *table = &board->_shared.table;
    struct board_table_entry *entry = board_table_find(table, sale_id);
    if (entry == NULL) {
        entry = board_table_add_stranger(table, sale_id);
    }
    if (entry != NULL) {
        board_table_note_asked(table, entry, now_ns);
    }
    return entry;
}

bool board_read(struct board *board, const struct uuid *sale_id, struct board_entry *ret)
{
    int64_t now_ns = now_of(board);
    lock(board);
    const struct board_table_entry *entry = ask_locked(board, sale_id, now_ns);
    bool is_seen = entry != NULL && entry->read_ns != BOARD_TABLE_NEVER_NS;
    if (is_seen) {
        *ret = tell(entry, now_ns);
    }
    unlock(board);
    return is_seen;
}

/* --- Streams ------------------------------------------------------------------------------- */

void board_add_listener(struct board *board, struct board_listener *listener)
{
    CHECK(board->listener_count < BOARD_LISTENERS_MAX && listener->on_read != NULL);
    list_init(&listener->_news);
    board->listeners[board->listener_count++] = listener;
}

int board_watch(struct board *board, struct board_watch *watch, struct board_listener *listener,
                const struct store_sale *seen, int64_t begun_ns)
{
    CHECK(watch->_entry == NULL);
    lock(board);
    watch->_listener = listener;
    int error = board_table_watch(&board->_shared.table, watch, seen, begun_ns);
    unlock(board);
    return error;
}

void board_unwatch(struct board *board, struct board_watch *watch)
{
    lock(board);
    if (watch->_entry != NULL) {
        board_table_unwatch(&board->_shared.table, watch);
        if (list_link_is_linked(&watch->_of_news)) {
            list_remove(&watch->_listener->_news, &watch->_of_news);
        }
    }
    unlock(board);
}

/* What came from the database is within bounds, or the store would not have let it through. */
static void copy_text(char to[BOARD_TEXT_BYTES_MAX + 1], const char *from)
{
    size_t length = strnlen(from, BOARD_TEXT_BYTES_MAX);
    memcpy(to, from, length);
    to[length] = '\0';
}

static void copy_sale_locked(const struct board_table_entry *entry, struct board_sale *ret)
{
    ret->seen = entry->seen;
    copy_text(ret->sku, entry->seen.sale.sku);
    copy_text(ret->title, entry->seen.sale.title);
    ret->seen.sale.sku = ret->sku;
    ret->seen.sale.title = ret->title;
}

struct board_watch *board_take_news(struct board *board, struct board_listener *listener,
                                    struct board_sale *ret_sale)
{
    struct board_watch *watch = NULL;
    lock(board);
    struct list_link *link = list_pop_front(&listener->_news);
    if (link != NULL) {
        watch = LIST_OBJECT(link, struct board_watch, _of_news);
        copy_sale_locked(watch->_entry, ret_sale);
    }
    unlock(board);
    return watch;
}

void board_look(struct board *board, const struct board_watch *watch, struct board_sale *ret_sale)
{
    lock(board);
    CHECK(watch->_entry != NULL);
    copy_sale_locked(watch->_entry, ret_sale);
    unlock(board);
}

/* --- Life ---------------------------------------------------------------------------------- */

int board_create(const struct board_config *config, struct board **ret)
{
    struct board *board = calloc(1, sizeof(*board));
    uint64_t secret[2];

    CHECK(config->sales_max > 0 && config->strangers_max > 0);
    if (board == NULL) {
        return -ENOMEM;
    }
    config->system->random_bytes(config->system->data, (uint8_t *)secret, sizeof(secret));
    if (board_table_init(&board->_shared.table, config, secret) < 0) {
        free(board);
        return -ENOMEM;
    }
    board->config = *config;
    pthread_mutex_init(&board->_shared.lock, NULL);
    *ret = board;
    return 0;
}

void board_destroy(struct board *board)
{
    if (board == NULL) {
        return;
    }
    lock(board);
    CHECK(!board->_shared.read_is_out && !board->_shared.build_is_out);
    board_building_fini(&board->building, &board->_shared.table);
    board_table_fini(&board->_shared.table);
    unlock(board);
    pthread_mutex_destroy(&board->_shared.lock);
    free(board);
}

struct board_stats board_stats(struct board *board)
{
    lock(board);
    struct board_stats stats = {
        .sales = board->_shared.table.known.count,
        .strangers = board->_shared.table.strangers.count,
        .filter_bytes = board->_shared.table.filter_bytes,
    };
    unlock(board);
    return stats;
}
