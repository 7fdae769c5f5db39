/* The checkpoint signal does not exist for the application (ckpt_signal.h).
 *
 * Two things must never happen: that the signal is blocked, or waited for by sigwait or signalfd, because then a checkpoint cannot stop
 * the thread; and that its handler is replaced. So it is taken out of every set that goes to the kernel, and its action is virtual.
 * What the application set reads back as it set it: `blocked` and `in_action_mask` remember. Its own uses of that very signal
 * work for handlers, also while it is blocked; sigwait, sigsuspend and signalfd do not see it: who needs that chooses another number
 * by --ckpt-signal.
 *
 * The alternative, one signal that nobody else uses, does not exist: libc keeps only 32 and 33 to itself. */
#include "ckpt_signal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <ucontext.h>

#include "sender.h"
#include "sys.h"
#include "vpid.h"
#include "wrap.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* Of the calling thread, as the application believes. */
static __thread bool blocked;
static __thread bool waiting; /* one arrived meanwhile: */
static __thread siginfo_t waiting_info;

/* --- sets --- */

#define OURS (1ull << (ckpt_signal - 1))

/* The kernel's part of a libc set is its first 64 bits. */
static uint64_t *bits(const sigset_t *set)
{
    return (uint64_t *)(uintptr_t)set;
}

static bool has_ours(const sigset_t *set)
{
    return *bits(set) & OURS;
}

/* The set, or a copy of it without our signal. */
static const sigset_t *stripped(const sigset_t *set, sigset_t *copy)
{
    if (!set || !has_ours(set))
        return set;
    memcpy(copy, set, sizeof *copy);
    *bits(copy) &= ~OURS;
    return copy;
}

/* --- the virtual action --- */

static struct sigaction action; /* under action_lock */
static int action_lock;
static uint64_t in_action_mask; /* signals whose sa_mask has ours, as the application set them */

/* All signals stay blocked while the lock is held: a handler that waits for it on top of its holder would wait for ever. */
static sys_sigset lock_action(void)
{
    sys_sigset all = ~0ull, mask;

    sys_sigprocmask(SIG_SETMASK, &all, &mask);
    while (__atomic_exchange_n(&action_lock, 1, __ATOMIC_ACQUIRE))
        cpu_relax();
    return mask;
}

static void unlock_action(sys_sigset mask)
{
    __atomic_store_n(&action_lock, 0, __ATOMIC_RELEASE);
    sys_sigprocmask(SIG_SETMASK, &mask, NULL);
}

static struct sigaction exchange_action(const struct sigaction *to)
{
    sys_sigset mask = lock_action();
    struct sigaction old = action;

    if (to)
        action = *to;
    unlock_action(mask);
    return old;
}

static sighandler_t exchange_handler(sighandler_t handler, int flags)
{
    struct sigaction to = {.sa_handler = handler, .sa_flags = flags};

    return exchange_action(&to).sa_handler;
}

static void note_action_mask(int signal, bool has)
{
    if (signal < 1 || signal > 64)
        return;
    if (has)
        __atomic_or_fetch(&in_action_mask, 1ull << (signal - 1), __ATOMIC_RELAXED);
    else
        __atomic_and_fetch(&in_action_mask, ~(1ull << (signal - 1)), __ATOMIC_RELAXED);
}

static bool noted_action_mask(int signal)
{
    return signal >= 1 && signal <= 64 && __atomic_load_n(&in_action_mask, __ATOMIC_RELAXED) >> (signal - 1) & 1;
}

/* What happens by default ends the process, except for these. */
static bool ignored_by_default(int signal)
{
    return signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT;
}

static void die_by_signal(const siginfo_t *info)
{
    struct sys_sigaction def = {.handler = NULL /* SIG_DFL */};
    sys_sigset ours = OURS;

    sys_sigaction(ckpt_signal, &def, NULL);
    /* the kernel takes a siginfo for oneself unchanged */
    sys_tgsigqueueinfo(sys_getpid(), sys_gettid(), ckpt_signal, info);
    sys_sigprocmask(SIG_UNBLOCK, &ours, NULL);
}

void ckpt_signal_application(siginfo_t *info, void *context)
{
    const sys_sigset all = ~0ull;
    sys_sigset mask, lock_mask;
    struct sigaction now;

    if (blocked) {
        waiting_info = *info;
        waiting = true;
        return;
    }
    lock_mask = lock_action();
    now = action;
    if (now.sa_flags & SA_RESETHAND && now.sa_handler != SIG_IGN)
        action.sa_handler = SIG_DFL;
    unlock_action(lock_mask);

    if (now.sa_handler == SIG_IGN || (now.sa_handler == SIG_DFL && ignored_by_default(ckpt_signal)))
        return;
    if (now.sa_handler == SIG_DFL) {
        die_by_signal(info);
        return;
    }
    mask = (*bits(&((ucontext_t *)context)->uc_sigmask) | *bits(&now.sa_mask)) & ~OURS;
    blocked = !(now.sa_flags & SA_NODEFER);
    sys_sigprocmask(SIG_SETMASK, &mask, NULL);
    if (now.sa_flags & SA_SIGINFO)
        now.sa_sigaction(ckpt_signal, info, context);
    else
        now.sa_handler(ckpt_signal);
    sys_sigprocmask(SIG_SETMASK, &all, NULL);
    blocked = false;
}

/* --- masks --- */

static void set_blocked(bool to)
{
    blocked = to;
    if (!to && waiting) {
        waiting = false;
        sys_tgsigqueueinfo(sys_getpid(), sys_gettid(), ckpt_signal, &waiting_info);
    }
}

static int change_mask(int how, const sigset_t *set, sigset_t *old, int (*real)(int, const sigset_t *, sigset_t *))
{
    bool was = blocked, has = set && has_ours(set); /* set and old may be the same */
    sigset_t copy;
    int result = real(how, stripped(set, &copy), old);

    if (result)
        return result;
    if (old && was)
        *bits(old) |= OURS;
    if (set && (how == SIG_SETMASK || has))
        set_blocked(has && how != SIG_UNBLOCK);
    return 0;
}

WRAP(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old))
{
    return change_mask(how, set, old, REAL(sigprocmask));
}

WRAP(int, pthread_sigmask, (int how, const sigset_t *set, sigset_t *old))
{
    return change_mask(how, set, old, REAL(pthread_sigmask));
}

WRAP(int, pthread_attr_setsigmask_np, (pthread_attr_t * attributes, const sigset_t *set))
{
    sigset_t copy;

    return REAL(pthread_attr_setsigmask_np)(attributes, stripped(set, &copy));
}

/* The calls of 4.3BSD: masks of 32 signals in an int. */
static int without_ours(int mask)
{
    return (int)((unsigned)mask & ~(unsigned)OURS);
}

static int with_virtual(int mask, bool was)
{
    return (int)((unsigned)mask | (was ? (unsigned)OURS : 0));
}

WRAP(int, sigblock, (int mask))
{
    int old = with_virtual(REAL(sigblock)(without_ours(mask)), blocked);

    if ((unsigned)mask & (unsigned)OURS)
        set_blocked(true);
    return old;
}

WRAP(int, sigsetmask, (int mask))
{
    int old = with_virtual(REAL(sigsetmask)(without_ours(mask)), blocked);

    set_blocked((unsigned)mask & (unsigned)OURS);
    return old;
}

/* --- waiting --- */

WRAP(int, sigsuspend, (const sigset_t *mask))
{
    sigset_t copy;

    return REAL(sigsuspend)(stripped(mask, &copy));
}

/* signal.h calls X/Open's sigpause by its name and leaves BSD's undeclared. */
WRAP_SYMBOL(int, bsd_sigpause, "sigpause", (int mask))
{
    return REAL(bsd_sigpause)(without_ours(mask));
}

WRAP(int, sigwait, (const sigset_t *set, int *signal))
{
    sigset_t copy;

    return REAL(sigwait)(stripped(set, &copy), signal);
}

static int sender_translated(int signal, siginfo_t *info)
{
    if (signal > 0 && info && vpid_active && signals_from_process(info))
        info->si_pid = vpid_from_real(info->si_pid);
    return signal;
}

WRAP(int, sigwaitinfo, (const sigset_t *set, siginfo_t *info))
{
    sigset_t copy;

    return sender_translated(REAL(sigwaitinfo)(stripped(set, &copy), info), info);
}

WRAP(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout))
{
    sigset_t copy;

    return sender_translated(REAL(sigtimedwait)(stripped(set, &copy), info, timeout), info);
}

WRAP(int, signalfd, (int fd, const sigset_t *set, int flags))
{
    sigset_t copy;

    return REAL(signalfd)(fd, stripped(set, &copy), flags);
}

WRAP(int, ppoll, (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask))
{
    sigset_t copy;

    return REAL(ppoll)(fds, count, timeout, stripped(mask, &copy));
}

/* ppoll in programs built with _FORTIFY_SOURCE */
WRAP_SYMBOL(int, ppoll_chk, "__ppoll_chk",
            (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t size))
{
    sigset_t copy;

    return REAL(ppoll_chk)(fds, count, timeout, stripped(mask, &copy), size);
}

WRAP(int, pselect,
     (int count, fd_set *readable, fd_set *writable, fd_set *exceptional, const struct timespec *timeout, const sigset_t *mask))
{
    sigset_t copy;

    return REAL(pselect)(count, readable, writable, exceptional, timeout, stripped(mask, &copy));
}

WRAP(int, epoll_pwait, (int fd, struct epoll_event *events, int count, int timeout, const sigset_t *mask))
{
    sigset_t copy;

    return REAL(epoll_pwait)(fd, events, count, timeout, stripped(mask, &copy));
}

WRAP(int, epoll_pwait2, (int fd, struct epoll_event *events, int count, const struct timespec *timeout, const sigset_t *mask))
{
    sigset_t copy;

    return REAL(epoll_pwait2)(fd, events, count, timeout, stripped(mask, &copy));
}

/* --- actions --- */

WRAP(int, sigaction, (int signal, const struct sigaction *set, struct sigaction *old))
{
    bool had = noted_action_mask(signal), has = set && has_ours(&set->sa_mask);
    struct sigaction copy;

    if (signal == ckpt_signal) {
        struct sigaction before = exchange_action(set);
        if (old)
            *old = before;
        return 0;
    }
    if (set) {
        copy = *set;
        *bits(&copy.sa_mask) &= ~OURS;
        copy.sa_sigaction = sender_enter(signal, set->sa_sigaction, (unsigned)set->sa_flags);
    }
    if (REAL(sigaction)(signal, set ? &copy : NULL, old))
        return -1;
    if (old)
        old->sa_sigaction = sender_leave(signal, old->sa_sigaction);
    if (old && had)
        *bits(&old->sa_mask) |= OURS;
    if (set)
        note_action_mask(signal, has);
    return 0;
}

/* bsd_signal and ssignal are the same function under other names (signal(3)). */
#define BSD_FLAGS SA_RESTART
#define SYSV_FLAGS (int)(SA_RESETHAND | SA_NODEFER)

static sighandler_t left(int number, sighandler_t handler)
{
    return (sighandler_t)(uintptr_t)sender_leave(number, (sender_handler *)(uintptr_t)handler);
}

WRAP(sighandler_t, signal, (int number, sighandler_t handler))
{
    if (number == ckpt_signal)
        return exchange_handler(handler, BSD_FLAGS);
    note_action_mask(number, false);
    return left(number, REAL(signal)(number, handler));
}

WRAP_SYMBOL(sighandler_t, bsd_signal_alias, "bsd_signal", (int number, sighandler_t handler))
{
    return signal(number, handler);
}

WRAP(sighandler_t, ssignal, (int number, sighandler_t handler))
{
    return signal(number, handler);
}

WRAP_SYMBOL(sighandler_t, sysv_signal_inner, "__sysv_signal", (int number, sighandler_t handler))
{
    if (number == ckpt_signal)
        return exchange_handler(handler, SYSV_FLAGS);
    note_action_mask(number, false);
    return left(number, REAL(sysv_signal_inner)(number, handler));
}

WRAP(sighandler_t, sysv_signal, (int number, sighandler_t handler))
{
    return sysv_signal_inner(number, handler);
}

WRAP(int, siginterrupt, (int number, int interrupt))
{
    struct sigaction now;

    if (number != ckpt_signal)
        return REAL(siginterrupt)(number, interrupt);
    now = exchange_action(NULL);
    now.sa_flags = interrupt ? now.sa_flags & ~SA_RESTART : now.sa_flags | SA_RESTART;
    exchange_action(&now);
    return 0;
}

/* System V's set: signal(3posix), sigset(3). */
WRAP(int, sighold, (int number))
{
    if (number != ckpt_signal)
        return REAL(sighold)(number);
    set_blocked(true);
    return 0;
}

WRAP(int, sigrelse, (int number))
{
    if (number != ckpt_signal)
        return REAL(sigrelse)(number);
    set_blocked(false);
    return 0;
}

WRAP(int, sigignore, (int number))
{
    if (number != ckpt_signal)
        return REAL(sigignore)(number);
    exchange_handler(SIG_IGN, 0);
    return 0;
}

WRAP(sighandler_t, sigset, (int number, sighandler_t handler))
{
    sighandler_t old;

    if (number != ckpt_signal) {
        note_action_mask(number, false);
        return left(number, REAL(sigset)(number, handler));
    }
    old = handler == SIG_HOLD ? exchange_action(NULL).sa_handler : exchange_handler(handler, 0);
    old = blocked ? SIG_HOLD : old;
    set_blocked(handler == SIG_HOLD);
    return old;
}

/* X/Open's sigpause needs no wrapper: it waits with the thread's own mask, in which our signal never is. */
