/* Waiting for children. A number that was reaped means nothing any more, and the kernel may use it again: its entry in the table is freed.
 *
 * Two things must not be cut by a restart under other numbers. A call that waits for a certain child goes on with the number that this child had, and
 * finds none: it is made again. And between the kernel's giving a number and its translation, once numbers differ: the waiting is
 * done without taking the child (WNOWAIT), the taking with the checkpoint's signal held back. */
#include "reaped.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "library.h"
#include "processes.h"
#include "vpid.h"
#include "whole.h"
#include "wrap.h"

pid_t reaped(pid_t real, int status)
{
    pid_t pid = vpid_from_real(real);

    if (real > 0 && (WIFEXITED(status) || WIFSIGNALED(status)))
        processes_reaped(pid);
    return pid;
}

int waited(int result, siginfo_t *info, int options)
{
    if (result || info->si_pid <= 0) /* 0: WNOHANG, and nothing to report */
        return result;
    info->si_pid = vpid_from_real(info->si_pid);
    if (!(options & WNOWAIT) && (info->si_code == CLD_EXITED || info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED))
        processes_reaped(info->si_pid);
    return result;
}

static uint32_t life(void)
{
    return __atomic_load_n(&lib.restarts, __ATOMIC_ACQUIRE);
}

static long result_of(long result)
{
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

static id_t real_id(idtype_t type, id_t id)
{
    return type == P_PID || type == P_PGID ? (id_t)vpid_to_real((int)id) : id;
}

static int take_id(idtype_t type, id_t id, siginfo_t *info, int options)
{
    const bool held = whole_begin(true);
    int result = waited((int)result_of(syscall6(__NR_waitid, type, real_id(type, id), (long)info, options | WNOHANG, 0, 0)), info, options);

    whole_end(&held);
    return result;
}

WRAP(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options))
{
    siginfo_t own;
    uint32_t before;
    int result;

    info = info ? info : &own;
    do {
        before = life();
        bool apart = vpid_active && !(options & (WNOHANG | WNOWAIT));
        result = REAL(waitid)(type, real_id(type, id), info, apart ? options | WNOWAIT : options);
        if (!apart && !result)
            return waited(result, info, options);
        if (!result) {
            result = take_id(type, id, info, options);
            if (result || info->si_pid)
                return result;
            before = life() - 1; /* another thread was quicker */
        }
    } while (before != life() && (!result || errno == ECHILD));
    return result;
}

static pid_t take(pid_t pid, int *status, int options, struct rusage *usage)
{
    const bool held = whole_begin(true);
    pid_t real = (pid_t)result_of(syscall6(__NR_wait4, vpid_to_real(pid), (long)status, options | WNOHANG, (long)usage, 0, 0));

    real = reaped(real, real > 0 ? *status : 0);
    whole_end(&held);
    return real;
}

/* Without taking it. The options have the same values, but that waitpid's ends are always wanted. */
static int await(pid_t pid, int options)
{
    siginfo_t info;
    idtype_t type = pid > 0 ? P_PID : pid == -1 ? P_ALL : P_PGID;

    return REAL(waitid)(type, (id_t)vpid_to_real(pid > 0 ? pid : pid == -1 ? 0 : -pid), &info, options | WEXITED | WNOWAIT);
}

WRAP(pid_t, wait4, (pid_t pid, int *status, int options, struct rusage *usage))
{
    int own;

    status = status ? status : &own;
    for (;;) {
        uint32_t before = life();
        pid_t result;

        if (!vpid_active) {
            pid_t real = REAL(wait4)(vpid_to_real(pid), status, options, usage);
            result = reaped(real, real > 0 ? *status : 0);
        } else if (options & WNOHANG) {
            return take(pid, status, options, usage);
        } else if (!await(pid, options)) {
            result = take(pid, status, options, usage);
            if (!result) /* another thread was quicker */
                continue;
        } else {
            result = -1;
        }
        if (result >= 0 || errno != ECHILD || before == life())
            return result;
    }
}

WRAP(pid_t, wait, (int *status))
{
    return wait4(-1, status, 0, NULL);
}

WRAP(pid_t, waitpid, (pid_t pid, int *status, int options))
{
    return wait4(pid, status, options, NULL);
}

WRAP(pid_t, wait3, (int *status, int options, struct rusage *usage))
{
    return wait4(-1, status, options, usage);
}

WRAP_SYMBOL(pid_t, wait_inner, "__wait", (int *status))
{
    return wait4(-1, status, 0, NULL);
}

WRAP_SYMBOL(pid_t, waitpid_inner, "__waitpid", (pid_t pid, int *status, int options))
{
    return wait4(pid, status, options, NULL);
}
