#include "object.h"

#include "fmt.h"
#include "str.h"
#include "sys.h"

#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif
#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4
#endif

long object_make_file(const char *path)
{
    char near[4096 + 64];
    const char *base = str_base(path);
    size_t directory = (size_t)(base - path);
    long fd;

    if (directory >= 4096)
        return -ENAMETOOLONG;
    memcpy(near, path, directory);
    str_copy(near + directory, sizeof near - directory, ".");
    fd = sys_open(near, O_TMPFILE | O_RDWR | O_CLOEXEC | O_LARGEFILE, 0600);
    if (fd != -EOPNOTSUPP && fd != -EISDIR && fd != -EINVAL)
        return fd;
    /* NFS, FUSE and others have no O_TMPFILE. */
    for (unsigned n = 0; n < 100; n++) {
        fmt(near + directory, sizeof near - directory, ".dmtcp-%d-%u", sys_getpid(), n);
        fd = sys_open(near, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_LARGEFILE, 0600);
        if (fd >= 0)
            sys_unlink(near);
        if (fd != -EEXIST)
            return fd;
    }
    return fd;
}

static bool is_file(const char *name)
{
    return name[0] == '/' && !str_after(name, "/memfd:") && !str_after(name, "/SYSV") && !str_equal(name, "/dev/zero") &&
           !str_equal(name, "/anon_hugepage");
}

static long make_memory(const char *name, unsigned flags)
{
    const char *memfd = str_after(name, "/memfd:");
    char short_name[240]; /* memfd_create(2): 249 at most */

    str_copy(short_name, sizeof short_name, memfd ? memfd : str_base(name));
    return syscall3(__NR_memfd_create, (long)short_name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags, 0);
}

bool object_is_memory_file(const char *path)
{
    return str_after(path, "/dev/shm/") != NULL;
}

bool object_find_memory_file(const char *former, uint64_t inode, char *path, size_t size)
{
    char entries[2048] __attribute__((aligned(8)));
    bool found = false;
    struct stat st;
    long fd, n;

    if (!object_is_memory_file(former) || (fd = sys_open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)) < 0)
        return false;
    while (!found && (n = sys_getdents((int)fd, entries, sizeof entries)) > 0)
        for (long at = 0; at < n && !found; at += *(uint16_t *)(void *)(entries + at + 16)) { /* struct linux_dirent64: getdents(2) */
            if (*(uint64_t *)(void *)(entries + at) != inode)
                continue;
            fmt(path, size, "/dev/shm/%s", entries + at + 19);
            found = sys_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_ino == inode;
        }
    sys_close((int)fd);
    return found;
}

static long open_or_make(const char *path, unsigned mode)
{
    char directory[4096];
    long fd = sys_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_LARGEFILE, 0);
    struct stat st;

    if (fd >= 0) {
        long error = sys_fstat((int)fd, &st);
        if (!error && (!S_ISREG(st.st_mode) || st.st_uid != sys_geteuid()))
            error = -EPERM;
        /* Holes instead of a length of 0: others may have it mapped, and would die. */
        if (!error && st.st_size)
            error = syscall6(__NR_fallocate, fd, 3 /* FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE */, 0, st.st_size, 0, 0);
        if (error)
            sys_close((int)fd);
        return error ? error : fd;
    }
    if (fd != -ENOENT)
        return fd;
    for (const char *at = path + sizeof "/dev/shm"; (at = str_find(at, '/')) && (size_t)(at - path) < sizeof directory; at++) {
        str_copy(directory, (size_t)(at - path) + 1, path);
        sys_mkdir(directory, 0700);
    }
    fd = sys_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_LARGEFILE, 0600);
    if (fd >= 0)
        sys_fchmod((int)fd, mode & 07777);
    return fd;
}

long object_open_memory_file(const char *path, uint64_t size, unsigned mode)
{
    long fd = open_or_make(path, mode), error = fd < 0 ? fd : sys_ftruncate((int)fd, size);

    if (error && fd >= 0)
        sys_close((int)fd);
    return error < 0 ? error : fd;
}

long object_make(const char *name, uint32_t huge_page_size, uint64_t size, bool *huge)
{
    long fd = -ENOENT, error;

    *huge = false;
    if (huge_page_size) {
        fd = make_memory(name, MFD_HUGETLB | (unsigned)__builtin_ctz(huge_page_size) << MFD_HUGE_SHIFT);
        *huge = fd >= 0;
    } else if (is_file(name)) {
        fd = object_make_file(name);
    }
    if (fd < 0)
        fd = make_memory(name, 0);
    if (fd < 0)
        return fd;
    error = sys_ftruncate((int)fd, size);
    if (error) {
        sys_close((int)fd);
        return error;
    }
    return fd;
}
