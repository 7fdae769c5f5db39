#include "arena.h"

#include "region.h"
#include "str.h"
#include "sys.h"

#define CHUNK (256u << 10)

struct chunk {
    struct chunk *next;
    size_t size; /* of the mapping */
    size_t used; /* this header included */
    size_t unused;
};

static struct chunk *first;

static struct chunk *chunk_new(size_t payload)
{
    size_t size = payload + sizeof(struct chunk);
    struct chunk *chunk;

    size = size < CHUNK ? CHUNK : (size + 4095) & ~(size_t)4095;
    chunk = region_map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (SYS_IS_ERROR(chunk))
        return NULL;
    chunk->size = size;
    chunk->used = sizeof *chunk;
    return chunk;
}

void *arena_alloc(size_t size)
{
    void *memory;

    size = (size + 15) & ~(size_t)15;
    if (!first || first->size - first->used < size) {
        struct chunk *chunk = chunk_new(size);
        if (!chunk)
            return NULL;
        chunk->next = first;
        first = chunk;
    }
    memory = (char *)first + first->used;
    first->used += size;
    return memory;
}

char *arena_string(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_alloc(size);

    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void arena_reset(void)
{
    while (first && first->next) {
        struct chunk *chunk = first;
        first = chunk->next;
        sys_munmap(chunk, chunk->size);
    }
    if (first) {
        memset(first + 1, 0, first->used - sizeof *first);
        first->used = sizeof *first;
    }
}
