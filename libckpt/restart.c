/* A restart, after the loader. Who does what, and why so:
 *
 * The loader's thread is the thread-group leader, so it becomes the program's main thread. It first makes the checkpoint thread again, in the
 * context that was saved at SNAPSHOT, and goes to its parking place (or stands in for a main thread that had ended). The checkpoint
 * thread takes a file table of its own; from then on only the leader holds the program's table, so whatever concerns descriptors, and the
 * making of threads that must share them, is done by the leader through park_call. */
#include "restart.h"

#include <linux/prctl.h>

#include "arena.h"
#include "context.h"
#include "coord.h"
#include "fd/fd.h"
#include "feature.h"
#include "fmt.h"
#include "follow.h"
#include "library.h"
#include "log.h"
#include "phase.h"
#include "processes.h"
#include "resource/resource.h"
#include "scratch.h"
#include "str.h"
#include "suspend.h"
#include "threads.h"
#include "vpid.h"
#include "worker.h"

#define LOG_MODULE "restart"

#define ARRIVE_NS 60000000000ull

static char problem[512];

static struct thread *main_slot(void)
{
    for (struct thread *thread = NULL; (thread = threads_next(thread));)
        if (thread->is_main)
            return thread;
    return NULL;
}

static char stand_in_stack[16384];

static long stand_in_run(void *unused)
{
    sys_prctl(PR_SET_NAME, (unsigned long)lib.leader_name, 0, 0, 0);
    park_stand_in();
}

_Noreturn void restart_entry(struct handoff *handoff)
{
    struct thread *leader;

    lib.handoff = *handoff;
    lib.restarting = true;
    lib.real_pid = sys_getpid();
    follow_restarting();
    leader = main_slot();
    suspend_expect_restored(!leader);
    long error = library_revive_thread();
    if (error < 0) {
        log_error("the checkpoint thread can't be made: %e", (int)error);
        sys_exit_group((int)handoff->fail_rc);
    }
    if (leader) {
        leader->real_tid = lib.real_pid;
        park_return(leader);
    }
    /* The loader's stack is about to go. */
    call_on_stack(stand_in_run, NULL, stand_in_stack + sizeof stand_in_stack);
    __builtin_unreachable();
}

static _Noreturn void give_up(unsigned phase)
{
    struct proto_ckpt_failed failed = {.generation = lib.generation, .phase = phase};

    if (log_state.file[0])
        log_error("pid %d (%s): %s", lib.pid, lib.program, problem);
    if (coord_send(PROTO_CKPT_FAILED, &failed, sizeof failed, problem) == 0)
        sys_exit_group(0); /* dmtcp_restart hears it from the coordinator, and says it */
    if (!log_state.file[0])
        log_error("pid %d (%s): %s", lib.pid, lib.program, problem);
    sys_exit_group((int)lib.handoff.fail_rc);
}

static void done(unsigned phase)
{
    struct proto_phase_done message = {.generation = lib.generation, .phase = phase};

    if (coord_send(PROTO_PHASE_DONE, &message, sizeof message, NULL) < 0) {
        str_copy(problem, sizeof problem, "the coordinator is gone");
        give_up(phase);
    }
}

static void await_go(unsigned phase)
{
    struct coord_message message;
    int got;

    while ((got = coord_receive(&message, 0)) > 0) {
        const struct proto_phase_go *go = (const void *)message.payload;

        if (message.header.type == PROTO_PHASE_GO && go->phase == phase) {
            log_state.phase = phase;
            return;
        }
        if (message.header.type == PROTO_CKPT_ABORT) {
            fmt(problem, sizeof problem, "the restart was given up: %s",
                (const char *)message.payload + sizeof(struct proto_ckpt_abort));
            give_up(phase);
        }
    }
    str_copy(problem, sizeof problem, "the coordinator is gone");
    give_up(phase);
}

static int look_for_abort(void)
{
    struct coord_message message;
    int got = coord_receive(&message, 1);

    return got < 0 || (got > 0 && message.header.type == PROTO_CKPT_ABORT);
}

/* --- threads, made by the leader --- */

/* A new thread must not have a number by which the program knows another one: it then ends, and the leader, who sees the same, makes it
 * again (the kernel goes on to the next number). */
static bool number_taken(int tid, const struct thread *self)
{
    if (tid == self->tid)
        return false;
    if (tid == lib.pid)
        return true;
    for (struct thread *thread = NULL; (thread = threads_next(thread));)
        if (thread != self && thread->tid == tid)
            return true;
    return false;
}

static void thread_begin(void *slot)
{
    if (number_taken(sys_gettid(), slot))
        sys_exit_thread(0);
    park_return(slot);
}

static long clone_thread(struct thread *thread)
{
    unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                          CLONE_PARENT_SETTID;
    uint64_t stack = (thread->parked.rsp - 2048) & ~15ull; /* below the frames it returns to */
    pid_t wanted = thread->tid;
    struct clone_args args = {
        .flags = flags,
        .parent_tid = (uint64_t)(uintptr_t)&thread->real_tid,
        .stack = stack - 4096,
        .stack_size = 4096,
        .tls = thread->kernel.fs,
        .set_tid = (uint64_t)(uintptr_t)&wanted,
        .set_tid_size = 1,
    };

    if (lib.handoff.flags & HANDOFF_SET_TID) {
        long made = raw_clone3(&args, sizeof args, thread_begin, thread);
        if (made != -EEXIST && made != -EPERM && made != -EINVAL && made != -ENOSYS)
            return made;
    }
    return raw_clone(flags, (void *)stack, &thread->real_tid, NULL, (void *)thread->kernel.fs, thread_begin, thread);
}

static long make_threads(void *unused)
{
    for (struct thread *thread = NULL; (thread = threads_next(thread));) {
        long made;

        if (thread->is_main || thread->state != THREAD_SIGNALLED)
            continue;
        while ((made = clone_thread(thread)) > 0 && number_taken((int)made, thread))
            while (sys_tgkill(lib.real_pid, (int)made, 0) == 0) /* it leaves the stack that the next one gets */
                syscall3(__NR_sched_yield, 0, 0, 0);
        if (made < 0) {
            fmt(problem, sizeof problem, "a thread can't be made (%e); is the limit of processes (ulimit -u) too low?", (int)made);
            return made;
        }
    }
    return 0;
}

/* --- the checkpoint thread --- */

/* The kernel permits it to the privileged only, when nothing of the former file is mapped; for others wrap/proc_path.c knows better. prctl(2) */
static void take_executable(void)
{
    long fd = lib.executable[0] ? sys_open(lib.executable, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0) : -ENOENT;

    lib.executable_differs = fd < 0 || sys_prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, (unsigned long)fd, 0, 0) != 0;
    if (fd >= 0)
        sys_close((int)fd);
}

static void take_configuration(void)
{
    if (!conf_decode(&lib.conf, lib.handoff.conf))
        log_warn("dmtcp_restart's settings could not be read; the old ones stay");
    log_state.level = (int)lib.conf.log_level;
    str_copy(log_state.file, sizeof log_state.file, lib.conf.log_file);
}

static void unmap_loader(void)
{
    sys_munmap((void *)lib.handoff.loader_start, lib.handoff.loader_end - lib.handoff.loader_start);
    if (lib.handoff.scratch_end > lib.handoff.scratch_start)
        sys_munmap((void *)lib.handoff.scratch_start, lib.handoff.scratch_end - lib.handoff.scratch_start);
}

static void rebuild(void)
{
    struct thread *executor = suspend_executor();

    if (resource_restore(problem, sizeof problem) < 0 || park_call(executor, make_threads, NULL) < 0)
        give_up(PHASE_RESTORE);
    if (suspend_await(NULL, sys_now_ns(CLOCK_MONOTONIC) + ARRIVE_NS) < 0) {
        str_copy(problem, sizeof problem, "its threads do not come back");
        give_up(PHASE_RESTORE);
    }
    follow_restarted();
    vpid_settle();
    signals_restore();
    if (fd_restore(problem, sizeof problem) < 0)
        give_up(PHASE_RESTORE);
}

/* Not earlier, so that until now the terminal's keys end the restart; not later, lest the program find itself in the background. All signals are
 * blocked, SIGTTOU too, so it is allowed to do this from there. */
static void take_terminal(void)
{
    int group = (int)syscall3(__NR_getpgid, 0, 0, 0), now = 0;
    long fd;

    if (!(lib.handoff.flags & HANDOFF_FOREGROUND))
        return;
    fd = sys_open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY, 0);
    if (fd < 0)
        return;
    if (!sys_ioctl((int)fd, 0x540f /* TIOCGPGRP */, &now) && now == lib.handoff.restart_group)
        sys_ioctl((int)fd, 0x5410 /* TIOCSPGRP */, &group);
    sys_close((int)fd);
}

/* All processes have told their numbers. Handlers that were installed when nothing was known to differ see who sent a signal only now. */
static void settle_numbers(void)
{
    bool before = vpid_active;

    vpid_settle();
    vpid_settle_parent();
    if (vpid_active && !before)
        signals_restore();
}

void restart_run(void)
{
    scratch_forget();
    lib.writing = 0;
    sys_prctl(PR_SET_NAME, (unsigned long)lib.leader_name, 0, 0, 0);
    worker_unshare();
    log_state.phase = PHASE_LOAD;
    take_configuration();
    lib.restarts++;
    struct thread *leader = main_slot();
    if (suspend_await(leader ? leader : &stand_in, sys_now_ns(CLOCK_MONOTONIC) + ARRIVE_NS) < 0) {
        str_copy(problem, sizeof problem, "the main thread does not come back");
        give_up(PHASE_LOAD);
    }
    unmap_loader();
    take_executable();
    processes_forget();
    if (coord_init() < 0 || coord_join(PROTO_JOIN_RESTART, problem, sizeof problem) < 0)
        give_up(PHASE_LOAD);
    await_go(PHASE_RESTORE);
    if (processes_open() == 0) {
        lib.entry = processes_adopt(lib.real_pid, lib.pid, lib.process.time);
        processes_state(lib.entry, PTABLE_JOINED);
    }
    follow_prepare();
    rebuild();
    done(PHASE_RESTORE);
    await_go(PHASE_RECONNECT);
    if (fd_connect(look_for_abort, problem, sizeof problem) < 0)
        give_up(PHASE_RECONNECT);
    settle_numbers();
    sysv_reconnect();
    terminal_reconnect();
    done(PHASE_RECONNECT);
    await_go(PHASE_REFILL);
    if (fd_refill(true) < 0) {
        str_copy(problem, sizeof problem, "data in flight could not be put back");
        give_up(PHASE_REFILL);
    }
    resource_refill(true);
    worker_forget_continue();
    done(PHASE_REFILL);
    await_go(PHASE_RESUME);
    lib.restarting = false;
    library_gate_open();
    take_terminal();
    if (lib.stopped) {
        done(PHASE_RESUME);
        worker_stop_again(true);
    } else {
        resource_resuming();
        suspend_release(true);
        done(PHASE_RESUME);
    }
    log_state.phase = PHASE_RUNNING;
}
