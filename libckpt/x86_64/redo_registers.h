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

/* The number of the call that the instruction before pc made, where the code right before loads it as a constant (mov $nr,%eax; or
 * xor %eax,%eax for 0): all of glibc's and musl's own calls. -1: it does not. */
static inline long register_number_before(ucontext_t *context)
{
    const unsigned char *pc = (const unsigned char *)register_pc(context);

    if (((uintptr_t)(pc - 7) ^ (uintptr_t)(pc - 2)) >> 12)
        return -1; /* the page before may be absent */
    if (pc[-7] == 0xb8 && !pc[-4] && !pc[-3])
        return pc[-6] | pc[-5] << 8;
    if (pc[-4] == 0x31 && pc[-3] == 0xc0)
        return 0;
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
