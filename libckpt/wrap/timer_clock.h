/* timer_create(2): the clock that the kernel is to be asked for. */
#ifndef TIMER_CLOCK_H
#define TIMER_CLOCK_H

#include <time.h>

#include "cpu_clock.h"
#include "sys.h"
#include "vpid.h"

static inline clockid_t timer_clock(clockid_t clock)
{
    int number = cpu_clock_number(clock);

    if (clock == CLOCK_THREAD_CPUTIME_ID) /* by its number, or nobody can tell afterwards which thread's clock it was */
        return cpu_clock_of_thread(sys_gettid());
    return number > 0 ? cpu_clock_with_number(clock, vpid_to_real(number)) : clock;
}

#endif
