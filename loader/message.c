#include "fmt.h"
#include "loader.h"

static void say(const char *kind, const char *format, va_list list)
{
    static char line[sizeof loader.handoff.image_path + 512];
    size_t n = fmt(line, sizeof line - 1, "dmtcp_restart: %s: %s", loader.handoff.image_path, kind);

    n += fmt_list(line + n, sizeof line - 1 - n, format, list);
    line[n++] = '\n';
    sys_write_all(2, line, n);
}

void die(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    say("", format, list);
    sys_exit_group((int)loader.handoff.fail_rc);
}

void warn(const char *format, ...)
{
    va_list list;

    if (!loader.warnings)
        return;
    va_start(list, format);
    say("warning: ", format, list);
    va_end(list);
}
