/* Numbers of processes and threads, translated on the way in and out where a restart could not take the old ones back.
 *
 * glibc keeps each thread's number in its struct pthread and hands it to the kernel itself; writing new numbers there would break
 * mutexes that are held and check their owner. So it stays, and the functions that would use it act on the real number instead. */
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "ckpt_signal.h"
#include "fmt.h"
#include "library.h"
#include "sys.h"
#include "vpid.h"
#include "wrap.h"

#define SIGCANCEL 32 /* nptl's, not in any header */

/* Between a translation and the call that it is for, no checkpoint may come: a restart from it would go on with a number of the former life,
 * which may by now be a stranger's. Where a call can be made again, it is, if there was a restart meanwhile (RETURNED). The others hold
 * the checkpoint's signal back from before the translation to after the call (WHOLE): that one only, for another that is blocked here would
 * be delivered to another thread. Nothing here can be cancelled, so this file needs no unwinder for its cleanups. */
#define RETURNED(call)                                                                                                                     \
    ({                                                                                                                                     \
        uint32_t life_;                                                                                                                    \
        int number_;                                                                                                                       \
        do {                                                                                                                               \
            life_ = __atomic_load_n(&lib.restarts, __ATOMIC_ACQUIRE);                                                                      \
            number_ = vpid_from_real(call);                                                                                                \
        } while (life_ != __atomic_load_n(&lib.restarts, __ATOMIC_ACQUIRE));                                                               \
        number_;                                                                                                                           \
    })

static inline bool whole_begin(bool wanted)
{
    const sys_sigset ours = SYS_SIGBIT(ckpt_signal);
    sys_sigset before = ours;

    if (wanted)
        sys_sigprocmask(SIG_BLOCK, &ours, &before);
    return !(before & ours); /* in a handler on top of another such call the outer one ends it */
}

static inline void whole_end(const bool *held)
{
    const sys_sigset ours = SYS_SIGBIT(ckpt_signal);

    if (*held)
        sys_sigprocmask(SIG_UNBLOCK, &ours, NULL);
}

#define WHOLE_IF(wanted) __attribute__((cleanup(whole_end), unused)) const bool whole_ = whole_begin(wanted)
/* Where a stranger could be hit, in the first life, too, in which nothing is translated: the next one may begin in between, and libc itself
 * asks for a number before it uses it. What is only about scheduling, and called often by some, is held together from then on. */
#define WHOLE WHOLE_IF(true)
#define WHOLE_IF_TRANSLATED WHOLE_IF(vpid_active)

WRAP(pid_t, getpid, (void))
{
    return RETURNED(REAL(getpid)());
}

/* In a child that runs outside checkpoint control: its parent's number is that by which the parent knows itself. */
WRAP(pid_t, getppid, (void))
{
    return RETURNED(REAL(getppid)());
}

WRAP(pid_t, gettid, (void))
{
    return RETURNED(REAL(gettid)());
}

WRAP(int, kill, (pid_t pid, int signal))
{
    WHOLE;
    return REAL(kill)(vpid_to_real(pid), signal);
}

WRAP(int, tgkill, (pid_t pid, pid_t tid, int signal))
{
    WHOLE;
    return REAL(tgkill)(vpid_to_real(pid), vpid_to_real(tid), signal);
}

WRAP(int, sigqueue, (pid_t pid, int signal, const union sigval value))
{
    WHOLE;
    return REAL(sigqueue)(vpid_to_real(pid), signal, value);
}

/* --- groups and sessions: their numbers are those of their leaders --- */

WRAP(pid_t, getpgrp, (void))
{
    return RETURNED(REAL(getpgrp)());
}

WRAP(pid_t, getpgid, (pid_t pid))
{
    return RETURNED(REAL(getpgid)(vpid_to_real(pid)));
}

WRAP(pid_t, getsid, (pid_t pid))
{
    return RETURNED(REAL(getsid)(vpid_to_real(pid)));
}

WRAP(int, setpgid, (pid_t pid, pid_t group))
{
    WHOLE;
    return REAL(setpgid)(vpid_to_real(pid), vpid_to_real(group));
}

WRAP(pid_t, setsid, (void))
{
    WHOLE;
    return vpid_from_real(REAL(setsid)());
}

WRAP(int, killpg, (pid_t group, int signal))
{
    WHOLE;
    return REAL(killpg)(vpid_to_real(group), signal);
}

WRAP(pid_t, tcgetpgrp, (int fd))
{
    return RETURNED(REAL(tcgetpgrp)(fd));
}

WRAP(int, tcsetpgrp, (int fd, pid_t group))
{
    WHOLE;
    return REAL(tcsetpgrp)(fd, vpid_to_real(group));
}

WRAP(pid_t, tcgetsid, (int fd))
{
    return RETURNED(REAL(tcgetsid)(fd));
}

/* --- pthreads by their handle; these return error numbers --- */

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
    info.si_pid = getpid();
    info.si_uid = (uid_t)syscall3(__NR_getuid, 0, 0, 0);
    info.si_value = value;
    return (int)-sys_tgsigqueueinfo(sys_getpid(), stale->real_tid, signal, &info);
}

/* libc marks the thread, and its own signal goes to the old number in vain: the thread must still be woken. */
WRAP(int, pthread_cancel, (pthread_t handle))
{
    int error = REAL(pthread_cancel)(handle); /* may end this very thread */
    WHOLE_IF_TRANSLATED;
    struct thread *stale = vpid_stale_pthread(handle);

    if (stale && (!error || error == ESRCH)) {
        sys_tgkill(sys_getpid(), stale->real_tid, SIGCANCEL);
        error = 0;
    }
    return error;
}

WRAP(int, pthread_getaffinity_np, (pthread_t handle, size_t size, cpu_set_t *set))
{
    WHOLE_IF_TRANSLATED;
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
    WHOLE_IF_TRANSLATED;
    struct thread *stale = vpid_stale_pthread(handle);

    if (!stale)
        return REAL(pthread_setaffinity_np)(handle, size, set);
    return (int)-syscall3(__NR_sched_setaffinity, stale->real_tid, (long)size, (long)set);
}

WRAP(int, pthread_getschedparam, (pthread_t handle, int *policy, struct sched_param *parameter))
{
    WHOLE_IF_TRANSLATED;
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
    WHOLE_IF_TRANSLATED;
    struct thread *stale = vpid_stale_pthread(handle);

    if (!stale)
        return REAL(pthread_setschedparam)(handle, policy, parameter);
    return (int)-syscall3(__NR_sched_setscheduler, stale->real_tid, policy, (long)parameter);
}

WRAP(int, pthread_setschedprio, (pthread_t handle, int priority))
{
    WHOLE_IF_TRANSLATED;
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
    struct thread *stale = vpid_stale_pthread(handle);

    if (!stale)
        return REAL(pthread_setname_np)(handle, name);
    return strlen(name) > 15 ? ERANGE : name_thread(stale, (char *)(uintptr_t)name, O_WRONLY, strlen(name));
}

WRAP(int, pthread_getname_np, (pthread_t handle, char *name, size_t size))
{
    struct thread *stale = vpid_stale_pthread(handle);

    if (!stale)
        return REAL(pthread_getname_np)(handle, name, size);
    return size < 16 ? ERANGE : name_thread(stale, name, O_RDONLY, size);
}

/* --- the scheduler's, by number --- */

WRAP(int, sched_getaffinity, (pid_t pid, size_t size, cpu_set_t *set))
{
    WHOLE_IF_TRANSLATED;
    return REAL(sched_getaffinity)(vpid_to_real(pid), size, set);
}

WRAP(int, sched_setaffinity, (pid_t pid, size_t size, const cpu_set_t *set))
{
    WHOLE_IF_TRANSLATED;
    return REAL(sched_setaffinity)(vpid_to_real(pid), size, set);
}

WRAP(int, sched_getscheduler, (pid_t pid))
{
    WHOLE_IF_TRANSLATED;
    return REAL(sched_getscheduler)(vpid_to_real(pid));
}

WRAP(int, sched_setscheduler, (pid_t pid, int policy, const struct sched_param *parameter))
{
    WHOLE_IF_TRANSLATED;
    return REAL(sched_setscheduler)(vpid_to_real(pid), policy, parameter);
}

WRAP(int, sched_getparam, (pid_t pid, struct sched_param *parameter))
{
    WHOLE_IF_TRANSLATED;
    return REAL(sched_getparam)(vpid_to_real(pid), parameter);
}

WRAP(int, sched_setparam, (pid_t pid, const struct sched_param *parameter))
{
    WHOLE_IF_TRANSLATED;
    return REAL(sched_setparam)(vpid_to_real(pid), parameter);
}

WRAP(int, sched_rr_get_interval, (pid_t pid, struct timespec *interval))
{
    WHOLE_IF_TRANSLATED;
    return REAL(sched_rr_get_interval)(vpid_to_real(pid), interval);
}

/* --- syscall(2) --- */

enum { RETURNS = 1, FIRST = 2, SECOND = 4 };

static unsigned translation(long number)
{
    switch (number) {
    case SYS_getpgrp:
    case SYS_setsid:
    case SYS_getpid:
    case SYS_getppid:
    case SYS_gettid: return RETURNS;
    case SYS_getpgid:
    case SYS_getsid: return RETURNS | FIRST;
    case SYS_setpgid: return FIRST | SECOND;
    case SYS_kill:
    case SYS_tkill:
    case SYS_rt_sigqueueinfo:
    case SYS_sched_getaffinity:
    case SYS_sched_setaffinity:
    case SYS_sched_getscheduler:
    case SYS_sched_setscheduler:
    case SYS_sched_getparam:
    case SYS_sched_setparam:
    case SYS_sched_getattr:
    case SYS_sched_setattr:
    case SYS_sched_rr_get_interval:
    case SYS_pidfd_open:
    case SYS_prlimit64:
    case SYS_process_vm_readv:
    case SYS_process_vm_writev:
    case SYS_get_robust_list: return FIRST;
    case SYS_tgkill:
    case SYS_rt_tgsigqueueinfo: return FIRST | SECOND;
    case SYS_getpriority:
    case SYS_setpriority:
    case SYS_ioprio_get:
    case SYS_ioprio_set: return SECOND;
    default: return 0;
    }
}

WRAP(long, syscall, (long number, ...))
{
    va_list list;
    long argument[6], result;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        argument[i] = va_arg(list, long);
    va_end(list);
    unsigned what = translation(number);
    WHOLE_IF(what & (FIRST | SECOND) || (what && vpid_active));
    if (what & FIRST)
        argument[0] = vpid_to_real((int)argument[0]);
    if (what & SECOND)
        argument[1] = vpid_to_real((int)argument[1]);
    /* not REAL(syscall): so interrupted calls can be continued even when they had just begun */
    result = redo_syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
    if ((unsigned long)result >= (unsigned long)-4095L) {
        errno = (int)-result;
        return -1;
    }
    return what & RETURNS ? vpid_from_real((int)result) : result;
}
