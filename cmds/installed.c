#include "installed.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "die.h"

void installed_path(char *to, size_t size, const char *part)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *end;

    if (n < 0)
        die(FAIL_TOOL, "/proc/self/exe: %m");
    self[n] = 0;
    for (int up = 0; up < 2; up++) {
        end = strrchr(self, '/');
        if (end)
            *end = 0;
    }
    n = snprintf(to, size, "%s/%s", self, part);
    if (n < 0 || (size_t)n >= size)
        die(FAIL_TOOL, "%s/%s: the path is too long", self, part);
    if (access(to, R_OK))
        die(FAIL_TOOL, "%s: %m; DMTCP is not completely installed", to);
}
