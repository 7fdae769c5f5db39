#ifndef TIMER_HELPER_H
#define TIMER_HELPER_H

#include <signal.h>
#include <time.h>

typedef int timer_create_function(clockid_t clock, struct sigevent *event, timer_t *timer);

/* timer_create(3) with SIGEV_THREAD, when numbers may differ. */
int timer_create_in_thread(timer_create_function *real, clockid_t clock, struct sigevent *event, timer_t *timer)
    __attribute__((visibility("hidden")));

#endif
