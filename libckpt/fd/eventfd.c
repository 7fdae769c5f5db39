/* eventfd(2): count and mode, as fdinfo shows them (eventfd-semaphore since 6.5). */
#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "proc.h"
#include "str.h"
#include "sys.h"

#include <sys/eventfd.h>

struct eventfd_state {
    uint64_t count;
    uint64_t semaphore;
};

static bool eventfd_claim(const struct description *d)
{
    return str_equal(d->link, "anon_inode:[eventfd]");
}

static long eventfd_save(struct description *d, char *problem, size_t size)
{
    struct eventfd_state *state = d->own = arena_alloc(sizeof *state);
    const char *field;

    if (!state)
        return -ENOMEM;
    if ((field = proc_field(d->info, "eventfd-count"))) {
        while (*field == ' ')
            field++;
        str_number(&field, 16, &state->count);
    }
    if ((field = proc_field(d->info, "eventfd-semaphore")))
        str_number(&field, 10, &state->semaphore);
    return 0;
}

static long eventfd_restore(struct description *d, int low, char *problem, size_t size)
{
    const struct eventfd_state *state = d->own;
    int flags = EFD_CLOEXEC | (state->semaphore ? EFD_SEMAPHORE : 0);
    long fd = syscall3(__NR_eventfd2, 0, flags, 0);

    if (fd >= 0 && state->count)
        sys_write((int)fd, &state->count, sizeof state->count);
    if (fd >= 0)
        sys_fcntl((int)fd, F_SETFL, (long)d->flags);
    else
        fmt(problem, size, "descriptor %d (eventfd) can't be made: %e", d->first, (int)fd);
    return fd_lift(fd, low);
}

const struct fd_kind fd_eventfd = {
    .name = "eventfd", .claim = eventfd_claim, .save = eventfd_save, .restore = eventfd_restore};
