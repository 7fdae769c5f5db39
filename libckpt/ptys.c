#include "ptys.h"

#include "fmt.h"
#include "processes.h"
#include "str.h"

#define PREFIX "/dev/pts/"

bool ptys_differ;

static struct ptable_pty own[PTABLE_PTYS];

static struct ptable_pty *entries(void)
{
    struct ptable_pty *shared = processes_ptys();

    return shared ? shared : own;
}

static struct ptable_pty *find(int real, bool make)
{
    struct ptable_pty *entry = entries();

    for (unsigned i = 0; i < PTABLE_PTYS; i++, entry++) {
        uint32_t found = __atomic_load_n(&entry->real, __ATOMIC_ACQUIRE);

        if (!found && make) {
            if (__atomic_compare_exchange_n(&entry->real, &found, (uint32_t)real + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
                entry->virtual = real;
                return entry;
            }
        }
        if (found == (uint32_t)real + 1)
            return entry;
        if (!found && !make)
            return NULL;
    }
    return NULL;
}

/* Whose name has this number? */
static struct ptable_pty *named(int virtual)
{
    struct ptable_pty *entry = entries();

    for (unsigned i = 0; i < PTABLE_PTYS && entry->real; i++, entry++)
        if (entry->virtual == virtual)
            return entry;
    return NULL;
}

int ptys_real(int virtual)
{
    const struct ptable_pty *entry = named(virtual);

    return entry ? (int)entry->real - 1 : virtual;
}

int ptys_virtual(int real)
{
    struct ptable_pty *entry = find(real, false);

    if (entry && entry->virtual >= 0)
        return entry->virtual;
    if (!ptys_differ || !named(real))
        return real;
    /* A pty made after the restart whose number is the name of an older one: it gets a name that the kernel gives to none. */
    entry = find(real, true);
    if (entry)
        entry->virtual = (int)(1u << 20) + (int)(entry - entries());
    return entry ? entry->virtual : real;
}

void ptys_register(int virtual, int real)
{
    struct ptable_pty *entry = named(virtual);

    if (entry && entry->real != (uint32_t)real + 1)
        entry->virtual = -1; /* of before the restart */
    entry = find(real, true);
    if (entry)
        entry->virtual = virtual;
    if (virtual != real)
        ptys_differ = true;
}

void ptys_settle(void)
{
    const struct ptable_pty *entry = entries();

    for (unsigned i = 0; i < PTABLE_PTYS && entry->real; i++, entry++)
        if (entry->virtual != (int)entry->real - 1)
            ptys_differ = true;
}

const char *ptys_real_path(const char *path, char *buffer, size_t size)
{
    const char *digits = path ? str_after(path, PREFIX) : NULL;
    uint64_t number;

    if (!digits || !str_to_number(digits, 0, INT32_MAX, &number))
        return path;
    int real = ptys_real((int)number);
    if (real == (int)number)
        return path;
    fmt(buffer, size, PREFIX "%d", real);
    return buffer;
}

void ptys_virtual_path(char *path, size_t size)
{
    const char *digits = path ? str_after(path, PREFIX) : NULL;
    uint64_t number;

    if (digits && str_to_number(digits, 0, INT32_MAX, &number) && ptys_virtual((int)number) != (int)number)
        fmt(path, size, PREFIX "%d", ptys_virtual((int)number));
}

static uint32_t *mark_of(struct ptable_pty *entry, bool master)
{
    return master ? &entry->master_mark : &entry->slave_mark;
}

void ptys_mark(int real, bool master, uint32_t mark)
{
    struct ptable_pty *entry = find(real, true);

    if (entry)
        __atomic_store_n(mark_of(entry, master), mark, __ATOMIC_RELEASE);
}

bool ptys_marked(int real, bool master, uint32_t mark)
{
    struct ptable_pty *entry = find(real, false);

    return entry && __atomic_load_n(mark_of(entry, master), __ATOMIC_ACQUIRE) == mark;
}
