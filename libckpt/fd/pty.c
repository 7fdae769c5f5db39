/* Pseudo terminals whose master is in the computation: pty(7). After a restart, dmtcp_restart has made them already, before the first process
 * (include/handoff.h): a controlling terminal is inherited, so it must be there before the leader of its session has children. The
 * masters are handed on to every process; each takes those that it had and opens the slaves that it had. The slave end of a terminal whose
 * master is elsewhere is the user's terminal (standard.c). */
#include "pty.h"

#include <asm/ioctls.h>
#include <sys/sysmacros.h>

#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "library.h"
#include "proc.h"
#include "ptys.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"

struct master {
    int virtual;
    struct pty_device device;
};

struct slave {
    int virtual;
    bool hung_up; /* its master is gone for good */
};

/* --- which --- */

static bool is_master(const struct description *d)
{
    return S_ISCHR(d->st.st_mode) && major(d->st.st_rdev) == 5 && minor(d->st.st_rdev) == 2 && !(d->flags & O_PATH);
}

static long ask_device(void *argument)
{
    const struct description *d = argument;
    unsigned number = 0;
    long error = is_master(d) ? sys_ioctl(d->first, TIOCGPTN, &number) : sys_ioctl(d->first, TIOCGDEV, &number);

    if (error < 0)
        return error;
    return is_master(d) ? (long)number : number >= makedev(136, 0) && major(number) >= 136 && major(number) <= 143 ? (long)minor(number) : -ENOTTY;
}

/* The kernel's number of a pty; -EIO: hung up; -ENOTTY: another kind of terminal, or none. */
static long number_of(const struct description *d)
{
    return fd_call(d, ask_device, (void *)(uintptr_t)d);
}

static bool master_claim(const struct description *d)
{
    if (!is_master(d))
        return false;
    long number = number_of(d);
    if (number >= 0)
        ptys_mark((int)number, true, lib.upcoming);
    return number >= 0;
}

/* 136 to 143: pts; 5, 0: /dev/tty, which is another terminal in each process. */
static bool slave_claim(const struct description *d)
{
    unsigned number = major(d->st.st_rdev);

    if (!S_ISCHR(d->st.st_mode) || (d->flags & O_PATH) || !((number >= 136 && number <= 143) || (number == 5 && minor(d->st.st_rdev) == 0)))
        return false;
    long pty = number_of(d);
    if (pty >= 0)
        ptys_mark((int)pty, false, lib.upcoming);
    return pty >= 0 || (pty == -EIO && !d->standard);
}

/* --- master --- */

static long drain_here(void *argument)
{
    const struct description *d = argument;
    struct master *master = d->own;
    unsigned number = 0;

    sys_ioctl(d->first, TIOCGPTN, &number);
    return pty_drain(&master->device, d->first, ptys_marked((int)number, false, lib.upcoming));
}

static long master_save(struct description *d, char *problem, size_t size)
{
    struct master *master = d->own = arena_alloc(sizeof *master);
    long error = master ? number_of(d) : -ENOMEM;

    if (error >= 0) {
        master->virtual = ptys_virtual((int)error);
        error = fd_call(d, drain_here, d);
    }
    if (error == -EBUSY)
        fmt(problem, size, "descriptor %d: pseudo terminal %d is in exclusive use (TIOCEXCL); end that before a checkpoint", d->first,
            master->virtual);
    else if (error < 0)
        fmt(problem, size, "descriptor %d (%s): what is on its way through the pseudo terminal can't be read: %e", d->first, d->link,
            (int)error);
    return error;
}

static const struct handoff_pty *handed(int virtual)
{
    for (uint32_t i = 0; i < lib.handoff.pty_count; i++)
        if (lib.handoff.pty[i].virtual == virtual)
            return &lib.handoff.pty[i];
    return NULL;
}

static long missing(const struct description *d, int virtual, char *problem, size_t size)
{
    fmt(problem, size, "descriptor %d: the master of /dev/pts/%d is in another process, whose image is not restarted by the same dmtcp_restart",
        d->first, virtual);
    return -ENXIO;
}

static long master_restore(struct description *d, int low, char *problem, size_t size)
{
    const struct master *master = d->own;
    const struct handoff_pty *pty = handed(master->virtual);

    if (!pty)
        return missing(d, master->virtual, problem, size);
    long fd = sys_fcntl(pty->master, F_DUPFD_CLOEXEC, low);
    if (fd < 0)
        fmt(problem, size, "descriptor %d (%s) can't be made: %e", d->first, d->link, (int)fd);
    else
        sys_fcntl((int)fd, F_SETFL, (long)d->flags);
    return fd;
}

static long master_refill(struct description *d, bool restarted)
{
    struct master *master = d->own;

    return master ? pty_refill(&master->device, d->first, restarted) : 0;
}

/* --- slave --- */

static long slave_save(struct description *d, char *problem, size_t size)
{
    long number = number_of(d);

    if (number >= 0 && !ptys_marked((int)number, true, lib.upcoming)) {
        d->kind = &fd_terminal;
        return 0;
    }
    struct slave *slave = d->own = arena_alloc(sizeof *slave);
    if (!slave)
        return -ENOMEM;
    slave->hung_up = number < 0;
    slave->virtual = number < 0 ? -1 : ptys_virtual((int)number);
    return 0;
}

/* A slave as it is when its master has been closed. */
static long make_hung_up(const struct description *d, int low)
{
    long master = sys_open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC, 0), fd;
    int unlocked = 0;

    if (master < 0)
        return master;
    sys_ioctl((int)master, TIOCSPTLCK, &unlocked);
    fd = fd_lift(pty_open_slave((int)master, (int)(d->flags & (O_ACCMODE | O_NONBLOCK))), low);
    sys_close((int)master);
    return fd;
}

static long slave_restore(struct description *d, int low, char *problem, size_t size)
{
    const struct slave *slave = d->own;
    const struct handoff_pty *pty = handed(slave->virtual);
    long fd;

    if (!slave->hung_up && !pty)
        return missing(d, slave->virtual, problem, size);
    fd = slave->hung_up ? make_hung_up(d, low) : fd_lift(pty_open_slave(pty->master, (int)(d->flags & (O_ACCMODE | O_NONBLOCK))), low);
    if (fd < 0)
        fmt(problem, size, "descriptor %d (%s) can't be made: %e", d->first, d->link, (int)fd);
    return fd;
}

const struct fd_kind fd_pty_master = {
    .name = "pty master", .claim = master_claim, .save = master_save, .restore = master_restore, .refill = master_refill};
const struct fd_kind fd_pty_slave = {.name = "pty slave", .claim = slave_claim, .save = slave_save, .restore = slave_restore};

const struct image_pty *fd_ptys(uint32_t *count)
{
    uint32_t found = 0;
    struct image_pty *list;

    for (const struct description *d = fd_descriptions(); d; d = d->next)
        found += d->kind == &fd_pty_master;
    list = arena_alloc((found + 1) * sizeof *list);
    *count = 0;
    for (const struct description *d = fd_descriptions(); list && d; d = d->next)
        if (d->kind == &fd_pty_master)
            list[(*count)++].number = (uint32_t)((struct master *)d->own)->virtual;
    return list;
}

void fd_ptys_arrived(void)
{
    for (uint32_t i = 0; i < lib.handoff.pty_count; i++) {
        unsigned number;

        if (!sys_ioctl(lib.handoff.pty[i].master, TIOCGPTN, &number))
            ptys_register(lib.handoff.pty[i].virtual, (int)number);
    }
}

void fd_ptys_leave(void)
{
    for (uint32_t i = 0; i < lib.handoff.pty_count; i++) {
        sys_close(lib.handoff.pty[i].master);
        if (lib.handoff.pty[i].slave >= 0)
            sys_close(lib.handoff.pty[i].slave);
    }
    lib.handoff.pty_count = 0;
}
