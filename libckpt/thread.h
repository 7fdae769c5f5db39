/* The threads of the program as the checkpoint sees them: one slot each, in a table that is part of the image.
 *
 * A slot is claimed by the checkpoint thread, which samples the thread's system call, queues the checkpoint signal with the slot's address
 * as its value, and waits. The handler runs in the thread itself, fills in what only the thread can ask the kernel about, and parks
 * there on `command`. Until it is let go, everything in the slot belongs to the checkpoint thread; a parked thread may be asked to run
 * a function (park_call in park.h). */
#ifndef THREAD_H
#define THREAD_H

#include <stdint.h>
#include <ucontext.h>

#include "redo.h"
#include "sys.h"

enum thread_state {
    THREAD_FREE = 0,
    THREAD_SIGNALLED = 1, /* the signal is on its way, or about to be handled */
    THREAD_PARKED = 2, /* in the handler, waiting */
    THREAD_GONE = 3, /* ended before it parked */
    THREAD_NEW = 4, /* slot claimed, not yet signalled */
    THREAD_AGAIN = 5, /* could not park where it was, or the signal could not be queued: to be signalled again */
    THREAD_LEAVING = 6, /* in the handler, on its way out */
    THREAD_OUT = 7, /* out of the handler, or about to return: the slot is at rest */
};

/* What /proc/self/task/T/syscall said just before the signal (proc(5)). */
struct syscall_sample {
    bool in_syscall;
    long number;
    uint64_t argument[6];
    uint64_t sp, pc;
};

/* Callee-saved registers, as ctx_save in x86_64/context.S stores them. */
struct context {
    uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
    uint32_t mxcsr;
    uint16_t x87_control;
    uint16_t unused;
};

/* What a thread has in the kernel beside its registers, its mask and its alternate stack (those are in its signal frame). */
struct thread_kernel_state {
    uint64_t fs, gs;
    uint64_t tid_address; /* PR_GET_TID_ADDRESS */
    uint64_t robust_list, robust_size;
    uint64_t rseq_address; /* 0: none registered */
    uint32_t rseq_size, rseq_signature;
    char name[16];
    uint32_t policy, priority, reset_on_fork;
    int32_t nice;
    uint64_t affinity[16]; /* 1024 processors */
    uint32_t affinity_size; /* bytes used; 0: unrestricted */
    uint32_t timerslack_low, timerslack_high;
    uint32_t ioprio;
    uint32_t pdeathsig;
    uint32_t no_new_privs;
    uint32_t personality; /* personality(2): each thread's own */
};

#define THREAD_GROUPS 64

struct thread_credentials { /* resource/credentials.c */
    uint32_t uid[3], gid[3]; /* real, effective, saved */
    int32_t group_count; /* negative: more than there is room for */
    uint32_t group[THREAD_GROUPS];
    uint32_t capability[6]; /* as in capget(2) */
    uint32_t securebits;
};

struct thread {
    uint32_t state; /* enum thread_state; futex: the checkpoint thread waits for PARKED */
    uint32_t command; /* futex: the parked thread waits for a change (park.h) */
    int32_t tid; /* as the program knows it */
    int32_t real_tid; /* as the kernel knows it now */
    bool is_main; /* the thread-group leader */
    bool seen; /* threads_list's mark */
    bool unqueued; /* suspend.c: the limit of queued signals was reached */
    uint64_t start; /* suspend.c: when it began, 0: not looked at yet */
    bool restored; /* it was made again by a restart and has not yet left the handler */
    struct syscall_sample sample;
    ucontext_t *ucontext; /* in the signal frame; valid while parked */
    struct context parked; /* where a restart puts the thread back */
    struct thread_kernel_state kernel;
    struct thread_credentials credentials;
    struct redo redo;
};

#endif
