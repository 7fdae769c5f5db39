#include "follow.h"

#include <linux/prctl.h>

#include "fmt.h"
#include "library.h"
#include "log.h"
#include "msg.h"
#include "processes.h"
#include "redo.h"
#include "scratch.h"
#include "str.h"
#include "suspend.h"
#include "threads.h"
#include "vpid.h"

#define LOG_MODULE "follow"

struct follow_record follow_record;

static int find_section(int tid)
{
    for (unsigned i = 0; i < FOLLOW_SECTIONS; i++)
        if (__atomic_load_n(&follow_record.section[i].tid, __ATOMIC_RELAXED) == tid)
            return (int)i;
    return -1;
}

void follow_section(enum follow_section section)
{
    int tid = sys_gettid(), at = find_section(tid);

    for (unsigned i = 0; at < 0 && section && i < FOLLOW_SECTIONS; i++) {
        int32_t unclaimed = 0;
        if (__atomic_compare_exchange_n(&follow_record.section[i].tid, &unclaimed, tid, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            at = (int)i;
    }
    if (at < 0)
        return;
    __atomic_store_n(&follow_record.section[at].section, section, __ATOMIC_RELEASE);
    if (!section)
        __atomic_store_n(&follow_record.section[at].tid, 0, __ATOMIC_RELEASE);
}

void follow_section_made(void)
{
    int at = find_section(sys_gettid());

    if (at >= 0)
        __atomic_store_n(&follow_record.section[at].section, FOLLOW_AFTER, __ATOMIC_RELEASE);
}

enum follow_section follow_section_of(int tid)
{
    int at = find_section(tid);

    return at < 0 ? FOLLOW_NONE : __atomic_load_n(&follow_record.section[at].section, __ATOMIC_ACQUIRE);
}

void follow_restarting(void)
{
    for (unsigned i = 0; i < FOLLOW_SECTIONS; i++) {
        struct thread *thread = follow_record.section[i].tid ? threads_by_real_tid(follow_record.section[i].tid) : NULL;
        follow_record.section[i].tid = thread ? -thread->tid : 0;
    }
}

void follow_restarted(void)
{
    for (struct thread *thread = NULL; (thread = threads_next(thread));)
        for (unsigned i = 0; i < FOLLOW_SECTIONS; i++)
            if (follow_record.section[i].tid == -thread->tid)
                follow_record.section[i].tid = thread->real_tid;
}

static char configuration[sizeof CONF_VARIABLE + 1 + CONF_TEXT_MAX];
static char library_path[4096];

bool follow_possible(void)
{
    return __atomic_load_n(&lib.ready, __ATOMIC_RELAXED) == 1 && configuration[0];
}

bool follow_active(void)
{
    return follow_possible() && sys_getpid() == lib.real_pid;
}

void follow_init(const char *library)
{
    str_copy(library_path, sizeof library_path, library);
    follow_record.program = sys_now_ns(CLOCK_REALTIME);
}

void follow_prepare(void)
{
    static char fresh[sizeof configuration];
    size_t head = fmt(fresh, sizeof fresh, "%s=", CONF_VARIABLE);

    upid_text(&lib.computation, lib.conf.computation);
    if (!conf_encode(&lib.conf, fresh + head, sizeof fresh - head)) {
        fresh[0] = 0;
        log_warn("the settings are too long to be handed to other programs: those that this one starts will run outside the computation");
    }
    /* In a forked child nothing has changed, and its program may be in exec meanwhile, which reads this. */
    if (!str_equal(fresh, configuration))
        str_copy(configuration, sizeof configuration, fresh);
}

/* --- fork --- */

void follow_forked(void)
{
    lib.pid = lib.real_pid = sys_getpid();
    lib.process.pid = (uint32_t)lib.pid;
    lib.process.time = sys_now_ns(CLOCK_REALTIME) / 1000000000u;
    lib.checkpoints = lib.restarts = 0;
    lib.ready = 1;
    lib.writing = 0;
    lib.gate = GATE_OPEN;
    lib.joined = 0;
    lib.forked = true;
    memset(follow_record.section, 0, sizeof follow_record.section);
    scratch_forked();
    processes_forked();
    threads_forked();
    suspend_forked();
    vpid_forked();
    lib.entry = processes_adopt(lib.real_pid, lib.pid, lib.process.time);
    long error = library_start_thread();
    if (error < 0)
        follow_without_thread(error);
}

void follow_without_thread(long error)
{
    log_warn("pid %d leaves the computation: its checkpoint thread can't be made: %e; is the limit of processes (ulimit -u) too low?", lib.pid,
             (int)error);
    processes_leaves(lib.entry, PTABLE_NO_THREAD);
}

/* --- exec --- */

static const char *value_of(const char *entry, const char *name)
{
    const char *value = str_after(entry, name);

    return value && *value == '=' ? value + 1 : NULL;
}

size_t follow_environment_size(char *const *environment)
{
    size_t count = 0, preload = 0;

    for (; environment && environment[count]; count++) {
        const char *value = value_of(environment[count], "LD_PRELOAD");
        if (value)
            preload = strlen(value);
    }
    return (count + 3) * sizeof(char *) + sizeof "LD_PRELOAD=:" + strlen(library_path) + preload;
}

char **follow_environment(char *const *environment, void *room)
{
    char **made = room, **at = made;
    const char *users = NULL;
    size_t count = 0;

    while (environment && environment[count])
        count++;
    for (size_t i = 0; i < count; i++) {
        const char *value = value_of(environment[i], "LD_PRELOAD");
        if (value)
            users = value;
        else if (!value_of(environment[i], CONF_VARIABLE))
            *at++ = environment[i];
    }
    char *preload = (char *)(made + count + 3);
    size_t size = sizeof "LD_PRELOAD=:" + strlen(library_path) + (users ? strlen(users) : 0);
    fmt(preload, size, users ? "LD_PRELOAD=%s:%s" : "LD_PRELOAD=%s", library_path, users);
    *at++ = preload;
    *at++ = configuration;
    *at = NULL;
    return made;
}

/* Nothing of a checkpoint's signal may come after this, or be pending: it would be the end of the new program, which has no handler. Called with the
 * signal blocked; waits for a checkpoint with the mask as it was, so that it can take part. */
static void leave(int entry, enum ptable_reason reason, sys_sigset signal, const sys_sigset *mask)
{
    static const struct timespec now;
    siginfo_t info;

    while (!library_gate_take(GATE_LEAVING)) {
        sys_sigprocmask(SIG_SETMASK, mask, NULL);
        library_gate_await(GATE_CHECKPOINT);
        sys_sigprocmask(SIG_BLOCK, &signal, NULL);
    }
    while (sys_sigtimedwait(&signal, &info, &now) > 0)
        if (info.si_code != SI_QUEUE || info.si_pid != sys_getpid()) { /* the application's */
            sys_tgsigqueueinfo(sys_getpid(), sys_gettid(), (int)lib.conf.ckpt_signal, &info);
            break;
        }
    processes_leaves(entry, reason);
}

void follow_exec_begin(struct follow_exec *exec, const char *path)
{
    enum ptable_reason reason = path ? follow_refusal(path) : PTABLE_STAYS;
    sys_sigset signal = SYS_SIGBIT(lib.conf.ckpt_signal);

    *exec = (struct follow_exec){0};
    if (sys_getpid() == lib.real_pid) /* a vfork child is nobody's thread */
        follow_section(FOLLOW_EXEC);
    /* From here to the new program's constructor, which unblocks it, a checkpoint waits for the entry. Found only now: a restart makes a new table. */
    while (sys_sigprocmask(SIG_BLOCK, &signal, &exec->mask), library_is_writing()) {
        sys_sigprocmask(SIG_SETMASK, &exec->mask, NULL);
        library_await_writer();
    }
    exec->entry = processes_find(sys_getpid());
    exec->leaves = reason != PTABLE_STAYS;
    exec->followed = !reason;
    if (exec->entry < 0) {
        exec->made = true;
        exec->entry = processes_adopt(sys_getpid(), sys_getpid(), 0);
    }
    if (!reason) {
        processes_state(exec->entry, PTABLE_EXEC);
        return;
    }
    if (sys_getpid() == lib.real_pid)
        leave(exec->entry, reason, signal, &exec->mask);
    else
        processes_leaves(exec->entry, reason);
    sys_sigprocmask(SIG_SETMASK, &exec->mask, NULL);
}

void follow_exec_failed(const struct follow_exec *exec)
{
    if (exec->made)
        processes_release(exec->entry);
    else
        processes_stays(exec->entry, &lib.joined);
    if (exec->leaves && sys_getpid() == lib.real_pid)
        library_gate_open();
    if (exec->followed)
        sys_sigprocmask(SIG_SETMASK, &exec->mask, NULL);
    if (sys_getpid() == lib.real_pid)
        follow_section(FOLLOW_NONE);
}
