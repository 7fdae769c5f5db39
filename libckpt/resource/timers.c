/* setitimer(2) and alarm(2). A mere checkpoint does not touch them; a restart arms them with the time that was left. */
#include "resource.h"
#include "sys.h"

#include <sys/time.h>

static struct itimerval timers[3];

void timers_save(void)
{
    for (int i = 0; i < 3; i++)
        syscall3(__NR_getitimer, i, (long)&timers[i], 0);
}

void timers_restore(void)
{
    for (int i = 0; i < 3; i++)
        if (timers[i].it_value.tv_sec || timers[i].it_value.tv_usec)
            syscall3(__NR_setitimer, i, (long)&timers[i], 0);
}
