/* timerfds over checkpoints and restarts: what was not read is read once, intervals go on, the time that was left is left, and one that was set
 * to a time of day keeps it; in epoll too. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "step.h"

static int make(int clock, int flags, struct itimerspec spec)
{
    int fd = timerfd_create(clock, TFD_NONBLOCK);

    CHECK(fd >= 0 && timerfd_settime(fd, flags, &spec, NULL) == 0);
    return fd;
}

static uint64_t expirations(int fd)
{
    uint64_t count = 0;
    return read(fd, &count, sizeof count) == sizeof count ? count : 0;
}

static bool has_expired(int fd)
{
    struct epoll_event event;
    return epoll_wait(fd, &event, 1, 0) == 1;
}

int main(void)
{
    struct timespec now;
    struct itimerspec left;

    clock_gettime(CLOCK_REALTIME, &now);
    int often = make(CLOCK_MONOTONIC, 0, (struct itimerspec){{0, 3000000}, {0, 3000000}});
    int rarely = make(CLOCK_MONOTONIC, 0, (struct itimerspec){{500, 0}, {0, 1000000}}); /* expires once, then not for long */
    int once = make(CLOCK_BOOTTIME, 0, (struct itimerspec){{0}, {0, 1000000}});
    int later = make(CLOCK_MONOTONIC, 0, (struct itimerspec){{0}, {5000, 0}});
    int never = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int day = make(CLOCK_REALTIME, TFD_TIMER_ABSTIME, (struct itimerspec){{0}, {now.tv_sec + 5000, 0}});
    int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};

    CHECK(epoll_ctl(poll, EPOLL_CTL_ADD, often, &event) == 0);
    UNTIL(timerfd_gettime(rarely, &left) == 0 && left.it_value.tv_sec > 1);
    UNTIL(timerfd_gettime(once, &left) == 0 && !left.it_value.tv_nsec);
    for (int round = 0; step(); round++) {
        struct timespec then;

        CHECK(expirations(rarely) == (round ? 0 : 1));
        CHECK(expirations(once) == (round ? 0 : 1));
        UNTIL(has_expired(poll));
        UNTIL(expirations(often) > 0);
        UNTIL(expirations(often) > 0);
        CHECK(timerfd_gettime(rarely, &left) == 0 && left.it_interval.tv_sec == 500 && left.it_value.tv_sec > 300);
        CHECK(timerfd_gettime(later, &left) == 0 && left.it_value.tv_sec > 4000 && left.it_value.tv_sec < 5000);
        CHECK(timerfd_gettime(never, &left) == 0 && !left.it_value.tv_sec && !left.it_value.tv_nsec && expirations(never) == 0);
        CHECK(timerfd_gettime(day, &left) == 0);
        clock_gettime(CLOCK_REALTIME, &then);
        long expected = now.tv_sec + 5000 - then.tv_sec;
        CHECK(left.it_value.tv_sec >= expected - 2 && left.it_value.tv_sec <= expected);
        CHECK(fcntl(often, F_GETFL) & O_NONBLOCK && fcntl(never, F_GETFD) & FD_CLOEXEC);
    }
    puts("timerfds came back");
    return 0;
}
