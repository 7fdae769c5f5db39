#include "log.h"

#include "fmt.h"
#include "phase.h"
#include "sys.h"

struct log log_state = {.level = LOG_WARN, .fd = -1};

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
    sys_write(log_state.fd >= 0 ? log_state.fd : 2, line, n);
}
