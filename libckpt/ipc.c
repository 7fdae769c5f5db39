#include "ipc.h"

#include <stddef.h>

#include "library.h"
#include "processes.h"
#include "resource/resource.h"

static uint32_t load(const uint32_t *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

struct ptable_ipc *ipc_entries(uint32_t *count)
{
    struct ptable *table = processes_table();

    *count = table ? load(&table->ipc_used) : 0;
    if (*count > PTABLE_IPC)
        *count = PTABLE_IPC;
    return table ? table->ipc : NULL;
}

static struct ptable_ipc *find(enum ptable_ipc_kind kind, const int *virtual, const int *real)
{
    uint32_t count;
    struct ptable_ipc *entry = ipc_entries(&count);

    for (; count; count--, entry++)
        if (load(&entry->state) == PTABLE_IPC_USED && entry->kind == kind && (!virtual || entry->virtual == *virtual) &&
            (!real || entry->real == *real))
            return entry;
    return NULL;
}

bool ipc_differs(void)
{
    const struct ptable *table = processes_table();

    return table && load(&table->ipc_differ);
}

int ipc_to_real(enum ptable_ipc_kind kind, int id)
{
    const struct ptable_ipc *entry = ipc_differs() ? find(kind, &id, NULL) : NULL;

    return entry ? entry->real : id;
}

int ipc_from_real(enum ptable_ipc_kind kind, int real)
{
    const struct ptable_ipc *entry = ipc_differs() ? find(kind, NULL, &real) : NULL;

    return entry ? entry->virtual : real;
}

/* Two processes may enter the same object at once: the second entry says the same, unless the number was taken by another object; then the lower
 * entry, which both find from then on, counts. */
int ipc_note(enum ptable_ipc_kind kind, int real)
{
    struct ptable *table = processes_table();
    struct ptable_ipc *entry;
    int virtual = real;

    if (!table || real < 0)
        return real;
    if ((entry = find(kind, NULL, &real)))
        return entry->virtual;
    /* A number by which programs know another one. */
    for (int other = 0x7fffffff; find(kind, &virtual, NULL); other--)
        virtual = other;
    for (uint32_t i = 0; i < PTABLE_IPC; i++) {
        uint32_t expected = PTABLE_IPC_FREE, used;

        entry = &table->ipc[i];
        if (!__atomic_compare_exchange_n(&entry->state, &expected, PTABLE_IPC_CLAIMED, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            continue;
        entry->kind = kind;
        entry->virtual = virtual;
        entry->real = real;
        entry->key = 0;
        entry->saved = 0;
        while ((used = load(&table->ipc_used)) <= i)
            __atomic_compare_exchange_n(&table->ipc_used, &used, i + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
        if (virtual != real)
            __atomic_store_n(&table->ipc_differ, 1, __ATOMIC_RELEASE);
        __atomic_store_n(&entry->state, PTABLE_IPC_USED, __ATOMIC_RELEASE);
        entry = find(kind, NULL, &real);
        return entry ? entry->virtual : real;
    }
    return real;
}

void ipc_forget(enum ptable_ipc_kind kind, int id)
{
    struct ptable_ipc *entry = find(kind, &id, NULL);

    if (entry)
        __atomic_store_n(&entry->state, PTABLE_IPC_FREE, __ATOMIC_RELEASE);
}

int ipc_with_key(enum ptable_ipc_kind kind, int key)
{
    uint32_t count;
    const struct ptable_ipc *entry = ipc_entries(&count);

    for (; key && ipc_differs() && count; count--, entry++)
        if (load(&entry->state) == PTABLE_IPC_USED && entry->kind == kind && entry->key == key)
            return entry->virtual;
    return -1;
}

int ipc_key(enum ptable_ipc_kind kind, int id)
{
    const struct ptable_ipc *entry = ipc_differs() ? find(kind, &id, NULL) : NULL;

    return entry ? entry->key : 0;
}

bool ipc_saved_elsewhere(uint64_t inode)
{
    int real = (int)inode;
    const struct ptable_ipc *entry = find(PTABLE_SHM, NULL, &real);

    return entry && entry->saved == lib.upcoming && !sysv_saver();
}
