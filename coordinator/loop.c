#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

#include "report.h"

enum { ROUND = 256 };

static int epoll = -1;
static bool stopped;
static struct timer *timers;

int loop_init(void)
{
    epoll = epoll_create1(EPOLL_CLOEXEC);
    return epoll < 0 ? errno : 0;
}

int loop_add(struct source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, source->fd, &event) ? errno : 0;
}

void loop_change(struct source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    epoll_ctl(epoll, EPOLL_CTL_MOD, source->fd, &event);
}

void loop_remove(struct source *source)
{
    epoll_ctl(epoll, EPOLL_CTL_DEL, source->fd, NULL);
}

uint64_t loop_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

void timer_set(struct timer *timer, uint64_t at_ns)
{
    timer->at_ns = at_ns;
    if (!timer->known) {
        timer->known = true;
        timer->next = timers;
        timers = timer;
    }
}

void timer_after(struct timer *timer, uint64_t delay_ns)
{
    timer_set(timer, loop_now_ns() + delay_ns);
}

void timer_clear(struct timer *timer)
{
    timer->at_ns = 0;
}

/* Milliseconds until the first timer, rounded up so that it has expired then; -1: none is set. */
static int until_first_timer(void)
{
    uint64_t first = 0, now, ms;

    for (struct timer *timer = timers; timer; timer = timer->next)
        if (timer->at_ns && (!first || timer->at_ns < first))
            first = timer->at_ns;
    if (!first)
        return -1;
    now = loop_now_ns();
    if (first <= now)
        return 0;
    ms = (first - now + 999999) / 1000000;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void expire_timers(void)
{
    uint64_t now = loop_now_ns();

    for (struct timer *timer = timers; timer; timer = timer->next)
        if (timer->at_ns && timer->at_ns <= now) {
            timer->at_ns = 0;
            timer->expired(timer);
        }
}

void loop_run(void (*after_round)(void))
{
    while (!stopped) {
        struct epoll_event events[ROUND];
        int count = epoll_wait(epoll, events, ROUND, until_first_timer());

        if (count < 0 && errno != EINTR)
            die("epoll_wait: %m");
        for (int i = 0; i < count; i++) {
            struct source *source = events[i].data.ptr;
            source->ready(source, events[i].events);
        }
        expire_timers();
        after_round();
    }
}

void loop_stop(void)
{
    stopped = true;
}
