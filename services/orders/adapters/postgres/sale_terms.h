/*
 * What a store remembers of the sales it placed orders in: whether they have holds, and whether
 * they have a limit. A load leaves out the statements that a sale without them does not need. It is
 * a guess, checked against the row under its lock, and costs one more round trip where it was
 * wrong. Private to this adapter; one thread at a time.
 */
#ifndef ORDERS_ADAPTERS_POSTGRES_SALE_TERMS_H
#define ORDERS_ADAPTERS_POSTGRES_SALE_TERMS_H

#include "base/uuid.h"

#include <stdbool.h>

#define SALE_TERMS_REMEMBERED 64

struct sale;

struct sale_terms {
    bool has_holds, has_limit;
};

/* A zeroed one knows of nothing. */
struct sale_terms_memory {
    struct {
        struct uuid sale_id;
        bool known;
        struct sale_terms terms;
    } _places[SALE_TERMS_REMEMBERED];
};

/* Of a sale that is not remembered: both, so that no statement is missing. */
struct sale_terms sale_terms_recall(const struct sale_terms_memory *memory,
                                    const struct uuid *sale_id);

/* Keeps what the row says, perhaps in the place of another sale. */
void sale_terms_remember(struct sale_terms_memory *memory, const struct sale *sale);

/* Whether what is needed goes beyond what was guessed. */
bool sale_terms_exceed(const struct sale *sale, struct sale_terms guessed);

#endif
