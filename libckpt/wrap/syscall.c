/* syscall(2): the same translations as in the functions of the same name. Most calls have a row that says which arguments are numbers; those
 * whose numbers lie in memory go through our own functions, unless those are cancellation points, which syscall(2) is not: sendmsg, recvmsg
 * and read tell the kernel's numbers here. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc.h"
#include "proc_path.h"
#include "redo.h"
#include "reaped.h"
#include "timer_clock.h"
#include "vpid.h"
#include "whole.h"
#include "wrap.h"

enum { RETURNS = 1, FIRST = 2, SECOND = 4, FIRST_PATH = 8, SECOND_PATH = 16 };

static unsigned translation(long number)
{
    switch (number) {
    case SYS_getpgrp:
    case SYS_setsid:
    case SYS_getpid:
    case SYS_set_tid_address:
    case SYS_gettid: return RETURNS;
    case SYS_getpgid:
    case SYS_getsid: return RETURNS | FIRST;
    case SYS_setpgid:
    case SYS_kcmp:
    case SYS_tgkill:
    case SYS_rt_tgsigqueueinfo: return FIRST | SECOND;
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
    case SYS_migrate_pages:
    case SYS_move_pages:
    case SYS_get_robust_list: return FIRST;
    case SYS_ptrace: return SECOND;
    case SYS_open:
    case SYS_stat:
    case SYS_lstat:
    case SYS_access:
    case SYS_chdir: return FIRST_PATH;
    case SYS_openat:
    case SYS_openat2:
    case SYS_newfstatat:
    case SYS_statx:
    case SYS_faccessat:
    case SYS_faccessat2: return SECOND_PATH;
    default: return 0;
    }
}

#define A(type, i) ((type)argument[i])

/* Calls that libc's functions make unchanged. False: not one of them. */
static bool by_function(long number, const long *argument, long *result)
{
    switch (number) {
    case SYS_fcntl:
        if (A(int, 1) == F_SETLKW || A(int, 1) == F_OFD_SETLKW)
            return false;
        *result = fcntl(A(int, 0), A(int, 1), A(void *, 2));
        break;
    case SYS_ioctl: *result = ioctl(A(int, 0), A(unsigned long, 1), A(void *, 2)); break;
    case SYS_msgctl: *result = msgctl(A(int, 0), A(int, 1), A(void *, 2)); break;
    case SYS_semctl: *result = semctl(A(int, 0), A(int, 1), A(int, 2), A(void *, 3)); break;
    case SYS_shmctl: *result = shmctl(A(int, 0), A(int, 1), A(void *, 2)); break;
    case SYS_getsockopt: *result = getsockopt(A(int, 0), A(int, 1), A(int, 2), A(void *, 3), A(void *, 4)); break;
    case SYS_prctl: *result = prctl(A(int, 0), argument[1], argument[2], argument[3], argument[4]); break;
    case SYS_readlink: *result = readlink(A(char *, 0), A(char *, 1), A(size_t, 2)); break;
    case SYS_readlinkat: *result = readlinkat(A(int, 0), A(char *, 1), A(char *, 2), A(size_t, 3)); break;
    default: return false;
    }
    return true;
}

/* not REAL(syscall): so interrupted calls can be continued even when they had just begun */
static long call(long number, const long *argument)
{
    long result = redo_syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);

    if ((unsigned long)result < (unsigned long)-4095L)
        return result;
    errno = (int)-result;
    return -1;
}

static long call_wait4(long *argument)
{
    int status = 0;

    argument[0] = vpid_to_real(A(int, 0));
    argument[1] = argument[1] ? argument[1] : (long)&status;
    long real = call(SYS_wait4, argument);
    return reaped((pid_t)real, real > 0 ? *A(int *, 1) : 0);
}

static long call_waitid(long *argument)
{
    siginfo_t info;

    if (A(idtype_t, 0) == P_PID || A(idtype_t, 0) == P_PGID)
        argument[1] = vpid_to_real(A(int, 1));
    argument[2] = argument[2] ? argument[2] : (long)&info;
    return waited((int)call(SYS_waitid, argument), A(siginfo_t *, 2), A(int, 3));
}

static long call_timer_create(long *argument)
{
    struct sigevent event;

    argument[0] = timer_clock(A(clockid_t, 0));
    if (vpid_active && argument[1]) {
        event = *A(struct sigevent *, 1);
        if (event.sigev_notify == SIGEV_THREAD_ID)
            event._sigev_un._tid = vpid_to_real(event._sigev_un._tid);
        argument[1] = (long)&event;
    }
    return call(SYS_timer_create, argument);
}

/* System V ids (ipc.h), which may be others without a process's having another number. shmat directly: libraries that watch memory (UCX) put a jump
 * to themselves into the function, and come here from there. False: not one of them. */
static bool by_id(long number, long *argument, long *result)
{
    switch (number) {
    case SYS_shmget: *result = shmget(A(key_t, 0), A(size_t, 1), A(int, 2)); return true;
    case SYS_semget: *result = semget(A(key_t, 0), A(int, 1), A(int, 2)); return true;
    case SYS_msgget: *result = msgget(A(key_t, 0), A(int, 1)); return true;
    case SYS_shmat: argument[0] = ipc_to_real(PTABLE_SHM, A(int, 0)); break;
    case SYS_semop:
    case SYS_semtimedop: argument[0] = ipc_to_real(PTABLE_SEM, A(int, 0)); break;
    case SYS_msgsnd:
    case SYS_msgrcv: argument[0] = ipc_to_real(PTABLE_MSG, A(int, 0)); break;
    default: return false;
    }
    *result = call(number, argument);
    if (number == SYS_shmat && *result != -1)
        ipc_note(PTABLE_SHM, A(int, 0));
    return true;
}

static long call_translated(long number, long *argument)
{
    struct proc_path room;
    unsigned what = translation(number);
    long result;

    if (by_function(number, argument, &result))
        return result;
    if ((number == SYS_getpriority || number == SYS_setpriority) && A(int, 0) != PRIO_USER)
        what = SECOND;
    if ((number == SYS_ioprio_get || number == SYS_ioprio_set) && A(int, 0) != 3 /* IOPRIO_WHO_USER */)
        what = SECOND;
    if (what & FIRST)
        argument[0] = vpid_to_real(A(int, 0));
    if (what & SECOND)
        argument[1] = vpid_to_real(A(int, 1));
    if (what & FIRST_PATH)
        argument[0] = (long)proc_path(A(char *, 0), &room);
    if (what & SECOND_PATH)
        argument[1] = (long)proc_path(A(char *, 1), &room);
    result = call(number, argument);
    return what & RETURNS ? vpid_from_real((int)result) : result;
}

WRAP(long, syscall, (long number, ...))
{
    va_list list;
    long argument[6];

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        argument[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_wait4)
        return call_wait4(argument);
    if (number == SYS_waitid)
        return call_waitid(argument);
    if (number == SYS_timer_create)
        return call_timer_create(argument);
    if (number == SYS_getpid)
        return getpid();
    if (number == SYS_gettid)
        return gettid();
    WHOLE_IF(number == SYS_kill || number == SYS_tkill || number == SYS_tgkill || number == SYS_rt_sigqueueinfo || number == SYS_rt_tgsigqueueinfo ||
             number == SYS_shmat);
    long result;
    if (by_id(number, argument, &result))
        return result;
    if (number == SYS_getppid) /* differs in more cases than others: vpid.h */
        return getppid();
    return vpid_active ? call_translated(number, argument) : call(number, argument);
}
