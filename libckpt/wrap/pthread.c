/* pthreads by their handle, after a restart that could not take the threads' old numbers back. These functions return error numbers.
 *
 * glibc keeps each thread's number in its struct pthread and hands it to the kernel itself; writing new numbers there would break
 * mutexes that are held and check their owner. So it stays, and the functions that would use it act on the real number instead. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "fmt.h"
#include "sys.h"
#include "vpid.h"
#include "whole.h"
#include "wrap.h"

#define SIGCANCEL 32 /* nptl's, not in any header */

WRAP(int, pthread_kill, (pthread_t handle, int signal))
{
    WHOLE;
    struct thread *stale = vpid_stale_pthread(handle);

    if (!stale)
        return REAL(pthread_kill)(handle, signal);
    return (int)-sys_tgkill(sys_getpid(), stale->real_tid, signal);
}

WRAP(int, pthread_sigqueue, (pthread_t handle, int signal, const union sigval value))
{
    WHOLE;
    struct thread *stale = vpid_stale_pthread(handle);
    siginfo_t info;

    if (!stale)
        return REAL(pthread_sigqueue)(handle, signal, value);
    memset(&info, 0, sizeof info);
    info.si_signo = signal;
    info.si_code = SI_QUEUE;
    info.si_pid = sys_getpid();
    info.si_uid = (uid_t)syscall3(__NR_getuid, 0, 0, 0);
    info.si_value = value;
    return (int)-sys_tgsigqueueinfo(sys_getpid(), stale->real_tid, signal, &info);
}

/* libc marks the thread, and its own signal goes to the old number in vain: the thread must still be woken. */
WRAP(int, pthread_cancel, (pthread_t handle))
{
    WHOLE;
    struct thread *stale = vpid_stale_pthread(handle);
    int error = REAL(pthread_cancel)(handle);

    if (stale && (!error || error == ESRCH)) {
        sys_tgkill(sys_getpid(), stale->real_tid, SIGCANCEL);
        error = 0;
    }
    return error;
}

WRAP(int, pthread_getaffinity_np, (pthread_t handle, size_t size, cpu_set_t *set))
{
    struct thread *stale = vpid_stale_pthread(handle);
    long result;

    if (!stale)
        return REAL(pthread_getaffinity_np)(handle, size, set);
    result = syscall3(__NR_sched_getaffinity, stale->real_tid, (long)size, (long)set);
    if (result < 0)
        return (int)-result;
    memset((char *)set + result, 0, size - (size_t)result);
    return 0;
}

WRAP(int, pthread_setaffinity_np, (pthread_t handle, size_t size, const cpu_set_t *set))
{
    struct thread *stale = vpid_stale_pthread(handle);

    if (!stale)
        return REAL(pthread_setaffinity_np)(handle, size, set);
    return (int)-syscall3(__NR_sched_setaffinity, stale->real_tid, (long)size, (long)set);
}

WRAP(int, pthread_getschedparam, (pthread_t handle, int *policy, struct sched_param *parameter))
{
    struct thread *stale = vpid_stale_pthread(handle);
    long result;

    if (!stale)
        return REAL(pthread_getschedparam)(handle, policy, parameter);
    result = syscall3(__NR_sched_getscheduler, stale->real_tid, 0, 0);
    if (result < 0)
        return (int)-result;
    *policy = (int)result;
    return (int)-syscall3(__NR_sched_getparam, stale->real_tid, (long)parameter, 0);
}

WRAP(int, pthread_setschedparam, (pthread_t handle, int policy, const struct sched_param *parameter))
{
    struct thread *stale = vpid_stale_pthread(handle);

    if (!stale)
        return REAL(pthread_setschedparam)(handle, policy, parameter);
    return (int)-syscall3(__NR_sched_setscheduler, stale->real_tid, policy, (long)parameter);
}

WRAP(int, pthread_setschedprio, (pthread_t handle, int priority))
{
    struct thread *stale = vpid_stale_pthread(handle);
    struct sched_param parameter = {.sched_priority = priority};

    if (!stale)
        return REAL(pthread_setschedprio)(handle, priority);
    return (int)-syscall3(__NR_sched_setparam, stale->real_tid, (long)&parameter, 0);
}

WRAP(int, pthread_getcpuclockid, (pthread_t handle, clockid_t *clock))
{
    struct thread *stale = vpid_stale_pthread(handle);

    if (!stale)
        return REAL(pthread_getcpuclockid)(handle, clock);
    *clock = (clockid_t)(~(unsigned)stale->real_tid << 3) | 6; /* CPUCLOCK_SCHED of one thread: clock_getres(2) */
    return 0;
}

/* libc asks the kernel for the affinity by the number it knows and fails without it. It gets the real number for the length of the call, in which
 * no handler of this thread may run: nothing else looks at the number but locks that check their owner. */
WRAP(int, pthread_getattr_np, (pthread_t handle, pthread_attr_t *attributes))
{
    struct thread *stale = vpid_stale_pthread(handle);
    sys_sigset all = ~0ull, old;
    int error;

    if (!stale)
        return REAL(pthread_getattr_np)(handle, attributes);
    volatile int *number = (volatile int *)stale->kernel.tid_address;
    sys_sigprocmask(SIG_BLOCK, &all, &old);
    *number = stale->real_tid;
    error = REAL(pthread_getattr_np)(handle, attributes);
    *number = stale->tid;
    sys_sigprocmask(SIG_SETMASK, &old, NULL);
    return error;
}

/* /proc/self/task/T/comm, proc(5): 15 bytes and a terminator. */
static int name_thread(const struct thread *thread, char *name, int flags, size_t size)
{
    char path[64];
    long fd, n;

    fmt(path, sizeof path, "/proc/self/task/%d/comm", thread->real_tid);
    fd = sys_open(path, flags | O_CLOEXEC, 0);
    if (fd < 0)
        return (int)-fd;
    n = flags == O_RDONLY ? sys_read((int)fd, name, size) : sys_write((int)fd, name, size);
    sys_close((int)fd);
    if (n > 0 && flags == O_RDONLY)
        name[n - 1] = 0; /* the newline */
    return n < 0 ? (int)-n : 0;
}

WRAP(int, pthread_setname_np, (pthread_t handle, const char *name))
{
    WHOLE; /* libc goes by /proc, too */
    struct thread *stale = vpid_stale_pthread(handle);

    if (!stale)
        return REAL(pthread_setname_np)(handle, name);
    return strlen(name) > 15 ? ERANGE : name_thread(stale, (char *)(uintptr_t)name, O_WRONLY, strlen(name));
}

WRAP(int, pthread_getname_np, (pthread_t handle, char *name, size_t size))
{
    WHOLE; /* libc goes by /proc, too */
    struct thread *stale = vpid_stale_pthread(handle);

    if (!stale)
        return REAL(pthread_getname_np)(handle, name, size);
    return size < 16 ? ERANGE : name_thread(stale, name, O_RDONLY, size);
}
