/*
 * Makes a history that fails as small as it will go: steps, orders and faults are left out as long
 * as it still fails (delta debugging), then numbers become plain.
 */
#ifndef HISTORY_SHRINK_H
#define HISTORY_SHRINK_H

#include "history.h"

/* Whether the history fails. */
typedef bool shrink_test(const struct history *history, void *data);

/* history fails before and after; at most runs_max runs. Returns how many there were. */
size_t shrink_history(struct history *history, size_t runs_max, shrink_test *fails, void *data);

#endif
