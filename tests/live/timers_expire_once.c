/* Timers that expire at any moment of a checkpoint and a restart: each of them exactly once. */
#include <signal.h>

#include "step.h"

enum { TIMERS = 300, SPREAD_NS = 1500000 };

static volatile int fired[TIMERS], all;

static void on_timer(int number, siginfo_t *info, void *context)
{
    fired[info->si_value.sival_int]++;
    all++;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART};
    timer_t timer[TIMERS];
    int armed = 0;

    CHECK(sigaction(SIGRTMIN + 1, &action, NULL) == 0);
    for (int i = 0; i < TIMERS; i++) {
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = i};
        CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer[i]) == 0);
    }
    do {
        UNTIL(all >= armed * TIMERS);
        for (int i = 0; i < TIMERS; i++)
            CHECK(fired[i] == armed);
        armed++;
        for (int i = 0; i < TIMERS; i++) {
            struct itimerspec once = {.it_value.tv_nsec = 1 + (i + 1) * SPREAD_NS};
            CHECK(timer_settime(timer[i], 0, &once, NULL) == 0);
        }
    } while (step());
    puts("each once");
    return 0;
}
