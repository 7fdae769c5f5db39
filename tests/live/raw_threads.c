/* Threads made by clone(2) itself, of which no library knows: without thread-local storage of their own, working by inline system calls,
 * one of them blocked in a futex. */
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>

#include "step.h"

#define THREADS 5

static volatile unsigned long counter[THREADS];
static volatile int word, woken, end, alive = THREADS;
static int tids[THREADS];

static long raw(long number, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    long result;

    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
}

/* No libc in here: FS is that of the thread that made us. */
static int run(void *argument)
{
    long self = (long)argument;

    while (!end) {
        if (self == 0) {
            int seen = word;
            long result = raw(SYS_futex, (long)&word, FUTEX_WAIT, seen, 0);
            if (result != 0 && result != -EAGAIN)
                raw(SYS_exit_group, 3, 0, 0, 0); /* EINTR */
            if (word != seen)
                woken++;
        } else if (self == 1) {
            struct timespec rest = {.tv_nsec = 1000000};
            long result = raw(SYS_nanosleep, (long)&rest, 0, 0, 0);
            if (result != 0)
                raw(SYS_exit_group, 4, 0, 0, 0);
        }
        counter[self]++;
    }
    __atomic_sub_fetch(&alive, 1, __ATOMIC_SEQ_CST);
    raw(SYS_exit, 0, 0, 0, 0);
    return 0;
}

int main(void)
{
    for (long i = 0; i < THREADS; i++) {
        char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(stack != MAP_FAILED);
        tids[i] = clone(run, stack + 65536, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, (void *)i);
        CHECK(tids[i] > 0);
    }
    while (step()) {
        int before = woken;
        for (int i = 1; i < THREADS; i++) {
            unsigned long seen = counter[i];
            UNTIL(counter[i] != seen);
        }
        word++;
        raw(SYS_futex, (long)&word, FUTEX_WAKE, 1, 0);
        UNTIL(woken == before + 1);
    }
    end = 1;
    word++;
    raw(SYS_futex, (long)&word, FUTEX_WAKE, 1, 0);
    UNTIL(alive == 0);
    puts("raw threads went on");
    return 0;
}
