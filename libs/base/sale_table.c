#include "base/sale_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An odd constant (2^64 divided by the golden ratio) that spreads the bits of a product. */
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

int sale_table_init(struct sale_table *table, size_t capacity, const uint64_t secret[2])
{
    size_t chains = 1;
    while (chains < capacity) {
        chains *= 2;
    }
    table->_chains = calloc(chains, sizeof(struct sale_table_entry *));
    if (table->_chains == NULL) {
        return -ENOMEM;
    }
    table->_mask = chains - 1;
    memcpy(table->_secret, secret, sizeof(table->_secret));
    return 0;
}

void sale_table_fini(struct sale_table *table)
{
    free(table->_chains);
    table->_chains = NULL;
}

static uint64_t mixed(uint64_t value)
{
    value *= SPREAD;
    value ^= value >> 32;
    value *= SPREAD;
    return value ^ (value >> 29);
}

static struct sale_table_entry **chain_of(const struct sale_table *table,
                                          const struct uuid *sale_id)
{
    uint64_t halves[2];
    memcpy(halves, sale_id->bytes, sizeof(halves));
    uint64_t hash = mixed(mixed(halves[0] ^ table->_secret[0]) ^ halves[1] ^ table->_secret[1]);
    return &table->_chains[hash & table->_mask];
}

struct sale_table_entry *sale_table_find(const struct sale_table *table, const struct uuid *sale_id)
{
    struct sale_table_entry *entry = *chain_of(table, sale_id);
    while (entry != NULL && !uuid_equal(&entry->sale_id, sale_id)) {
        entry = entry->_next;
    }
    return entry;
}

void sale_table_add(struct sale_table *table, struct sale_table_entry *entry)
{
    struct sale_table_entry **chain = chain_of(table, &entry->sale_id);
    entry->_next = *chain;
    *chain = entry;
}

void sale_table_remove(struct sale_table *table, struct sale_table_entry *entry)
{
    struct sale_table_entry **at = chain_of(table, &entry->sale_id);
    while (*at != entry) {
        CHECK(*at != NULL);
        at = &(*at)->_next;
    }
    *at = entry->_next;
}
