/* Hash table of nodes that live in other structs; keys are bytes. The table grows with its contents, so that finding stays constant time. */
#ifndef TABLE_H
#define TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_node {
    struct table_node *next;
    uint64_t hash;
    const void *key; /* belongs to the node's owner */
    size_t key_size;
};

struct table {
    struct table_node **slots;
    size_t slot_count, count;
};

struct table_node *table_find(const struct table *table, const void *key, size_t key_size);

/* The key must not be in the table yet. node->key and key_size are set by the caller. */
void table_add(struct table *table, struct table_node *node);
void table_remove(struct table *table, struct table_node *node);

/* Empties it; release is called for each node, which is its to free. */
void table_clear(struct table *table, void (*release)(struct table_node *node));

/* Calls visit for each node, in no order; visit must not change the table. */
void table_each(const struct table *table, void (*visit)(struct table_node *node, void *context), void *context);

#endif
