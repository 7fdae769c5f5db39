/* Waiting for children. A number that was reaped means nothing any more, and the kernel may use it again: its entry in the table is freed. */
#include "reaped.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include "processes.h"
#include "vpid.h"
#include "wrap.h"

pid_t reaped(pid_t real, int status)
{
    pid_t pid = vpid_from_real(real);

    if (real > 0 && (WIFEXITED(status) || WIFSIGNALED(status)))
        processes_reaped(pid);
    return pid;
}

WRAP(pid_t, wait, (int *status))
{
    int own;

    status = status ? status : &own;
    pid_t real = REAL(wait)(status);
    return reaped(real, real > 0 ? *status : 0);
}

WRAP(pid_t, waitpid, (pid_t pid, int *status, int options))
{
    int own;

    status = status ? status : &own;
    pid_t real = REAL(waitpid)(vpid_to_real(pid), status, options);
    return reaped(real, real > 0 ? *status : 0);
}

WRAP(pid_t, wait3, (int *status, int options, struct rusage *usage))
{
    int own;

    status = status ? status : &own;
    pid_t real = REAL(wait3)(status, options, usage);
    return reaped(real, real > 0 ? *status : 0);
}

WRAP(pid_t, wait4, (pid_t pid, int *status, int options, struct rusage *usage))
{
    int own;

    status = status ? status : &own;
    pid_t real = REAL(wait4)(vpid_to_real(pid), status, options, usage);
    return reaped(real, real > 0 ? *status : 0);
}

WRAP_SYMBOL(pid_t, wait_inner, "__wait", (int *status))
{
    return wait(status);
}

WRAP_SYMBOL(pid_t, waitpid_inner, "__waitpid", (pid_t pid, int *status, int options))
{
    return waitpid(pid, status, options);
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

WRAP(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options))
{
    siginfo_t own;

    if (type == P_PID || type == P_PGID)
        id = (id_t)vpid_to_real((int)id);
    info = info ? info : &own;
    return waited(REAL(waitid)(type, id, info, options), info, options);
}
