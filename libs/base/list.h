/*
 * An intrusive doubly linked list: the links live in the members, so being on a list costs no
 * allocation and leaving one needs no search. Being in a state is being on its list; the list keeps
 * its own count. Not thread-safe; the owner's lock guards it.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

struct list_link {
    struct list_link *next, *prev; /* NULL while on no list */
};

struct list {
    struct list_link head; /* head.next is the first member */
    size_t count;
};

/* The object of type that holds link as its member. */
#define LIST_OBJECT(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* Walks the list; the current link may be removed inside the loop. */
#define LIST_FOREACH_SAFE(list, link, following)                                                   \
    for (struct list_link *link = (list)->head.next, *following = link->next;                      \
         link != &(list)->head; link = following, following = link->next)

static inline void list_init(struct list *list)
{
    list->head.next = list->head.prev = &list->head;
    list->count = 0;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->count == 0;
}

static inline bool list_link_is_linked(const struct list_link *link)
{
    return link->next != NULL;
}

/* Puts link before position, which is a member of list or its head. */
static inline void list_insert_before(struct list *list, struct list_link *position,
                                      struct list_link *link)
{
    CHECK(!list_link_is_linked(link) && position->prev != NULL);
    link->next = position;
    link->prev = position->prev;
    position->prev->next = link;
    position->prev = link;
    list->count++;
}

static inline void list_push_back(struct list *list, struct list_link *link)
{
    list_insert_before(list, &list->head, link);
}

static inline void list_push_front(struct list *list, struct list_link *link)
{
    list_insert_before(list, list->head.next, link);
}

static inline void list_remove(struct list *list, struct list_link *link)
{
    CHECK(list_link_is_linked(link) && link->prev != NULL && list->count > 0);
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = link->prev = NULL;
    list->count--;
}

/* The first member, or NULL. */
static inline struct list_link *list_first(const struct list *list)
{
    return list->count == 0 ? NULL : list->head.next;
}

/* Takes the first member off, or returns NULL. */
static inline struct list_link *list_pop_front(struct list *list)
{
    struct list_link *link = list_first(list);
    if (link != NULL) {
        list_remove(list, link);
    }
    return link;
}

/* Moves all of from, in order, to the end of to; from is empty afterwards. */
static inline void list_append_all(struct list *to, struct list *from)
{
    if (from->count == 0) {
        return;
    }
    from->head.next->prev = to->head.prev;
    to->head.prev->next = from->head.next;
    from->head.prev->next = &to->head;
    to->head.prev = from->head.prev;
    to->count += from->count;
    list_init(from);
}

/* Moves the first count members of from, or all where there are fewer, in order, to the end of to;
 * returns how many. */
static inline size_t list_append_some(struct list *to, struct list *from, size_t count)
{
    size_t moved = from->count;
    if (moved <= count) {
        list_append_all(to, from);
        return moved;
    }
    for (moved = 0; moved < count; moved++) {
        list_push_back(to, list_pop_front(from));
    }
    return moved;
}

/* Moves all of from, in order, to the front of to; from is empty afterwards. */
static inline void list_prepend_all(struct list *to, struct list *from)
{
    if (from->count == 0) {
        return;
    }
    from->head.prev->next = to->head.next;
    to->head.next->prev = from->head.prev;
    to->head.next = from->head.next;
    from->head.next->prev = &to->head;
    to->count += from->count;
    list_init(from);
}

#endif
