#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"

/* By writing a file: access(2) says yes to root for file systems that can't take any. 0, or errno. */
static int try_to_write(const char *path)
{
    char name[PATH_MAX + 32];
    int fd;

    snprintf(name, sizeof name, "%s/.dmtcp-XXXXXX", path);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return errno;
    close(fd);
    return unlink(name) ? errno : 0;
}

void directory_check(const char *path, bool named)
{
    const char *what = "";
    struct stat st;
    int problem = 0;

    if (stat(path, &st)) {
        if (errno != ENOENT || mkdir(path, 0777))
            problem = errno;
    } else if (!S_ISDIR(st.st_mode)) {
        problem = ENOTDIR;
    }
    if (!problem) {
        what = "no file can be written there: ";
        problem = try_to_write(path);
    }
    if (!problem)
        return;
    if (named)
        die(FAIL_TOOL, "checkpoint directory %s: %s%s; choose another with --ckptdir", path, what, strerror(problem));
    warn("checkpoints will fail: directory %s: %s%s; choose another with --ckptdir", path, what, strerror(problem));
}
