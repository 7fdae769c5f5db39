/* Numbers of processes, threads, groups and sessions, translated on the way in and out (vpid.h). */
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include "vpid.h"
#include "whole.h"
#include "wrap.h"

WRAP(pid_t, getpid, (void))
{
    return RETURNED(REAL(getpid)());
}

WRAP_SYMBOL(pid_t, getpid_inner, "__getpid", (void))
{
    return RETURNED(REAL(getpid_inner)());
}

WRAP(pid_t, gettid, (void))
{
    return RETURNED(REAL(gettid)());
}

WRAP(pid_t, getppid, (void))
{
    return vpid_parent_from_real(REAL(getppid)());
}

/* --- signals --- */

WRAP(int, kill, (pid_t pid, int signal))
{
    WHOLE;
    return REAL(kill)(vpid_to_real(pid), signal);
}

/* libc asks for both numbers and then uses them. All signals wait meanwhile: the handler must not run with the checkpoint's held back, which might
 * take long, or end by longjmp. This thread is the only one that can get it. */
WRAP(int, raise, (int signal))
{
    const sys_sigset all = ~(sys_sigset)0;
    sys_sigset before;

    sys_sigprocmask(SIG_SETMASK, &all, &before);
    int result = REAL(raise)(signal);
    sys_sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}

WRAP(int, killpg, (pid_t group, int signal))
{
    WHOLE;
    return REAL(killpg)(vpid_to_real(group), signal);
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

WRAP_SYMBOL(pid_t, getpgid_inner, "__getpgid", (pid_t pid))
{
    return RETURNED(REAL(getpgid_inner)(vpid_to_real(pid)));
}

WRAP_SYMBOL(pid_t, bsd_getpgrp, "__bsd_getpgrp", (pid_t pid))
{
    return RETURNED(REAL(bsd_getpgrp)(vpid_to_real(pid)));
}

WRAP(int, setpgid, (pid_t pid, pid_t group))
{
    WHOLE;
    return REAL(setpgid)(vpid_to_real(pid), vpid_to_real(group));
}

WRAP_SYMBOL(int, setpgid_inner, "__setpgid", (pid_t pid, pid_t group))
{
    WHOLE;
    return REAL(setpgid_inner)(vpid_to_real(pid), vpid_to_real(group));
}

WRAP(pid_t, getsid, (pid_t pid))
{
    return RETURNED(REAL(getsid)(vpid_to_real(pid)));
}

WRAP(pid_t, setsid, (void))
{
    WHOLE;
    return vpid_from_real(REAL(setsid)());
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

/* --- other processes' insides --- */

WRAP(ssize_t, process_vm_readv,
     (pid_t pid, const struct iovec *local, unsigned long locals, const struct iovec *remote, unsigned long remotes, unsigned long flags))
{
    return REAL(process_vm_readv)(vpid_to_real(pid), local, locals, remote, remotes, flags);
}

WRAP(ssize_t, process_vm_writev,
     (pid_t pid, const struct iovec *local, unsigned long locals, const struct iovec *remote, unsigned long remotes, unsigned long flags))
{
    return REAL(process_vm_writev)(vpid_to_real(pid), local, locals, remote, remotes, flags);
}

/* Not in every libc's headers. */
WRAP_SYMBOL(int, open_pidfd, "pidfd_open", (pid_t pid, unsigned flags))
{
    return REAL(open_pidfd)(vpid_to_real(pid), flags);
}

WRAP(long, ptrace, (enum __ptrace_request request, ...))
{
    va_list list;

    va_start(list, request);
    pid_t pid = va_arg(list, pid_t);
    void *address = va_arg(list, void *), *data = va_arg(list, void *);
    va_end(list);
    long result = REAL(ptrace)(request, vpid_to_real(pid), address, data);
    if (vpid_active && request == PTRACE_GETSIGINFO && !result && signals_from_process(data))
        ((siginfo_t *)data)->si_pid = vpid_from_real(((siginfo_t *)data)->si_pid);
    return result;
}

WRAP(int, prctl, (int option, ...))
{
    va_list list;
    unsigned long argument[4];

    va_start(list, option);
    for (int i = 0; i < 4; i++)
        argument[i] = va_arg(list, unsigned long);
    va_end(list);
    if (vpid_active && option == PR_SET_PTRACER && argument[0] != PR_SET_PTRACER_ANY)
        argument[0] = (unsigned long)vpid_to_real((int)argument[0]);
    if (vpid_active && option == PR_SCHED_CORE)
        argument[1] = (unsigned long)vpid_to_real((int)argument[1]);
    return REAL(prctl)(option, argument[0], argument[1], argument[2], argument[3]);
}
