#include "library.h"

#include <linux/sched.h>

#include "context.h"
#include "log.h"
#include "region.h"
#include "restart.h"
#include "str.h"
#include "sys.h"
#include "worker.h"

#define LOG_MODULE "library"

struct library lib;

#define WORKER_STACK (256u << 10)

static char *worker_stack; /* part of the image: a restart continues on it */
static struct fake_tcb worker_tcb;
static int32_t worker_tid;

/* No CLONE_FS and, from its first instruction on, no CLONE_FILES: worker_unshare. Sharing the table until then means that at no moment a
 * copy of the program's descriptors exists, which would keep a pipe's reader from seeing its end. */
#define WORKER_FLAGS (CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID)

long library_start_thread(void)
{
    sys_sigset all = ~0ull, old;
    long tid;

    if (!worker_stack) { /* a forked child has its parent's */
        char *memory = region_map(WORKER_STACK + 4096, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);
        if (SYS_IS_ERROR(memory))
            return (long)memory;
        tid = sys_mprotect(memory + 4096, WORKER_STACK, PROT_READ | PROT_WRITE);
        if (tid < 0)
            return tid;
        worker_stack = memory + 4096;
    }
    worker_tcb.self = &worker_tcb;
    sys_sigprocmask(SIG_SETMASK, &all, &old);
    tid = raw_clone(WORKER_FLAGS, worker_stack + WORKER_STACK, &worker_tid, NULL, &worker_tcb, worker_run, NULL);
    sys_sigprocmask(SIG_SETMASK, &old, NULL);
    return tid < 0 ? tid : 0;
}

void library_writing(bool writing)
{
    __atomic_store_n(&lib.writing, writing, __ATOMIC_RELEASE);
    if (!writing)
        sys_futex_wake(&lib.writing, INT32_MAX);
}

bool library_is_writing(void)
{
    return __atomic_load_n(&lib.writing, __ATOMIC_ACQUIRE) && sys_getpid() == lib.real_pid;
}

void library_await_writer(void)
{
    while (library_is_writing())
        sys_futex_wait(&lib.writing, 1, NULL);
}

static void revive(void *unused)
{
    ctx_jump(&worker_snapshot, 1);
}

long library_revive_thread(void)
{
    uint64_t stack = (worker_snapshot.rsp - 8192) & ~15ull; /* below the frames it returns to */
    pid_t wanted = worker_tid;
    struct clone_args args = {
        .flags = WORKER_FLAGS,
        .parent_tid = (uint64_t)(uintptr_t)&worker_tid,
        .stack = stack - 4096,
        .stack_size = 4096,
        .tls = (uint64_t)(uintptr_t)&worker_tcb,
        .set_tid = (uint64_t)(uintptr_t)&wanted,
        .set_tid_size = 1,
    };
    long tid = -EPERM;

    /* Its old number, so that it takes none that a thread of the program needs. */
    if (lib.handoff.flags & HANDOFF_SET_TID)
        tid = raw_clone3(&args, sizeof args, revive, NULL);
    if (tid < 0)
        tid = raw_clone(WORKER_FLAGS, (void *)stack, &worker_tid, NULL, &worker_tcb, revive, NULL);
    return tid < 0 ? tid : 0;
}

bool library_gate_take(uint32_t by)
{
    uint32_t open = GATE_OPEN;

    return __atomic_compare_exchange_n(&lib.gate, &open, by, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void library_gate_open(void)
{
    __atomic_store_n(&lib.gate, GATE_OPEN, __ATOMIC_SEQ_CST);
    sys_futex_wake(&lib.gate, INT32_MAX);
}

void library_gate_await(uint32_t state)
{
    while (__atomic_load_n(&lib.gate, __ATOMIC_SEQ_CST) == state)
        sys_futex_wait(&lib.gate, state, NULL);
}
