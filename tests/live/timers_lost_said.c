/* Has a timer made by timer_create, and says something on standard error at each step. */
#include <signal.h>

#include "step.h"

int main(void)
{
    const struct itimerspec far = {.it_value.tv_sec = 100000};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;

    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &far, NULL) == 0);
    do
        fprintf(stderr, "the program has come to step %d\n", step_number_);
    while (step());
    return 0;
}
