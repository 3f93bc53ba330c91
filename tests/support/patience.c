#include "support/patience.h"

#include "base/clock.h"

/* More than this passes between two looks only where the test could not look. */
#define LOOK_NS_MAX CLOCK_NS_PER_SECOND

struct patience patience_of_ms(int64_t ms)
{
    return (struct patience){.left_ns = ms * CLOCK_NS_PER_MS, .looked_ns = clock_monotonic_ns()};
}

bool patience_is_over(struct patience *patience)
{
    int64_t now_ns = clock_monotonic_ns();
    patience->left_ns -= clock_earlier(now_ns - patience->looked_ns, LOOK_NS_MAX);
    patience->looked_ns = now_ns;
    return patience->left_ns < 0;
}
