/* Names of unix sockets. Whether a socket is reached by its path is a matter of the file; what getsockname(2) tells is what was given to bind(2),
 * be it relative to a directory that is no longer the current one, or a file that was removed or replaced. Such a name is bound where
 * nobody sees it, and the file goes when all sockets are complete: until then they are reached through it. */
#include "unix_socket.h"

#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "library.h"
#include "log.h"
#include "str.h"
#include "sys.h"

#define LOG_MODULE "fd"

struct passing { /* a file to be removed */
    struct passing *next;
    struct unix_name name;
    bool aside; /* in the directory of its own */
    char *replaced; /* a file that stands in its place again afterwards; NULL: none */
};

static struct passing *passing;
static char aside_path[4200]; /* directory; empty: there is none */
static int home = -1; /* the current directory, while in the other one */

unsigned unix_address(const struct unix_name *name, struct sockaddr_un *address)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, name->path, name->size < sizeof address->sun_path ? name->size : sizeof address->sun_path);
    return (unsigned)offsetof(struct sockaddr_un, sun_path) + name->size;
}

static long bind_here(int fd, const struct unix_name *name)
{
    struct sockaddr_un address;
    unsigned size = unix_address(name, &address);

    return syscall3(__NR_bind, fd, (long)&address, size);
}

static void enter(void)
{
    if (!aside_path[0]) {
        fmt(aside_path, sizeof aside_path, "%s/sockets-%d", lib.conf.tmp_dir, lib.real_pid);
        sys_mkdir(aside_path, 0700);
    }
    home = (int)sys_open(".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    sys_chdir(aside_path);
}

void unix_leave(void)
{
    if (home < 0)
        return;
    syscall3(__NR_fchdir, home, 0, 0);
    sys_close(home);
    home = -1;
}

static struct passing *remember(const struct unix_name *name, bool aside, const char *replaced)
{
    struct passing *entry = arena_alloc(sizeof *entry);

    if (!entry)
        return NULL;
    *entry = (struct passing){.next = passing, .name = *name, .aside = aside, .replaced = replaced ? arena_string(replaced) : NULL};
    return passing = entry;
}

long unix_bind_passing(int fd, const struct unix_name *name)
{
    char replaced[sizeof name->path + 32];
    struct stat st;
    bool aside = name->path[0] != '/';
    long error;

    if (!name->size || !name->path[0])
        return name->size ? bind_here(fd, name) : 0;
    replaced[0] = 0;
    if (aside) {
        enter();
    } else if (sys_fstatat(AT_FDCWD, name->path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        fmt(replaced, sizeof replaced, "%s.dmtcp-%d", name->path, lib.real_pid);
        error = sys_rename(name->path, replaced);
        if (error)
            return error;
    }
    error = bind_here(fd, name);
    if (aside)
        unix_leave();
    if (!error)
        return remember(name, aside, replaced[0] ? replaced : NULL) ? 0 : -ENOMEM;
    if (replaced[0])
        sys_rename(replaced, name->path);
    return error;
}

/* Is somebody bound to the file? A datagram socket disturbs nobody: others refuse it by its type. */
static bool in_use(const struct unix_name *name)
{
    struct sockaddr_un address;
    unsigned size = unix_address(name, &address);
    long fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    long error = fd < 0 ? fd : sys_connect((int)fd, &address, size);

    if (fd >= 0)
        sys_close((int)fd);
    return error == 0 || error == -EPROTOTYPE || error == -EPERM;
}

static long clear_way(const struct unix_name *name, char *problem, size_t size)
{
    struct stat st;

    if (sys_fstatat(AT_FDCWD, name->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode)) {
        fmt(problem, size, "%s is no longer a socket; move it away, then restart", name->path);
        return -EADDRINUSE;
    }
    if (in_use(name)) {
        fmt(problem, size, "another process uses the socket %s; end it, then restart", name->path);
        return -EADDRINUSE;
    }
    return sys_unlink(name->path);
}

static long bind_file(int fd, const struct unix_state *state, char *problem, size_t size)
{
    long error = clear_way(&state->name, problem, size);

    if (!error)
        error = bind_here(fd, &state->name);
    if (!error) {
        struct stat st;
        sys_fstatat(AT_FDCWD, state->name.path, &st, 0);
        if (st.st_uid != state->file_uid || st.st_gid != state->file_gid)
            syscall6(__NR_fchownat, AT_FDCWD, (long)state->name.path, state->file_uid, state->file_gid, 0, 0);
        syscall3(__NR_fchmodat, AT_FDCWD, (long)state->name.path, state->file_mode & 07777);
    }
    if (error && !problem[0])
        fmt(problem, size, "the socket %s can't be made: %e", state->name.path, (int)error);
    return error;
}

long unix_bind_name(int fd, const struct unix_state *state, char *problem, size_t size)
{
    const struct unix_name *name = &state->name;
    long error;

    if (!name->size)
        return 0;
    if (name->path[0] && state->has_file)
        return bind_file(fd, state, problem, size);
    error = unix_bind_passing(fd, name);
    if (error && !name->path[0])
        fmt(problem, size, "the socket @%s can't be made: %e", name->path + 1, (int)error);
    if (error && name->path[0]) { /* the file was gone anyway */
        log_warn("the name %s can't be given to its socket: %e", name->path, (int)error);
        error = 0;
    }
    return error;
}

void unix_enter(const struct unix_name *name)
{
    for (struct passing *at = passing; at; at = at->next)
        if (at->aside && at->name.size == name->size && !memcmp(at->name.path, name->path, name->size)) {
            enter();
            return;
        }
}

long unix_reach(int fd, const struct unix_name *name)
{
    struct sockaddr_un address;
    unsigned size = unix_address(name, &address);

    unix_enter(name);
    long error = sys_connect(fd, &address, size);
    unix_leave();
    return error;
}

void unix_names_leave(void)
{
    for (struct passing *at = passing; at; at = at->next) {
        if (at->aside)
            enter();
        sys_unlink(at->name.path);
        if (at->aside)
            unix_leave();
        if (at->replaced)
            sys_rename(at->replaced, at->name.path);
    }
    passing = NULL;
    if (aside_path[0])
        syscall3(__NR_unlinkat, AT_FDCWD, (long)aside_path, AT_REMOVEDIR);
    aside_path[0] = 0;
}
