/* setitimer(2), alarm(2) and timer_create(2). A mere checkpoint does not touch them; a restart makes and arms them with the time that was left,
 * last of all, so that nothing expires before the program runs.
 *
 * POSIX timers are found in /proc/self/timers. Their numbers are the kernel's, known to the program or to libc, so a new timer must get the old
 * one: since Linux 6.15 a process may ask for it (PR_TIMER_CREATE_RESTORE_IDS). Before, numbers only count up from 0 in a new process,
 * which a restarted one is: timers are made and deleted until the number has come. What is lost is the count of overruns of a signal that
 * was pending, and whether a timer on CLOCK_REALTIME was set to a time of day. */
#include <limits.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "arena.h"
#include "cpu_clock.h"
#include "feature.h"
#include "library.h"
#include "log.h"
#include "proc.h"
#include "resource.h"
#include "scratch.h"
#include "str.h"
#include "sys.h"
#include "threads.h"
#include "vpid.h"

#define LOG_MODULE "timers"
#define TEXT_SIZE (1u << 16) /* a paragraph a timer, of some 80 bytes; doubled until all fit */
#define SET_RESTORE_IDS 77 /* prctl(2), PR_TIMER_CREATE_RESTORE_IDS */

struct posix_timer {
    struct posix_timer *next;
    int id;
    int clock; /* with a virtual number, if it has one */
    int notify; /* SIGEV_SIGNAL … */
    int thread; /* virtual; 0: the process */
    int signal;
    uint64_t value;
    struct itimerspec left;
};

static struct itimerval timers[3];
static struct posix_timer *posix_timers; /* arena; by ascending id */
static bool unknown; /* no /proc/self/timers */

/* --- checkpoint --- */

/* After `name` at the line's start: "ID: 0", "signal: 60/00007fff86e452a8", "notify: signal/tid.2634", "ClockID: -6" (proc_pid_timers(5)). */
static bool number_after(const char *line, const char *name, int *number)
{
    const char *at = str_after(line, name);
    uint64_t value;
    bool negative;

    if (!at)
        return false;
    while (*at == ' ')
        at++;
    negative = *at == '-';
    at += negative;
    if (!str_number(&at, 10, &value))
        return false;
    *number = negative ? -(int)value : (int)value;
    return true;
}

static void take_notify(struct posix_timer *timer, const char *at)
{
    const char *after;
    int number;

    while (*at == ' ')
        at++;
    if ((after = str_after(at, "none/")))
        timer->notify = SIGEV_NONE;
    else if ((after = str_after(at, "thread/")))
        timer->notify = SIGEV_THREAD;
    else if ((after = str_after(at, "signal/")))
        timer->notify = SIGEV_SIGNAL;
    if (after && number_after(after, "tid.", &number))
        timer->thread = vpid_from_real(number);
}

static void take_line(struct posix_timer *timer, const char *line)
{
    const char *at;
    int number;

    if (number_after(line, "signal:", &timer->signal)) {
        at = str_find(line, '/') + 1;
        str_number(&at, 16, &timer->value);
    } else if ((at = str_after(line, "notify:"))) {
        take_notify(timer, at);
    } else if (number_after(line, "ClockID:", &timer->clock) && (number = cpu_clock_number(timer->clock)) > 0) {
        timer->clock = cpu_clock_with_number(timer->clock, vpid_from_real(number));
    }
}

static void insert(struct posix_timer *timer)
{
    struct posix_timer **at = &posix_timers;

    while (*at && (*at)->id < timer->id)
        at = &(*at)->next;
    timer->next = *at;
    *at = timer;
}

static long parse(const char *text)
{
    struct posix_timer *timer = NULL;

    for (const char *line = text; line && *line; line = str_find(line, '\n'), line += line != NULL) {
        int id;
        if (!number_after(line, "ID:", &id)) {
            if (timer)
                take_line(timer, line);
            continue;
        }
        timer = arena_alloc(sizeof *timer);
        if (!timer)
            return -ENOMEM;
        timer->id = id;
        insert(timer);
    }
    return 0;
}

static long save_posix(void)
{
    long n, error = -ENOMEM;

    posix_timers = NULL;
    for (size_t size = TEXT_SIZE;; size *= 2) {
        char *text = scratch_map(size, false);
        if (!text)
            return -ENOMEM;
        n = proc_read("/proc/self/timers", text, size);
        bool whole = n < (long)size - 1;
        unknown = n < 0;
        if (whole)
            error = n > 0 ? parse(text) : 0;
        scratch_unmap(text, size);
        if (whole)
            return error;
    }
}

static bool read_all(void)
{
    bool any = posix_timers != NULL;

    for (int i = 0; i < 3; i++) {
        syscall3(__NR_getitimer, i, (long)&timers[i], 0);
        any |= timers[i].it_value.tv_sec || timers[i].it_value.tv_usec || timers[i].it_interval.tv_sec || timers[i].it_interval.tv_usec;
    }
    for (struct posix_timer *timer = posix_timers; timer; timer = timer->next)
        syscall3(__NR_timer_gettime, timer->id, (long)&timer->left, 0);
    return any;
}

/* What expired before its timer was read must be among the pending signals that were taken, and what expires later must not be, or an expiration is
 * lost or comes twice: read again until nothing has come meanwhile. Timers that are faster than we can read are caught at any instant. */
long timers_save(void)
{
    long error = save_posix(), more = 1;

    for (int i = 0; !error && more > 0 && i < 8; i++) {
        if (!read_all())
            break;
        more = signals_pending_more();
        if (more < 0)
            error = more;
    }
    return error;
}

/* --- restart --- */

static long create(const struct posix_timer *timer, int clock, int *id)
{
    struct sigevent event = {.sigev_notify = timer->notify, .sigev_signo = timer->signal, .sigev_value.sival_ptr = (void *)timer->value};

    if (timer->thread) {
        const struct thread *thread = threads_by_tid(timer->thread);
        if (!thread || thread->state != THREAD_PARKED) {
            event.sigev_notify = SIGEV_NONE; /* it had ended: the timer tells nobody, but can be asked for */
        } else {
            event.sigev_notify |= SIGEV_THREAD_ID;
            event._sigev_un._tid = thread->real_tid;
        }
    }
    return syscall3(__NR_timer_create, clock, (long)&event, (long)id);
}

static long create_with_id(const struct posix_timer *timer, int clock, bool chosen)
{
    int id = timer->id;
    long error;

    while (!(error = create(timer, clock, &id)) && id != timer->id) {
        syscall3(__NR_timer_delete, id, 0, 0);
        if (chosen || id > timer->id)
            return -EEXIST;
    }
    return error;
}

/* Clocks that wake the machine want a privilege; without it the timer waits for the machine to be awake. */
static int asleep(int clock)
{
    return clock == CLOCK_REALTIME_ALARM ? CLOCK_REALTIME : clock == CLOCK_BOOTTIME_ALARM ? CLOCK_BOOTTIME : clock;
}

static void restore_posix(void)
{
    bool chosen = !(lib.conf.disabled & FEATURE_TIMER_IDS) && sys_prctl(SET_RESTORE_IDS, 1, 0, 0, 0) == 0;

    for (const struct posix_timer *timer = posix_timers; timer; timer = timer->next) {
        int number = cpu_clock_number(timer->clock);
        int clock = number > 0 ? cpu_clock_with_number(timer->clock, vpid_to_real(number)) : timer->clock;
        long error = create_with_id(timer, clock, chosen);

        if (error == -EPERM && asleep(clock) != clock)
            error = create_with_id(timer, asleep(clock), chosen);
        if (error)
            log_warn("timer %d of timer_create (clock %d) can't be made again, the program has lost it: %e", timer->id, timer->clock, (int)error);
        else
            syscall6(__NR_timer_settime, timer->id, 0, (long)&timer->left, 0, 0, 0);
    }
    if (chosen)
        sys_prctl(SET_RESTORE_IDS, 0, 0, 0, 0);
}

void timers_restore(void)
{
    for (int i = 0; i < 3; i++) {
        struct itimerval *timer = &timers[i];
        /* The kernel starts a timer's next round when SIGALRM is delivered, so while that is pending no time is left. */
        if (!timer->it_value.tv_sec && !timer->it_value.tv_usec)
            timer->it_value = timer->it_interval;
        if (timer->it_value.tv_sec || timer->it_value.tv_usec)
            syscall3(__NR_setitimer, i, (long)timer, 0);
    }
    restore_posix();
    if (unknown)
        log_warn("this kernel does not tell which timers of timer_create a program has; if it had any, they are lost");
}
