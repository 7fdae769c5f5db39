/* What a thread has in the kernel beside registers, mask and alternate stack (those are in its signal frame): read by the thread itself
 * in its handler, given back by the new thread itself. Errors when giving back are not fatal: less privilege than before must not cost
 * the program; they are logged. */
#include <asm/prctl.h>
#include <linux/prctl.h>

#include "library.h"
#include "log.h"
#include "str.h"
#include "thread_arch.h"
#include "threads.h"

#define LOG_MODULE "thread"

#define RSEQ_SIGNATURE 0x53053053u
#define RSEQ_SIZE 32u /* what is passed for a feature size up to 32, whatever __rseq_size says */
#define RSEQ_FLAG_UNREGISTER 1

extern const ptrdiff_t __rseq_offset __attribute__((weak, visibility("default")));

static long sys_rseq(uint64_t address, uint32_t size, int flags)
{
    return syscall6(__NR_rseq, (long)address, size, flags, RSEQ_SIGNATURE, 0, 0);
}

/* The kernel does not tell the registration, but answers a second one: EBUSY for the very same, 0 where there was none. */
static void save_rseq(struct thread_kernel_state *kernel)
{
    kernel->rseq_address = 0;
    if (!&__rseq_offset || !kernel->fs)
        return;
    uint64_t address = kernel->fs + (uint64_t)__rseq_offset;
    long result = sys_rseq(address, RSEQ_SIZE, 0);
    if (result == -EBUSY) {
        kernel->rseq_address = address;
        kernel->rseq_size = RSEQ_SIZE;
    } else if (result == 0) {
        sys_rseq(address, RSEQ_SIZE, RSEQ_FLAG_UNREGISTER);
    }
}

void thread_save_kernel_state(struct thread *thread)
{
    struct thread_kernel_state *kernel = &thread->kernel;
    int value = 0;

    thread_arch_save(thread);
    if (sys_prctl(PR_GET_TID_ADDRESS, (unsigned long)&kernel->tid_address, 0, 0, 0) < 0)
        kernel->tid_address = 0;
    syscall3(__NR_get_robust_list, 0, (long)&kernel->robust_list, (long)&kernel->robust_size);
    save_rseq(kernel);
    sys_prctl(PR_GET_NAME, (unsigned long)kernel->name, 0, 0, 0);

    long policy = syscall3(__NR_sched_getscheduler, 0, 0, 0);
    kernel->reset_on_fork = policy >= 0 && (policy & 0x40000000);
    kernel->policy = policy < 0 ? 0 : (uint32_t)policy & ~0x40000000u;
    if (kernel->policy == 1 || kernel->policy == 2) {
        syscall3(__NR_sched_getparam, 0, (long)&value, 0);
        kernel->priority = (uint32_t)value;
    }
    kernel->nice = 20 - (int)syscall3(__NR_getpriority, 0, 0, 0);
    kernel->ioprio = (uint32_t)syscall3(__NR_ioprio_get, 1, 0, 0);
    long size = syscall3(__NR_sched_getaffinity, 0, sizeof kernel->affinity, (long)kernel->affinity);
    kernel->affinity_size = size > 0 && memcmp(kernel->affinity, lib.affinity, (size_t)size) ? (uint32_t)size : 0;
    long slack = sys_prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    kernel->timerslack_low = (uint32_t)slack;
    kernel->timerslack_high = (uint32_t)(slack >> 32);
    sys_prctl(PR_GET_PDEATHSIG, (unsigned long)&value, 0, 0, 0);
    kernel->pdeathsig = (uint32_t)value;
    kernel->personality = (uint32_t)syscall3(__NR_personality, 0xffffffff, 0, 0);
    kernel->no_new_privs = sys_prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static void expect(long result, const char *what, const struct thread *thread)
{
    if (result < 0)
        log_warn("thread %d: %s could not be set again: %e", thread->tid, what, (int)result);
}

void thread_restore_kernel_state(const struct thread *thread)
{
    const struct thread_kernel_state *kernel = &thread->kernel;
    uint64_t present[16];

    thread_arch_restore(thread);
    syscall3(__NR_set_tid_address, (long)kernel->tid_address, 0, 0);
    if (kernel->robust_list)
        syscall3(__NR_set_robust_list, (long)kernel->robust_list, (long)kernel->robust_size, 0);
    if (kernel->rseq_address)
        expect(sys_rseq(kernel->rseq_address, kernel->rseq_size, 0), "rseq", thread);
    sys_prctl(PR_SET_NAME, (unsigned long)kernel->name, 0, 0, 0);
    if (kernel->policy) {
        int priority = (int)kernel->priority;
        expect(syscall3(__NR_sched_setscheduler, 0, kernel->policy | (kernel->reset_on_fork ? 0x40000000u : 0), (long)&priority),
               "its scheduling policy", thread);
    }
    if (20 - (int)syscall3(__NR_getpriority, 0, 0, 0) != kernel->nice)
        expect(syscall3(__NR_setpriority, 0, 0, kernel->nice), "its nice value", thread);
    if (kernel->ioprio && (uint32_t)syscall3(__NR_ioprio_get, 1, 0, 0) != kernel->ioprio)
        expect(syscall3(__NR_ioprio_set, 1, 0, kernel->ioprio), "its I/O priority", thread);
    if (kernel->affinity_size) {
        long size = syscall3(__NR_sched_getaffinity, 0, sizeof present, (long)present);
        if (size <= 0 || memcmp(present, kernel->affinity, (size_t)size < kernel->affinity_size ? (size_t)size : kernel->affinity_size))
            expect(syscall3(__NR_sched_setaffinity, 0, kernel->affinity_size, (long)kernel->affinity), "its CPU affinity", thread);
    }
    sys_prctl(PR_SET_TIMERSLACK, kernel->timerslack_low | (uint64_t)kernel->timerslack_high << 32, 0, 0, 0);
    if ((uint32_t)syscall3(__NR_personality, 0xffffffff, 0, 0) != kernel->personality)
        syscall3(__NR_personality, kernel->personality, 0, 0);
    if (kernel->pdeathsig)
        sys_prctl(PR_SET_PDEATHSIG, kernel->pdeathsig, 0, 0, 0);
    if (kernel->no_new_privs)
        sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
