/*
 * Turns among a few that wait: lower numbers go first, except that whoever has had a turn lets
 * those that were waiting then go before its next one. So nobody is passed more than once by each
 * of the others. Not thread-safe.
 */
#ifndef ORDERS_LANES_ROTATION_H
#define ORDERS_LANES_ROTATION_H

#define ROTATION_MAX 4

/* A zeroed one has given no turn. */
struct rotation {
    unsigned _passed[ROTATION_MAX]; /* sets: who has waited since before this one's last turn */
};

/* Gives a turn to one of the set of those that wait (bit n for number n), which is not empty
 * (asserted). */
unsigned rotation_turn(struct rotation *rotation, unsigned waiting);

#endif
