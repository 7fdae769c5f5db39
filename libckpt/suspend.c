/* Stopping the threads. The hazards, all met in practice:
 *
 * - A parked thread may hold any lock of libc: nothing here may call libc, and nothing may wait for anything but a thread that is
 *   surely on its way into the handler.
 * - Threads come and go while they are listed. A parked thread makes no new ones, so listing again until there is nothing new converges;
 *   but a list during which a thread ends may lack others (the kernel stops there), so only one that is as long as it should be counts.
 * - A slot outlives the handler: it is the thread's again at the next checkpoint (its continued system call is recorded there), so it may
 *   be touched only after the thread has set THREAD_OUT as the last thing it does in the handler.
 * - The signal is queued with the slot's address. One that somebody else queued carries something else and is the application's.
 * - A thread that ends between listing and the signal's arrival never answers: waiting looks at /proc/self/task now and then.
 */
#include "suspend.h"

#include <linux/futex.h>
#include <linux/prctl.h>
#include <sys/syscall.h>

#include "ckpt_signal.h"
#include "context.h"
#include "fmt.h"
#include "follow.h"
#include "library.h"
#include "log.h"
#include "phase.h"
#include "proc.h"
#include "resource/credentials.h"
#include "resource/resource.h"
#include "scratch.h"
#include "str.h"
#include "threads.h"
#include "unblock.h"

#define LOG_MODULE "suspend"

/* A parked thread answers PARK_GO by PARK_LEFT, in one atomic step with reading it: so the checkpoint thread knows whether it came in time
 * when it takes PARK_GO back (a checkpoint that begins while signals of one that was given up are still on their way). */
enum { PARK_WAIT = 0, PARK_CALL = 1, PARK_GO = 2, PARK_LEFT = 3 };

#define UNBLOCK_AFTER_US 4000u
#define UNBLOCK_RUNNING_AFTER_US 50000u
#define CALL_STACK (256u << 10)

static uint32_t outstanding; /* futex: threads signalled that have not answered */
static bool released_by_restart; /* read by the threads that PARK_GO lets go */

static struct {
    long (*function)(void *);
    void *argument;
    long result;
    uint32_t done; /* futex */
    char *stack; /* scratch */
} call;

struct thread stand_in;

/* --- in the parked thread --- */

static void answer(struct thread *thread, uint32_t state)
{
    __atomic_store_n(&thread->state, state, __ATOMIC_RELEASE);
    if (__atomic_sub_fetch(&outstanding, 1, __ATOMIC_ACQ_REL) == 0)
        sys_futex_wake(&outstanding, 1);
}

static void park(struct thread *thread)
{
    for (;;) {
        uint32_t command = __atomic_load_n(&thread->command, __ATOMIC_ACQUIRE);

        if (command == PARK_GO) {
            if (!__atomic_compare_exchange_n(&thread->command, &command, PARK_LEFT, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
                continue;
            __atomic_store_n(&thread->state, THREAD_LEAVING, __ATOMIC_RELEASE);
            return;
        }
        if (command == PARK_WAIT) {
            sys_futex_wait(&thread->command, PARK_WAIT, NULL);
            continue;
        }
        __atomic_store_n(&thread->command, PARK_WAIT, __ATOMIC_RELAXED);
        call.result = call_on_stack(call.function, call.argument, call.stack + CALL_STACK);
        __atomic_store_n(&call.done, 1, __ATOMIC_RELEASE);
        sys_futex_wake(&call.done, 1);
    }
}

static bool is_ours(const siginfo_t *info)
{
    return info->si_code == SI_QUEUE && info->si_pid == sys_getpid() && threads_own(info->si_value.sival_ptr);
}

/* In a section of follow.h, and not where it waits for a lock that a parked thread may hold. */
static bool makes_process(const struct thread *thread, uint64_t pc)
{
    enum follow_section section = follow_section_of(thread->real_tid);
    bool waits = thread->sample.in_syscall && thread->sample.number == __NR_futex && (pc == thread->sample.pc || pc + 2 == thread->sample.pc);

    return section == FOLLOW_AFTER || (section == FOLLOW_BEFORE && !waits);
}

static void handler(int signal, siginfo_t *info, void *raw_context)
{
    ucontext_t *context = raw_context;

    if (!is_ours(info)) {
        ckpt_signal_application(info, context);
        return;
    }
    struct thread *thread = info->si_value.sival_ptr;
    if (__atomic_load_n(&thread->state, __ATOMIC_ACQUIRE) != THREAD_SIGNALLED || thread->real_tid != sys_gettid())
        return; /* of an attempt that was given up */
    thread->ucontext = context;
    uint64_t pc = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
    /* In the vDSO it would resume only in an identical one; while it makes a process it must not stop: let it leave, and ask again. */
    if (threads_in_vdso(pc) || makes_process(thread, pc)) {
        uint64_t now = sys_now_ns(CLOCK_MONOTONIC);
        redo_suspended(thread, context, now);
        redo_resume(thread, context, now, false);
        answer(thread, THREAD_AGAIN);
        return;
    }
    thread_save_kernel_state(thread);
    credentials_save(&thread->credentials);
    threads_recognise(thread);
    redo_suspended(thread, context, sys_now_ns(CLOCK_MONOTONIC));
    ctx_save(&thread->parked); /* a restart comes back here */
    answer(thread, THREAD_PARKED);
    park(thread);
    if (thread->restored && credentials_restore(&thread->credentials)) {
        sys_prctl(PR_SET_PDEATHSIG, thread->kernel.pdeathsig, 0, 0, 0);
        resource_dumpable();
    }
    redo_resume(thread, context, sys_now_ns(CLOCK_MONOTONIC), released_by_restart);
    thread->restored = false;
    __atomic_store_n(&thread->state, THREAD_OUT, __ATOMIC_RELEASE);
}

_Noreturn void park_return(struct thread *thread)
{
    thread_restore_kernel_state(thread);
    ctx_jump(&thread->parked, 1);
}

_Noreturn void park_stand_in(void)
{
    answer(&stand_in, THREAD_PARKED);
    park(&stand_in);
    sys_exit_thread(0);
}

long suspend_install(void)
{
    struct sys_sigaction action = {
        .handler = handler,
        .flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK | 0x04000000 /* SA_RESTORER */,
        .restorer = signal_restorer,
        .mask = ~0ull,
    };

    return sys_sigaction((int)lib.conf.ckpt_signal, &action, NULL);
}

/* --- in the checkpoint thread --- */

static long signal_thread(struct thread *thread)
{
    siginfo_t info;

    memset(&info, 0, sizeof info);
    info.si_signo = (int)lib.conf.ckpt_signal;
    info.si_code = SI_QUEUE;
    info.si_pid = sys_getpid();
    info.si_value.sival_ptr = thread;
    thread->command = PARK_WAIT;
    thread->start = 0;
    proc_sample_syscall(thread->real_tid, &thread->sample);
    if (!thread->sample.in_syscall) /* running: perhaps just on its way into one */
        proc_sample_syscall(thread->real_tid, &thread->sample);
    __atomic_store_n(&thread->state, THREAD_SIGNALLED, __ATOMIC_RELEASE);
    __atomic_add_fetch(&outstanding, 1, __ATOMIC_ACQ_REL);
    long error = sys_tgsigqueueinfo(sys_getpid(), thread->real_tid, (int)lib.conf.ckpt_signal, &info);
    thread->unqueued = error == -EAGAIN;
    if (error < 0) {
        /* ESRCH: it ended meanwhile. EAGAIN: the limit of queued signals (RLIMIT_SIGPENDING) is reached; asked again later. */
        __atomic_store_n(&thread->state, error == -ESRCH ? THREAD_GONE : THREAD_AGAIN, __ATOMIC_RELEASE);
        __atomic_sub_fetch(&outstanding, 1, __ATOMIC_ACQ_REL);
        return error == -ESRCH || error == -EAGAIN ? 0 : error;
    }
    return 0;
}

/* Signals all threads that have not been yet; *unsettled counts them, and those still leaving the handler after the last time. */
static long signal_fresh(unsigned *unsettled)
{
    bool complete;
    long error = threads_list(&complete);

    if (error < 0)
        return error;
    *unsettled = !complete;
    for (struct thread *thread = NULL; (thread = threads_next(thread));) {
        uint32_t state = __atomic_load_n(&thread->state, __ATOMIC_ACQUIRE);
        uint32_t go = PARK_GO;

        switch (state) {
        case THREAD_NEW:
        case THREAD_OUT:
        case THREAD_AGAIN:
            ++*unsettled;
            error = signal_thread(thread);
            if (error < 0)
                return error;
            break;
        case THREAD_SIGNALLED: /* perhaps by an attempt that was given up: the signal is still to come, and now it is to park */
            __atomic_compare_exchange_n(&thread->command, &go, PARK_WAIT, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
            ++*unsettled; /* it may answer and be gone before the answers are counted */
            break;
        case THREAD_LEAVING:
            ++*unsettled;
            break;
        case THREAD_PARKED:
            *unsettled += __atomic_load_n(&thread->command, __ATOMIC_ACQUIRE) != PARK_WAIT;
            break;
        }
    }
    return 0;
}

/* Threads that ended instead of answering. A zombie leader stays in the list until the process ends: that is no thread to wait for. Nor is a
 * later thread that got the number: it began at another time. (All numbers would have to be used up between the signal and the first look
 * for that to be missed.) */
static void strike_out_gone(void)
{
    for (struct thread *thread = NULL; (thread = threads_next(thread));) {
        uint32_t signalled = THREAD_SIGNALLED;

        if (__atomic_load_n(&thread->state, __ATOMIC_ACQUIRE) != THREAD_SIGNALLED)
            continue;
        uint64_t start = proc_thread_start(thread->real_tid);
        if (start == PROC_START_UNKNOWN)
            continue;
        if (!thread->start)
            thread->start = start;
        if (start && start == thread->start)
            continue;
        /* Dead, it changes its state no more; but it may have answered THREAD_AGAIN just before. */
        if (__atomic_compare_exchange_n(&thread->state, &signalled, THREAD_GONE, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            __atomic_sub_fetch(&outstanding, 1, __ATOMIC_ACQ_REL);
    }
}

/* Threads that have not answered for a while because they block the signal. libc blocks everything for moments only, but for some threads
 * of its own for ever: those sleep. One that runs is most likely about to unblock it, and must not be cut there (wrap/pid.c); it is left alone at
 * first. */
static void unblock_late(bool running_too)
{
    int signal = (int)lib.conf.ckpt_signal;

    for (struct thread *thread = NULL; (thread = threads_next(thread));)
        if (__atomic_load_n(&thread->state, __ATOMIC_ACQUIRE) == THREAD_SIGNALLED && proc_thread_blocks(thread->real_tid, signal) &&
            follow_section_of(thread->real_tid) != FOLLOW_EXEC &&
            (running_too || !proc_thread_runs(thread->real_tid))) {
            long error = unblock_signal(thread->real_tid, signal);
            if (error)
                log_trace("thread %d blocks signal %d, and ptrace does not help: %e", thread->tid, signal, (int)error);
        }
}

void suspend_describe_late(char *problem, size_t size)
{
    for (struct thread *thread = NULL; (thread = threads_next(thread));) {
        uint32_t state = __atomic_load_n(&thread->state, __ATOMIC_ACQUIRE);

        if (state == THREAD_PARKED)
            continue;
        if (state == THREAD_AGAIN && thread->unqueued) {
            fmt(problem, size, "no signal can be queued for thread %d; raise the limit of queued signals (ulimit -i)", thread->tid);
            return;
        }
        proc_describe_thread(thread->real_tid, (int)lib.conf.ckpt_signal, problem, size);
        return;
    }
    str_copy(problem, size, "its threads come and go too quickly");
}

void suspend_forked(void)
{
    outstanding = 0;
    call.stack = NULL;
    stand_in.state = THREAD_FREE;
}

long suspend_all(uint64_t deadline_ns, int (*poll)(void), char *problem, size_t problem_size)
{
    unsigned wait_us = 1000;

    problem[0] = 0;
    for (;;) {
        unsigned unsettled;
        long error = signal_fresh(&unsettled);
        if (error < 0) {
            fmt(problem, problem_size, "its threads can't be listed or signalled: %e", (int)error);
            return error;
        }
        uint32_t left = __atomic_load_n(&outstanding, __ATOMIC_ACQUIRE);
        if (!unsettled && !left) {
            threads_drop_gone();
            return 0;
        }
        if (left) {
            struct timespec wait = {.tv_nsec = wait_us * 1000l};
            sys_futex_wait(&outstanding, left, &wait);
            strike_out_gone();
            if (__atomic_load_n(&outstanding, __ATOMIC_ACQUIRE) == left) {
                if (wait_us >= UNBLOCK_AFTER_US)
                    unblock_late(wait_us >= UNBLOCK_RUNNING_AFTER_US);
                if (wait_us < 50000)
                    wait_us *= 2;
            }
        }
        if (!left) { /* all have answered, some with "not now" */
            struct timespec moment = {.tv_nsec = 100000};
            sys_nanosleep(&moment);
        }
        if (poll && poll())
            return -ECANCELED;
        if (sys_now_ns(CLOCK_MONOTONIC) > deadline_ns) {
            suspend_describe_late(problem, problem_size);
            return -ETIMEDOUT;
        }
    }
}

void suspend_release(bool restarted)
{
    released_by_restart = restarted;
    for (struct thread *thread = NULL; (thread = threads_next(thread));) {
        /* One that is only now on its way in finds PARK_GO and passes through: the store must not wait behind the load. */
        __atomic_store_n(&thread->command, PARK_GO, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&thread->state, __ATOMIC_SEQ_CST) == THREAD_PARKED)
            sys_futex_wake(&thread->command, 1);
    }
    if (stand_in.state == THREAD_PARKED) {
        __atomic_store_n(&stand_in.command, PARK_GO, __ATOMIC_RELEASE);
        sys_futex_wake(&stand_in.command, 1);
    }
    if (call.stack) {
        scratch_unmap(call.stack, CALL_STACK);
        call.stack = NULL;
    }
}

unsigned suspend_threads(struct thread **threads, unsigned room)
{
    unsigned count = 0;

    for (int pass = 0; pass < 2; pass++)
        for (struct thread *thread = NULL; (thread = threads_next(thread));)
            if (thread->state == THREAD_PARKED && thread->is_main == !pass) {
                if (count < room)
                    threads[count] = thread;
                count++;
            }
    return count;
}

struct thread *suspend_executor(void)
{
    struct thread *executor = stand_in.state == THREAD_PARKED ? &stand_in : NULL;

    if (!executor)
        suspend_threads(&executor, 1);
    return executor;
}

long park_call(struct thread *thread, long (*function)(void *), void *argument)
{
    if (!call.stack) {
        call.stack = scratch_map(CALL_STACK, false);
        if (!call.stack)
            return -ENOMEM;
    }
    call.function = function;
    call.argument = argument;
    __atomic_store_n(&call.done, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->command, PARK_CALL, __ATOMIC_RELEASE);
    sys_futex_wake(&thread->command, 1);
    while (!__atomic_load_n(&call.done, __ATOMIC_ACQUIRE))
        sys_futex_wait(&call.done, 0, NULL);
    return call.result;
}

void suspend_expect_restored(bool with_stand_in)
{
    call.stack = NULL;
    outstanding = with_stand_in;
    stand_in.state = with_stand_in ? THREAD_SIGNALLED : THREAD_FREE;
    stand_in.command = PARK_WAIT;
    for (struct thread *thread = NULL; (thread = threads_next(thread));) {
        thread->state = THREAD_SIGNALLED;
        thread->command = PARK_WAIT;
        thread->restored = true;
        outstanding++;
    }
}

long suspend_await(struct thread *thread, uint64_t deadline_ns)
{
    for (;;) {
        struct timespec wait = {.tv_nsec = 1000000};
        uint32_t left = __atomic_load_n(&outstanding, __ATOMIC_ACQUIRE);

        if (thread ? __atomic_load_n(&thread->state, __ATOMIC_ACQUIRE) == THREAD_PARKED : !left)
            return 0;
        sys_futex_wait(&outstanding, left, &wait);
        if (sys_now_ns(CLOCK_MONOTONIC) > deadline_ns)
            return -ETIMEDOUT;
    }
}
