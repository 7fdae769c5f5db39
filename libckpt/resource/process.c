/* Limits, directories, umask and the other properties of a process; and the order in which the parts of resource/ work. */
#include <linux/prctl.h>
#include <sys/resource.h>

#include "arena.h"
#include "cpu.h"
#include "fd/fd.h"
#include "fmt.h"
#include "library.h"
#include "log.h"
#include "proc.h"
#include "resource.h"
#include "str.h"
#include "suspend.h"
#include "sys.h"
#include "threads.h"
#include "vpid.h"

#define LOG_MODULE "process"

#define LIMITS 16 /* RLIM_NLIMITS of asm-generic/resource.h */

struct limit { /* struct rlimit64 of prlimit(2) */
    uint64_t current, maximum;
};

static struct {
    int dumpable;
    bool dumpable_changed;
    struct limit limit[LIMITS];
    unsigned umask;
    bool subreaper;
    char *cwd; /* arena; NULL: not known */
    bool cwd_deleted;
} process;

static uint32_t status_number(const char *status, const char *name)
{
    const char *field = proc_field(status, name);
    uint64_t value = 0;

    if (field)
        str_number(&field, 10, &value);
    return (uint32_t)value;
}

/* What a restart could not make again, found before anything is suspended. */
static long refuse(char *problem, size_t size)
{
    static char status[4096];
    char root[4096];
    long n = sys_readlink("/proc/self/root", root, sizeof root - 1);

    if (n > 0 && !(n == 1 && root[0] == '/')) {
        root[n] = 0;
        fmt(problem, size, "its root directory has been changed to %s (chroot), which a restart can't do; run dmtcp_launch inside instead", root);
        return -EPERM;
    }
    if (proc_read("/proc/self/status", status, sizeof status) > 0) {
        if (status_number(status, "Seccomp_filters") > lib.conf.seccomp_filters || status_number(status, "Seccomp") == 1) {
            fmt(problem, size, "it has restricted its own system calls (seccomp), which a restart can't do; switch its sandbox off");
            return -EPERM;
        }
    }
    return 0;
}

#define DESCRIPTORS_NEEDED 16 /* by the checkpoint thread at most: standard ones, coordinator, /proc, snapshot */
#define DESCRIPTORS_WANTED 64

static struct limit nofile_own, nofile_lifted;
static bool lifted;

static long nofile(const struct limit *to, struct limit *old)
{
    return syscall6(__NR_prlimit64, 0, RLIMIT_NOFILE, (long)to, (long)old, 0, 0);
}

void resource_lift_limit(void)
{
    if (nofile(NULL, &nofile_own) < 0 || nofile_own.current >= DESCRIPTORS_WANTED)
        return;
    nofile_lifted = nofile_own;
    nofile_lifted.current = nofile_own.maximum < DESCRIPTORS_WANTED ? nofile_own.maximum : DESCRIPTORS_WANTED;
    lifted = nofile(&nofile_lifted, NULL) == 0;
}

void resource_lower_limit(void)
{
    struct limit now;

    /* Unless the program has set another one meanwhile. */
    if (lifted && nofile(NULL, &now) == 0 && now.current == nofile_lifted.current && now.maximum == nofile_lifted.maximum)
        nofile(&nofile_own, NULL);
    lifted = false;
}

long resource_suspending(char *problem, size_t size)
{
    struct limit limit;

    resource_lift_limit();
    if (nofile(NULL, &limit) == 0 && limit.current < DESCRIPTORS_NEEDED) {
        fmt(problem, size, "its hard limit of open files is %lu, and %d are needed; raise it (ulimit -H -n)", (unsigned long)limit.maximum,
            DESCRIPTORS_NEEDED);
        resource_lower_limit();
        return -EMFILE;
    }
    memset(lib.affinity, 0, sizeof lib.affinity);
    syscall3(__NR_sched_getaffinity, 0, sizeof lib.affinity, (long)lib.affinity);
    process.dumpable = (int)sys_prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    process.dumpable_changed = process.dumpable == 0 && sys_prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
    return refuse(problem, size);
}

void resource_resuming(void)
{
    if (process.dumpable_changed)
        sys_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    process.dumpable_changed = false;
    resource_lower_limit();
}

void resource_dumpable(void)
{
    if (process.dumpable < 2 && sys_prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != process.dumpable)
        sys_prctl(PR_SET_DUMPABLE, (unsigned long)process.dumpable, 0, 0, 0);
}

/* The umask and the working directory belong to the program's threads; the checkpoint thread has its own. */
static long read_umask(void *unused)
{
    long mask = syscall3(__NR_umask, 0, 0, 0);

    syscall3(__NR_umask, mask, 0, 0);
    return mask;
}

static long set_umask(void *unused)
{
    return syscall3(__NR_umask, process.umask, 0, 0);
}

static long set_cwd(void *unused)
{
    return sys_chdir(process.cwd);
}

/* A directory that had been removed is made, entered and removed again, with what is missing above it. Where something else has its name by now, it
 * has another. */
static long set_removed_cwd(void *unused)
{
    char path[4200];
    size_t length = strlen(process.cwd), made[64], count = 0;
    long error = 0;

    syscall3(__NR_umask, 077, 0, 0);
    str_copy(path, sizeof path, process.cwd);
    for (size_t i = 1; i <= length && count < 64 && !error; i++) {
        if (path[i] && path[i] != '/')
            continue;
        char end = path[i];
        path[i] = 0;
        error = sys_mkdir(path, 0700);
        if (!error)
            made[count++] = i;
        if (error == -EEXIST && !end) {
            length = fmt(path, sizeof path, "%s.%d", process.cwd, lib.real_pid);
            error = sys_mkdir(path, 0700);
            if (!error)
                made[count++] = length;
        } else if (end) {
            path[i] = end;
            error = 0; /* if it can't be made, nor can the last one */
        }
    }
    if (!error)
        error = sys_chdir(path);
    while (count) {
        path[made[--count]] = 0;
        syscall3(__NR_unlinkat, AT_FDCWD, (long)path, AT_REMOVEDIR);
    }
    return error;
}

static void save_cwd(const struct thread *executor)
{
    static const char gone[] = " (deleted)";
    char link[64], path[4096];

    fmt(link, sizeof link, "/proc/self/task/%d/cwd", executor->real_tid);
    long n = sys_readlink(link, path, sizeof path - 1);
    process.cwd = NULL;
    if (n <= 0)
        return;
    path[n] = 0;
    process.cwd_deleted = n > (long)sizeof gone && str_equal(path + n - (sizeof gone - 1), gone);
    if (process.cwd_deleted)
        path[n - (long)(sizeof gone - 1)] = 0;
    process.cwd = arena_string(path);
}

long resource_save(char *problem, size_t size)
{
    struct thread *executor = suspend_executor();

    for (int i = 0; i < LIMITS; i++)
        syscall6(__NR_prlimit64, 0, i, 0, (long)&process.limit[i], 0, 0);
    const struct fd_limit files = fd_limit(); /* now it may be a higher one, for the checkpoint */
    process.limit[RLIMIT_NOFILE] = (struct limit){files.current, files.maximum};
    if (lifted)
        process.limit[RLIMIT_NOFILE] = nofile_own;
    long named = proc_read("/proc/self/comm", lib.leader_name, sizeof lib.leader_name);
    if (named > 0 && lib.leader_name[named - 1] == '\n')
        lib.leader_name[named - 1] = 0;
    process.umask = (unsigned)park_call(executor, read_umask, NULL);
    attributes_save();
    int subreaper = 0;
    sys_prctl(PR_GET_CHILD_SUBREAPER, (unsigned long)&subreaper, 0, 0, 0);
    process.subreaper = subreaper;
    save_cwd(executor);
    long error = zombies_save(problem, size);
    if (error)
        return error;
    error = sysv_save(problem, size);
    if (error)
        return error;
    signals_save();
    error = signals_pending_save();
    return error ? error : timers_save();
}

static void set_limit(int number, struct limit limit)
{
    struct limit now;
    long error = syscall6(__NR_prlimit64, 0, number, (long)&limit, 0, 0, 0);

    if (error == -EPERM && !syscall6(__NR_prlimit64, 0, number, 0, (long)&now, 0, 0)) {
        /* A lower hard limit here: the nearest that is allowed. */
        limit.maximum = now.maximum;
        if (limit.current > limit.maximum)
            limit.current = limit.maximum;
        syscall6(__NR_prlimit64, 0, number, (long)&limit, 0, 0, 0);
    }
}

/* The number of descriptors is limited again only when all are there: some may be above the limit. */
static void lift_for_restart(void)
{
    struct limit limit;

    if (nofile(NULL, &limit) == 0) {
        limit.current = limit.maximum;
        nofile(&limit, NULL);
    }
    lifted = false;
}

void resource_refill(bool restarted)
{
    sysv_refill();
    signals_pending_refill();
    if (restarted) {
        set_limit(RLIMIT_NOFILE, process.limit[RLIMIT_NOFILE]);
        timers_restore();
    }
}

long resource_restore(char *problem, size_t size)
{
    struct thread *executor = suspend_executor();

    for (int i = 0; i < LIMITS; i++)
        if (i != RLIMIT_NOFILE)
            set_limit(i, process.limit[i]);
    lift_for_restart();
    if (process.cwd) {
        long error = park_call(executor, process.cwd_deleted ? set_removed_cwd : set_cwd, NULL);
        if (error < 0) {
            fmt(problem, size, "can't change to its working directory %s: %e; make it again, then restart", process.cwd, (int)error);
            return error;
        }
    }
    park_call(executor, set_umask, NULL); /* after what is made above */
    attributes_restore();
    if (process.subreaper)
        sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (process.dumpable == 0)
        process.dumpable_changed = true; /* resource_resuming sets it back */
    return 0;
}

/* Fields 5 to 8 of /proc/self/stat: group, session, terminal, the terminal's foreground group. */
static void describe_job(struct image_process *out)
{
    char stat[1024];
    long n = proc_read("/proc/thread-self/stat", stat, sizeof stat);
    uint64_t field[9] = {0};

    if (n <= 0)
        return;
    const char *at = stat + n;
    while (at > stat && *at != ')')
        at--;
    at += 4; /* ") S " */
    for (int i = 4; i <= 8 && str_number(&at, 10, &field[i]); i++)
        at++;
    out->pgid = (uint32_t)vpid_from_real((int)field[5]);
    out->sid = (uint32_t)vpid_from_real((int)field[6]);
    out->flags |= field[7] ? IMAGE_PROCESS_TERMINAL : 0;
    out->foreground = field[8] && field[8] == field[5];
    out->pty_group = field[8] ? (uint32_t)vpid_from_real((int)field[8]) : 0;
    terminal_describe(out, field[7]);
}

void resource_describe(struct image_process *out)
{
    char status[4096];

    memset(out, 0, sizeof *out);
    out->pid = (uint32_t)lib.pid;
    out->flags = (process.subreaper ? IMAGE_PROCESS_SUBREAPER : 0) | (lib.stopped ? IMAGE_PROCESS_STOPPED : 0);
    vpid_note_parent();
    out->ppid = (uint32_t)vpid_parent_from_real(sys_getppid());
    describe_job(out);
    if (proc_read("/proc/thread-self/status", status, sizeof status) > 0) {
        out->uid = status_number(status, "Uid");
        out->gid = status_number(status, "Gid");
    }
    resource_tids(&out->threads);
    out->personality = (uint64_t)syscall3(__NR_personality, 0xffffffff, 0, 0);
    cpu_features(out->cpu_features);
}

const uint32_t *resource_tids(uint32_t *count)
{
    unsigned n = suspend_threads(NULL, 0);
    struct thread **threads = arena_alloc(n * sizeof *threads);
    uint32_t *list = arena_alloc(n * sizeof *list);

    *count = 0;
    if (!threads || !list)
        return NULL;
    suspend_threads(threads, n);
    for (unsigned i = 0; i < n; i++)
        list[i] = (uint32_t)threads[i]->tid;
    *count = n;
    return list;
}

unsigned resource_cpus(void)
{
    uint64_t mask[16] = {0};
    unsigned count = 0;

    syscall3(__NR_sched_getaffinity, 0, sizeof mask, (long)mask);
    for (int i = 0; i < 16; i++)
        count += (unsigned)__builtin_popcountll(mask[i]);
    return count ? count : 1;
}
