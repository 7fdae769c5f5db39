#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"

/* FNV-1a. The keys come from programs of the same user, who gains nothing from collisions. */
static uint64_t hash_of(const void *key, size_t size)
{
    const uint8_t *at = key;
    uint64_t hash = 0xcbf29ce484222325u;

    while (size--)
        hash = (hash ^ *at++) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

struct table_node *table_find(const struct table *table, const void *key, size_t key_size)
{
    uint64_t hash = hash_of(key, key_size);
    struct table_node *node = table->slot_count ? table->slots[hash & (table->slot_count - 1)] : NULL;

    while (node && (node->hash != hash || node->key_size != key_size || memcmp(node->key, key, key_size)))
        node = node->next;
    return node;
}

static void link_node(struct table *table, struct table_node *node)
{
    struct table_node **slot = &table->slots[node->hash & (table->slot_count - 1)];

    node->next = *slot;
    *slot = node;
}

static void grow(struct table *table)
{
    struct table old = *table;

    table->slot_count = old.slot_count ? old.slot_count * 2 : 16;
    table->slots = calloc(table->slot_count, sizeof *table->slots);
    if (!table->slots) {
        *table = old;
        if (!old.slots)
            die("no memory");
        return; /* slower, but it works */
    }
    for (size_t i = 0; i < old.slot_count; i++)
        for (struct table_node *node = old.slots[i], *next; node; node = next) {
            next = node->next;
            link_node(table, node);
        }
    free(old.slots);
}

void table_add(struct table *table, struct table_node *node)
{
    if (table->count >= table->slot_count)
        grow(table);
    node->hash = hash_of(node->key, node->key_size);
    link_node(table, node);
    table->count++;
}

void table_remove(struct table *table, struct table_node *node)
{
    struct table_node **at = &table->slots[node->hash & (table->slot_count - 1)];

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    table->count--;
}

void table_clear(struct table *table, void (*release)(struct table_node *node))
{
    for (size_t i = 0; i < table->slot_count; i++)
        for (struct table_node *node = table->slots[i], *next; node; node = next) {
            next = node->next;
            release(node);
        }
    free(table->slots);
    *table = (struct table){0};
}

void table_each(const struct table *table, void (*visit)(struct table_node *node, void *context), void *context)
{
    for (size_t i = 0; i < table->slot_count; i++)
        for (struct table_node *node = table->slots[i]; node; node = node->next)
            visit(node, context);
}
