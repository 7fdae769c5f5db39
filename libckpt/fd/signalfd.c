/* signalfd(2): the set of signals is in fdinfo; what waits to be read are pending signals, which resource/ puts back. */
#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "proc.h"
#include "str.h"
#include "sys.h"

static bool signalfd_claim(const struct description *d)
{
    return str_equal(d->link, "anon_inode:[signalfd]");
}

static long signalfd_save(struct description *d, char *problem, size_t size)
{
    uint64_t *set = d->own = arena_alloc(sizeof *set);
    const char *field = proc_field(d->info, "sigmask");

    if (!set)
        return -ENOMEM;
    if (field && str_number(&field, 16, set))
        return 0;
    fmt(problem, size, "descriptor %d (%s): its signals are not in fdinfo", d->first, d->link);
    return -EPROTO;
}

static long signalfd_restore(struct description *d, int low, char *problem, size_t size)
{
    long fd = fd_lift(syscall6(__NR_signalfd4, -1, (long)d->own, sizeof(uint64_t), O_CLOEXEC | (d->flags & O_NONBLOCK), 0, 0), low);

    if (fd < 0)
        fmt(problem, size, "descriptor %d (%s) can't be made: %e", d->first, d->link, (int)fd);
    return fd;
}

const struct fd_kind fd_signalfd = {.name = "signalfd", .claim = signalfd_claim, .save = signalfd_save, .restore = signalfd_restore};
