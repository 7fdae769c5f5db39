/* inotify(7): the watches as fdinfo lists them ("inotify wd:3 ino:9e7e sdev:800013 mask:800afce …"), under their numbers. A watch is set again by a
 * descriptor of the program, if it has one of what is watched (which may have no name), or else by the name that it was set by. Set in REFILL,
 * when all processes have what they need: the restart's own doings are not seen. */
#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "library.h"
#include "log.h"
#include "proc.h"
#include "scratch.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"
#include "watched.h"

#include <sys/inotify.h>
#include <sys/sysmacros.h>

#define LOG_MODULE "inotify"
#define INFO_SIZE (8u << 20)
#define SETNEXTWD 0x40044900 /* INOTIFY_IOC_SETNEXTWD */

struct watch {
    struct watch *next; /* by ascending number */
    int number;
    uint32_t mask;
    int by; /* a descriptor of it; -1 */
    const char *path;
};

struct inotify {
    struct watch *watches;
    int queued; /* bytes */
};

static bool inotify_claim(const struct description *d)
{
    return str_equal(d->link, "anon_inode:inotify") || str_equal(d->link, "anon_inode:[inotify]");
}

static const char *field(const char *line, const char *name, unsigned base, uint64_t *value)
{
    for (; *line && *line != '\n'; line++) {
        const char *at = str_after(line, name);
        if (at)
            return str_number(&at, base, value) ? at : NULL;
    }
    return NULL;
}

static int descriptor_of(uint64_t device, uint64_t inode)
{
    for (const struct description *d = fd_descriptions(); d; d = d->next)
        if (!d->foreign && d->st.st_dev == device && d->st.st_ino == inode)
            return d->first;
    return -1;
}

static void insert(struct inotify *inotify, struct watch *watch)
{
    struct watch **at = &inotify->watches;

    while (*at && (*at)->number < watch->number)
        at = &(*at)->next;
    watch->next = *at;
    *at = watch;
}

static long add(struct inotify *inotify, const struct description *d, const char *line, char *problem, size_t size)
{
    uint64_t number, inode, device, mask;
    bool link = false;

    if (!field(line, "wd:", 10, &number) || !field(line, "ino:", 16, &inode) || !field(line, "sdev:", 16, &device) || !field(line, " mask:", 16, &mask))
        return -EPROTO;
    device = makedev(device >> 20, device & 0xfffff);
    struct watch *watch = arena_alloc(sizeof *watch);
    if (!watch)
        return -ENOMEM;
    watch->number = (int)number;
    watch->mask = (uint32_t)mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
    watch->by = descriptor_of(device, inode);
    watch->path = watch->by >= 0 ? NULL : watched_path(device, inode, &link);
    if (watch->by < 0 && !watch->path) {
        fmt(problem, size, "descriptor %d (inotify) watches inode %llu of device %u:%u, whose name is not known; remove watch %d before a checkpoint",
            d->first, (unsigned long long)inode, major(device), minor(device), watch->number);
        return -EOPNOTSUPP;
    }
    if (link)
        watch->mask |= IN_DONT_FOLLOW;
    insert(inotify, watch);
    return 0;
}

static long inotify_check(const struct description *description, char *problem, size_t size)
{
    struct description *d = (struct description *)description;
    struct inotify *inotify = d->own = arena_alloc(sizeof *inotify);
    char path[64], *text = scratch_map(INFO_SIZE, false);
    long error = inotify && text ? 0 : -ENOMEM;

    fd_info_path(path, sizeof path, d->first);
    if (!error)
        error = proc_read(path, text, INFO_SIZE);
    for (const char *line = error > 0 ? text : NULL; line && *line && error >= 0; line = str_find(line, '\n'), line += line != NULL)
        if (str_after(line, "inotify "))
            error = add(inotify, d, line, problem, size);
    if (text)
        scratch_unmap(text, INFO_SIZE);
    return error < 0 ? error : 0;
}

static long queue_length(void *argument)
{
    const struct description *d = argument;

    return sys_ioctl(d->first, 0x541b /* FIONREAD */, &((struct inotify *)d->own)->queued);
}

static long inotify_save(struct description *d, char *problem, size_t size)
{
    return fd_call(d, queue_length, d);
}

static long inotify_restore(struct description *d, int low, char *problem, size_t size)
{
    long fd = fd_lift(syscall3(__NR_inotify_init1, IN_CLOEXEC | (d->flags & O_NONBLOCK), 0, 0), low);

    if (fd < 0)
        fmt(problem, size, "descriptor %d (inotify) can't be made: %e; see fs.inotify.max_user_instances", d->first, (int)fd);
    return fd;
}

static long inotify_refill(struct description *d, bool restarted)
{
    const struct inotify *inotify = d->own;
    char path[64];

    if (!restarted)
        return 0;
    for (const struct watch *watch = inotify->watches; watch; watch = watch->next) {
        fmt(path, sizeof path, "/proc/self/fd/%d", watch->by);
        const char *target = watch->path ? watch->path : path;
        long error = sys_ioctl(d->first, SETNEXTWD, (void *)(intptr_t)watch->number);
        if (!error)
            error = syscall3(__NR_inotify_add_watch, d->first, (long)target, watch->mask);
        if (error >= 0 && error != watch->number)
            error = -EEXIST;
        if (error < 0) {
            log_error("pid %d (%s): descriptor %d (inotify): %s can't be watched again: %e%s", lib.pid, lib.program, d->first, target, (int)error,
                      error == -ENOENT ? "; put it back, then restart" : error == -ENOSPC ? "; see fs.inotify.max_user_watches" : "");
            return error;
        }
    }
    if (watched_last()) /* numbers of watches that were removed do not come again */
        sys_ioctl(d->first, SETNEXTWD, (void *)(intptr_t)(watched_last() + 1));
    if (inotify->queued)
        log_warn("pid %d (%s): inotify events that descriptor %d had not been asked for (%d bytes) are lost", lib.pid, lib.program, d->first,
                 inotify->queued);
    return 0;
}

const struct fd_kind fd_inotify = {.name = "inotify",
                                   .claim = inotify_claim,
                                   .check = inotify_check,
                                   .save = inotify_save,
                                   .restore = inotify_restore,
                                   .refill = inotify_refill};
