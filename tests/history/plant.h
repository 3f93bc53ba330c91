/*
 * Mistakes, put on purpose between the program's logic and a database in memory: proof that what
 * finds none elsewhere would find one.
 */
#ifndef HISTORY_PLANT_H
#define HISTORY_PLANT_H

#include "stage.h"

enum plant_mistake {
    PLANT_EXPIRED_UNITS_LOST, /* what an expired hold gave back is not written */
    PLANT_ONE_UNIT_TOO_MANY,  /* a sold-out sale looks as if one unit remained */
    PLANT_RESTOCK_DOUBLED,    /* a restock's key is not found again */
    PLANT_DONE_CALLED_UNDONE, /* orders are stored and it is said that they are not */
    PLANT_LIMIT_FORGETS,      /* what a customer holds does not count for the limit */
    PLANT_RETURNED_AT_ONCE,   /* units come back to a sold-out sale and can be sold at once */
    PLANT_MISTAKE_COUNT
};

struct plant {
    struct stage stage; /* the one with the mistake */
    struct stage *inner;
    struct store store;
    enum plant_mistake mistake;
};

/* inner must outlive the plant, which must not move. */
void plant_init(struct plant *plant, struct stage *inner, enum plant_mistake mistake);

const char *plant_name(enum plant_mistake mistake);

#endif
