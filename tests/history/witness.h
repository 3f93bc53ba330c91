/*
 * A store that stands before another one: it lets calls go wrong as a schedule says, and writes
 * down every transaction: what it read, what it decided, how it ended in truth and what was told;
 * also one that could not even begin.
 * It belongs to one thread, like the store it stands before.
 */
#ifndef HISTORY_WITNESS_H
#define HISTORY_WITNESS_H

#include "history.h"
#include "orders/ports/store.h"

#define WITNESS_TRANSACTIONS_MAX 32 /* of one step */
#define WITNESS_EXPIRED_MAX      256

enum witness_end {
    WITNESS_ROLLED_BACK,
    WITNESS_COMMITTED,
    WITNESS_ABANDONED, /* by who began it: it was decided, and not stored */
    WITNESS_IN_DOUBT,  /* the store itself did not know */
};

struct witness_transaction {
    bool is_placement;
    enum witness_end end;
    enum store_result told;
    int64_t now_us, version_before;
    struct sale after; /* as decided; without texts */
    /* The items that it was about; PLACE: which, by their positions in the step. */
    size_t item_count;
    size_t items[HISTORY_ITEMS_MAX];
    size_t expired_count;
    int64_t expired[WITNESS_EXPIRED_MAX]; /* numbers */
    struct witness_judgement {
        bool is_made;
        enum verdict verdicts[HISTORY_ITEMS_MAX]; /* by position in the step */
        struct model_order orders[HISTORY_ITEMS_MAX];
        int64_t numbers[HISTORY_ITEMS_MAX];
        enum verdict verdict; /* of an act on the sale */
        int32_t matured;
    } judgement; /* what should have come of it, for whoever judges */
};

struct witness {
    struct store store; /* for who is watched */
    const struct store *inner;
    const uint8_t *faults; /* HISTORY_FAULTS_MAX */
    size_t calls;          /* of this step */
    unsigned faults_made;
    bool was_late;     /* a fault that uses up all time was made */
    const char *names; /* where the step's customers are written, one each stride bytes */
    size_t name_stride;
    size_t transaction_count;
    struct witness_transaction transactions[WITNESS_TRANSACTIONS_MAX];
    bool _is_open;
};

/* inner must outlive the witness, which must not move. */
void witness_init(struct witness *witness, const struct store *inner);

/* A step begins: its faults, and where its customers' names are. */
void witness_begin(struct witness *witness, const uint8_t *faults, const char *names,
                   size_t name_stride);

#endif
