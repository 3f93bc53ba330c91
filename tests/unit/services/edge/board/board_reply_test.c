#include "edge/board/board_reply.h"

#include "base/clock.h"
#include "stampede/sales/v1/sales.pb-c.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_NS  (INT64_C(1000000) * CLOCK_NS_PER_MS)
#define SALE    "0190a5b0-0000-7000-8000-000000000001"
#define THREADS 3

typedef Stampede__Sales__V1__BoardEntry entry_message;

static char sale_id[] = SALE;

static struct board *make_board(void)
{
    const struct board_config config = {.sales_max = 8, .filter_bytes_max = 1 << 20};
    struct board *board;
    assert_int_equal(board_create(&config, &board), 0);
    return board;
}

static enum board_verdict judge(struct board *board)
{
    struct board_question question = {
        .customer_id = "c", .customer_length = 1, .key = "k", .key_length = 1};
    assert_true(uuid_parse(SALE, strlen(SALE), &question.sale_id));
    return board_judge(board, &question, NOW_NS);
}

static bool take(struct board *board, entry_message *entry)
{
    Stampede__Sales__V1__ReadBoardResponse response =
        STAMPEDE__SALES__V1__READ_BOARD_RESPONSE__INIT;
    response.n_entries = 1;
    response.entries = &entry;
    return board_reply_take(board, &response.base, NOW_NS);
}

static entry_message entry_of(Stampede__Sales__V1__Sale__State state)
{
    entry_message entry = STAMPEDE__SALES__V1__BOARD_ENTRY__INIT;
    entry.sale_id = sale_id;
    entry.state = state;
    entry.version = 5;
    entry.sold_out_since = 5;
    return entry;
}

/* Of a sale's states only these two are anything that the edge may refuse by. */
static void board_reply_each_state_is_judged(void **state)
{
    static uint8_t bytes[ID_FILTER_BYTES_MIN];
    static const struct {
        Stampede__Sales__V1__Sale__State state;
        enum board_verdict verdict;
    } rows[] = {
        {STAMPEDE__SALES__V1__SALE__STATE__STATE_UNSPECIFIED, BOARD_FORWARD},
        {STAMPEDE__SALES__V1__SALE__STATE__SCHEDULED, BOARD_NOT_STARTED},
        {STAMPEDE__SALES__V1__SALE__STATE__LIVE, BOARD_FORWARD},
        {STAMPEDE__SALES__V1__SALE__STATE__PAUSED, BOARD_FORWARD},
        {STAMPEDE__SALES__V1__SALE__STATE__SOLD_OUT, BOARD_SOLD_OUT},
        {STAMPEDE__SALES__V1__SALE__STATE__ENDED, BOARD_FORWARD},
        {(Stampede__Sales__V1__Sale__State)77, BOARD_FORWARD},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct board *board = make_board();
        assert_int_equal(judge(board), BOARD_FORWARD);
        entry_message entry = entry_of(rows[i].state);
        Stampede__Sales__V1__FilterChunk chunk = STAMPEDE__SALES__V1__FILTER_CHUNK__INIT;
        chunk.version = 5;
        chunk.total = sizeof(bytes);
        chunk.hashes = 7;
        chunk.data.data = bytes;
        chunk.data.len = sizeof(bytes);
        entry.filter = &chunk;
        entry.starts_in_ms = 60000;
        assert_false(take(board, &entry));
        assert_int_equal(judge(board), rows[i].verdict);
        board_destroy(board);
    }
}

/* An entry that names no sale is passed over; those behind it count. */
static void board_reply_entry_without_a_sale_is_passed_over(void **state)
{
    static char bad[] = "0190a5b0-0000-7000-8000-00000000000";
    (void)state;
    struct board *board = make_board();
    (void)judge(board);
    entry_message broken = entry_of(STAMPEDE__SALES__V1__SALE__STATE__SOLD_OUT);
    broken.sale_id = bad;
    entry_message good = entry_of(STAMPEDE__SALES__V1__SALE__STATE__SCHEDULED);
    good.starts_in_ms = 60000;
    entry_message *entries[] = {&broken, &good};
    Stampede__Sales__V1__ReadBoardResponse response =
        STAMPEDE__SALES__V1__READ_BOARD_RESPONSE__INIT;
    response.n_entries = 2;
    response.entries = entries;
    assert_false(board_reply_take(board, &response.base, NOW_NS));
    assert_int_equal(judge(board), BOARD_NOT_STARTED);
    board_destroy(board);
}

/* What the board wants to know is what the replica is asked. */
static void board_reply_questions_carry_every_position(void **state)
{
    (void)state;
    struct board_question_list *questions = board_reply_create_questions();
    assert_non_null(questions);
    struct board_position positions[2] = {
        {.version = 5, .filter_version = 4, .filter_offset = 262144}, {.version = 0}};
    assert_true(uuid_parse(SALE, strlen(SALE), &positions[0].sale_id));
    const Stampede__Sales__V1__ReadBoardRequest *request =
        (const void *)board_reply_ask(questions, positions, 2);
    assert_int_equal(request->n_positions, 2);
    assert_string_equal(request->positions[0]->sale_id, SALE);
    assert_int_equal(request->positions[0]->version, 5);
    assert_int_equal(request->positions[0]->filter_version, 4);
    assert_int_equal(request->positions[0]->filter_offset, 262144);
    assert_string_equal(request->positions[1]->sale_id, "00000000-0000-0000-0000-000000000000");
    board_reply_destroy_questions(questions);
}

/* --- Threads ---------------------------------------------------------------------------------- */

struct crowd {
    struct board *board;
    atomic_bool ends;
};

static void *judge_on(void *data)
{
    struct crowd *crowd = data;
    unsigned number = 0;
    while (!atomic_load(&crowd->ends)) {
        struct board_question question = {
            .customer_id = "c", .customer_length = 1, .key = "k", .key_length = 1};
        assert_true(uuid_parse(SALE, strlen(SALE), &question.sale_id));
        question.sale_id.bytes[15] = (uint8_t)(number++ % 16);
        assert_true(board_judge(crowd->board, &question, NOW_NS) < BOARD_VERDICTS);
    }
    return NULL;
}

/* A round as the asker does it: everything it may do with the table while loops judge by it. */
static void do_round(struct board *board, unsigned round)
{
    static uint8_t bytes[ID_FILTER_BYTES_MIN];
    struct board_position positions[128];
    bool has_more;
    int64_t now_ns = NOW_NS + (int64_t)round * 200 * CLOCK_NS_PER_MS;
    size_t count = board_positions(board, now_ns, positions, &has_more);
    for (size_t i = 0; i < count; i++) {
        struct board_news news = {
            .sale_id = positions[i].sale_id,
            .state = BOARD_STATE_SOLD_OUT,
            .version = round + 1,
            .sold_out_since = round + 1,
            .has_chunk = true,
            .chunk = {round + 1, 0, sizeof(bytes), 7, bytes, sizeof(bytes)},
        };
        assert_false(board_take(board, &news, now_ns));
    }
    board_end_round(board, now_ns, false);
}

/* Loops judge by filters that the asker replaces; the sanitizers say whether that is sound. */
static void board_reply_loops_and_asker_share_the_board(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    struct crowd crowd = {.board = make_board()};
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, judge_on, &crowd), 0);
    }
    for (unsigned round = 0; round < 2000; round++) {
        do_round(crowd.board, round % 500);
    }
    atomic_store(&crowd.ends, true);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    board_destroy(crowd.board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(board_reply_each_state_is_judged),
        cmocka_unit_test(board_reply_entry_without_a_sale_is_passed_over),
        cmocka_unit_test(board_reply_questions_carry_every_position),
        cmocka_unit_test(board_reply_loops_and_asker_share_the_board),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
