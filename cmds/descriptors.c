#include "descriptors.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

void descriptors_note_standard(struct conf *conf)
{
    uint64_t *stream[] = {&conf->stream0, &conf->stream1, &conf->stream2};
    struct stat status;

    for (int fd = 0; fd < 3; fd++)
        *stream[fd] = !fstat(fd, &status) && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) ? conf_stream(status.st_dev, status.st_ino) : 0;
}

void descriptors_close_on_exec(void)
{
    struct rlimit limit = {0};

    if (!close_range(3, ~0u, CLOSE_RANGE_CLOEXEC))
        return;
    /* before Linux 5.11 */
    getrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = 3; (rlim_t)fd < limit.rlim_max && fd < 1 << 20; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}
