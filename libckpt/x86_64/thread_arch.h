/* The part of a thread's kernel state that is x86_64's: segment bases. */
#ifndef THREAD_ARCH_H
#define THREAD_ARCH_H

#include <asm/prctl.h>

#include "thread.h"

static inline void thread_arch_save(struct thread *thread)
{
    syscall3(__NR_arch_prctl, ARCH_GET_FS, (long)&thread->kernel.fs, 0);
    syscall3(__NR_arch_prctl, ARCH_GET_GS, (long)&thread->kernel.gs, 0);
}

static inline void thread_arch_restore(const struct thread *thread)
{
    syscall3(__NR_arch_prctl, ARCH_SET_FS, (long)thread->kernel.fs, 0);
    if (thread->kernel.gs)
        syscall3(__NR_arch_prctl, ARCH_SET_GS, (long)thread->kernel.gs, 0);
}

#endif
