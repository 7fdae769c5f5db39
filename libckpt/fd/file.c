/* Regular files, directories, and the memory devices: opened again by name. */
#include "contents.h"
#include "fd.h"
#include "fmt.h"
#include "log.h"
#include "str.h"
#include "sys.h"

#include <sys/sysmacros.h>

#define LOG_MODULE "file"

/* What open(2) would do again to the file, or needs a mode for. */
#define ONCE_ONLY (O_CREAT | O_EXCL | O_TRUNC | O_TMPFILE)

static bool writable(const struct description *d)
{
    return (d->flags & O_ACCMODE) != O_RDONLY;
}

static bool file_claim(const struct description *d)
{
    return S_ISREG(d->st.st_mode) && d->link[0] == '/' && !str_after(d->link, "/memfd:") && !str_after(d->link, "/proc/");
}

/* What the program appended after the checkpoint it will append again: the file goes back to the length it had. */
static long undo_appends(const struct description *d, int fd, char *problem, size_t size)
{
    struct stat now;
    long error;

    if (!(d->flags & O_APPEND) || !writable(d) || sys_fstat(fd, &now) < 0 || now.st_size <= d->st.st_size)
        return 0;
    error = sys_ftruncate(fd, (uint64_t)d->st.st_size);
    if (error < 0)
        fmt(problem, size, "%s (descriptor %d, opened for appending) can't be cut to its length at the checkpoint: %e", d->link,
            d->first, (int)error);
    return error;
}

static long open_again(struct description *d, int low, char *problem, size_t size)
{
    long fd = fd_lift(sys_open(d->link, (int)(d->flags & ~(uint32_t)ONCE_ONLY) | O_CLOEXEC | O_NOCTTY, 0), low);

    if (fd < 0)
        fmt(problem, size, "%s (descriptor %d) can't be opened: %e; put it back, then restart", d->link, d->first, (int)fd);
    return fd;
}

/* A batch system's file for the output of a job, most often, which is gone with that job: no reason to lose the computation. */
static bool is_output(const struct description *d)
{
    return d->standard && writable(d);
}

static long instead(const struct description *d, int error, int low)
{
    log_warn("%s, where the program's output went (descriptor %d), can't be opened: %e; the output goes where dmtcp_restart's goes", d->link,
             d->first, error);
    return fd_inherited(d, low);
}

static long file_save(struct description *d, char *problem, size_t size)
{
    return contents_save(d, problem, size);
}

static long file_restore(struct description *d, int low, char *problem, size_t size)
{
    struct stat now;
    long error = contents_restore(d, d->link, problem, size), fd;

    if (error)
        return error;
    fd = open_again(d, low, problem, size);
    if (fd < 0)
        return is_output(d) ? instead(d, (int)fd, low) : fd;
    if (sys_fstat((int)fd, &now) < 0 || !S_ISREG(now.st_mode)) {
        fmt(problem, size, "%s (descriptor %d) is no longer a regular file", d->link, d->first);
        return -EINVAL;
    }
    if (d->flags & O_PATH)
        return fd;
    error = undo_appends(d, (int)fd, problem, size);
    if (!error)
        error = sys_lseek((int)fd, (int64_t)d->position, SEEK_SET);
    return error < 0 ? error : fd;
}

static bool directory_claim(const struct description *d)
{
    return S_ISDIR(d->st.st_mode) && d->link[0] == '/';
}

/* One that was removed while it was open: nothing was in it, nothing can be made in it. */
static long make_removed(const struct description *d, int low, char *problem, size_t size)
{
    char path[4096 + 64];
    long error = -EEXIST, fd;

    for (unsigned n = 0; error == -EEXIST && n < 100; n++) {
        fmt(path, sizeof path, "%.*s.dmtcp-%d-%u", (int)(str_base(d->link) - d->link), d->link, sys_getpid(), n);
        error = sys_mkdir(path, d->st.st_mode & 07777);
    }
    fd = error ? error : fd_lift(sys_open(path, (int)(d->flags & ~(uint32_t)ONCE_ONLY) | O_DIRECTORY | O_CLOEXEC, 0), low);
    if (!error)
        syscall3(__NR_unlinkat, AT_FDCWD, (long)path, AT_REMOVEDIR);
    if (fd < 0)
        fmt(problem, size, "descriptor %d (%s, a removed directory) can't be made: %e", d->first, d->link, (int)fd);
    return fd;
}

static long directory_restore(struct description *d, int low, char *problem, size_t size)
{
    long fd = d->deleted ? make_removed(d, low, problem, size) : open_again(d, low, problem, size);

    if (fd >= 0 && !(d->flags & O_PATH))
        sys_lseek((int)fd, (int64_t)d->position, SEEK_SET); /* getdents' position: a cookie of the file system */
    return fd;
}

/* mem(4), null(4), random(4): major 1. */
static bool device_claim(const struct description *d)
{
    unsigned minor_number = minor(d->st.st_rdev);

    return S_ISCHR(d->st.st_mode) && major(d->st.st_rdev) == 1 &&
           (minor_number == 3 || minor_number == 5 || (minor_number >= 7 && minor_number <= 9));
}

const struct fd_kind fd_file = {.name = "file", .claim = file_claim, .save = file_save, .restore = file_restore};
const struct fd_kind fd_directory = {.name = "directory", .claim = directory_claim, .restore = directory_restore};
const struct fd_kind fd_device = {.name = "device", .claim = device_claim, .restore = open_again};
