/*
 * How a finished call travels from the channel's thread to its loop: the letter is moved, never
 * shared, and the first letter in an empty mailbox wakes the loop.
 */
#ifndef EDGE_UPSTREAM_MAILBOX_H
#define EDGE_UPSTREAM_MAILBOX_H

#include "base/check.h"
#include "base/list.h"

#include <pthread.h>

struct mailbox_letter {
    struct list_link link;
};

struct mailbox {
    void (*_wake)(void *data);
    void *_data;
    struct {
        pthread_mutex_t lock;
        struct list letters;
    } _shared; /* its own lock guards it */
};

/* wake may be called from any thread that posts. Errors: -ENOMEM, -EAGAIN from the mutex. */
int mailbox_init(struct mailbox *mailbox, void (*wake)(void *data), void *data) MUST_CHECK;

/* The mailbox must be empty (asserted). */
void mailbox_fini(struct mailbox *mailbox);

/* Hands a letter over. Any thread. */
void mailbox_post(struct mailbox *mailbox, struct mailbox_letter *letter);

/* Moves all letters, in order, to the empty list. The receiver's thread. */
void mailbox_take(struct mailbox *mailbox, struct list *ret_letters);

#endif
