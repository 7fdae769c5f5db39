/* The registers of a system call in a signal frame: syscall(2), "Architecture calling conventions"; and what the x86_64 kernel leaves in
 * them when a signal cuts a call short (arch/x86/kernel/signal.c, handle_signal). */
#ifndef REDO_REGISTERS_H
#define REDO_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "redo_slot.h"

#define USER_CS_64 0x33

static inline uint64_t *register_of(ucontext_t *context, int which)
{
    return (uint64_t *)&context->uc_mcontext.gregs[which];
}

static inline uint64_t *register_argument(ucontext_t *context, unsigned i)
{
    static const unsigned char order[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
    return register_of(context, order[i]);
}

#define register_pc(context) (*register_of(context, REG_RIP))
#define register_sp(context) (*register_of(context, REG_RSP))
#define register_result(context) (*register_of(context, REG_RAX)) /* or the number of the call to be made */

static inline bool register_is_64_bit(ucontext_t *context)
{
    return (*register_of(context, REG_CSGSFS) & 0xffff) == USER_CS_64;
}

/* The thread has just come back from a system call: the instruction leaves its successor's address in rcx and the flags in r11. */
static inline bool register_after_syscall(ucontext_t *context)
{
    const unsigned char *pc = (const unsigned char *)register_pc(context);

    return register_is_64_bit(context) && *register_of(context, REG_RCX) == (uint64_t)pc && pc[-2] == 0x0f && pc[-1] == 0x05;
}

/* The kernel has set the thread back to the instruction, to restart the call. */
static inline bool register_at_restart(ucontext_t *context)
{
    const unsigned char *pc = (const unsigned char *)register_pc(context);

    return register_is_64_bit(context) && *register_of(context, REG_RCX) == (uint64_t)pc + REDO_SYSCALL_SIZE && pc[0] == 0x0f &&
           pc[1] == 0x05;
}

/* The flags are still those of the syscall instruction: nothing was executed behind it. */
static inline bool register_flags_fresh(ucontext_t *context)
{
    const uint64_t arithmetic = 0x8d5;

    return !((*register_of(context, REG_R11) ^ *register_of(context, REG_EFL)) & arithmetic);
}

extern const char redo_syscall_return[] __attribute__((visibility("hidden")));

/* mov disp8(%rsp), %reg ends at `end`: its length, or 0. The compiler puts one between number and syscall in a few of glibc's calls. */
static inline unsigned register_reload_length(const unsigned char *end)
{
    if (end[-4] != 0x8b || (end[-3] & 0xc7) != 0x44 || end[-2] != 0x24)
        return 0;
    return (end[-5] & 0xfb) == 0x48 ? 5 : 4;
}

/* The number of the call that the instruction before pc made, where the code right before loads it as a constant (mov $nr,%eax; or
 * xor %eax,%eax for 0), which is so in all of glibc's own calls that matter here; and for redo_syscall. -1: it does not. */
static inline long register_number_before(ucontext_t *context)
{
    const unsigned char *end = (const unsigned char *)register_pc(context) - REDO_SYSCALL_SIZE;

    if (end + REDO_SYSCALL_SIZE == (const unsigned char *)redo_syscall_return)
        return (long)*register_of(context, REG_RBX);
    if (((uintptr_t)(end - 10) ^ (uintptr_t)end) >> 12)
        return -1; /* the page before may be absent */
    if (end[-2] == 0x31 && end[-1] == 0xc0)
        return 0;
    end -= register_reload_length(end);
    if (end[-5] == 0xb8 && !end[-2] && !end[-1])
        return end[-4] | end[-3] << 8;
    return -1;
}

static inline uint64_t redo_stub_address(unsigned slot)
{
    return (uint64_t)redo_stubs + (uint64_t)slot * REDO_STUB_SIZE;
}

/* Index of the slot whose stub pc is in, or -1. */
static inline int redo_stub_of(uint64_t pc)
{
    uint64_t offset = pc - (uint64_t)redo_stubs;

    return offset < sizeof redo_stubs ? (int)(offset / REDO_STUB_SIZE) : -1;
}

#endif
