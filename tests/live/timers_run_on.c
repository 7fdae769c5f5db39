/* Interval timers, POSIX timers, alarm: a checkpoint neither stops nor rearms them. With an argument, timers that call a function
 * in a thread (for which libc has a thread of its own, all signals blocked). */
#include <signal.h>
#include <sys/time.h>

#include "step.h"

static volatile int ticks[3];

static void on_tick(int number, siginfo_t *info, void *context)
{
    int which = number == SIGALRM ? 0 : number == SIGVTALRM ? 1 : 2;

    if (which == 2)
        CHECK(info->si_code == SI_TIMER && info->si_value.sival_int == 99);
    ticks[which]++;
}

static void count(union sigval value)
{
    __atomic_add_fetch((int *)value.sival_ptr, 1, __ATOMIC_SEQ_CST);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct itimerval interval = {{0, 5000}, {0, 5000}}, now;
    struct itimerspec spec = {{0, 5000000}, {0, 5000000}}, far = {{0}, {5000, 0}}, left;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 99};
    static int thread_ticks;
    struct sigevent in_thread = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = count, .sigev_value.sival_ptr = &thread_ticks};
    timer_t posix, threaded, long_one;
    struct timespec start, end;

    CHECK(sigaction(SIGALRM, &action, NULL) == 0 && sigaction(SIGRTMIN + 1, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &interval, NULL) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &posix) == 0 && timer_settime(posix, 0, &spec, NULL) == 0);
    if (argc > 1)
        CHECK(timer_create(CLOCK_MONOTONIC, &in_thread, &threaded) == 0 && timer_settime(threaded, 0, &spec, NULL) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &long_one) == 0 && timer_settime(long_one, 0, &far, NULL) == 0);
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (step()) {
        int before[3] = {ticks[0], 0, ticks[2]}, in_threads = thread_ticks;

        UNTIL(ticks[0] > before[0] + 3);
        UNTIL(ticks[2] > before[2] + 3);
        UNTIL(argc == 1 || *(volatile int *)&thread_ticks > in_threads + 3);
        CHECK(getitimer(ITIMER_REAL, &now) == 0 && now.it_interval.tv_usec == 5000);
        CHECK(timer_gettime(long_one, &left) == 0);
        clock_gettime(CLOCK_MONOTONIC, &end);
        long gone = end.tv_sec - start.tv_sec;
        CHECK(left.it_value.tv_sec <= 5000 - gone && left.it_value.tv_sec >= 5000 - gone - 2);
    }
    puts("timers ran on");
    return 0;
}
