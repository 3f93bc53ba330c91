/*
 * How long a test waits for what must come. Time counts while the test looks; hours in which the
 * whole machine stood still count as little, for nothing could come in them.
 */
#ifndef SUPPORT_PATIENCE_H
#define SUPPORT_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

struct patience {
    int64_t left_ns, looked_ns;
};

struct patience patience_of_ms(int64_t ms);

/* To be asked at each look. */
bool patience_is_over(struct patience *patience);

#endif
