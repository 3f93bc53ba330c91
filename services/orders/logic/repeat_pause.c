#include "orders/logic/repeat_pause.h"

bool repeat_pause_take(struct repeat_pause *pause, const struct system_port *system,
                       int64_t until_ns)
{
    int64_t left_ns = until_ns - system->monotonic_ns(system->data);
    if (left_ns <= 0) {
        return false;
    }
    int64_t next_ns = pause->_last_ns == 0 ? REPEAT_PAUSE_NS_MIN : 2 * pause->_last_ns;
    pause->_last_ns = next_ns > REPEAT_PAUSE_NS_MAX ? REPEAT_PAUSE_NS_MAX : next_ns;
    system->sleep_ns(system->data, pause->_last_ns < left_ns ? pause->_last_ns : left_ns);
    return system->monotonic_ns(system->data) < until_ns;
}
