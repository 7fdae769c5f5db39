#include "unblock.h"

#include "context.h"
#include "follow.h"
#include "scratch.h"
#include "sys.h"

#include <sys/prctl.h>
#include <linux/ptrace.h>
#include <sys/wait.h>

#define STACK (32u << 10)

struct request {
    int tid, signal;
    uint32_t permitted; /* futex word, shared: the parent has allowed the child to trace */
    long error;
};

static long ptrace_call(long request, int tid, long address, long data)
{
    return syscall6(__NR_ptrace, request, tid, address, data, 0, 0);
}

static bool word(int tid, const void *address, uint64_t *value)
{
    return ptrace_call(PTRACE_PEEKDATA, tid, (long)address, (long)value) == 0;
}

/* It calls exec, or has become another program before it could be stopped: this signal, of the former one, must stay blocked. Asked of the stopped
 * thread's memory; ours is a copy of what was there before. */
static bool in_exec(int tid)
{
    uint64_t value;

    if (!word(tid, &follow_record.program, &value) || value != follow_record.program)
        return true;
    for (unsigned i = 0; i < FOLLOW_SECTIONS; i++) {
        if (!word(tid, &follow_record.section[i], &value))
            return true;
        if ((int32_t)value == tid)
            return value >> 32 == FOLLOW_EXEC;
    }
    return false;
}
_Static_assert(sizeof follow_record.section[0] == sizeof(uint64_t), "one word of ptrace");

static long change_mask(const struct request *request)
{
    sys_sigset mask;
    int status;
    long error = ptrace_call(PTRACE_SEIZE, request->tid, 0, 0);

    if (error)
        return error;
    error = ptrace_call(PTRACE_INTERRUPT, request->tid, 0, 0);
    while (!error && (error = sys_wait4(request->tid, &status, __WALL, NULL)) == -EINTR)
        error = 0;
    if (error < 0)
        return error;
    error = ptrace_call(PTRACE_GETSIGMASK, request->tid, sizeof mask, (long)&mask);
    if (!error && !in_exec(request->tid)) {
        mask &= ~SYS_SIGBIT(request->signal);
        error = ptrace_call(PTRACE_SETSIGMASK, request->tid, sizeof mask, (long)&mask);
    }
    /* The tracer's end detaches. It may have stopped for a signal of its own, which then must go to it: WSTOPSIG. */
    int event = status >> 16, stop = WIFSTOPPED(status) && !event ? WSTOPSIG(status) : 0;
    ptrace_call(PTRACE_DETACH, request->tid, 0, stop);
    return error;
}

static void tracer(void *argument)
{
    struct request *request = argument;

    sys_close_range(0, ~0u, 0);
    while (!__atomic_load_n(&request->permitted, __ATOMIC_ACQUIRE))
        syscall6(__NR_futex, (long)&request->permitted, 0, 0, 0, 0, 0);
    request->error = change_mask(request);
    sys_exit_group(0);
}

long unblock_signal(int tid, int signal)
{
    struct request *request = scratch_map(sizeof *request, true);
    char *stack = scratch_map(STACK, false);
    long child = -ENOMEM, error;

    if (request && stack) {
        request->tid = tid;
        request->signal = signal;
        request->error = -ECHILD;
        child = raw_clone(0, stack + STACK, NULL, NULL, NULL, tracer, request);
    }
    error = child;
    if (child > 0) {
        /* Yama lets only ancestors trace, unless told otherwise. */
        sys_prctl(PR_SET_PTRACER, (unsigned long)child, 0, 0, 0);
        __atomic_store_n(&request->permitted, 1, __ATOMIC_RELEASE);
        syscall6(__NR_futex, (long)&request->permitted, 1, 1, 0, 0, 0);
        while (sys_wait4((int)child, NULL, __WALL | __WNOTHREAD, NULL) == -EINTR)
            ;
        sys_prctl(PR_SET_PTRACER, 0, 0, 0, 0);
        error = request->error;
    }
    if (stack)
        scratch_unmap(stack, STACK);
    if (request)
        scratch_unmap(request, sizeof *request);
    return error;
}
