/* WatchSales and StreamOrderEvents over gRPC on a real database: what arrives, in which order, and
 * how a stream ends. */
#include "base/clock.h"
#include "orders_stage.h"
#include "support/patience.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define WATCH_SALES   "/stampede.sales.v1.SaleService/WatchSales"
#define STREAM_EVENTS "/stampede.orders.v1.OrderService/StreamOrderEvents"

#define LOOK_MS    200
#define NEWS_MAX   4096
#define ORDERS_MAX 4096
#define SALES_MAX  100

#define LIVE     STAMPEDE__SALES__V1__SALE__STATE__LIVE
#define SOLD_OUT STAMPEDE__SALES__V1__SALE__STATE__SOLD_OUT
#define PAUSED   STAMPEDE__SALES__V1__SALE__STATE__PAUSED

#define RESERVED  STAMPEDE__ORDERS__V1__ORDER__STATUS__RESERVED
#define CONFIRMED STAMPEDE__ORDERS__V1__ORDER__STATUS__CONFIRMED

static char sale_id[ORDERS_CLIENT_ID_CHARS + 1];

static void sleep_ms(int64_t ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

/* --- A stream as its reader sees it ---------------------------------------------------------- */

/* One message, of either kind. */
struct news {
    char sale_id[ORDERS_CLIENT_ID_CHARS + 1];
    Stampede__Sales__V1__Sale__State state;
    int32_t stock_remaining;
    int64_t version; /* or sequence */
    size_t orders_from, orders;
};

struct seen_order {
    int64_t number;
    Stampede__Orders__V1__Order__Status status;
};

struct stream {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_held; /* the reader takes nothing more for now */
    struct rpc_reply *reply;
    struct rpc_client_call *call;
    size_t count, order_count;
    struct news news[NEWS_MAX];
    struct seen_order orders[ORDERS_MAX];
};

static struct stream *stream_make(void)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    pthread_condattr_t attributes;
    assert_non_null(stream);
    pthread_mutex_init(&stream->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&stream->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return stream;
}

static void on_done(struct rpc_reply *reply, void *data)
{
    struct stream *stream = data;
    pthread_mutex_lock(&stream->lock);
    stream->reply = reply;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
}

static struct news *next_news_locked(struct stream *stream)
{
    while (stream->is_held) {
        pthread_cond_wait(&stream->changed, &stream->lock);
    }
    assert_true(stream->count < NEWS_MAX);
    pthread_cond_broadcast(&stream->changed);
    return &stream->news[stream->count++];
}

static void on_sale(const ProtobufCMessage *message, void *data)
{
    const Stampede__Sales__V1__Sale *sale = (const void *)message;
    struct stream *stream = data;
    pthread_mutex_lock(&stream->lock);
    struct news *news = next_news_locked(stream);
    memcpy(news->sale_id, sale->sale_id, sizeof(news->sale_id));
    news->state = sale->state;
    news->stock_remaining = sale->stock_remaining;
    news->version = sale->version;
    pthread_mutex_unlock(&stream->lock);
}

static void on_events(const ProtobufCMessage *message, void *data)
{
    const Stampede__Orders__V1__OrderEvents *events = (const void *)message;
    struct stream *stream = data;
    pthread_mutex_lock(&stream->lock);
    struct news *news = next_news_locked(stream);
    memcpy(news->sale_id, events->sale_id, sizeof(news->sale_id));
    news->version = events->sequence;
    news->orders_from = stream->order_count;
    news->orders = events->n_orders;
    assert_true(stream->order_count + events->n_orders <= ORDERS_MAX);
    for (size_t i = 0; i < events->n_orders; i++) {
        stream->orders[stream->order_count++] = (struct seen_order){
            .number = events->orders[i]->number, .status = events->orders[i]->status};
    }
    pthread_mutex_unlock(&stream->lock);
}

static void stream_start(struct stream *stream, struct orders_client *client, const char *method,
                         const ProtobufCMessageDescriptor *type, const ProtobufCMessage *message,
                         rpc_message_fn on_message)
{
    const char authorization[] = "Bearer " ORDERS_PROCESS_TOKEN;
    const struct rpc_metadata metadata = {
        .key = "authorization", .value = authorization, .value_length = strlen(authorization)};
    const struct rpc_request request = {
        .full_method = method,
        .reply_type = type,
        .message = message,
        .deadline_ns = CLOCK_DEADLINE_NEVER,
        .metadata = &metadata,
        .metadata_count = client->token == NULL ? 0 : 1,
        .on_message = on_message,
        .on_done = on_done,
        .data = stream,
    };
    rpc_channel_call(client->channel, &request, &stream->call);
}

static struct stream *watch_on(struct orders_client *client, const char *id, char *const *ids,
                               size_t count, bool is_held)
{
    Stampede__Sales__V1__WatchSalesRequest request = STAMPEDE__SALES__V1__WATCH_SALES_REQUEST__INIT;
    struct stream *stream = stream_make();
    stream->is_held = is_held;
    request.sale_id = (char *)(uintptr_t)id;
    request.sale_ids = (char **)(uintptr_t)ids;
    request.n_sale_ids = count;
    stream_start(stream, client, WATCH_SALES, &stampede__sales__v1__sale__descriptor, &request.base,
                 on_sale);
    return stream;
}

static struct stream *watch_one(const char *id)
{
    return watch_on(&orders_stage.public, id, NULL, 0, false);
}

static struct stream *events_from(struct orders_client *client, const char *id, int64_t from)
{
    Stampede__Orders__V1__StreamOrderEventsRequest request =
        STAMPEDE__ORDERS__V1__STREAM_ORDER_EVENTS_REQUEST__INIT;
    struct stream *stream = stream_make();
    request.sale_id = (char *)(uintptr_t)id;
    request.from_sequence = from;
    stream_start(stream, client, STREAM_EVENTS, &stampede__orders__v1__order_events__descriptor,
                 &request.base, on_events);
    return stream;
}

/* Waits until so many messages have come, or the stream has ended (count 0). */
static void stream_wait(struct stream *stream, size_t count)
{
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    bool is_over = false;
    pthread_mutex_lock(&stream->lock);
    while (!is_over && (count == 0 ? stream->reply == NULL : stream->count < count)) {
        int64_t until_ns = clock_deadline_in_ms(LOOK_MS);
        struct timespec until = {.tv_sec = (time_t)(until_ns / CLOCK_NS_PER_SECOND),
                                 .tv_nsec = (long)(until_ns % CLOCK_NS_PER_SECOND)};
        (void)pthread_cond_timedwait(&stream->changed, &stream->lock, &until);
        is_over = patience_is_over(&patience);
    }
    size_t seen = stream->count;
    bool is_met = count == 0 ? stream->reply != NULL : seen >= count;
    pthread_mutex_unlock(&stream->lock);
    if (!is_met) {
        fail_msg("%zu messages have come, not %zu", seen, count);
    }
}

static struct news last_news(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    assert_true(stream->count > 0);
    struct news news = stream->news[stream->count - 1];
    pthread_mutex_unlock(&stream->lock);
    return news;
}

/* Waits until the newest message is of this version or a later one. */
static struct news wait_version(struct stream *stream, int64_t version)
{
    size_t count = 1;
    stream_wait(stream, count);
    while (last_news(stream).version < version) {
        stream_wait(stream, ++count);
    }
    return last_news(stream);
}

static void stream_free(struct stream *stream)
{
    rpc_client_call_unref(stream->call);
    rpc_reply_free(stream->reply);
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

/* The reader leaves. */
static void stream_leave(struct stream *stream)
{
    rpc_client_call_cancel(stream->call);
    stream_wait(stream, 0);
    stream_free(stream);
}

/* The stream ends by itself, for this reason. */
static void stream_assert_ends(struct stream *stream, enum rpc_code code, const char *reason)
{
    stream_wait(stream, 0);
    assert_int_equal(stream->reply->status.code, code);
    assert_non_null(stream->reply->status.reason);
    assert_string_equal(stream->reply->status.reason, reason);
    stream_free(stream);
}

/* Streams that the program counts, by its own account of limits. */
static void wait_streams(const char *name, int count)
{
    static char body[65536];
    static const char in_use[] = "\"inUse\":";
    char pattern[96];
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    snprintf(pattern, sizeof(pattern), "\"name\":\"%s\"", name);
    for (;;) {
        assert_int_equal(orders_process_get(&orders_stage.process, "/limits", body, sizeof(body)),
                         200);
        const char *row = strstr(body, pattern);
        assert_non_null(row);
        row = strstr(row, in_use);
        assert_non_null(row);
        if (strtol(row + strlen(in_use), NULL, 10) == count) {
            return;
        }
        assert_false(patience_is_over(&patience));
        sleep_ms(20);
    }
}

static void place(const char *id, const char *key)
{
    char order_id[ORDERS_CLIENT_ID_CHARS + 1];
    orders_calls_place(&orders_stage.public, id, "c-1", key, 1, order_id);
}

/* --- WatchSales ------------------------------------------------------------------------------ */

/* Who watches sees the sale as it is and then each change of state or stock, also of its own time.
 */
static void watch_sales_changes_are_told(void **state)
{
    (void)state;
    orders_client_create_sale(&orders_stage.admin, "watched", 2, 0, sale_id);
    struct stream *stream = watch_one(sale_id);
    stream_wait(stream, 1);
    assert_int_equal(last_news(stream).state, LIVE);
    assert_int_equal(last_news(stream).stock_remaining, 2);
    place(sale_id, "k-1");
    assert_int_equal(wait_version(stream, 2).stock_remaining, 1);
    place(sale_id, "k-2");
    assert_int_equal(wait_version(stream, 3).state, SOLD_OUT);
    rpc_reply_free(orders_calls_act(&orders_stage.admin, "PauseSale", sale_id));
    assert_int_equal(wait_version(stream, 4).state, PAUSED);
    assert_int_equal(stream->count, 4);
    stream_leave(stream);
    wait_streams("sale_streams", 0);
}

/* A reader that stops reading for a while ends up with every sale as it is, and hears of none
 * backwards. */
static void watch_sales_slow_reader_gets_the_newest(void **state)
{
    static char ids[SALES_MAX][ORDERS_CLIENT_ID_CHARS + 1], *pointers[SALES_MAX];
    static int64_t versions[SALES_MAX];
    struct orders_client slow;
    (void)state;
    for (size_t i = 0; i < SALES_MAX; i++) {
        char key[32];
        snprintf(key, sizeof(key), "slow-%zu", i);
        orders_client_create_sale(&orders_stage.admin, key, 100, 0, ids[i]);
        pointers[i] = ids[i];
    }
    orders_client_open(&slow, orders_stage.process.grpc_port, NULL);
    struct stream *stream = watch_on(&slow, "", pointers, SALES_MAX, true);
    wait_streams("sale_streams", 1);
    for (int i = 0; i < 3; i++) {
        char key[32];
        snprintf(key, sizeof(key), "k-%d", i);
        for (size_t sale = 0; sale < SALES_MAX; sale++) {
            place(ids[sale], key);
        }
    }
    pthread_mutex_lock(&stream->lock);
    stream->is_held = false;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    size_t current = 0, read = 0;
    while (current < SALES_MAX) {
        stream_wait(stream, read + 1);
        const struct news *news = &stream->news[read++];
        size_t at = 0;
        while (strcmp(ids[at], news->sale_id) != 0) {
            at++;
            assert_true(at < SALES_MAX);
        }
        assert_true(news->version > versions[at]);
        versions[at] = news->version;
        current += news->stock_remaining == 97 ? 1 : 0;
    }
    assert_true(read <= 4 * SALES_MAX);
    stream_leave(stream);
    orders_client_close(&slow);
}

/* What cannot be watched is refused at once, by name. */
static void watch_sales_bad_requests_are_refused(void **state)
{
    static char *ids[SALES_MAX + 1];
    (void)state;
    for (size_t i = 0; i <= SALES_MAX; i++) {
        ids[i] = (char *)(uintptr_t)ORDERS_STAGE_NOBODYS_ID;
    }
    stream_assert_ends(watch_one(ORDERS_STAGE_NOBODYS_ID), RPC_NOT_FOUND, "SALE_NOT_FOUND");
    stream_assert_ends(watch_one(""), RPC_INVALID_ARGUMENT, "INVALID_FIELD");
    stream_assert_ends(watch_one("nonsense"), RPC_INVALID_ARGUMENT, "INVALID_FIELD");
    stream_assert_ends(watch_on(&orders_stage.public, "", ids, SALES_MAX + 1, false),
                       RPC_INVALID_ARGUMENT, "INVALID_FIELD");
    stream_assert_ends(watch_on(&orders_stage.public, ORDERS_STAGE_NOBODYS_ID, ids, 1, false),
                       RPC_INVALID_ARGUMENT, "INVALID_FIELD");
    wait_streams("sale_streams", 0);
}

/* --- StreamOrderEvents ----------------------------------------------------------------------- */

static void assert_gapless(const struct stream *stream, int64_t from)
{
    for (size_t i = 0; i < stream->count; i++) {
        assert_int_equal(stream->news[i].version, from + (int64_t)i);
        assert_string_equal(stream->news[i].sale_id, sale_id);
    }
}

/* Places orders number from to from + count - 1 and confirms the first of them; a database that is
 * away is asked again until it is back. */
static void place_and_confirm(unsigned from, unsigned count)
{
    static struct orders_client_batch batch;
    char key[32], order_id[ORDERS_CLIENT_ID_CHARS + 1] = "";
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    orders_client_batch_init(&batch, sale_id);
    for (unsigned i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "k-%u", from + i);
        orders_client_batch_add(&batch, "c-1", key, 1);
    }
    while (order_id[0] == '\0') {
        struct rpc_reply *reply = orders_client_place_batch(&orders_stage.public, &batch);
        const Stampede__Orders__V1__BatchPlaceOrdersResponse *response =
            (const void *)reply->message;
        bool is_placed = response != NULL;
        for (size_t i = 0; is_placed && i < response->n_results; i++) {
            is_placed = orders_client_result_reason(response->results[i])[0] == '\0';
        }
        if (is_placed) {
            memcpy(order_id, response->results[0]->order->order_id, sizeof(order_id));
        }
        rpc_reply_free(reply);
        assert_false(patience_is_over(&patience));
        sleep_ms(is_placed ? 0 : 50);
    }
    struct rpc_reply *reply = orders_calls_confirm(&orders_stage.admin, sale_id, order_id);
    while (reply->status.code != RPC_OK) {
        rpc_reply_free(reply);
        assert_false(patience_is_over(&patience));
        sleep_ms(50);
        reply = orders_calls_confirm(&orders_stage.admin, sale_id, order_id);
    }
    rpc_reply_free(reply);
}

static int64_t version_now(void)
{
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    struct rpc_reply *reply = orders_calls_get_sale(&orders_stage.public, sale_id);
    while (reply->status.code == RPC_UNAVAILABLE) { /* the reads' connection may be back later */
        rpc_reply_free(reply);
        assert_false(patience_is_over(&patience));
        sleep_ms(50);
        reply = orders_calls_get_sale(&orders_stage.public, sale_id);
    }
    const Stampede__Sales__V1__Sale *sale = orders_client_message(reply);
    int64_t version = sale->version;
    rpc_reply_free(reply);
    return version;
}

/* What was told of the orders: each was RESERVED first, and every tenth CONFIRMED afterwards. */
static void assert_orders(const struct stream *stream, unsigned orders)
{
    static Stampede__Orders__V1__Order__Status statuses[ORDERS_MAX + 1];
    unsigned reserved = 0, confirmed = 0;
    memset(statuses, 0, sizeof(statuses));
    for (size_t i = 0; i < stream->order_count; i++) {
        const struct seen_order *order = &stream->orders[i];
        assert_in_range(order->number, 1, orders);
        assert_int_equal(statuses[order->number], order->status == CONFIRMED ? RESERVED : 0);
        statuses[order->number] = order->status;
        reserved += order->status == RESERVED ? 1 : 0;
        confirmed += order->status == CONFIRMED ? 1 : 0;
    }
    assert_int_equal(reserved, orders);
    assert_int_equal(confirmed, orders / 10);
}

/* Whoever ships by this stream must see every order once, whatever happens to the database
 * meanwhile; a second reader that comes later sees the same. */
static void stream_events_across_a_crash_has_each_once(void **state)
{
    (void)state;
    orders_calls_create_held(&orders_stage.admin, "events", 1000, 3600, sale_id);
    struct stream *live = events_from(&orders_stage.admin, sale_id, 0);
    for (unsigned i = 0; i < 20; i++) {
        place_and_confirm(i * 10, 10);
    }
    assert_int_equal(scratch_postgres_kill(&orders_stage.server), 0);
    sleep_ms(500);
    assert_int_equal(scratch_postgres_restart(&orders_stage.server), 0);
    for (unsigned i = 20; i < 40; i++) {
        place_and_confirm(i * 10, 10);
    }
    int64_t version = version_now();
    stream_wait(live, (size_t)version);
    assert_gapless(live, 1);
    assert_orders(live, 400);
    struct stream *late = events_from(&orders_stage.admin, sale_id, 1);
    stream_wait(late, (size_t)version);
    assert_gapless(late, 1);
    assert_orders(late, 400);
    assert_null(live->reply);
    stream_leave(live);
    stream_leave(late);
    wait_streams("event_streams", 0);
}

/* A reader that knows what it has goes on after it, also when nothing has happened yet. */
static void stream_events_from_the_next_waits_for_it(void **state)
{
    (void)state;
    orders_client_create_sale(&orders_stage.admin, "next", 10, 0, sale_id);
    struct stream *stream = events_from(&orders_stage.admin, sale_id, 2);
    wait_streams("event_streams", 1);
    sleep_ms(300);
    assert_int_equal(stream->count, 0);
    place(sale_id, "k-1");
    stream_wait(stream, 1);
    assert_gapless(stream, 2);
    assert_int_equal(stream->orders[0].status, CONFIRMED);
    stream_leave(stream);
    stream_assert_ends(events_from(&orders_stage.admin, sale_id, 4), RPC_INVALID_ARGUMENT,
                       "INVALID_FIELD");
}

/* What is pruned is gone, and who asks for it hears where it can go on. */
static void stream_events_pruned_names_the_oldest(void **state)
{
    char sql[160];
    (void)state;
    orders_client_create_sale(&orders_stage.admin, "pruned", 10, 0, sale_id);
    for (int i = 0; i < 4; i++) {
        char key[32];
        snprintf(key, sizeof(key), "k-%d", i);
        place(sale_id, key);
    }
    snprintf(sql, sizeof(sql), "DELETE FROM order_events WHERE sale_id = '%s' AND sequence < 4",
             sale_id);
    assert_int_equal(scratch_postgres_execute(orders_stage.server.admin_url, sql), 0);
    struct stream *stream = events_from(&orders_stage.admin, sale_id, 0);
    stream_wait(stream, 2);
    assert_gapless(stream, 4);
    stream_leave(stream);
    stream = events_from(&orders_stage.admin, sale_id, 1);
    stream_wait(stream, 0);
    assert_int_equal(stream->reply->status.code, RPC_OUT_OF_RANGE);
    assert_string_equal(stream->reply->status.reason, "EVENTS_PRUNED");
    assert_non_null(strstr(stream->reply->status.message, " 4"));
    stream_free(stream);
}

/* Events tell who bought what: for administrators only. */
static void stream_events_bad_requests_are_refused(void **state)
{
    (void)state;
    stream_assert_ends(events_from(&orders_stage.public, sale_id, 0), RPC_UNAUTHENTICATED,
                       "UNAUTHENTICATED");
    stream_assert_ends(events_from(&orders_stage.admin, ORDERS_STAGE_NOBODYS_ID, 0), RPC_NOT_FOUND,
                       "SALE_NOT_FOUND");
    stream_assert_ends(events_from(&orders_stage.admin, "nonsense", 0), RPC_INVALID_ARGUMENT,
                       "INVALID_FIELD");
    stream_assert_ends(events_from(&orders_stage.admin, sale_id, -1), RPC_INVALID_ARGUMENT,
                       "INVALID_FIELD");
}

/* --- The end --------------------------------------------------------------------------------- */

/* A program that stops says so to its streams and waits for none of them. */
static void streams_end_with_draining_when_the_program_stops(void **state)
{
    (void)state;
    orders_client_create_sale(&orders_stage.admin, "drain", 10, 0, sale_id);
    struct stream *sales = watch_one(sale_id),
                  *events = events_from(&orders_stage.admin, sale_id, 0);
    stream_wait(sales, 1);
    stream_wait(events, 1);
    orders_process_signal(&orders_stage.process, 15);
    stream_assert_ends(sales, RPC_UNAVAILABLE, "DRAINING");
    stream_assert_ends(events, RPC_UNAVAILABLE, "DRAINING");
    orders_stage_close_clients();
    assert_int_equal(orders_process_wait(&orders_stage.process), 0);
    orders_process_forget(&orders_stage.process);
    orders_stage_start_program();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watch_sales_changes_are_told),
        cmocka_unit_test(watch_sales_slow_reader_gets_the_newest),
        cmocka_unit_test(watch_sales_bad_requests_are_refused),
        cmocka_unit_test(stream_events_across_a_crash_has_each_once),
        cmocka_unit_test(stream_events_from_the_next_waits_for_it),
        cmocka_unit_test(stream_events_pruned_names_the_oldest),
        cmocka_unit_test(stream_events_bad_requests_are_refused),
        cmocka_unit_test(streams_end_with_draining_when_the_program_stops),
    };
    return cmocka_run_group_tests(tests, orders_stage_start, orders_stage_stop);
}
