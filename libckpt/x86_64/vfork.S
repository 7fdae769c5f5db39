/* pid_t vfork(void). Its child returns from here on the parent's stack and overwrites the return address, so that is kept in a register, which the
 * kernel gives to both. The helpers are in wrap/fork.c. */
    .text
    .globl vfork
    .type vfork, @function
vfork:
    .cfi_startproc
    sub $8, %rsp
    .cfi_adjust_cfa_offset 8
    call vfork_plain
    add $8, %rsp
    .cfi_adjust_cfa_offset -8
    test %rax, %rax
    jz 1f
    jmp *%rax
1:  pop %rsi
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rsi
    mov $58, %eax /* SYS_vfork */
    syscall
    push %rsi
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rip, 0
    push %rax
    .cfi_adjust_cfa_offset 8
    mov %rax, %rdi
    call vfork_returned /* in the child with 0; it does not come back when its number can't be used */
    pop %rdx
    .cfi_adjust_cfa_offset -8
    test %eax, %eax
    jnz 1b
    mov %edx, %eax
    test %edx, %edx
    jns 2f
    mov $-1, %eax
2:  ret
    .cfi_endproc
    .size vfork, . - vfork

    .section .note.GNU-stack, "", @progbits
