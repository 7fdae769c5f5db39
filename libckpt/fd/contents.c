#include "contents.h"

#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "library.h"
#include "scratch.h"
#include "str.h"
#include "sys.h"

#define BUFFER (64u << 10)
#define PATIENCE_NS 30000000000ull

struct contents {
    struct contents *next;
    uint64_t device, inode;
    bool saver; /* otherwise another process saves and restores it */
    char name[300]; /* in the subdirectory */
    struct stat st;
};

static struct contents *list; /* arena */
static unsigned count;
static char directory[4096]; /* "…_files" */
static char set[48]; /* the subdirectory's name */
static bool made;

/* "…/ckpt_x.dmtcp" or "….dmtcp.temp" */
static void directory_of(const char *image, char *to, size_t size)
{
    size_t length = strlen(image);

    for (const char *at = str_base(image); *at; at++)
        if (str_equal(at, ".dmtcp") || str_equal(at, ".dmtcp.temp"))
            length = (size_t)(at - image);
    fmt(to, size, "%.*s_files", (int)length, image);
}

void contents_begin(const char *image, unsigned generation)
{
    list = NULL;
    count = 0;
    made = false;
    directory_of(image, directory, sizeof directory);
    fmt(set, sizeof set, "%05u-%llx", generation, (unsigned long long)sys_now_ns(CLOCK_REALTIME));
}

static long copy_stretch(int from, int to, uint64_t at, uint64_t end, char *buffer)
{
    while (at < end) {
        int64_t in = (int64_t)at, out = (int64_t)at;
        long n = syscall6(__NR_copy_file_range, from, (long)&in, to, (long)&out, (long)(end - at), 0); /* shares blocks, where there are such */
        if (n <= 0) {
            n = sys_pread(from, buffer, end - at < BUFFER ? end - at : BUFFER, at);
            if (n == 0)
                return 0;
            long error = n < 0 ? n : sys_pwrite_all(to, buffer, (size_t)n, at);
            if (error)
                return error;
        }
        at += (uint64_t)n;
    }
    return 0;
}

static long copy(int from, int to, uint64_t size)
{
    char *buffer = scratch_map(BUFFER, false);
    long error = buffer ? 0 : -ENOMEM;

    for (uint64_t at = 0; at < size && !error;) {
        long data = sys_lseek(from, (int64_t)at, SEEK_DATA), hole;
        if (data == -ENXIO)
            break;
        if (data < 0)
            data = (long)at;
        hole = sys_lseek(from, data, SEEK_HOLE);
        if (hole < 0 || (uint64_t)hole > size)
            hole = (long)size;
        error = copy_stretch(from, to, (uint64_t)data, (uint64_t)hole, buffer);
        at = (uint64_t)hole;
    }
    if (!error)
        error = sys_ftruncate(to, size);
    if (buffer)
        scratch_unmap(buffer, BUFFER);
    return error;
}

static long make_directories(void)
{
    char path[sizeof directory + sizeof set + 1];
    long error = made ? 0 : sys_mkdir(directory, 0700);

    if (made || (error && error != -EEXIST))
        return error;
    fmt(path, sizeof path, "%s/%s", directory, set);
    error = sys_mkdir(path, 0700);
    made = !error;
    return error;
}

static struct contents *find(const struct description *d)
{
    struct contents *at = list;

    while (at && (at->device != d->st.st_dev || at->inode != d->st.st_ino))
        at = at->next;
    return at;
}

static long write_contents(const struct description *d, const struct contents *contents)
{
    char path[sizeof directory + 400], link[64];
    long error = make_directories(), from, to;

    if (error)
        return error;
    fd_link_path(link, sizeof link, d->first);
    from = sys_open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (from < 0)
        return from;
    fmt(path, sizeof path, "%s/%s/%s", directory, set, contents->name);
    to = sys_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    error = to < 0 ? to : copy((int)from, (int)to, (uint64_t)contents->st.st_size);
    if (!error && lib.conf.fsync)
        error = sys_fsync((int)to);
    sys_close((int)from);
    if (to >= 0)
        sys_close((int)to);
    return error;
}

long contents_save(const struct description *d, char *problem, size_t size)
{
    if (!lib.conf.open_files || d->flags & O_PATH || find(d) || str_after(d->link, "/sys/") || str_after(d->link, "/dev/"))
        return 0;
    struct contents *contents = arena_alloc(sizeof *contents);
    if (!contents)
        return -ENOMEM;
    contents->device = d->st.st_dev;
    contents->inode = d->st.st_ino;
    contents->st = d->st;
    contents->saver = fd_lowest_holder(d->st.st_dev, d->st.st_ino);
    fmt(contents->name, sizeof contents->name, "%u_%.*s", count++, 200, str_base(d->link));
    contents->next = list;
    list = contents;
    long error = contents->saver ? write_contents(d, contents) : 0;
    if (error)
        fmt(problem, size, "the contents of %s (descriptor %d) can't be saved in %s: %e%s", d->link, d->first, directory, (int)error,
            error == -ENOSPC || error == -EDQUOT ? "; make room there or choose another directory (--ckptdir)" : "");
    return error;
}

/* --- what is no longer needed --- */

static void each_entry(const char *path, void (*visit)(const char *path, const char *name))
{
    char entries[2048] __attribute__((aligned(8)));
    long fd = sys_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0), n;

    while (fd >= 0 && (n = sys_getdents((int)fd, entries, sizeof entries)) > 0)
        for (long at = 0; at < n; at += *(uint16_t *)(void *)(entries + at + 16)) { /* struct linux_dirent64: getdents(2) */
            const char *name = entries + at + 19;
            if (!str_equal(name, ".") && !str_equal(name, ".."))
                visit(path, name);
        }
    if (fd >= 0)
        sys_close((int)fd);
}

static void remove_file(const char *path, const char *name)
{
    char file[sizeof directory + 400];

    fmt(file, sizeof file, "%s/%s", path, name);
    sys_unlink(file);
}

static void remove_set(const char *path, const char *name)
{
    char subdirectory[sizeof directory + 400];

    fmt(subdirectory, sizeof subdirectory, "%s/%s", path, name);
    each_entry(subdirectory, remove_file);
    syscall3(__NR_unlinkat, AT_FDCWD, (long)subdirectory, AT_REMOVEDIR);
}

static void remove_other_set(const char *path, const char *name)
{
    if (!made || !str_equal(name, set))
        remove_set(path, name);
}

void contents_commit(void)
{
    each_entry(directory, remove_other_set);
    syscall3(__NR_unlinkat, AT_FDCWD, (long)directory, AT_REMOVEDIR); /* unless something is in it */
}

void contents_drop(void)
{
    if (!made)
        return;
    made = false;
    remove_set(directory, set);
    syscall3(__NR_unlinkat, AT_FDCWD, (long)directory, AT_REMOVEDIR);
}

/* --- restart --- */

static long open_saved(const struct contents *contents, char *path, size_t size)
{
    char beside[sizeof directory];
    long fd;

    directory_of(lib.handoff.image_path, beside, sizeof beside);
    fmt(path, size, "%s/%s/%s", beside, set, contents->name);
    fd = sys_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd != -ENOENT || str_equal(beside, directory))
        return fd;
    fmt(path, size, "%s/%s/%s", directory, set, contents->name);
    return sys_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
}

static bool same_contents(int a, int b, uint64_t size)
{
    char *buffer = scratch_map(2 * BUFFER, false);
    bool same = buffer;

    for (uint64_t at = 0; at < size && same; at += BUFFER) {
        long n = sys_pread(a, buffer, BUFFER, at);
        same = n > 0 && sys_pread(b, buffer + BUFFER, BUFFER, at) == n && !memcmp(buffer, buffer + BUFFER, (size_t)n);
    }
    if (buffer)
        scratch_unmap(buffer, 2 * BUFFER);
    return same;
}

static void set_attributes(int fd, const struct contents *contents)
{
    struct timespec times[2] = {contents->st.st_atim, contents->st.st_mtim};

    sys_fchmod(fd, contents->st.st_mode & 07777);
    syscall6(__NR_utimensat, fd, 0, (long)times, 0, 0, 0);
}

/* Under another name first, so that others who wait for it find it whole. */
static long make_missing(const struct contents *contents, int saved, const char *path)
{
    char temporary[4096 + 32];
    long error, fd;

    for (const char *at = path + 1; (at = str_find(at, '/')); at++) {
        str_copy(temporary, (size_t)(at - path) + 1, path);
        sys_mkdir(temporary, 0777);
    }
    fmt(temporary, sizeof temporary, "%s.dmtcp-%d", path, sys_getpid());
    fd = sys_open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fd;
    error = copy(saved, (int)fd, (uint64_t)contents->st.st_size);
    if (!error) {
        set_attributes((int)fd, contents);
        error = sys_rename(temporary, path);
    }
    sys_close((int)fd);
    if (error)
        sys_unlink(temporary);
    return error;
}

static long overwrite(const struct contents *contents, int saved, const char *path)
{
    long fd = sys_open(path, O_RDWR | O_TRUNC | O_CLOEXEC, 0), error = fd;

    if (fd < 0)
        return fd;
    error = copy(saved, (int)fd, (uint64_t)contents->st.st_size);
    set_attributes((int)fd, contents);
    sys_close((int)fd);
    return error;
}

static void await_file(const char *path)
{
    uint64_t deadline = sys_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
    struct timespec wait = {.tv_nsec = 5000000};
    struct stat st;

    while (sys_fstatat(AT_FDCWD, path, &st, 0) == -ENOENT && sys_now_ns(CLOCK_MONOTONIC) < deadline)
        sys_nanosleep(&wait);
}

long contents_restore(const struct description *d, const char *path, char *problem, size_t size)
{
    const struct contents *contents = find(d);
    char saved_path[sizeof directory + 400];
    long error, now;

    if (!contents || !contents->saver) {
        if (contents)
            await_file(path);
        return 0;
    }
    long saved = open_saved(contents, saved_path, sizeof saved_path);
    if (saved < 0) {
        fmt(problem, size, "the saved contents of %s (descriptor %d) can't be opened: %s: %e; keep the directory beside the image", path, d->first,
            saved_path, (int)saved);
        return saved;
    }
    now = sys_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    struct stat st;
    if (now >= 0 && d->standard && (d->flags & O_ACCMODE) == O_WRONLY)
        error = 0; /* standard output: our own messages may have gone there since */
    else if (now >= 0 && sys_fstat((int)now, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == contents->st.st_size &&
        same_contents((int)now, (int)saved, (uint64_t)st.st_size))
        error = 0;
    else if (now == -ENOENT)
        error = make_missing(contents, (int)saved, path);
    else if (lib.conf.allow_overwrite)
        error = overwrite(contents, (int)saved, path);
    else
        error = -EEXIST;
    if (now >= 0)
        sys_close((int)now);
    sys_close((int)saved);
    if (error == -EEXIST)
        fmt(problem, size, "%s (descriptor %d) is not as it was at the checkpoint; move it away, or allow it to be replaced (--allow-file-overwrite)",
            path, d->first);
    else if (error)
        fmt(problem, size, "%s (descriptor %d) can't be put back: %e", path, d->first, (int)error);
    return error;
}
