/* Intrusive doubly linked list: a member can be in several lists and leaves each in constant time, without a search. */
#ifndef LIST_H
#define LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *previous;
};

#define LIST_EMPTY(name) {&(name), &(name)}
#define LIST_OF(link, type, field) ((type *)(void *)((char *)(link)-offsetof(type, field)))

/* The current member may leave the list in the body, no other may. */
#define LIST_EACH(item, head, type, field)                                                                                           \
    for (struct list *item##_link = (head)->next, *item##_next = item##_link->next;                                                  \
         item##_link != (head) && ((item) = LIST_OF(item##_link, type, field), true);                                                \
         item##_link = item##_next, item##_next = item##_link->next)

static inline void list_init(struct list *list)
{
    list->next = list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *list, struct list *link)
{
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

/* A link that is in no list may be removed too, if it was initialised. */
static inline void list_remove(struct list *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

#endif
