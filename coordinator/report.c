#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "phase.h"
#include "set.h"

enum severity { NOTE, WARNING };

static int log_fd = -1, quiet;
static bool detached;

int report_open(const char *path, int how_quiet)
{
    quiet = how_quiet;
    if (!path)
        return 0;
    log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    return log_fd < 0 ? errno : 0;
}

int report_log_fd(void)
{
    return log_fd;
}

void report_detach(void)
{
    detached = true;
}

/* A log that can't be written must not stop the coordinator, so the result of write is looked at by nobody. */
static void put_line(enum severity severity, const char *format, va_list list)
{
    char line[4096];
    struct timespec now;
    struct tm local;
    size_t used;
    int n;

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &local);
    n = snprintf(line + used, sizeof line - used, ".%03ld %d %s dmtcp_coordinator: ", now.tv_nsec / 1000000, (int)getpid(),
                 phase_name(set_phase()));
    used += (size_t)n;
    n = vsnprintf(line + used, sizeof line - used - 1, format, list);
    if (n > 0)
        used += (size_t)n < sizeof line - used - 1 ? (size_t)n : sizeof line - used - 2;
    line[used++] = '\n';
    if (log_fd >= 0) {
        if (write(log_fd, line, used) < 0)
            return;
    } else if (!detached && quiet <= (int)severity) {
        if (write(2, line, used) < 0)
            return;
    }
}

void note(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    put_line(NOTE, format, list);
    va_end(list);
}

void warn(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    put_line(WARNING, format, list);
    va_end(list);
}

void die(const char *format, ...)
{
    const char *code = getenv("DMTCP_FAIL_RC");
    int saved = errno;
    va_list list;

    if (log_fd >= 0) {
        va_start(list, format);
        put_line(WARNING, format, list);
        va_end(list);
    }
    fputs("dmtcp_coordinator: ", stderr);
    va_start(list, format);
    errno = saved;
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    exit(code && atoi(code) > 0 && atoi(code) < 256 ? atoi(code) : 99);
}
