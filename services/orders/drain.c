#include "drain.h"

#include "base/clock.h"

void drain_init(struct drain *drain)
{
    pthread_mutex_init(&drain->_lock, NULL);
    pthread_cond_init(&drain->_begun, NULL);
    atomic_init(&drain->_begun_ns, 0);
    atomic_init(&drain->_answered, 0);
    atomic_init(&drain->_refused, 0);
}

void drain_fini(struct drain *drain)
{
    pthread_cond_destroy(&drain->_begun);
    pthread_mutex_destroy(&drain->_lock);
}

void drain_begin(struct drain *drain)
{
    pthread_mutex_lock(&drain->_lock);
    if (atomic_load(&drain->_begun_ns) == 0) {
        atomic_store(&drain->_begun_ns, clock_monotonic_ns());
        pthread_cond_broadcast(&drain->_begun);
    }
    pthread_mutex_unlock(&drain->_lock);
}

void drain_wait(struct drain *drain)
{
    pthread_mutex_lock(&drain->_lock);
    while (atomic_load(&drain->_begun_ns) == 0) {
        pthread_cond_wait(&drain->_begun, &drain->_lock);
    }
    pthread_mutex_unlock(&drain->_lock);
}

bool drain_has_begun(const struct drain *drain)
{
    return atomic_load(&drain->_begun_ns) != 0;
}

int64_t drain_elapsed_ms(const struct drain *drain)
{
    int64_t begun_ns = atomic_load(&drain->_begun_ns);
    return begun_ns == 0 ? 0 : (clock_monotonic_ns() - begun_ns) / CLOCK_NS_PER_MS;
}

void drain_note_answered(struct drain *drain)
{
    if (drain_has_begun(drain)) {
        atomic_fetch_add(&drain->_answered, 1);
    }
}

void drain_note_refused(struct drain *drain)
{
    atomic_fetch_add(&drain->_refused, 1);
}

int64_t drain_answered(const struct drain *drain)
{
    return atomic_load(&drain->_answered);
}

int64_t drain_refused(const struct drain *drain)
{
    return atomic_load(&drain->_refused);
}
