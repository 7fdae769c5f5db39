/* Saving and jumping to a place in a thread, and making threads that do not return. struct context in thread.h; clone(2), clone3(2). */

    .text

/* long ctx_save(struct context *): 0 now, and once more the value given to ctx_jump. */
    .globl ctx_save
    .hidden ctx_save
    .type ctx_save, @function
ctx_save:
    .cfi_startproc
    mov %rbx, 0(%rdi)
    mov %rbp, 8(%rdi)
    mov %r12, 16(%rdi)
    mov %r13, 24(%rdi)
    mov %r14, 32(%rdi)
    mov %r15, 40(%rdi)
    lea 8(%rsp), %rdx
    mov %rdx, 48(%rdi)
    mov (%rsp), %rdx
    mov %rdx, 56(%rdi)
    stmxcsr 64(%rdi)
    fnstcw 68(%rdi)
    xor %eax, %eax
    ret
    .cfi_endproc
    .size ctx_save, .-ctx_save

/* _Noreturn void ctx_jump(const struct context *, long value) */
    .globl ctx_jump
    .hidden ctx_jump
    .type ctx_jump, @function
ctx_jump:
    mov %rsi, %rax
    mov 0(%rdi), %rbx
    mov 8(%rdi), %rbp
    mov 16(%rdi), %r12
    mov 24(%rdi), %r13
    mov 32(%rdi), %r14
    mov 40(%rdi), %r15
    mov 48(%rdi), %rsp
    ldmxcsr 64(%rdi)
    fldcw 68(%rdi)
    jmp *56(%rdi)
    .size ctx_jump, .-ctx_jump

/* long raw_clone(unsigned long flags, void *stack_top, int *parent_tid, int *child_tid, void *tls, void (*run)(void *), void *argument)
 * The child calls run(argument) on its stack, which must not return. */
    .globl raw_clone
    .hidden raw_clone
    .type raw_clone, @function
raw_clone:
    push %r12
    push %r13
    mov 24(%rsp), %r13
    mov %r9, %r12
    mov %rcx, %r10
    mov $56, %eax
    syscall
    test %rax, %rax
    jz 1f
    pop %r13
    pop %r12
    ret
1:  xor %ebp, %ebp
    mov %r13, %rdi
    and $-16, %rsp
    call *%r12
    ud2
    .size raw_clone, .-raw_clone

/* long raw_clone3(struct clone_args *, unsigned long size, void (*run)(void *), void *argument) */
    .globl raw_clone3
    .hidden raw_clone3
    .type raw_clone3, @function
raw_clone3:
    mov %rdx, %r8
    mov %rcx, %r9
    mov $435, %eax
    syscall
    test %rax, %rax
    jz 1f
    ret
1:  xor %ebp, %ebp
    mov %r9, %rdi
    and $-16, %rsp
    call *%r8
    ud2
    .size raw_clone3, .-raw_clone3

/* long call_on_stack(long (*run)(void *), void *argument, void *stack_top) */
    .globl call_on_stack
    .hidden call_on_stack
    .type call_on_stack, @function
call_on_stack:
    .cfi_startproc
    push %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    mov %rsp, %rbp
    .cfi_def_cfa_register %rbp
    mov %rdx, %rsp
    and $-16, %rsp
    mov %rdi, %rax
    mov %rsi, %rdi
    call *%rax
    mov %rbp, %rsp
    pop %rbp
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size call_on_stack, .-call_on_stack

/* The restorer of our signal handler: SA_RESTORER of rt_sigaction(2). Unwinders know a signal frame by these very bytes. */
    .globl signal_restorer
    .hidden signal_restorer
    .type signal_restorer, @function
    nop
signal_restorer:
    mov $15, %rax
    syscall
    .size signal_restorer, .-signal_restorer

    .section .note.GNU-stack, "", @progbits
