#include "orders/adapters/postgres/sale_terms.h"

#include "orders/domain/sale.h"

/* The last byte of a UUIDv7 is random. */
static size_t place_of(const struct uuid *sale_id)
{
    return sale_id->bytes[UUID_BYTES - 1] % SALE_TERMS_REMEMBERED;
}

static struct sale_terms terms_of(const struct sale *sale)
{
    return (struct sale_terms){.has_holds = sale->hold_seconds > 0,
                               .has_limit = sale->per_customer_limit > 0};
}

struct sale_terms sale_terms_recall(const struct sale_terms_memory *memory,
                                    const struct uuid *sale_id)
{
    size_t place = place_of(sale_id);
    if (memory->_places[place].known && uuid_equal(&memory->_places[place].sale_id, sale_id)) {
        return memory->_places[place].terms;
    }
    return (struct sale_terms){.has_holds = true, .has_limit = true};
}

void sale_terms_remember(struct sale_terms_memory *memory, const struct sale *sale)
{
    size_t place = place_of(&sale->sale_id);
    memory->_places[place].sale_id = sale->sale_id;
    memory->_places[place].known = true;
    memory->_places[place].terms = terms_of(sale);
}

bool sale_terms_exceed(const struct sale *sale, struct sale_terms guessed)
{
    struct sale_terms needed = terms_of(sale);
    return (needed.has_holds && !guessed.has_holds) || (needed.has_limit && !guessed.has_limit);
}
