/* Calls that take a path, for the numbers in paths below /proc (proc_path.h). Those libc makes itself out of others (nftw, glob; realpath on its way) see
 * the kernel's numbers. */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc_path.h"
#include "wrap.h"

/* The mode is taken whether there is one or not: a register more. */
#define MODE(last)                                                                                                                         \
    va_list list;                                                                                                                          \
    va_start(list, last);                                                                                                                  \
    mode_t mode = va_arg(list, mode_t);                                                                                                    \
    va_end(list)

#define OPEN(name, symbol)                                                                                                                 \
    WRAP_SYMBOL(int, name, symbol, (const char *path, int flags, ...))                                                                     \
    {                                                                                                                                      \
        struct proc_path room;                                                                                                             \
        MODE(flags);                                                                                                                       \
        return REAL(name)(proc_path(path, &room), flags, mode);                                                                            \
    }

#define OPENAT(name, symbol)                                                                                                               \
    WRAP_SYMBOL(int, name, symbol, (int directory, const char *path, int flags, ...))                                                      \
    {                                                                                                                                      \
        struct proc_path room;                                                                                                             \
        MODE(flags);                                                                                                                       \
        return REAL(name)(directory, proc_path(path, &room), flags, mode);                                                                 \
    }

/* f(path, argument), in all the spellings of the same call. */
#define PATH_AND(type, name, symbol, argument_type)                                                                                        \
    WRAP_SYMBOL(type, name, symbol, (const char *path, argument_type argument))                                                            \
    {                                                                                                                                      \
        struct proc_path room;                                                                                                             \
        return REAL(name)(proc_path(path, &room), argument);                                                                               \
    }

OPEN(path_open, "open")
OPEN(path_open64, "open64")
OPEN(path_open_inner, "__open")
OPEN(path_open64_inner, "__open64")
OPENAT(path_openat, "openat")
OPENAT(path_openat64, "openat64")
/* in programs built with _FORTIFY_SOURCE */
PATH_AND(int, path_open_2, "__open_2", int)
PATH_AND(int, path_open64_2, "__open64_2", int)

WRAP_SYMBOL(int, path_openat_2, "__openat_2", (int directory, const char *path, int flags))
{
    struct proc_path room;

    return REAL(path_openat_2)(directory, proc_path(path, &room), flags);
}

WRAP_SYMBOL(int, path_openat64_2, "__openat64_2", (int directory, const char *path, int flags))
{
    struct proc_path room;

    return REAL(path_openat64_2)(directory, proc_path(path, &room), flags);
}

PATH_AND(FILE *, path_fopen, "fopen", const char *)
PATH_AND(FILE *, path_fopen64, "fopen64", const char *)

WRAP(DIR *, opendir, (const char *path))
{
    struct proc_path room;

    return REAL(opendir)(proc_path(path, &room));
}

PATH_AND(int, path_access, "access", int)
PATH_AND(int, path_euidaccess, "euidaccess", int)
PATH_AND(int, path_eaccess, "eaccess", int)

WRAP(int, faccessat, (int directory, const char *path, int mode, int flags))
{
    struct proc_path room;

    return REAL(faccessat)(directory, proc_path(path, &room), mode, flags);
}

WRAP(int, chdir, (const char *path))
{
    struct proc_path room;

    return REAL(chdir)(proc_path(path, &room));
}

/* --- stat --- */

PATH_AND(int, path_stat, "stat", struct stat *)
PATH_AND(int, path_stat64, "stat64", struct stat64 *)
PATH_AND(int, path_lstat, "lstat", struct stat *)
PATH_AND(int, path_lstat64, "lstat64", struct stat64 *)

#define FSTATAT(name, symbol)                                                                                                              \
    WRAP_SYMBOL(int, name, symbol, (int directory, const char *path, void *data, int flags))                                               \
    {                                                                                                                                      \
        struct proc_path room;                                                                                                             \
        return REAL(name)(directory, proc_path(path, &room), data, flags);                                                                 \
    }

FSTATAT(path_fstatat, "fstatat")
FSTATAT(path_fstatat64, "fstatat64")

/* What programs call that were linked with a glibc before 2.33. */
#define XSTAT(name, symbol)                                                                                                                \
    WRAP_SYMBOL(int, name, symbol, (int version, const char *path, void *data))                                                            \
    {                                                                                                                                      \
        struct proc_path room;                                                                                                             \
        return REAL(name)(version, proc_path(path, &room), data);                                                                          \
    }

XSTAT(path_xstat, "__xstat")
XSTAT(path_xstat64, "__xstat64")
XSTAT(path_lxstat, "__lxstat")
XSTAT(path_lxstat64, "__lxstat64")

WRAP(int, statx, (int directory, const char *path, int flags, unsigned mask, struct statx *data))
{
    struct proc_path room;

    return REAL(statx)(directory, proc_path(path, &room), flags, mask, data);
}

/* --- links --- */

/* Where a path in /proc leads: libc finds out by calls of its own. */
PATH_AND(char *, path_realpath, "realpath", char *)

WRAP_SYMBOL(char *, path_realpath_chk, "__realpath_chk", (const char *path, char *resolved, size_t size))
{
    struct proc_path room;

    return REAL(path_realpath_chk)(proc_path(path, &room), resolved, size);
}

WRAP(ssize_t, readlink, (const char *path, char *target, size_t size))
{
    struct proc_path room;

    return proc_link(path, target, size, REAL(readlink)(proc_path(path, &room), target, size));
}

WRAP(ssize_t, readlinkat, (int directory, const char *path, char *target, size_t size))
{
    struct proc_path room;

    return proc_link(path, target, size, REAL(readlinkat)(directory, proc_path(path, &room), target, size));
}

WRAP_SYMBOL(ssize_t, readlink_chk, "__readlink_chk", (const char *path, char *target, size_t size, size_t room_size))
{
    struct proc_path room;

    return proc_link(path, target, size, REAL(readlink_chk)(proc_path(path, &room), target, size, room_size));
}

WRAP_SYMBOL(ssize_t, readlinkat_chk, "__readlinkat_chk", (int directory, const char *path, char *target, size_t size, size_t room_size))
{
    struct proc_path room;

    return proc_link(path, target, size, REAL(readlinkat_chk)(directory, proc_path(path, &room), target, size, room_size));
}
