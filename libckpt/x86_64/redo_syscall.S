/* long redo_syscall(long number, long a, long b, long c, long d, long e, long f): syscall(2) without errno. rbx still holds the number
 * when the call is interrupted, so that redo.c knows which one it was without having seen it wait. */
    .text
    .globl redo_syscall
    .hidden redo_syscall
    .type redo_syscall, @function
redo_syscall:
    .cfi_startproc
    push %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    mov %rdi, %rbx
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
    mov 16(%rsp), %r9
    syscall
    .globl redo_syscall_return
    .hidden redo_syscall_return
redo_syscall_return:
    pop %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    ret
    .cfi_endproc
    .size redo_syscall, . - redo_syscall

    .section .note.GNU-stack, "", @progbits
