#include "orders/domain/placement.h"

#include "base/arena.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

#define NOW   INT64_C(1000000000)
#define HOUR  INT64_C(3600000000)
#define ARENA (4 * 1024 * 1024)

static struct placement_decision decision;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 16, ARENA);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static struct placement_facts live_sale(int32_t stock)
{
    return (struct placement_facts){
        .sale = {.sku = "s",
                 .title = "t",
                 .unit_price = {"EUR", 100},
                 .start_us = NOW - HOUR,
                 .end_us = NOW + HOUR,
                 .stock_total = stock,
                 .stock_remaining = stock,
                 .version = 7,
                 .orders_count = 3},
        .now_us = NOW,
    };
}

/* Requests named by a letter of their customer and one of their key: the id is made of the two. */
static struct placement_request request(const char *customer, char key, int32_t quantity)
{
    struct placement_request made = {
        .customer_id = customer, .customer_length = strlen(customer), .quantity = quantity};
    made.order_id.bytes[0] = (uint8_t)customer[0];
    made.order_id.bytes[1] = (uint8_t)key;
    return made;
}

static void decide(const struct placement_facts *facts, const struct placement_request *requests,
                   size_t count)
{
    assert_int_equal(placement_decide(facts, requests, count, &arena, &decision), 0);
}

/* The main promise: units are handed out in arrival order and never more than remain. */
static void placement_more_asked_than_remains_sells_exactly_the_stock(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(2);
    struct placement_request requests[] = {request("a", '1', 1), request("b", '1', 1),
                                           request("c", '1', 1)};
    decide(&facts, requests, 3);
    assert_int_equal(decision.outcomes[0], OUTCOME_PLACED);
    assert_int_equal(decision.outcomes[1], OUTCOME_PLACED);
    assert_int_equal(decision.outcomes[2], OUTCOME_SOLD_OUT);
    assert_int_equal(decision.placed_units, 2);
    assert_int_equal(decision.sale.stock_remaining, 0);
    assert_int_equal(decision.sale.version, 8);
    assert_int_equal(decision.orders[0].number, 4);
    assert_int_equal(decision.orders[1].number, 5);
    assert_int_equal(decision.sale.orders_count, 5);
}

/* An order that is too large does not stop a smaller one behind it. */
static void placement_order_larger_than_rest_leaves_it_for_the_next(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(2);
    struct placement_request requests[] = {request("a", '1', 3), request("b", '1', 2)};
    decide(&facts, requests, 2);
    assert_int_equal(decision.outcomes[0], OUTCOME_SOLD_OUT);
    assert_int_equal(decision.outcomes[1], OUTCOME_PLACED);
}

/* A retry must get the order that exists, whatever has become of the sale since. */
static void placement_existing_order_is_replayed_even_when_ended(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(5);
    struct placement_request requests[] = {request("a", '1', 2), request("a", '2', 1)};
    struct order existing = {
        .order_id = requests[0].order_id, .number = 2, .quantity = 2, .status = ORDER_CANCELLED};
    facts.sale.end_us = NOW;
    facts.existing = &existing;
    facts.existing_count = 1;
    decide(&facts, requests, 2);
    assert_int_equal(decision.outcomes[0], OUTCOME_REPLAYED);
    assert_int_equal(decision.orders[0].number, 2);
    assert_int_equal(decision.orders[0].status, ORDER_CANCELLED);
    assert_int_equal(decision.outcomes[1], OUTCOME_SALE_ENDED);
    assert_int_equal(decision.sale.version, 7);
}

/* The same key with another quantity is a mistake of the caller, not a second order. */
static void placement_key_with_other_quantity_is_reuse(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(5);
    struct placement_request requests[] = {request("a", '1', 2), request("b", '1', 1),
                                           request("b", '1', 2)};
    struct order existing = {.order_id = requests[0].order_id, .number = 1, .quantity = 1};
    facts.existing = &existing;
    facts.existing_count = 1;
    decide(&facts, requests, 3);
    assert_int_equal(decision.outcomes[0], OUTCOME_IDEMPOTENCY_KEY_REUSED);
    assert_int_equal(decision.outcomes[1], OUTCOME_PLACED);
    assert_int_equal(decision.outcomes[2], OUTCOME_IDEMPOTENCY_KEY_REUSED);
}

/* Copies inside one batch are one order (CORRECTNESS B3): a plain INSERT of both would abort. */
static void placement_copies_in_one_batch_are_one_order(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(5);
    struct placement_request requests[] = {request("a", '1', 1), request("b", '1', 1),
                                           request("a", '1', 1)};
    decide(&facts, requests, 3);
    assert_int_equal(decision.outcomes[2], OUTCOME_REPLAYED);
    assert_int_equal(decision.orders[2].number, decision.orders[0].number);
    assert_int_equal(decision.placed_count, 2);
}

/* A refusal is not remembered: a later copy of a refused request may be placed. */
static void placement_copy_after_refused_copy_is_decided_anew(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(2);
    struct placement_request requests[] = {request("a", '1', 3), request("a", '1', 2),
                                           request("a", '1', 2)};
    decide(&facts, requests, 3);
    assert_int_equal(decision.outcomes[0], OUTCOME_SOLD_OUT);
    assert_int_equal(decision.outcomes[1], OUTCOME_PLACED);
    assert_int_equal(decision.outcomes[2], OUTCOME_REPLAYED);
}

/* The limit counts what is held already and what this batch gives the same customer. */
static void placement_limit_counts_held_and_batch_units(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(100);
    struct placement_request requests[] = {request("a", '1', 1), request("b", '1', 3),
                                           request("a", '2', 1), request("a", '3', 1)};
    struct placement_holding held = {"a", 1, 1};
    facts.sale.per_customer_limit = 3;
    facts.holdings = &held;
    facts.holding_count = 1;
    decide(&facts, requests, 4);
    assert_int_equal(decision.outcomes[0], OUTCOME_PLACED);
    assert_int_equal(decision.outcomes[1], OUTCOME_PLACED);
    assert_int_equal(decision.outcomes[2], OUTCOME_PLACED);
    assert_int_equal(decision.outcomes[3], OUTCOME_CUSTOMER_LIMIT_REACHED);
}

/* A customer whose name begins with another's is somebody else. */
static void placement_customer_prefix_is_another_customer(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(100);
    struct placement_request requests[] = {request("ab", '1', 2), request("a", '1', 2)};
    struct placement_holding held[] = {{"a", 1, 2}, {"abc", 3, 2}};
    requests[0].order_id.bytes[2] = 1;
    facts.sale.per_customer_limit = 2;
    facts.holdings = held;
    facts.holding_count = 2;
    decide(&facts, requests, 2);
    assert_int_equal(decision.outcomes[0], OUTCOME_PLACED);
    assert_int_equal(decision.outcomes[1], OUTCOME_CUSTOMER_LIMIT_REACHED);
}

/* The window is half open: the first microsecond sells, the last one does not. */
static void placement_window_edges_are_half_open(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(5);
    struct placement_request one = request("a", '1', 1);
    facts.sale.start_us = NOW;
    decide(&facts, &one, 1);
    assert_int_equal(decision.outcomes[0], OUTCOME_PLACED);
    facts.sale.start_us = NOW + 1;
    decide(&facts, &one, 1);
    assert_int_equal(decision.outcomes[0], OUTCOME_SALE_NOT_STARTED);
    facts.sale.start_us = NOW - HOUR;
    facts.sale.end_us = NOW;
    decide(&facts, &one, 1);
    assert_int_equal(decision.outcomes[0], OUTCOME_SALE_ENDED);
}

/* Paused comes before sold out, sold out before the limit: the sequence is part of the contract. */
static void placement_reasons_come_in_the_promised_sequence(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(5);
    struct placement_request one = request("a", '1', 3);
    struct placement_holding held = {"a", 1, 2};
    facts.sale.per_customer_limit = 2;
    facts.holdings = &held;
    facts.holding_count = 1;
    facts.sale.stock_remaining = 0;
    facts.sale.sold_out_since = 1;
    facts.sale.paused = true;
    decide(&facts, &one, 1);
    assert_int_equal(decision.outcomes[0], OUTCOME_SALE_PAUSED);
    facts.sale.paused = false;
    decide(&facts, &one, 1);
    assert_int_equal(decision.outcomes[0], OUTCOME_SOLD_OUT);
    facts.sale.stock_remaining = 5;
    facts.sale.sold_out_since = 0;
    decide(&facts, &one, 1);
    assert_int_equal(decision.outcomes[0], OUTCOME_CUSTOMER_LIMIT_REACHED);
}

/* A hold has an end; an order without one is sold at once. */
static void placement_hold_seconds_make_a_reservation(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(5);
    struct placement_request one = request("a", '1', 1);
    facts.sale.hold_seconds = 60;
    decide(&facts, &one, 1);
    assert_int_equal(decision.orders[0].status, ORDER_RESERVED);
    assert_int_equal(decision.orders[0].expire_us, NOW + 60 * INT64_C(1000000));
    facts.sale.hold_seconds = 0;
    decide(&facts, &one, 1);
    assert_int_equal(decision.orders[0].status, ORDER_CONFIRMED);
    assert_int_equal(decision.orders[0].expire_us, ORDER_NEVER_EXPIRES);
}

/* An arena that is too small is an error, never a wrong decision. */
static void placement_full_arena_is_an_error(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(5);
    struct placement_request one = request("a", '1', 1);
    for (size_t bytes = 16; bytes < 200; bytes += 16) {
        struct arena small;
        arena_init(&small, 16, bytes);
        int result = placement_decide(&facts, &one, 1, &small, &decision);
        assert_true(result == 0 || result == -ENOMEM);
        arena_fini(&small);
    }
}

/* What has expired is back before the first order is judged, where a board cannot refuse. */
static void placement_expired_units_are_sold_in_the_same_batch(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(10);
    struct placement_request requests[] = {request("a", '1', 3), request("b", '1', 1)};
    struct order_change expired = {.number = 1, .quantity = 2, .to = ORDER_EXPIRED};
    facts.sale.stock_remaining = 1;
    facts.expired = &expired;
    facts.expired_count = 1;
    decide(&facts, requests, 2);
    assert_int_equal(decision.outcomes[0], OUTCOME_PLACED);
    assert_int_equal(decision.outcomes[1], OUTCOME_SOLD_OUT);
    assert_int_equal(decision.sale.stock_remaining, 0);
    assert_int_equal(decision.sale.stock_returning, 0);
    assert_int_equal(decision.sale.version, 8);
    assert_int_equal(decision.sale.sold_out_since, 8);
}

/* CORRECTNESS C3: what comes back to a sold-out sale is not this batch's, though it is a version.
 */
static void placement_expired_units_of_a_sold_out_sale_return(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(10);
    struct placement_request one = request("a", '1', 1);
    struct order_change expired = {.number = 1, .quantity = 2, .to = ORDER_EXPIRED};
    facts.sale.stock_remaining = 0;
    facts.sale.sold_out_since = 5;
    facts.expired = &expired;
    facts.expired_count = 1;
    decide(&facts, &one, 1);
    assert_int_equal(decision.outcomes[0], OUTCOME_SOLD_OUT);
    assert_int_equal(decision.placed_count, 0);
    assert_int_equal(decision.sale.stock_remaining, 0);
    assert_int_equal(decision.sale.stock_returning, 2);
    assert_int_equal(decision.sale.stock_returned, 2);
    assert_int_equal(decision.sale.sold_out_since, 5);
    assert_int_equal(decision.sale.version, 8);
}

/* Rows that contradict each other are an error of the store, not the end of the process. */
static void placement_more_expired_than_is_out_is_an_error(void **state)
{
    (void)state;
    struct placement_facts facts = live_sale(10);
    struct placement_request one = request("a", '1', 1);
    struct order_change expired = {.number = 1, .quantity = 1, .to = ORDER_EXPIRED};
    facts.expired = &expired;
    facts.expired_count = 1;
    assert_int_equal(placement_decide(&facts, &one, 1, &arena, &decision), -EBADMSG);
}

/* --- Against a model
 * ------------------------------------------------------------------------------ */

/* The rules again, as slowly and plainly as they can be said: one list of all orders. */
struct model {
    struct {
        char customer, key;
        int32_t quantity;
        bool is_placed;
    } orders[4096];
    size_t count;
    int32_t remaining, limit;
};

static int32_t model_held(const struct model *model, char customer)
{
    int32_t held = 0;
    for (size_t i = 0; i < model->count; i++) {
        held += model->orders[i].customer == customer ? model->orders[i].quantity : 0;
    }
    return held;
}

static enum outcome model_place(struct model *model, char customer, char key, int32_t quantity)
{
    for (size_t i = 0; i < model->count; i++) {
        if (model->orders[i].customer == customer && model->orders[i].key == key) {
            return model->orders[i].quantity == quantity ? OUTCOME_REPLAYED
                                                         : OUTCOME_IDEMPOTENCY_KEY_REUSED;
        }
    }
    if (quantity > model->remaining) {
        return OUTCOME_SOLD_OUT;
    }
    if (model->limit > 0 && model_held(model, customer) + quantity > model->limit) {
        return OUTCOME_CUSTOMER_LIMIT_REACHED;
    }
    model->orders[model->count].customer = customer;
    model->orders[model->count].key = key;
    model->orders[model->count++].quantity = quantity;
    model->remaining -= quantity;
    return OUTCOME_PLACED;
}

/* What the database would answer for a batch: its existing orders, and what its customers hold. */
static void load_from_model(const struct model *model, struct placement_facts *facts,
                            struct order *existing, struct placement_holding *holdings,
                            const char *alphabet)
{
    facts->existing = existing;
    facts->existing_count = 0;
    for (size_t i = 0; i < model->count; i++) {
        char name[2] = {model->orders[i].customer, '\0'};
        existing[facts->existing_count++] =
            (struct order){.order_id = request(name, model->orders[i].key, 1).order_id,
                           .number = (int64_t)i + 1,
                           .quantity = model->orders[i].quantity};
    }
    facts->holdings = holdings;
    facts->holding_count = 0;
    for (const char *c = alphabet; *c != '\0'; c++) {
        holdings[facts->holding_count++] = (struct placement_holding){c, 1, model_held(model, *c)};
    }
    facts->sale.stock_remaining = model->remaining;
    facts->sale.sold_out_since = model->remaining == 0 ? 1 : 0;
    facts->sale.per_customer_limit = model->limit;
    facts->sale.orders_count = (int64_t)model->count;
}

static void run_history(unsigned seed)
{
    static const char alphabet[] = "abcdefgh";
    static struct model model;
    static struct order existing[4096];
    struct placement_holding holdings[sizeof(alphabet)];
    int32_t stock = (int32_t)(rand_r(&seed) % 60) + 1;
    struct placement_facts facts = live_sale(stock);

    model.count = 0;
    model.remaining = stock;
    model.limit = (int32_t)(rand_r(&seed) % 3) * 4;
    for (int batch = 0; batch < 12; batch++) {
        struct placement_request requests[24];
        char names[24][2];
        size_t count = (size_t)(rand_r(&seed) % 24) + 1;
        arena_reset(&arena);
        load_from_model(&model, &facts, existing, holdings, alphabet);
        for (size_t i = 0; i < count; i++) {
            names[i][0] = alphabet[(size_t)rand_r(&seed) % (sizeof(alphabet) - 1)];
            names[i][1] = '\0';
            requests[i] = request(names[i], (char)('0' + rand_r(&seed) % 6),
                                  (int32_t)(rand_r(&seed) % 4) + 1);
        }
        decide(&facts, requests, count);
        for (size_t i = 0; i < count; i++) {
            enum outcome expected = model_place(
                &model, names[i][0], (char)requests[i].order_id.bytes[1], requests[i].quantity);
            assert_int_equal(decision.outcomes[i], expected);
        }
        assert_int_equal(decision.sale.stock_remaining, model.remaining);
        assert_int_equal(decision.sale.orders_count, (int64_t)model.count);
    }
}

/* Thousands of random histories decide exactly as the plain model does. */
static void placement_random_histories_match_the_model(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 3000; seed++) {
        run_history(seed);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(placement_more_asked_than_remains_sells_exactly_the_stock),
        TEST(placement_order_larger_than_rest_leaves_it_for_the_next),
        TEST(placement_existing_order_is_replayed_even_when_ended),
        TEST(placement_key_with_other_quantity_is_reuse),
        TEST(placement_copies_in_one_batch_are_one_order),
        TEST(placement_copy_after_refused_copy_is_decided_anew),
        TEST(placement_limit_counts_held_and_batch_units),
        TEST(placement_customer_prefix_is_another_customer),
        TEST(placement_window_edges_are_half_open),
        TEST(placement_reasons_come_in_the_promised_sequence),
        TEST(placement_hold_seconds_make_a_reservation),
        TEST(placement_full_arena_is_an_error),
        TEST(placement_expired_units_are_sold_in_the_same_batch),
        TEST(placement_expired_units_of_a_sold_out_sale_return),
        TEST(placement_more_expired_than_is_out_is_an_error),
        TEST(placement_random_histories_match_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
