#include "log.h"

#include "fmt.h"
#include "phase.h"
#include "sys.h"

struct log log_state = {.level = LOG_WARN, .fd = -1};

/* Opened again, without waiting for a reader. But a file opened again has an offset of its own, and what the program writes next would go
 * over our line; and a terminal or file of another user, inherited through su or setpriv, can't be opened again: there, the program's own
 * description serves for a moment (pidfd_getfd(2), Linux 5.6). */
static long program_standard_error(void)
{
    long fd = sys_open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0), process, own;
    struct stat st;

    if (fd < 0 ? fd != -EACCES : sys_fstat((int)fd, &st) || !S_ISREG(st.st_mode))
        return fd;
    process = syscall3(__NR_pidfd_open, sys_getpid(), 0, 0);
    if (process < 0)
        return fd;
    own = syscall3(__NR_pidfd_getfd, process, 2, 0);
    sys_close((int)process);
    if (own < 0)
        return fd;
    if (fd >= 0)
        sys_close((int)fd);
    return own;
}

static void emit(const char *line, size_t size)
{
    long fd = -1;

    if (log_state.file[0])
        fd = sys_open(log_state.file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    else if (log_state.fd == LOG_PROGRAM_STDERR)
        fd = program_standard_error();
    else
        sys_write(log_state.fd >= 0 ? log_state.fd : 2, line, size);
    if (fd >= 0) {
        sys_write((int)fd, line, size);
        sys_close((int)fd);
    }
}

void log_line(int level, const char *module, const char *format, ...)
{
    char line[1024];
    struct timespec now;
    va_list list;
    size_t n;

    if (level > log_state.level)
        return;
    sys_clock_gettime(CLOCK_REALTIME, &now);
    if (log_state.level >= LOG_TRACE)
        n = fmt(line, sizeof line - 1, "%lu.%06u %d %s %s: ", now.tv_sec, (unsigned)(now.tv_nsec / 1000), sys_gettid(),
                phase_name(log_state.phase), module);
    else
        n = fmt(line, sizeof line - 1, "dmtcp %s: ", module);
    va_start(list, format);
    n += fmt_list(line + n, sizeof line - 1 - n, format, list);
    va_end(list);
    line[n++] = '\n';
    emit(line, n);
}
