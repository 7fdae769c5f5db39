#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

uint64_t process_start_time(uint32_t pid)
{
    char path[64], text[1024], *at;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = 0;
    at = strrchr(text, ')'); /* field 2 may hold anything, blanks and brackets included */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

bool process_is_stopped(uint32_t pid, uint64_t start_time)
{
    char path[64], text[1024], *at;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    fd = start_time ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    at = strrchr(text, ')');
    return at && at[1] == ' ' && at[2] == 'T' && process_start_time(pid) == start_time;
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
