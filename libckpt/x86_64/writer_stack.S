/* Stacks for the image writer: see writer.h. */
    .text

/* long writer_clone(unsigned long flags, void *stack_top, void (*function)(void *), void *argument) */
    .globl writer_clone
    .hidden writer_clone
    .type writer_clone, @function
writer_clone:
    sub $16, %rsi
    mov %rdx, (%rsi)
    mov %rcx, 8(%rsi)
    xor %edx, %edx /* no parent's tid address */
    xor %r10d, %r10d /* no child's */
    xor %r8d, %r8d /* no TLS: %fs stays */
    mov $56, %eax /* clone */
    syscall
    test %rax, %rax
    jnz 1f
    xor %ebp, %ebp
    pop %rax
    pop %rdi
    call *%rax
    ud2
1:  ret
    .size writer_clone, . - writer_clone

/* void writer_call(void *stack_top, void (*function)(void *), void *argument) */
    .globl writer_call
    .hidden writer_call
    .type writer_call, @function
writer_call:
    push %rbp
    mov %rsp, %rbp
    mov %rdi, %rsp
    mov %rdx, %rdi
    call *%rsi
    mov %rbp, %rsp
    pop %rbp
    ret
    .size writer_call, . - writer_call

/* A signal handler returns here. */
    .globl writer_restorer
    .hidden writer_restorer
    .type writer_restorer, @function
writer_restorer:
    mov $15, %eax /* rt_sigreturn */
    syscall
    ud2
    .size writer_restorer, . - writer_restorer

    .section .note.GNU-stack, "", @progbits
