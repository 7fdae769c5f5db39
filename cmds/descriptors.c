#include "descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

void descriptors_reserve_standard(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd < 3);
    if (fd >= 3)
        close(fd);
}

static void close_between(int first, int last)
{
    struct rlimit limit = {0};

    if (first > last || !close_range((unsigned)first, (unsigned)last, 0))
        return;
    /* before Linux 5.9 */
    getrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = first; fd <= last && (rlim_t)fd < limit.rlim_max; fd++)
        close(fd);
}

void descriptors_close_but(int keep, int keep_too)
{
    int low = keep < keep_too ? keep : keep_too, high = keep < keep_too ? keep_too : keep;

    close_between(3, low - 1);
    close_between(low + 1, high - 1);
    close_between(high + 1, 0x7fffffff);
}
