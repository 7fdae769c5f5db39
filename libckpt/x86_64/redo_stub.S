/* The stubs that continue interrupted system calls (redo.c).
 *
 * redo_resume points rip at stub n with the call's number and arguments in their registers. The rules:
 * - Only rcx and r11 may be used freely: the syscall instruction destroys both, so the program expects nothing of them. The stack
 *   is not touched at all (the program may use its red zone, and a signal may come at any instruction).
 * - At every instruction an unwinder must find the program's own frame: the stack pointer is the caller's (CFA = rsp) and the return
 *   address lies in the slot. pthread_cancel and exceptions thrown in signal handlers pass through here. It is a signal frame, so that the
 *   caller's address is taken as it is and not as that of a call.
 * - A stub's first two bytes are the syscall instruction; where the kernel restarts the call, it finds it there.
 * - The store that frees the slot is the last access to it. */
#include "redo_slot.h"

#define DW_CFA_expression 0x10
#define DW_OP_deref_size 0x94
#define RAX 0
#define RCX 2
#define RA 16

    .section .bss.redo_slots, "aw", @nobits
    .globl redo_slots
    .hidden redo_slots
    .type redo_slots, @object
    .size redo_slots, REDO_SLOTS * REDO_SLOT_SIZE
    .balign 4096
redo_slots:
    .zero REDO_SLOTS * REDO_SLOT_SIZE

    .text
    .globl redo_stubs
    .hidden redo_stubs
    .type redo_stubs, @function
    .balign 64
redo_stubs:
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa %rsp, 0
    /* The return address is stored at the slot, whose address the lea below computes; its displacement is read from the code:
     *   at = (pc & -16) + 5;  at + 4 + *(int32_t *)at
     * breg16 0; const1s -16; and; plus_uconst 5; dup; deref_size 4; const1u 32; shl; const1u 32; shra; plus; plus_uconst 4 */
    .cfi_escape DW_CFA_expression, RA, 19, 0x80, 0, 0x09, 0xf0, 0x1a, 0x23, 5, 0x12, DW_OP_deref_size, 4, \
        0x08, 32, 0x24, 0x08, 32, 0x26, 0x22, 0x23, 4
    .set n, 0
    .rept REDO_SLOTS
    .balign REDO_STUB_SIZE
    syscall
    lea redo_slots + n(%rip), %rcx
    jmp continued
    .set n, n + REDO_SLOT_SIZE
    .endr
    .balign REDO_STUB_SIZE
    .cfi_endproc
    .size redo_stubs, . - redo_stubs

/* rcx: the slot, rax: the result of the call in the stub. */
    .type continued, @function
continued:
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa %rsp, 0
    .cfi_escape DW_CFA_expression, RA, 2, 0x70 + RCX, 0
    cmpl $0, SLOT_POLLING(%rcx)
    jne polled
finish:
    cmp SLOT_RESULT_FROM(%rcx), %rax
    jne 1f
    mov SLOT_RESULT_TO(%rcx), %rax
1:  mov SLOT_TOTAL(%rcx), %r11
    test %r11, %r11
    jz 3f
    test %rax, %rax
    js 2f
    add %rax, %r11
2:  mov %r11, %rax
3:  mov SLOT_RESTORE(%rcx), %rdi
    mov SLOT_RESTORE + 8(%rcx), %rsi
    mov SLOT_RESTORE + 16(%rcx), %rdx
    mov SLOT_RESTORE + 24(%rcx), %r10
    mov SLOT_RESTORE + 32(%rcx), %r8
    mov SLOT_RESTORE + 40(%rcx), %r9
    mov SLOT_PC(%rcx), %r11
    .cfi_remember_state
    .cfi_register RA, %r11
    movl $0, SLOT_OWNER(%rcx)
    jmp *%r11
    .cfi_restore_state

polled:
    movl $0, SLOT_POLLING(%rcx)
    test %rax, %rax
    js finish
    jnz 4f
    mov SLOT_TIMEOUT_RESULT(%rcx), %rax
    jmp finish
4:  mov SLOT_NUMBER(%rcx), %rax
    mov SLOT_ARGUMENT(%rcx), %rdi
    mov SLOT_ARGUMENT + 8(%rcx), %rsi
    mov SLOT_ARGUMENT + 16(%rcx), %rdx
    mov SLOT_ARGUMENT + 24(%rcx), %r10
    mov SLOT_ARGUMENT + 32(%rcx), %r8
    mov SLOT_ARGUMENT + 40(%rcx), %r9
    jmp *SLOT_STUB(%rcx)
    .cfi_endproc
    .size continued, . - continued

    .section .note.GNU-stack, "", @progbits
