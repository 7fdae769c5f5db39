/* Chains of threads: each makes its successor and ends, so threads come and go all the time, also while they are being suspended, and their
 * numbers are used again. Each chain must go on after a checkpoint and after a restart. Some are threads that libc does not know. */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "step.h"

#define CHAINS 12
#define RAW_CHAINS 2

static volatile unsigned long links[CHAINS + RAW_CHAINS];
static pthread_attr_t detached;

static void *link_run(void *argument)
{
    long i = (long)argument;
    pthread_t next;
    int error;

    links[i]++;
    while ((error = pthread_create(&next, &detached, link_run, argument)) == EAGAIN)
        sched_yield();
    ZERO(error);
    return NULL;
}

/* Two stacks, each used by every other link; a link starts only when the one before has left its stack: CLONE_CHILD_CLEARTID. */
static struct {
    char *stack[2];
    volatile int tid[2];
} raw[RAW_CHAINS];

static int raw_link_run(void *argument)
{
    long i = (long)argument;
    int mine = (int)(links[CHAINS + i] & 1), other = !mine;

    while (raw[i].tid[other])
        syscall(SYS_sched_yield);
    links[CHAINS + i]++;
    raw[i].tid[other] = 1;
    while (clone(raw_link_run, raw[i].stack[other] + 65536,
                 CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID, argument, NULL, NULL,
                 &raw[i].tid[other]) < 0)
        if (errno != EAGAIN)
            FAIL("clone: %s", strerror(errno));
    return 0;
}

int main(void)
{
    pthread_t first;

    ZERO(pthread_attr_init(&detached));
    ZERO(pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED));
    ZERO(pthread_attr_setstacksize(&detached, 65536));
    for (long i = 0; i < CHAINS; i++)
        ZERO(pthread_create(&first, &detached, link_run, (void *)i));
    for (long i = 0; i < RAW_CHAINS; i++) {
        for (int s = 0; s < 2; s++) {
            raw[i].stack[s] = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            CHECK(raw[i].stack[s] != MAP_FAILED);
        }
        raw[i].tid[0] = 1;
        CHECK(clone(raw_link_run, raw[i].stack[0] + 65536,
                    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID, (void *)i, NULL,
                    NULL, &raw[i].tid[0]) > 0);
    }
    do
        for (int i = 0; i < CHAINS + RAW_CHAINS; i++) {
            unsigned long before = links[i];
            UNTIL(links[i] > before + 3);
        }
    while (step());
    puts("no chain broke");
    fflush(stdout);
    _exit(0);
}
