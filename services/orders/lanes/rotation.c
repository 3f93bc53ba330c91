#include "orders/lanes/rotation.h"

#include "base/check.h"

unsigned rotation_turn(struct rotation *rotation, unsigned waiting)
{
    unsigned turn = 0;

    /* Of those that wait, the one whose last turn is longest ago has passed none of the others
     * since, so one is found. */
    CHECK(waiting != 0 && waiting < 1U << ROTATION_MAX);
    while ((waiting & 1U << turn) == 0 || (waiting & rotation->_passed[turn]) != 0) {
        turn++;
        CHECK(turn < ROTATION_MAX);
    }
    for (unsigned other = 0; other < ROTATION_MAX; other++) {
        rotation->_passed[other] &= ~(1U << turn);
    }
    rotation->_passed[turn] = waiting & ~(1U << turn);
    return turn;
}
