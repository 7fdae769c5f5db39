/* fork and its relatives. A child of vfork (x86_64/vfork.S) runs in our memory until it calls exec, whose wrapper knows that case. */
#include <errno.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <utmp.h>

#include "follow.h"
#include "library.h"
#include "processes.h"
#include "vpid.h"
#include "wrap.h"

/* Ours are registered first, so that libc calls them last before the fork and first after it. */
static void forked_parent(void)
{
    follow_section_made();
}

/* What pthread_atfork(3) is made of; without a library's handle, since ours is never unloaded. */
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *library);

__attribute__((constructor)) static void watch_forks(void)
{
    __register_atfork(NULL, forked_parent, NULL, NULL);
}

/* The entry is claimed only now: before, a restart could have come in between, and made another table. */
static void made(pid_t pid)
{
    if (pid > 0)
        processes_started(processes_reserve(), pid);
    follow_section(FOLLOW_NONE);
}

/* --- numbers that can't be used --- */

/* After a restart a new process must not have a number by which the program knows another one. It ends then, and its maker makes another: the kernel
 * goes on to the next number. Both must come to the same verdict, or the maker waits for a child that runs on, or has one that did nothing. So
 * both look at what the maker noted before; the table of processes changes at any time, and libc changes the thread's words in a child.
 * A false alarm costs one more fork. */
#define TAKEN_BITS 16384u

struct taken {
    unsigned attempts;
    uint64_t bits[TAKEN_BITS / 64];
};

static void note_taken(int number, void *argument)
{
    struct taken *taken = argument;

    taken->bits[(unsigned)number % TAKEN_BITS / 64] |= 1ull << number % 64;
}

static bool is_taken(const struct taken *taken, int number)
{
    /* With that many numbers in use that all seem to be, it is right to take any. */
    return taken->attempts < 1000 && taken->bits[(unsigned)number % TAKEN_BITS / 64] >> number % 64 & 1;
}

static void reap_unusable(pid_t pid)
{
    while (syscall6(__NR_wait4, pid, 0, 0, 0, 0, 0) == -EINTR)
        ;
}

static __attribute__((noinline)) pid_t fork_past_taken(pid_t (*real)(void), enum follow_section section)
{
    struct taken taken = {0};

    for (;; taken.attempts++) {
        vpid_each_taken(note_taken, &taken);
        follow_section(section);
        pid_t pid = real();
        if (!pid && is_taken(&taken, sys_getpid()))
            sys_exit_group(0);
        if (pid <= 0 || !is_taken(&taken, pid))
            return pid;
        reap_unusable(pid);
    }
}

static pid_t fork_anew(pid_t (*real)(void), enum follow_section section)
{
    if (vpid_active)
        return fork_past_taken(real, section);
    follow_section(section);
    return real();
}

/* The child of vfork shares our memory, and leaves word here. As many at once as have room; one more is used as it is. */
static int32_t vfork_unusable[16];

pid_t vfork(void);
void *vfork_plain(void) __attribute__((visibility("hidden")));
bool vfork_returned(long pid) __attribute__((visibility("hidden")));

WRAP_ENTRY(vfork, "vfork")

/* NULL: its number must be looked at. */
void *vfork_plain(void)
{
    return vpid_active && follow_active() ? NULL : (void *)REAL(vfork);
}

bool vfork_returned(long pid)
{
    if (pid < 0) {
        errno = (int)-pid;
        return false;
    }
    int32_t number = pid ? (int32_t)pid : sys_getpid();
    if (!pid && !vpid_number_taken(number))
        return false;
    for (unsigned i = 0; i < sizeof vfork_unusable / sizeof *vfork_unusable; i++) {
        int32_t expected = pid ? number : 0;
        if (__atomic_compare_exchange_n(&vfork_unusable[i], &expected, pid ? 0 : number, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            if (!pid)
                sys_exit_group(0);
            reap_unusable(number);
            return true;
        }
    }
    return false;
}

WRAP(pid_t, fork, (void))
{
    if (!follow_active())
        return REAL(fork)();
    pid_t pid = fork_anew(REAL(fork), FOLLOW_BEFORE);
    int error = errno;
    if (!pid) {
        follow_forked();
    } else {
        made(pid);
    }
    errno = error;
    return pid;
}

/* fork without the handlers of pthread_atfork: POSIX 2024. */
WRAP(pid_t, _Fork, (void))
{
    if (!follow_active())
        return REAL(_Fork)();
    pid_t pid = fork_anew(REAL(_Fork), FOLLOW_AFTER); /* no lock is waited for */
    int error = errno;
    if (!pid) {
        follow_forked();
    } else {
        made(pid);
    }
    errno = error;
    return pid;
}

struct clone_call {
    int (*run)(void *);
    void *argument;
};

static int run_followed(void *argument)
{
    struct clone_call call = *(struct clone_call *)argument;

    follow_forked();
    return call.run(call.argument);
}

/* A copy of the process is followed like a fork; what shares our memory is a thread, or a child that will exec. */
WRAP(int, clone, (int (*run)(void *), void *stack, int flags, void *argument, ...))
{
    struct clone_call call = {run, argument};
    va_list list;

    va_start(list, argument);
    pid_t *parent_tid = va_arg(list, pid_t *);
    void *tls = va_arg(list, void *);
    pid_t *child_tid = va_arg(list, pid_t *);
    va_end(list);
    if ((flags & CLONE_VM) || !follow_active())
        return REAL(clone)(run, stack, flags, argument, parent_tid, tls, child_tid);
    follow_section(FOLLOW_AFTER);
    int pid = REAL(clone)(run_followed, stack, flags, &call, parent_tid, tls, child_tid);
    int error = errno;
    made(pid);
    errno = error;
    return pid;
}

/* The end of a process whose image is being written would be the end of the set. exit(3) comes to our destructor; this way nothing is called. */
WRAP(void, _exit, (int status))
{
    library_await_writer();
    REAL(_exit)(status);
    __builtin_unreachable();
}

WRAP(void, _Exit, (int status))
{
    library_await_writer();
    REAL(_Exit)(status);
    __builtin_unreachable();
}

__attribute__((destructor)) static void at_exit(void)
{
    library_await_writer();
}

/* libc's own versions of these call its fork past ours. daemon(3), forkpty(3). */
WRAP(int, daemon, (int nochdir, int noclose))
{
    if (!follow_active())
        return REAL(daemon)(nochdir, noclose);
    pid_t pid = fork();
    if (pid < 0)
        return -1;
    if (pid)
        _exit(0);
    if (setsid() < 0)
        return -1;
    if (!nochdir && chdir("/") < 0)
        return -1;
    if (!noclose) {
        int null = open("/dev/null", O_RDWR);
        if (null < 0)
            return -1;
        for (int fd = 0; fd < 3; fd++)
            dup2(null, fd);
        if (null > 2)
            close(null);
    }
    return 0;
}

WRAP(pid_t, forkpty, (int *master, char *name, const struct termios *termios, const struct winsize *size))
{
    int ends[2];

    if (!follow_active())
        return REAL(forkpty)(master, name, termios, size);
    if (openpty(&ends[0], &ends[1], name, termios, size) < 0)
        return -1;
    pid_t pid = fork();
    if (pid < 0) {
        int error = errno;
        close(ends[0]);
        close(ends[1]);
        errno = error;
        return -1;
    }
    if (!pid) {
        close(ends[0]);
        if (login_tty(ends[1]))
            _exit(1);
        return 0;
    }
    *master = ends[0];
    close(ends[1]);
    return pid;
}
