#include "seccomp_filters.h"

#include <stdio.h>

unsigned seccomp_filters(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    unsigned filters = 0;
    char line[256];

    while (status && fgets(line, sizeof line, status))
        sscanf(line, "Seccomp_filters: %u", &filters);
    if (status)
        fclose(status);
    return filters;
}
