/* Who saves and restores each description, when several processes hold it or the other end of it.
 *
 * At the end of SUSPEND each process publishes its descriptions, sorted, in a file of the tmp dir, which the others map once the barrier says
 * that all are complete. In ELECT everybody finds the lowest process that holds the same description: its owner. The owner of one that belongs
 * to an object (the end of a pipe) finds the lowest process that holds any part of the object: its maker. These answers are written into the
 * own list, and the barrier at the end of ELECT makes them readable: in DRAIN the makers collect whom they have to serve. A process whose
 * description another one makes saves nothing of it.
 *
 * Identity is kcmp(2)'s; the lists are in its order, so a look-up is a binary search. Where it is not permitted: every process sets itself as
 * the owner for signals (F_SETOWN) of its descriptions, and whoever is still the owner when all have done so names it by F_SETSIG. The
 * lists have a word on which the processes wait for each other in between. */
#include <linux/kcmp.h>
#include <sys/socket.h>

#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "library.h"
#include "log.h"
#include "msg.h"
#include "processes.h"
#include "region.h"
#include "scratch.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"

#define LOG_MODULE "fd"
#define LIST_MAGIC 0x5453494c53454446ull
#define NAME_PREFIX "descriptors-"

struct list {
    uint64_t magic;
    int32_t virtual, real, tid;
    int32_t flight_first, flight_tid; /* numbers from the first on are in this thread's table */
    uint32_t count;
    uint32_t kcmp;
    uint32_t stage; /* shared futex */
    struct fd_entry entry[];
};

struct holder {
    struct list *list;
    size_t size;
    struct description **foreign; /* DRAIN: by index, those made here; scratch */
};

static struct holder *holders; /* scratch; ascending virtual pids, this process included */
static unsigned holder_count, holder_room;
static struct holder *own; /* among them */
static struct list *own_list; /* scratch, or the mapped file */
static size_t own_size;
static bool published; /* there are files */
static uint32_t generation;

static struct signal_owner *signal_owners; /* arena; by index */
static unsigned char *signals;
static bool marked; /* they are to be put back */

/* --- files --- */

static size_t file_path(char *path, size_t size, uint32_t of_generation, int virtual, const char *suffix)
{
    char id[UPID_TEXT_MAX];

    upid_text(&lib.computation, id);
    return fmt(path, size, "%s/" NAME_PREFIX "%s-%u-%d%s", lib.conf.tmp_dir, id, of_generation, virtual, suffix);
}

/* Left by processes of this computation that were killed between SUSPEND and REFILL of an earlier checkpoint. */
static void remove_stale(void)
{
    char buffer[2048] __attribute__((aligned(8))), id[UPID_TEXT_MAX], prefix[UPID_TEXT_MAX + 16], path[4500];
    long directory = sys_open(lib.conf.tmp_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), n;

    upid_text(&lib.computation, id);
    fmt(prefix, sizeof prefix, NAME_PREFIX "%s-", id);
    while (directory >= 0 && (n = sys_getdents((int)directory, buffer, sizeof buffer)) > 0)
        for (long at = 0; at < n; at += *(uint16_t *)(void *)(buffer + at + 16)) {
            const char *name = buffer + at + 19, *rest = str_after(name, prefix); /* struct linux_dirent64: getdents(2) */
            uint64_t number;
            if (!rest || !str_number(&rest, 10, &number) || number == generation)
                continue;
            fmt(path, sizeof path, "%s/%s", lib.conf.tmp_dir, name);
            sys_unlink(path);
        }
    if (directory >= 0)
        sys_close((int)directory);
}

static void count_other(const struct ptable_entry *entry, void *count)
{
    if (entry->real != lib.real_pid && entry->state != PTABLE_ZOMBIE && entry->state != PTABLE_LEFT)
        ++*(unsigned *)count;
}

static long make_list(void)
{
    char path[4500];
    unsigned others = 0;

    processes_each(count_other, &others);
    own_size = (sizeof *own_list + fd_state.count * sizeof *own_list->entry + 4095) & ~(size_t)4095;
    if (!others) {
        own_list = scratch_map(own_size, false);
        return own_list ? 0 : -ENOMEM;
    }
    remove_stale();
    file_path(path, sizeof path, generation, lib.pid, "");
    long fd = sys_open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fd;
    published = true;
    long error = sys_ftruncate((int)fd, own_size);
    struct list *mapped = error ? NULL : region_map_file(own_size, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd);
    sys_close((int)fd);
    if (error || SYS_IS_ERROR(mapped))
        return error ? error : (long)mapped;
    if (!scratch_adopt(mapped, own_size)) {
        sys_munmap(mapped, own_size);
        return -ENOMEM;
    }
    own_list = mapped;
    return 0;
}

/* What is asked of the executor looks at the program's descriptors, what is called here at those in flight. */
static bool mine(unsigned index)
{
    return fd_aside(fd_state.indexed[index]->first) == (sys_gettid() != fd_state.owner_tid);
}

static long for_all(long (*function)(void *))
{
    long error = park_call(suspend_executor(), function, NULL);

    return error || !fd_state.flights_aside ? error : function(NULL);
}

static long read_signals(void *unused)
{
    for (unsigned i = 0; i < fd_state.count; i++) {
        if (!mine(i))
            continue;
        long signal = sys_fcntl(fd_state.indexed[i]->first, F_GETSIG, 0);
        signals[i] = signal < 0 ? 0 : (unsigned char)signal;
        sys_fcntl(fd_state.indexed[i]->first, F_GETOWN_EX, (long)&signal_owners[i]);
    }
    return 0;
}

long fd_publish(uint32_t of_generation)
{
    generation = of_generation;
    marked = published = false; /* after a restart, what the image remembers means nothing */
    long error = make_list();
    if (error)
        return error;
    own_list->magic = LIST_MAGIC;
    own_list->virtual = lib.pid;
    own_list->real = lib.real_pid;
    own_list->tid = fd_state.owner_tid;
    own_list->flight_first = fd_state.flight_first;
    own_list->flight_tid = (int32_t)sys_gettid();
    own_list->count = fd_state.count;
    own_list->kcmp = fd_state.kcmp;
    for (unsigned i = 0; i < fd_state.count; i++) {
        const struct description *d = fd_state.indexed[i];
        own_list->entry[i] = (struct fd_entry){
            .device = d->st.st_dev, .inode = d->st.st_ino, .mode = d->st.st_mode, .flags = d->flags, .standard = d->standard,
            .first = d->first, .domain = d->domain, .protocol = d->protocol};
        for (const struct descriptor *at = d->descriptors; at; at = at->next)
            own_list->entry[i].flight |= at->fd >= fd_state.flight_first;
    }
    /* As the program set them: nobody changes them before all have come here. */
    signal_owners = arena_alloc((fd_state.count + 1) * sizeof *signal_owners);
    signals = arena_alloc(fd_state.count + 1);
    if (!signal_owners || !signals)
        return -ENOMEM;
    /* Others may be comparing theirs by just these signals. */
    long lock = fd_state.kcmp ? -1 : survey_lock();
    error = for_all(read_signals);
    if (lock >= 0)
        sys_close((int)lock);
    return error;
}

static bool add_holder(struct list *list, size_t size)
{
    if (holder_count == holder_room)
        return false;
    unsigned at = holder_count++;
    while (at && holders[at - 1].list->virtual > list->virtual) {
        holders[at] = holders[at - 1];
        at--;
    }
    holders[at] = (struct holder){.list = list, .size = size};
    return true;
}

struct opening {
    long error;
    int virtual;
};

static void open_other(const struct ptable_entry *entry, void *argument)
{
    struct opening *opening = argument;
    char path[4500];
    struct stat st;

    if (opening->error || entry->state != PTABLE_JOINED || entry->real == lib.real_pid)
        return;
    opening->virtual = entry->virtual;
    file_path(path, sizeof path, generation, entry->virtual, "");
    long fd = sys_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd == -ENOENT) /* it joined after this checkpoint began, so it is not in the set */
        return;
    opening->error = fd < 0 ? fd : sys_fstat((int)fd, &st);
    struct list *list = NULL;
    if (!opening->error)
        list = region_map_file((size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd);
    if (fd >= 0)
        sys_close((int)fd);
    if (opening->error)
        return;
    if (SYS_IS_ERROR(list)) {
        opening->error = (long)list;
        return;
    }
    if (list->magic != LIST_MAGIC || list->virtual != entry->virtual ||
        sizeof *list + (size_t)list->count * sizeof *list->entry > (size_t)st.st_size || !add_holder(list, (size_t)st.st_size)) {
        sys_munmap(list, (size_t)st.st_size);
        opening->error = -EPROTO;
        return;
    }
    scratch_adopt(list, (size_t)st.st_size);
}

static long open_all(char *problem, size_t size)
{
    struct opening opening = {0};
    unsigned others = 0;

    if (published)
        processes_each(count_other, &others);
    holder_room = others + 64;
    holders = scratch_map(holder_room * sizeof *holders, false);
    if (!holders || !own_list)
        return -ENOMEM;
    add_holder(own_list, own_size);
    if (published)
        processes_each(open_other, &opening);
    if (opening.error) {
        fmt(problem, size, "the descriptors of process %d can't be read: %e", opening.virtual, (int)opening.error);
        return opening.error;
    }
    for (own = holders; own->list != own_list; own++)
        ;
    return 0;
}

/* All but the own one, on which its refill states are looked up until REFILL. */
static void close_others(void)
{
    for (unsigned i = 0; i < holder_count; i++) {
        if (holders[i].foreign)
            scratch_unmap(holders[i].foreign, holders[i].list->count * sizeof *holders[i].foreign);
        if (holders[i].list != own_list)
            scratch_unmap(holders[i].list, holders[i].size);
    }
    if (holders)
        scratch_unmap(holders, holder_room * sizeof *holders);
    holders = own = NULL;
    holder_count = 0;
}

/* --- look-ups --- */

static struct holder *holder_of(int virtual)
{
    for (unsigned i = 0; i < holder_count; i++)
        if (holders[i].list->virtual == virtual)
            return &holders[i];
    return NULL;
}

/* The first entry not below (device, inode). */
static unsigned lower_bound(const struct list *list, uint64_t device, uint64_t inode)
{
    unsigned low = 0, high = list->count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        const struct fd_entry *at = &list->entry[middle];
        if (at->device < device || (at->device == device && at->inode < inode))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is(const struct list *list, unsigned index, uint64_t device, uint64_t inode)
{
    return index < list->count && list->entry[index].device == device && list->entry[index].inode == inode;
}

static bool holds(const struct list *list, uint64_t device, uint64_t inode)
{
    return is(list, lower_bound(list, device, inode), device, inode);
}

bool fd_held(uint64_t device, uint64_t inode)
{
    for (unsigned i = 0; i < holder_count; i++)
        if (holds(holders[i].list, device, inode))
            return true;
    return false;
}

bool fd_lowest_holder(uint64_t device, uint64_t inode)
{
    for (const struct holder *holder = holders; holder < own; holder++)
        if (holds(holder->list, device, inode))
            return false;
    return true;
}

bool fd_lowest_process(void)
{
    return own == holders;
}

bool fd_other_mode_held(const struct description *d)
{
    for (unsigned i = 0; i < holder_count; i++) {
        const struct list *list = holders[i].list;
        for (unsigned at = lower_bound(list, d->st.st_dev, d->st.st_ino); is(list, at, d->st.st_dev, d->st.st_ino); at++)
            if ((list->entry[at].flags & O_ACCMODE) != (d->flags & O_ACCMODE))
                return true;
    }
    return false;
}

static int tid_of(const struct list *list, int fd)
{
    return fd >= list->flight_first ? list->flight_tid : list->tid;
}

/* Is our description in another process's list? 1 and its index there, 0, or -errno. */
static long find(const struct description *d, const struct list *list, bool kcmp, unsigned *index)
{
    unsigned low = lower_bound(list, d->st.st_dev, d->st.st_ino), high = low;

    for (; is(list, high, d->st.st_dev, d->st.st_ino); high++)
        if (!kcmp && list->entry[high].label == own_list->entry[d->index].label) {
            *index = high;
            return 1;
        }
    while (kcmp && low < high) {
        unsigned middle = low + (high - low) / 2;
        int first = list->entry[middle].first;
        long order = syscall6(__NR_kcmp, tid_of(own_list, d->first), tid_of(list, first), KCMP_FILE, d->first, first, 0);
        if (order < 0)
            return order;
        if (order == 0) {
            *index = middle;
            return 1;
        }
        if (order == 1)
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

/* --- election without kcmp --- */

static long set_owner(void *unused)
{
    struct signal_owner self = {.type = 1 /* F_OWNER_PID */, .pid = lib.real_pid};

    for (unsigned i = 0; i < fd_state.count; i++)
        if (mine(i))
            sys_fcntl(fd_state.indexed[i]->first, F_SETOWN_EX, (long)&self);
    return 0;
}

static uint64_t label(int virtual, unsigned index)
{
    return (uint64_t)(unsigned)virtual << 32 | index;
}

static unsigned ordinal(const struct list *list, unsigned index)
{
    return index - lower_bound(list, list->entry[index].device, list->entry[index].inode);
}

static long name_owned(void *unused)
{
    for (unsigned i = 0; i < fd_state.count; i++) {
        struct signal_owner now = {0};
        if (!mine(i))
            continue;
        long error = sys_fcntl(fd_state.indexed[i]->first, F_GETOWN_EX, (long)&now);
        if (error < 0 || now.pid == lib.real_pid) { /* O_PATH has no owner: taken for one of its own */
            own_list->entry[i].label = label(lib.pid, i);
            sys_fcntl(fd_state.indexed[i]->first, F_SETSIG, 1 + ordinal(own_list, i) % 64);
        }
    }
    return 0;
}

static long read_names(void *unused)
{
    for (unsigned i = 0; i < fd_state.count; i++) {
        struct fd_entry *entry = &own_list->entry[i];
        struct signal_owner now = {0};
        if (entry->label || !mine(i))
            continue;
        entry->label = label(lib.pid, i);
        sys_fcntl(fd_state.indexed[i]->first, F_GETOWN_EX, (long)&now);
        long signal = sys_fcntl(fd_state.indexed[i]->first, F_GETSIG, 0);
        for (unsigned h = 0; h < holder_count; h++) {
            const struct list *list = holders[h].list;
            unsigned at = lower_bound(list, entry->device, entry->inode) + (unsigned)signal - 1;
            if (list->real != now.pid || signal < 1 || !is(list, at, entry->device, entry->inode))
                continue;
            if (is(list, at + 64, entry->device, entry->inode)) /* more than there are signals */
                return (long)i + 1;
            entry->label = label(list->virtual, at);
        }
    }
    return 0;
}

static long put_back(void *unused)
{
    for (unsigned i = 0; i < fd_state.count; i++) {
        if (!mine(i))
            continue;
        sys_fcntl(fd_state.indexed[i]->first, F_SETOWN_EX, (long)&signal_owners[i]);
        sys_fcntl(fd_state.indexed[i]->first, F_SETSIG, signals[i]);
    }
    return 0;
}

/* Waits for all others. */
static long meet(uint32_t stage, uint64_t deadline_ns, int (*poll)(void), char *problem, size_t size)
{
    __atomic_store_n(&own_list->stage, stage, __ATOMIC_RELEASE);
    syscall6(__NR_futex, (long)&own_list->stage, 1 /* FUTEX_WAKE */, INT32_MAX, 0, 0, 0);
    for (unsigned i = 0; i < holder_count; i++) {
        struct list *list = holders[i].list;
        uint32_t at;
        while ((at = __atomic_load_n(&list->stage, __ATOMIC_ACQUIRE)) < stage) {
            struct timespec wait = {.tv_nsec = 20000000};
            if (poll && poll())
                return -ECANCELED;
            if (sys_now_ns(CLOCK_MONOTONIC) > deadline_ns) {
                fmt(problem, size, "process %d does not say which descriptors it shares", list->virtual);
                return -ETIMEDOUT;
            }
            syscall6(__NR_futex, (long)&list->stage, 0 /* FUTEX_WAIT */, at, (long)&wait, 0, 0);
        }
    }
    return 0;
}

static long elect_by_signal_owner(uint64_t deadline_ns, int (*poll)(void), char *problem, size_t size)
{
    long error;

    marked = true;
    for_all(set_owner);
    error = meet(1, deadline_ns, poll, problem, size);
    if (!error) {
        for_all(name_owned);
        error = meet(2, deadline_ns, poll, problem, size);
    }
    if (!error && (error = for_all(read_names)) > 0) {
        fmt(problem, size, "descriptor %d (%s): kcmp is not permitted here, and without it so many open files that share it can't be told apart",
            fd_state.indexed[error - 1]->first, fd_state.indexed[error - 1]->link);
        error = -EOPNOTSUPP;
    }
    if (!error)
        error = meet(3, deadline_ns, poll, problem, size);
    return error;
}

/* --- election --- */

static bool all_have_kcmp(void)
{
    for (unsigned i = 0; i < holder_count; i++)
        if (!holders[i].list->kcmp && holders[i].list->count)
            return false;
    return true;
}

/* Every process has its own; those below it may hold it too. */
static long find_owner(struct description *d, bool kcmp, char *problem, size_t size)
{
    struct fd_entry *entry = &own_list->entry[d->index];

    entry->owner = lib.pid;
    entry->owner_index = d->index;
    for (struct holder *holder = holders; holder < own; holder++) {
        long found = find(d, holder->list, kcmp, &entry->owner_index);
        if (found < 0) {
            fmt(problem, size, "descriptor %d (%s): kcmp with process %d fails: %e", d->first, d->link, holder->list->virtual, (int)found);
            return found;
        }
        if (found) {
            entry->owner = holder->list->virtual;
            d->received = true;
            return 0;
        }
    }
    return 0;
}

static void gather_standard(struct description *d)
{
    for (unsigned i = 0; i < holder_count; i++) {
        const struct list *list = holders[i].list;
        for (unsigned at = lower_bound(list, d->st.st_dev, d->st.st_ino); is(list, at, d->st.st_dev, d->st.st_ino); at++)
            if ((list->entry[at].flags & O_ACCMODE) == (d->flags & O_ACCMODE))
                d->standard |= list->entry[at].standard;
    }
}

static long claim(struct description *d, char *problem, size_t size)
{
    for (unsigned k = 0; k < fd_kind_count; k++)
        if (fd_kinds[k]->claim(d)) {
            d->kind = fd_kinds[k];
            own_list->entry[d->index].kind = k;
            return d->kind->check ? d->kind->check(d, problem, size) : 0;
        }
    return fd_refuse(d, problem, size);
}

/* Unix sockets, or TCP sockets of both families. */
static bool of_one_kind(const struct fd_entry *a, const struct fd_entry *b)
{
    return a->domain == AF_UNIX ? b->domain == AF_UNIX : b->domain && b->protocol == a->protocol;
}

static bool has_kind(const struct list *list, const struct fd_entry *entry)
{
    for (unsigned i = 0; i < list->count; i++)
        if (of_one_kind(entry, &list->entry[i]))
            return true;
    return false;
}

/* The program does not know the number of a descriptor in flight. */
static void in_flight(char *problem, size_t size)
{
    size_t length = strlen(problem), words = sizeof "in flight in a unix socket's queue: " - 1;

    if (!length || length + words >= size)
        return;
    for (size_t i = length + 1; i-- > 0;)
        problem[i + words] = problem[i];
    memcpy(problem, "in flight in a unix socket's queue: ", words);
}

static void find_maker(struct description *d)
{
    struct fd_entry *entry = &own_list->entry[d->index];
    uint64_t partner = d->kind->partner ? d->kind->partner(d) : 0;

    entry->maker = lib.pid;
    for (struct holder *holder = holders; d->kind->together && holder < own && entry->maker == lib.pid; holder++)
        if (has_kind(holder->list, entry)) {
            entry->maker = holder->list->virtual;
            d->received = true;
        }
    for (struct holder *holder = holders; d->kind->partner && holder < own && entry->maker == lib.pid; holder++)
        if (holds(holder->list, entry->device, entry->inode) || (partner && holds(holder->list, entry->device, partner))) {
            entry->maker = holder->list->virtual;
            d->received = true;
        }
}

static long write_data(const struct scratch_array *data)
{
    char path[4500];

    if (!data->used)
        return 0;
    file_path(path, sizeof path, generation, lib.pid, ".data");
    long fd = sys_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fd;
    long error = sys_write_all((int)fd, data->memory, data->used);
    sys_close((int)fd);
    return error;
}

static long ready_all(void *unused)
{
    for (unsigned i = 0; i < fd_state.count; i++) {
        const struct description *d = fd_state.indexed[i];
        if (d->kind && d->kind->ready && mine(i))
            d->kind->ready(d);
    }
    return 0;
}

long fd_elect(uint64_t deadline_ns, int (*poll)(void), char *problem, size_t size)
{
    struct scratch_array data = {0};
    long error = open_all(problem, size);
    bool kcmp = !error && all_have_kcmp();

    if (!error && !kcmp && holder_count > 1)
        error = elect_by_signal_owner(deadline_ns, poll, problem, size);
    for (struct description *d = fd_state.descriptions; d && !error; d = d->next) {
        error = find_owner(d, kcmp, problem, size);
        if (!error)
            async_record(d, &signal_owners[d->index], signals[d->index]);
        if (error || d->received)
            continue;
        struct fd_entry *entry = &own_list->entry[d->index];
        error = survey_refresh(d);
        entry->flags = d->flags;
        if (!error) {
            gather_standard(d);
            error = claim(d, problem, size);
        }
        if (error && fd_aside(d->first))
            in_flight(problem, size);
        if (!error)
            find_maker(d);
    }
    if (!error)
        for_all(ready_all);
    for (struct description *d = fd_state.descriptions; d && !error; d = d->next) {
        struct fd_entry *entry = &own_list->entry[d->index];
        if (!d->received || !d->kind || !d->kind->publish)
            continue;
        entry->data = data.used;
        error = d->kind->publish(d, &data, problem, size);
        entry->data_size = (uint32_t)(data.used - entry->data);
    }
    if (!error)
        error = write_data(&data);
    scratch_free(&data);
    if (error && !problem[0])
        fmt(problem, size, "its descriptors can't be compared with those of other processes: %e", (int)error);
    return error;
}

/* --- DRAIN: whom this process has to serve --- */

static long serve(struct description *d, int virtual, const struct holder *holder, unsigned index)
{
    struct receiver *receiver = arena_alloc(sizeof *receiver);

    if (!receiver)
        return -ENOMEM;
    *receiver = (struct receiver){.next = d->receivers, .virtual = virtual, .holder = holder->list->virtual, .index = index};
    d->receivers = receiver;
    return 0;
}

static struct description *foreign(struct holder *holder, unsigned index, struct description ***end)
{
    const struct fd_entry *entry = &holder->list->entry[index];
    struct description *d = arena_alloc(sizeof *d);
    char link[64];

    if (!holder->foreign)
        holder->foreign = scratch_map(holder->list->count * sizeof *holder->foreign, false);
    fmt(link, sizeof link, S_ISSOCK(entry->mode) ? "socket:[%llu]" : "pipe:[%llu]", (unsigned long long)entry->inode);
    if (!d || !holder->foreign || entry->kind >= fd_kind_count || !(d->link = arena_string(link)))
        return NULL;
    d->kind = fd_kinds[entry->kind];
    d->st.st_dev = entry->device;
    d->st.st_ino = entry->inode;
    d->st.st_mode = entry->mode;
    d->flags = entry->flags;
    d->domain = entry->domain;
    d->protocol = entry->protocol;
    d->standard = entry->standard;
    d->first = -1;
    d->foreign = true;
    holder->foreign[index] = d;
    **end = d;
    *end = &d->next;
    return d;
}

static long gather_from(struct holder *holder, struct description ***end)
{
    long error = 0;

    for (unsigned i = 0; i < holder->list->count && !error; i++) {
        const struct fd_entry *entry = &holder->list->entry[i];
        struct holder *owner = entry->owner == holder->list->virtual ? holder : holder_of(entry->owner);
        struct description *d = NULL;

        if (!owner || entry->owner_index >= owner->list->count)
            return -EPROTO;
        if (owner->list->entry[entry->owner_index].maker != lib.pid)
            continue;
        if (owner == own)
            d = fd_state.indexed[entry->owner_index];
        else if (owner->foreign)
            d = owner->foreign[entry->owner_index];
        if (!d && owner == holder)
            d = foreign(holder, i, end);
        error = d ? serve(d, holder->list->virtual, holder, i) : -ENOMEM;
    }
    return error;
}

/* Who makes the host's unix sockets, and fills their queues. */
static int unix_maker(void)
{
    for (unsigned i = 0; i < holder_count; i++)
        if (has_kind(holders[i].list, &(struct fd_entry){.domain = AF_UNIX}))
            return holders[i].list->virtual;
    return 0;
}

/* What is in flight is sent to the maker of unix sockets too, as that of the holder's list; he needs nothing for those of his own list. */
static long gather_flight(struct holder *holder, unsigned index, int maker)
{
    const struct fd_entry *entry = &holder->list->entry[index];
    struct holder *owner = holder_of(entry->owner);

    if (!owner || entry->owner_index >= owner->list->count)
        return -EPROTO;
    long error = maker == lib.pid ? flights_expect(holder->list->virtual, index) : 0;
    if (error || owner->list->entry[entry->owner_index].maker != lib.pid)
        return error;
    struct description *d = owner == own ? fd_state.indexed[entry->owner_index] : owner->foreign ? owner->foreign[entry->owner_index] : NULL;
    return d ? serve(d, maker, holder, index) : -EPROTO;
}

static long gather_flights(void)
{
    int maker = unix_maker();
    long error = 0;

    for (unsigned h = 0; h < holder_count; h++)
        for (unsigned i = 0; holders[h].list->virtual != maker && i < holders[h].list->count && !error; i++)
            if (holders[h].list->entry[i].flight)
                error = gather_flight(&holders[h], i, maker);
    return error;
}

/* Owners come before those who share with them: they have the lower numbers. */
long fd_gather(void)
{
    struct description **end = &fd_state.descriptions;
    long error = 0;

    if (marked)
        for_all(put_back);
    marked = false;
    while (*end)
        end = &(*end)->next;
    for (unsigned i = 0; i < holder_count && !error; i++)
        if (&holders[i] != own)
            error = gather_from(&holders[i], &end);
    return error ? error : gather_flights();
}

/* What the holder of a foreign description published: in scratch, *size bytes at *data. */
static long read_data(const struct holder *holder, const struct fd_entry *entry, void *data)
{
    char path[4500];

    if (!entry->data_size)
        return 0;
    file_path(path, sizeof path, generation, holder->list->virtual, ".data");
    long fd = sys_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd < 0)
        return fd;
    long error = sys_pread_all((int)fd, data, entry->data_size, entry->data);
    sys_close((int)fd);
    return error;
}

static long adopt(const struct holder *holder, unsigned index, char *problem, size_t size)
{
    const struct fd_entry *entry = &holder->list->entry[index];
    struct description *d = holder->foreign[index];
    void *data = scratch_map(entry->data_size + 1, false);
    long error = data ? read_data(holder, entry, data) : -ENOMEM;

    if (!error)
        error = d->kind->adopt(d, data, entry->data_size, problem, size);
    if (data)
        scratch_unmap(data, entry->data_size + 1);
    return error;
}

long fd_adopt(char *problem, size_t size)
{
    long error = 0;

    for (unsigned i = 0; i < holder_count; i++)
        for (unsigned k = 0; holders[i].foreign && k < holders[i].list->count && !error; k++)
            if (holders[i].foreign[k] && holders[i].foreign[k]->kind->adopt)
                error = adopt(&holders[i], k, problem, size);
    return error;
}

void fd_others_close(void)
{
    if (marked)
        for_all(put_back);
    marked = false;
    close_others();
}

void fd_lists_close(void)
{
    fd_others_close();
    if (own_list)
        scratch_unmap(own_list, own_size);
    own_list = NULL;
}

void fd_lists_lost(void)
{
    holders = own = NULL;
    own_list = NULL;
    holder_count = 0;
}

/* --- streams that others have read --- */

struct fd_entry *fd_entry_of(uint64_t device, uint64_t inode)
{
    for (unsigned i = 0; i < holder_count && inode; i++) { /* the lowest is the owner: a socket has no other description */
        struct list *list = holders[i].list;
        unsigned at = lower_bound(list, device, inode);
        if (is(list, at, device, inode))
            return &list->entry[at];
    }
    return NULL;
}

struct fd_entry *fd_own_entry(const struct description *d)
{
    return own_list && d->index < own_list->count ? &own_list->entry[d->index] : NULL;
}

void fd_refill_path(char *path, size_t size, uint64_t inode)
{
    char suffix[40];

    fmt(suffix, sizeof suffix, ".%llu", (unsigned long long)inode);
    file_path(path, size, generation, 0, suffix);
}

void fd_lists_remove(void)
{
    char path[4500];

    if (!published)
        return;
    published = false;
    file_path(path, sizeof path, generation, lib.pid, "");
    sys_unlink(path);
    file_path(path, sizeof path, generation, lib.pid, ".data");
    sys_unlink(path);
}
