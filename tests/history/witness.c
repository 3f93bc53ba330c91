#include "witness.h"

#include <string.h>

static const uint8_t no_faults[HISTORY_FAULTS_MAX];

/* --- Faults -----------------------------------------------------------------------------------*/

static enum history_fault next_fault(struct witness *witness)
{
    size_t call = witness->calls++;
    return call < HISTORY_FAULTS_MAX ? witness->faults[call] : HISTORY_FAULT_NONE;
}

/* What a call tells that is not executed: before COMMIT was sent nothing is unknown. */
static enum store_result told_instead_of_load(enum history_fault fault)
{
    switch (fault) {
    case HISTORY_FAULT_NONE:
        return STORE_OK;
    case HISTORY_FAULT_BUSY:
        return STORE_BUSY;
    case HISTORY_FAULT_CONFLICT:
        return STORE_CONFLICT;
    default:
        return STORE_UNAVAILABLE;
    }
}

static bool is_unknown(enum history_fault fault)
{
    return fault >= HISTORY_FAULT_UNKNOWN;
}

static bool is_late(enum history_fault fault)
{
    return fault == HISTORY_FAULT_UNKNOWN_LATE || fault == HISTORY_FAULT_UNKNOWN_DONE_LATE;
}

static bool is_executed(enum history_fault fault)
{
    return fault == HISTORY_FAULT_NONE || fault == HISTORY_FAULT_UNKNOWN_DONE ||
           fault == HISTORY_FAULT_UNKNOWN_DONE_LATE;
}

static enum store_result told_of(enum history_fault fault, enum store_result result)
{
    if (fault == HISTORY_FAULT_REJECTED) {
        return STORE_REJECTED;
    }
    if (is_unknown(fault)) {
        /* What was executed and failed has failed, whatever the schedule wanted. */
        return is_executed(fault) && result != STORE_OK ? result : STORE_UNKNOWN;
    }
    return fault == HISTORY_FAULT_NONE ? result : told_instead_of_load(fault);
}

static enum witness_end end_of(enum store_result result)
{
    if (result == STORE_OK) {
        return WITNESS_COMMITTED;
    }
    return result == STORE_UNKNOWN ? WITNESS_IN_DOUBT : WITNESS_ROLLED_BACK;
}

/* Notes what a load or a store is told instead of the truth. */
static void note_fault(struct witness *witness, enum history_fault fault)
{
    witness->faults_made += fault != HISTORY_FAULT_NONE;
    witness->was_late |= is_late(fault);
}

/* --- Transactions -----------------------------------------------------------------------------*/

static struct witness_transaction *open_transaction(struct witness *witness, bool is_placement)
{
    CHECK(!witness->_is_open && witness->transaction_count < WITNESS_TRANSACTIONS_MAX);
    struct witness_transaction *transaction = &witness->transactions[witness->transaction_count++];
    memset(transaction, 0, offsetof(struct witness_transaction, expired));
    transaction->judgement.is_made = false;
    transaction->is_placement = is_placement;
    witness->_is_open = true;
    return transaction;
}

static struct witness_transaction *current(struct witness *witness)
{
    CHECK(witness->_is_open && witness->transaction_count > 0);
    return &witness->transactions[witness->transaction_count - 1];
}

static void note_facts(struct witness_transaction *transaction, const struct sale *sale,
                       int64_t now_us, const struct order_change *expired, size_t expired_count)
{
    transaction->now_us = now_us;
    transaction->version_before = sale->version;
    transaction->after = *sale;
    CHECK(expired_count <= WITNESS_EXPIRED_MAX);
    transaction->expired_count = expired_count;
    for (size_t i = 0; i < expired_count; i++) {
        transaction->expired[i] = expired[i].number;
    }
}

static void note_end(struct witness *witness, enum witness_end end, enum store_result told,
                     const struct sale *after)
{
    struct witness_transaction *transaction = current(witness);
    transaction->end = end;
    transaction->told = told;
    if (after != NULL) {
        transaction->after = *after;
    }
    transaction->after.sku = transaction->after.title = NULL;
    witness->_is_open = false;
}

/* Which of the step's orders a batch is about. */
static void note_items(const struct witness *witness, struct witness_transaction *transaction,
                       const struct placement_request *requests, size_t count)
{
    CHECK(count <= HISTORY_ITEMS_MAX);
    transaction->item_count = count;
    for (size_t i = 0; i < count; i++) {
        transaction->items[i] =
            (size_t)(requests[i].customer_id - witness->names) / witness->name_stride;
        CHECK(transaction->items[i] < HISTORY_ITEMS_MAX);
    }
}

static enum store_result load_placement(void *data, const struct uuid *sale_id,
                                        const struct placement_request *requests, size_t count,
                                        int64_t deadline_ns, struct arena *arena,
                                        struct placement_facts *ret)
{
    struct witness *witness = data;
    const struct store *inner = witness->inner;
    enum history_fault fault = next_fault(witness);
    enum store_result result = told_instead_of_load(fault);

    note_fault(witness, fault);
    if (result == STORE_OK) {
        result =
            inner->load_placement(inner->data, sale_id, requests, count, deadline_ns, arena, ret);
    }
    struct witness_transaction *transaction = open_transaction(witness, true);
    note_items(witness, transaction, requests, count);
    if (result == STORE_OK) {
        note_facts(transaction, &ret->sale, ret->now_us, ret->expired, ret->expired_count);
    } else if (result != STORE_NOT_FOUND) {
        note_end(witness, WITNESS_ROLLED_BACK, result, NULL);
    }
    return result;
}

static enum store_result store_placed(void *data, const struct placement_facts *facts,
                                      const struct placement_request *requests, size_t count,
                                      const struct placement_decision *decision,
                                      int64_t deadline_ns, struct arena *arena)
{
    struct witness *witness = data;
    const struct store *inner = witness->inner;
    enum history_fault fault = next_fault(witness);
    enum store_result result = STORE_UNAVAILABLE;

    /* A value can only be refused where one is written. */
    if (fault == HISTORY_FAULT_REJECTED && decision->placed_count == 0) {
        fault = HISTORY_FAULT_NONE;
    }
    note_fault(witness, fault);
    if (is_executed(fault)) {
        result =
            inner->store_placed(inner->data, facts, requests, count, decision, deadline_ns, arena);
    } else {
        inner->abandon(inner->data, deadline_ns);
    }
    enum store_result told = told_of(fault, result);
    note_end(witness, end_of(result), told, &decision->sale);
    return told;
}

static enum store_result load_change(void *data, const struct uuid *sale_id,
                                     const struct store_change_query *query, int64_t deadline_ns,
                                     struct arena *arena, struct store_change_facts *ret)
{
    struct witness *witness = data;
    const struct store *inner = witness->inner;
    enum history_fault fault = next_fault(witness);
    enum store_result result = told_instead_of_load(fault);

    note_fault(witness, fault);
    if (result == STORE_OK) {
        result = inner->load_change(inner->data, sale_id, query, deadline_ns, arena, ret);
    }
    struct witness_transaction *transaction = open_transaction(witness, false);
    transaction->item_count = query->order_count;
    if (result == STORE_OK) {
        const struct settlement_facts *facts = &ret->settlement;
        note_facts(transaction, &facts->sale, facts->now_us, facts->expired, facts->expired_count);
    } else if (result != STORE_NOT_FOUND) {
        note_end(witness, WITNESS_ROLLED_BACK, result, NULL);
    }
    return result;
}

static enum store_result store_change(void *data, const struct store_change_facts *facts,
                                      const struct store_change *change, int64_t deadline_ns,
                                      struct arena *arena)
{
    struct witness *witness = data;
    const struct store *inner = witness->inner;
    enum history_fault fault = next_fault(witness);
    enum store_result result = STORE_UNAVAILABLE;

    if (fault == HISTORY_FAULT_REJECTED) {
        fault = HISTORY_FAULT_CONFLICT; /* nothing of a change is the caller's own words */
    }
    note_fault(witness, fault);
    if (is_executed(fault)) {
        result = inner->store_change(inner->data, facts, change, deadline_ns, arena);
    } else {
        inner->abandon(inner->data, deadline_ns);
    }
    enum store_result told = told_of(fault, result);
    note_end(witness, end_of(result), told, &change->sale);
    return told;
}

static void abandon(void *data, int64_t deadline_ns)
{
    struct witness *witness = data;
    witness->inner->abandon(witness->inner->data, deadline_ns);
    if (witness->_is_open) {
        note_end(witness, WITNESS_ABANDONED, STORE_OK, NULL);
    }
}

static enum store_result create_sale(void *data, const struct store_creation *creation,
                                     int64_t deadline_ns, struct arena *arena,
                                     enum store_creation_outcome *ret_outcome,
                                     struct store_sale *ret_sale)
{
    struct witness *witness = data;
    const struct store *inner = witness->inner;
    enum history_fault fault = next_fault(witness);
    enum store_result result = STORE_UNAVAILABLE;

    note_fault(witness, fault);
    if (is_executed(fault)) {
        result =
            inner->create_sale(inner->data, creation, deadline_ns, arena, ret_outcome, ret_sale);
    }
    return told_of(fault, result);
}

/* --- What goes through ------------------------------------------------------------------------*/

static bool is_connected(void *data)
{
    const struct store *inner = ((struct witness *)data)->inner;
    return inner->is_connected(inner->data);
}

static bool wait_connected(void *data, int64_t deadline_ns)
{
    const struct store *inner = ((struct witness *)data)->inner;
    return inner->wait_connected(inner->data, deadline_ns);
}

static enum store_result get_sale(void *data, const struct uuid *sale_id, int64_t deadline_ns,
                                  struct arena *arena, struct store_sale *ret)
{
    const struct store *inner = ((struct witness *)data)->inner;
    return inner->get_sale(inner->data, sale_id, deadline_ns, arena, ret);
}

void witness_init(struct witness *witness, const struct store *inner)
{
    *witness = (struct witness){
        .store = {.data = witness,
                  .load_placement = load_placement,
                  .store_placed = store_placed,
                  .load_change = load_change,
                  .store_change = store_change,
                  .abandon = abandon,
                  .is_connected = is_connected,
                  .wait_connected = wait_connected,
                  .create_sale = create_sale,
                  .get_sale = get_sale},
        .inner = inner,
        .faults = no_faults,
    };
}

void witness_begin(struct witness *witness, const uint8_t *faults, const char *names,
                   size_t name_stride)
{
    CHECK(!witness->_is_open);
    witness->faults = faults != NULL ? faults : no_faults;
    witness->calls = witness->faults_made = 0;
    witness->transaction_count = 0;
    witness->was_late = false;
    witness->names = names;
    witness->name_stride = name_stride;
}
