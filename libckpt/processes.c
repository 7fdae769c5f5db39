#include "processes.h"

#include "fmt.h"
#include "library.h"
#include "log.h"
#include "msg.h"
#include "proc.h"
#include "region.h"
#include "scratch.h"
#include "str.h"
#include "sys.h"
#include "sysv_home.h"

#define LOG_MODULE "processes"

static struct ptable *table;

static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Shared between processes: no FUTEX_PRIVATE_FLAG. */
static void futex_wake_shared(uint32_t *word)
{
    __atomic_add_fetch(word, 1, __ATOMIC_ACQ_REL);
    syscall6(__NR_futex, (long)word, 1 /* FUTEX_WAKE */, INT32_MAX, 0, 0, 0);
}

static void futex_wait_shared(uint32_t *word, uint32_t value, uint64_t ns)
{
    struct timespec wait = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};

    syscall6(__NR_futex, (long)word, 0 /* FUTEX_WAIT */, value, (long)&wait, 0, 0);
}

long processes_open(void)
{
    char path[sizeof lib.conf.tmp_dir + 80], id[UPID_TEXT_MAX];
    long fd, error;

    if (table)
        return 0;
    upid_text(&lib.computation, id);
    fmt(path, sizeof path, "%s/" PTABLE_NAME "%s", lib.conf.tmp_dir, id);
    fd = sys_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fd;
    error = sys_ftruncate((int)fd, sizeof *table);
    struct ptable *mapped = error ? NULL : region_map_file(sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd);
    sys_close((int)fd);
    if (error || SYS_IS_ERROR(mapped))
        return error ? error : (long)mapped;
    /* Whoever maps it first writes the same as all others would. */
    mapped->magic = PTABLE_MAGIC;
    mapped->version = PTABLE_VERSION;
    uint64_t home = sysv_home();
    mapped->ipc_home[0] = (uint32_t)home;
    mapped->ipc_home[1] = (uint32_t)(home >> 32);
    scratch_adopt(mapped, sizeof *mapped);
    table = mapped;
    return 0;
}

void processes_forget(void)
{
    table = NULL;
}

void processes_forked(void)
{
    if (table)
        scratch_adopt(table, sizeof *table);
}

bool processes_known(void)
{
    return table;
}

bool processes_differ(void)
{
    return table && load(&table->differ);
}

static struct ptable_entry *entry_at(int entry)
{
    return table && entry >= 0 && entry < (int)PTABLE_ENTRIES ? &table->entry[entry] : NULL;
}

/* Field 22 of /proc/PID/stat; 0: no such process. *zombie may be NULL. */
static uint64_t start_of(int real, bool *zombie)
{
    char path[64], text[512];
    uint64_t start = 0;

    fmt(path, sizeof path, "/proc/%d/stat", real);
    long n = proc_read(path, text, sizeof text);
    if (n <= 0)
        return 0;
    const char *at = text + n;
    while (at > text && *at != ')')
        at--;
    if (zombie)
        *zombie = at[1] == ' ' && (at[2] == 'Z' || at[2] == 'X');
    for (int field = 2; *at && field < 22; at++)
        field += *at == ' ';
    str_number(&at, 10, &start);
    return start;
}

static bool gone(const struct ptable_entry *entry)
{
    int pid = entry->state == PTABLE_RESERVED ? entry->parent : entry->real;
    bool zombie = false;

    if (sys_kill(pid, 0) == -ESRCH)
        return true;
    if (entry->state == PTABLE_RESERVED)
        return false;
    uint64_t start = start_of(pid, &zombie);
    return !start || (zombie && entry->state != PTABLE_ZOMBIE) || (entry->start && entry->start != start);
}

static int claim(uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        uint32_t expected = PTABLE_FREE;
        if (load(&table->entry[i].state) == PTABLE_FREE &&
            __atomic_compare_exchange_n(&table->entry[i].state, &expected, PTABLE_RESERVED, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            return (int)i;
    }
    return -1;
}

/* Frees the entries of processes that are gone: of those that nobody of us reaped. */
static void sweep(uint32_t used)
{
    for (uint32_t i = 0; i < used; i++)
        if (load(&table->entry[i].state) > PTABLE_RESERVED && gone(&table->entry[i]))
            __atomic_store_n(&table->entry[i].state, PTABLE_FREE, __ATOMIC_RELEASE);
}

int processes_reserve(void)
{
    uint32_t used;
    int entry;

    if (!table)
        return -1;
    used = load(&table->used);
    entry = claim(0, used);
    if (entry < 0 && used >= 64 && (used & (used - 1)) == 0) { /* each time it would double */
        sweep(used);
        entry = claim(0, used);
    }
    if (entry < 0)
        entry = claim(used, used + 64 < PTABLE_ENTRIES ? used + 64 : PTABLE_ENTRIES);
    while (entry >= 0 && (uint32_t)entry >= (used = load(&table->used)) &&
           !__atomic_compare_exchange_n(&table->used, &used, (uint32_t)entry + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        ;
    if (entry < 0)
        return -1;
    struct ptable_entry *at = &table->entry[entry];
    at->real = at->virtual = 0;
    at->start = 0;
    at->suspended = 0;
    at->parent = sys_getpid();
    return entry;
}

void processes_state(int entry, uint32_t state)
{
    struct ptable_entry *at = entry_at(entry);

    if (!at)
        return;
    __atomic_store_n(&at->state, state, __ATOMIC_RELEASE);
    futex_wake_shared(&table->changes);
}

void processes_leaves(int entry, uint32_t reason)
{
    struct ptable_entry *at = entry_at(entry);

    if (!at)
        return;
    at->reason = reason;
    processes_state(entry, PTABLE_LEFT);
}

static bool becomes(struct ptable_entry *at, uint32_t from, uint32_t to)
{
    bool done = __atomic_compare_exchange_n(&at->state, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);

    if (done)
        futex_wake_shared(&table->changes);
    return done;
}

void processes_joined(int entry, bool fresh)
{
    struct ptable_entry *at = entry_at(entry);

    if (at && !becomes(at, PTABLE_STARTING, PTABLE_JOINED) && fresh)
        becomes(at, PTABLE_EXEC, PTABLE_JOINED);
}

void processes_stays(int entry, const uint32_t *joined)
{
    struct ptable_entry *at = entry_at(entry);

    if (!at || (!becomes(at, PTABLE_EXEC, PTABLE_STARTING) && !becomes(at, PTABLE_LEFT, PTABLE_STARTING)))
        return;
    if (__atomic_load_n(joined, __ATOMIC_SEQ_CST)) /* said before processes_joined found EXEC */
        becomes(at, PTABLE_STARTING, PTABLE_JOINED);
}

void processes_release(int entry)
{
    processes_state(entry, PTABLE_FREE);
}

int processes_find(int real)
{
    for (uint32_t i = 0, used = table ? load(&table->used) : 0; i < used; i++)
        if (table->entry[i].real == real && load(&table->entry[i].state) > PTABLE_RESERVED)
            return (int)i;
    return -1;
}

/* Maker and new process may both make an entry at the same moment: each publishes its own first and looks for the other's then, so that at least one
 * of them sees both. It is the maker's that goes. */
static void release_double(int entry)
{
    uint32_t expected = PTABLE_STARTING;

    __atomic_compare_exchange_n(&table->entry[entry].state, &expected, PTABLE_FREE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    futex_wake_shared(&table->changes);
}

static int find_double(int entry)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint32_t i = 0, used = load(&table->used); i < used; i++)
        if ((int)i != entry && table->entry[i].real == table->entry[entry].real && load(&table->entry[i].state) > PTABLE_RESERVED)
            return (int)i;
    return -1;
}

/* The kernel uses numbers again. Is the entry with the number of a process that was made just now, and is known by it, still that of another? That
 * of a process that was reaped by nobody of us, or of a group that is gone. */
static bool is_stale(const struct ptable_entry *entry)
{
    uint32_t state = load(&entry->state);

    if (state == PTABLE_NUMBER || entry->virtual != entry->real)
        return true;
    return state != PTABLE_STARTING && entry->start && entry->start != start_of(entry->real, NULL);
}

void processes_started(int entry, int real)
{
    struct ptable_entry *at = entry_at(entry);

    if (!at)
        return;
    int there = processes_find(real);
    if (there >= 0 && is_stale(&table->entry[there])) {
        processes_release(there);
    } else if (there >= 0) { /* it was quicker than we */
        processes_release(entry);
        return;
    }
    at->real = at->virtual = real;
    processes_state(entry, PTABLE_STARTING);
    if (find_double(entry) >= 0)
        release_double(entry);
}

/* Entries of processes that are gone, killed before a restart for example, and had the same virtual number. */
static void release_namesakes(int entry)
{
    int virtual = table->entry[entry].virtual;

    for (uint32_t i = 0, used = load(&table->used); i < used; i++)
        if ((int)i != entry && table->entry[i].virtual == virtual && load(&table->entry[i].state) > PTABLE_RESERVED && gone(&table->entry[i]))
            processes_release((int)i);
}

int processes_adopt(int real, int virtual, uint64_t time)
{
    int entry = processes_find(real);
    struct ptable_entry *at;

    if (entry < 0) {
        entry = processes_reserve();
        at = entry_at(entry);
        if (!at)
            return -1;
        at->real = real;
        at->virtual = virtual;
        __atomic_store_n(&at->state, PTABLE_STARTING, __ATOMIC_RELEASE);
    }
    at = entry_at(entry);
    int other = find_double(entry);
    if (other >= 0)
        release_double(other);
    uint64_t start = start_of(real, NULL);
    /* An entry found may be that of a process which is gone, and whose real number this one got. */
    bool others = at->start && at->start != start;
    at->virtual = virtual;
    release_namesakes(entry);
    at->time = time;
    at->start = start;
    if (others)
        processes_state(entry, PTABLE_STARTING);
    if (at->real != at->virtual)
        table->differ = 1;
    return entry;
}

int processes_real(int virtual)
{
    for (uint32_t i = 0, used = table ? load(&table->used) : 0; i < used; i++)
        if (table->entry[i].virtual == virtual && load(&table->entry[i].state) > PTABLE_RESERVED)
            return table->entry[i].real;
    return 0;
}

int processes_virtual(int real)
{
    int entry = processes_find(real);

    return entry < 0 ? 0 : table->entry[entry].virtual;
}

int processes_virtual_own(int real)
{
    int entry = processes_find(real);

    return entry < 0 || gone(&table->entry[entry]) ? 0 : table->entry[entry].virtual;
}

bool processes_taken(int virtual, int real)
{
    int known = processes_real(virtual);

    return known && known != real;
}

/* Its number may be that of a group which lives on. Signal 0 to a group is refused with another error if there is one. */
static bool leads_on(const struct ptable_entry *entry)
{
    return entry->real != entry->virtual && sys_kill(-entry->real, 0) != -ESRCH;
}

bool processes_clash(int real)
{
    for (uint32_t i = 0, used = table && load(&table->differ) ? load(&table->used) : 0; i < used; i++)
        if (table->entry[i].virtual == real && table->entry[i].real != real && load(&table->entry[i].state) > PTABLE_RESERVED &&
            !gone(&table->entry[i]))
            return true;
    return false;
}

void processes_reaped(int virtual)
{
    for (uint32_t i = 0, used = table ? load(&table->used) : 0; i < used; i++)
        if (table->entry[i].virtual == virtual && load(&table->entry[i].state) > PTABLE_RESERVED)
            processes_state((int)i, leads_on(&table->entry[i]) ? PTABLE_NUMBER : PTABLE_FREE);
}

/* The first entry that a checkpoint must wait for; entries of processes that are gone are freed on the way. */
static int unjoined(void)
{
    for (uint32_t i = 0, used = load(&table->used); i < used; i++) {
        uint32_t state = load(&table->entry[i].state);
        /* One that is only reserved will be made after the checkpoint: no thread parks between making it and saying so. */
        if (state != PTABLE_STARTING && state != PTABLE_EXEC)
            continue;
        if (!gone(&table->entry[i]))
            return (int)i;
        processes_release((int)i);
    }
    return -1;
}

/* Stopped before it joined (^Z just after the start): it is continued to join, and told. `parent` is free for that once the process exists. */
enum { WAS_STOPPED = -1 };

static void continue_stopped(struct ptable_entry *entry)
{
    char path[64], text[512];

    fmt(path, sizeof path, "/proc/%d/stat", entry->real);
    long n = proc_read(path, text, sizeof text);
    const char *at = n > 0 ? text + n : text;
    while (at > text && *at != ')')
        at--;
    if (n <= 0 || at[1] != ' ' || at[2] != 'T')
        return;
    entry->parent = WAS_STOPPED;
    sys_kill(entry->real, SIGCONT);
}

/* They will not take part: as they were. */
static void stop_continued(void)
{
    for (uint32_t i = 0, used = load(&table->used); i < used; i++) {
        struct ptable_entry *entry = &table->entry[i];
        uint32_t state = load(&entry->state);

        if ((state == PTABLE_STARTING || state == PTABLE_EXEC) && entry->parent == WAS_STOPPED && !gone(entry)) {
            entry->parent = 0;
            sys_kill(entry->real, SIGSTOP);
        }
    }
}

bool processes_was_stopped(int entry)
{
    struct ptable_entry *at = entry_at(entry);
    bool stopped = at && at->parent == WAS_STOPPED;

    if (stopped)
        at->parent = 0;
    return stopped;
}

long processes_await_joined(uint64_t deadline_ns, int (*poll)(void), char *problem, size_t size)
{
    if (!table)
        return 0;
    for (;;) {
        uint32_t changes = load(&table->changes);
        int entry = unjoined();

        if (entry < 0)
            return 0;
        if (poll()) {
            stop_continued();
            return -ECANCELED;
        }
        if (sys_now_ns(CLOCK_MONOTONIC) > deadline_ns) {
            const struct ptable_entry *at = &table->entry[entry];
            fmt(problem, size, "the new process %d does not join the coordinator", at->virtual);
            stop_continued();
            return -ETIMEDOUT;
        }
        continue_stopped(&table->entry[entry]);
        futex_wait_shared(&table->changes, changes, 20000000);
    }
}

void processes_suspended(int entry, uint32_t generation)
{
    struct ptable_entry *at = entry_at(entry);

    if (at)
        __atomic_store_n(&at->suspended, generation, __ATOMIC_RELEASE);
}

bool processes_is_missing(int real, uint32_t generation)
{
    int entry = processes_find(real);

    return entry >= 0 && load(&table->entry[entry].state) <= PTABLE_EXEC &&
           __atomic_load_n(&table->entry[entry].suspended, __ATOMIC_ACQUIRE) != generation;
}

void processes_hurry(void)
{
    if (table)
        futex_wake_shared(&table->hurry);
}

void processes_linger(uint64_t ns)
{
    if (table)
        futex_wait_shared(&table->hurry, load(&table->hurry), ns);
}

void processes_each(void (*visit)(const struct ptable_entry *entry, void *argument), void *argument)
{
    for (uint32_t i = 0, used = table ? load(&table->used) : 0; i < used; i++)
        if (load(&table->entry[i].state) > PTABLE_RESERVED)
            visit(&table->entry[i], argument);
}

struct ptable *processes_table(void)
{
    return table;
}

struct ptable_pty *processes_ptys(void)
{
    return table ? table->pty : NULL;
}
