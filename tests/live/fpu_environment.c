/* Rounding, exception masks and flags of SSE and x87, and values on the x87 stack, each thread its own. */
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>

#include "step.h"

static const int roundings[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
static volatile unsigned rounds[4];
static volatile bool stop;

/* Seven numbers wait on the x87 stack while the loop runs; the sum says whether all came back. */
static long double stack_sum(volatile uint64_t loops)
{
    long double sum;

    __asm__ volatile("fldpi\n fld1\n fldl2e\n fldl2t\n fldlg2\n fldln2\n fld1\n"
                     "1: decq %1\n jnz 1b\n"
                     "faddp\n faddp\n faddp\n faddp\n faddp\n faddp\n"
                     : "=t"(sum), "+m"(loops)
                     :
                     : "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
    return sum;
}

static void *run(void *argument)
{
    size_t self = (size_t)argument;
    volatile double one = 1, three = 3, zero = 0, quotient;
    uint32_t mxcsr, mxcsr_now;
    uint16_t control, control_now;
    long double sum;

    CHECK(fesetround(roundings[self]) == 0);
    feclearexcept(FE_ALL_EXCEPT);
    if (self == 1)
        feraiseexcept(FE_DIVBYZERO | FE_INEXACT);
    if (self == 2) { /* flush to zero, and underflow would trap */
        __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
        mxcsr = (mxcsr | 0x8000) & ~0x800u;
        __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    }
    if (self == 3) { /* 24 bits of precision */
        __asm__ volatile("fnstcw %0" : "=m"(control));
        control = (uint16_t)(control & ~0x300);
        __asm__ volatile("fldcw %0" : : "m"(control));
    }
    quotient = one / three;
    double expected = quotient;
    sum = stack_sum(1);
    feclearexcept(FE_INVALID);
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(control));
    while (!stop) {
        CHECK(stack_sum(100000) == sum);
        CHECK(fegetround() == roundings[self]);
        quotient = one / three;
        CHECK(quotient == expected);
        __asm__ volatile("stmxcsr %0" : "=m"(mxcsr_now));
        __asm__ volatile("fnstcw %0" : "=m"(control_now));
        CHECK(mxcsr_now == mxcsr);
        CHECK(control_now == control);
        CHECK(!!fetestexcept(FE_DIVBYZERO) == (self == 1));
        CHECK(zero == 0);
        rounds[self]++;
    }
    return NULL;
}

int main(void)
{
    pthread_t thread[4];

    for (size_t i = 0; i < 4; i++)
        ZERO(pthread_create(&thread[i], NULL, run, (void *)i));
    for (size_t i = 0; i < 4; i++)
        UNTIL(rounds[i] > 0);
    while (step())
        for (size_t i = 0; i < 4; i++) {
            unsigned before = rounds[i];
            UNTIL(rounds[i] > before + 1);
        }
    stop = true;
    for (size_t i = 0; i < 4; i++)
        ZERO(pthread_join(thread[i], NULL));
    puts("floating-point environments kept");
    return 0;
}
