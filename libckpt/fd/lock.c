/* Locks on files: flock(2), and fcntl(2)'s of processes and of open file descriptions, as the "lock:" lines of fdinfo show them. They are taken
 * again when all processes have all descriptors, and nobody runs yet who could come first.
 *
 * A process's lock shows in the fdinfo of the description by which it was taken, in that process only; the others, wherever the description is.
 * So the one who saves a description records the latter, and everybody records its own process's. Leases (F_SETLEASE) are dropped: the kernel
 * takes them away as soon as somebody opens the file, so their holders know how to live without. */
#include "lock.h"

#include "arena.h"
#include "fd.h"
#include "fmt.h"
#include "library.h"
#include "log.h"
#include "proc.h"
#include "scratch.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"

#include <sys/file.h>
#include <sys/sysmacros.h>

#define LOG_MODULE "lock"
#define TEXT_SIZE (1u << 20)

enum lock_kind { LOCK_OF_PROCESS, LOCK_OF_DESCRIPTION, LOCK_WHOLE, LEASE };

struct lock {
    struct lock *next;
    const struct description *description;
    enum lock_kind kind;
    bool write;
    uint64_t start, end; /* both included; end INT64_MAX: to the end of the file */
};

static struct lock *locks, **locks_end;

static const char *word(const char **at)
{
    while (**at == ' ' || **at == '\t')
        ++*at;
    const char *start = *at;
    while (**at && **at != ' ' && **at != '\t' && **at != '\n')
        ++*at;
    return start;
}

/* "lock:\t1: POSIX  ADVISORY  WRITE 4711 08:01:131 0 EOF": locks_show of the kernel, see proc_locks(5). */
static long record(const struct description *d, const char *line)
{
    const char *at = line, *kind, *way, *range;
    struct lock lock = {.description = d, .end = INT64_MAX};

    word(&at);
    word(&at);
    kind = word(&at);
    word(&at);
    way = word(&at);
    lock.write = str_after(way, "WRITE") != NULL;
    word(&at);
    word(&at);
    range = word(&at);
    if (!str_number(&range, 10, &lock.start))
        return -EPROTO;
    range = word(&at);
    if (!str_after(range, "EOF") && !str_number(&range, 10, &lock.end))
        return -EPROTO;
    if (str_after(kind, "POSIX"))
        lock.kind = LOCK_OF_PROCESS;
    else if (str_after(kind, "OFDLCK"))
        lock.kind = LOCK_OF_DESCRIPTION;
    else if (str_after(kind, "FLOCK"))
        lock.kind = LOCK_WHOLE;
    else if (str_after(kind, "LEASE"))
        lock.kind = LEASE;
    else
        return 0;
    if (d->received && lock.kind != LOCK_OF_PROCESS)
        return 0;
    struct lock *copy = arena_alloc(sizeof *copy);
    if (!copy)
        return -ENOMEM;
    *copy = lock;
    *locks_end = copy;
    locks_end = &copy->next;
    return 0;
}

static const char *next_line(const char *at)
{
    at = str_find(at, '\n');
    return at ? at + 1 : NULL;
}

static bool any_lock(const char *text)
{
    for (; text && *text; text = next_line(text))
        if (str_after(text, "lock:"))
            return true;
    return false;
}

static bool may_be_locked(const struct description *d)
{
    return !d->foreign && (S_ISREG(d->st.st_mode) || S_ISDIR(d->st.st_mode)) && !(d->flags & O_PATH);
}

static long save_description(const struct description *d, char *text)
{
    char path[64];
    long error = 0;

    /* A text that was cut off may hide some. */
    if (d->info && strlen(d->info) < 1500 && !any_lock(d->info))
        return 0;
    fd_info_path(path, sizeof path, d->first);
    long n = proc_read(path, text, TEXT_SIZE);
    if (n < 0)
        return n;
    for (const char *line = text; line && *line && !error; line = next_line(line))
        if (str_after(line, "lock:"))
            error = record(d, line);
    return error;
}

long locks_save(char *problem, size_t size)
{
    char *text = scratch_map(TEXT_SIZE, false);
    long error = text ? 0 : -ENOMEM;

    locks = NULL;
    locks_end = &locks;
    for (const struct description *d = fd_descriptions(); d && !error; d = d->next)
        if (may_be_locked(d) && (error = save_description(d, text)))
            fmt(problem, size, "descriptor %d (%s): its locks can't be read: %e", d->first, d->link, (int)error);
    if (text)
        scratch_unmap(text, TEXT_SIZE);
    return error;
}

/* --- restart --- */

struct attempt {
    const struct lock *lock;
};

static long take(void *argument)
{
    const struct lock *lock = ((const struct attempt *)argument)->lock;
    struct flock flock = {.l_type = lock->write ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET, .l_start = (off_t)lock->start};
    int fd = lock->description->first;

    if (lock->end != INT64_MAX)
        flock.l_len = (off_t)(lock->end - lock->start + 1);
    if (lock->kind == LOCK_WHOLE)
        return syscall3(__NR_flock, fd, (lock->write ? LOCK_EX : LOCK_SH) | LOCK_NB, 0);
    return sys_fcntl(fd, lock->kind == LOCK_OF_PROCESS ? F_SETLK : F_OFD_SETLK, (long)&flock);
}

/* The pid of somebody who has a lock on the file, by /proc/locks; 0: nobody is seen, -1: an open file description. */
static int holder(const struct lock *lock, char *text)
{
    char path[64], file[64], end;
    struct stat st;

    fd_link_path(path, sizeof path, lock->description->first);
    if (sys_fstatat(AT_FDCWD, path, &st, 0) < 0 || proc_read("/proc/locks", text, TEXT_SIZE) < 0)
        return 0;
    fmt(file, sizeof file, "%02x:%02x:%llu ", major(st.st_dev), minor(st.st_dev), (unsigned long long)st.st_ino);
    for (const char *line = text; line && *line; line = next_line(line)) {
        const char *at = line, *number;
        uint64_t pid = 0;
        word(&at);
        if (*word(&at) == '-')
            word(&at);
        word(&at);
        word(&at);
        number = word(&at);
        end = *number;
        if (!str_after(word(&at), file))
            continue;
        if (end == '-')
            return -1;
        if (str_number(&number, 10, &pid) && (int)pid != lib.real_pid)
            return (int)pid;
    }
    return 0;
}

static void describe(const struct lock *lock, long error, char *problem, size_t size)
{
    const struct description *d = lock->description;
    char *text = scratch_map(TEXT_SIZE, false), path[64], name[64] = "";
    int pid = 0;

    if (error == -EAGAIN || error == -EACCES)
        pid = text ? holder(lock, text) : 0;
    if (text)
        scratch_unmap(text, TEXT_SIZE);
    fmt(path, sizeof path, "/proc/%d/comm", pid);
    long n = pid > 0 ? proc_read(path, name, sizeof name) : 0;
    if (n > 0)
        name[n - 1] = 0;
    if (pid > 0)
        fmt(problem, size, "%s (descriptor %d), which it had locked, is locked by process %d (%s); end that, then restart", d->link, d->first, pid,
            name);
    else if (error == -EAGAIN || error == -EACCES)
        fmt(problem, size, "%s (descriptor %d), which it had locked, is locked by another process (see /proc/locks); end that, then restart",
            d->link, d->first);
    else
        fmt(problem, size, "%s (descriptor %d) can't be locked again: %e", d->link, d->first, (int)error);
}

long locks_restore(char *problem, size_t size)
{
    for (const struct lock *lock = locks; lock; lock = lock->next) {
        struct attempt attempt = {lock};
        if (lock->kind == LEASE) {
            log_warn("pid %d (%s): its lease on %s (descriptor %d) did not come back", lib.pid, lib.program, lock->description->link,
                     lock->description->first);
            continue;
        }
        long error = park_call(suspend_executor(), take, &attempt);
        if (error < 0) {
            describe(lock, error, problem, size);
            return error;
        }
    }
    return 0;
}

void locks_again(void)
{
    for (const struct lock *lock = locks; lock; lock = lock->next) {
        struct attempt attempt = {lock};
        if (lock->kind == LOCK_OF_PROCESS)
            park_call(suspend_executor(), take, &attempt);
    }
}
