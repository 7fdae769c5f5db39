/* The table of ranges is a scratch mapping itself, so that it does not travel in the image; the pointer to it does, and is stale after a
 * restart until scratch_forget. Children have a copy of their own of both. */
#include "scratch.h"

#include "region.h"
#include "str.h"
#include "sys.h"

#define SET_VMA 0x53564d41 /* PR_SET_VMA, PR_SET_VMA_ANON_NAME: prctl(2), 5.17 */
#define SET_VMA_ANON_NAME 0

struct range {
    uint64_t start, end;
};

struct table {
    size_t count, size; /* size: bytes of this mapping */
    size_t inherited; /* scratch_freeze: ranges that scratch_covers knows; 0: all */
    struct range parents; /* where the table was then */
    bool unnamed; /* the kernel can't name anonymous memory (CONFIG_ANON_VMA_NAME) */
    struct range ranges[];
};

static struct table *table;

static bool name_it(void *memory, size_t size)
{
    return sys_prctl(SET_VMA, SET_VMA_ANON_NAME, (unsigned long)memory, size, (unsigned long)"dmtcp scratch") == 0;
}

static void *map(size_t size, bool shared)
{
    void *memory = region_map_scratch(size, PROT_READ | PROT_WRITE, (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_NORESERVE);

    return SYS_IS_ERROR(memory) ? NULL : memory;
}

static size_t page_round(size_t size)
{
    return (size + 4095) & ~4095ul;
}

static bool table_has_room(void)
{
    if (!table) {
        if (!(table = map(4096, false)))
            return false;
        table->unnamed = !name_it(table, 4096);
        table->size = 4096;
        table->count = 1;
        table->ranges[0] = (struct range){.start = (uint64_t)table, .end = (uint64_t)table + table->size};
    }
    if (sizeof *table + (table->count + 1) * sizeof *table->ranges <= table->size)
        return true;
    struct table *larger = sys_mremap(table, table->size, 2 * table->size, MREMAP_MAYMOVE, NULL);
    if (SYS_IS_ERROR(larger))
        return false;
    table = larger;
    table->size *= 2;
    table->ranges[0] = (struct range){.start = (uint64_t)table, .end = (uint64_t)table + table->size};
    return true;
}

static bool note(const void *memory, size_t size)
{
    bool room = table_has_room();

    if (room)
        table->ranges[table->count++] = (struct range){.start = (uint64_t)memory, .end = (uint64_t)memory + size};
    return room;
}

void *scratch_map(size_t size, bool shared)
{
    void *memory;

    size = page_round(size);
    memory = map(size, shared);
    if (memory && !note(memory, size)) {
        sys_munmap(memory, size);
        memory = NULL;
    }
    if (memory && !table->unnamed)
        name_it(memory, size);
    return memory;
}

bool scratch_adopt(void *memory, size_t size)
{
    return note(memory, page_round(size));
}

void scratch_forked(void)
{
    table = NULL;
    region_clear_scratch();
}

static struct range *range_at(const void *memory)
{
    for (size_t i = 1; table && i < table->count; i++)
        if (table->ranges[i].start == (uint64_t)memory)
            return &table->ranges[i];
    return NULL;
}

void scratch_unmap(void *memory, size_t size)
{
    struct range *range = range_at(memory);

    if (!range)
        return;
    sys_munmap(memory, page_round(size));
    *range = table->ranges[--table->count];
}

void *scratch_resize(void *memory, size_t old_size, size_t new_size)
{
    struct range *range = range_at(memory);

    if (!range)
        return NULL;
    new_size = page_round(new_size);
    memory = sys_mremap(memory, page_round(old_size), new_size, MREMAP_MAYMOVE, NULL);
    if (SYS_IS_ERROR(memory))
        return NULL;
    *range = (struct range){(uint64_t)memory, (uint64_t)memory + new_size};
    return memory;
}

void *scratch_append(struct scratch_array *array, size_t size)
{
    if (array->used + size > array->size) {
        size_t larger = array->size ? array->size * 2 : 65536;
        void *memory;

        while (larger < array->used + size)
            larger *= 2;
        memory = array->memory ? scratch_resize(array->memory, array->size, larger) : scratch_map(larger, false);
        if (!memory)
            return NULL;
        array->memory = memory;
        array->size = larger;
    }
    array->used += size;
    return (char *)array->memory + array->used - size;
}

void scratch_free(struct scratch_array *array)
{
    if (array->memory)
        scratch_unmap(array->memory, array->size);
    *array = (struct scratch_array){0};
}

bool scratch_covers(uint64_t start, uint64_t end, uint64_t *skip_start, uint64_t *skip_end)
{
    bool found = false;

    for (size_t i = 0; table && i < (table->inherited ? table->inherited : table->count); i++) {
        const struct range *range = i || !table->inherited ? &table->ranges[i] : &table->parents;
        uint64_t from = range->start > start ? range->start : start;
        uint64_t to = range->end < end ? range->end : end;

        if (from < to && (!found || from < *skip_start)) {
            *skip_start = from;
            *skip_end = to;
            found = true;
        }
    }
    return found;
}

void scratch_freeze(void)
{
    table->inherited = table->count;
    table->parents = table->ranges[0];
}

bool scratch_made_since(uint64_t start, uint64_t end)
{
    for (size_t i = table->inherited; i < table->count; i++)
        if (table->ranges[i].start < end && start < table->ranges[i].end)
            return true;
    return table->ranges[0].start != table->parents.start && table->ranges[0].start < end && start < table->ranges[0].end;
}

void scratch_forget(void)
{
    table = NULL;
}
