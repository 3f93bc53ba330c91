/*
 * Whether the program is on its way out, since when, and what became of calls meanwhile. Begun by a
 * signal or by the Drain method; the main thread waits for it.
 */
#ifndef ORDERS_DRAIN_H
#define ORDERS_DRAIN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct drain {
    pthread_mutex_t _lock;
    pthread_cond_t _begun;
    atomic_int_fast64_t _begun_ns; /* monotonic; 0 before; written under the lock */
    atomic_int_fast64_t _answered, _refused;
};

void drain_init(struct drain *drain);
void drain_fini(struct drain *drain);

/* Begins; does nothing when it has begun. Any thread. */
void drain_begin(struct drain *drain);

/* Blocks until it has begun. */
void drain_wait(struct drain *drain);

bool drain_has_begun(const struct drain *drain);

/* 0 before it has begun. */
int64_t drain_elapsed_ms(const struct drain *drain);

/* A call's answer was sent; something in a call was refused with DRAINING, which is noted before
 * its answer is sent, if it still can be. Two counts of which neither contains the other; both from
 * the beginning of the drain on. Any thread. */
void drain_note_answered(struct drain *drain);
void drain_note_refused(struct drain *drain);

int64_t drain_answered(const struct drain *drain);
int64_t drain_refused(const struct drain *drain);

#endif
