/* What an edge is told of a sale, over gRPC and from a real database: the state, its age, and the
 * filter of a sale that is sold out, put together from its chunks. */
#include "base/clock.h"
#include "base/id_filter.h"
#include "base/order_id.h"
#include "orders_stage.h"
#include "support/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define READ_BOARD "/stampede.sales.v1.SaleService/ReadBoard"
#define POSITIONS  101
/* Their filter is longer than a chunk. */
#define LARGE_ORDERS 200000

#define LIVE     STAMPEDE__SALES__V1__SALE__STATE__LIVE
#define SOLD_OUT STAMPEDE__SALES__V1__SALE__STATE__SOLD_OUT

typedef Stampede__Sales__V1__BoardEntry board_entry;

static char sale_id[ORDERS_CLIENT_ID_CHARS + 1];

static void sleep_ms(int64_t ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

/* --- Asking ---------------------------------------------------------------------------------- */

/* A question about up to POSITIONS sales. */
struct question {
    Stampede__Sales__V1__ReadBoardRequest message;
    Stampede__Sales__V1__BoardPosition positions[POSITIONS], *pointers[POSITIONS];
};

static Stampede__Sales__V1__BoardPosition *ask_about(struct question *question, const char *id)
{
    size_t at = question->message.n_positions++;
    Stampede__Sales__V1__BoardPosition *position = &question->positions[at];
    assert_true(at < POSITIONS);
    stampede__sales__v1__board_position__init(position);
    position->sale_id = (char *)(uintptr_t)id;
    question->pointers[at] = position;
    return position;
}

static void question_init(struct question *question)
{
    stampede__sales__v1__read_board_request__init(&question->message);
    question->message.positions = question->pointers;
}

static struct rpc_reply *ask(struct question *question)
{
    return orders_client_call(&orders_stage.public, READ_BOARD,
                              &stampede__sales__v1__read_board_response__descriptor,
                              &question->message.base);
}

/* Asks about one sale with what the asker has of its filter. */
static struct rpc_reply *ask_one(int64_t filter_version, int64_t filter_offset)
{
    struct question question;
    question_init(&question);
    Stampede__Sales__V1__BoardPosition *position = ask_about(&question, sale_id);
    position->filter_version = filter_version;
    position->filter_offset = filter_offset;
    return ask(&question);
}

static const board_entry *entry_of(const struct rpc_reply *reply)
{
    const Stampede__Sales__V1__ReadBoardResponse *response = orders_client_message(reply);
    return response->n_entries == 0 ? NULL : response->entries[0];
}

/* Asks until the sale's entry is in this state (and, if wanted, has a filter of this version or a
 * later one). */
static struct rpc_reply *ask_until(Stampede__Sales__V1__Sale__State state, int64_t filter_from)
{
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    for (;;) {
        struct rpc_reply *reply = ask_one(0, 0);
        const board_entry *entry = entry_of(reply);
        if (entry != NULL && entry->state == state &&
            (filter_from == 0 ||
             (entry->filter != NULL && entry->filter->version >= filter_from))) {
            return reply;
        }
        rpc_reply_free(reply);
        assert_false(patience_is_over(&patience));
        sleep_ms(20);
    }
}

/* Places orders number from to from + count - 1 of the test, one unit each. */
static void place_many(unsigned from, unsigned count)
{
    static struct orders_client_batch batch;
    char key[32];
    while (count > 0) {
        unsigned part = count < 500 ? count : 500;
        orders_client_batch_init(&batch, sale_id);
        for (unsigned i = 0; i < part; i++) {
            snprintf(key, sizeof(key), "k-%u", from + i);
            orders_client_batch_add(&batch, "c-1", key, 1);
        }
        struct rpc_reply *reply = orders_client_place_batch(&orders_stage.public, &batch);
        const Stampede__Orders__V1__BatchPlaceOrdersResponse *response =
            orders_client_message(reply);
        for (size_t i = 0; i < response->n_results; i++) {
            assert_string_equal(orders_client_result_reason(response->results[i]), "");
        }
        rpc_reply_free(reply);
        from += part;
        count -= part;
    }
}

static struct uuid order_id_at(unsigned number)
{
    struct uuid sale, id;
    char key[32];
    int length = snprintf(key, sizeof(key), "k-%u", number);
    assert_true(uuid_parse(sale_id, strlen(sale_id), &sale));
    id = order_id_of(&sale, "c-1", 3, key, (size_t)length);
    return id;
}

/* Puts the filter of the sale together as an edge does. */
static void collect(struct id_filter *ret, int64_t *ret_version)
{
    struct id_filter filter = {0};
    int64_t version = 0, offset = 0;
    bool is_complete = false;
    while (!is_complete) {
        struct rpc_reply *reply = ask_one(version, offset);
        const board_entry *entry = entry_of(reply);
        assert_non_null(entry);
        assert_non_null(entry->filter);
        const Stampede__Sales__V1__FilterChunk *chunk = entry->filter;
        struct id_filter_shape shape;
        assert_true(id_filter_shape_read(chunk->total, chunk->hashes, &shape));
        assert_in_range(chunk->data.len, 1, ID_FILTER_CHUNK_BYTES_MAX);
        if (version == 0) {
            assert_int_equal(id_filter_init(&filter, shape), 0);
            version = chunk->version;
        }
        assert_int_equal(chunk->version, version);
        assert_int_equal(chunk->version, entry->sold_out_since);
        assert_int_equal(chunk->offset, offset);
        assert_true(id_filter_shape_equal(shape, filter.shape));
        assert_true(id_filter_write(&filter, chunk->offset, chunk->data.data, chunk->data.len));
        offset += (int64_t)chunk->data.len;
        is_complete = offset == chunk->total;
        rpc_reply_free(reply);
    }
    *ret = filter;
    *ret_version = version;
}

static void assert_holds(const struct id_filter *filter, unsigned orders)
{
    unsigned maybes = 0;
    for (unsigned i = 0; i < orders; i++) {
        struct uuid id = order_id_at(i);
        assert_true(id_filter_may_contain(filter, &id));
    }
    for (unsigned i = 1000000; i < 1010000; i++) {
        struct uuid id = order_id_at(i);
        maybes += id_filter_may_contain(filter, &id) ? 1 : 0;
    }
    assert_true(maybes < 150);
}

/* --- Tests ----------------------------------------------------------------------------------- */

/* The state of a sale reaches an edge without the edge's reading any row, and says how old it is.
 */
static void read_board_live_sale_is_told(void **state)
{
    (void)state;
    orders_client_create_sale(&orders_stage.admin, "live", 10, 0, sale_id);
    int64_t begun_ns = clock_monotonic_ns();
    struct rpc_reply *reply = ask_until(LIVE, 0);
    const board_entry *entry = entry_of(reply);
    assert_string_equal(entry->sale_id, sale_id);
    assert_int_equal(entry->version, 1);
    assert_int_equal(entry->stock_remaining, 10);
    assert_int_equal(entry->stock_returning, 0);
    assert_int_equal(entry->starts_in_ms, 0);
    assert_int_equal(entry->sold_out_since, 0);
    assert_null(entry->filter);
    assert_in_range(entry->age_ms, 0, (clock_monotonic_ns() - begun_ns) / CLOCK_NS_PER_MS + 1);
    rpc_reply_free(reply);
}

/* Every order of a sold-out sale is in the filter that an edge puts together, so none that exists
 * is refused; an asker that has it all gets no bytes again. */
static void read_board_sold_out_sale_filter_holds_every_order(void **state)
{
    struct id_filter filter;
    int64_t version;
    (void)state;
    orders_client_create_sale(&orders_stage.admin, "sold-out", 3000, 0, sale_id);
    place_many(0, 3000);
    rpc_reply_free(ask_until(SOLD_OUT, 1));
    collect(&filter, &version);
    assert_holds(&filter, 3000);
    struct rpc_reply *reply = ask_one(version, (int64_t)filter.shape.bytes);
    const board_entry *entry = entry_of(reply);
    assert_int_equal(entry->filter->version, version);
    assert_int_equal(entry->filter->offset, entry->filter->total);
    assert_int_equal(entry->filter->data.len, 0);
    rpc_reply_free(reply);
    id_filter_fini(&filter);
}

/* A filter of megabytes in one message would keep everything else on its connection waiting. */
static void read_board_large_filter_comes_in_chunks(void **state)
{
    struct id_filter filter;
    int64_t version;
    char sql[1024];
    (void)state;
    orders_client_create_sale(&orders_stage.admin, "large", LARGE_ORDERS, 0, sale_id);
    snprintf(sql, sizeof(sql),
             "BEGIN; INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, status) "
             "SELECT '%s', gen_random_uuid(), n, 'c', 1, 'CONFIRMED' "
             "FROM generate_series(1, %d) AS n; "
             "UPDATE sales SET stock_remaining = 0, orders_count = %d, version = 2, "
             "sold_out_since = 2 WHERE sale_id = '%s'; "
             "INSERT INTO order_events (sale_id, sequence, event_time, placed_from, placed_count, "
             "placed_status) VALUES ('%s', 2, now(), 1, %d, 'CONFIRMED'); COMMIT",
             sale_id, LARGE_ORDERS, LARGE_ORDERS, sale_id, sale_id, LARGE_ORDERS);
    assert_int_equal(scratch_postgres_execute(orders_stage.server.admin_url, sql), 0);
    struct rpc_reply *reply = ask_until(SOLD_OUT, 2);
    assert_int_equal(entry_of(reply)->filter->data.len, ID_FILTER_CHUNK_BYTES_MAX);
    assert_true(entry_of(reply)->filter->total > (int64_t)ID_FILTER_CHUNK_BYTES_MAX);
    rpc_reply_free(reply);
    collect(&filter, &version);
    assert_int_equal(version, 2);
    id_filter_fini(&filter);
}

/* Stock that is added to a sold-out sale takes the filter away until it is sold again; the next one
 * has the later orders too. */
static void read_board_restocked_sale_gets_the_next_filter(void **state)
{
    struct id_filter filter;
    int64_t first, second;
    (void)state;
    orders_client_create_sale(&orders_stage.admin, "restocked", 1200, 0, sale_id);
    place_many(0, 1200);
    rpc_reply_free(ask_until(SOLD_OUT, 1));
    collect(&filter, &first);
    id_filter_fini(&filter);

    rpc_reply_free(orders_calls_restock(&orders_stage.admin, sale_id, "r-1", 50));
    struct rpc_reply *reply = ask_until(LIVE, 0);
    assert_null(entry_of(reply)->filter);
    rpc_reply_free(reply);
    place_many(1200, 50);
    rpc_reply_free(ask_until(SOLD_OUT, first + 1));
    collect(&filter, &second);
    assert_true(second > first);
    assert_holds(&filter, 1250);
    id_filter_fini(&filter);
}

/* One response carries one chunk: an edge with many sold-out sales must not get 100 of them. */
static void read_board_two_filters_one_has_bytes(void **state)
{
    struct question question;
    char other[ORDERS_CLIENT_ID_CHARS + 1];
    (void)state;
    orders_client_create_sale(&orders_stage.admin, "two-a", 500, 0, sale_id);
    place_many(0, 500);
    rpc_reply_free(ask_until(SOLD_OUT, 1));
    memcpy(other, sale_id, sizeof(other));
    orders_client_create_sale(&orders_stage.admin, "two-b", 500, 0, sale_id);
    place_many(0, 500);
    rpc_reply_free(ask_until(SOLD_OUT, 1));

    question_init(&question);
    ask_about(&question, ORDERS_STAGE_NOBODYS_ID);
    ask_about(&question, other);
    ask_about(&question, sale_id);
    struct rpc_reply *reply = ask(&question);
    const Stampede__Sales__V1__ReadBoardResponse *response = orders_client_message(reply);
    assert_int_equal(response->n_entries, 2);
    assert_string_equal(response->entries[0]->sale_id, other);
    assert_true(response->entries[0]->filter->data.len > 0);
    assert_string_equal(response->entries[1]->sale_id, sale_id);
    assert_int_equal(response->entries[1]->filter->data.len, 0);
    assert_int_equal(response->entries[1]->filter->offset, 0);
    assert_true(response->entries[1]->filter->total > 0);
    rpc_reply_free(reply);
}

/* What is out of bounds is named; nothing of it reaches the board. */
static void read_board_bad_positions_are_refused_by_name(void **state)
{
    static struct question question;
    (void)state;
    question_init(&question);
    orders_calls_assert_field(ask(&question), "positions");
    for (int i = 0; i < 101; i++) {
        ask_about(&question, ORDERS_STAGE_NOBODYS_ID);
    }
    orders_calls_assert_field(ask(&question), "positions");
    question.message.n_positions = 3;
    question.positions[2].sale_id = (char *)(uintptr_t) "no-uuid";
    orders_calls_assert_field(ask(&question), "positions[2].sale_id");
    question.message.n_positions = 2;
    question.positions[1].version = -1;
    orders_calls_assert_field(ask(&question), "positions[1].version");
    question.positions[1].version = 0;
    question.positions[1].filter_version = -1;
    orders_calls_assert_field(ask(&question), "positions[1].filter_version");
    question.positions[1].filter_version = 0;
    question.positions[1].filter_offset = 8;
    orders_calls_assert_field(ask(&question), "positions[1].filter_offset");
}

/* Nonsense about a filter is no reason to refuse: it is begun again. */
static void read_board_offset_past_the_end_begins_again(void **state)
{
    (void)state;
    orders_client_create_sale(&orders_stage.admin, "past", 100, 0, sale_id);
    place_many(0, 100);
    struct rpc_reply *reply = ask_until(SOLD_OUT, 1);
    int64_t version = entry_of(reply)->filter->version;
    rpc_reply_free(reply);
    reply = ask_one(version, INT64_MAX);
    assert_int_equal(entry_of(reply)->filter->offset, 0);
    assert_true(entry_of(reply)->filter->data.len > 0);
    rpc_reply_free(reply);
    reply = ask_one(version + 1, 64);
    assert_int_equal(entry_of(reply)->filter->offset, 0);
    rpc_reply_free(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_board_live_sale_is_told),
        cmocka_unit_test(read_board_sold_out_sale_filter_holds_every_order),
        cmocka_unit_test(read_board_large_filter_comes_in_chunks),
        cmocka_unit_test(read_board_restocked_sale_gets_the_next_filter),
        cmocka_unit_test(read_board_two_filters_one_has_bytes),
        cmocka_unit_test(read_board_bad_positions_are_refused_by_name),
        cmocka_unit_test(read_board_offset_past_the_end_begins_again),
    };
    return cmocka_run_group_tests(tests, orders_stage_start, orders_stage_stop);
}
