/* Where the kernel starts the loader, and the three jumps that C can't express. The loader runs on its own stack from the first
 * instruction on: the one that the kernel made is unmapped later. */

    .section .bss.stack, "aw", @nobits
    .balign 16
stack_bottom:
    .skip 256 << 10
stack_top:

    .text
    .globl _start
    .hidden _start
    .type _start, @function
_start:
    mov %rsp, %rdi
    lea stack_top(%rip), %rsp
    xor %ebp, %ebp
    call loader_main
    hlt

/* void jump_to_copy(long delta, void (*function)(void)): goes on in the copy of the loader that lies delta bytes from here, at
 * function's place in it, with an empty stack. */
    .globl jump_to_copy
    .hidden jump_to_copy
    .type jump_to_copy, @function
jump_to_copy:
    lea stack_top(%rip), %rsp
    add %rdi, %rsp
    add %rdi, %rsi
    xor %ebp, %ebp
    call *%rsi
    hlt

/* void jump_to_image(uint64_t entry, struct handoff *): leaves the loader, with an empty stack. */
    .globl jump_to_image
    .hidden jump_to_image
    .type jump_to_image, @function
jump_to_image:
    mov %rdi, %rax
    mov %rsi, %rdi
    lea stack_top(%rip), %rsp
    xor %ebp, %ebp
    call *%rax
    hlt

/* long thread_start(unsigned long flags, void *stack_top, uint32_t *parent_tid, uint32_t *child_tid, void *tls, void (*function)(void *),
 * void *argument): clone(2); the new thread calls function and ends. */
    .globl thread_start
    .hidden thread_start
    .type thread_start, @function
thread_start:
    mov 8(%rsp), %rax
    and $-16, %rsi
    sub $16, %rsi
    mov %rax, 8(%rsi)
    mov %r9, (%rsi)
    mov %rcx, %r10
    mov $56, %eax /* clone */
    syscall
    test %rax, %rax
    jnz 1f
    xor %ebp, %ebp
    pop %rax
    pop %rdi
    call *%rax
    xor %edi, %edi
    mov $60, %eax /* exit */
    syscall
    hlt
1:  ret

    .section .note.GNU-stack, "", @progbits
