/* Clocks of other processes and threads carry a number: clock_getcpuclockid(3); the bits are those of the kernel's posix-timers (time(7) names
 * none of them). 0 stands for the caller. */
#ifndef CPU_CLOCK_H
#define CPU_CLOCK_H

#include <stdbool.h>

enum { CPU_CLOCK_KIND = 3, CPU_CLOCK_OF_DESCRIPTOR = 3, CPU_CLOCK_OF_THREAD = 4, CPU_CLOCK_SCHED = 2 };

/* The process's or thread's number in a clock; -1: the clock has none. */
static inline int cpu_clock_number(int clock)
{
    return clock < 0 && (clock & CPU_CLOCK_KIND) != CPU_CLOCK_OF_DESCRIPTOR ? ~(clock >> 3) : -1;
}

static inline int cpu_clock_with_number(int clock, int number)
{
    return (int)(~(unsigned)number << 3) | (clock & 7);
}

/* The clock that CLOCK_THREAD_CPUTIME_ID is in the thread of this number. */
static inline int cpu_clock_of_thread(int tid)
{
    return (int)(~(unsigned)tid << 3) | CPU_CLOCK_OF_THREAD | CPU_CLOCK_SCHED;
}

#endif
