/*
 * The signals that end the program, taken by a thread of their own: the first SIGINT or SIGTERM
 * asks it to drain, a second one ends it at once with status 1. SIGPIPE is ignored.
 */
#ifndef ORDERS_SIGNALS_H
#define ORDERS_SIGNALS_H

#include "base/check.h"

#include <pthread.h>

struct signals {
    int _signal_fd, _stop_fd;
    pthread_t _thread;
    void (*_on_first)(void *data);
    void *_data;
};

/*
 * Blocks the signals in the calling thread, so that threads it makes afterwards have them blocked
 * too: call it before any is made. on_first runs once, on the signals' thread. Errors: -errno of
 * what could not be made.
 */
int signals_start(struct signals *signals, void (*on_first)(void *data), void *data) MUST_CHECK;

/* Ends the thread; the signals stay blocked. */
void signals_stop(struct signals *signals);

#endif
