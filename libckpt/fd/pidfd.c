/* pidfd_open(2): of a process of the computation, dead ones included, as fdinfo's "Pid:" names it. One of a process outside means the same process
 * after a restart only if it still runs; otherwise it becomes that of a process which has ended, as the program might find at any time. */
#include "arena.h"
#include "context.h"
#include "fd.h"
#include "fmt.h"
#include "library.h"
#include "proc.h"
#include "processes.h"
#include "resource/resource.h"
#include "str.h"
#include "sys.h"
#include "threads.h"
#include "vpid.h"

#include <sys/wait.h>

struct pidfd {
    int number; /* virtual; of a process outside real; 0: it has been waited for */
    uint64_t start; /* of a process outside: when it began, clock ticks since boot */
    bool joined; /* one that comes back with its image */
};

static bool pidfd_claim(const struct description *d)
{
    return str_equal(d->link, "anon_inode:[pidfd]") || str_after(d->link, "pidfd:");
}

/* Field 22 of proc_pid_stat(5). */
static uint64_t began(int pid)
{
    char path[64], text[1024];
    const char *at = NULL;
    uint64_t value = 0;

    fmt(path, sizeof path, "/proc/%d/stat", pid);
    if (proc_read(path, text, sizeof text) <= 0)
        return 0;
    for (const char *c = text; *c; c++)
        if (*c == ')')
            at = c + 1;
    for (unsigned field = 2; at && field < 22; field++)
        if ((at = str_find(at, ' ')))
            at++;
    return at && str_number(&at, 10, &value) ? value : 0;
}

struct seek {
    int real;
    bool joined;
};

static void look(const struct ptable_entry *entry, void *argument)
{
    struct seek *seek = argument;

    seek->joined |= entry->real == seek->real && entry->state == PTABLE_JOINED;
}

/* A zombie of ours. */
static bool dead_child(int number)
{
    uint32_t count;
    const struct image_zombie *zombies = resource_zombies(&count);

    for (uint32_t i = 0; i < count; i++)
        if ((int)zombies[i].pid == number)
            return true;
    return false;
}

static long pidfd_save(struct description *d, char *problem, size_t size)
{
    struct pidfd *pidfd = d->own = arena_alloc(sizeof *pidfd);
    const char *field = proc_field(d->info, "Pid");
    uint64_t number = 0;

    if (!pidfd)
        return -ENOMEM;
    while (field && (*field == ' ' || *field == '\t'))
        field++;
    if (!field || !str_number(&field, 10, &number) || !number) /* -1 */
        return 0;
    int real = (int)number;
    const struct thread *thread = threads_by_real_tid(real);
    if (real == lib.real_pid)
        pidfd->number = lib.pid;
    else if (thread)
        pidfd->number = thread->tid;
    else if (dead_child(vpid_from_real(real))) /* also one that had joined: it does not enter its number again */
        pidfd->number = vpid_from_real(real);
    else if (processes_find(real) >= 0) {
        pidfd->number = processes_virtual(real);
        struct seek seek = {.real = real};
        processes_each(look, &seek);
        pidfd->joined = seek.joined;
    }
    else {
        pidfd->number = real;
        pidfd->start = began(real);
    }
    return 0;
}

static char dead_stack[4096] __attribute__((aligned(16)));

static void end_at_once(void *unused)
{
    sys_exit_thread(0);
}

static long open_dead(void)
{
    int fd = -1;
    long child = raw_clone(CLONE_VM | CLONE_PIDFD, dead_stack + sizeof dead_stack, &fd, NULL, NULL, end_at_once, NULL);

    if (child < 0)
        return child;
    while (sys_wait4((int)child, NULL, (int)0x80000000 /* __WCLONE */, NULL) == -EINTR)
        ;
    return fd;
}

#define PATIENCE_NS 60000000000ull

/* Each process enters its number before it restores anything. */
static int await_number(int virtual)
{
    uint64_t deadline = sys_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
    struct timespec wait = {.tv_nsec = 1000000};
    int real;

    while (!(real = processes_real(virtual)) && sys_now_ns(CLOCK_MONOTONIC) < deadline)
        sys_nanosleep(&wait);
    return real;
}

static long pidfd_restore(struct description *d, int low, char *problem, size_t size)
{
    const struct pidfd *pidfd = d->own;
    const struct thread *thread = pidfd->number && !pidfd->start ? threads_by_tid(pidfd->number) : NULL;
    long fd = -ESRCH;
    int real = pidfd->number;

    if (thread && pidfd->number != lib.pid)
        real = thread->real_tid;
    else if (real == lib.pid)
        real = lib.real_pid;
    else if (pidfd->joined)
        real = await_number(real);
    else if (real && !pidfd->start && processes_real(real))
        real = processes_real(real);
    if (real && (!pidfd->start || pidfd->start == began(real)))
        fd = syscall3(__NR_pidfd_open, real, (long)(d->flags & (O_NONBLOCK | O_EXCL)), 0);
    if (fd == -ESRCH)
        fd = open_dead();
    if (fd >= 0)
        sys_fcntl((int)fd, F_SETFL, (long)d->flags);
    fd = fd_lift(fd, low);
    if (fd < 0)
        fmt(problem, size, "descriptor %d (of process %d) can't be made: %e", d->first, pidfd->number, (int)fd);
    return fd;
}

const struct fd_kind fd_pidfd = {.name = "pidfd", .claim = pidfd_claim, .save = pidfd_save, .restore = pidfd_restore};
