#include "kv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "report.h"

/* The store is for addresses and names, not for data: so much, over all keys, and no more. */
#define MAX_BYTES (256u << 20)
enum { MAX_WAITS = 4096 }; /* of one worker */

struct pair {
    struct table_node node;
    uint8_t *value; /* NULL: not set, somebody waits */
    uint32_t value_size;
    struct list waiters; /* struct waiter by link */
    uint8_t key[];
};

struct waiter {
    struct list link; /* in its pair's */
    struct list worker_link; /* in its worker's waits */
    struct worker *worker;
    uint32_t tag;
};

static struct table pairs;
static size_t bytes;
static const char *file;

static struct pair *find(const uint8_t *key, size_t size)
{
    return (struct pair *)table_find(&pairs, key, size);
}

static struct pair *find_or_add(const uint8_t *key, size_t size)
{
    struct pair *pair = find(key, size);

    if (pair)
        return pair;
    if (bytes + size > MAX_BYTES)
        return NULL;
    pair = calloc(1, sizeof *pair + size);
    if (!pair)
        return NULL;
    memcpy(pair->key, key, size);
    pair->node.key = pair->key;
    pair->node.key_size = size;
    list_init(&pair->waiters);
    table_add(&pairs, &pair->node);
    bytes += size;
    return pair;
}

static void answer(struct client *client, const uint8_t *key, uint32_t key_size, const struct pair *pair, uint32_t tag)
{
    bool found = pair && pair->value;
    struct proto_kv head = {
        .key_length = key_size, .value_length = found ? pair->value_size : 0, .found = found, .tag = tag};
    size_t size = key_size + head.value_length;
    uint8_t *tail = malloc(size + 1);

    if (!tail) {
        client_doom(client, "can't be answered: no memory");
        return;
    }
    memcpy(tail, key, key_size);
    if (found)
        memcpy(tail + key_size, pair->value, pair->value_size);
    client_send(client, PROTO_KV_VALUE, &head, sizeof head, tail, size);
    free(tail);
}

static void forget(struct waiter *waiter)
{
    list_remove(&waiter->link);
    list_remove(&waiter->worker_link);
    waiter->worker->wait_count--;
    free(waiter);
}

static bool parse(struct client *client, struct proto_kv *head, const uint8_t *payload, size_t size, bool with_value)
{
    memcpy(head, payload, sizeof *head);
    size -= sizeof *head;
    if (head->key_length <= size && (with_value ? head->value_length == size - head->key_length : head->key_length == size))
        return true;
    client_doom(client, "sent a key and a value whose lengths are wrong");
    return false;
}

void kv_take_set(struct client *client, const uint8_t *payload, size_t size)
{
    const uint8_t *key = payload + sizeof(struct proto_kv);
    struct proto_kv head;
    struct waiter *waiter;
    struct pair *pair;
    uint8_t *value;

    if (!parse(client, &head, payload, size, true))
        return;
    pair = find_or_add(key, head.key_length);
    value = pair && bytes + head.value_length <= MAX_BYTES ? malloc(head.value_length + 1u) : NULL;
    if (!value) {
        client_doom(client, "can't set a key: the store is full");
        return;
    }
    memcpy(value, key + head.key_length, head.value_length);
    bytes += head.value_length - (size_t)pair->value_size;
    free(pair->value);
    pair->value = value;
    pair->value_size = head.value_length;
    LIST_EACH(waiter, &pair->waiters, struct waiter, link) {
        answer(waiter->worker->client, pair->key, head.key_length, pair, waiter->tag);
        forget(waiter);
    }
}

void kv_take_get(struct client *client, const uint8_t *payload, size_t size)
{
    const uint8_t *key = payload + sizeof(struct proto_kv);
    struct worker *worker = client->role;
    struct proto_kv head;
    struct waiter *waiter;
    struct pair *pair;

    if (!parse(client, &head, payload, size, false))
        return;
    pair = head.wait ? find_or_add(key, head.key_length) : find(key, head.key_length);
    if (!head.wait || (pair && pair->value)) {
        answer(client, key, head.key_length, pair, head.tag);
        return;
    }
    waiter = pair && worker->wait_count < MAX_WAITS ? malloc(sizeof *waiter) : NULL;
    if (!waiter) {
        client_doom(client, "can't wait for a key: the store is full");
        return;
    }
    waiter->worker = worker;
    waiter->tag = head.tag;
    worker->wait_count++;
    list_append(&pair->waiters, &waiter->link);
    list_append(&worker->waits, &waiter->worker_link);
}

void kv_worker_gone(struct worker *worker)
{
    struct waiter *waiter;

    LIST_EACH(waiter, &worker->waits, struct waiter, worker_link)
        forget(waiter);
}

static void free_pair(struct table_node *node)
{
    struct pair *pair = (struct pair *)node;
    struct waiter *waiter;

    LIST_EACH(waiter, &pair->waiters, struct waiter, link)
        forget(waiter);
    free(pair->value);
    free(pair);
}

void kv_clear(void)
{
    table_clear(&pairs, free_pair);
    bytes = 0;
}

/* --- the file --- */

/* Keys and values are bytes; JSON is text: what is no printable ASCII is \u00XX. */
static void put_string(FILE *out, const uint8_t *at, size_t size)
{
    fputc('"', out);
    for (; size--; at++) {
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at >= ' ' && *at < 127)
            fputc(*at, out);
        else
            fprintf(out, "\\u%04x", *at);
    }
    fputc('"', out);
}

struct dump {
    FILE *out;
    bool more;
};

static void put_pair(struct table_node *node, void *context)
{
    const struct pair *pair = (const struct pair *)node;
    struct dump *dump = context;

    if (!pair->value)
        return;
    fputs(dump->more ? ",\n  " : "\n  ", dump->out);
    dump->more = true;
    put_string(dump->out, pair->key, pair->node.key_size);
    fputs(": ", dump->out);
    put_string(dump->out, pair->value, pair->value_size);
}

void kv_set_file(const char *path)
{
    file = path;
}

void kv_write(void)
{
    struct dump dump = {0};
    char *text = NULL;
    size_t size;
    int error;

    if (!file)
        return;
    dump.out = open_memstream(&text, &size);
    if (!dump.out)
        return;
    fputc('{', dump.out);
    table_each(&pairs, put_pair, &dump);
    fputs(dump.more ? "\n}\n" : "}\n", dump.out);
    fclose(dump.out);
    error = file_replace(file, text, size, 0600, false);
    if (error)
        warn("write %s: %s", file, strerror(error));
    free(text);
}
