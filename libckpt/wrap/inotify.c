/* inotify_add_watch(2): the kernel does not tell the name of what is watched. */
#include <sys/inotify.h>

#include "watched.h"
#include "wrap.h"

WRAP(int, inotify_add_watch, (int fd, const char *path, uint32_t mask))
{
    int watch = REAL(inotify_add_watch)(fd, path, mask);

    if (watch >= 0)
        watched_note(path, mask & IN_DONT_FOLLOW, watch);
    return watch;
}
