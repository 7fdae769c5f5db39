/* Places in threads to come back to, and threads that libc does not know. x86_64/context.S. Free code; any phase. */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <linux/sched.h>
#include <stddef.h>

#include "thread.h"

/* Returns 0, and again with the value of each ctx_jump. Callee-saved registers and floating-point modes only: the caller's frame must
 * still stand when it is jumped to, and its locals have the values that memory has then. */
long ctx_save(struct context *context) __attribute__((returns_twice));
_Noreturn void ctx_jump(const struct context *context, long value);

/* clone(2)/clone3(2); the child calls run(argument) on its own stack, which must not return. The child's tid, or -errno. */
long raw_clone(unsigned long flags, void *stack_top, int *parent_tid, int *child_tid, void *tls, void (*run)(void *), void *argument);
long raw_clone3(struct clone_args *args, size_t size, void (*run)(void *), void *argument);

/* Calls run(argument) on another stack, in this thread. */
long call_on_stack(long (*run)(void *), void *argument, void *stack_top);

/* rt_sigreturn, as sa_restorer. */
void signal_restorer(void);

/* A thread that libc does not know still needs something at FS: the static zlib reads the stack canary at %fs:0x28. */
struct fake_tcb {
    struct fake_tcb *self;
    uint64_t words[63];
};

#endif
