/* exec: the new program gets our variables beside its own and so comes under control, whatever environment it is given. Also called by the
 * children of vfork, in their parent's memory: everything lies on the stack. exec(3), execve(2). */
#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fmt.h"
#include "follow.h"
#include "library.h"
#include "proc_path.h"
#include "wrap.h"

extern char **environ;

/* In a macro, because the memory must be the caller's: `call` uses the name `with` for the environment. */
#define EXEC(path, environment, call)                                                                                                      \
    do {                                                                                                                                   \
        struct follow_exec exec;                                                                                                           \
        char *const *with = (environment);                                                                                                 \
        int result, error;                                                                                                                 \
        if (!follow_possible())                                                                                                            \
            return call;                                                                                                                   \
        follow_exec_begin(&exec, path);                                                                                                    \
        if (exec.followed)                                                                                                                 \
            with = follow_environment(with, alloca(follow_environment_size(with)));                                                        \
        result = call;                                                                                                                     \
        error = errno;                                                                                                                     \
        follow_exec_failed(&exec);                                                                                                         \
        errno = error;                                                                                                                     \
        return result;                                                                                                                     \
    } while (0)

WRAP(int, execve, (const char *path, char *const arguments[], char *const environment[]))
{
    struct proc_path room;

    path = proc_path(path, &room);
    EXEC(path, environment, REAL(execve)(path, arguments, with));
}

WRAP(int, execv, (const char *path, char *const arguments[]))
{
    return execve(path, arguments, environ);
}

WRAP(int, fexecve, (int fd, char *const arguments[], char *const environment[]))
{
    char path[32];

    fmt(path, sizeof path, "/proc/self/fd/%d", fd);
    EXEC(path, environment, REAL(fexecve)(fd, arguments, with));
}

WRAP(int, execveat, (int directory, const char *path, char *const arguments[], char *const environment[], int flags))
{
    char whole[PATH_MAX];

    if (path[0] == '/' || directory == AT_FDCWD)
        fmt(whole, sizeof whole, "%s", path);
    else
        fmt(whole, sizeof whole, path[0] ? "/proc/self/fd/%d/%s" : "/proc/self/fd/%d", directory, path);
    EXEC(whole, environment, REAL(execveat)(directory, path, arguments, with, flags));
}

/* ENOEXEC: a script without #!, for the shell. */
static int by_shell(const char *path, char *const arguments[], char *const environment[])
{
    size_t count = 0;

    while (arguments[count])
        count++;
    char **shell = alloca((count + 2) * sizeof *shell);
    shell[0] = (char *)"/bin/sh";
    shell[1] = (char *)path;
    if (count)
        memcpy(shell + 2, arguments + 1, count * sizeof *shell);
    else
        shell[2] = NULL;
    return execve(shell[0], shell, environment);
}

static int try(const char *path, char *const arguments[], char *const environment[])
{
    execve(path, arguments, environment);
    return errno == ENOEXEC ? by_shell(path, arguments, environment) : -1;
}

/* The search of execvp(3): a name with a slash is a path; EACCES is remembered, and the search goes on past what can't be there. */
WRAP(int, execvpe, (const char *file, char *const arguments[], char *const environment[]))
{
    const char *search = NULL;
    bool denied = false;
    char path[PATH_MAX];

    if (!follow_possible())
        return REAL(execvpe)(file, arguments, environment);
    if (!*file) {
        errno = ENOENT;
        return -1;
    }
    if (strchr(file, '/'))
        return try(file, arguments, environment);
    for (char **entry = environ; entry && *entry; entry++)
        if (!strncmp(*entry, "PATH=", 5))
            search = *entry + 5;
    if (!search)
        search = "/bin:/usr/bin";
    for (const char *end;; search = end + 1) {
        end = strchrnul(search, ':');
        size_t size = (size_t)(end - search);
        if (size + strlen(file) + 2 <= sizeof path) {
            memcpy(path, search, size);
            fmt(path + size, sizeof path - size, size ? "/%s" : "%s", file);
            try(path, arguments, environment);
            switch (errno) {
            case EACCES: denied = true; break;
            case ENOENT:
            case ESTALE:
            case ENOTDIR:
            case ENODEV:
            case ETIMEDOUT: break;
            default: return -1;
            }
        }
        if (!*end)
            break;
    }
    errno = denied ? EACCES : ENOENT;
    return -1;
}

WRAP(int, execvp, (const char *file, char *const arguments[]))
{
    return execvpe(file, arguments, environ);
}

/* The variadic ones gather their arguments on the stack. */
#define GATHER(first, arguments, list)                                                                                                     \
    va_list list;                                                                                                                          \
    size_t count = 1;                                                                                                                      \
    va_start(list, first);                                                                                                                 \
    while (va_arg(list, const char *))                                                                                                     \
        count++;                                                                                                                           \
    va_end(list);                                                                                                                          \
    char **arguments = alloca((count + 1) * sizeof *arguments);                                                                            \
    arguments[0] = (char *)first;                                                                                                          \
    va_start(list, first);                                                                                                                 \
    for (size_t i = 1; i <= count; i++)                                                                                                    \
    arguments[i] = va_arg(list, char *)

WRAP(int, execl, (const char *path, const char *first, ...))
{
    GATHER(first, arguments, list);
    va_end(list);
    return execve(path, arguments, environ);
}

WRAP(int, execlp, (const char *file, const char *first, ...))
{
    GATHER(first, arguments, list);
    va_end(list);
    return execvpe(file, arguments, environ);
}

WRAP(int, execle, (const char *path, const char *first, ...))
{
    GATHER(first, arguments, list);
    char **environment = va_arg(list, char **);
    va_end(list);
    return execve(path, arguments, environment);
}
