/*
 * A crowd of real HTTP clients (wrk with tests/e2e/crowd.lua), and what each of them was told, key
 * by key, to be held against the database afterwards.
 */
#ifndef SUPPORT_CROWD_H
#define SUPPORT_CROWD_H

#include "support/stack.h"

#define CROWD_KEYS_MAX   20000
#define CROWD_COPIES_MAX 4

struct crowd_key {
    char order_id[37];   /* the order that the first placed answer named; "" for none */
    int placed;          /* answers 201 */
    int refused;         /* answers that say "not placed" for good: 4xx but 429 */
    bool names_differ;   /* two placed answers named different orders */
    int64_t not_done_us; /* when the last 503, "certainly not done", came; 0 for none */
};

struct crowd {
    struct process wrk;
    char folder[SCRATCH_POSTGRES_PATH_BYTES + 16];
    char sale_id[37];
    int keys, copies;
    /* Filled by crowd_collect: */
    struct crowd_key *by_key;
    long answers, placed, sold_out, other_refusals, overloaded, unknown, other_5xx;
};

enum crowd_mode {
    CROWD_RETRIES,  /* the copies of a key are retries of one order */
    CROWD_OWN_KEYS, /* each copy is another order of the same customer */
};

/* Starts keys * copies attempts from connections connections on the sale; ends by itself once all
 * are answered, which takes as long as it takes. */
void crowd_start(struct crowd *crowd, const struct stack *stack, const char *sale_id, int keys,
                 int copies, enum crowd_mode mode, int connections);

/* Whether every attempt has its answer. */
bool crowd_is_answered(const struct crowd *crowd);

/* How many answers so far were 201. */
long crowd_count_placed(const struct crowd *crowd);

/* Ends it now: what is not answered yet is given up. Also one that has ended. */
void crowd_end(struct crowd *crowd);

/* Waits for the end and reads the answers. */
void crowd_collect(struct crowd *crowd);

void crowd_fini(struct crowd *crowd);

/*
 * Asserts what must hold whatever happened to a crowd of CROWD_RETRIES: all placed answers of a key
 * name one order; every such order is in the database; no key that was refused has an order there;
 * and, where nobody else asked for the same order at the same time (one copy), none was there when
 * its last 503 said "certainly not done".
 */
void crowd_assert_told_the_truth(const struct crowd *crowd, const struct stack *stack);

#endif
