/*
 * The board's table, its reads and its filters. An entry's way:
 *
 *   asked for ──▶ stranger ──found──▶ known ──not asked, no watch──▶ forgotten
 *                    │ not found, crowded out                 ▲
 *                    └────────────────────────────────────────┘
 *
 * One lock guards everything. Under it nothing is called that could come back here: jobs are
 * submitted and listeners called after it is given back.
 */
#include "orders/board/board.h"

#include "base/clock.h"
#include "base/sale_table.h"
#include "orders/board/filter_build.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NEVER_NS INT64_MIN

static const int64_t period_ns = BOARD_PERIOD_MS * CLOCK_NS_PER_MS;
static const int64_t asked_ns = BOARD_ASKED_MS * CLOCK_NS_PER_MS;

struct entry {
    struct sale_table_entry by_sale;
    struct list_link by_asked; /* in known or strangers, the longest not asked for first */
    struct list_link by_turn;  /* known: in the order of reading */
    bool is_known;
    int64_t asked_ns; /* when an edge last asked */
    int64_t tried_ns; /* when a read of it was last begun, or NEVER_NS */
    int64_t found_ns; /* when the last read that found it began */
    bool is_missing;  /* a stranger that no sale was found for */

    int64_t read_ns;        /* known: before the read that seen is from */
    struct store_sale seen; /* its strings are owned */
    struct list watches;

    struct board_filter *filter; /* NULL, complete of some version, or unfinished */
    int64_t build_after_ns;
};

struct board {
    struct board_config config;
    struct board_listener *listeners[BOARD_LISTENERS_MAX];
    size_t listener_count;

    struct lane_job read_job, build_job;
    struct uuid reading[STORE_READ_SALES_MAX]; /* the job's while it is under way */
    size_t reading_count;
    struct filter_build build; /* likewise */
    int64_t build_begun_ns;

    struct {
        pthread_mutex_t lock;
        struct sale_table table;
        struct list known, strangers; /* by_asked */
        struct list turns;            /* by_turn */
        bool read_is_out, build_is_out;
        bool is_building;     /* build holds a filter; a job for it is out or will be */
        int64_t build_due_ns; /* when its next slice is to be read */
        size_t filter_bytes;  /* of the entries' filters and the build's */
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

/* --- Entries --------------------------------------------------------------------------------- */

static struct entry *find_locked(const struct board *board, const struct uuid *sale_id)
{
    struct sale_table_entry *found = sale_table_find(&board->_shared.table, sale_id);
    return found == NULL ? NULL : LIST_OBJECT(found, struct entry, by_sale);
}

static void drop_filter_locked(struct board *board, struct entry *entry)
{
    if (entry->filter != NULL) {
        board->_shared.filter_bytes -= entry->filter->bits.shape.bytes;
        board_filter_unref(entry->filter);
        entry->filter = NULL;
    }
}

static void free_texts(struct store_sale *seen)
{
    free((char *)(uintptr_t)seen->sale.sku);
    free((char *)(uintptr_t)seen->sale.title);
}

static void remove_entry_locked(struct board *board, struct entry *entry)
{
    CHECK(list_is_empty(&entry->watches));
    sale_table_remove(&board->_shared.table, &entry->by_sale);
    list_remove(entry->is_known ? &board->_shared.known : &board->_shared.strangers,
                &entry->by_asked);
    if (entry->is_known) {
        list_remove(&board->_shared.turns, &entry->by_turn);
    }
    drop_filter_locked(board, entry);
    free_texts(&entry->seen);
    free(entry);
}

/* A stranger, in the place of another one that was looked for in vain where the table is full;
 * NULL when all of those are still to be looked for, or without memory. */
static struct entry *add_stranger_locked(struct board *board, const struct uuid *sale_id)
{
    struct list *strangers = &board->_shared.strangers;
    if (strangers->count >= board->config.strangers_max) {
        struct entry *oldest = LIST_OBJECT(list_first(strangers), struct entry, by_asked);
        if (oldest->tried_ns == NEVER_NS) {
            return NULL;
        }
        remove_entry_locked(board, oldest);
    }
    struct entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return NULL;
    }
    entry->by_sale.sale_id = *sale_id;
    entry->asked_ns = entry->tried_ns = entry->found_ns = entry->read_ns = NEVER_NS;
    list_init(&entry->watches);
    sale_table_add(&board->_shared.table, &entry->by_sale);
    list_push_back(strangers, &entry->by_asked);
    return entry;
}

/* Room for one more known sale; false when every one of them is watched by a stream. */
static bool make_room_locked(struct board *board)
{
    if (board->_shared.known.count < board->config.sales_max) {
        return true;
    }
    LIST_FOREACH_SAFE (&board->_shared.known, link, following) {
        struct entry *entry = LIST_OBJECT(link, struct entry, by_asked);
        if (list_is_empty(&entry->watches)) {
            remove_entry_locked(board, entry);
            return true;
        }
    }
    return false;
}

static bool make_known_locked(struct board *board, struct entry *entry)
{
    if (entry->is_known) {
        return true;
    }
    if (!make_room_locked(board)) {
        return false;
    }
    list_remove(&board->_shared.strangers, &entry->by_asked);
    entry->is_known = true;
    list_push_back(&board->_shared.known, &entry->by_asked);
    list_push_back(&board->_shared.turns, &entry->by_turn);
    return true;
}

/* Replaces a text of an entry by a copy of another, where they differ. */
static bool take_text(const char **text, const char *from)
{
    if (*text != NULL && strcmp(*text, from) == 0) {
        return true;
    }
    char *copy = strdup(from);
    if (copy == NULL) {
        return false;
    }
    free((char *)(uintptr_t)*text);
    *text = copy;
    return true;
}

static enum sale_state state_of(const struct store_sale *seen)
{
    return sale_state_at(&seen->sale, seen->now_us);
}

static void tell_watches_locked(struct entry *entry)
{
    LIST_FOREACH_SAFE (&entry->watches, link, following) {
        struct board_watch *watch = LIST_OBJECT(link, struct board_watch, _of_entry);
        if (!list_link_is_linked(&watch->_of_news)) {
            list_push_back(&watch->_listener->_news, &watch->_of_news);
        }
    }
}

/*
 * Takes in what a read that began at begun_ns saw. Something older than what the entry has is not
 * taken, nor does it renew the entry. (A database that was set back to an earlier state is believed
 * when it has said so for as long as no edge or stream counts on anything any more.)
 */
static bool take_sale_locked(struct entry *entry, const struct store_sale *seen, int64_t begun_ns)
{
    const struct sale *old = &entry->seen.sale;
    const bool is_new = entry->read_ns == NEVER_NS;
    if (!is_new && (begun_ns < entry->read_ns ||
                    (seen->sale.version < old->version && begun_ns - entry->read_ns < asked_ns))) {
        return true;
    }
    if (!take_text(&entry->seen.sale.sku, seen->sale.sku) ||
        !take_text(&entry->seen.sale.title, seen->sale.title)) {
        return false;
    }
    bool is_news =
        is_new || seen->sale.version != old->version || state_of(seen) != state_of(&entry->seen);
    const char *sku = old->sku, *title = old->title;
    entry->seen = *seen;
    entry->seen.sale.sku = sku;
    entry->seen.sale.title = title;
    entry->read_ns = begun_ns;
    if (is_news) {
        tell_watches_locked(entry);
    }
    return true;
}

/* --- Reading -----------------------------------------------------------------------------------
 */

static bool is_asked(const struct entry *entry, int64_t now_ns)
{
    return entry->asked_ns != NEVER_NS && now_ns - entry->asked_ns < asked_ns;
}

static bool is_watched(const struct entry *entry, int64_t now_ns)
{
    return !list_is_empty(&entry->watches) || is_asked(entry, now_ns);
}

static bool is_due(const struct entry *entry, int64_t now_ns)
{
    return entry->tried_ns == NEVER_NS || now_ns - entry->tried_ns >= period_ns;
}

static void pick_locked(struct board *board, struct entry *entry, int64_t now_ns)
{
    entry->tried_ns = now_ns;
    board->reading[board->reading_count++] = entry->by_sale.sale_id;
}

static void pick_strangers_locked(struct board *board, int64_t now_ns)
{
    LIST_FOREACH_SAFE (&board->_shared.strangers, link, following) {
        struct entry *entry = LIST_OBJECT(link, struct entry, by_asked);
        if (board->reading_count == BOARD_STRANGERS_READ_MAX) {
            return;
        }
        if (!entry->is_missing && is_due(entry, now_ns)) {
            pick_locked(board, entry, now_ns);
        }
    }
}

/* Known sales in turn: whoever was read goes to the end of the line. */
static void pick_known_locked(struct board *board, int64_t now_ns)
{
    struct list *turns = &board->_shared.turns;
    for (size_t left = turns->count; left > 0; left--) {
        if (board->reading_count == STORE_READ_SALES_MAX) {
            return;
        }
        struct list_link *link = list_pop_front(turns);
        struct entry *entry = LIST_OBJECT(link, struct entry, by_turn);
        list_push_back(turns, link);
        if (is_watched(entry, now_ns) && is_due(entry, now_ns)) {
            pick_locked(board, entry, now_ns);
        }
    }
}

/* Fills the read job where it is free and something is due; true when it is to be submitted. */
static bool prepare_read_locked(struct board *board, int64_t now_ns, bool strangers)
{
    if (board->_shared.read_is_out) {
        return false;
    }
    board->reading_count = 0;
    if (strangers) {
        pick_strangers_locked(board, now_ns);
    }
    pick_known_locked(board, now_ns);
    board->_shared.read_is_out = board->reading_count > 0;
    return board->_shared.read_is_out;
}

static void note_missing_locked(struct board *board, struct entry *entry)
{
    if (!entry->is_known) {
        entry->is_missing = true;
    } else if (list_is_empty(&entry->watches)) {
        remove_entry_locked(board, entry);
    }
}

static void take_page_locked(struct board *board, const struct store_sale_page *page,
                             int64_t begun_ns)
{
    for (size_t i = 0; i < page->count; i++) {
        struct entry *entry = find_locked(board, &page->sales[i].sale.sale_id);
        if (entry == NULL) {
            continue;
        }
        entry->found_ns = begun_ns;
        if (!make_known_locked(board, entry) ||
            (!take_sale_locked(entry, &page->sales[i], begun_ns) && entry->read_ns == NEVER_NS &&
             list_is_empty(&entry->watches))) {
            remove_entry_locked(board, entry);
        }
    }
    for (size_t i = 0; i < board->reading_count; i++) {
        struct entry *entry = find_locked(board, &board->reading[i]);
        if (entry != NULL && entry->found_ns != begun_ns) {
            note_missing_locked(board, entry);
        }
    }
}

static void work(struct board *board, int64_t now_ns, bool strangers);

static void run_read(struct lane_job *job, const struct store *store, struct arena *arena)
{
    struct board *board = LIST_OBJECT(job, struct board, read_job);
    int64_t begun_ns = now_of(board); /* before the read: an entry is never younger than it says */
    struct store_sale_page page;

    enum store_result result =
        store->read_sales(store->data, board->reading, board->reading_count,
                          begun_ns + board->config.transaction_ns_max, arena, &page);
    lock(board);
    if (result == STORE_OK) {
        take_page_locked(board, &page, begun_ns);
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

/* --- Filters -----------------------------------------------------------------------------------
 */

/* Whether an edge could refuse by this entry, if it had a filter. */
static bool is_sold_out(const struct entry *entry)
{
    const struct sale *sale = &entry->seen.sale;
    return entry->is_known && sale->sold_out_since > 0 && sale->stock_remaining == 0 &&
           sale->stock_returning == 0 && state_of(&entry->seen) == SALE_SOLD_OUT;
}

static bool wants_filter(const struct board *board, const struct entry *entry, int64_t now_ns)
{
    const struct sale *sale = &entry->seen.sale;
    return is_sold_out(entry) && is_asked(entry, now_ns) &&
           sale->orders_count <= (int64_t)ID_FILTER_IDS_MAX &&
           id_filter_shape_for((uint64_t)sale->orders_count).bytes <=
               board->config.filter_bytes_max &&
           (entry->filter == NULL || entry->filter->version != sale->sold_out_since);
}

/* The ids that a build of the entry would have to read. */
static uint64_t build_size(const struct entry *entry)
{
    uint64_t count = (uint64_t)entry->seen.sale.orders_count;
    const struct board_filter *filter = entry->filter;
    bool goes_on = filter != NULL && filter->ids <= count &&
                   id_filter_shape_equal(filter->bits.shape, id_filter_shape_for(count));
    return goes_on ? count - filter->ids : count;
}

/* The entry whose filter is had soonest; a long build keeps none but itself waiting. */
static struct entry *choose_build_locked(struct board *board, int64_t now_ns)
{
    struct entry *chosen = NULL;
    LIST_FOREACH_SAFE (&board->_shared.known, link, following) {
        struct entry *entry = LIST_OBJECT(link, struct entry, by_asked);
        if (entry->build_after_ns <= now_ns && wants_filter(board, entry, now_ns) &&
            (chosen == NULL || build_size(entry) < build_size(chosen))) {
            chosen = entry;
        }
    }
    return chosen;
}

/* Drops filters, of what was asked for longest ago first, until so many bytes have room. */
static bool make_filter_room_locked(struct board *board, size_t bytes)
{
    LIST_FOREACH_SAFE (&board->_shared.known, link, following) {
        if (board->_shared.filter_bytes + bytes <= board->config.filter_bytes_max) {
            break;
        }
        drop_filter_locked(board, LIST_OBJECT(link, struct entry, by_asked));
    }
    return board->_shared.filter_bytes + bytes <= board->config.filter_bytes_max;
}

/* The filter that a build of the entry begins with, which is the entry's no longer: its old one
 * where more can be added to it, else an empty one. NULL without room or memory. */
static struct board_filter *take_base_locked(struct board *board, struct entry *entry)
{
    uint64_t count = (uint64_t)entry->seen.sale.orders_count;
    struct id_filter_shape shape = id_filter_shape_for(count);
    struct board_filter *old = entry->filter, *base = NULL;

    bool goes_on =
        old != NULL && old->ids <= count && id_filter_shape_equal(old->bits.shape, shape);
    if (goes_on && board_filter_is_sole(old)) {
        entry->filter = NULL; /* its bytes are counted already */
        return old;
    }
    if (goes_on) {
        base = board_filter_copy(old);
    }
    drop_filter_locked(board, entry);
    if (!make_filter_room_locked(board, shape.bytes)) {
        board_filter_unref(base);
        return NULL;
    }
    if (base == NULL) {
        base = board_filter_create(shape);
    }
    board->_shared.filter_bytes += base == NULL ? 0 : shape.bytes;
    return base;
}

static void drop_base_locked(struct board *board, struct board_filter *filter)
{
    board->_shared.filter_bytes -= filter->bits.shape.bytes;
    board_filter_unref(filter);
}

static void begin_build_locked(struct board *board, int64_t now_ns)
{
    struct entry *entry = choose_build_locked(board, now_ns);
    if (entry == NULL) {
        return;
    }
    entry->build_after_ns = now_ns + BOARD_REBUILD_MS * CLOCK_NS_PER_MS;
    struct board_filter *base = take_base_locked(board, entry);
    if (base == NULL) {
        return;
    }
    if (filter_build_init(&board->build, &entry->seen.sale, base) < 0) {
        drop_base_locked(board, base);
        return;
    }
    board->build_begun_ns = now_ns;
    board->_shared.is_building = true;
    board->_shared.build_due_ns = now_ns;
}

static bool prepare_build_locked(struct board *board, int64_t now_ns)
{
    if (board->_shared.build_is_out) {
        return false;
    }
    if (!board->_shared.is_building) {
        begin_build_locked(board, now_ns);
    }
    board->_shared.build_is_out =
        board->_shared.is_building && board->_shared.build_due_ns <= now_ns;
    return board->_shared.build_is_out;
}

/* Gives the filter to its entry, complete or as a beginning for the next time. */
static void end_build_locked(struct board *board, int64_t now_ns, bool is_usable)
{
    struct entry *entry = find_locked(board, &board->build.sale_id);
    struct board_filter *filter = filter_build_fini(&board->build);
    int64_t after_ns = now_ns + BOARD_REBUILD_FACTOR * (now_ns - board->build_begun_ns);

    board->_shared.is_building = false;
    if (entry == NULL || !entry->is_known || !is_usable) {
        drop_base_locked(board, filter);
        return;
    }
    CHECK(entry->filter == NULL);
    entry->filter = filter;
    if (filter->version != BOARD_FILTER_UNFINISHED && after_ns > entry->build_after_ns) {
        entry->build_after_ns = after_ns;
    }
}

/* Whether the sale that is built for is still as it was, as far as the board knows. */
static bool is_worth_going_on_locked(struct board *board)
{
    const struct entry *entry = find_locked(board, &board->build.sale_id);
    return entry != NULL && entry->is_known &&
           entry->seen.sale.sold_out_since == board->build.sold_out_since;
}

static void run_build(struct lane_job *job, const struct store *store, struct arena *arena)
{
    struct board *board = LIST_OBJECT(job, struct board, build_job);
    int64_t deadline_ns = now_of(board) + board->config.transaction_ns_max;
    enum filter_build_step step = filter_build_step(&board->build, store, deadline_ns, arena);
    int64_t now_ns = now_of(board);

    lock(board);
    board->_shared.build_is_out = false;
    board->_shared.build_due_ns = now_ns;
    if (step != FILTER_BUILD_MORE || !is_worth_going_on_locked(board)) {
        /* A sale with fewer orders than its row said is not to be built upon. */
        bool is_usable =
            step != FILTER_BUILD_GONE || board->build.filter->ids == board->build.orders_count;
        end_build_locked(board, now_ns, is_usable);
    }
    unlock(board);
    work(board, now_ns, false);
}

/* The build waits where it is. */
static void refuse_build(struct lane_job *job, enum verdict verdict)
{
    struct board *board = LIST_OBJECT(job, struct board, build_job);
    (void)verdict;
    lock(board);
    board->_shared.build_is_out = false;
    board->_shared.build_due_ns = now_of(board) + period_ns;
    unlock(board);
}

/* --- Ticks -------------------------------------------------------------------------------------
 */

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

/* Strangers that were looked for in vain a while ago, or that nobody asks for any more. */
static void forget_strangers_locked(struct board *board, int64_t now_ns)
{
    LIST_FOREACH_SAFE (&board->_shared.strangers, link, following) {
        struct entry *entry = LIST_OBJECT(link, struct entry, by_asked);
        bool is_over =
            entry->is_missing && now_ns - entry->tried_ns >= BOARD_MISSING_MS * CLOCK_NS_PER_MS;
        if (is_over || !is_asked(entry, now_ns)) {
            remove_entry_locked(board, entry);
        }
    }
}

static void forget_known_locked(struct board *board, int64_t now_ns)
{
    LIST_FOREACH_SAFE (&board->_shared.known, link, following) {
        struct entry *entry = LIST_OBJECT(link, struct entry, by_asked);
        bool is_kept = entry->asked_ns != NEVER_NS &&
                       now_ns - entry->asked_ns < BOARD_KEPT_MS * CLOCK_NS_PER_MS;
        if (!is_kept && list_is_empty(&entry->watches)) {
            remove_entry_locked(board, entry);
        }
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_due_locked(struct board *board, int64_t now_ns)
{
    int64_t due_ns = now_ns + period_ns;
    LIST_FOREACH_SAFE (&board->_shared.turns, link, following) {
        const struct entry *entry = LIST_OBJECT(link, struct entry, by_turn);
        if (!board->_shared.read_is_out && is_watched(entry, now_ns) &&
            entry->tried_ns != NEVER_NS) {
            due_ns = earlier(due_ns, entry->tried_ns + period_ns);
        }
        if (!board->_shared.is_building && wants_filter(board, entry, now_ns)) {
            due_ns = earlier(due_ns, entry->build_after_ns);
        }
    }
    if (board->_shared.is_building && !board->_shared.build_is_out) {
        due_ns = earlier(due_ns, board->_shared.build_due_ns);
    }
    return due_ns > now_ns ? due_ns : now_ns + CLOCK_NS_PER_MS;
}

int64_t board_tick(void *data, int64_t now_ns)
{
    struct board *board = data;
    lock(board);
    forget_strangers_locked(board, now_ns);
    forget_known_locked(board, now_ns);
    unlock(board);
    work(board, now_ns, true);
    lock(board);
    int64_t due_ns = next_due_locked(board, now_ns);
    unlock(board);
    return due_ns;
}

/* --- What edges ask ----------------------------------------------------------------------------
 */

static void note_asked_locked(struct board *board, struct entry *entry, int64_t now_ns)
{
    struct list *list = entry->is_known ? &board->_shared.known : &board->_shared.strangers;
    entry->asked_ns = now_ns;
    list_remove(list, &entry->by_asked);
    list_push_back(list, &entry->by_asked);
}

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

bool board_read(struct board *board, const struct uuid *sale_id, struct board_entry *ret)
{
    int64_t now_ns = now_of(board);
    lock(board);
    struct entry *entry = find_locked(board, sale_id);
    if (entry == NULL) {
        entry = add_stranger_locked(board, sale_id);
    }
    if (entry != NULL) {
        note_asked_locked(board, entry, now_ns);
    }
    bool is_seen = entry != NULL && entry->read_ns != NEVER_NS;
    if (is_seen) {
        const struct sale *sale = &entry->seen.sale;
        int64_t age_ms = (now_ns - entry->read_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
        bool has_filter = is_sold_out(entry) && entry->filter != NULL &&
                          entry->filter->version == sale->sold_out_since;
        *ret = (struct board_entry){
            .state = state_of(&entry->seen),
            .version = sale->version,
            .stock_remaining = sale->stock_remaining,
            .stock_returning = sale->stock_returning,
            .starts_in_ms = starts_in_ms(&entry->seen, age_ms),
            .age_ms = age_ms,
            .sold_out_since = sale->sold_out_since,
            .filter = has_filter ? board_filter_ref(entry->filter) : NULL,
        };
    }
    unlock(board);
    return is_seen;
}

/* --- Streams -----------------------------------------------------------------------------------
 */

void board_add_listener(struct board *board, struct board_listener *listener)
{
    CHECK(board->listener_count < BOARD_LISTENERS_MAX && listener->on_read != NULL);
    list_init(&listener->_news);
    board->listeners[board->listener_count++] = listener;
}

/* The known entry of a sale that was just read; NULL with *ret_error. A stranger that the table of
 * strangers has no room for is made all the same: it is none for long. */
static struct entry *entry_to_watch_locked(struct board *board, const struct store_sale *seen,
                                           int64_t begun_ns, int *ret_error)
{
    struct entry *entry = find_locked(board, &seen->sale.sale_id);
    if (entry == NULL) {
        struct list *strangers = &board->_shared.strangers;
        if (strangers->count >= board->config.strangers_max) {
            remove_entry_locked(board, LIST_OBJECT(list_first(strangers), struct entry, by_asked));
        }
        entry = add_stranger_locked(board, &seen->sale.sale_id);
    }
    if (entry == NULL) {
        *ret_error = -ENOMEM;
        return NULL;
    }
    bool has_room = make_known_locked(board, entry);
    if (!has_room || !take_sale_locked(entry, seen, begun_ns)) {
        *ret_error = has_room ? -ENOMEM : -ENOSPC;
        if (entry->read_ns == NEVER_NS) {
            remove_entry_locked(board, entry);
        }
        return NULL;
    }
    return entry;
}

int board_watch(struct board *board, struct board_watch *watch, struct board_listener *listener,
                const struct store_sale *seen, int64_t begun_ns)
{
    int error = 0;
    CHECK(watch->_entry == NULL);
    lock(board);
    struct entry *entry = entry_to_watch_locked(board, seen, begun_ns, &error);
    if (entry != NULL) {
        watch->_listener = listener;
        watch->_entry = entry;
        list_push_back(&entry->watches, &watch->_of_entry);
    }
    unlock(board);
    return error;
}

void board_unwatch(struct board *board, struct board_watch *watch)
{
    lock(board);
    struct entry *entry = watch->_entry;
    if (entry != NULL) {
        list_remove(&entry->watches, &watch->_of_entry);
        if (list_link_is_linked(&watch->_of_news)) {
            list_remove(&watch->_listener->_news, &watch->_of_news);
        }
        watch->_entry = NULL;
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

static void copy_sale_locked(const struct entry *entry, struct board_sale *ret)
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

/* --- Life --------------------------------------------------------------------------------------
 */

int board_create(const struct board_config *config, struct board **ret)
{
    struct board *board = calloc(1, sizeof(*board));
    uint64_t secret[2];

    CHECK(config->sales_max > 0 && config->strangers_max > 0);
    if (board == NULL) {
        return -ENOMEM;
    }
    config->system->random_bytes(config->system->data, (uint8_t *)secret, sizeof(secret));
    if (sale_table_init(&board->_shared.table, config->sales_max + config->strangers_max, secret) <
        0) {
        free(board);
        return -ENOMEM;
    }
    board->config = *config;
    pthread_mutex_init(&board->_shared.lock, NULL);
    list_init(&board->_shared.known);
    list_init(&board->_shared.strangers);
    list_init(&board->_shared.turns);
    *ret = board;
    return 0;
}

static void remove_all_locked(struct board *board, struct list *list)
{
    for (struct list_link *link; (link = list_first(list)) != NULL;) {
        remove_entry_locked(board, LIST_OBJECT(link, struct entry, by_asked));
    }
}

void board_destroy(struct board *board)
{
    if (board == NULL) {
        return;
    }
    lock(board);
    CHECK(!board->_shared.read_is_out && !board->_shared.build_is_out);
    if (board->_shared.is_building) {
        drop_base_locked(board, filter_build_fini(&board->build));
    }
    remove_all_locked(board, &board->_shared.known);
    remove_all_locked(board, &board->_shared.strangers);
    unlock(board);
    sale_table_fini(&board->_shared.table);
    pthread_mutex_destroy(&board->_shared.lock);
    free(board);
}

struct board_stats board_stats(struct board *board)
{
    lock(board);
    struct board_stats stats = {
        .sales = board->_shared.known.count,
        .strangers = board->_shared.strangers.count,
        .filter_bytes = board->_shared.filter_bytes,
    };
    unlock(board);
    return stats;
}
