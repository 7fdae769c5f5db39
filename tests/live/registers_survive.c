/* All general, SSE and (where there are) AVX and AVX-512 registers and the flags keep their values in threads that run on through
 * checkpoints and restarts. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "step.h"

#define THREADS 4
#define LOOPS 200000

struct registers {
    uint64_t general[14]; /* rax rbx rcx rdx rsi rbp r8 … r15 */
    uint64_t carry;
    uint64_t mask[7]; /* k1 … k7 */
    unsigned char vector[32][64];
};

/* Loads all registers from `in`, counts `loops` down in memory, stores them to `out`. `width`: 16, 32 or 64 bytes of vectors. rsp
 * is used, rdi holds a pattern too but is not compared (it is the last to be loaded and the first to be lost). dec leaves the carry. */
void registers_hold(const struct registers *in, struct registers *out, uint64_t loops, uint64_t width);

#define REPEAT16(m) m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(8) m(9) m(10) m(11) m(12) m(13) m(14) m(15)
#define REPEAT16HIGH(m) m(16) m(17) m(18) m(19) m(20) m(21) m(22) m(23) m(24) m(25) m(26) m(27) m(28) m(29) m(30) m(31)
#define REPEAT7(m) m(1) m(2) m(3) m(4) m(5) m(6) m(7)
#define LOAD_X(n) "movups 176 + " #n "*64(%rdi), %xmm" #n "\n"
#define LOAD_Y(n) "vmovups 176 + " #n "*64(%rdi), %ymm" #n "\n"
#define LOAD_Z(n) "vmovups 176 + " #n "*64(%rdi), %zmm" #n "\n"
#define LOAD_K(n) "kmovw 120 + (" #n "-1)*8(%rdi), %k" #n "\n"
#define STORE_X(n) "movups %xmm" #n ", 176 + " #n "*64(%rdi)\n"
#define STORE_Y(n) "vmovups %ymm" #n ", 176 + " #n "*64(%rdi)\n"
#define STORE_Z(n) "vmovups %zmm" #n ", 176 + " #n "*64(%rdi)\n"
#define STORE_K(n) "kmovw %k" #n ", 120 + (" #n "-1)*8(%rdi)\n"

__asm__(".text\n"
        ".globl registers_hold\n"
        ".type registers_hold, @function\n"
        "registers_hold:\n"
        "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
        "push %rsi\n push %rcx\n push %rdx\n" /* out, width, loops */
        "cmp $32, %rcx\n jb 1f\n ja 2f\n" REPEAT16(LOAD_Y) "jmp 3f\n"
        "1:" REPEAT16(LOAD_X) "jmp 3f\n"
        "2:" REPEAT16(LOAD_Z) REPEAT16HIGH(LOAD_Z) REPEAT7(LOAD_K) "3:\n"
        "mov 0(%rdi), %rax\n mov 8(%rdi), %rbx\n mov 16(%rdi), %rcx\n mov 24(%rdi), %rdx\n mov 32(%rdi), %rsi\n mov 40(%rdi), %rbp\n"
        "mov 48(%rdi), %r8\n mov 56(%rdi), %r9\n mov 64(%rdi), %r10\n mov 72(%rdi), %r11\n"
        "mov 80(%rdi), %r12\n mov 88(%rdi), %r13\n mov 96(%rdi), %r14\n mov 104(%rdi), %r15\n"
        "btq $0, 112(%rdi)\n" /* carry = the lowest bit */
        "4: decq (%rsp)\n jnz 4b\n"
        "mov 16(%rsp), %rdi\n"
        "mov %rax, 0(%rdi)\n mov %rbx, 8(%rdi)\n mov %rcx, 16(%rdi)\n mov %rdx, 24(%rdi)\n mov %rsi, 32(%rdi)\n mov %rbp, 40(%rdi)\n"
        "mov %r8, 48(%rdi)\n mov %r9, 56(%rdi)\n mov %r10, 64(%rdi)\n mov %r11, 72(%rdi)\n"
        "mov %r12, 80(%rdi)\n mov %r13, 88(%rdi)\n mov %r14, 96(%rdi)\n mov %r15, 104(%rdi)\n"
        "setc 112(%rdi)\n"
        "mov 8(%rsp), %rcx\n"
        "cmp $32, %rcx\n jb 5f\n ja 6f\n" REPEAT16(STORE_Y) "vzeroupper\n jmp 7f\n"
        "5:" REPEAT16(STORE_X) "jmp 7f\n"
        "6:" REPEAT16(STORE_Z) REPEAT16HIGH(STORE_Z) REPEAT7(STORE_K) "vzeroupper\n 7:\n"
        "add $24, %rsp\n"
        "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
        "ret\n"
        ".size registers_hold, . - registers_hold\n");

_Static_assert(offsetof(struct registers, carry) == 112 && offsetof(struct registers, mask) == 120 &&
                   offsetof(struct registers, vector) == 176,
               "the assembler knows these");

static volatile uint64_t rounds[THREADS];
static volatile bool stop;

static void *hold(void *argument)
{
    size_t self = (size_t)argument;
    uint64_t width = __builtin_cpu_supports("avx512f") ? 64 : __builtin_cpu_supports("avx") ? 32 : 16;
    uint64_t random = 0x9e3779b97f4a7c15u * (self + 1);
    static struct registers all_in[THREADS], all_out[THREADS];
    struct registers *in = &all_in[self], *out = &all_out[self];

    while (!stop) {
        unsigned char *byte = (unsigned char *)in;
        for (size_t i = 0; i < sizeof *in; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            byte[i] = (unsigned char)(random >> 56);
        }
        in->carry &= 1;
        for (int i = 0; i < 7; i++)
            in->mask[i] &= 0xffff;
        memset(out, 0, sizeof *out);
        registers_hold(in, out, LOOPS, width);
        CHECK(memcmp(in->general, out->general, sizeof in->general) == 0);
        CHECK(in->carry == out->carry);
        for (int i = 0; i < (width == 64 ? 32 : 16); i++)
            CHECK(memcmp(in->vector[i], out->vector[i], width) == 0);
        if (width == 64)
            CHECK(memcmp(in->mask, out->mask, sizeof in->mask) == 0);
        rounds[self]++;
    }
    return NULL;
}

int main(void)
{
    pthread_t thread[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        ZERO(pthread_create(&thread[i], NULL, hold, (void *)i));
    for (size_t i = 0; i < THREADS; i++)
        UNTIL(rounds[i] > 0);
    while (step()) {
        uint64_t before[THREADS];
        for (size_t i = 0; i < THREADS; i++)
            before[i] = rounds[i];
        for (size_t i = 0; i < THREADS; i++)
            UNTIL(rounds[i] > before[i] + 1);
    }
    stop = true;
    for (size_t i = 0; i < THREADS; i++)
        ZERO(pthread_join(thread[i], NULL));
    puts("registers kept");
    return 0;
}
