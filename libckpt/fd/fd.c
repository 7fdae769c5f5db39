/* Which descriptors there are, which of them share a description, and how they get their numbers back. */
#include "fd.h"

#include "arena.h"
#include "fmt.h"
#include "library.h"
#include "log.h"
#include "lock.h"
#include "object_list.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"
#include "unix_held.h"

/* Asked in this order: the special before the general. */
const struct fd_kind *const fd_kinds[] = {
    &fd_standard, &fd_pty_master, &fd_pty_slave, &fd_terminal, &fd_proc_file, &fd_memfd, &fd_memory_file, &fd_unlinked, &fd_file, &fd_directory, &fd_device,
    &fd_pipe, &fd_fifo, &fd_epoll, &fd_eventfd, &fd_signalfd, &fd_timerfd, &fd_unix, &fd_tcp, &fd_udp, &fd_netlink, &fd_pidfd, &fd_inotify,
};

const unsigned fd_kind_count = sizeof fd_kinds / sizeof *fd_kinds;

struct description *fd_descriptions(void)
{
    return fd_state.descriptions;
}

bool fd_aside(int fd)
{
    return fd_state.flights_aside && fd >= fd_state.flight_first;
}

int fd_tid(int fd)
{
    return fd_aside(fd) ? (int)sys_gettid() : fd_state.owner_tid;
}

long fd_call(const struct description *description, long (*function)(void *), void *argument)
{
    return fd_aside(description->first) ? function(argument) : park_call(suspend_executor(), function, argument);
}

static void task_path(char *path, size_t size, const char *directory, int fd)
{
    fmt(path, size, "/proc/self/task/%d/%s/%d", fd_tid(fd), directory, fd);
}

void fd_info_path(char *path, size_t size, int fd)
{
    task_path(path, size, "fdinfo", fd);
}

void fd_link_path(char *path, size_t size, int fd)
{
    task_path(path, size, "fd", fd);
}

struct dirent_head {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

/* Calls visit with every number in /proc/self/task/T/fd, in ascending order (the kernel lists them so). */
static long each_descriptor(int tid, long (*visit)(int fd, void *argument), void *argument)
{
    char path[64], buffer[2048] __attribute__((aligned(8)));
    long directory, n, error = 0;

    fmt(path, sizeof path, "/proc/self/task/%d/fd", tid);
    directory = sys_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (directory < 0)
        return directory;
    while (!error && (n = sys_getdents((int)directory, buffer, sizeof buffer)) > 0)
        for (long at = 0; !error && at < n;) {
            const struct dirent_head *entry = (const void *)(buffer + at);
            uint64_t fd;
            at += entry->size;
            if (str_to_number(entry->name, 0, INT32_MAX, &fd) && (tid != sys_gettid() || (int)fd != (int)directory))
                error = visit((int)fd, argument);
        }
    sys_close((int)directory);
    return error;
}

struct stretch {
    unsigned first, last;
};

static long close_one(int fd, void *argument)
{
    const struct stretch *stretch = argument;

    if ((unsigned)fd >= stretch->first && (unsigned)fd <= stretch->last)
        sys_close(fd);
    return 0;
}

static void close_between(unsigned first, unsigned last)
{
    struct stretch stretch = {first, last};

    if (sys_close_range(first, last, 0) < 0)
        each_descriptor(sys_gettid(), close_one, &stretch);
}

void fd_close_from(int first)
{
    close_between((unsigned)first, ~0u);
}

/* --- checkpoint --- */

static long count_one(int fd, void *unused)
{
    fd_state.descriptor_count++;
    return 0;
}

static long note_one(int fd, void *unused)
{
    fd_state.descriptors[fd_state.descriptor_count++].fd = fd;
    return 0;
}

/* Room for the checkpoint thread in a process that has a low limit, if the hard one allows it. */
static void raise_limit(uint64_t enough)
{
    struct fd_limit now;

    if (syscall6(__NR_prlimit64, 0, 7 /* RLIMIT_NOFILE */, 0, (long)&now, 0, 0) < 0 || now.current >= enough)
        return;
    now.current = now.maximum;
    syscall6(__NR_prlimit64, 0, 7, (long)&now, 0, 0, 0);
}

struct fd_limit fd_limit(void)
{
    return fd_state.limit;
}

static void put_limit_back(void)
{
    struct fd_limit limit = fd_state.limit, now;

    if (!fd_state.limit_raised)
        return;
    fd_state.limit_raised = false;
    if (syscall6(__NR_prlimit64, 0, 7, (long)&limit, 0, 0, 0) == 0 || syscall6(__NR_prlimit64, 0, 7, 0, (long)&now, 0, 0) < 0)
        return;
    /* A lower hard limit here: the nearest that is allowed. */
    limit.maximum = now.maximum;
    if (limit.current > limit.maximum)
        limit.current = limit.maximum;
    syscall6(__NR_prlimit64, 0, 7, (long)&limit, 0, 0, 0);
}

static long list_descriptors(void)
{
    long error = each_descriptor(fd_state.owner_tid, count_one, NULL);

    if (error)
        return error;
    fd_state.descriptors = arena_alloc((fd_state.descriptor_count + 1) * sizeof *fd_state.descriptors);
    fd_state.indexed = arena_alloc((fd_state.descriptor_count + 1) * sizeof *fd_state.indexed);
    fd_state.descriptor_count = 0;
    return fd_state.descriptors && fd_state.indexed ? each_descriptor(fd_state.owner_tid, note_one, NULL) : -ENOMEM;
}

long fd_survey(uint32_t generation, char *problem, size_t size)
{
    long error;

    memset(&fd_state, 0, sizeof fd_state);
    fd_state.flight_first = INT32_MAX;
    unix_held_possible = true;
    syscall6(__NR_prlimit64, 0, 7 /* RLIMIT_NOFILE */, 0, (long)&fd_state.limit, 0, 0);
    fd_state.limit_raised = true;
    raise_limit(~0ull);
    const struct thread *executor = suspend_executor();
    error = executor ? 0 : -ESRCH; /* none: the process is ending */
    if (executor) {
        fd_state.owner_tid = executor->real_tid;
        error = list_descriptors();
    }
    problem[0] = 0;
    if (!error)
        error = flights_find(problem, size);
    if (!error)
        error = survey_descriptors();
    if (!error)
        error = fd_publish(generation);
    if (error && !problem[0])
        fmt(problem, size, "its descriptors can't be read: %e", (int)error);
    return error;
}

long fd_save(char *problem, size_t size)
{
    long error = fd_gather();

    fd_objects_begin();
    if (error)
        fmt(problem, size, "what its descriptors share with other processes can't be recorded: %e", (int)error);
    /* Foreign ones first: saving looks at both halves of an object. */
    if (!error)
        error = fd_adopt(problem, size);
    for (struct description *d = fd_state.descriptions; d && !error; d = d->next)
        if (!d->received && d->kind->save && !(d->foreign && d->kind->adopt))
            error = d->kind->save(d, problem, size);
    if (!error)
        error = locks_save(problem, size);
    fd_others_close();
    if (error && !problem[0])
        fmt(problem, size, "its descriptors can't be recorded: %e", (int)error);
    return error;
}

static long release_all(void *aside)
{
    for (struct description *d = fd_state.descriptions; d; d = d->next)
        if (d->kind && d->kind->release && !d->foreign && fd_aside(d->first) == *(bool *)aside)
            d->kind->release(d);
    return 0;
}

static long released_all(void *aside)
{
    for (struct description *d = fd_state.descriptions; d; d = d->next)
        if (d->kind && d->kind->released && !d->foreign && fd_aside(d->first) == *(bool *)aside)
            d->kind->released(d);
    return 0;
}

void fd_release(void)
{
    bool here = true, there = false, any = false;

    for (const struct description *d = fd_state.descriptions; d; d = d->next)
        any |= d->kind && d->kind->release;
    if (!any || !suspend_executor())
        return;
    release_all(&here);
    park_call(suspend_executor(), release_all, &there);
    released_all(&here);
    park_call(suspend_executor(), released_all, &there);
}

void fd_forget(void)
{
    fd_lists_close();
    fd_lists_remove();
    flights_leave();
    put_limit_back();
}

static bool has_refill(const struct description *d)
{
    return !d->received && !d->foreign && d->kind && d->kind->refill;
}

struct refill {
    bool restarted, aside;
};

static long refill_all(void *argument)
{
    const struct refill *refill = argument;
    long error = 0;

    for (struct description *d = fd_state.descriptions; d && !error; d = d->next)
        if (has_refill(d) && fd_aside(d->first) == refill->aside)
            error = d->kind->refill(d, refill->restarted);
    return error;
}

static bool any_refill(bool aside)
{
    for (struct description *d = fd_state.descriptions; d; d = d->next)
        if (has_refill(d) && fd_aside(d->first) == aside)
            return true;
    return false;
}

static long close_flights(void *unused)
{
    for (unsigned i = 0; i < fd_state.descriptor_count; i++)
        if (fd_state.descriptors[i].fd >= fd_state.flight_first)
            sys_close(fd_state.descriptors[i].fd);
    return 0;
}

static long note_peers(void *unused)
{
    unix_peers_forget();
    for (struct description *d = fd_state.descriptions; d; d = d->next)
        if (d->descriptors && d->peer.pid)
            unix_peer_note(d->descriptors->fd, d->peer);
    return 0;
}

long fd_refill(bool restarted)
{
    struct refill here = {restarted, true}, there = {restarted, false};
    long error = 0;

    if (restarted)
        park_call(suspend_executor(), note_peers, NULL);
    if (any_refill(true))
        error = refill_all(&here);
    if (!error && any_refill(false))
        error = park_call(suspend_executor(), refill_all, &there);
    if (restarted)
        async_restore();
    if (restarted && fd_state.flight_first != INT32_MAX) {
        park_call(suspend_executor(), close_flights, NULL);
        locks_again();
    }
    return error;
}

const char *fd_description(void)
{
    size_t size = 1, used = 0;
    char *text;

    for (unsigned i = 0; i < fd_state.descriptor_count; i++)
        size += 64 + strlen(fd_state.descriptors[i].description->link);
    text = arena_alloc(size);
    for (unsigned i = 0; text && i < fd_state.descriptor_count && fd_state.descriptors[i].fd < fd_state.flight_first; i++) {
        const struct description *d = fd_state.descriptors[i].description;
        used += fmt(text + used, size - used, "%d %s %s\n", fd_state.descriptors[i].fd, d->kind ? d->kind->name : "shared", d->link);
    }
    return text;
}

/* --- restore --- */

static int inherited[3]; /* dmtcp_restart's standard descriptors, out of the way; -1: not open */

long fd_lift(long fd, int low)
{
    if (fd < 0 || fd >= low)
        return fd;
    long lifted = sys_fcntl((int)fd, F_DUPFD_CLOEXEC, low);
    sys_close((int)fd);
    return lifted;
}

long fd_inherited(const struct description *description, int low)
{
    static const int order[3] = {2, 0, 1};

    for (int fd = 0; fd < 3; fd++)
        if ((description->standard & (1u << fd)) && inherited[fd] >= 0)
            return sys_fcntl(inherited[fd], F_DUPFD_CLOEXEC, low);
    for (int i = 0; i < 3 && !description->standard; i++)
        if (inherited[order[i]] >= 0)
            return sys_fcntl(inherited[order[i]], F_DUPFD_CLOEXEC, low);
    return fd_lift(sys_open("/dev/null", O_RDWR | O_CLOEXEC, 0), low);
}

/* The program's numbers are all taken from the start, by a placeholder: whatever is made gets another one, and the highest may be the last
 * that the limit allows. */

static bool wanted(int fd)
{
    unsigned low = 0, high = fd_state.descriptor_count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (fd_state.descriptors[middle].fd == fd)
            return true;
        if (fd_state.descriptors[middle].fd < fd)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static long placing_failed(int fd, long error, char *problem, size_t size)
{
    if (error == -EBADF)
        fmt(problem, size, "descriptor %d is above the limit of open files here; raise it (ulimit -Hn), then restart", fd);
    else
        fmt(problem, size, "descriptor %d can't be placed: %e", fd, (int)error);
    return error;
}

long fd_place(const struct description *description, long fd, char *problem, size_t size)
{
    long error = 0;

    for (const struct descriptor *at = description->descriptors; at && error >= 0; at = at->next)
        if ((error = sys_dup3((int)fd, at->fd, at->close_on_exec ? O_CLOEXEC : 0)) < 0)
            placing_failed(at->fd, error, problem, size);
    sys_close((int)fd);
    return error < 0 ? error : 0;
}

struct restore {
    char *problem;
    size_t size;
    int (*poll)(void);
};

/* A number that the program does not use, for what came from dmtcp_restart. */
static int out_of_the_way(int fd)
{
    for (int from = 3;;) {
        long moved = sys_fcntl(fd, F_DUPFD_CLOEXEC, from);
        if (moved < 0)
            return -1;
        if (!wanted((int)moved))
            return (int)moved;
        sys_close((int)moved);
        from = (int)moved + 1;
    }
}

/* In ascending order. */
static unsigned keep(int *kept, unsigned count, int fd)
{
    unsigned at = count;

    if (fd < 0)
        return count;
    for (; at > 0 && kept[at - 1] > fd; at--)
        kept[at] = kept[at - 1];
    kept[at] = fd;
    return count + 1;
}

/* dmtcp_restart's streams and terminals go to numbers that the program does not use, everything else is closed. */
static long clear_table(struct restore *restore)
{
    static int kept[3 + 2 * HANDOFF_PTYS + HANDOFF_SHARED_MAX];
    unsigned count = 0;

    for (int fd = 0; fd < 3; fd++)
        count = keep(kept, count, inherited[fd] = out_of_the_way(fd));
    for (uint32_t i = 0; i < lib.handoff.pty_count; i++) {
        struct handoff_pty *pty = &lib.handoff.pty[i];
        count = keep(kept, count, pty->master = out_of_the_way(pty->master));
        if (pty->slave >= 0)
            count = keep(kept, count, pty->slave = out_of_the_way(pty->slave));
    }
    for (uint32_t i = 0; i < lib.handoff.shared_count; i++)
        count = keep(kept, count, lib.handoff.shared[i].fd = out_of_the_way(lib.handoff.shared[i].fd));
    int next = 0;
    for (unsigned i = 0; i < count; i++) {
        if (next < kept[i])
            close_between((unsigned)next, (unsigned)kept[i] - 1);
        next = kept[i] + 1;
    }
    fd_close_from(next);
    long placeholder = sys_open("/dev/null", O_RDONLY | O_CLOEXEC, 0);
    for (unsigned i = 0; i < fd_state.descriptor_count && placeholder >= 0; i++) {
        int fd = fd_state.descriptors[i].fd;
        long error = fd == placeholder ? 0 : sys_dup3((int)placeholder, fd, O_CLOEXEC);
        if (error < 0)
            return placing_failed(fd, error, restore->problem, restore->size);
    }
    if (placeholder >= 0 && !wanted((int)placeholder))
        sys_close((int)placeholder);
    return placeholder < 0 ? placeholder : 0;
}

static long restore_all(void *argument)
{
    struct restore *restore = argument;
    long error = clear_table(restore);

    if (inherited[2] >= 0)
        log_state.fd = inherited[2]; /* its number has a placeholder, or what the program had there */
    fd_ptys_arrived();
    for (struct description *d = fd_state.descriptions; d && !error; d = d->next) {
        if (d->received)
            continue;
        long fd = d->kind->restore(d, 0, restore->problem, restore->size);
        if (fd < 0)
            return fd;
        if (d->receivers)
            d->kept = (int)sys_fcntl((int)fd, F_DUPFD_CLOEXEC, 0);
        error = fd_place(d, fd, restore->problem, restore->size);
    }
    for (int fd = 0; fd < 3; fd++)
        if (inherited[fd] >= 0)
            sys_close(inherited[fd]);
    fd_ptys_leave();
    if (!error)
        error = exchange_open(restore->problem, restore->size);
    return error;
}

long fd_restore(char *problem, size_t size)
{
    struct restore restore = {.problem = problem, .size = size};
    struct thread *executor = suspend_executor();

    fd_state.limit_raised = true;
    raise_limit(~0ull);
    fd_lists_lost();
    fd_state.owner_tid = executor->real_tid;
    fd_state.flights_aside = false; /* until REFILL they have their numbers in the program's table */
    problem[0] = 0;
    long error = park_call(executor, restore_all, &restore);
    log_state.fd = LOG_PROGRAM_STDERR;
    if (error < 0 && !problem[0])
        fmt(problem, size, "its descriptors can't be restored: %e", (int)error);
    return error;
}

static long connect_all(void *argument)
{
    struct restore *restore = argument;
    long error = 0;

    for (struct description *d = fd_state.descriptions; d && !error; d = d->next)
        if (!d->received && !d->foreign && d->kind->connect)
            error = d->kind->connect(d, restore->problem, restore->size);
    fd_objects_leave();
    return error;
}

long fd_connect(int (*poll)(void), char *problem, size_t size)
{
    struct restore restore = {.problem = problem, .size = size};
    long error = exchange_run(poll, problem, size);

    if (!error)
        error = park_call(suspend_executor(), connect_all, &restore);
    if (!error)
        error = locks_restore(problem, size);
    put_limit_back();
    return error;
}
