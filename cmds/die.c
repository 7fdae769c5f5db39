#include "die.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "str.h"

int tell_level = LOG_WARN;
static const char *name = "dmtcp";
static int rc = 99;

/* One write, so that lines of several programs on one terminal don't mix. */
static void tell(const char *format, va_list list)
{
    char line[8192];
    int n = snprintf(line, sizeof line, "%s: ", name);
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, format, list);

    n = m < 0 ? n : n + m < (int)sizeof line - 1 ? n + m : (int)sizeof line - 2;
    line[n++] = '\n';
    if (write(2, line, (size_t)n) < 0)
        return; /* nobody listens */
}

void die_init(const char *argv0)
{
    const char *text = getenv("DMTCP_FAIL_RC");
    uint64_t value;

    name = str_base(argv0 ? argv0 : "dmtcp");
    if (!text || !*text)
        return;
    if (!str_to_number(text, 0, 253, &value))
        die(FAIL_TOOL, "DMTCP_FAIL_RC=%s: must be a number from 0 to 253", text);
    rc = (int)value;
}

const char *die_name(void)
{
    return name;
}

int fail_rc(void)
{
    return rc;
}

void die(enum fail which, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    tell(format, list);
    va_end(list);
    exit(rc + (int)which);
}

void warn(const char *format, ...)
{
    va_list list;

    if (tell_level < LOG_WARN)
        return;
    va_start(list, format);
    tell(format, list);
    va_end(list);
}

void note(const char *format, ...)
{
    va_list list;

    if (tell_level < LOG_NOTE)
        return;
    va_start(list, format);
    tell(format, list);
    va_end(list);
}
