/* The life of the checkpoint thread, phase by phase (include/phase.h).
 *
 * It is a thread that libc does not know: made by raw clone, all signals blocked, with a file table, a working directory and a umask of its
 * own, so that nothing it holds can be seen, closed or waited for by the program. It runs free code only. All errors end in one of two ways:
 * before the program runs again, everything is undone and the coordinator told; after that, only the image is lost. */
#include "worker.h"

#include <linux/close_range.h>

#include "arena.h"
#include "context.h"
#include "coord.h"
#include "fd/contents.h"
#include "fd/fd.h"
#include "fd/object_list.h"
#include "feature.h"
#include "fmt.h"
#include "follow.h"
#include "handoff.h"
#include "image_name.h"
#include "ipc.h"
#include "leader.h"
#include "library.h"
#include "log.h"
#include "msg.h"
#include "phase.h"
#include "processes.h"
#include "resource/resource.h"
#include "restart.h"
#include "scratch.h"
#include "snapshot.h"
#include "str.h"
#include "suspend.h"
#include "vpid.h"

#define LOG_MODULE "worker"
#define SNAPSHOT_PATIENCE 60 /* SNAPSHOT may last that many deadlines: another process may have to write while it stands still */
#define STATE_NS 250000000ull /* between words to the coordinator about what we wait for */

struct context worker_snapshot;
static struct context worker_base; /* the loop: a restart goes back to it, lest the stack grow with each */

/* The checkpoint under way. */
static struct {
    struct proto_ckpt_begin begin;
    uint64_t deadline_ns;
    uint64_t suspended_ns, resumed_ns;
    uint32_t processes;
    bool surveyed, drained, refilled, committed;
    bool held; /* the threads stay parked after RESUME */
    struct snapshot *snapshot; /* scratch */
    char image[4096];
    char problem[SNAPSHOT_PROBLEM_MAX];
} ckpt;

static void enter_phase(unsigned phase)
{
    log_state.phase = phase;
    log_trace("enter");
}

/* --- phases --- */

static bool abort_arrived;
static uint64_t tell_state_ns;

/* What the coordinator names when its deadline passes, which may be a moment before ours. "": nothing any more. */
static void send_state(const char *state)
{
    coord_send(PROTO_STATE, NULL, 0, state);
    tell_state_ns = sys_now_ns(CLOCK_MONOTONIC) + STATE_NS;
}

static int look_for_abort(void)
{
    struct coord_message message;
    int got = coord_receive(&message, 1);

    if (got < 0 || (got > 0 && message.header.type == PROTO_CKPT_ABORT))
        abort_arrived = true;
    return abort_arrived;
}

static int while_suspending(void)
{
    char state[SNAPSHOT_PROBLEM_MAX];

    if (!look_for_abort() && sys_now_ns(CLOCK_MONOTONIC) > tell_state_ns) {
        suspend_describe_late(state, sizeof state);
        send_state(state);
    }
    return abort_arrived;
}

static long phase_suspend(void)
{
    uint64_t first_state_ns = tell_state_ns = ckpt.suspended_ns + STATE_NS;
    long error = resource_suspending(ckpt.problem, sizeof ckpt.problem);

    processes_hurry();
    if (!error)
        error = suspend_all(ckpt.deadline_ns, while_suspending, ckpt.problem, sizeof ckpt.problem);
    if (!error && tell_state_ns != first_state_ns)
        send_state("");
    if (!error && !suspend_executor()) {
        str_copy(ckpt.problem, sizeof ckpt.problem, "its last thread has just ended");
        error = -ESRCH;
    }
    if (!error)
        error = processes_await_joined(ckpt.deadline_ns, look_for_abort, ckpt.problem, sizeof ckpt.problem);
    if (!error)
        processes_suspended(lib.entry, ckpt.begin.generation);
    ckpt.surveyed = !error;
    if (!error)
        error = fd_survey(ckpt.begin.generation, ckpt.problem, sizeof ckpt.problem);
    return error;
}

static long phase_elect(void)
{
    return fd_elect(ckpt.deadline_ns, look_for_abort, ckpt.problem, sizeof ckpt.problem);
}

static long phase_drain(void)
{
    long error = resource_save(ckpt.problem, sizeof ckpt.problem);

    ckpt.drained = true;
    if (!error)
        error = fd_save(ckpt.problem, sizeof ckpt.problem);
    return error;
}

static long phase_snapshot(void)
{
    struct snapshot_request request = {
        .path = ckpt.image,
        .conf = &lib.conf,
        .process = lib.process,
        .computation = lib.computation,
        .generation = ckpt.begin.generation,
        .processes = ckpt.processes,
        .entry = (uint64_t)&restart_entry,
        .host_name = lib.conf.host_name,
        .program_name = lib.program,
        .libc_name = lib.libc_name,
    };
    static struct image_process process;
    unsigned cpus = resource_cpus();

    resource_describe(&process);
    request.process_record = &process;
    request.descriptors = fd_description();
    request.objects = fd_objects();
    request.sysv = sysv_objects();
    request.saved_elsewhere = ipc_saved_elsewhere;
    request.ptys = fd_ptys(&request.pty_count);
    request.zombies = resource_zombies(&request.zombie_count);
    request.tids = resource_tids(&request.tid_count);
    request.writers = ckpt.begin.host_processes ? cpus / ckpt.begin.host_processes : cpus;
    if (!request.writers)
        request.writers = 1;
    if (ctx_save(&worker_snapshot)) {
        /* Another life begins here. */
        lib.generation = ckpt.begin.generation;
        lib.checkpoints++;
        restart_run();
        ctx_jump(&worker_base, 1);
    }
    library_writing(true);
    ckpt.snapshot = snapshot_start(&request, ckpt.problem);
    return ckpt.snapshot ? 0 : -EIO;
}

static long phase_refill(void)
{
    long error = fd_refill(false);

    fd_release();
    fd_forget();
    resource_refill(false);
    worker_forget_continue();
    ckpt.refilled = true;
    ckpt.drained = false;
    return error;
}

static long phase_resume(void)
{
    /* A program that is to be killed does nothing any more that the set would not know of (a file removed, a message sent), unless the checkpoint
     * fails in the end. */
    ckpt.held = ckpt.begin.flags & PROTO_CKPT_KILL;
    if (!lib.stopped && !ckpt.held) { /* else until stop_again, or let_go */
        resource_resuming();
        suspend_release(false);
    }
    ckpt.resumed_ns = sys_now_ns(CLOCK_MONOTONIC);
    return 0;
}

/* The set is committed, and the order to end should come; or that to run on, because something was wrong with it. */
static void let_go(bool committed)
{
    struct coord_message message;

    if (!ckpt.held)
        return;
    while (committed && coord_receive(&message, 0) > 0 && message.header.type != PROTO_CKPT_ABORT)
        ;
    ckpt.held = false;
    if (!lib.stopped) {
        resource_resuming();
        suspend_release(false);
    }
}

static const struct {
    unsigned phase;
    long (*run)(void);
} phases[] = {
    {PHASE_SUSPEND, phase_suspend},   {PHASE_ELECT, phase_elect},   {PHASE_DRAIN, phase_drain},
    {PHASE_SNAPSHOT, phase_snapshot}, {PHASE_REFILL, phase_refill}, {PHASE_RESUME, phase_resume},
};

/* Back to where nothing has happened, from any phase before RESUME. */
static void undo(void)
{
    library_writing(false);
    if (ckpt.snapshot)
        snapshot_discard(ckpt.snapshot);
    ckpt.snapshot = NULL;
    if (ckpt.drained) {
        fd_refill(false);
        resource_refill(false);
    }
    if (!ckpt.refilled) {
        worker_forget_continue();
        if (ckpt.surveyed)
            fd_release();
    }
    fd_forget();
    if (!lib.stopped) {
        resource_resuming();
        suspend_release(false);
    }
    enter_phase(PHASE_RUNNING);
}

void worker_forget_continue(void)
{
    static const struct timespec now;
    sys_sigset mine = SYS_SIGBIT(SIGCONT);

    if (lib.stopped)
        syscall6(__NR_rt_sigtimedwait, (long)&mine, 0, (long)&now, sizeof mine, 0, 0);
}

/* The program had been stopped, and only this thread was to run. Sent to itself, the signal stops all threads before this one has left the system
 * call; what comes after it happens when somebody continues the process. */
void worker_stop_again(bool restarted)
{
    if (!lib.stopped)
        return;
    sys_sigset pending = 0;
    lib.stopped = false;
    sys_sigpending(&pending);
    if (!(pending & SYS_SIGBIT(SIGCONT)))
        sys_tgkill(sys_getpid(), sys_gettid(), SIGSTOP);
    resource_resuming();
    suspend_release(restarted);
}

static void report_failure(unsigned phase)
{
    struct proto_ckpt_failed failed = {.generation = ckpt.begin.generation, .phase = phase};
    char reason[SNAPSHOT_PROBLEM_MAX + 128];

    fmt(reason, sizeof reason, "pid %d (%s): %s", lib.pid, lib.program, ckpt.problem);
    coord_send(PROTO_CKPT_FAILED, &failed, sizeof failed, reason);
}

static long send_done(unsigned phase)
{
    struct proto_phase_done done = {.generation = ckpt.begin.generation, .phase = phase};

    return coord_send(PROTO_PHASE_DONE, &done, sizeof done, NULL);
}

/* Waits for the coordinator to open a phase. False: it gave the checkpoint up, or is gone. It has a deadline of its own for the others; one that
 * lets twice that pass is stopped or hangs, and the program must not stand still with it. */
static bool await_go(unsigned phase)
{
    unsigned patience = phase == PHASE_REFILL ? 2 * SNAPSHOT_PATIENCE : 2;
    uint64_t deadline_ns = sys_now_ns(CLOCK_MONOTONIC) + patience * (ckpt.begin.deadline_ms * 1000000ull);
    struct coord_message message;
    int got;

    while ((got = coord_receive(&message, deadline_ns)) > 0) {
        const struct proto_phase_go *go = (const void *)message.payload;

        if (message.header.type == PROTO_CKPT_ABORT) {
            log_trace("aborted by the coordinator");
            return false;
        }
        if (message.header.type == PROTO_PHASE_GO && go->phase == phase) {
            ckpt.processes = go->processes;
            lib.stopped |= (go->flags & PROTO_GO_STOPPED) != 0;
            return true;
        }
        log_warn("message %u from the coordinator before phase %s: ignored", message.header.type, phase_name(phase));
    }
    if (got == 0) {
        log_warn("the coordinator does not answer; this checkpoint is given up");
        coord_close();
    }
    return false;
}

/* The program runs; its frozen copy writes. True: the temporary file is complete. */
static bool await_writers(void)
{
    const struct snapshot_result *result;
    int fd = snapshot_descriptor(ckpt.snapshot);
    bool abandoned = false;

    while (fd >= 0 && !abandoned) {
        struct pollfd polls[2] = {{.fd = fd, .events = POLLIN}, {.fd = coord_descriptor(), .events = POLLIN}};
        struct timespec wait = {.tv_nsec = 200000000};
        long ready = sys_ppoll(polls, 2, &wait);

        if (polls[0].revents)
            break;
        if (ready > 0 && polls[1].revents) {
            struct coord_message message;
            int got = coord_receive(&message, 1);
            abandoned = got < 0 || (got > 0 && message.header.type == PROTO_CKPT_ABORT);
        } else if (ready == 0) {
            struct proto_write_progress progress = {.generation = ckpt.begin.generation};
            snapshot_progress(ckpt.snapshot, &progress.bytes_done, &progress.bytes_total);
            abandoned = coord_send(PROTO_WRITE_PROGRESS, &progress, sizeof progress, NULL) < 0;
        }
    }
    if (abandoned) {
        snapshot_discard(ckpt.snapshot);
        return false;
    }
    result = snapshot_finish(ckpt.snapshot);
    if (result->error) {
        str_copy(ckpt.problem, sizeof ckpt.problem, result->problem);
        snapshot_discard(ckpt.snapshot);
        report_failure(PHASE_WRITE);
        return false;
    }
    struct proto_written written = {
        .memory_bytes = result->memory_bytes,
        .file_bytes = result->file_bytes,
        .pause_ns = ckpt.resumed_ns - ckpt.suspended_ns,
        .generation = ckpt.begin.generation,
    };
    coord_send(PROTO_WRITTEN, &written, sizeof written, ckpt.image);
    return true;
}

static long commit(void)
{
    char temp[4096 + 8];
    long error;

    fmt(temp, sizeof temp, "%s.temp", ckpt.image);
    error = sys_rename(temp, ckpt.image);
    if (!error) {
        lib.generation = ckpt.begin.generation;
        lib.checkpoints++;
        ckpt.committed = true;
        contents_commit();
        if (lib.conf.fsync) {
            resource_lift_limit();
            error = image_sync_directory(ckpt.image);
            resource_lower_limit();
        }
    }
    return error;
}

/* All images of the set are complete, or will never be. True: renamed. */
static bool await_commit(void)
{
    struct coord_message message;
    int got;

    while ((got = coord_receive(&message, 0)) > 0 && message.header.type != PROTO_COMMIT && message.header.type != PROTO_CKPT_ABORT)
        ;
    if (got > 0 && message.header.type == PROTO_CKPT_ABORT) {
        snapshot_discard(ckpt.snapshot);
    } else if (got > 0 || ckpt.processes == 1) {
        /* A set of one is committed by its only member, should the coordinator be gone. */
        struct proto_committed committed = {.generation = ckpt.begin.generation};
        committed.error = (uint32_t)-commit();
        snapshot_release(ckpt.snapshot);
        if (got > 0)
            coord_send(PROTO_COMMITTED, &committed, sizeof committed, NULL);
    } else {
        /* The coordinator is gone, and may have told others to commit: the complete file stays for dmtcp_restart to roll forward. */
        log_trace("coordinator gone before COMMIT: %s.temp stays", ckpt.image);
        ckpt.committed = true; /* perhaps: its files stay too */
        snapshot_release(ckpt.snapshot);
    }
    ckpt.snapshot = NULL;
    return got > 0 && message.header.type == PROTO_COMMIT;
}

static void take_part(const struct coord_message *message)
{
    memset(&ckpt, 0, sizeof ckpt);
    memcpy(&ckpt.begin, message->payload, sizeof ckpt.begin);
    ckpt.suspended_ns = sys_now_ns(CLOCK_MONOTONIC);
    ckpt.deadline_ns = ckpt.suspended_ns + ckpt.begin.deadline_ms * 1000000ull;
    lib.computation = ckpt.begin.computation;
    lib.upcoming = ckpt.begin.generation;
    abort_arrived = false;
    arena_reset();
    if (!image_name(ckpt.image, sizeof ckpt.image, ckpt.begin.generation, ckpt.problem, sizeof ckpt.problem)) {
        report_failure(PHASE_SUSPEND);
        return;
    }
    coord_send(PROTO_IMAGE, NULL, 0, ckpt.image);
    contents_begin(ckpt.image, ckpt.begin.generation);
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        enter_phase(phases[i].phase);
        long error = phases[i].run();
        if (error && !abort_arrived) {
            if (!ckpt.problem[0])
                fmt(ckpt.problem, sizeof ckpt.problem, "in phase %s: %e", phase_name(phases[i].phase), (int)error);
            undo();
            report_failure(phases[i].phase);
            return;
        }
        bool last = phases[i].phase == PHASE_RESUME;
        if (error || send_done(phases[i].phase) < 0 || (!last && !await_go(phases[i + 1].phase))) {
            if (last) /* the program runs already; without a coordinator nobody commits */
                break;
            undo();
            return;
        }
    }
    enter_phase(PHASE_WRITE);
    bool written = coord_connected() ? await_writers() : (snapshot_discard(ckpt.snapshot), false);
    library_writing(false);
    bool committed = false;
    if (written) {
        enter_phase(PHASE_COMMIT);
        committed = await_commit();
    }
    ckpt.snapshot = NULL;
    let_go(committed);
    enter_phase(PHASE_RUNNING);
}

static void checkpoint(const struct coord_message *message)
{
    if (!library_gate_take(GATE_CHECKPOINT)) {
        coord_send(PROTO_LEAVE, NULL, 0, "it becomes a program that can't be followed");
        coord_close();
        library_gate_await(GATE_LEAVING); /* as a rule exec ends this thread meanwhile */
        return;
    }
    lib.stopped = processes_was_stopped(lib.entry);
    take_part(message);
    if (!ckpt.committed)
        contents_drop();
    worker_stop_again(false);
    library_gate_open();
}

/* --- the loop --- */

/* Many forked children call exec or end at once: they need not join in between, unless a checkpoint waits for them. */
#define LINGER_NS 3000000ull

static long join(unsigned flags, char *problem, size_t size)
{
    long error = coord_join(flags, problem, size);

    if (error)
        return error;
    if (processes_open() < 0)
        log_warn("pid %d: no table of processes in %s; processes that it makes are not waited for", lib.pid, lib.conf.tmp_dir);
    lib.entry = processes_adopt(lib.real_pid, lib.pid, lib.process.time);
    vpid_settle(); /* others of the computation may have come out of a restart; before a checkpoint may ask for numbers */
    follow_prepare();
    __atomic_store_n(&lib.joined, 1, __ATOMIC_SEQ_CST);
    processes_joined(lib.entry, !__atomic_load_n(&lib.ready, __ATOMIC_ACQUIRE));
    return 0;
}

static void reconnect(void)
{
    unsigned wait_s = 1;
    char problem[256];

    for (;;) {
        struct timespec wait = {.tv_sec = wait_s};

        resource_lift_limit();
        long error = join(PROTO_JOIN_RECONNECT, problem, sizeof problem);
        resource_lower_limit();
        if (!error)
            break;
        log_trace("%s", problem);
        sys_nanosleep(&wait);
        leader_end_with();
        if (wait_s < 5)
            wait_s++;
    }
    log_trace("found a coordinator again");
}

void worker_unshare(void)
{
    if ((lib.conf.disabled & FEATURE_CLOSE_RANGE) || sys_close_range(0, ~0u, CLOSE_RANGE_UNSHARE) < 0) {
        syscall3(__NR_unshare, CLONE_FILES, 0, 0);
        fd_close_from(0);
    }
    /* Standard descriptors must not be reused for something of ours by accident. */
    for (int fd = 0; fd < 3; fd++)
        sys_open("/dev/null", O_RDWR, 0);
    sys_chdir("/");
    syscall3(__NR_umask, 077, 0, 0);
}

void worker_run(void *unused)
{
    worker_unshare();
    terminal_start();
    long error = coord_init();
    if (!error && lib.forked)
        processes_linger(LINGER_NS);
    if (!error)
        error = join(0, lib.problem, sizeof lib.problem);
    if (error && lib.launched) {
        __atomic_store_n(&lib.ready, 2, __ATOMIC_RELEASE);
        sys_futex_wake(&lib.ready, 1);
        sys_exit_thread(0);
    }
    lib.forked = false;
    __atomic_store_n(&lib.ready, 1, __ATOMIC_RELEASE);
    sys_futex_wake(&lib.ready, 1);
    ctx_save(&worker_base);
    for (;;) {
        struct coord_message message;

        if (!coord_connected())
            reconnect();
        leader_await_input(coord_descriptor());
        if (coord_receive(&message, 0) <= 0)
            continue;
        if (message.header.type == PROTO_CKPT_BEGIN)
            checkpoint(&message);
        else if (message.header.type != PROTO_CKPT_ABORT) /* one that crossed our own failure */
            log_warn("message %u from the coordinator while running: ignored", message.header.type);
    }
}
