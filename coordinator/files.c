#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

static struct {
    char *path;
    void *contents;
    size_t size;
} published[4];
static unsigned published_count;

static int write_all(int fd, const char *at, size_t size)
{
    while (size) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? errno : EIO;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

static int write_to_special(const char *path, const void *contents, size_t size)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), error;

    if (fd < 0)
        return errno;
    error = write_all(fd, contents, size);
    close(fd);
    return error;
}

int file_replace(const char *path, const void *contents, size_t size, mode_t mode, bool durable)
{
    char temporary[PATH_MAX];
    struct stat st;
    int fd, error;

    if (!stat(path, &st) && !S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? EISDIR : write_to_special(path, contents, size);
    if (snprintf(temporary, sizeof temporary, "%s.%d.temp", path, (int)getpid()) >= (int)sizeof temporary)
        return ENAMETOOLONG;
    unlink(temporary); /* of a dead process that had our pid */
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return errno;
    error = write_all(fd, contents, size);
    if (!error && durable && fsync(fd))
        error = errno;
    if (close(fd) && !error)
        error = errno;
    if (!error && rename(temporary, path))
        error = errno;
    if (error)
        unlink(temporary);
    return error;
}

int file_publish(const char *path, const void *contents, size_t size, mode_t mode)
{
    int error = file_replace(path, contents, size, mode, false);

    if (error)
        return error;
    published[published_count].path = strdup(path);
    published[published_count].contents = malloc(size);
    if (!published[published_count].path || !published[published_count].contents)
        die("no memory");
    memcpy(published[published_count].contents, contents, size);
    published[published_count++].size = size;
    return 0;
}

static bool holds(const char *path, const void *contents, size_t size)
{
    char found[4096];
    struct stat st;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return false;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode))
        n = read(fd, found, sizeof found);
    close(fd);
    return n == (ssize_t)size && !memcmp(found, contents, size);
}

void files_withdraw(void)
{
    while (published_count) {
        published_count--;
        if (holds(published[published_count].path, published[published_count].contents, published[published_count].size))
            unlink(published[published_count].path);
        free(published[published_count].path);
        free(published[published_count].contents);
    }
}

char *path_absolute(const char *path)
{
    char *directory, *absolute;

    if (*path == '/') {
        absolute = strdup(path);
    } else {
        directory = getcwd(NULL, 0);
        if (!directory)
            die("the current directory: %m");
        if (asprintf(&absolute, "%s/%s", strcmp(directory, "/") ? directory : "", path) < 0)
            absolute = NULL;
        free(directory);
    }
    if (!absolute)
        die("no memory");
    return absolute;
}
