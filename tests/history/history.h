/*
 * What happens to one sale, as a list of small steps that comes from a seed: it can be run again,
 * printed, and made smaller. Values are small numbers on purpose, so that customers meet, keys are
 * used again and stock runs out; what goes wrong in the database is part of each step.
 */
#ifndef HISTORY_HISTORY_H
#define HISTORY_HISTORY_H

#include "model.h"

#include <stdio.h>

#define HISTORY_STEPS_MAX  64
#define HISTORY_ITEMS_MAX  6 /* orders or settlements of one step */
#define HISTORY_FAULTS_MAX 6

/* A fault replaces the answer to one call of the store in a step: the first is the first call's. */
enum history_fault {
    HISTORY_FAULT_NONE,
    HISTORY_FAULT_UNAVAILABLE, /* not executed, and told so */
    HISTORY_FAULT_BUSY,
    HISTORY_FAULT_CONFLICT,
    HISTORY_FAULT_REJECTED,     /* likewise; where something would be inserted */
    HISTORY_FAULT_UNKNOWN,      /* not executed, told that nobody knows */
    HISTORY_FAULT_UNKNOWN_DONE, /* executed, told that nobody knows */
    HISTORY_FAULT_UNKNOWN_LATE, /* as UNKNOWN, and all time is used up */
    HISTORY_FAULT_UNKNOWN_DONE_LATE,
    HISTORY_FAULT_COUNT
};

enum history_act {
    HISTORY_PLACE,  /* a batch of orders */
    HISTORY_SETTLE, /* a batch of confirmations and cancellations */
    HISTORY_SWEEP,  /* holds expire, and what was noted matures */
    HISTORY_NOTE,   /* somebody reads how many units have come back so far */
    HISTORY_PAUSE,
    HISTORY_RESUME,
    HISTORY_END,
    HISTORY_SET_END,   /* value: seconds from now */
    HISTORY_SET_LIMIT, /* value: units */
    HISTORY_SET_TITLE, /* value: the title's number */
    HISTORY_RESTOCK,   /* value: units, by key */
    HISTORY_CLOCK,     /* value: an enum history_leap */
    HISTORY_ACT_COUNT
};

/* How far a clock step goes. */
enum history_leap {
    HISTORY_LEAP_SECOND,
    HISTORY_LEAP_TO_EXPIRY,     /* to the very moment that the next hold runs out */
    HISTORY_LEAP_BEFORE_EXPIRY, /* to one microsecond before that */
    HISTORY_LEAP_PAST_EXPIRY,   /* a second past it */
    HISTORY_LEAP_TO_START,
    HISTORY_LEAP_TO_END,
    HISTORY_LEAP_COUNT
};

struct history_item {
    int8_t customer, key;
    int8_t quantity; /* PLACE */
    int8_t by;       /* SETTLE: the customer who says so, or MODEL_ANYBODY */
    int8_t act;      /* SETTLE: enum model_act */
};

struct history_step {
    uint8_t act; /* enum history_act */
    uint8_t item_count;
    int8_t key; /* RESTOCK */
    int16_t value;
    struct history_item items[HISTORY_ITEMS_MAX];
    uint8_t faults[HISTORY_FAULTS_MAX]; /* enum history_fault */
};

struct history {
    uint64_t seed;
    int32_t stock, limit, hold_seconds;
    int32_t starts_in_s;                         /* below 0: it has started */
    uint8_t creation_faults[HISTORY_FAULTS_MAX]; /* of CreateSale */
    int customers, keys;                         /* there are so many of each */
    size_t step_count;
    struct history_step steps[HISTORY_STEPS_MAX];
};

/* How many steps a history has at most, and of what kind. */
struct history_shape {
    size_t steps_max;
    int customers, keys;
    int32_t stock_max;
    bool has_faults;
    bool is_peaceful; /* no pause, no end, no leap but over expiries: to be run side by side */
};

/* A generator of numbers; any 64 bits are a seed. */
struct history_dice {
    uint64_t state;
};

uint64_t history_roll(struct history_dice *dice);

/* A number from 0 to sides - 1. */
int history_roll_of(struct history_dice *dice, int sides);

/* The history that this seed is of, for a shape. */
void history_generate(struct history *ret, uint64_t seed, const struct history_shape *shape);

/* One more step of that kind, as generate makes them. */
void history_generate_step(struct history_step *ret, struct history_dice *dice,
                           const struct history *history, const struct history_shape *shape);

/* For people, one line a step. */
void history_print(FILE *file, const struct history *history);

#endif
