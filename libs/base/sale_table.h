/*
 * Finds something by its sale. Strangers choose the keys, so the hash is keyed with a secret and
 * the table never grows: a fixed number of chains, entries embedded in what they find. One thread.
 */
#ifndef BASE_SALE_TABLE_H
#define BASE_SALE_TABLE_H

#include "base/check.h"
#include "base/uuid.h"

#include <stddef.h>
#include <stdint.h>

struct sale_table_entry {
    struct uuid sale_id;
    struct sale_table_entry *_next;
};

struct sale_table {
    struct sale_table_entry **_chains;
    size_t _mask; /* chains - 1 */
    uint64_t _secret[2];
};

/* capacity is how many entries there will be at most; secret is random. Errors: -ENOMEM. */
int sale_table_init(struct sale_table *table, size_t capacity, const uint64_t secret[2]) MUST_CHECK;

/* Frees the chains, not the entries. A zeroed table is fine. */
void sale_table_fini(struct sale_table *table);

/* The entry of a sale, or NULL. */
struct sale_table_entry *sale_table_find(const struct sale_table *table,
                                         const struct uuid *sale_id);

/* Adds an entry whose sale_id is set and not in the table. */
void sale_table_add(struct sale_table *table, struct sale_table_entry *entry);

/* Removes an entry that is in the table. */
void sale_table_remove(struct sale_table *table, struct sale_table_entry *entry);

#endif
