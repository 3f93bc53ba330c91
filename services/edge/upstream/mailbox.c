#include "edge/upstream/mailbox.h"

#include <stdbool.h>

int mailbox_init(struct mailbox *mailbox, void (*wake)(void *data), void *data)
{
    *mailbox = (struct mailbox){._wake = wake, ._data = data};
    list_init(&mailbox->_shared.letters);
    return -pthread_mutex_init(&mailbox->_shared.lock, NULL);
}

void mailbox_fini(struct mailbox *mailbox)
{
    CHECK(list_is_empty(&mailbox->_shared.letters));
    (void)pthread_mutex_destroy(&mailbox->_shared.lock);
}

void mailbox_post(struct mailbox *mailbox, struct mailbox_letter *letter)
{
    (void)pthread_mutex_lock(&mailbox->_shared.lock);
    bool was_empty = list_is_empty(&mailbox->_shared.letters);
    list_push_back(&mailbox->_shared.letters, &letter->link);
    (void)pthread_mutex_unlock(&mailbox->_shared.lock);
    if (was_empty) {
        mailbox->_wake(mailbox->_data);
    }
}

void mailbox_take(struct mailbox *mailbox, struct list *ret_letters)
{
    CHECK(list_is_empty(ret_letters));
    (void)pthread_mutex_lock(&mailbox->_shared.lock);
    list_prepend_all(ret_letters, &mailbox->_shared.letters);
    (void)pthread_mutex_unlock(&mailbox->_shared.lock);
}
