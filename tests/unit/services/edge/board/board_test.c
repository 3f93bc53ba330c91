#include "edge/board/board.h"

#include "base/clock.h"
#include "base/order_id.h"
#include "edge/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS           CLOCK_NS_PER_MS
#define BEGAN_MS     1000000
#define SALES_MAX    8
#define STEPS_MAX    12
#define FILTER_BYTES ((size_t)64 * 1024)
#define BIG_BYTES    ((size_t)600 * 1024)
#define ROOM_BYTES   (2 * BIG_BYTES)
#define PLACED_KEY   "placed"
#define OTHER_KEY    "other"
#define CUSTOMER     "c-1"

/* --- A board in a world where time stands still until it is moved ----------------------------- */

struct world {
    struct board *board;
    int64_t now_ns;
    unsigned awakened;
};

static void on_awake(void *data)
{
    ((struct world *)data)->awakened++;
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    const struct board_config config = {
        .sales_max = SALES_MAX, .filter_bytes_max = ROOM_BYTES, .secret = {7, 11}};
    assert_non_null(world);
    assert_int_equal(board_create(&config, &world->board), 0);
    board_on_awake(world->board, on_awake, world);
    world->now_ns = BEGAN_MS * MS;
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    board_destroy(world->board);
    free(world);
    return 0;
}

static struct uuid sale_of(unsigned number)
{
    struct uuid sale_id = {{0x01, 0x90, 0xa5}};
    sale_id.bytes[14] = (uint8_t)(number >> 8);
    sale_id.bytes[15] = (uint8_t)number;
    return sale_id;
}

static enum board_verdict judge_sale(struct world *world, unsigned sale, const char *key)
{
    const struct board_question question = {
        .sale_id = sale_of(sale),
        .customer_id = CUSTOMER,
        .customer_length = strlen(CUSTOMER),
        .key = key,
        .key_length = strlen(key),
    };
    return board_judge(world->board, &question, world->now_ns);
}

static enum board_verdict judge(struct world *world, const char *key)
{
    return judge_sale(world, 0, key);
}

/* A filter with the one placed order of a sale in it. */
static struct id_filter filter_of(unsigned sale, size_t bytes)
{
    struct id_filter_shape shape;
    struct id_filter filter;
    struct uuid sale_id = sale_of(sale);
    struct uuid id =
        order_id_of(&sale_id, CUSTOMER, strlen(CUSTOMER), PLACED_KEY, strlen(PLACED_KEY));
    assert_true(id_filter_shape_read((int64_t)bytes, 7, &shape));
    assert_int_equal(id_filter_init(&filter, shape), 0);
    id_filter_add(&filter, &id);
    return filter;
}

static struct board_news sold_out_news(unsigned sale, int64_t version, int64_t since)
{
    return (struct board_news){
        .sale_id = sale_of(sale),
        .state = BOARD_STATE_SOLD_OUT,
        .version = version,
        .sold_out_since = since,
    };
}

/* Takes news with the piece of a filter from begin to end; all the rest of it where end is 0. */
static bool take_piece(struct world *world, const struct board_news *news,
                       const struct id_filter *filter, int64_t version, size_t begin, size_t end)
{
    struct board_news full = *news;
    size_t until = end == 0 ? filter->shape.bytes : end;
    full.has_chunk = true;
    full.chunk = (struct board_chunk){
        .version = version,
        .offset = (int64_t)begin,
        .total = (int64_t)filter->shape.bytes,
        .hashes = filter->shape.hashes,
        .data = filter->bytes + begin,
        .length = until - begin,
    };
    return board_take(world->board, &full, world->now_ns);
}

/* The sale is sold out since its version, and its filter is here. */
static void sell_out(struct world *world, unsigned sale, int64_t version)
{
    struct board_news news = sold_out_news(sale, version, version);
    struct id_filter filter = filter_of(sale, FILTER_BYTES);
    (void)judge_sale(world, sale, OTHER_KEY);
    assert_false(take_piece(world, &news, &filter, version, 0, 0));
    id_filter_fini(&filter);
}

/* --- Interleavings ---------------------------------------------------------------------------- */

enum step_kind {
    STEP_END,
    STEP_NEWS,   /* arrive, and were asked for at the given time */
    STEP_FILTER, /* the same, with the whole filter of this version */
    STEP_JUDGE,  /* an order that is in no filter */
    STEP_REPLAY, /* an order that is in every filter */
};

struct step {
    enum step_kind kind;
    int64_t at_ms; /* asked, or judged; from the beginning */
    enum board_verdict expected;
    enum board_state state;
    int64_t version, since, remaining, returning, age_ms, starts_in_ms, filter_version;
};

/* What a table row is made of; the defaults are a sale that is sold out since version 5. */
#define SOLD_OUT_AT(...)                                                                           \
    {                                                                                              \
        .kind = STEP_FILTER, .state = BOARD_STATE_SOLD_OUT, .version = 5, .since = 5,              \
        .filter_version = 5, __VA_ARGS__                                                           \
    }
#define NEWS_AT(...)                                                                               \
    {                                                                                              \
        .kind = STEP_NEWS, .state = BOARD_STATE_SOLD_OUT, .version = 5, .since = 5, __VA_ARGS__    \
    }
#define REFUSED_AT(at)                                                                             \
    {                                                                                              \
        .kind = STEP_JUDGE, .at_ms = (at), .expected = BOARD_SOLD_OUT                              \
    }
#define NOT_OPEN_AT(at)                                                                            \
    {                                                                                              \
        .kind = STEP_JUDGE, .at_ms = (at), .expected = BOARD_NOT_STARTED                           \
    }
#define FORWARDED_AT(at)                                                                           \
    {                                                                                              \
        .kind = STEP_JUDGE, .at_ms = (at), .expected = BOARD_FORWARD                               \
    }
#define REPLAYED_AT(at)                                                                            \
    {                                                                                              \
        .kind = STEP_REPLAY, .at_ms = (at), .expected = BOARD_FORWARD                              \
    }

struct interleaving {
    const char *what;
    struct step steps[STEPS_MAX];
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
static const struct interleaving interleavings[] = {
    {"nothing is known", {FORWARDED_AT(0)}},
    {"sold out and the filter is here", {SOLD_OUT_AT(.at_ms = 0), REFUSED_AT(1), REPLAYED_AT(1)}},
    {"the lease counts from the asking",
     {SOLD_OUT_AT(.at_ms = 0), REFUSED_AT(499), FORWARDED_AT(500), FORWARDED_AT(2000)}},
    {"the age of the reading is taken off",
     {SOLD_OUT_AT(.at_ms = 0, .age_ms = 200), REFUSED_AT(299), FORWARDED_AT(300)}},
    {"a reading older than a lease never counts",
     {SOLD_OUT_AT(.at_ms = 0, .age_ms = 500), FORWARDED_AT(0),
      SOLD_OUT_AT(.at_ms = 0, .age_ms = INT64_MAX), FORWARDED_AT(0)}},
    {"a frozen edge finds everything expired", {SOLD_OUT_AT(.at_ms = 0), FORWARDED_AT(3600000)}},
    {"the same version renews",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 300), REFUSED_AT(799), FORWARDED_AT(800)}},
    {"an older reading of the same version does not shorten",
     {SOLD_OUT_AT(.at_ms = 300), NEWS_AT(.at_ms = 310, .age_ms = 200), REFUSED_AT(799)}},
    {"a lower version does not renew",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 300, .version = 4, .since = 4), REFUSED_AT(499),
      FORWARDED_AT(500)}},
    {"a lower version does not replace",
     {NEWS_AT(.at_ms = 0, .version = 6, .state = BOARD_STATE_OTHER, .since = 0, .remaining = 1),
      SOLD_OUT_AT(.at_ms = 100), FORWARDED_AT(101), FORWARDED_AT(599)}},
    {"a replica that was stopped answers late and is not believed",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 400, .version = 6, .returning = 1),
      SOLD_OUT_AT(.at_ms = 500, .age_ms = 1900), FORWARDED_AT(501)}},
    {"the state of the same version moves on with time",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .state = BOARD_STATE_OTHER),
      FORWARDED_AT(101)}},
    {"returning stock forwards",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 6, .returning = 1),
      FORWARDED_AT(101)}},
    {"remaining stock forwards",
     {SOLD_OUT_AT(.at_ms = 0),
      NEWS_AT(.at_ms = 100, .version = 6, .remaining = 1, .since = 0, .state = BOARD_STATE_OTHER),
      FORWARDED_AT(101)}},
    {"a sale that contradicts itself forwards",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 6, .remaining = 1, .since = 0),
      FORWARDED_AT(101)}},
    {"paused or ended forwards",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 6, .state = BOARD_STATE_OTHER),
      FORWARDED_AT(101)}},
    {"a resumed sale refuses by the filter that it had",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 6, .state = BOARD_STATE_OTHER),
      NEWS_AT(.at_ms = 200, .version = 7), REFUSED_AT(201), REPLAYED_AT(201)}},
    {"without a filter forwards", {NEWS_AT(.at_ms = 0), FORWARDED_AT(1)}},
    {"a filter older than the last selling out does not count",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 9, .since = 8), FORWARDED_AT(101)}},
    {"a filter of the selling out before is not even taken",
     {SOLD_OUT_AT(.at_ms = 0, .version = 9, .since = 8, .filter_version = 7), FORWARDED_AT(1)}},
    {"a filter newer than the entry counts",
     {SOLD_OUT_AT(.at_ms = 0, .version = 6, .since = 5, .filter_version = 6), REFUSED_AT(1)}},
    {"a lagging replica's filter counts when it is of the same selling out",
     {NEWS_AT(.at_ms = 0, .version = 9), SOLD_OUT_AT(.at_ms = 100, .version = 7), REFUSED_AT(101),
      REFUSED_AT(499), FORWARDED_AT(500)}},
    {"sold out again after a return needs the new filter",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 6, .returning = 1),
      NEWS_AT(.at_ms = 700, .version = 7, .since = 0, .remaining = 1, .state = BOARD_STATE_OTHER),
      NEWS_AT(.at_ms = 800, .version = 8, .since = 8), FORWARDED_AT(801),
      SOLD_OUT_AT(.at_ms = 900, .version = 8, .since = 8, .filter_version = 8), REFUSED_AT(901)}},
    {"a sale that was never sold out has no filter",
     {SOLD_OUT_AT(.at_ms = 0, .since = 0), FORWARDED_AT(1)}},
    {"news without sense are dropped",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 0, .since = 0),
      NEWS_AT(.at_ms = 100, .version = -1), NEWS_AT(.at_ms = 100, .version = 6, .since = 7),
      NEWS_AT(.at_ms = 100, .version = 6, .remaining = -1),
      NEWS_AT(.at_ms = 100, .version = 6, .returning = -1),
      NEWS_AT(.at_ms = 100, .version = 6, .age_ms = -1),
      NEWS_AT(.at_ms = 100, .version = 6, .since = -1),
      NEWS_AT(.at_ms = 100, .version = 6, .starts_in_ms = -1), REFUSED_AT(101), FORWARDED_AT(500)}},
    {"not open for long",
     {NEWS_AT(.at_ms = 0, .state = BOARD_STATE_SCHEDULED, .since = 0, .remaining = 3,
              .starts_in_ms = INT64_MAX),
      NOT_OPEN_AT(1), NOT_OPEN_AT(499), FORWARDED_AT(500)}},
    {"not open, and a second is left",
     {NEWS_AT(.at_ms = 0, .state = BOARD_STATE_SCHEDULED, .since = 0, .starts_in_ms = 1001),
      NOT_OPEN_AT(0), FORWARDED_AT(1)}},
    {"opens within a second",
     {NEWS_AT(.at_ms = 0, .state = BOARD_STATE_SCHEDULED, .since = 0, .starts_in_ms = 1000),
      FORWARDED_AT(0)}},
    {"the opening counts from the asking",
     {NEWS_AT(.at_ms = 0, .state = BOARD_STATE_SCHEDULED, .since = 0, .starts_in_ms = 1300),
      NOT_OPEN_AT(299), FORWARDED_AT(300)}},
    {"the opening counts from before the reading",
     {NEWS_AT(.at_ms = 0, .state = BOARD_STATE_SCHEDULED, .since = 0, .starts_in_ms = 1300,
              .age_ms = 200),
      NOT_OPEN_AT(99), FORWARDED_AT(100)}},
    {"open by its state, whatever the time says",
     {NEWS_AT(.at_ms = 0, .state = BOARD_STATE_OTHER, .since = 0, .remaining = 1,
              .starts_in_ms = 5000),
      FORWARDED_AT(1)}},
};
#pragma GCC diagnostic pop

static void do_step(struct world *world, const struct step *step)
{
    world->now_ns = (BEGAN_MS + step->at_ms) * MS;
    const struct board_news news = {
        .sale_id = sale_of(0),
        .state = step->state,
        .version = step->version,
        .sold_out_since = step->since,
        .stock_remaining = step->remaining,
        .stock_returning = step->returning,
        .age_ms = step->age_ms,
        .starts_in_ms = step->starts_in_ms,
    };
    struct id_filter filter;
    switch (step->kind) {
    case STEP_NEWS:
        assert_false(board_take(world->board, &news, world->now_ns));
        return;
    case STEP_FILTER:
        filter = filter_of(0, FILTER_BYTES);
        assert_false(take_piece(world, &news, &filter, step->filter_version, 0, 0));
        id_filter_fini(&filter);
        return;
    case STEP_JUDGE:
        assert_int_equal(judge(world, OTHER_KEY), step->expected);
        return;
    case STEP_REPLAY:
        assert_int_equal(judge(world, PLACED_KEY), step->expected);
        return;
    case STEP_END:
        return;
    }
}

/* Each row is a way in which an edge could refuse an order that exists, or forward for ever. */
static void board_each_interleaving_is_judged_by_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(interleavings); i++) {
        void *own;
        print_message("%s\n", interleavings[i].what);
        assert_int_equal(set_up(&own), 0);
        struct world *world = own;
        assert_int_equal(judge(world, OTHER_KEY), BOARD_FORWARD);
        for (size_t at = 0; at < STEPS_MAX; at++) {
            do_step(world, &interleavings[i].steps[at]);
        }
        assert_int_equal(tear_down(&own), 0);
    }
}

/* --- Filters in pieces ------------------------------------------------------------------------ */

#define PIECE ID_FILTER_CHUNK_BYTES_MAX

struct pieces {
    struct world *world;
    struct board_news news;
    struct id_filter filter;
};

static struct pieces begin_pieces(struct world *world, unsigned sale)
{
    struct pieces pieces = {
        .world = world, .news = sold_out_news(sale, 5, 5), .filter = filter_of(sale, BIG_BYTES)};
    (void)judge_sale(world, sale, OTHER_KEY);
    return pieces;
}

static bool put(struct pieces *pieces, size_t begin, size_t end)
{
    pieces->world->now_ns += MS;
    return take_piece(pieces->world, &pieces->news, &pieces->filter, 5, begin, end);
}

static struct board_position position_of(struct world *world, unsigned sale)
{
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    bool has_more;
    struct uuid sale_id = sale_of(sale);
    world->now_ns += EDGE_BOARD_ROUND_MS * MS;
    (void)judge_sale(world, sale, OTHER_KEY);
    size_t count = board_positions(world->board, world->now_ns, positions, &has_more);
    for (size_t i = 0; i < count; i++) {
        if (uuid_equal(&positions[i].sale_id, &sale_id)) {
            return positions[i];
        }
    }
    fail_msg("sale %u is not asked for", sale);
    return positions[0];
}

/* Half a filter denies orders that exist; only a whole one may be in force. */
static void board_filter_in_pieces_counts_when_it_is_whole(void **state)
{
    struct pieces pieces = begin_pieces(*state, 0);
    assert_true(put(&pieces, 0, PIECE));
    assert_int_equal(judge(*state, OTHER_KEY), BOARD_FORWARD);
    struct board_position position = position_of(*state, 0);
    assert_int_equal(position.version, 5);
    assert_int_equal(position.filter_version, 5);
    assert_int_equal(position.filter_offset, PIECE);
    assert_true(put(&pieces, PIECE, 2 * PIECE));
    assert_int_equal(judge(*state, OTHER_KEY), BOARD_FORWARD);
    assert_false(put(&pieces, 2 * PIECE, 0));
    assert_int_equal(judge(*state, OTHER_KEY), BOARD_SOLD_OUT);
    assert_int_equal(judge(*state, PLACED_KEY), BOARD_FORWARD);
    position = position_of(*state, 0);
    assert_int_equal(position.filter_version, 5);
    assert_int_equal(position.filter_offset, BIG_BYTES);
    assert_int_equal(board_filter_bytes(pieces.world->board), BIG_BYTES);
    id_filter_fini(&pieces.filter);
}

struct broken {
    const char *what;
    int64_t version, offset, total, hashes;
    size_t length;
};

/* Whatever a peer sends, the worst of it is that a filter is collected anew. */
static void board_broken_chunk_drops_what_was_collected_and_no_more(void **state)
{
    static const int64_t big = (int64_t)BIG_BYTES;
    static const int64_t piece = (int64_t)PIECE;
    static const struct broken rows[] = {
        {"gap", 5, 2 * piece, big, 7, PIECE},
        {"overlap", 5, piece - 8, big, 7, PIECE},
        {"again from the middle", 5, 8, big, 7, PIECE},
        {"past the end", 5, piece, big, 7, BIG_BYTES},
        {"offset past the end", 5, big + 8, big, 7, 8},
        {"negative offset", 5, -1, big, 7, 8},
        {"lowest offset", 5, INT64_MIN, big, 7, 8},
        {"highest offset", 5, INT64_MAX, big, 7, 8},
        {"other total", 5, piece, big + 8, 7, PIECE},
        {"no total", 5, piece, 0, 7, PIECE},
        {"negative total", 5, piece, -8, 7, PIECE},
        {"huge total", 5, piece, INT64_MAX, 7, PIECE},
        {"odd total", 5, piece, big + 1, 7, PIECE},
        {"other hashes", 5, piece, big, 6, PIECE},
        {"no hashes", 5, piece, big, 0, PIECE},
        {"negative hashes", 5, piece, big, -1, PIECE},
        {"many hashes", 5, piece, big, INT32_MAX, PIECE},
        {"other version", 6, piece, big, 7, PIECE},
        {"too long a chunk", 5, piece, big, 7, PIECE + 8},
    };
    struct world *world = *state;
    uint8_t *bytes = calloc(1, BIG_BYTES);
    assert_non_null(bytes);
    struct pieces pieces = begin_pieces(world, 0);
    pieces.news.version = 8;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        print_message("%s\n", rows[i].what);
        assert_true(put(&pieces, 0, PIECE));
        struct board_news news = pieces.news;
        news.has_chunk = true;
        news.chunk = (struct board_chunk){rows[i].version, rows[i].offset, rows[i].total,
                                          rows[i].hashes,  bytes,          rows[i].length};
        assert_false(board_take(world->board, &news, world->now_ns));
        assert_int_equal(board_filter_bytes(world->board), 0);
        struct board_position position = position_of(world, 0);
        assert_int_equal(position.version, 8);
        assert_int_equal(position.filter_version, 0);
        assert_int_equal(position.filter_offset, 0);
        assert_int_equal(judge(world, OTHER_KEY), BOARD_FORWARD);
    }
    free(bytes);
    id_filter_fini(&pieces.filter);
}

/* A chunk of a broken kind says nothing about a filter that is whole. */
static void board_broken_chunk_leaves_a_whole_filter(void **state)
{
    struct world *world = *state;
    sell_out(world, 0, 5);
    struct board_news news = sold_out_news(0, 6, 5);
    news.has_chunk = true;
    news.chunk = (struct board_chunk){.version = 5, .offset = -3, .total = -1, .hashes = 99};
    assert_false(board_take(world->board, &news, world->now_ns));
    assert_int_equal(judge(world, OTHER_KEY), BOARD_SOLD_OUT);
    assert_int_equal(judge(world, PLACED_KEY), BOARD_FORWARD);
}

/* Another selling out is another filter; what was collected of the old one is worth nothing. */
static void board_new_version_begins_the_filter_anew(void **state)
{
    struct world *world = *state;
    struct pieces pieces = begin_pieces(world, 0);
    assert_true(put(&pieces, 0, PIECE));
    pieces.news = sold_out_news(0, 9, 9);
    struct id_filter small = filter_of(0, FILTER_BYTES);
    assert_false(take_piece(world, &pieces.news, &small, 9, 0, 0));
    assert_int_equal(judge(world, OTHER_KEY), BOARD_SOLD_OUT);
    assert_int_equal(board_filter_bytes(world->board), FILTER_BYTES);
    id_filter_fini(&small);
    id_filter_fini(&pieces.filter);
}

/* Stock that remains ends the use of a filter, and its memory. */
static void board_stock_that_remains_frees_the_filter(void **state)
{
    struct world *world = *state;
    sell_out(world, 0, 5);
    assert_int_equal(board_filter_bytes(world->board), FILTER_BYTES);
    struct board_news news = sold_out_news(0, 6, 5);
    news.stock_returning = 1;
    assert_false(board_take(world->board, &news, world->now_ns));
    assert_int_equal(board_filter_bytes(world->board), FILTER_BYTES);
    news = sold_out_news(0, 7, 0);
    news.state = BOARD_STATE_OTHER;
    news.stock_remaining = 1;
    assert_false(board_take(world->board, &news, world->now_ns));
    assert_int_equal(board_filter_bytes(world->board), 0);
}

/* The filter of a selling out that is over would only take memory. */
static void board_filter_of_an_earlier_selling_out_is_not_taken(void **state)
{
    struct world *world = *state;
    struct board_news news = sold_out_news(0, 9, 8);
    struct id_filter filter = filter_of(0, FILTER_BYTES);
    (void)judge(world, OTHER_KEY);
    assert_false(take_piece(world, &news, &filter, 7, 0, 0));
    assert_int_equal(board_filter_bytes(world->board), 0);
    assert_false(take_piece(world, &news, &filter, 8, 0, 0));
    assert_int_equal(board_filter_bytes(world->board), FILTER_BYTES);
    id_filter_fini(&filter);
}

/* A replica with several filters to send puts one chunk into an answer and nothing into the
 * others, which must neither begin nor break anything. */
static void board_empty_chunk_waits_for_the_next_answer(void **state)
{
    struct world *world = *state;
    struct pieces pieces = begin_pieces(world, 0);
    struct board_news news = pieces.news;
    news.has_chunk = true;
    news.chunk = (struct board_chunk){.version = 5, .total = (int64_t)BIG_BYTES, .hashes = 7};
    assert_false(board_take(world->board, &news, world->now_ns));
    assert_int_equal(board_filter_bytes(world->board), 0);
    assert_true(put(&pieces, 0, PIECE));
    news.chunk.offset = (int64_t)PIECE;
    assert_false(board_take(world->board, &news, world->now_ns));
    assert_int_equal(position_of(world, 0).filter_offset, PIECE);
    assert_true(put(&pieces, PIECE, 2 * PIECE));
    id_filter_fini(&pieces.filter);
}

/* --- The bound on filters --------------------------------------------------------------------- */

static void put_whole(struct world *world, unsigned sale)
{
    struct pieces pieces = begin_pieces(world, sale);
    assert_true(put(&pieces, 0, PIECE));
    assert_true(put(&pieces, PIECE, 2 * PIECE));
    assert_false(put(&pieces, 2 * PIECE, 0));
    id_filter_fini(&pieces.filter);
}

/* Without room the sale is forwarded, and nobody sends what would be thrown away. */
static void board_filter_without_room_is_not_taken(void **state)
{
    struct world *world = *state;
    put_whole(world, 1);
    put_whole(world, 2);
    struct pieces pieces = begin_pieces(world, 3);
    assert_false(put(&pieces, 0, PIECE));
    id_filter_fini(&pieces.filter);
    assert_int_equal(board_filter_bytes(world->board), ROOM_BYTES);
    assert_int_equal(judge_sale(world, 1, OTHER_KEY), BOARD_SOLD_OUT);
    assert_int_equal(judge_sale(world, 2, OTHER_KEY), BOARD_SOLD_OUT);
    assert_int_equal(judge_sale(world, 3, OTHER_KEY), BOARD_FORWARD);
    struct board_position position = position_of(world, 3);
    assert_int_equal(position.filter_version, 5);
    assert_int_equal(position.filter_offset, BIG_BYTES);
    world->now_ns += EDGE_BOARD_FILTER_RETRY_MS * MS;
    assert_int_equal(position_of(world, 3).filter_offset, 0);
}

/* Who is quiet gives way to who is asked for; the one that was quiet longest first. */
static void board_filter_of_a_quiet_sale_makes_room(void **state)
{
    struct world *world = *state;
    put_whole(world, 1);
    world->now_ns += MS;
    put_whole(world, 2);
    world->now_ns += (EDGE_BOARD_FILTER_IDLE_MS + 1) * MS;
    put_whole(world, 3);
    assert_int_equal(board_filter_bytes(world->board), ROOM_BYTES);
    assert_int_equal(position_of(world, 1).filter_version, 0);
    assert_int_equal(position_of(world, 2).filter_version, 5);
    assert_int_equal(position_of(world, 3).filter_offset, BIG_BYTES);
}

/* A sale nobody asks for any more is forgotten with all it holds. */
static void board_quiet_sale_is_forgotten(void **state)
{
    struct world *world = *state;
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    bool has_more;
    struct pieces pieces = begin_pieces(world, 2);
    assert_true(put(&pieces, 0, PIECE));
    sell_out(world, 1, 5);
    world->now_ns += (EDGE_BOARD_TRAFFIC_MS + 1) * MS;
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 0);
    assert_int_equal(board_sales(world->board), 2);
    int64_t due_ns = board_next_due_ns(world->board);
    assert_true(due_ns > world->now_ns && due_ns <= world->now_ns + EDGE_BOARD_FORGET_MS * MS);
    world->now_ns += EDGE_BOARD_FORGET_MS * MS;
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 0);
    assert_int_equal(board_sales(world->board), 0);
    assert_int_equal(board_filter_bytes(world->board), 0);
    assert_true(board_next_due_ns(world->board) == CLOCK_DEADLINE_NEVER);
    id_filter_fini(&pieces.filter);
}

/* --- Rounds ----------------------------------------------------------------------------------- */

/* An edge without placements asks nothing; the first placement wakes the asker, once. */
static void board_traffic_wakes_the_asker_once(void **state)
{
    struct world *world = *state;
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    bool has_more;
    assert_true(board_next_due_ns(world->board) == CLOCK_DEADLINE_NEVER);
    (void)judge(world, OTHER_KEY);
    (void)judge(world, OTHER_KEY);
    assert_int_equal(world->awakened, 1);
    assert_true(board_next_due_ns(world->board) <= world->now_ns);
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 1);
    board_end_round(world->board, world->now_ns, false);
    assert_true(board_next_due_ns(world->board) == world->now_ns + EDGE_BOARD_ROUND_MS * MS);
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 0);
    world->now_ns += (EDGE_BOARD_TRAFFIC_MS + 1) * MS;
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 0);
    assert_true(board_next_due_ns(world->board) > world->now_ns);
    (void)judge(world, OTHER_KEY);
    assert_int_equal(world->awakened, 2);
}

/* While a filter is on its way the next round does not wait. */
static void board_filter_on_its_way_is_due_at_once(void **state)
{
    struct world *world = *state;
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    bool has_more;
    struct pieces pieces = begin_pieces(world, 0);
    (void)judge_sale(world, 1, OTHER_KEY);
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 2);
    assert_true(put(&pieces, 0, PIECE));
    board_end_round(world->board, world->now_ns, true);
    assert_true(board_next_due_ns(world->board) <= world->now_ns);
    assert_int_equal(board_positions(world->board, world->now_ns, positions, &has_more), 1);
    assert_int_equal(positions[0].filter_offset, PIECE);
    id_filter_fini(&pieces.filter);
}

/* Crumbs of a filter are taken, but do not set the pace. */
static void board_small_chunks_are_asked_for_at_leisure(void **state)
{
    struct pieces pieces = begin_pieces(*state, 0);
    assert_false(put(&pieces, 0, 8));
    assert_int_equal(position_of(*state, 0).filter_offset, 8);
    assert_false(put(&pieces, 8, 16));
    assert_int_equal(position_of(*state, 0).filter_offset, 16);
    id_filter_fini(&pieces.filter);
}

/* A flood of made-up sale ids must not push the sales that exist off the board. */
static void board_strangers_do_not_displace_known_sales(void **state)
{
    struct world *world = *state;
    for (unsigned sale = 0; sale < 3; sale++) {
        sell_out(world, sale, 5);
    }
    for (unsigned sale = 100; sale < 1000; sale++) {
        assert_int_equal(judge_sale(world, sale, OTHER_KEY), BOARD_FORWARD);
    }
    assert_int_equal(board_sales(world->board), SALES_MAX);
    for (unsigned sale = 0; sale < 3; sale++) {
        assert_int_equal(judge_sale(world, sale, OTHER_KEY), BOARD_SOLD_OUT);
    }
}

static void flood(struct world *world, unsigned first)
{
    for (unsigned sale = first; sale < first + 100; sale++) {
        assert_int_equal(judge_sale(world, sale, OTHER_KEY), BOARD_FORWARD);
    }
}

/* A flood of made-up sale ids must not keep a new sale off the board either: what orders says of
 * its orders tells it from them, also when it had been pushed off already. */
static void board_vouched_sale_outlasts_strangers(void **state)
{
    struct world *world = *state;
    const struct uuid before = sale_of(0), after = sale_of(1);
    (void)judge_sale(world, 0, OTHER_KEY);
    board_vouch(world->board, &before, world->now_ns);
    (void)judge_sale(world, 1, OTHER_KEY);
    flood(world, 100);
    board_vouch(world->board, &after, world->now_ns);
    board_vouch(world->board, &after, world->now_ns);
    flood(world, 200);
    assert_int_equal(board_sales(world->board), SALES_MAX);
    for (unsigned sale = 0; sale < 2; sale++) {
        struct board_news news = sold_out_news(sale, 5, 5);
        struct id_filter filter = filter_of(sale, FILTER_BYTES);
        assert_false(take_piece(world, &news, &filter, 5, 0, 0)); /* dropped for a sale not there */
        id_filter_fini(&filter);
        assert_int_equal(judge_sale(world, sale, OTHER_KEY), BOARD_SOLD_OUT);
    }
}

/* Before its first entry is there, a sale that exists is asked for ahead of those that may not. */
static void board_vouched_sale_is_asked_for_first(void **state)
{
    (void)state;
    enum { SALES = EDGE_BOARD_POSITIONS_MAX * 2 };
    struct world world = {.now_ns = BEGAN_MS * MS};
    const struct board_config config = {.sales_max = SALES, .filter_bytes_max = ROOM_BYTES};
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    const struct uuid vouched = sale_of(SALES - 1);
    bool has_more;
    assert_int_equal(board_create(&config, &world.board), 0);
    for (unsigned sale = 0; sale < SALES; sale++) {
        (void)judge_sale(&world, sale, OTHER_KEY);
    }
    board_vouch(world.board, &vouched, world.now_ns);
    assert_true(board_positions(world.board, world.now_ns, positions, &has_more) > 0);
    assert_true(uuid_equal(&positions[0].sale_id, &vouched));
    assert_int_equal(positions[0].version, 0);
    board_destroy(world.board);
}

/* A table full of known sales forwards the others, until one of them is quiet. */
static void board_full_table_forwards_and_recovers(void **state)
{
    struct world *world = *state;
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    bool has_more;
    for (unsigned sale = 0; sale < SALES_MAX; sale++) {
        struct board_news news = sold_out_news(sale, 5, 5);
        (void)judge_sale(world, sale, OTHER_KEY);
        assert_false(board_take(world->board, &news, world->now_ns));
    }
    assert_int_equal(judge_sale(world, 99, OTHER_KEY), BOARD_FORWARD);
    struct board_news news = sold_out_news(99, 5, 5);
    assert_false(board_take(world->board, &news, world->now_ns));
    assert_int_equal(board_sales(world->board), SALES_MAX);
    world->now_ns += (EDGE_BOARD_TRAFFIC_MS + 1) * MS;
    (void)judge_sale(world, 0, OTHER_KEY);
    (void)board_positions(world->board, world->now_ns, positions, &has_more);
    assert_int_equal(board_sales(world->board), 1);
    sell_out(world, 99, 5);
    assert_int_equal(judge_sale(world, 99, OTHER_KEY), BOARD_SOLD_OUT);
}

/* More sales than fit into one call take turns, and the calls follow each other at once. */
static void board_more_sales_than_a_call_takes_come_in_turn(void **state)
{
    (void)state;
    enum { SALES = 2 * EDGE_BOARD_POSITIONS_MAX + 20 };
    struct world world = {.now_ns = BEGAN_MS * MS};
    const struct board_config config = {.sales_max = SALES, .filter_bytes_max = ROOM_BYTES};
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    bool seen[SALES] = {false};
    bool has_more = true;
    assert_int_equal(board_create(&config, &world.board), 0);
    for (unsigned sale = 0; sale < SALES; sale++) {
        struct board_news news = sold_out_news(sale, 5, 5);
        (void)judge_sale(&world, sale, OTHER_KEY);
        assert_false(board_take(world.board, &news, world.now_ns));
    }
    unsigned calls = 0;
    size_t asked = 0;
    while (has_more) {
        size_t count = board_positions(world.board, world.now_ns, positions, &has_more);
        for (size_t i = 0; i < count; i++) {
            unsigned sale = positions[i].sale_id.bytes[14] * 256u + positions[i].sale_id.bytes[15];
            assert_false(seen[sale]);
            seen[sale] = true;
        }
        asked += count;
        calls++;
        world.now_ns += MS;
    }
    assert_int_equal(asked, SALES);
    assert_int_equal(calls, 3);
    board_destroy(world.board);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(board_each_interleaving_is_judged_by_the_rules),
        UNIT(board_filter_in_pieces_counts_when_it_is_whole),
        UNIT(board_broken_chunk_drops_what_was_collected_and_no_more),
        UNIT(board_broken_chunk_leaves_a_whole_filter),
        UNIT(board_new_version_begins_the_filter_anew),
        UNIT(board_stock_that_remains_frees_the_filter),
        UNIT(board_filter_of_an_earlier_selling_out_is_not_taken),
        UNIT(board_empty_chunk_waits_for_the_next_answer),
        UNIT(board_filter_without_room_is_not_taken),
        UNIT(board_filter_of_a_quiet_sale_makes_room),
        UNIT(board_quiet_sale_is_forgotten),
        UNIT(board_traffic_wakes_the_asker_once),
        UNIT(board_filter_on_its_way_is_due_at_once),
        UNIT(board_small_chunks_are_asked_for_at_leisure),
        UNIT(board_strangers_do_not_displace_known_sales),
        UNIT(board_vouched_sale_outlasts_strangers),
        cmocka_unit_test(board_vouched_sale_is_asked_for_first),
        UNIT(board_full_table_forwards_and_recovers),
        cmocka_unit_test(board_more_sales_than_a_call_takes_come_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
