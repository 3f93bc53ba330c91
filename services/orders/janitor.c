#include "janitor.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* No duty is left alone for longer, whatever it said; nor is any called more often. */
#define SLEEP_NS_MAX CLOCK_NS_PER_SECOND
#define SLEEP_NS_MIN CLOCK_NS_PER_MS

struct janitor {
    struct janitor_duty duties[JANITOR_DUTIES_MAX]; /* without tick once they have ended */
    size_t count;
    pthread_t thread;
    atomic_int_fast64_t turned_ns; /* when the last round began */
    struct {
        pthread_mutex_t lock; /* guards all of _shared */
        pthread_cond_t changed;
        bool is_woken, stops;
    } _shared;
};

/* Calls a duty that has not ended; returns when it wants to be called again. */
static int64_t do_duty(struct janitor_duty *duty, int64_t now_ns)
{
    int64_t due_ns = duty->tick == NULL ? CLOCK_DEADLINE_NEVER : duty->tick(duty->data, now_ns);
    if (due_ns == CLOCK_DEADLINE_NEVER) {
        duty->tick = NULL;
    }
    return due_ns;
}

/* Calls every duty; returns when the first of them wants to be called again. */
static int64_t do_rounds(struct janitor *janitor)
{
    int64_t now_ns = clock_monotonic_ns();
    atomic_store(&janitor->turned_ns, now_ns);
    int64_t next_ns = now_ns + SLEEP_NS_MAX;
    for (size_t i = 0; i < janitor->count; i++) {
        next_ns = clock_earlier(next_ns, do_duty(&janitor->duties[i], now_ns));
    }
    return next_ns < now_ns + SLEEP_NS_MIN ? now_ns + SLEEP_NS_MIN : next_ns;
}

/* Returns whether to go on. */
static bool sleep_until(struct janitor *janitor, int64_t until_ns)
{
    struct timespec until = {
        .tv_sec = (time_t)(until_ns / CLOCK_NS_PER_SECOND),
        .tv_nsec = (long)(until_ns % CLOCK_NS_PER_SECOND),
    };
    int error = 0;

    pthread_mutex_lock(&janitor->_shared.lock);
    while (!janitor->_shared.is_woken && !janitor->_shared.stops && error != ETIMEDOUT) {
        error = pthread_cond_timedwait(&janitor->_shared.changed, &janitor->_shared.lock, &until);
    }
    janitor->_shared.is_woken = false;
    bool goes_on = !janitor->_shared.stops;
    pthread_mutex_unlock(&janitor->_shared.lock);
    return goes_on;
}

static void *janitor_main(void *data)
{
    struct janitor *janitor = data;
    while (sleep_until(janitor, do_rounds(janitor))) {
    }
    return NULL;
}

static void destroy(struct janitor *janitor)
{
    pthread_cond_destroy(&janitor->_shared.changed);
    pthread_mutex_destroy(&janitor->_shared.lock);
    free(janitor);
}

int janitor_start(const struct janitor_duty *duties, size_t count, struct janitor **ret)
{
    pthread_condattr_t attributes;

    CHECK(count <= JANITOR_DUTIES_MAX);
    struct janitor *janitor = calloc(1, sizeof(*janitor));
    if (janitor == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        janitor->duties[i] = duties[i];
    }
    janitor->count = count;
    atomic_init(&janitor->turned_ns, clock_monotonic_ns());
    pthread_mutex_init(&janitor->_shared.lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&janitor->_shared.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    int error = pthread_create(&janitor->thread, NULL, janitor_main, janitor);
    if (error != 0) {
        destroy(janitor);
        return -error;
    }
    pthread_setname_np(janitor->thread, "janitor");
    *ret = janitor;
    return 0;
}

int64_t janitor_turn_ns(const struct janitor *janitor)
{
    return clock_monotonic_ns() - atomic_load(&janitor->turned_ns);
}

static void change(struct janitor *janitor, bool *flag)
{
    pthread_mutex_lock(&janitor->_shared.lock);
    *flag = true;
    pthread_cond_signal(&janitor->_shared.changed);
    pthread_mutex_unlock(&janitor->_shared.lock);
}

void janitor_wake(struct janitor *janitor)
{
    change(janitor, &janitor->_shared.is_woken);
}

void janitor_stop(struct janitor *janitor)
{
    if (janitor == NULL) {
        return;
    }
    change(janitor, &janitor->_shared.stops);
    pthread_join(janitor->thread, NULL);
    destroy(janitor);
}
