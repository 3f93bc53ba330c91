/*
 * Several players at once on one sale, each with a connection of its own, as replicas would be.
 * Whatever order they came in, the sale's versions tell it afterwards: all transactions of all of
 * them, replayed in that order one by one through the model, must have decided what the model does,
 * and leave what is in the database. So what happened side by side is the same as some sequence,
 * and the events tell that sequence.
 */
#ifndef HISTORY_RIVALS_H
#define HISTORY_RIVALS_H

#include "history.h"
#include "plant.h"
#include "support/scratch_postgres.h"

#define RIVALS_MAX       4
#define RIVALS_STEPS_MAX 250 /* of each */

struct rivals {
    uint64_t seed;
    size_t count, steps;
    bool has_faults;
    bool loses_connections; /* somebody ends their sessions at random */
    bool is_planted;        /* each plays with this mistake */
    enum plant_mistake mistake;
    /* out */
    size_t placed, sold_out;       /* orders, and refusals of them */
    size_t transactions, resolved; /* resolved: in doubt, told by the events */
    char problem[MODEL_PROBLEM_CHARS];
};

/* Whether all was as it should be. */
bool rivals_run(struct rivals *rivals, const struct scratch_postgres *server);

#endif
