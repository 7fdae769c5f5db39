/* Scheduling, limits and clocks of processes and threads by number. */
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "sys.h"
#include "timer_clock.h"
#include "timer_helper.h"
#include "vpid.h"
#include "wrap.h"

WRAP(int, sched_getaffinity, (pid_t pid, size_t size, cpu_set_t *set))
{
    return REAL(sched_getaffinity)(vpid_to_real(pid), size, set);
}

WRAP(int, sched_setaffinity, (pid_t pid, size_t size, const cpu_set_t *set))
{
    return REAL(sched_setaffinity)(vpid_to_real(pid), size, set);
}

WRAP(int, sched_getscheduler, (pid_t pid))
{
    return REAL(sched_getscheduler)(vpid_to_real(pid));
}

WRAP(int, sched_setscheduler, (pid_t pid, int policy, const struct sched_param *parameter))
{
    return REAL(sched_setscheduler)(vpid_to_real(pid), policy, parameter);
}

WRAP(int, sched_getparam, (pid_t pid, struct sched_param *parameter))
{
    return REAL(sched_getparam)(vpid_to_real(pid), parameter);
}

WRAP(int, sched_setparam, (pid_t pid, const struct sched_param *parameter))
{
    return REAL(sched_setparam)(vpid_to_real(pid), parameter);
}

WRAP(int, sched_rr_get_interval, (pid_t pid, struct timespec *interval))
{
    return REAL(sched_rr_get_interval)(vpid_to_real(pid), interval);
}

/* --- priorities and limits --- */

static id_t whose(int which, id_t who)
{
    return which == PRIO_USER ? who : (id_t)vpid_to_real((int)who);
}

WRAP(int, getpriority, (__priority_which_t which, id_t who))
{
    return REAL(getpriority)(which, whose((int)which, who));
}

WRAP(int, setpriority, (__priority_which_t which, id_t who, int priority))
{
    return REAL(setpriority)(which, whose((int)which, who), priority);
}

WRAP(int, prlimit, (pid_t pid, enum __rlimit_resource resource, const struct rlimit *set, struct rlimit *old))
{
    return REAL(prlimit)(vpid_to_real(pid), resource, set, old);
}

WRAP(int, prlimit64, (pid_t pid, enum __rlimit_resource resource, const struct rlimit64 *set, struct rlimit64 *old))
{
    return REAL(prlimit64)(vpid_to_real(pid), resource, set, old);
}

/* --- clocks and timers --- */

WRAP(int, clock_getcpuclockid, (pid_t pid, clockid_t *clock))
{
    return REAL(clock_getcpuclockid)(vpid_to_real(pid), clock);
}

WRAP(int, timer_create, (clockid_t clock, struct sigevent *event, timer_t *timer))
{
    struct sigevent copy;

    clock = timer_clock(clock);
    if (vpid_active && event && event->sigev_notify == SIGEV_THREAD)
        return timer_create_in_thread(REAL(timer_create), clock, event, timer);
    if (!vpid_active || !event || event->sigev_notify != SIGEV_THREAD_ID)
        return REAL(timer_create)(clock, event, timer);
    copy = *event;
    copy._sigev_un._tid = vpid_to_real(event->_sigev_un._tid);
    return REAL(timer_create)(clock, &copy, timer);
}
