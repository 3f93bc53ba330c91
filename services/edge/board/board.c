#include "edge/board/board.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/order_id.h"
#include "base/sale_table.h"
#include "edge/limits.h"
#include "metrics/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(EDGE_BOARD_FILTER_BYTES_MAX >= ID_FILTER_BYTES_MAX,
               "the largest sale's filter has room");

/* No sale that is refused for it opens later than this counts; keeps sums of times small. */
#define STARTS_IN_MS_MAX (INT64_C(3600) * 1000)

#define ROUND_NS   (EDGE_BOARD_ROUND_MS * CLOCK_NS_PER_MS)
#define TRAFFIC_NS (EDGE_BOARD_TRAFFIC_MS * CLOCK_NS_PER_MS)
#define FORGET_NS  (EDGE_BOARD_FORGET_MS * CLOCK_NS_PER_MS)
#define IDLE_NS    (EDGE_BOARD_FILTER_IDLE_MS * CLOCK_NS_PER_MS)
#define RETRY_NS   (EDGE_BOARD_FILTER_RETRY_MS * CLOCK_NS_PER_MS)
#define LEASE_NS   (CONTRACT_BOARD_LEASE_MS * CLOCK_NS_PER_MS)
#define MARGIN_NS  (EDGE_BOARD_START_MARGIN_MS * CLOCK_NS_PER_MS)

/* What is known of a sale. version is 0 while nothing is. */
struct entry {
    int64_t version, sold_out_since;
    enum board_state state;
    bool has_stock;  /* remaining or returning */
    int64_t read_ns; /* the database was read at this time, or later */
    int64_t starts_at_ns;
};

/*
 * A sale is free, a newcomer, or known, by the list that it is on. Loops make newcomers of free
 * slots and of older newcomers, and known sales of newcomers; all other moves are the asker's, who
 * alone may therefore hold on to a known sale without the lock. A known sale has an entry, or
 * orders has vouched for it.
 */
struct sale {
    struct sale_table_entry by_id;
    struct list_link link;
    bool is_known;
    int64_t traffic_ns, asked_ns;
    struct entry entry;          /* written by the asker, read by loops */
    struct board_filter *filter; /* complete; likewise */
    /* The asker's alone. */
    struct board_filter *receiving;
    bool goes_on;            /* the replica has more of the filter */
    int64_t no_room_version; /* the filter that found no room, */
    int64_t no_room_total;
    int64_t no_room_until_ns;
};

struct board {
    size_t filter_bytes_max;
    struct metrics_counter *refused[BOARD_VERDICTS]; /* NULL where nothing is counted */
    board_awake_fn on_awake;
    void *on_awake_data;
    atomic_size_t filter_bytes; /* written by the asker */
    atomic_size_t newcomers;    /* as many as there were when the lock was last given back */
    struct {
        pthread_mutex_t lock;
        struct sale_table table;
        struct list free, newcomers, known; /* the last two by when they were asked for */
        bool is_awake;                      /* there may be something to ask for */
        int64_t next_round_ns;              /* while awake */
        int64_t next_forget_ns;             /* while asleep */
    } _shared;
    struct sale sales[];
};

static struct sale *sale_of(struct list_link *link)
{
    return LIST_OBJECT(link, struct sale, link);
}

static void lock(struct board *board)
{
    (void)pthread_mutex_lock(&board->_shared.lock);
}

static void unlock(struct board *board)
{
    atomic_store_explicit(&board->newcomers, board->_shared.newcomers.count, memory_order_relaxed);
    (void)pthread_mutex_unlock(&board->_shared.lock);
}

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
    CHECK(config->sales_max >= 1);
    struct board *board = calloc(1, sizeof(*board) + config->sales_max * sizeof(struct sale));
    if (board == NULL) {
        return -ENOMEM;
    }
    if (sale_table_init(&board->_shared.table, config->sales_max, config->secret) != 0) {
        free(board);
        return -ENOMEM;
    }
    board->filter_bytes_max = config->filter_bytes_max;
    count_refusals(board, config->metrics);
    (void)pthread_mutex_init(&board->_shared.lock, NULL);
    list_init(&board->_shared.free);
    list_init(&board->_shared.newcomers);
    list_init(&board->_shared.known);
    board->_shared.next_forget_ns = CLOCK_DEADLINE_NEVER;
    for (size_t i = 0; i < config->sales_max; i++) {
        list_push_back(&board->_shared.free, &board->sales[i].link);
    }
    *ret = board;
    return 0;
}

void board_destroy(struct board *board)
{
    if (board == NULL) {
        return;
    }
    LIST_FOREACH_SAFE (&board->_shared.known, link, following) {
        board_filter_unref(sale_of(link)->filter);
        board_filter_unref(sale_of(link)->receiving);
    }
    sale_table_fini(&board->_shared.table);
    (void)pthread_mutex_destroy(&board->_shared.lock);
    free(board);
}

/* --- Traffic ---------------------------------------------------------------------------------- */

/* A slot for a sale that nobody asked for lately; NULL when all are taken by known sales. */
static struct sale *take_slot_locked(struct board *board)
{
    struct list_link *link = list_pop_front(&board->_shared.free);
    if (link != NULL) {
        return sale_of(link);
    }
    link = list_pop_front(&board->_shared.newcomers);
    if (link == NULL) {
        return NULL;
    }
    sale_table_remove(&board->_shared.table, &sale_of(link)->by_id);
    return sale_of(link);
}

static struct sale *find_locked(const struct board *board, const struct uuid *sale_id)
{
    struct sale_table_entry *found = sale_table_find(&board->_shared.table, sale_id);
    return found == NULL ? NULL : LIST_OBJECT(found, struct sale, by_id);
}

static struct sale *add_newcomer_locked(struct board *board, const struct uuid *sale_id)
{
    struct sale *sale = take_slot_locked(board);
    if (sale == NULL) {
        return NULL;
    }
    CHECK(sale->filter == NULL && sale->receiving == NULL);
    memset(sale, 0, sizeof(*sale));
    sale->asked_ns = INT64_MIN / 2; /* never */
    sale->by_id.sale_id = *sale_id;
    sale_table_add(&board->_shared.table, &sale->by_id);
    list_push_back(&board->_shared.newcomers, &sale->link);
    return sale;
}

/* The sale of an order that somebody wants to place; NULL where there is no room for it.
 * *ret_wakes: the asker has to hear of it. */
static struct sale *note_traffic_locked(struct board *board, const struct uuid *sale_id,
                                        int64_t now_ns, bool *ret_wakes)
{
    struct sale *sale = find_locked(board, sale_id);
    if (sale == NULL) {
        sale = add_newcomer_locked(board, sale_id);
    }
    if (sale == NULL) {
        return NULL;
    }
    if (sale->traffic_ns < now_ns) {
        sale->traffic_ns = now_ns;
    }
    *ret_wakes = !board->_shared.is_awake;
    board->_shared.is_awake = true;
    return sale;
}

static void make_known_locked(struct board *board, struct sale *sale)
{
    if (!sale->is_known) {
        sale->is_known = true;
        list_remove(&board->_shared.newcomers, &sale->link);
        list_push_back(&board->_shared.known, &sale->link);
    }
}

/* Without the lock: the asker takes it. */
static void wake(const struct board *board)
{
    if (board->on_awake != NULL) {
        board->on_awake(board->on_awake_data);
    }
}

/* Where there are no newcomers nobody can have pushed the sale out, and it will be asked for next.
 */
void board_vouch(struct board *board, const struct uuid *sale_id, int64_t now_ns)
{
    if (atomic_load_explicit(&board->newcomers, memory_order_relaxed) == 0) {
        return;
    }
    bool wakes = false;
    lock(board);
    struct sale *sale = note_traffic_locked(board, sale_id, now_ns, &wakes);
    if (sale != NULL) {
        make_known_locked(board, sale);
    }
    unlock(board);
    if (wakes) {
        wake(board);
    }
}

/* --- Judging ---------------------------------------------------------------------------------- */

static bool is_in_lease(const struct entry *entry, int64_t now_ns)
{
    return entry->version > 0 && now_ns < entry->read_ns + LEASE_NS;
}

/* Whether the filter holds every order that there can be while the entry counts. */
static bool filter_counts(const struct sale *sale)
{
    return sale->filter != NULL && sale->entry.sold_out_since > 0 &&
           sale->filter->version >= sale->entry.sold_out_since;
}

/* What the entry says of any order; SOLD_OUT still has to ask *ret_filter, of which the caller has
 * a reference then. */
static enum board_verdict judge_sale_locked(const struct sale *sale, int64_t now_ns,
                                            struct board_filter **ret_filter)
{
    const struct entry *entry = &sale->entry;
    if (!is_in_lease(entry, now_ns)) {
        return BOARD_FORWARD;
    }
    if (entry->state == BOARD_STATE_SCHEDULED) {
        return entry->starts_at_ns - now_ns > MARGIN_NS ? BOARD_NOT_STARTED : BOARD_FORWARD;
    }
    if (entry->state != BOARD_STATE_SOLD_OUT || entry->has_stock || !filter_counts(sale)) {
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
    lock(board);
    const struct sale *sale = note_traffic_locked(board, &question->sale_id, now_ns, &wakes);
    if (sale != NULL) {
        verdict = judge_sale_locked(sale, now_ns, &filter);
    }
    unlock(board);
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

/* --- Filters: the asker's thread -------------------------------------------------------------- */

static void add_filter_bytes(struct board *board, const struct board_filter *filter)
{
    (void)atomic_fetch_add_explicit(&board->filter_bytes, filter->ids.shape.bytes,
                                    memory_order_relaxed);
}

/* The reference of the table. Loops that look into the filter right now have their own. */
static void drop_filter(struct board *board, struct board_filter *filter)
{
    if (filter != NULL) {
        (void)atomic_fetch_sub_explicit(&board->filter_bytes, filter->ids.shape.bytes,
                                        memory_order_relaxed);
        board_filter_unref(filter);
    }
}

static void drop_receiving(struct board *board, struct sale *sale)
{
    drop_filter(board, sale->receiving);
    sale->receiving = NULL;
}

/* Sets the filter that loops see; NULL for none. */
static void put_filter(struct board *board, struct sale *sale, struct board_filter *filter)
{
    lock(board);
    struct board_filter *before = sale->filter;
    sale->filter = filter;
    unlock(board);
    drop_filter(board, before);
}

/* The known sale with a filter that was quiet longest; NULL when none is quiet. */
static struct sale *find_quiet(struct board *board, const struct sale *except, int64_t now_ns)
{
    struct sale *found = NULL;
    lock(board);
    LIST_FOREACH_SAFE (&board->_shared.known, link, following) {
        struct sale *sale = sale_of(link);
        bool is_quiet = sale->traffic_ns + IDLE_NS < now_ns;
        if (sale != except && is_quiet && (sale->filter != NULL || sale->receiving != NULL) &&
            (found == NULL || sale->traffic_ns < found->traffic_ns)) {
            found = sale;
        }
    }
    unlock(board);
    return found;
}

/* Makes room for so many bytes, if need be by throwing out filters of sales that are quiet: one of
 * a busy sale would only be fetched again. */
static bool make_room(struct board *board, const struct sale *sale, size_t bytes, int64_t now_ns)
{
    while (board_filter_bytes(board) + bytes > board->filter_bytes_max) {
        struct sale *quiet = find_quiet(board, sale, now_ns);
        if (quiet == NULL) {
            return false;
        }
        drop_receiving(board, quiet);
        put_filter(board, quiet, NULL);
    }
    return true;
}

/* Begins the filter that a chunk is the beginning of; false without room for it. */
static bool begin_filter(struct board *board, struct sale *sale, const struct board_chunk *chunk,
                         struct id_filter_shape shape, int64_t now_ns)
{
    CHECK(sale->receiving == NULL);
    if (make_room(board, sale, shape.bytes, now_ns) &&
        board_filter_create(chunk->version, shape, &sale->receiving) == 0) {
        add_filter_bytes(board, sale->receiving);
        return true;
    }
    sale->no_room_version = chunk->version;
    sale->no_room_total = chunk->total;
    sale->no_room_until_ns = now_ns + RETRY_NS;
    return false;
}

/* Drops what cannot count any more: stock has remained since, or ran out again later. */
static void drop_outdated(struct board *board, struct sale *sale)
{
    const struct entry *entry = &sale->entry;
    int64_t needed = entry->sold_out_since > 0 ? entry->sold_out_since : entry->version + 1;
    if (sale->filter != NULL && sale->filter->version < needed) {
        put_filter(board, sale, NULL);
    }
    if (sale->receiving != NULL && sale->receiving->version < needed) {
        drop_receiving(board, sale);
    }
}

static bool continues(const struct board_filter *receiving, const struct board_chunk *chunk,
                      struct id_filter_shape shape)
{
    return receiving != NULL && receiving->version == chunk->version &&
           receiving->received == (uint64_t)chunk->offset &&
           id_filter_shape_equal(receiving->ids.shape, shape);
}

/* Makes receiving what the chunk can be written to. A chunk of anything else than what was
 * collected begins anew, which it can only do from the start. */
static bool prepare_receiving(struct board *board, struct sale *sale,
                              const struct board_chunk *chunk, int64_t now_ns)
{
    struct id_filter_shape shape;
    bool is_filter =
        chunk->offset >= 0 && id_filter_shape_read(chunk->total, chunk->hashes, &shape);
    if (is_filter && continues(sale->receiving, chunk, shape)) {
        return true;
    }
    drop_receiving(board, sale);
    return is_filter && chunk->offset == 0 && chunk->length > 0 &&
           begin_filter(board, sale, chunk, shape, now_ns);
}

/* Writes the chunk and puts the filter into force once it is whole; true when there is more. */
static bool write_chunk(struct board *board, struct sale *sale, const struct board_chunk *chunk)
{
    if (!board_filter_write(sale->receiving, chunk)) {
        drop_receiving(board, sale);
        return false;
    }
    if (!board_filter_is_complete(sale->receiving)) {
        return true;
    }
    struct board_filter *complete = sale->receiving;
    sale->receiving = NULL;
    put_filter(board, sale, complete);
    return false;
}

/* Takes a chunk for what is known of the sale by now; true when asking at once gets on. */
static bool take_chunk(struct board *board, struct sale *sale, const struct board_chunk *chunk,
                       int64_t now_ns)
{
    const struct entry *entry = &sale->entry;
    sale->goes_on = false;
    bool is_needed = entry->sold_out_since > 0 && chunk->version >= entry->sold_out_since;
    bool is_there = sale->filter != NULL && sale->filter->version >= chunk->version;
    if (!is_needed || is_there) {
        return false;
    }
    if (!prepare_receiving(board, sale, chunk, now_ns)) {
        return false;
    }
    sale->goes_on = write_chunk(board, sale, chunk);
    /* A peer that sends crumbs is asked at leisure. */
    return sale->goes_on && chunk->length == ID_FILTER_CHUNK_BYTES_MAX;
}

/* --- Entries: the asker's thread -------------------------------------------------------------- */

static bool is_plausible(const struct board_news *news)
{
    return news->version >= 1 && news->sold_out_since >= 0 &&
           news->sold_out_since <= news->version && news->stock_remaining >= 0 &&
           news->stock_returning >= 0 && news->starts_in_ms >= 0 && news->age_ms >= 0;
}

/* When the database was read at the earliest. An age past the lease says no more than that. */
static int64_t read_ns_of(const struct board_news *news, int64_t asked_ns)
{
    int64_t age_ms =
        news->age_ms < CONTRACT_BOARD_LEASE_MS ? news->age_ms : CONTRACT_BOARD_LEASE_MS;
    return asked_ns - age_ms * CLOCK_NS_PER_MS;
}

static int64_t starts_at_ns_of(const struct board_news *news, int64_t read_ns)
{
    int64_t starts_in_ms =
        news->starts_in_ms < STARTS_IN_MS_MAX ? news->starts_in_ms : STARTS_IN_MS_MAX;
    return read_ns + starts_in_ms * CLOCK_NS_PER_MS;
}

/* A lower version neither replaces nor renews; of the same one the latest reading counts. */
static void take_entry_locked(struct sale *sale, const struct board_news *news, int64_t asked_ns)
{
    struct entry *entry = &sale->entry;
    int64_t read_ns = read_ns_of(news, asked_ns);
    if (news->version < entry->version ||
        (news->version == entry->version && read_ns <= entry->read_ns)) {
        return;
    }
    *entry = (struct entry){
        .version = news->version,
        .sold_out_since = news->sold_out_since,
        .state = news->state,
        .has_stock = news->stock_remaining > 0 || news->stock_returning > 0,
        .read_ns = read_ns,
        .starts_at_ns = starts_at_ns_of(news, read_ns),
    };
}

/* The sale that news are about, with the news in its entry; NULL when it has left the table. */
static struct sale *take_entry(struct board *board, const struct board_news *news, int64_t asked_ns)
{
    lock(board);
    struct sale *sale = find_locked(board, &news->sale_id);
    if (sale != NULL) {
        make_known_locked(board, sale);
        take_entry_locked(sale, news, asked_ns);
        CHECK(sale->entry.version > 0);
    }
    unlock(board);
    return sale;
}

bool board_take(struct board *board, const struct board_news *news, int64_t asked_ns)
{
    struct sale *sale = is_plausible(news) ? take_entry(board, news, asked_ns) : NULL;
    if (sale == NULL) {
        return false;
    }
    drop_outdated(board, sale);
    return news->has_chunk && take_chunk(board, sale, &news->chunk, asked_ns);
}

/* --- Rounds: the asker's thread --------------------------------------------------------------- */

static bool has_traffic(const struct sale *sale, int64_t now_ns)
{
    return sale->traffic_ns + TRAFFIC_NS > now_ns;
}

static bool is_due(const struct sale *sale, int64_t now_ns)
{
    return has_traffic(sale, now_ns) && (sale->goes_on || sale->asked_ns + ROUND_NS <= now_ns);
}

static void fill_position(const struct sale *sale, int64_t now_ns, struct board_position *position)
{
    *position = (struct board_position){
        .sale_id = sale->by_id.sale_id,
        .version = sale->entry.version,
    };
    if (filter_counts(sale)) {
        position->filter_version = sale->filter->version;
        position->filter_offset = (int64_t)sale->filter->ids.shape.bytes;
    } else if (sale->receiving != NULL) {
        position->filter_version = sale->receiving->version;
        position->filter_offset = (int64_t)sale->receiving->received;
    } else if (sale->no_room_until_ns > now_ns) {
        /* As if all of it were here, so that nobody sends what would be thrown away. */
        position->filter_version = sale->no_room_version;
        position->filter_offset = sale->no_room_total;
    }
}

/* Adds those of a list that are due, up to so many positions; true when more are due. */
static bool add_positions_locked(struct list *list, int64_t now_ns, size_t max,
                                 struct board_position *positions, size_t *count)
{
    struct list_link *link = list_first(list);
    for (size_t left = list->count; left > 0; left--) {
        struct list_link *following = link->next;
        struct sale *sale = sale_of(link);
        link = following;
        if (!is_due(sale, now_ns)) {
            continue;
        }
        if (*count == max) {
            return true;
        }
        fill_position(sale, now_ns, &positions[(*count)++]);
        sale->asked_ns = now_ns;
        list_remove(list, &sale->link);
        list_push_back(list, &sale->link);
    }
    return false;
}

/* Takes a sale that nobody asks for out of the table; its filters are the caller's then. */
static void forget_locked(struct board *board, struct list *list, struct sale *sale,
                          struct board_filter *ret_filters[2])
{
    ret_filters[0] = sale->filter;
    ret_filters[1] = sale->receiving;
    sale->filter = NULL;
    sale->receiving = NULL;
    sale_table_remove(&board->_shared.table, &sale->by_id);
    list_remove(list, &sale->link);
    list_push_back(&board->_shared.free, &sale->link);
}

/* A sale of the list that has been quiet for so long; NULL when there is none, and then it is noted
 * when there will be one. */
static struct sale *find_forgettable_locked(struct board *board, const struct list *list,
                                            int64_t now_ns, int64_t quiet_ns)
{
    LIST_FOREACH_SAFE (list, link, following) {
        struct sale *sale = sale_of(link);
        int64_t due_ns = sale->traffic_ns + quiet_ns;
        if (due_ns <= now_ns) {
            return sale;
        }
        if (due_ns < board->_shared.next_forget_ns) {
            board->_shared.next_forget_ns = due_ns;
        }
    }
    return NULL;
}

/* Forgets what has been quiet for so long, one by one, so that the lock is never held for long. */
static void forget_quiet(struct board *board, struct list *list, int64_t now_ns, int64_t quiet_ns)
{
    struct sale *sale;
    do {
        struct board_filter *filters[2] = {NULL, NULL};
        lock(board);
        sale = find_forgettable_locked(board, list, now_ns, quiet_ns);
        if (sale != NULL) {
            forget_locked(board, list, sale, filters);
        }
        unlock(board);
        drop_filter(board, filters[0]);
        drop_filter(board, filters[1]);
    } while (sale != NULL);
}

/* Known sales are kept for a while, filters and all, unless they leave no room for others. */
static void forget(struct board *board, int64_t now_ns)
{
    lock(board);
    board->_shared.next_forget_ns = CLOCK_DEADLINE_NEVER;
    bool is_full = list_is_empty(&board->_shared.free) && list_is_empty(&board->_shared.newcomers);
    unlock(board);
    forget_quiet(board, &board->_shared.newcomers, now_ns, TRAFFIC_NS);
    forget_quiet(board, &board->_shared.known, now_ns, is_full ? TRAFFIC_NS : FORGET_NS);
}

static bool any_has_traffic_locked(const struct list *list, int64_t now_ns)
{
    LIST_FOREACH_SAFE (list, link, following) {
        if (has_traffic(sale_of(link), now_ns)) {
            return true;
        }
    }
    return false;
}

size_t board_positions(struct board *board, int64_t now_ns, struct board_position *positions,
                       bool *ret_has_more)
{
    struct list *newcomers = &board->_shared.newcomers;
    struct list *known = &board->_shared.known;
    size_t count = 0;
    forget(board, now_ns);
    lock(board);
    size_t kept = newcomers->count < EDGE_BOARD_NEWCOMERS_PER_ROUND
                      ? newcomers->count
                      : EDGE_BOARD_NEWCOMERS_PER_ROUND;
    *ret_has_more =
        add_positions_locked(known, now_ns, EDGE_BOARD_POSITIONS_MAX - kept, positions, &count);
    /* Newcomers that are left over wait for the next round: strangers do not set the pace. */
    (void)add_positions_locked(newcomers, now_ns, EDGE_BOARD_POSITIONS_MAX, positions, &count);
    board->_shared.is_awake =
        any_has_traffic_locked(known, now_ns) || any_has_traffic_locked(newcomers, now_ns);
    board->_shared.next_round_ns = now_ns + ROUND_NS;
    unlock(board);
    return count;
}

void board_end_round(struct board *board, int64_t asked_ns, bool goes_on)
{
    lock(board);
    board->_shared.next_round_ns = goes_on ? asked_ns : asked_ns + ROUND_NS;
    unlock(board);
}

int64_t board_next_due_ns(struct board *board)
{
    lock(board);
    int64_t due_ns =
        board->_shared.is_awake ? board->_shared.next_round_ns : board->_shared.next_forget_ns;
    unlock(board);
    return due_ns;
}

void board_on_awake(struct board *board, board_awake_fn on_awake, void *data)
{
    board->on_awake = on_awake;
    board->on_awake_data = data;
}

/* --- For gauges ------------------------------------------------------------------------------- */

size_t board_sales(struct board *board)
{
    lock(board);
    size_t count = board->_shared.newcomers.count + board->_shared.known.count;
    unlock(board);
    return count;
}

size_t board_filter_bytes(const struct board *board)
{
    return atomic_load_explicit(&board->filter_bytes, memory_order_relaxed);
}
