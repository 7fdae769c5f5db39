/* timerfd_create(2): fdinfo tells the clock, the expirations that nobody has read yet, how it was set and what is left (proc_pid_fdinfo(5)).
 *
 * It runs on while a checkpoint is taken. After a restart it is armed in REFILL, when nothing else can delay the program: with the time that
 * was left, or, if it was set to a time of the wall clock, to that time. Expirations that were not read are given by ioctl(2), TFD_IOC_SET_TICKS
 * (kernels with CONFIG_CHECKPOINT_RESTORE); otherwise the timer is armed so far in the past that it expires as often at once. */
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>

#include "arena.h"
#include "fd.h"
#include "feature.h"
#include "fmt.h"
#include "library.h"
#include "proc.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"

#define SET_TICKS _IOW('T', 0, uint64_t)
#define SECOND 1000000000ull

struct timerfd_state {
    uint64_t clock, ticks, flags;
    uint64_t left_ns, interval_ns; /* left 0: not armed */
    uint64_t saved_at_ns; /* on its clock */
};

static bool timerfd_claim(const struct description *d)
{
    return str_equal(d->link, "anon_inode:[timerfd]");
}

static const char *skip_blanks(const char *at)
{
    while (at && (*at == ' ' || *at == '\t' || *at == '(' || *at == ','))
        at++;
    return at;
}

static bool take_number(const char *info, const char *name, uint64_t *number)
{
    const char *at = skip_blanks(proc_field(info, name));

    return at && str_number(&at, 10, number);
}

/* "(seconds, nanoseconds)" */
static bool take_time(const char *info, const char *name, uint64_t *ns)
{
    const char *at = skip_blanks(proc_field(info, name));
    uint64_t seconds, rest;

    if (!at || !str_number(&at, 10, &seconds))
        return false;
    at = skip_blanks(at);
    if (!str_number(&at, 10, &rest))
        return false;
    *ns = seconds * SECOND + rest;
    return true;
}

/* In the executor. The kernel counts the expirations of an interval, and starts the next one, only when somebody looks; fdinfo does not count as
 * looking. */
static long look(void *description)
{
    const struct description *d = description;
    struct itimerspec unused;

    return syscall3(__NR_timerfd_gettime, d->first, (long)&unused, 0);
}

static long timerfd_save(struct description *d, char *problem, size_t size)
{
    struct timerfd_state *state = d->own = arena_alloc(sizeof *state);

    if (!state)
        return -ENOMEM;
    fd_call(d, look, d);
    long error = survey_refresh(d);
    if (error)
        return error;
    if (take_number(d->info, "clockid", &state->clock) && take_number(d->info, "ticks", &state->ticks) &&
        take_number(d->info, "settime flags", &state->flags) && take_time(d->info, "it_value", &state->left_ns) &&
        take_time(d->info, "it_interval", &state->interval_ns)) {
        state->saved_at_ns = sys_now_ns((int)state->clock);
        if (!state->left_ns && state->ticks) /* it expired just now, after the look */
            state->left_ns = state->interval_ns;
        return 0;
    }
    fmt(problem, size, "descriptor %d (%s): this kernel's fdinfo does not tell how the timer is set; close it before a checkpoint", d->first, d->link);
    return -EPROTO;
}

/* Clocks that wake the machine want a privilege; without it the timer waits for the machine to be awake. */
static int asleep(int clock)
{
    return clock == CLOCK_REALTIME_ALARM ? CLOCK_REALTIME : clock == CLOCK_BOOTTIME_ALARM ? CLOCK_BOOTTIME : clock;
}

static long timerfd_restore(struct description *d, int low, char *problem, size_t size)
{
    const struct timerfd_state *state = d->own;
    int flags = TFD_CLOEXEC | (int)(d->flags & O_NONBLOCK);
    long fd = syscall3(__NR_timerfd_create, (long)state->clock, flags, 0);

    if (fd == -EPERM)
        fd = syscall3(__NR_timerfd_create, asleep((int)state->clock), flags, 0);
    if (fd < 0)
        fmt(problem, size, "descriptor %d (timerfd, clock %d) can't be made: %e", d->first, (int)state->clock, (int)fd);
    return fd_lift(fd, low);
}

static long set_time(int fd, uint64_t flags, uint64_t value_ns, uint64_t interval_ns)
{
    struct itimerspec spec = {.it_value = {(time_t)(value_ns / SECOND), (long)(value_ns % SECOND)},
                              .it_interval = {(time_t)(interval_ns / SECOND), (long)(interval_ns % SECOND)}};

    return syscall6(__NR_timerfd_settime, fd, (long)flags, (long)&spec, 0, 0, 0);
}

/* As often expired as it was, and next when it would have. */
static void arm_in_the_past(int fd, const struct timerfd_state *state)
{
    uint64_t now = sys_now_ns((int)state->clock), gone = state->ticks * state->interval_ns;

    if (!state->interval_ns)
        set_time(fd, 0, 1, 0);
    else
        set_time(fd, TFD_TIMER_ABSTIME, now + state->left_ns > gone ? now + state->left_ns - gone : 1, state->interval_ns);
}

static long timerfd_refill(struct description *d, bool restarted)
{
    const struct timerfd_state *state = d->own;
    bool wall = asleep((int)state->clock) == CLOCK_REALTIME && state->flags & TFD_TIMER_ABSTIME;

    if (!restarted)
        return 0;
    if (state->left_ns && wall)
        set_time(d->first, state->flags & (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET), state->saved_at_ns + state->left_ns, state->interval_ns);
    else if (state->left_ns)
        set_time(d->first, 0, state->left_ns, state->interval_ns);
    if (state->ticks && (lib.conf.disabled & FEATURE_TIMER_TICKS || sys_ioctl(d->first, SET_TICKS, (void *)(uintptr_t)&state->ticks) < 0))
        arm_in_the_past(d->first, state);
    return 0;
}

const struct fd_kind fd_timerfd = {
    .name = "timerfd", .claim = timerfd_claim, .save = timerfd_save, .restore = timerfd_restore, .refill = timerfd_refill};
