#include "fake_orders.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/id_filter.h"
#include "base/order_id.h"
#include "contract/contract.h"
#include "contract/timing.h"
#include "edge_process.h"
#include "rpc/server.h"
#include "rpc/status.h"
#include "stampede/orders/v1/orders.pb-c.h"
#include "stampede/sales/v1/sales.pb-c.h"
#include "support/patience.h"
#include "support/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define PATIENCE_MS 60000

static void sleep_ms(long ms)
{
    const struct timespec duration = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&duration, NULL);
}

static void note(char text[FAKE_TEXT], const char *value)
{
    (void)snprintf(text, FAKE_TEXT, "%s", value == NULL ? "" : value);
}

/* --- Replies -------------------------------------------------------------------------------- */

static Stampede__Orders__V1__Order *make_order(
    struct arena *arena, char *sale_id, const Stampede__Orders__V1__BatchPlaceOrdersItem *item)
{
    static char order_id[] = "9f1d2c3b-4a5e-8f60-9182-a3b4c5d6e7f8";
    Stampede__Orders__V1__Order *order = arena_alloc(arena, sizeof(*order));
    stampede__orders__v1__order__init(order);
    order->sale_id = sale_id;
    order->order_id = order_id;
    order->number = 1;
    order->customer_id = item->customer_id;
    order->quantity = item->quantity;
    order->status = STAMPEDE__ORDERS__V1__ORDER__STATUS__CONFIRMED;
    return order;
}

static void fill_error(struct arena *arena, Stampede__Orders__V1__BatchPlaceOrdersResult *result,
                       enum rpc_code code, const char *reason)
{
    const struct rpc_status status = {.code = code,
                                      .message = "as the script says",
                                      .reason = reason,
                                      .domain = CONTRACT_ERROR_DOMAIN};
    result->outcome_case = STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ERROR;
    result->error = rpc_status_to_message(&status, arena);
}

static Stampede__Orders__V1__BatchPlaceOrdersResult *make_result(
    struct arena *arena, enum fake_step step, char *sale_id,
    const Stampede__Orders__V1__BatchPlaceOrdersItem *item)
{
    Stampede__Orders__V1__BatchPlaceOrdersResult *result = arena_alloc(arena, sizeof(*result));
    stampede__orders__v1__batch_place_orders_result__init(result);
    switch (step) {
    case FAKE_SOLD_OUT:
        fill_error(arena, result, RPC_FAILED_PRECONDITION, "SOLD_OUT");
        break;
    case FAKE_ITEM_UNKNOWN:
        fill_error(arena, result, RPC_DEADLINE_EXCEEDED, "OUTCOME_UNKNOWN");
        break;
    case FAKE_ITEM_EMPTY:
        break;
    default:
        result->outcome_case = STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ORDER;
        result->order = make_order(arena, sale_id, item);
        result->replayed = step == FAKE_REPLAYED;
        break;
    }
    return result;
}

static void finish_batch(struct rpc_call *call, enum fake_step step,
                         const Stampede__Orders__V1__BatchPlaceOrdersRequest *request)
{
    struct arena *arena = rpc_call_arena(call);
    Stampede__Orders__V1__BatchPlaceOrdersResponse reply =
        STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESPONSE__INIT;
    reply.n_results = request->n_items - (step == FAKE_WRONG_COUNT ? 1 : 0);
    reply.results = arena_calloc(arena, request->n_items,
                                 sizeof(Stampede__Orders__V1__BatchPlaceOrdersResult *));
    for (size_t i = 0; i < request->n_items; i++) {
        reply.results[i] = make_result(arena, step, request->sale_id, request->items[i]);
    }
    rpc_call_finish(call, &reply.base);
}

static void fail_call(struct rpc_call *call, enum rpc_code code, const char *reason)
{
    bool is_overload = reason != NULL && strcmp(reason, "OVERLOADED") == 0;
    const struct rpc_status status = {.code = code,
                                      .message = "as the script says",
                                      .reason = reason,
                                      .domain = CONTRACT_ERROR_DOMAIN,
                                      .retry_after_ms = is_overload ? FAKE_RETRY_MS : 0};
    rpc_call_fail(call, &status);
}

/* --- Calls ---------------------------------------------------------------------------------- */

/* Notes what a call said and takes the next step; the lock is held. */
static enum fake_step take_step_locked(struct fake_orders *fake)
{
    enum fake_step step = fake->script[fake->next];
    if (fake->next + 1 < fake->steps) {
        fake->next++;
    }
    return step;
}

static void note_batch_locked(struct fake_orders *fake,
                              const Stampede__Orders__V1__BatchPlaceOrdersRequest *request)
{
    struct fake_seen *seen = &fake->seen;
    seen->calls++;
    seen->items += (unsigned)request->n_items;
    if (request->n_items > seen->items_max) {
        seen->items_max = (unsigned)request->n_items;
    }
    for (size_t i = 0; i < request->n_items; i++) {
        const Stampede__Orders__V1__BatchPlaceOrdersItem *item = request->items[i];
        note(seen->key, item->idempotency_key);
        note(seen->request_id, item->request_id);
        note(seen->traceparent, item->traceparent);
        if (item->timeout_ms > seen->timeout_ms_max) {
            seen->timeout_ms_max = item->timeout_ms;
        }
    }
}

/* request is NULL for a sale. */
static void hold_locked(struct fake_orders *fake, struct rpc_call *call, const void *request)
{
    CHECK(fake->held_count < FAKE_HELD_MAX);
    fake->held[fake->held_count].call = call;
    fake->held[fake->held_count].request = request;
    fake->held[fake->held_count].sale_version = fake->sale_version;
    fake->held_count++;
}

static void handle_batch(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    struct fake_orders *fake = data;
    const Stampede__Orders__V1__BatchPlaceOrdersRequest *request = (const void *)message;
    (void)pthread_mutex_lock(&fake->lock);
    note_batch_locked(fake, request);
    enum fake_step step = take_step_locked(fake);
    if (step == FAKE_HELD) {
        hold_locked(fake, call, request);
    }
    (void)pthread_mutex_unlock(&fake->lock);
    switch (step) {
    case FAKE_HELD:
        return;
    case FAKE_LOST:
        fail_call(call, RPC_UNAVAILABLE, NULL);
        return;
    case FAKE_TOO_LONG:
        fail_call(call, RPC_RESOURCE_EXHAUSTED, NULL);
        return;
    case FAKE_OVERLOADED:
        fail_call(call, RPC_RESOURCE_EXHAUSTED, "OVERLOADED");
        return;
    case FAKE_DRAINING:
        fail_call(call, RPC_UNAVAILABLE, "DRAINING");
        return;
    default:
        finish_batch(call, step, request);
    }
}

static void note_metadata(const struct rpc_call *call, const char *key, char text[FAKE_TEXT])
{
    size_t length = 0;
    const char *value = rpc_call_metadata(call, key, &length);
    (void)snprintf(text, FAKE_TEXT, "%.*s", value == NULL ? 0 : (int)length,
                   value == NULL ? "" : value);
}

static void finish_sale(struct rpc_call *call, int64_t version)
{
    static char sale_id[] = "0190a5b0-0000-7000-8000-000000000001";
    Stampede__Sales__V1__Sale sale = STAMPEDE__SALES__V1__SALE__INIT;
    sale.sale_id = sale_id;
    sale.version = version;
    sale.state = STAMPEDE__SALES__V1__SALE__STATE__LIVE;
    rpc_call_finish(call, &sale.base);
}

/* GetSale and PauseSale: a sale, or what the script says about calls as a whole. */
static void handle_sale(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    struct fake_orders *fake = data;
    (void)message;
    (void)pthread_mutex_lock(&fake->lock);
    fake->seen.reads++;
    note_metadata(call, "authorization", fake->seen.authorization);
    note_metadata(call, "x-request-id", fake->seen.metadata_request_id);
    enum fake_step step = take_step_locked(fake);
    int64_t version = fake->sale_version;
    if (step == FAKE_HELD) {
        hold_locked(fake, call, NULL);
    }
    (void)pthread_mutex_unlock(&fake->lock);
    if (step == FAKE_HELD) {
        return;
    }
    if (step == FAKE_LOST || step == FAKE_TOO_LONG) {
        fail_call(call, step == FAKE_LOST ? RPC_UNAVAILABLE : RPC_RESOURCE_EXHAUSTED, NULL);
        return;
    }
    if (step == FAKE_OVERLOADED) {
        fail_call(call, RPC_RESOURCE_EXHAUSTED, "OVERLOADED");
        return;
    }
    finish_sale(call, version);
}

void fake_orders_set_sale_version(struct fake_orders *fake, int64_t version)
{
    (void)pthread_mutex_lock(&fake->lock);
    fake->sale_version = version;
    (void)pthread_mutex_unlock(&fake->lock);
}

/* --- The board ------------------------------------------------------------------------------ */

typedef Stampede__Sales__V1__BoardPosition position_message;

/* The filter of a sale with one order in it; the caller's. */
static struct id_filter make_filter(const struct fake_board *board, const char *sale_text)
{
    struct uuid sale_id;
    struct id_filter_shape shape;
    struct id_filter filter;
    assert_true(uuid_parse(sale_text, strlen(sale_text), &sale_id));
    assert_true(id_filter_shape_read((int64_t)board->filter_bytes, ID_FILTER_HASHES, &shape));
    assert_int_equal(id_filter_init(&filter, shape), 0);
    struct uuid id = order_id_of(&sale_id, "c-1", 3, board->placed_key, strlen(board->placed_key));
    id_filter_add(&filter, &id);
    return filter;
}

/* The part of the filter that the asker does not have. */
static Stampede__Sales__V1__FilterChunk *make_chunk(struct arena *arena,
                                                    const struct fake_board *board,
                                                    const position_message *position)
{
    Stampede__Sales__V1__FilterChunk *chunk = arena_alloc(arena, sizeof(*chunk));
    stampede__sales__v1__filter_chunk__init(chunk);
    struct id_filter filter = make_filter(board, position->sale_id);
    size_t offset =
        position->filter_version == board->sold_out_since ? (size_t)position->filter_offset : 0;
    size_t left = filter.shape.bytes - offset;
    chunk->version = board->sold_out_since;
    chunk->offset = (int64_t)offset;
    chunk->total = (int64_t)filter.shape.bytes;
    chunk->hashes = (int32_t)filter.shape.hashes;
    chunk->data.len = left < ID_FILTER_CHUNK_BYTES_MAX ? left : ID_FILTER_CHUNK_BYTES_MAX;
    chunk->data.data = arena_alloc(arena, chunk->data.len);
    memcpy(chunk->data.data, filter.bytes + offset, chunk->data.len);
    id_filter_fini(&filter);
    return chunk;
}

static Stampede__Sales__V1__BoardEntry *make_entry(struct arena *arena,
                                                   const struct fake_board *board,
                                                   const position_message *position)
{
    Stampede__Sales__V1__BoardEntry *entry = arena_alloc(arena, sizeof(*entry));
    stampede__sales__v1__board_entry__init(entry);
    entry->sale_id = position->sale_id;
    entry->state = (Stampede__Sales__V1__Sale__State)board->state;
    entry->version = board->version;
    entry->sold_out_since = board->sold_out_since;
    entry->stock_remaining = board->stock_remaining;
    entry->stock_returning = board->stock_returning;
    entry->starts_in_ms = board->starts_in_ms;
    entry->age_ms = board->age_ms;
    if (board->placed_key != NULL) {
        entry->filter = make_chunk(arena, board, position);
    }
    return entry;
}

static void handle_board(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    struct fake_orders *fake = data;
    struct arena *arena = rpc_call_arena(call);
    const Stampede__Sales__V1__ReadBoardRequest *request = (const void *)message;
    (void)pthread_mutex_lock(&fake->lock);
    fake->board_calls++;
    for (size_t i = 0; fake->board_calls_until_sale == 0 && i < request->n_positions; i++) {
        if (strcmp(request->positions[i]->sale_id, EDGE_SALE) == 0) {
            fake->board_calls_until_sale = fake->board_calls - fake->board_calls_before;
        }
    }
    struct fake_board board = fake->board;
    (void)pthread_mutex_unlock(&fake->lock);
    if (!board.is_served) {
        fail_call(call, RPC_UNIMPLEMENTED, "METHOD_UNIMPLEMENTED");
        return;
    }
    sleep_ms(board.delay_ms);
    Stampede__Sales__V1__ReadBoardResponse reply = STAMPEDE__SALES__V1__READ_BOARD_RESPONSE__INIT;
    reply.n_entries = request->n_positions;
    reply.entries =
        arena_calloc(arena, request->n_positions, sizeof(Stampede__Sales__V1__BoardEntry *));
    for (size_t i = 0; i < request->n_positions; i++) {
        reply.entries[i] = make_entry(arena, &board, request->positions[i]);
    }
    rpc_call_finish(call, &reply.base);
}

void fake_orders_set_board(struct fake_orders *fake, const struct fake_board *board)
{
    (void)pthread_mutex_lock(&fake->lock);
    fake->board = *board;
    fake->board_calls_before = fake->board_calls;
    fake->board_calls_until_sale = 0;
    (void)pthread_mutex_unlock(&fake->lock);
}

unsigned fake_orders_board_calls_until_sale(struct fake_orders *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    unsigned calls = fake->board_calls_until_sale;
    (void)pthread_mutex_unlock(&fake->lock);
    return calls;
}

unsigned fake_orders_board_calls(struct fake_orders *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    unsigned calls = fake->board_calls;
    (void)pthread_mutex_unlock(&fake->lock);
    return calls;
}

/* --- Life ----------------------------------------------------------------------------------- */

static void serve(struct fake_orders *fake)
{
    char address[32];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", fake->port);
    const struct rpc_server_config config = {
        .address = address,
        .threads = 2,
        .calls_max = 256,
        .message_bytes_max = CONTRACT_MESSAGE_BYTES_MAX,
        .call_arena_bytes_max = 8 * 1024 * 1024,
        .error_domain = CONTRACT_ERROR_DOMAIN,
        .overloaded_reason = "OVERLOADED",
    };
    const struct rpc_method methods[] = {
        {.service = &stampede__orders__v1__order_service__descriptor,
         .name = "BatchPlaceOrders",
         .handle = handle_batch,
         .data = fake},
        {.service = &stampede__sales__v1__sale_service__descriptor,
         .name = "GetSale",
         .handle = handle_sale,
         .data = fake},
        {.service = &stampede__sales__v1__sale_service__descriptor,
         .name = "PauseSale",
         .handle = handle_sale,
         .data = fake},
        {.service = &stampede__sales__v1__sale_service__descriptor,
         .name = "ReadBoard",
         .handle = handle_board,
         .data = fake},
    };
    assert_int_equal(rpc_server_create(&config, &fake->server), 0);
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        assert_int_equal(rpc_server_add(fake->server, &methods[i]), 0);
    }
    assert_int_equal(rpc_server_start(fake->server, &fake->port), 0);
}

void fake_orders_start(struct fake_orders *fake)
{
    memset(fake, 0, sizeof(*fake));
    assert_int_equal(pthread_mutex_init(&fake->lock, NULL), 0);
    fake->sale_version = 7;
    fake->steps = 1; /* of zeros: FAKE_PLACED */
    fake->port = port_take();
    serve(fake);
}

void fake_orders_script(struct fake_orders *fake, const enum fake_step *steps, size_t count)
{
    assert_true(count >= 1 && count <= FAKE_STEPS_MAX);
    (void)pthread_mutex_lock(&fake->lock);
    memcpy(fake->script, steps, count * sizeof(steps[0]));
    fake->steps = count;
    fake->next = 0;
    memset(&fake->seen, 0, sizeof(fake->seen));
    (void)pthread_mutex_unlock(&fake->lock);
}

static size_t held_count(struct fake_orders *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    size_t count = fake->held_count;
    (void)pthread_mutex_unlock(&fake->lock);
    return count;
}

void fake_orders_wait_held(struct fake_orders *fake, size_t count)
{
    struct patience patience = patience_of_ms(PATIENCE_MS);
    while (held_count(fake) < count) {
        if (patience_is_over(&patience)) {
            fail_msg("%zu calls are held, not %zu", held_count(fake), count);
        }
        sleep_ms(5);
    }
}

bool fake_orders_held_is_cancelled(struct fake_orders *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    bool is_cancelled = fake->held_count > 0 && rpc_call_is_cancelled(fake->held[0].call);
    (void)pthread_mutex_unlock(&fake->lock);
    return is_cancelled;
}

size_t fake_orders_release(struct fake_orders *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    size_t count = fake->held_count;
    for (size_t i = 0; i < count; i++) {
        if (fake->held[i].request == NULL) {
            finish_sale(fake->held[i].call, fake->held[i].sale_version);
        } else {
            finish_batch(fake->held[i].call, FAKE_PLACED, fake->held[i].request);
        }
    }
    fake->held_count = 0;
    (void)pthread_mutex_unlock(&fake->lock);
    return count;
}

/* Finishes what is held, as a handler must also for calls that are gone; a stopped server waits. */
static void *finish_held(void *data)
{
    struct fake_orders *fake = data;
    sleep_ms(100);
    (void)fake_orders_release(fake);
    return NULL;
}

void fake_orders_kill(struct fake_orders *fake)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, finish_held, fake), 0);
    (void)rpc_server_stop(fake->server, clock_monotonic_ns());
    assert_int_equal(pthread_join(thread, NULL), 0);
    rpc_server_destroy(fake->server);
    fake->server = NULL;
}

void fake_orders_restart(struct fake_orders *fake)
{
    assert_null(fake->server);
    serve(fake);
}

struct fake_seen fake_orders_seen(struct fake_orders *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    struct fake_seen seen = fake->seen;
    (void)pthread_mutex_unlock(&fake->lock);
    return seen;
}

void fake_orders_stop(struct fake_orders *fake)
{
    if (fake->server != NULL) {
        fake_orders_kill(fake);
    }
    (void)pthread_mutex_destroy(&fake->lock);
}
