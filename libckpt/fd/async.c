/* Signals about input and output: whom a description sends them (F_SETOWN), which (F_SETSIG), and whether at all (O_ASYNC). fcntl(2). They belong to
 * descriptions of every kind. The lowest process that holds one records them, and the owner does, who alone knows its threads; they are set again in
 * REFILL, when nothing of ours moves data any more that would raise one. An owner outside of the computation is not set again: its number may be
 * a stranger's by then. */
#include "fd.h"

#include <fcntl.h>

#include "library.h"
#include "processes.h"
#include "suspend.h"
#include "sys.h"
#include "threads.h"
#include "vpid.h"

static bool is_this_process(int real)
{
    return real > 0 && (real == lib.real_pid || threads_by_real_tid(real));
}

void async_record(struct description *d, const struct signal_owner *owner, int signal)
{
    bool lowest = !d->received;

    d->async = (struct async){.type = owner->type};
    if (is_this_process(owner->pid) || (lowest && owner->pid && processes_find(owner->pid) >= 0))
        d->async.pid = vpid_from_real(owner->pid);
    else if (lowest && owner->pid && owner->type == 2 /* F_OWNER_PGRP */ && owner->pid == (int)syscall3(__NR_getpgid, 0, 0, 0))
        d->async.own_group = true;
    d->async.owned = lowest || d->async.pid;
    d->async.signal = d->async.owned ? signal : 0;
}

static bool wanted(const struct description *d)
{
    return d->async.owned && (d->async.own_group || d->async.pid || d->async.signal || (d->flags & O_ASYNC));
}

static void set_one(const struct description *d)
{
    struct signal_owner owner = {.type = d->async.type, .pid = vpid_to_real(d->async.pid)};

    if (d->async.own_group)
        owner.pid = (int)syscall3(__NR_getpgid, 0, 0, 0);
    if (owner.pid)
        sys_fcntl(d->first, F_SETOWN_EX, (long)&owner);
    if (d->async.signal)
        sys_fcntl(d->first, F_SETSIG, d->async.signal);
    if (!(d->flags & O_ASYNC))
        return;
    /* The number by which it is switched on is the signal's si_fd, and it may be on by another from when the description was made. */
    sys_fcntl(d->first, F_SETFL, (long)(d->flags & ~(uint32_t)O_ASYNC));
    sys_fcntl(d->first, F_SETFL, (long)d->flags);
}

static long set_all(void *unused)
{
    for (struct description *d = fd_descriptions(); d; d = d->next)
        if (wanted(d))
            set_one(d);
    return 0;
}

void async_restore(void)
{
    for (struct description *d = fd_descriptions(); d; d = d->next)
        if (wanted(d)) {
            park_call(suspend_executor(), set_all, NULL);
            return;
        }
}
