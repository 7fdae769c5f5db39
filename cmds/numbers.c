#include "numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "die.h"
#include "msg.h"
#include "ptable.h"
#include "sysv.h"

static struct ptable *table;

static bool open_table(const struct conf *conf, const struct upid *computation)
{
    char path[PATH_MAX], id[UPID_TEXT_MAX];
    int fd;

    upid_text(computation, id);
    if (snprintf(path, sizeof path, "%s/" PTABLE_NAME "%s", conf->tmp_dir, id) >= (int)sizeof path)
        return false;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    if (!ftruncate(fd, sizeof *table))
        table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (!table || table == MAP_FAILED)
        return false;
    table->magic = PTABLE_MAGIC;
    table->version = PTABLE_VERSION;
    return true;
}

struct ptable *numbers_table(const struct conf *conf, const struct upid *computation)
{
    return open_table(conf, computation) ? table : NULL;
}

static bool in_set(const struct ptable_entry *entry, const struct tree *tree, const pid_t *real)
{
    for (int i = 0; i < tree->count; i++)
        if (entry->real == real[i] || (tree->nodes[i].pid && entry->virtual == tree->nodes[i].pid))
            return true;
    return false;
}

/* What an earlier run has left behind: it was killed, and perhaps its processes have not even been reaped. */
static void free_stale(const struct tree *tree, const pid_t *real)
{
    for (uint32_t i = 0; i < table->used && i < PTABLE_ENTRIES; i++) {
        struct ptable_entry *entry = &table->entry[i];

        if (entry->state && (entry->state == PTABLE_NUMBER || in_set(entry, tree, real) || (kill(entry->real, 0) && errno == ESRCH)))
            __atomic_store_n(&entry->state, PTABLE_FREE, __ATOMIC_RELEASE);
    }
}

static bool has_real(pid_t real)
{
    for (uint32_t i = 0; i < table->used && i < PTABLE_ENTRIES; i++)
        if (table->entry[i].state > PTABLE_RESERVED && table->entry[i].real == real)
            return true;
    return false;
}

static void enter(uint32_t state, pid_t virtual, pid_t real)
{
    if (virtual <= 0 || real <= 0 || virtual == real || has_real(real))
        return;
    for (uint32_t i = 0; i < PTABLE_ENTRIES; i++) {
        struct ptable_entry *entry = &table->entry[i];
        uint32_t expected = PTABLE_FREE, used;

        if (!__atomic_compare_exchange_n(&entry->state, &expected, PTABLE_RESERVED, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            continue;
        *entry = (struct ptable_entry){.state = PTABLE_RESERVED, .real = real, .virtual = virtual, .parent = getpid()};
        while ((used = __atomic_load_n(&table->used, __ATOMIC_ACQUIRE)) <= i)
            __atomic_compare_exchange_n(&table->used, &used, i + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
        __atomic_store_n(&entry->state, state, __ATOMIC_RELEASE);
        table->differ = 1;
        return;
    }
}

void numbers_enter(const struct conf *conf, const struct upid *computation, const struct tree *tree, const pid_t *real)
{
    if (!open_table(conf, computation))
        return;
    free_stale(tree, real);
    for (int i = 0; i < tree->count; i++)
        if (tree->nodes[i].kind != TREE_PROCESS)
            enter(tree->nodes[i].kind == TREE_ZOMBIE ? PTABLE_ZOMBIE : PTABLE_NUMBER, tree->nodes[i].pid, real[i]);
    /* What was one (a shell that led its group and session) may be several now: all of them have the number, and it stands for the first. */
    enter(PTABLE_NUMBER, tree->launch_group, getpgrp());
    enter(PTABLE_NUMBER, tree->launch_session, getsid(0));
    sysv_enter(table);
    munmap(table, sizeof *table);
}
