#include "absolute.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "die.h"

void absolute_path(char *to, size_t size, const char *path)
{
    char here[PATH_MAX] = "";
    int n;

    while (path[0] == '.' && (path[1] == '/' || !path[1])) {
        path++;
        while (*path == '/')
            path++;
        if (!*path)
            break;
    }
    if (*path != '/' && !getcwd(here, sizeof here))
        die(FAIL_TOOL, "the working directory: %m");
    n = snprintf(to, size, *here && *path && here[1] ? "%s/%s" : "%s%s", here, path);
    if (n < 0 || (size_t)n >= size)
        die(FAIL_TOOL, "%s: the path is too long", path);
    while (n > 1 && to[n - 1] == '/')
        to[--n] = 0;
}
