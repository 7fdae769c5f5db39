#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STAT_MAX = 1024 };

/* Field 3 or a later one of proc_pid_stat(5), in `text`; NULL: there is no such process. */
static const char *stat_field(uint32_t pid, int wanted, char text[STAT_MAX])
{
    char path[64], *at;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    n = read(fd, text, STAT_MAX - 1);
    close(fd);
    if (n <= 0)
        return NULL;
    text[n] = 0;
    at = strrchr(text, ')'); /* field 2 may hold anything, blanks and brackets included */
    for (int field = 2; at && field < wanted; field++)
        at = strchr(at + 1, ' ');
    return at ? at + 1 : NULL;
}

uint64_t process_start_time(uint32_t pid)
{
    char text[STAT_MAX];
    const char *field = stat_field(pid, 22, text);

    return field ? strtoull(field, NULL, 10) : 0;
}

bool process_lives(uint32_t pid)
{
    char text[STAT_MAX];
    const char *field = stat_field(pid, 3, text);

    return field && *field != 'Z' && *field != 'X';
}

bool process_is_stopped(uint32_t pid, uint64_t start_time)
{
    char text[STAT_MAX];
    const char *field = stat_field(pid, 3, text);

    return field && (*field == 'T' || *field == 't') && process_start_time(pid) == start_time;
}

bool process_is_job_stopped(uint32_t pid, uint64_t start_time)
{
    char text[STAT_MAX];
    const char *field = stat_field(pid, 3, text);

    return field && *field == 'T' && start_time && process_start_time(pid) == start_time;
}

bool process_signal(uint32_t pid, uint64_t start_time, int number)
{
    /* The descriptor stands for one process, whatever becomes of its number: first get it, then see whether it is the right one. */
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    bool sent;

    if (fd < 0 && errno != ENOSYS)
        return false;
    if (!start_time || process_start_time(pid) != start_time) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (fd < 0)
        return !kill((pid_t)pid, number); /* before Linux 5.3 */
    sent = !syscall(SYS_pidfd_send_signal, fd, number, NULL, 0);
    close(fd);
    return sent;
}

bool process_kill(uint32_t pid, uint64_t start_time)
{
    return process_signal(pid, start_time, SIGKILL);
}
