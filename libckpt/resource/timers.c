/* setitimer(2) and alarm(2). A mere checkpoint does not touch them; a restart arms them with the time that was left. Timers of
 * timer_create(2) do not come back yet: the program runs on without them, but not without a word. */
#include "log.h"
#include "proc.h"
#include "resource.h"
#include "str.h"
#include "sys.h"

#include <sys/time.h>

#define LOG_MODULE "timers"

static struct itimerval timers[3];
static unsigned posix_timers;

/* proc_pid_timers(5): a paragraph each, "ID:" first; no such file without CONFIG_CHECKPOINT_RESTORE. More than fit are not counted. */
static unsigned count_posix_timers(void)
{
    char text[4096];
    unsigned count = 0;

    if (proc_read("/proc/self/timers", text, sizeof text) <= 0)
        return 0;
    for (const char *line = text; line && *line; line = str_find(line, '\n'), line += line != NULL)
        count += str_after(line, "ID:") != NULL;
    return count;
}

void timers_save(void)
{
    for (int i = 0; i < 3; i++)
        syscall3(__NR_getitimer, i, (long)&timers[i], 0);
    posix_timers = count_posix_timers();
}

void timers_restore(void)
{
    for (int i = 0; i < 3; i++)
        if (timers[i].it_value.tv_sec || timers[i].it_value.tv_usec)
            syscall3(__NR_setitimer, i, (long)&timers[i], 0);
    if (posix_timers)
        log_warn("timers made by timer_create can't be restored yet; the program has lost %u", posix_timers);
}
