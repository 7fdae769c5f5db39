/* Signal dispositions, and signals that are pending.
 *
 * A pending signal can only be read by taking it out (rt_sigtimedwait), so it is put back with its own siginfo at once when the program
 * runs on. Process-wide ones are taken first, by the checkpoint thread, which has none of its own: what a parked thread can then take
 * is its own. The kernel lets a thread queue any siginfo to itself, and the leader any to the process (rt_sigqueueinfo(2)). */
#include "arena.h"
#include "fmt.h"
#include "library.h"
#include "log.h"
#include "proc.h"
#include "resource.h"
#include "sender.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"
#include "threads.h"
#include "vpid.h"

#define LOG_MODULE "signals"

static struct sys_sigaction actions[64];

struct pending {
    struct pending *next;
    struct thread *thread; /* NULL: process-wide */
    siginfo_t info;
};
static struct pending *pending_first, **pending_end; /* arena, in queue order */

void signals_save(void)
{
    for (int i = 1; i <= 64; i++)
        if (sys_sigaction(i, NULL, &actions[i - 1]) == 0)
            actions[i - 1].handler = sender_leave(i, actions[i - 1].handler);
}

void signals_restore(void)
{
    for (int i = 1; i <= 64; i++) {
        struct sys_sigaction action = actions[i - 1];
        if (i != (int)lib.conf.ckpt_signal)
            action.handler = sender_enter(i, action.handler, action.flags);
        sys_sigaction(i, &action, NULL); /* KILL and STOP refuse */
    }
}

static sys_sigset read_set(const char *path, const char *name)
{
    char status[4096];
    const char *field;
    uint64_t set = 0;

    if (proc_read(path, status, sizeof status) > 0 && (field = proc_field(status, name)))
        str_number(&field, 16, &set);
    return set & ~SYS_SIGBIT(lib.conf.ckpt_signal);
}

struct take {
    struct thread *thread;
    sys_sigset set;
};

static long take(void *argument)
{
    const struct take *request = argument;
    struct timespec now = {0};
    siginfo_t info;

    while (sys_sigtimedwait(&request->set, &info, &now) > 0) {
        struct pending *pending = arena_alloc(sizeof *pending);
        if (!pending)
            return -ENOMEM;
        pending->info = info;
        pending->info.si_pid = signals_from_process(&info) ? vpid_from_real(info.si_pid) : info.si_pid;
        pending->thread = request->thread;
        *pending_end = pending;
        pending_end = &pending->next;
    }
    return 0;
}

long signals_pending_more(void)
{
    struct take shared = {.set = read_set("/proc/thread-self/status", "ShdPnd")};
    struct pending **before = pending_end;
    long error = 0;

    if (shared.set)
        error = take(&shared);
    for (struct thread *thread = NULL; !error && (thread = threads_next(thread));) {
        struct take own = {.thread = thread};
        char path[64];

        if (thread->state != THREAD_PARKED)
            continue;
        /* Not what the thread itself saw when it parked: one that parked later may have signalled it since. */
        fmt(path, sizeof path, "/proc/self/task/%d/status", thread->real_tid);
        own.set = read_set(path, "SigPnd");
        if (own.set)
            error = park_call(thread, take, &own);
    }
    return error ? error : pending_end != before;
}

long signals_pending_save(void)
{
    pending_first = NULL;
    pending_end = &pending_first;
    long error = signals_pending_more();
    return error < 0 ? error : 0;
}

static long requeue(void *argument)
{
    struct pending *pending = argument;

    if (signals_from_process(&pending->info))
        pending->info.si_pid = vpid_to_real(pending->info.si_pid);
    if (pending->thread)
        return sys_tgsigqueueinfo(sys_getpid(), sys_gettid(), pending->info.si_signo, &pending->info);
    return sys_sigqueueinfo(sys_getpid(), pending->info.si_signo, &pending->info);
}

void signals_pending_refill(void)
{
    for (struct pending *pending = pending_first; pending; pending = pending->next) {
        long error = park_call(pending->thread ? pending->thread : suspend_executor(), requeue, pending);
        if (error == -EPERM) /* the leader has ended: the origin can't be told, the signal must not be lost */
            error = sys_kill(sys_getpid(), pending->info.si_signo);
        if (error < 0)
            log_warn("pending signal %d is lost: %e", pending->info.si_signo, (int)error);
    }
    pending_first = NULL;
}
