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
