#include "postgres/prepared.h"

#include "base/check.h"

#include <stdint.h>

void prepared_clear(struct prepared *prepared)
{
    *prepared = (struct prepared){0};
}

/* The statement's slot, or the free one where it would go. The table is never full. */
static size_t slot_of(const struct prepared *prepared, const struct statement *statement)
{
    uint64_t hash = ((uint64_t)(uintptr_t)statement >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    size_t slot = (size_t)(hash >> 32) % PREPARED_SLOTS;

    while (prepared->_slots[slot].statement != NULL &&
           prepared->_slots[slot].statement != statement) {
        slot = (slot + 1) % PREPARED_SLOTS;
    }
    return slot;
}

enum prepared_state prepared_get(const struct prepared *prepared, const struct statement *statement)
{
    CHECK(statement != NULL);
    return prepared->_slots[slot_of(prepared, statement)].state;
}

void prepared_set(struct prepared *prepared, const struct statement *statement,
                  enum prepared_state state)
{
    CHECK(statement != NULL);
    size_t slot = slot_of(prepared, statement);
    if (prepared->_slots[slot].statement == NULL) {
        CHECK(prepared->_count < PREPARED_STATEMENTS_MAX);
        prepared->_count++;
        prepared->_slots[slot].statement = statement;
    }
    prepared->_slots[slot].state = state;
}
