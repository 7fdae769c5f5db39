/* Transparent system calls: a call that our signal interrupted is continued, with the time that remains and the bytes already moved, so
 * that the program sees neither EINTR nor a short count nor a stretched or shortened timeout. The essay is at the top of redo.c.
 *
 * Runs in the interrupted thread, in our handler, all signals blocked. Free code. */
#ifndef REDO_H
#define REDO_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

struct thread;

/* Kept in the thread's slot from one interruption to the next; part of the image. Zero: no call of this thread is being continued. */
struct redo {
    uint32_t stub; /* 1 + index of the stub that was used last, 0: none yet */
    uint32_t kind; /* what redo_suspended found */
    uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: no timeout */
    uint64_t remaining_ns; /* what was left when the thread was suspended */
    uint64_t words[8]; /* redo.c's own */
};

/* At the handler's entry: was a system call cut short by us, and what remains of it? Changes nothing the program can see.
 * now_ns: CLOCK_MONOTONIC. */
void redo_suspended(struct thread *thread, ucontext_t *context, uint64_t now_ns);

/* Just before the handler returns: makes *context continue the call, if there is one to continue. `restarted`: this is after a restart (or on
 * another machine), so the deadline is now_ns + remaining_ns; else the old deadline holds. */
void redo_resume(struct thread *thread, ucontext_t *context, uint64_t now_ns, bool restarted);

/* A thread has ended or its slot is reused: the stubs it left by pthread_cancel or longjmp are free again. thread->tid is still its
 * tid. Also for the checkpoint thread. */
void redo_release(struct thread *thread);

/* In the child of a fork, by its only thread, whose tid in the parent was `parent_tid` and is `tid` now: the stubs of all others are
 * free. */
void redo_forked(int parent_tid, int tid);

/* syscall(2) for the program, in a form that lets redo_suspended know the number: its wrapper's real call. Returns -errno. */
long redo_syscall(long number, long a, long b, long c, long d, long e, long f) __attribute__((visibility("hidden")));

#endif
